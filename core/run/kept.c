/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept.c - what is said to the keeper of failed items. Runs in workers; the
 * reading in the keeper. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "queue/attrs.h"
#include "run/kept.h"

const char *kept_class(enum cause cause)
{
    switch (cause) {
    case CAUSE_EXIT:
        return KEPT_EXIT;
    case CAUSE_SIGNAL:
        return KEPT_CRASH;
    case CAUSE_LIMIT:
        return KEPT_LIMIT;
    case CAUSE_ERROR:
        return KEPT_AGAIN;
    case CAUSE_MEMORY:
    case CAUSE_OUT:
        return KEPT_CRASH;
    default:
        return KEPT_LOST;
    }
}

int kept_write(struct buf *out, const struct kept_note *note)
{
    const char *wrote = note->wrote != NULL ? note->wrote : "";

    buf_u32(out, note->kind);
    buf_u32(out, note->stage);
    buf_u32(out, note->attempts);
    buf_u64(out, (uint64_t)note->at_ns);
    buf_u64(out, (uint64_t)note->took_ns);
    buf_u64(out, note->size);
    buf_u32(out, note->item);
    buf_u32(out, note->bare);
    buf_counted(out, note->class, strlen(note->class));
    buf_counted(out, note->why, strlen(note->why));
    buf_counted(out, wrote, strlen(wrote));
    return out->failed ? WEIR_ENOMEM : 0;
}

int kept_read(const void *data, size_t size, struct kept_note *out)
{
    struct reader in = { .data = data, .size = size };
    uint32_t kind = read_u32(&in);

    *out = (struct kept_note){ .kind = (enum kept_kind)kind,
                               .stage = read_u32(&in) };
    out->attempts = read_u32(&in);
    out->at_ns = (int64_t)read_u64(&in);
    out->took_ns = (int64_t)read_u64(&in);
    out->size = read_u64(&in);
    out->item = read_u32(&in) != 0;
    out->bare = read_u32(&in) != 0;
    out->class = read_text(&in);
    out->why = read_text(&in);
    out->wrote = read_text(&in);
    if (in.bad || (kind != KEPT_FAILED && kind != KEPT_SETTLED))
        return WEIR_EBROKEN;
    return 0;
}

/* --------------------------------------------------------- attributes ---- */

static void id_bytes(char *out, uint64_t root, uint64_t path)
{
    memcpy(out, &root, sizeof root);
    memcpy(out + sizeof root, &path, sizeof path);
}

int kept_feed(struct buf *attrs, uint64_t root, uint64_t path)
{
    char id[16];

    id_bytes(id, root, path);
    return attrs_set(attrs, KEPT_FED, id, sizeof id);
}

void kept_strip(struct buf *attrs)
{
    attrs_set(attrs, KEPT_NOTE, NULL, 0);
    attrs_set(attrs, KEPT_FED, NULL, 0);
}

static bool was_fed(const struct host *host)
{
    const struct item *item = host->item;
    const void *value;
    size_t size;
    char id[16];

    if (!host->post->replays || host->post->kept == 0 || item == NULL ||
        host->phase != PHASE_RUN ||
        attrs_find(item->attrs, item->attrs_size, KEPT_FED, strlen(KEPT_FED),
                   &value, &size) != 0)
        return false;
    id_bytes(id, item->root, item->path);
    return size == sizeof id && memcmp(value, id, sizeof id) == 0;
}

static int set_note(struct buf *attrs, const struct kept_note *note)
{
    CLEANUP_BUF struct buf text = { 0 };
    int code = kept_write(&text, note);

    return code < 0 ? code : attrs_set(attrs, KEPT_NOTE, text.data, text.size);
}

/* Beside the item's attributes, with as much of it as there is room for; where
 * not even that can be, without them. */
