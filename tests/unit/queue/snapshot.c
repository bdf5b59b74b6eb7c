/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot.c - a segment at one instant, in every state; and back. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "desk.h"
#include "queue/snapshot.h"

#define PATIENCE_NS (10 * NS_PER_S)

static struct snapshot take(struct desk *desk)
{
    struct snapshot snapshot = { .folders_lost = false };

    ck_assert_int_eq(segment_snapshot(desk->segment, PATIENCE_NS, NULL, NULL,
                                      &snapshot),
                     0);
    return snapshot;
}

/* The texts of a queue, in their order, parted by blanks. */
static char *texts_of(const struct snapshot *snapshot, unsigned queue)
{
    static char out[4096];
    size_t size = 0;

    for (size_t i = 0; i < snapshot->slots.count; i++) {
        const struct saved_slot *slot = &snapshot->slots.at[i];

        if (slot->queue != queue)
            continue;
        if (size > 0)
            out[size++] = ' ';
        memcpy(out + size, snapshot->data.data + slot->at, slot->size);
        size += slot->size;
    }
    out[size] = '\0';
    return out;
}

/* A new segment with it, and the texts that come out there. */
static void restores(const struct snapshot *snapshot, const char *want)
{
    struct desk desk = desk_open(2, 8, 65536);
    char all[4096] = "";

    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_leave(&desk.members[i]);
    ck_assert_int_eq(segment_restore(desk.segment, snapshot, NULL), 0);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(desk.segment, i, &desk.members[i]), 0);
    for (unsigned q = 0; q < 2; q++) {
        struct item item;
        struct queue_state state = desk_state(&desk, q);

        ck_assert_uint_eq(state.published, snapshot->published.at[q]);
        while (desk_lease(desk.members[0], q, &item) == 1) {
            size_t size = strlen(all);

            memcpy(all + size, item.data, item.size);
            memcpy(all + size + item.size, " ", 2);
            ck_assert_int_eq(turn_done(desk.members[0], &item), 0);
            ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
        }
    }
    ck_assert_str_eq(all, want);
    desk_close(&desk);
}

START_TEST(ready_in_order)
{
    struct desk desk = desk_open(2, 8, 65536);
    struct snapshot snapshot;

    desk_put(desk.members[0], 0, "one");
    desk_put(desk.members[0], 0, "two");
    desk_put(desk.members[0], 1, "three");
    snapshot = take(&desk);
    ck_assert_str_eq(texts_of(&snapshot, 0), "one two");
    ck_assert_str_eq(texts_of(&snapshot, 1), "three");
    restores(&snapshot, "one two three ");
    snapshot_done(&snapshot);
    desk_close(&desk);
}
END_TEST

/* Leased, done and not committed, staged: as if the turn had not begun; the
 * item in hand uncharged, what was charged before stays. */
START_TEST(open_turn)
{
    struct desk desk = desk_open(2, 8, 65536);
    struct item items[3];
    struct snapshot snapshot;
    const unsigned queue = 0;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    desk_put(desk.members[0], 0, "c");
    desk_put(desk.members[0], 0, "d");
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 3, 1, 0, items), 3);
    ck_assert_int_eq(turn_take_up(desk.members[1], &items[0]), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 1, "A", 1), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &items[0]), 0);
    ck_assert_int_eq(turn_take_up(desk.members[1], &items[1]), 0);
    ck_assert_int_eq(turn_charge(desk.members[1], &items[1]), 0);
    snapshot = take(&desk);
    ck_assert_str_eq(texts_of(&snapshot, 0), "a b c d");
    ck_assert_str_eq(texts_of(&snapshot, 1), "");
    ck_assert_uint_eq(snapshot.slots.at[0].attempt, 0);
    ck_assert_uint_eq(snapshot.slots.at[1].attempt, 1);
    ck_assert_uint_eq(snapshot.slots.at[2].attempt, 0);
    restores(&snapshot, "a b c d ");
    snapshot_done(&snapshot);
    desk_close(&desk);
}
END_TEST

/* Killed right behind the commit's store: the turn counts, all of it. */
START_TEST(committed_turn)
{
    struct desk desk = desk_open(2, 8, 65536);
    struct member_head *head = desk.members[1]->head;
    struct item items[2];
    struct snapshot snapshot;
    const unsigned queue = 0;
    char large[1000];

    memset(large, 'x', sizeof large);
    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 2, 1, 0, items), 2);
    ck_assert_int_eq(desk_stage(desk.members[1], 1, "A", 1), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 1, large, sizeof large), 0);
    ck_assert_int_eq(desk_stage(desk.members[1], 1, "B", 1), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &items[0]), 0);
    turn_book(desk.members[1])->done = 7;
    atomic_store(&head->txn,
                 txn_of(TXN_COMMITTED, ++desk.members[1]->sequence));
    snapshot = take(&desk);
    ck_assert_str_eq(texts_of(&snapshot, 0), "b");
    ck_assert_uint_eq(snapshot.slots.count, 4);
    ck_assert_uint_eq(snapshot.slots.at[2].size, sizeof large);
    ck_assert_uint_eq(snapshot.published.at[1], 3);
    ck_assert_uint_eq(snapshot.books.at[1].done, 7);
    snapshot_done(&snapshot);
    ck_assert_int_eq(member_recover(desk.segment, 1, CAUSE_NONE, 0, NULL), 0);
    member_forget(&desk.members[1]);
    ck_assert_int_eq(member_enter(desk.segment, 1, &desk.members[1]), 0);
    desk_close(&desk);
}
END_TEST

