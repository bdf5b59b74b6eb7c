/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakehost.c - a host for one task, in memory. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fakehost.h"
#include "plugin/expand.h"
#include "plugin/internal.h"

/* Check has a macro `fail`, as tables of functions have a member. */
#include <check.h>
#undef fail

static struct fake *fake_of(weir_call *call)
{
    return (struct fake *)(void *)call;
}

static void attrs_done(fake_attrs *attrs)
{
    for (size_t i = 0; i < attrs->count; i++) {
        free(attrs->at[i].name);
        buf_done(&attrs->at[i].value);
    }
    VEC_DONE(attrs);
}

static struct fake_attr *attrs_find(const fake_attrs *attrs, const char *name,
                                    size_t size)
{
    for (size_t i = 0; i < attrs->count; i++)
        if (strlen(attrs->at[i].name) == size &&
            memcmp(attrs->at[i].name, name, size) == 0)
            return &attrs->at[i];
    return NULL;
}

static void attrs_set(fake_attrs *attrs, const char *name, const void *value,
                      size_t size)
{
    struct fake_attr *attr = attrs_find(attrs, name, strlen(name));

    if (!attr) {
        attr = VEC_ADD(attrs);
        ck_assert_ptr_nonnull(attr);
        attr->name = strdup(name);
    }
    buf_cut(&attr->value, 0);
    ck_assert_int_eq(buf_add(&attr->value, value, size), 0);
}

static void attrs_copy(fake_attrs *to, const fake_attrs *from)
{
    for (size_t i = 0; i < from->count; i++)
        attrs_set(to, from->at[i].name, from->at[i].value.data,
                  from->at[i].value.size);
}

static size_t attrs_size(const fake_attrs *attrs)
{
    size_t size = 0;

    for (size_t i = 0; i < attrs->count; i++)
        size += strlen(attrs->at[i].name) + attrs->at[i].value.size + 8;
    return size;
}

static void items_done(fake_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        buf_done(&items->at[i].data);
        attrs_done(&items->at[i].attrs);
    }
    VEC_DONE(items);
}

static const void *host_params(weir_call *call)
{
    return fake_of(call)->params;
}

static void *host_state(weir_call *call)
{
    return fake_of(call)->state;
}

static void host_set_state(weir_call *call, void *state)
{
    fake_of(call)->state = state;
}

static weir_bytes host_input(weir_call *call)
{
    return fake_of(call)->input;
}

static int host_attr(weir_call *call, const char *name, weir_bytes *value_out)
{
    struct fake_attr *attr = attrs_find(&fake_of(call)->in_attrs, name,
                                        strlen(name));

    if (!attr)
        return WEIR_EEMPTY;
    *value_out = (weir_bytes){ attr->value.data, attr->value.size };
    return 0;
}

static int host_set_attr(weir_call *call, const char *name, const void *value,
                         size_t size)
{
    struct fake *fake = fake_of(call);

    ck_assert(fake->phase == FAKE_RUN || fake->phase == FAKE_FLUSH);
    if (attrs_size(&fake->attrs) + strlen(name) + size + 8 > 4096)
        return WEIR_ETOOBIG;
    attrs_set(&fake->attrs, name, value, size);
    return 0;
}

static void host_id(weir_call *call, uint64_t *root_out, uint64_t *path_out)
{
    *root_out = fake_of(call)->root;
    *path_out = fake_of(call)->path;
}

static unsigned host_attempt(weir_call *call)
{
    return fake_of(call)->attempt;
}

static unsigned outputs_of(const weir_task *task)
{
    unsigned count = 0;

    if (!task->outputs)
        return 1;
    for (const char *at = task->outputs; *at != '\0'; at += strspn(at, " ")) {
        at += strcspn(at, " ");
        count++;
    }
    return count;
}

static int may_emit(struct fake *fake, unsigned output, size_t size)
{
    if (output >= outputs_of(fake->task))
        return WEIR_EINVAL;
    if (fake->is_reserved ||
        (fake->phase != FAKE_RUN && fake->phase != FAKE_FLUSH))
        return WEIR_ESTATE;
    if (size > (fake->room > 0 ? fake->room : (size_t)1 << 30))
        return WEIR_ETOOBIG;
    if (fake->kill_emit > 0 && --fake->kill_emit == 0)
        longjmp(fake->death, 1);
    return 0;
}

