/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* acts.c - see acts.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/acts.h"
#include "queue/attrs.h"

void demand(int code)
{
    if (code >= 0)
        return;
    printf("# a call failed: %s\n", weir_strerror(code));
    fflush(stdout);
    _exit(ACT_FAILED);
}

static void fill(void *data, size_t size, uint32_t id, uint32_t output)
{
    struct record record = { id, output };

    memset(data, (int)id, size);
    memcpy(data, &record, sizeof record);
}

/* --------------------------------------------------------------- source ----
 */

/* What it puts next: its cursor, which is committed with it. */
static unsigned next_of(const struct world *world, uint32_t *next_out)
{
    const struct book *book = member_book(world->segment, SOURCE);

    *next_out = 0;
    if (book->cursor_size != 0)
        memcpy(next_out, book->cursor, sizeof *next_out);
    return *next_out + BATCH > ITEMS ? ITEMS - *next_out : BATCH;
}

static void note_next(struct member *member, uint32_t next)
{
    struct book *book = turn_book(member);

    memcpy(book->cursor, &next, sizeof next);
    book->cursor_size = sizeof next;
}

unsigned put_staged(struct world *world, struct member *member)
{
    struct stage_spec spec = { .room = LARGE };
    struct buf attrs = { 0 };
    struct staged staged;
    uint32_t next;
    unsigned count = next_of(world, &next);

    if (world->turn->keyed) {
        demand(attrs_set(&attrs, "k", "1", 1));
        spec.attrs = attrs.data;
        spec.attrs_size = attrs.size;
    }
    for (unsigned i = 0; i < count; i++) {
        spec.root = next + i;
        demand(turn_stage(member, &spec, &staged));
        fill(staged.data, world->turn->size, next + i, 0);
        demand(turn_shrink(member, &staged, world->turn->size));
    }
    note_next(member, next + count);
    demand(turn_commit(member, NULL, NULL));
    buf_done(&attrs);
    return count;
}

unsigned put_many(struct world *world, struct member *member)
{
    char data[BATCH][LARGE];
    weir_bytes items[BATCH];
    struct staged staged[BATCH];
    uint32_t next;
    unsigned count = next_of(world, &next);

    for (unsigned i = 0; i < count; i++)
        items[i] = (weir_bytes){ data[i], world->turn->size };
    if (count > 0)
        demand(turn_stage_many(member, 0, items, count, next, staged));
    for (unsigned i = 0; i < count; i++)
        fill(staged[i].data, world->turn->size, next + i, 0);
    note_next(member, next + count);
    demand(turn_commit(member, NULL, NULL));
    return count;
}

unsigned put_direct(struct world *world, struct member *member)
{
    char data[BATCH][LARGE];
    weir_bytes items[BATCH];
    uint32_t next;
    unsigned count = next_of(world, &next);

    if (count > 1 && world->turn->size > SMALL)
        count = 1;
    for (unsigned i = 0; i < count; i++) {
        fill(data[i], world->turn->size, next + i, 0);
        items[i] = (weir_bytes){ data[i], world->turn->size };
    }
    note_next(member, next + count);
    if (count > 0 && turn_put(member, 0, items, count, next) != (int)count)
        return put_staged(world, member); /* the store is cold */
    return count;
}

unsigned put_calls(struct world *world, struct member *member)
{
    struct small calls[BATCH] = { 0 };
    uint32_t next;
    unsigned count = next_of(world, &next);

    for (unsigned i = 0; i < count; i++) {
        calls[i].root = next + i;
        calls[i].size = SMALL;
        fill(calls[i].data, SMALL, next + i, 0);
    }
    note_next(member, next + count);
    if (count > 0 && turn_call(member, 0, calls, count) != (int)count)
        demand(WEIR_ESTATE);
    return count;
}

/* --------------------------------------------------------------- worker ----
 */

static unsigned lease(struct member *member, unsigned queue, unsigned most,
                      struct item *items)
{
    int count = turn_lease(member, &queue, 1, most, 1, 0, items);

    if (count == WEIR_EEMPTY || count == WEIR_ECLOSED)
        return 0;
    demand(count);
    return (unsigned)count;
}

static unsigned lease_inputs(struct world *world, struct member *member,
                             struct item *items)
{
    if (world->turn->keyed)
        demand(turn_serve(member, 0, 0));
    return lease(member, 0, BATCH, items);
}

static void take_up(struct world *world, struct member *member,
                    struct item *item)
{
    demand(turn_take_up(member, item));
    world->seen->charged[item->root % ITEMS] = item->attempt;
}