/* A queue's order goes on behind what stands in it. */
START_TEST(goes_on)
{
    struct desk desk = desk_open(2, 8, 65536), other;
    struct snapshot snapshot;

    for (unsigned i = 0; i < 20; i++) {
        desk_put(desk.members[0], 0, "gone");
        desk_take(desk.members[1], 0, "gone");
    }
    desk_put(desk.members[0], 0, "left");
    turn_book(desk.members[0])->ordinal = 21;
    turn_book(desk.members[0])->ended = ENDED_STOPPED;
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    turn_book(desk.members[1])->ended = ENDED_ALL;
    ck_assert_int_eq(turn_commit(desk.members[1], NULL, NULL), 0);
    snapshot = take(&desk);
    other = desk_open(2, 8, 65536);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_leave(&other.members[i]);
    ck_assert_int_eq(segment_restore(other.segment, &snapshot, NULL), 0);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(other.segment, i, &other.members[i]), 0);
    ck_assert_uint_eq(member_book(other.segment, 0)->ordinal, 21);
    ck_assert_uint_eq(member_book(other.segment, 0)->ended, ENDED_NOT);
    ck_assert_uint_eq(member_book(other.segment, 1)->ended, ENDED_ALL);
    desk_put(other.members[0], 0, "new");
    ck_assert_uint_eq(desk_state(&other, 0).published, 22);
    desk_take(other.members[1], 0, "left");
    desk_take(other.members[1], 0, "new");
    snapshot_done(&snapshot);
    desk_close(&other);
    desk_close(&desk);
}
END_TEST

/* Long payloads, long attributes, what is known of an item. */
START_TEST(whole_items)
{
    struct desk desk = desk_open(2, 8, 65536), other;
    char data[3000], attrs[500];
    struct stage_spec spec = { .queue = 0,
                               .room = sizeof data,
                               .attrs = attrs,
                               .attrs_size = sizeof attrs,
                               .root = 11,
                               .path = 12 };
    struct staged staged;
    struct snapshot snapshot;
    struct item item;

    memset(data, 'd', sizeof data);
    memset(attrs, 'a', sizeof attrs);
    ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
    memcpy(staged.data, data, sizeof data);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    snapshot = take(&desk);
    snapshot.slots.at[0].attempt = 2;
    snapshot.slots.at[0].skip = 3;
    snapshot.slots.at[0].skip_hash = 4;
    other = desk_open(2, 8, 65536);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_leave(&other.members[i]);
    ck_assert_int_eq(segment_restore(other.segment, &snapshot, NULL), 0);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(other.segment, i, &other.members[i]), 0);
    ck_assert_int_eq(desk_lease(other.members[0], 0, &item), 1);
    ck_assert_uint_eq(item.root, 11);
    ck_assert_uint_eq(item.path, 12);
    ck_assert_uint_eq(item.attempt, 2);
    ck_assert_uint_eq(item.skip, 3);
    ck_assert_uint_eq(item.skip_hash, 4);
    ck_assert_uint_eq(item.size, sizeof data);
    ck_assert_mem_eq(item.data, data, sizeof data);
    ck_assert_uint_eq(item.attrs_size, sizeof attrs);
    ck_assert_mem_eq(item.attrs, attrs, sizeof attrs);
    ck_assert_int_eq(turn_done(other.members[0], &item), 0);
    ck_assert_int_eq(turn_commit(other.members[0], NULL, NULL), 0);
    snapshot_done(&snapshot);
    desk_close(&other);
    desk_close(&desk);
}
END_TEST

/* Short bytes in a chunk, since more was reserved, and their attributes beside
 * it: as many as the bound allows fit again, and the queue is as full. */