static int stage(struct fake *fake, unsigned output, const void *data,
                 size_t size)
{
    struct fake_item *item = VEC_ADD(&fake->staged);

    ck_assert_ptr_nonnull(item);
    item->output = output;
    attrs_copy(&item->attrs, &fake->attrs);
    return buf_add(&item->data, data, size);
}

static int host_emit(weir_call *call, unsigned output, const void *data,
                     size_t size)
{
    int code = may_emit(fake_of(call), output, size);

    return code < 0 ? code : stage(fake_of(call), output, data, size);
}

static int host_reserve(weir_call *call, unsigned output, size_t room,
                        void **data_out)
{
    struct fake *fake = fake_of(call);
    int code = may_emit(fake, output, room);

    if (code < 0)
        return code;
    buf_done(&fake->reserved);
    code = buf_reserve(&fake->reserved, room + 1);
    ck_assert_int_eq(code, 0);
    memset(fake->reserved.data, 0xa5, room);
    fake->reserved.size = room;
    fake->reserved_output = output;
    fake->is_reserved = true;
    *data_out = fake->reserved.data;
    return 0;
}

static int host_submit(weir_call *call, size_t size)
{
    struct fake *fake = fake_of(call);

    if (!fake->is_reserved)
        return WEIR_ESTATE;
    if (size > fake->reserved.size)
        return WEIR_EINVAL;
    fake->is_reserved = false;
    return stage(fake, fake->reserved_output, fake->reserved.data, size);
}

static int host_pass(weir_call *call, unsigned output)
{
    struct fake *fake = fake_of(call);
    int code;

    if (fake->phase != FAKE_RUN || fake->task->source)
        return WEIR_ESTATE;
    code = may_emit(fake, output, fake->input.size);
    if (code < 0)
        return code;
    return stage(fake, output, fake->input.data, fake->input.size);
}

static int host_fail(weir_call *call, int verdict, const char *param,
                     const char *format, va_list args)
{
    struct fake *fake = fake_of(call);

    ck_assert_int_ge(verdict, WEIR_TRANSIENT);
    ck_assert_int_le(verdict, WEIR_FATAL);
    snprintf(fake->param, sizeof fake->param, "%s", param ? param : "");
    vsnprintf(fake->why, sizeof fake->why, format, args);
    fake->failed = true;
    return verdict;
}

static int host_append(weir_call *call, int fd, const void *data, size_t size)
{
    struct fake *fake = fake_of(call);
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (fake->appended.data.size > 0 && fake->appended.fd != fd))
        return WEIR_EINVAL;
    fake->appended.fd = fd;
    return buf_add(&fake->appended.data, data, size);
}

static int host_rename(weir_call *call, const char *from, const char *to)
{
    struct fake *fake = fake_of(call);
    struct fake_rename *entry;

    if (from[0] != '/' || to[0] != '/' || strlen(from) > 4095 ||
        strlen(to) > 4095)
        return WEIR_EINVAL;
    entry = VEC_ADD(&fake->renames);
    ck_assert_ptr_nonnull(entry);
    *entry = (struct fake_rename){ strdup(from), strdup(to) };
    return 0;
}

static int host_cursor(weir_call *call, weir_bytes *cursor_out)
{
    struct fake *fake = fake_of(call);

    if (!fake->task->source)
        return WEIR_ESTATE;
    *cursor_out = (weir_bytes){ fake->cursor, fake->cursor_size };
    return 0;
}

static void commit(struct fake *fake);

static int host_set_cursor(weir_call *call, const void *cursor, size_t size)
{
    struct fake *fake = fake_of(call);

    if (!fake->task->source)
        return WEIR_ESTATE;
    if (size > sizeof fake->next_cursor)
        return WEIR_EINVAL;
    memcpy(fake->next_cursor, cursor, size);
    fake->next_cursor_size = size;
    fake->cursor_is_set = true;
    if (fake->kill_cursor > 0 && --fake->kill_cursor == 0) {
        commit(fake);
        longjmp(fake->death, 1);
    }
    return 0;
}

