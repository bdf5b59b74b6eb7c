/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmd_queues.c - `weir queues`: the queues that have a name, and their end. The
 * command's own process. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/named.h"

struct queues_args {
    struct texts removed;
    bool json;
};

static const struct option_spec queues_options[] = {
    { OPTION_LIST, '\0', "remove", "NAME",
      "remove this queue, with all that is in it; may be repeated",
      offsetof(struct queues_args, removed) },
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object a line, for programs",
      offsetof(struct queues_args, json) },
    { .kind = OPTION_END },
};

struct names {
    VEC(char *) list;
};

static int add_name(const char *name, void *arg)
{
    struct names *names = arg;
    char **slot = VEC_ADD(&names->list);

    if (slot == NULL)
        return WEIR_ENOMEM;
    *slot = strdup(name);
    return *slot == NULL ? WEIR_ENOMEM : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is known of one; queue NULL: it cannot be used, err says why. */
struct seen {
    weir_queue *queue;
    weir_queue_state state;
    int members;
    weir_error err;
};

static int look(const char *name, struct seen *seen)
{
    int code = weir_queue_open_named(name, NULL, 0, &seen->queue, &seen->err);

    if (code == 0)
        code = weir_queue_snapshot(seen->queue, &seen->state);
    if (code == 0) {
        seen->members = weir_queue_members(seen->queue, NULL, 0);
        return 0;
    }
    if (seen->queue != NULL)
        error_set(&seen->err, code, "%s", weir_strerror(code));
    weir_queue_free(&seen->queue);
    return code;
}

static void show_json(const char *name, const struct seen *seen,
                      struct buf *out)
{
    struct json json = { .out = out };

    json_object(&json, NULL);
    json_text(&json, "name", name);
    if (seen->queue == NULL) {
        json_text(&json, "error", seen->err.text);
    } else {
        json_uint(&json, "ready", seen->state.size);
        json_uint(&json, "leased", seen->state.leased);
        json_uint(&json, "staged", seen->state.staged);
        json_uint(&json, "capacity", seen->state.capacity);
        json_uint(&json, "bytes", seen->state.bytes);
        json_uint(&json, "bytes_most", seen->state.bytes_most);
        json_bool(&json, "closed", seen->state.closed);
        json_int(&json, "members", seen->members);
    }
    json_object_end(&json);
    buf_char(out, '\n');
}

static void show_text(const char *name, const struct seen *seen,
                      struct buf *out)
{
    char bytes[32], most[32];

    if (seen->queue == NULL) {
        buf_printf(out, "%-20s %s\n", name, seen->err.text);
        return;
    }
    buf_printf(out, "%-20s %u of %u items, %s of %s, %d member%s%s\n", name,
               seen->state.size + seen->state.leased + seen->state.staged,
               seen->state.capacity, text_from_size(bytes, seen->state.bytes),
               text_from_size(most, seen->state.bytes_most), seen->members,
               seen->members == 1 ? "" : "s",
               seen->state.closed ? ", closed" : "");
}

/* One that vanished meanwhile is none. */
static enum status show(const char *name, bool json)
{
    CLEANUP_BUF struct buf out = { 0 };
    struct seen seen = { 0 };
    int code = look(name, &seen);

    if (code == -ENOENT)
        return STATUS_GOOD;
    if (json)
        show_json(name, &seen, &out);
    else
        show_text(name, &seen, &out);
    weir_queue_free(&seen.queue);
    out_buf(&out);
    return code < 0 ? STATUS_FAILED : STATUS_GOOD;
}

static enum status remove_all(const struct texts *names)
{
    enum status status = STATUS_GOOD;
    weir_error err = { 0 };

    for (size_t i = 0; i < names->count; i++) {
        int code = weir_queue_unlink(names->at[i], &err);

        if (code == 0)
            continue;
        if (code == -ENOENT)
            named_unknown(names->at[i]);
        else
            complain_error(&err);
        status = code == -ENOENT || code == WEIR_EINVAL ? STATUS_WRONG
                                                        : STATUS_BROKEN;
    }
    return status;
}

static enum status queues_run(const struct cli *cli, const void *all)
{
    const struct queues_args *args = all;
    struct names names = { 0 };
    enum status status = STATUS_GOOD;
    weir_error err = { 0 };

    (void)cli;
    if (args->removed.count > 0)
        return remove_all(&args->removed);
    if (weir_queue_names(add_name, &names, &err) < 0) {
        complain_error(&err);
        status = STATUS_BROKEN;
    }
    if (names.list.count > 0)
        qsort(names.list.at, names.list.count, sizeof *names.list.at, by_name);
    for (size_t i = 0; i < names.list.count; i++) {
        enum status one = show(names.list.at[i], args->json);

        if (status == STATUS_GOOD)
            status = one;
        free(names.list.at[i]);
    }
    VEC_DONE(&names.list);
    return status;
}

const struct command cmd_queues = {
    .name = "queues",
    .summary = "List the queues that have a name, or remove some",
    .operands = "",
    .completes = "",
    .options = queues_options,
    .args_size = sizeof(struct queues_args),
    .about = "\nThose of this user, or of the folder in WEIR_QUEUE_DIR. Exit "
             "status 1: one of\nthem cannot be used; the line says why.\n",
    .examples = "  weir queues\n"
                "  weir queues --remove=numbers\n",
    .run = queues_run,
};
