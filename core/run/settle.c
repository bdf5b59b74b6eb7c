/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle.c - what becomes of the item in hand, and the commit that makes it
 * true. Runs in workers.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/attrs.h"
#include "run/failure.h"
#include "run/host.h"
#include "run/kept.h"
#include "run/overflow.h"

int host_refuse(struct host *host, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(host->why, sizeof host->why, format, args);
    va_end(args);
    host->refused = code;
    return code;
}

/* ------------------------------------------------------------- cursor ---- */

static void count_outputs(struct host *host, struct book *book)
{
    book->emitted += host->given;
    book->dropped += host->dropped;
    book->digest += host->digest;
    host->given = host->dropped = host->digest = 0;
    overflow_count(host, book);
}

/* Outputs so far are behind us: they stay staged, whatever comes. */
static void pass_outputs(struct host *host)
{
    struct book *book = turn_book(host->member);

    count_outputs(host, book);
    host->first = turn_staged(host->member);
    give_forget(host);
}

void host_begin_source(struct host *host)
{
    const struct book *book = member_book(host->segment,
                                          member_number(host->member));

    host->cursor.size = book->cursor_size <= CURSOR_MOST ? book->cursor_size
                                                         : 0;
    memcpy(host->cursor.data, book->cursor, sizeof host->cursor.data);
    host->ordinal = book->ordinal;
    host->seen = host->hash = 0;
    host->skip = book->skip;
    host->skip_hash = book->skip_hash;
    host->next = (struct next){ .set = false };
    host->give = GIVE_STREAM;
}

void host_move_cursor(struct host *host)
{
    host->cursor = host->next.cursor;
    host->ordinal += host->next.seen;
    host->seen -= host->next.seen;
    host->hash = host->next.hash;
    host->skip = 0;
    host->next.set = false;
}

int host_set_cursor(struct host *host, const void *cursor, size_t size)
{
    struct cursor next = { .size = size };

    if (size > CURSOR_MOST || host->reserved.open)
        return size > CURSOR_MOST ? WEIR_EINVAL : WEIR_ESTATE;
    if (size > 0)
        memcpy(next.data, cursor, size);
    host->cursor_set = true;
    /* Parts have committed more than this: it counts when they are passed. */
    if (host->seen < host->skip) {
        host->next = (struct next){ .set = true,
                                    .cursor = next,
                                    .seen = host->seen };
        return 0;
    }
    pass_outputs(host);
    host->cursor = next;
    host->ordinal += host->seen;
    host->seen = host->skip = host->hash = 0;
    return 0;
}

/* ------------------------------------------------------------- settle ---- */

static void clear_attrs(struct host *host)
{
    host->attrs_now = 0;
    host->attrs_used = true; /* the input's are never written to */
    if (host->records.count == 0)
        host->attrs_count = 0;
}

struct buf *host_new_attrs(struct host *host)
{
    struct buf *attrs;

    if (host->attrs_count == host->attrs.count && VEC_ADD(&host->attrs) == NULL)
        return NULL;
    attrs = &host->attrs.at[host->attrs_count];
    buf_cut(attrs, 0);
    return attrs;
}

void host_begin(struct host *host, enum phase phase, struct item *item)
{
    host->phase = phase;
    host->item = item;
    host->verdict = host->refused = 0;
    host->why[0] = '\0';
    host->class = NULL;
    host->full = 0;
    host->cursor_set = false;
    if (host->post->kept > 0)
        host->begun_ns = clock_now();
    clear_attrs(host);
    if (item == NULL)
        return;
    host->first = turn_staged(host->member);
    host->give = host->keeps ? GIVE_PRIVATE : GIVE_STAGED;
    host->seen = host->hash = 0;
    host->skip = item->skip;
    host->skip_hash = item->skip_hash;
}

