/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named.c - see named.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/named.h"

/* How much of a wait may pass before a person is told. */
#define PATIENCE_NS (5 * NS_PER_S)

static bool parse_mode(const char *text, uint32_t *mode_out)
{
    size_t size = strlen(text);

    if (size < 1 || size > 4 || strspn(text, "01234567") != size ||
        strtoul(text, NULL, 8) > 0777) {
        complain("option '--mode' takes an octal number as 600 or 660, not "
                 "'%s'",
                 text);
        return false;
    }
    *mode_out = (uint32_t)strtoul(text, NULL, 8);
    return true;
}

bool named_parse(const struct named_args *args, weir_queue_options *options,
                 int64_t *timeout_ns)
{
    weir_error err = { 0 };

    *options = (weir_queue_options)WEIR_QUEUE_OPTIONS;
    *timeout_ns = FOREVER;
    if (args->null && args->whole) {
        complain("--null and --whole cannot stand together");
        return false;
    }
    if (!args->create &&
        (args->capacity != 0 || args->bytes != NULL || args->mode != NULL)) {
        complain("--capacity, --bytes and --mode are for a queue that is made: "
                 "give --create, too");
        return false;
    }
    if (args->capacity != 0)
        options->capacity = args->capacity;
    if (args->bytes != NULL &&
        text_size(args->bytes, &options->bytes, &err) < 0) {
        complain("option '--bytes': %s", err.text);
        return false;
    }
    if (args->timeout != NULL &&
        text_duration(args->timeout, timeout_ns, &err) < 0) {
        complain("option '--timeout': %s", err.text);
        return false;
    }
    return args->mode == NULL || parse_mode(args->mode, &options->mode);
}

struct list {
    VEC(char *) names;
};

static int add_name(const char *name, void *arg)
{
    struct list *list = arg;
    char **slot = VEC_ADD(&list->names);

    if (slot == NULL)
        return WEIR_ENOMEM;
    *slot = strdup(name);
    return *slot == NULL ? WEIR_ENOMEM : 0;
}

void named_unknown(const char *name)
{
    struct list list = { 0 };
    const char *near = NULL;

    if (weir_queue_names(add_name, &list, NULL) == 0 && VEC_ADD(&list.names))
        near = text_nearest(name, (const char *const *)list.names.at);
    if (near != NULL)
        complain("there is no queue '%s'; did you mean '%s'?", name, near);
    else
        complain("there is no queue '%s'; --create makes one, 'weir queues' "
                 "lists them",
                 name);
    for (size_t i = 0; i < list.names.count; i++)
        free(list.names.at[i]);
    VEC_DONE(&list.names);
}

enum status named_open(const char *name, const struct named_args *args,
                       const weir_queue_options *options,
                       weir_queue **queue_out)
{
    weir_error err = { 0 };
    int code = weir_queue_open_named(name, options,
                                     args->create ? WEIR_QUEUE_CREATE : 0,
                                     queue_out, &err);

    if (code == 0)
        return STATUS_GOOD;
    if (code == -ENOENT && !args->create) {
        named_unknown(name);
        return STATUS_WRONG;
    }
    complain_error(&err);
    return code == WEIR_EINVAL ? STATUS_WRONG : STATUS_BROKEN;
}

int named_wait(int (*call)(void *arg, int64_t timeout_ns), void *arg,
               int64_t timeout_ns, bool *told, const char *what,
               const char *name)
{
    int code;

    if (*told || timeout_ns <= PATIENCE_NS)
        return call(arg, timeout_ns);
    code = call(arg, PATIENCE_NS);
    if (code != WEIR_ETIMEDOUT)
        return code;
    *told = true;
    note_line("waiting %s queue '%s'", what, name);
    return call(arg,
                timeout_ns == FOREVER ? FOREVER : timeout_ns - PATIENCE_NS);
}