static int add_note(struct buf *attrs, struct kept_note *note)
{
    char why[sizeof((struct host *)NULL)->why];
    int code;

    snprintf(why, sizeof why, "%s", note->why);
    note->why = why;
    for (;;) {
        size_t wrote = note->wrote != NULL ? strlen(note->wrote) : 0;

        code = set_note(attrs, note);
        if (code != WEIR_ETOOBIG || (why[0] == '\0' && wrote == 0))
            break;
        if (wrote > 0) /* its end says most */
            note->wrote += wrote_cut(note->wrote, wrote, wrote / 2);
        else
            why[strlen(why) / 2] = '\0';
    }
    return code;
}

/* ------------------------------------------------------------- telling ---- */

static int64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct kept_note note_of(const struct host *host, enum kept_kind kind)
{
    return (struct kept_note){
        .kind = kind,
        .stage = host->post->stage,
        .at_ns = wall_clock(),
        .size = host->item != NULL ? host->item->size : 0,
        .item = host->item != NULL,
        .class = host->class != NULL ? host->class : "",
        .why = host->why,
        .wrote = host->wrote.data,
    };
}

static int failed_attrs(struct host *host, struct kept_note *note,
                        struct buf *attrs)
{
    const struct item *item = host->item;
    int code = 0;

    if (item != NULL)
        code = buf_add(attrs, item->attrs, item->attrs_size);
    if (code == 0)
        code = add_note(attrs, note);
    if (code == WEIR_ETOOBIG) {
        buf_cut(attrs, 0);
        note->bare = true;
        note->why = host->why;
        note->wrote = host->wrote.data;
        code = add_note(attrs, note);
    }
    return code;
}

int kept_about_source(struct buf *attrs, unsigned stage, const char *class,
                      const char *why)
{
    struct kept_note note = { .kind = KEPT_FAILED,
                              .stage = stage,
                              .attempts = 1,
                              .at_ns = wall_clock(),
                              .class = class,
                              .why = why };

    return add_note(attrs, &note);
}

/* Of a source no item is kept, and it does not wait: what there is no room for
 * is in the report alone. */
static int tell_of_source(struct host *host, const struct buf *attrs)
{
    int code = give_kept_source(host, attrs->data, attrs->size);

    return code == WEIR_EFULL || code == WEIR_ESTATE ? 0 : code;
}

int kept_failed(struct host *host, unsigned attempts)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct kept_note note = note_of(host, KEPT_FAILED);
    char why[sizeof host->why];
    int code;

    if (host->kept_places.count == 0)
        return 0;
    note.attempts = attempts;
    if (host->item == NULL || host->class == NULL ||
        kept_class(host->item->cause) != host->class)
        note.took_ns = clock_now() - host->begun_ns;
    code = failed_attrs(host, &note, &attrs);
    if (code < 0)
        return host_refuse(host, code, "a failed item cannot be kept: %s",
                           weir_strerror(code));
    if (host->item == NULL)
        return tell_of_source(host, &attrs);
    memcpy(why, host->why, sizeof why);
    code = give_kept(host, true, attrs.data, attrs.size);
    if (code == WEIR_ETOOBIG) { /* its verdict alone */
        memcpy(host->why, why, sizeof why);
        host->refused = 0;
        code = give_kept(host, false, attrs.data, attrs.size);
    }
    return code;
}

int kept_settled(struct host *host)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct kept_note note;
    int code;

    if (!was_fed(host))
        return 0;
    note = note_of(host, KEPT_SETTLED);
    code = set_note(&attrs, &note);
    if (code < 0)
        return host_refuse(host, code, "%s", weir_strerror(code));
    return give_kept(host, false, attrs.data, attrs.size);
}

int kept_init(struct host *host)
{
    int *place;

    if (host->post->kept == 0)
        return 0;
    place = VEC_ADD(&host->kept_places);
    if (place == NULL)
        return WEIR_ENOMEM;
    *place = (int)host->post->kept - 1;
    return 0;
}