static int settle_item(struct host *host, unsigned retried)
{
    int code = turn_done(host->member, host->item);

    if (code < 0)
        return host_refuse(host, code, "an item cannot be settled: %s",
                           weir_strerror(code));
    count_outputs(host, turn_book(host->member));
    turn_book(host->member)->retried += retried;
    if (host->keeps)
        host->first_record = host->records.count;
    else
        give_forget(host);
    host->settled++;
    return 0;
}

int host_done(struct host *host)
{
    int code = 0;

    give_close_reserved(host);
    if (host->refused < 0)
        return host->refused;
    if (host->item != NULL && host->seen < host->skip)
        return host_refuse(host, WEIR_ELOST, "%s", not_the_same);
    code = kept_settled(host);
    if (code < 0)
        return code;
    if (!host->keeps && host->give == GIVE_PRIVATE) {
        code = host_commit(host);
        if (code == 0)
            code = give_stage_all(host);
        host->commit_soon = true;
    }
    if (code == 0)
        code = files_merge(host);
    if (code == 0)
        code = files_merge_renames(host);
    if (code < 0)
        return host->refused < 0
                   ? code
                   : host_refuse(host, code, "%s", weir_strerror(code));
    if (host->item == NULL)
        return 0;
    code = settle_item(host, host->item->attempt);
    if (code == 0)
        turn_book(host->member)->done++;
    return code;
}

int host_undo(struct host *host)
{
    files_clear(&host->append);
    files_clear_renames(host);
    return give_drop(host);
}

static int report(struct host *host, unsigned attempts)
{
    struct buf *buf = VEC_ADD(&host->reports);
    uint64_t root = host->root | (host->ordinal + host->seen);

    if (buf == NULL)
        return WEIR_ENOMEM;
    return failure_write(buf, host->post->stage, host->item, root, host->why,
                         attempts, &host->wrote);
}

/* The cause as attributes; what does not fit beside the item's own is cut. */
static int cause_attrs(struct host *host, unsigned attempts)
{
    const struct item *item = host->item;
    struct buf *attrs;
    char text[16];
    int size, code;

    attrs = host_new_attrs(host);
    if (attrs == NULL)
        return WEIR_ENOMEM;
    host->attrs_now = ++host->attrs_count;
    code = buf_add(attrs, item->attrs, item->attrs_size);
    if (code < 0)
        return code;
    size = snprintf(text, sizeof text, "%u", attempts);
    attrs_set(attrs, "failed-stage", host->post->name,
              strlen(host->post->name));
    attrs_set(attrs, "failed-attempts", text, (size_t)size);
    attrs_set(attrs, "failed-class", host->class, strlen(host->class));
    for (size_t most = strlen(host->why); most > 0; most /= 2)
        if (attrs_set(attrs, "failed-why", host->why, most) == 0)
            break;
    for (size_t most = host->wrote.size; most > 0; most /= 2) {
        size_t from = wrote_cut(host->wrote.data, host->wrote.size, most);

        if (attrs_set(attrs, "failed-wrote", host->wrote.data + from,
                      host->wrote.size - from) == 0)
            break;
    }
    return 0;
}

static int send_failed(struct host *host, unsigned attempts)
{
    const post_places *places = &host->failed_places;
    char why[sizeof host->why];
    int code;

    if (places->count == 0) {
        code = report(host, attempts);
        return code < 0 ? code : kept_failed(host, attempts);
    }
    if (places->at[0] == POST_DROP) {
        host->dropped++;
        return kept_settled(host);
    }
    memcpy(why, host->why, sizeof why);
    code = cause_attrs(host, attempts);
    if (code == 0)
        code = give_failed(host);
    if (code == 0)
        return kept_settled(host);
    if (code == WEIR_ETOOBIG || (code == WEIR_ELOST && host->full > 0)) {
        /* its queue is too small, or fails it again: it is reported instead */
        memcpy(host->why, why, sizeof why);
        host->refused = 0;
        host->full = 0;
        code = report(host, attempts);
        if (code == 0)
            code = kept_failed(host, attempts);
    }
    return code;
}