static int host_pause(weir_call *call, int64_t pause_ns)
{
    struct fake *fake = fake_of(call);

    ck_assert(fake->cursor_is_set);
    ck_assert_int_gt(pause_ns, 0);
    if (fake->stopping)
        return WEIR_ECANCELED;
    fake->paused++;
    fake->paused_ns += pause_ns;
    return 0;
}

static void host_share(weir_call *call, unsigned *index_out,
                       unsigned *count_out)
{
    *index_out = fake_of(call)->share;
    *count_out = fake_of(call)->shares;
}

static int lookup(void *arg, const char *name, size_t name_size,
                  const void **value, size_t *size)
{
    struct fake *fake = arg;
    struct fake_attr *path = attrs_find(&fake->in_attrs, "path", 4);
    struct fake_attr *attr = attrs_find(&fake->in_attrs, name, name_size);
    static struct derived derived;
    int code;

    derived = (struct derived){ .root = fake->root, .path = fake->path };
    if (path) {
        derived.file = path->value.data;
        derived.file_size = path->value.size;
    }
    code = attr_derived(&derived, name, name_size, value, size);
    if (code != 0)
        return code < 0 ? code : 0;
    if (!attr)
        return WEIR_EEMPTY;
    *value = attr->value.data;
    *size = attr->value.size;
    return 0;
}

static int host_expand(weir_call *call, const char *text, char *out,
                       size_t room)
{
    struct fake *fake = fake_of(call);
    char missing[64];
    int code = template_expand(text, lookup, fake, out, room, missing);

    if (code == WEIR_EEMPTY || code == WEIR_EINVAL) {
        snprintf(fake->why, sizeof fake->why, "attribute '%s'", missing);
        fake->failed = true;
    }
    return code;
}

static bool host_stopping(weir_call *call)
{
    return fake_of(call)->stopping;
}

static void host_log(weir_call *call, int level, const char *format,
                     va_list args)
{
    (void)call, (void)level, (void)format, (void)args;
}

static const struct weir_table host = {
    .size = sizeof host,
    .params = host_params,
    .state = host_state,
    .set_state = host_set_state,
    .input = host_input,
    .attr = host_attr,
    .set_attr = host_set_attr,
    .id = host_id,
    .attempt = host_attempt,
    .emit = host_emit,
    .reserve = host_reserve,
    .submit = host_submit,
    .pass = host_pass,
    .fail = host_fail,
    .append = host_append,
    .rename = host_rename,
    .cursor = host_cursor,
    .set_cursor = host_set_cursor,
    .pause = host_pause,
    .share = host_share,
    .expand = host_expand,
    .stopping = host_stopping,
    .log = host_log,
};

struct given {
    VEC(struct param_value) values;
    VEC(struct texts {
        char *name;
        VEC(const char *) list;
    })
    texts;
};

static void add_given(struct given *given, const char *pair)
{
    size_t size = strcspn(pair, "=");
    struct texts *texts = NULL;
    const char **value;

    for (size_t i = 0; i < given->texts.count; i++)
        if (strncmp(given->texts.at[i].name, pair, size) == 0 &&
            given->texts.at[i].name[size] == '\0')
            texts = &given->texts.at[i];
    if (!texts) {
        texts = VEC_ADD(&given->texts);
        ck_assert_ptr_nonnull(texts);
        texts->name = strndup(pair, size);
    }
    value = VEC_ADD(&texts->list);
    ck_assert_ptr_nonnull(value);
    *value = pair + size + 1;
}

static void mistake(void *arg, size_t index, const char *name,
                    const char *sentence)
{
    struct fake *fake = arg;

    (void)index;
    snprintf(fake->param, sizeof fake->param, "%s", name);
    snprintf(fake->why, sizeof fake->why, "%s", sentence);
}

static void bind(struct fake *fake, struct given *given)
{
    for (size_t i = 0; i < given->texts.count; i++) {
        struct param_value *value = VEC_ADD(&given->values);

        ck_assert_ptr_nonnull(value);
        *value = (struct param_value){
            .name = given->texts.at[i].name,
            .count = given->texts.at[i].list.count,
            .texts = given->texts.at[i].list.at,
            .list = given->texts.at[i].list.count > 1,
        };
    }
    ck_assert_msg(param_bind(fake->task, given->values.at, given->values.count,
                             mistake, fake, &fake->params) == 0,
                  "%s", fake->why);
}