/* One output of an item that is in hand: itself, or a new one. */
static void stage_output(struct world *world, struct member *member,
                         const struct item *item, uint32_t output, bool pass)
{
    struct stage_order order = { .ticket = item->ticket, .index = output };
    struct stage_spec spec = { .queue = 1,
                               .room = world->turn->size,
                               .root = item->root,
                               .path = output };
    struct staged staged;

    if (pass)
        spec.pass = spec.inherit = item;
    if (world->turn->ordered)
        spec.order = &order;
    demand(turn_stage(member, &spec, &staged));
    if (!pass)
        fill(staged.data, world->turn->size, (uint32_t)item->root, output);
}

/* One output for each; nothing is committed. */
static void do_all(struct world *world, struct member *member,
                   struct item *items, unsigned count, bool pass)
{
    for (unsigned i = 0; i < count; i++) {
        take_up(world, member, &items[i]);
        stage_output(world, member, &items[i], 0, pass);
        demand(turn_done(member, &items[i]));
    }
}

static unsigned work(struct world *world, struct member *member, bool pass)
{
    struct item items[BATCH];
    unsigned count = lease_inputs(world, member, items);

    do_all(world, member, items, count, pass);
    demand(turn_commit(member, NULL, NULL));
    return count;
}

unsigned copy(struct world *world, struct member *member)
{
    return work(world, member, false);
}

unsigned pass_on(struct world *world, struct member *member)
{
    return work(world, member, true);
}

unsigned give_back(struct world *world, struct member *member)
{
    struct item items[BATCH];
    unsigned count = lease_inputs(world, member, items);

    if (count == 0)
        return 0;
    take_up(world, member, &items[0]);
    demand(turn_put_off(member, &items[0], CAUSE_ERROR));
    if (count > 1)
        demand(turn_release(member, &items[--count]));
    do_all(world, member, items, count, false);
    demand(turn_commit(member, NULL, NULL));
    return count;
}

unsigned undo(struct world *world, struct member *member)
{
    struct item items[BATCH];
    unsigned count = lease_inputs(world, member, items);

    do_all(world, member, items, count, true);
    demand(turn_abort(member));
    return copy(world, member);
}

unsigned in_parts(struct world *world, struct member *member)
{
    struct room room = { .queue = 1,
                         .slots = 1,
                         .bytes = queue_charge(world->turn->size, 0) };
    struct item item;

    if (lease(member, 0, 1, &item) == 0)
        return 0;
    take_up(world, member, &item);
    for (uint32_t output = item.skip; output < OUTPUTS; output++) {
        demand(turn_claim(member, &room, 1, FOREVER));
        stage_output(world, member, &item, output, false);
        demand(turn_unclaim(member, &room, 1));
        if (output + 1 < OUTPUTS) {
            struct book *book = turn_book(member);

            book->part = item.ref + 1;
            book->part_skip = output + 1;
            demand(turn_commit(member, NULL, NULL));
        }
    }
    demand(turn_done(member, &item));
    demand(turn_commit(member, NULL, NULL));
    return 1;
}

unsigned answer(struct world *world, struct member *member)
{
    struct item items[BATCH];
    unsigned count = lease(member, 0, BATCH, items);

    for (unsigned i = 0; i < count; i++) {
        struct small small = { .root = items[i].root, .size = SMALL };

        take_up(world, member, &items[i]);
        fill(small.data, SMALL, (uint32_t)items[i].root, 0);
        if (turn_answer(member, &items[i], 1, &small) != 1)
            demand(WEIR_ESTATE);
    }
    demand(turn_abort(member));
    return count;
}

/* ------------------------------------------------------------- appender ----
 */

unsigned append(struct world *world, struct member *member)
{
    struct item items[BATCH];
    struct record records[BATCH];
    struct iovec part = { .iov_base = records };
    struct append to = { .fd = world->file, .parts = &part, .part_count = 1 };
    unsigned count = lease(member, 1, BATCH, items);

    for (unsigned i = 0; i < count; i++) {
        demand(turn_take_up(member, &items[i]));
        memcpy(&records[i], items[i].data, sizeof *records);
        demand(turn_done(member, &items[i]));
    }
    part.iov_len = to.size = count * sizeof *records;
    demand(turn_commit(member, count > 0 ? &to : NULL, NULL));
    return count;
}

static void note_got(struct world *world, const void *data)
{
    struct record record;

    memcpy(&record, data, sizeof record);
    world->seen->got[record.id % ITEMS]++;
}

unsigned get(struct world *world, struct member *member)
{
    char data[BATCH * LARGE];
    size_t sizes[BATCH], at = 0;
    int count = turn_get(member, 1, data, sizeof data, sizes, BATCH);

    demand(count);
    for (int i = 0; i < count; at += sizes[i++])
        note_got(world, data + at);
    return (unsigned)count;
}

unsigned take(struct world *world, struct member *member)
{
    struct small taken[BATCH];
    int count = turn_take(member, 1, taken, BATCH);

    demand(count);
    for (int i = 0; i < count; i++)
        note_got(world, taken[i].data);
    return (unsigned)count;
}