int host_fail(struct host *host, unsigned attempts)
{
    int code = host_undo(host);
    uint32_t parts = host->item != NULL ? host->item->skip : 0;
    unsigned full = host->full;

    if (parts > 0) {
        size_t size = strlen(host->why);

        snprintf(host->why + size, sizeof host->why - size,
                 " (%u outputs were already passed on)", parts);
    }
    if (host->class == NULL)
        host->class = host->refused < 0 ? KEPT_REFUSED : KEPT_ERROR;
    host->refused = 0;
    host->full = 0;
    if (host->item == NULL) { /* behind what failed, a source goes on */
        host->seen = host->hash = 0;
        turn_book(host->member)->failed++;
        code = report(host, attempts);
        return code < 0 ? code : kept_failed(host, attempts);
    }
    host->give = host->keeps ? GIVE_PRIVATE : GIVE_STAGED;
    host->seen = host->skip = 0;
    clear_attrs(host);
    if (code == 0)
        code = send_failed(host, attempts);
    if (code == 0)
        code = give_stage_failed(host);
    if (code == 0)
        code = settle_item(host, attempts - 1);
    if (code < 0)
        return code;
    turn_book(host->member)->failed++;
    overflow_failed(host, full);
    return 0;
}

int host_skip(struct host *host)
{
    int code = host_undo(host);

    if (code == 0) {
        host->give = host->keeps ? GIVE_PRIVATE : GIVE_STAGED;
        host->seen = host->skip = 0;
        code = kept_settled(host);
        if (code == 0)
            code = give_stage_failed(host);
    }
    if (code == 0)
        code = settle_item(host, host->item->attempt);
    if (code == 0)
        turn_book(host->member)->skipped++;
    return code;
}

/* ------------------------------------------------------------- commit ---- */

/* The state, into the file that does not count yet. */
static int save(struct host *host)
{
    struct book *book = turn_book(host->member);
    unsigned next = book->saved == 1 ? 2 : 1;
    int fd = guard_saved(host, next - 1);
    enum phase phase = host->phase;
    int64_t before = clock_now();
    int code;

    if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return host_refuse(host, WEIR_EFAILED, "the state cannot be saved: %s",
                           strerror(errno));
    host->phase = PHASE_STATE;
    guard_enter(host);
    code = host->task->save(&host->call, fd);
    guard_leave(host);
    host->phase = phase;
    if (code != 0) {
        if (host->verdict == 0)
            host_refuse(host, WEIR_EFAILED, "the state cannot be saved: %s",
                        code < 0 ? weir_strerror(code)
                                 : "the task says no "
                                   "reason");
        return WEIR_EFAILED;
    }
    guard_saved(host, next - 1); /* what it wrote to is still that file */
    book->saved = next;
    host->save_ns = clock_now() - before;
    return 0;
}

/* Failures for the report: as many as there is room for now; the rest is
 * counted by the book, and the report says how many it does not list. */
static void stage_reports(struct host *host)
{
    for (size_t i = 0; i < host->reports.count; i++) {
        struct buf *buf = &host->reports.at[i];
        struct stage_spec spec = { .queue = host->post->report,
                                   .room = buf->size };
        struct staged staged;

        if (!buf->failed && turn_stage(host->member, &spec, &staged) == 0)
            memcpy(staged.data, buf->data, buf->size);
        buf_done(buf);
    }
    host->reports.count = 0;
}

/* A source, a flush: what is given counts with its cursor, and what is behind
 * the cursor is known by number and hash. */
static void book_source(struct host *host, struct book *book)
{
    count_outputs(host, book);
    memcpy(book->cursor, host->cursor.data, sizeof book->cursor);
    book->cursor_size = (uint32_t)host->cursor.size;
    book->ordinal = host->ordinal;
    if (host->seen < host->skip)
        return;
    give_hash(host);
    book->skip = host->seen;
    book->skip_hash = host->hash;
    give_forget(host);
}