static void given_done(struct given *given)
{
    for (size_t i = 0; i < given->texts.count; i++) {
        free(given->texts.at[i].name);
        VEC_DONE(&given->texts.at[i].list);
    }
    VEC_DONE(&given->texts);
    VEC_DONE(&given->values);
}

struct fake *fake_new(const weir_descriptor *descriptor, const char *plugin,
                      const char *task, ...)
{
    struct fake *fake = calloc(1, sizeof *fake);
    struct given given = { 0 };
    weir_error err = { 0 };
    va_list args;

    ck_assert_ptr_nonnull(fake);
    fake->call.table = &host;
    fake->attempt = fake->shares = 1;
    ck_assert_msg(descriptor_accept(descriptor, plugin, "built in",
                                    &fake->plugin, &err) == 0,
                  "%s", err.text);
    for (const weir_task *t = fake->plugin->tasks; t->name; t++)
        if (strcmp(t->name, task) == 0)
            fake->task = t;
    ck_assert_msg(fake->task != NULL, "there is no task '%s'", task);
    va_start(args, task);
    for (const char *pair; (pair = va_arg(args, const char *)) != NULL;)
        add_given(&given, pair);
    va_end(args);
    bind(fake, &given);
    given_done(&given);
    return fake;
}

static void drop_staged(struct fake *fake)
{
    items_done(&fake->staged);
    buf_done(&fake->appended.data);
    for (size_t i = 0; i < fake->renames.count; i++) {
        free(fake->renames.at[i].from);
        free(fake->renames.at[i].to);
    }
    VEC_DONE(&fake->renames);
    attrs_done(&fake->attrs);
    buf_done(&fake->reserved);
    fake->is_reserved = fake->cursor_is_set = false;
}

/* What was staged counts from now on. */
static void commit(struct fake *fake)
{
    const struct buf *data = &fake->appended.data;

    for (size_t i = 0; i < fake->staged.count; i++) {
        struct fake_item *item = VEC_ADD(&fake->given);

        ck_assert_ptr_nonnull(item);
        *item = fake->staged.at[i];
    }
    VEC_DONE(&fake->staged);
    if (fake->cursor_is_set) {
        memcpy(fake->cursor, fake->next_cursor, fake->next_cursor_size);
        fake->cursor_size = fake->next_cursor_size;
    }
    for (size_t i = 0; i < fake->renames.count; i++)
        ck_assert_int_eq(rename(fake->renames.at[i].from,
                                fake->renames.at[i].to),
                         0);
    if (data->size > 0) {
        struct stat st;

        ck_assert_int_eq(fstat(fake->appended.fd, &st), 0);
        ck_assert_int_eq(pwrite(fake->appended.fd, data->data, data->size,
                                st.st_size),
                         data->size);
    }
    drop_staged(fake);
}

void fake_free(struct fake **fake)
{
    drop_staged(*fake);
    items_done(&(*fake)->given);
    attrs_done(&(*fake)->in_attrs);
    free((*fake)->params);
    plugin_free((*fake)->plugin);
    free(*fake);
    *fake = NULL;
}

int fake_check(struct fake *fake)
{
    weir_error err = { 0 };
    int code = task_check(fake->task, fake->params, fake->param, &err);

    snprintf(fake->why, sizeof fake->why, "%.500s", err.text);
    return code;
}

/* What a task returns must be one of the values that it may return, and what
 * weir_fail returned only after it. */
static int settle(struct fake *fake, int code)
{
    fake->phase = FAKE_IDLE;
    if (code >= WEIR_TRANSIENT && code <= WEIR_FATAL)
        ck_assert(fake->failed);
    else
        ck_assert(code <= 0 || code == WEIR_END);
    if (code == WEIR_END)
        ck_assert(fake->task->source && fake->staged.count == 0);
    if (code == 0 || code == WEIR_END) {
        ck_assert(!fake->failed);
        commit(fake);
    } else if (code == WEIR_PERMANENT && fake->task->source) {
        /* Told once, behind what failed, and with nothing to lose. */
        ck_assert_uint_eq(fake->staged.count, 0);
        ck_assert(fake->cursor_is_set);
        commit(fake);
    }
    drop_staged(fake);
    return code;
}