START_TEST(as_full)
{
    struct desk desk = desk_open(1, 8, 231), other = desk_open(1, 8, 231);
    char attrs[12] = "attributes";
    struct stage_spec spec = { .room = 65,
                               .attrs = attrs,
                               .attrs_size = sizeof attrs };
    struct snapshot snapshot;
    struct staged staged;
    struct item item;
    uint64_t bytes;

    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
        memset(staged.data, 'd', 60);
        ck_assert_int_eq(turn_shrink(desk.members[0], &staged, 60), 0);
        ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    }
    bytes = desk_state(&desk, 0).bytes;
    snapshot = take(&desk);
    ck_assert_int_eq(segment_restore(other.segment, &snapshot, NULL), 0);
    snapshot_done(&snapshot);
    ck_assert_uint_eq(desk_state(&other, 0).bytes, bytes);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq(desk_lease(other.members[1], 0, &item), 1);
        ck_assert_uint_eq(item.size, 60);
        ck_assert_int_eq(((const char *)item.data)[59], 'd');
        ck_assert_mem_eq(item.attrs, attrs, sizeof attrs);
        ck_assert_int_eq(turn_done(other.members[1], &item), 0);
        ck_assert_int_eq(turn_commit(other.members[1], NULL, NULL), 0);
    }
    desk_close(&other);
    desk_leave(&desk);
}
END_TEST

START_TEST(too_small)
{
    struct desk desk = desk_open(2, 8, 65536), other;
    struct snapshot snapshot;
    weir_error err = { 0 };

    for (unsigned i = 0; i < 8; i++)
        desk_put(desk.members[0], 0, "x");
    snapshot = take(&desk);
    other = desk_open(2, 4, 65536);
    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        member_leave(&other.members[i]);
    ck_assert_int_eq(segment_restore(other.segment, &snapshot, &err),
                     WEIR_EFULL);
    ck_assert_str_ne(err.text, "");
    segment_free(&other.segment);
    snapshot_done(&snapshot);
    desk_close(&desk);
}
END_TEST

/* Somebody has a lock: not now, and nobody waits for us meanwhile. */
START_TEST(not_now)
{
    struct desk desk = desk_open(2, 8, 65536);
    struct snapshot snapshot = { .folders_lost = false };
    struct queue *queue = segment_queue(desk.segment, 1);

    ck_assert_int_eq(queue_lock(queue), 0);
    ck_assert_int_eq(segment_snapshot(desk.segment, NS_PER_MS, NULL, NULL,
                                      &snapshot),
                     WEIR_ETIMEDOUT);
    queue_unlock(queue);
    desk_put(desk.members[0], 0, "x");
    ck_assert_int_eq(segment_snapshot(desk.segment, PATIENCE_NS, NULL, NULL,
                                      &snapshot),
                     0);
    ck_assert_uint_eq(snapshot.slots.count, 1);
    snapshot_done(&snapshot);
    desk_close(&desk);
}
END_TEST

/* ---------------------------------------------------------------- at work ----
 *
 * Items go from one queue to the other, and out; in each instant each of them
 * is in one place: those made, less those taken out, stand in the queues. */
struct at_work {
    struct desk desk;
    _Atomic bool stop;
};

static void *make(void *arg)
{
    struct at_work *it = arg;
    struct member *member = it->desk.members[0];
    char text[200];

    memset(text, 'm', sizeof text);
    while (!atomic_load(&it->stop)) {
        size_t size = 8 + turn_book(member)->emitted % 190;

        if (desk_stage(member, 0, text, size) < 0)
            continue;
        turn_book(member)->emitted++;
        if (turn_book(member)->emitted % 3 == 0)
            turn_commit(member, NULL, NULL);
    }
    return NULL;
}

static void *pass_on(void *arg)
{
    struct at_work *it = arg;
    struct member *member = it->desk.members[1];
    const unsigned queue = 0;
    struct item items[3];

    while (!atomic_load(&it->stop)) {
        int count = turn_lease(member, &queue, 1, 3, 1, 0, items);

        for (int i = 0; i < count; i++) {
            turn_take_up(member, &items[i]);
            while (desk_stage(member, 1, items[i].data, items[i].size) < 0)
                if (atomic_load(&it->stop))
                    return NULL;
            turn_done(member, &items[i]);
            turn_book(member)->done++;
        }
        if (count > 0)
            turn_commit(member, NULL, NULL);
    }
    return NULL;
}

static void *take_out(void *arg)
{
    struct at_work *it = arg;
    struct member *member = it->desk.members[2];
    const unsigned queue = 1;
    struct item items[4];

    while (!atomic_load(&it->stop)) {
        int count = turn_lease(member, &queue, 1, 4, 1, 0, items);

        for (int i = 0; i < count; i++) {
            turn_done(member, &items[i]);
            turn_book(member)->done++;
        }
        if (count > 0)
            turn_commit(member, NULL, NULL);
    }
    return NULL;
}