static int commit(struct host *host)
{
    struct append append = { .fd = host->appended.fd,
                             .group = host->post->stage,
                             .parts = host->appended.parts.at,
                             .part_count = (unsigned)host->appended.parts.count,
                             .size = host->appended.size };
    weir_error err = { 0 };
    int code;

    stage_reports(host);
    code = turn_commit(host->member, append.size > 0 ? &append : NULL, &err);
    if (code < 0)
        return host_refuse(host, WEIR_EFAILED, "%s",
                           err.text[0] != '\0' ? err.text
                                               : weir_strerror(code));
    files_clear(&host->appended);
    host->settled = 0;
    host->first = turn_staged(host->member);
    host->commit_soon = false;
    return 0;
}

static bool is_source(const struct host *host)
{
    return host->item == NULL &&
           (host->phase == PHASE_RUN || host->phase == PHASE_FLUSH);
}

int host_commit(struct host *host)
{
    struct book *book;
    int code = 0;

    if (!is_source(host) && host->settled == 0 && host->reports.count == 0)
        return 0;
    if (host->keeps && host->phase != PHASE_FLUSH) {
        code = save(host);
        if (code == 0)
            code = give_stage_all(host);
        give_forget(host);
    }
    if (code < 0)
        return code;
    book = turn_book(host->member);
    book->part = 0;
    if (host->keeps)
        overflow_count(host, book); /* no item is in hand */
    if (is_source(host))
        book_source(host, book);
    return commit(host);
}

int host_commit_part(struct host *host)
{
    struct item *item = host->item;
    struct book *book;
    int code = 0;

    if (item == NULL)
        return host_commit(host);
    if (host->give == GIVE_PRIVATE) {
        code = host_commit(host); /* those that are done */
        if (code == 0)
            code = give_stage_all(host);
        if (code < 0)
            return code;
        host->give = GIVE_STREAM;
    }
    give_hash(host);
    give_forget(host);
    book = turn_book(host->member);
    count_outputs(host, book);
    book->part = item->ref + 1;
    book->part_skip = host->seen;
    book->part_hash = host->hash;
    code = commit(host);
    if (code < 0)
        return code;
    item->skip = (uint32_t)host->seen;
    item->skip_hash = host->skip_hash = host->hash;
    host->skip = host->seen;
    return 0;
}

/* --------------------------------------------------------------- life ---- */

int host_init(struct host *host)
{
    host->call.table = &host_table;
    host->append.fd = host->appended.fd = -1;
    host->needs = calloc(host->post->queues.count + 1, sizeof *host->needs);
    if (host->needs == NULL)
        return WEIR_ENOMEM;
    if (host->post->failed != POST_REPORT) {
        int *place = VEC_ADD(&host->failed_places);

        if (place == NULL)
            return WEIR_ENOMEM;
        *place = host->post->failed;
    }
    return kept_init(host);
}

void host_free(struct host *host)
{
    files_clear(&host->append);
    files_clear(&host->appended);
    VEC_DONE(&host->append.parts);
    VEC_DONE(&host->append.copies);
    VEC_DONE(&host->appended.parts);
    VEC_DONE(&host->appended.copies);
    files_clear_renames(host);
    VEC_DONE(&host->renames);
    for (size_t i = 0; i < host->attrs.count; i++)
        buf_done(&host->attrs.at[i]);
    VEC_DONE(&host->attrs);
    for (size_t i = 0; i < host->reports.count; i++)
        buf_done(&host->reports.at[i]);
    VEC_DONE(&host->reports);
    for (size_t i = 0; i < host->records.count; i++)
        if (host->records.at[i].owned)
            free(host->records.at[i].data);
    VEC_DONE(&host->records);
    VEC_DONE(&host->failed_places);
    VEC_DONE(&host->kept_places);
    buf_done(&host->wrote);
    free(host->needs);
}