int fake_start(struct fake *fake)
{
    int code = 0;

    fake->phase = FAKE_OPEN;
    fake->failed = false;
    fake->state = NULL;
    if (fake->task->open)
        code = fake->task->open(&fake->call);
    ck_assert(code == 0 || fake->failed);
    fake->phase = FAKE_IDLE;
    return code;
}

void fake_stop(struct fake *fake)
{
    if (fake->task->close)
        ck_assert_int_eq(fake->task->close(&fake->call), 0);
    ck_assert_ptr_null(fake->state);
}

/* What killed workers had. The kernel would take it back; here it stays within
 * reach, so that the leak checker does not count it. */
static VEC(void *) graves;

void fake_kill(struct fake *fake)
{
    void **grave = VEC_ADD(&graves);

    ck_assert_ptr_nonnull(grave);
    *grave = fake->state;
    drop_staged(fake);
    fake->state = NULL;
    fake->phase = FAKE_IDLE;
}

int fake_run(struct fake *fake, const void *data, size_t size)
{
    fake->input = (weir_bytes){ data, size };
    fake->failed = false;
    fake->param[0] = fake->why[0] = '\0';
    attrs_copy(&fake->attrs, &fake->in_attrs);
    fake->phase = FAKE_RUN;
    if (setjmp(fake->death) != 0) {
        fake_kill(fake);
        return FAKE_KILLED;
    }
    return settle(fake, fake->task->run(&fake->call));
}

int fake_flush(struct fake *fake)
{
    fake->input = (weir_bytes){ NULL, 0 };
    fake->failed = false;
    fake->phase = FAKE_FLUSH;
    return settle(fake, fake->task->flush(&fake->call));
}

static unsigned note(struct fake *fake, int code, struct buf *why)
{
    if (code == 0 || code == WEIR_END || code == FAKE_KILLED)
        return 0;
    ck_assert_msg(code == WEIR_PERMANENT, "code %d: %s", code, fake->why);
    if (why)
        buf_printf(why, "%s\n", fake->why);
    return 1;
}

unsigned fake_drain(struct fake *fake, struct buf *why)
{
    unsigned failures = 0;
    int code;

    do {
        code = fake_run(fake, NULL, 0);
        failures += note(fake, code, why);
    } while (code != WEIR_END);
    return failures;
}

unsigned fake_drain_killed(struct fake *fake, unsigned every, bool before,
                           struct buf *why)
{
    unsigned failures = 0;
    unsigned *point = before ? &fake->kill_emit : &fake->kill_cursor;
    unsigned idle = 0;
    int code;

    *point = every;
    do {
        size_t had = fake->given.count;

        code = fake_run(fake, NULL, 0);
        failures += note(fake, code, why);
        if (code == FAKE_KILLED)
            ck_assert_int_eq(fake_start(fake), 0);
        /* Killed for ever at the same place, it would never end. */
        idle = fake->given.count > had ? 0 : idle + 1;
        if (*point == 0)
            *point = idle > 3 ? 0 : every;
    } while (code != WEIR_END);
    *point = 0;
    return failures;
}

void fake_set_attr(struct fake *fake, const char *name, const char *value)
{
    attrs_set(&fake->in_attrs, name, value, strlen(value));
}

const char *fake_attr(const struct fake_item *item, const char *name)
{
    struct fake_attr *attr = attrs_find(&item->attrs, name, strlen(name));

    return attr && attr->value.data ? attr->value.data : "";
}

struct buf fake_join(const struct fake *fake, const char *end)
{
    struct buf all = { 0 };

    for (size_t i = 0; i < fake->given.count; i++) {
        buf_add(&all, fake->given.at[i].data.data, fake->given.at[i].data.size);
        if (end)
            buf_text(&all, end);
    }
    ck_assert_int_eq(buf_char(&all, '\0'), 0);
    buf_cut(&all, all.size - 1);
    return all;
}

void fake_forget(struct fake *fake)
{
    items_done(&fake->given);
}