static void check_instant(const struct snapshot *snapshot)
{
    uint64_t counts[2] = { 0, 0 };

    for (size_t i = 0; i < snapshot->slots.count; i++) {
        const struct saved_slot *slot = &snapshot->slots.at[i];

        counts[slot->queue]++;
        for (uint32_t k = 0; k < slot->size; k++)
            ck_assert_int_eq(snapshot->data.data[slot->at + k], 'm');
        ck_assert_uint_eq(slot->attempt, 0);
    }
    ck_assert_uint_eq(snapshot->books.at[0].emitted,
                      snapshot->books.at[1].done + counts[0]);
    ck_assert_uint_eq(snapshot->books.at[1].done,
                      snapshot->books.at[2].done + counts[1]);
    ck_assert_uint_eq(snapshot->published.at[0], snapshot->books.at[0].emitted);
    ck_assert_uint_eq(snapshot->published.at[1], snapshot->books.at[1].done);
}

START_TEST(one_instant)
{
    struct at_work it = { .desk = desk_open(2, 64, 65536) };
    void *(*const works[])(void *) = { make, pass_on, take_out };
    struct snapshot snapshot = { .folders_lost = false };
    pthread_t threads[3];

    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, works[i], &it), 0);
    for (unsigned i = 0; i < 300; i++) {
        int code;

        do {
            code = segment_snapshot(it.desk.segment, PATIENCE_NS, NULL, NULL,
                                    &snapshot);
        } while (code == WEIR_ETIMEDOUT);
        ck_assert_int_eq(code, 0);
        check_instant(&snapshot);
    }
    atomic_store(&it.stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    snapshot_done(&snapshot);
    desk_leave(&it.desk);
}
END_TEST

/* ------------------------------------------------------------------ files ----
 */

START_TEST(lengths_and_notes)
{
    struct desk desk = desk_open(1, 8, 65536);
    struct iovec part = { (void *)"abc", 3 };
    char path[] = "/tmp/weir-snapshot-XXXXXX", log[] = "/tmp/weir-log-XXXXXX";
    int fd = mkstemp(path), log_fd = mkstemp(log);
    struct append append = {
        .fd = fd, .group = 5, .parts = &part, .part_count = 1, .size = 3
    };
    struct snapshot snapshot, notes = { .folders_lost = false };
    uint64_t size = 0;

    desk.segment->head->journaled = 1;
    segment_set_sinks_log(desk.segment, log_fd);
    ck_assert_int_eq(turn_commit(desk.members[0], &append, NULL), 0);
    sinks_note_folder(desk.segment, path);
    snapshot = take(&desk);
    ck_assert_uint_eq(snapshot.sinks.count, 1);
    ck_assert_uint_eq(snapshot.sinks.at[0].length, 3);
    ck_assert_uint_eq(snapshot.sinks.at[0].group, 5);
    ck_assert_str_eq(snapshot.sinks.at[0].path, path);
    ck_assert_uint_eq(snapshot.folders.count, 1);
    ck_assert_str_eq(snapshot.folders.at[0], "/tmp");
    ck_assert_int_eq(saved_sink_look(&snapshot.sinks.at[0], &size), 1);
    ck_assert_uint_eq(size, 3);
    if (snapshot.sinks.at[0].born != 0) { /* mounted anew, maybe elsewhere */
        snapshot.sinks.at[0].dev++;
        ck_assert_int_eq(saved_sink_look(&snapshot.sinks.at[0], &size), 1);
        snapshot.sinks.at[0].born++;
        ck_assert_int_eq(saved_sink_look(&snapshot.sinks.at[0], &size), 0);
    }
    /* the note has the length before; half a note behind it is none */
    ck_assert_int_eq(write(log_fd, "1wsk1234", 8), 8);
    lseek(log_fd, 0, SEEK_SET);
    ck_assert_int_eq(sinks_log_read(log_fd, &notes, NULL), 0);
    ck_assert_uint_eq(notes.sinks.count, 1);
    ck_assert_uint_eq(notes.sinks.at[0].length, 0);
    ck_assert_str_eq(notes.sinks.at[0].path, path);
    unlink(path);
    ck_assert_int_eq(saved_sink_look(&snapshot.sinks.at[0], &size), -ENOENT);
    unlink(log);
    close(fd);
    close(log_fd);
    snapshot_done(&snapshot);
    snapshot_done(&notes);
    desk_close(&desk);
}
END_TEST

Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *states = tcase_create("states");
    TCase *work = tcase_create("work");

    tcase_add_test(states, ready_in_order);
    tcase_add_test(states, open_turn);
    tcase_add_test(states, committed_turn);
    tcase_add_test(states, goes_on);
    tcase_add_test(states, whole_items);
    tcase_add_test(states, as_full);
    tcase_add_test(states, too_small);
    tcase_add_test(states, not_now);
    tcase_add_test(states, lengths_and_notes);
    suite_add_tcase(suite, states);
    tcase_set_timeout(work, 60);
    tcase_add_test(work, one_instant);
    suite_add_tcase(suite, work);
    return suite;
}
