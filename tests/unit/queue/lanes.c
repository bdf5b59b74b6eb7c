/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lanes.c - items by their key: who gets what, in which order, also when it
 * comes back; who is woken; a rebuild; a snapshot. Queue 0 has the key "k" and
 * a lane for each of the members 1 to 3; 1 has none; 2 has the key too, and is
 * filled in order by who takes from 1. */
#include "config.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "desk.h"
#include "queue/attrs.h"
#include "queue/snapshot.h"

enum { LANES = 3, CAPACITY = 8 };

/* Names whose lane is the one of this number. */
static char keys[LANES][8];

static struct segment *make_segment(void)
{
    static const struct order_link orders[] = { { 1, 2 } };
    const struct queue_plan plans[] = {
        { .capacity = CAPACITY, .bytes = 1 << 16, .key = "k", .lanes = LANES },
        { .capacity = CAPACITY, .bytes = 1 << 16 },
        { .capacity = CAPACITY, .bytes = 1 << 16, .key = "k", .lanes = LANES },
    };
    const struct segment_plan plan = { .queues = plans,
                                       .queue_count = 3,
                                       .orders = orders,
                                       .order_count = 1,
                                       .member_count = DESK_MEMBERS,
                                       .sink_count = 1 };
    struct segment *segment;

    ck_assert_int_eq(segment_create(&plan, &segment, NULL), 0);
    return segment;
}

static void attrs_of(const char *value, struct buf *out)
{
    if (value != NULL)
        ck_assert_int_eq(attrs_set(out, "k", value, strlen(value)), 0);
}

static uint32_t lane_of_key(const struct segment *segment, const char *value)
{
    CLEANUP_BUF struct buf attrs = { 0 };

    attrs_of(value, &attrs);
    return lanes_choose(&segment->queues[0], attrs.data, attrs.size);
}

static void find_keys(const struct segment *segment)
{
    unsigned found = 0;

    for (unsigned i = 0; found < LANES; i++) {
        char key[8];
        uint32_t lane;

        snprintf(key, sizeof key, "%u", i);
        lane = lane_of_key(segment, key);
        ck_assert_uint_lt(lane, LANES);
        if (keys[lane][0] != '\0')
            continue;
        memcpy(keys[lane], key, sizeof key);
        found++;
    }
}

static struct desk enter(struct segment *segment, unsigned queue)
{
    struct desk desk = { .segment = segment };

    for (unsigned i = 0; i < DESK_MEMBERS; i++)
        ck_assert_int_eq(member_enter(segment, i, &desk.members[i]), 0);
    for (unsigned i = 0; i < LANES; i++)
        ck_assert_int_eq(turn_serve(desk.members[i + 1], queue, i), 0);
    return desk;
}

static struct desk open_at(unsigned queue)
{
    struct segment *segment = make_segment();

    memset(keys, 0, sizeof keys);
    find_keys(segment);
    return enter(segment, queue);
}

static struct desk open_desk(void)
{
    return open_at(0);
}

static int stage_key(struct member *member, unsigned queue, const char *key,
                     const char *text, const struct stage_order *order)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct stage_spec spec = { .queue = queue,
                               .room = strlen(text),
                               .order = order };
    struct staged staged;
    int code;

    attrs_of(key, &attrs);
    spec.attrs = attrs.data;
    spec.attrs_size = attrs.size;
    code = turn_stage(member, &spec, &staged);
    if (code == 0)
        memcpy(staged.data, text, strlen(text));
    return code;
}

/* Each letter of @texts into the lane that the digit behind it says. */
static void put(struct desk *desk, unsigned queue, const char *texts)
{
    for (; *texts != '\0'; texts += 2) {
        char text[2] = { texts[0], '\0' };

        ck_assert_int_eq(stage_key(desk->members[0], queue,
                                   keys[texts[1] - '0'], text, NULL),
                         0);
    }
    ck_assert_int_eq(turn_commit(desk->members[0], NULL, NULL), 0);
}

static void ck_letter(const struct item *item, char letter)
{
    ck_assert_uint_eq(item->size, 1);
    ck_assert_int_eq(*(const char *)item->data, letter);
}

static void lease(struct desk *desk, unsigned lane, const char *letters,
                  struct item *items)
{
    const unsigned queue = 0;
    int count = turn_lease(desk->members[lane + 1], &queue, 1, LEASE_MOST, 1, 0,
                           items);

    ck_assert_int_eq(count, (int)strlen(letters));
    for (int i = 0; i < count; i++)
        ck_letter(&items[i], letters[i]);
}

static void settle(struct member *member, const struct item *items,
                   unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ck_assert_int_eq(turn_done(member, &items[i]), 0);
    ck_assert_int_eq(turn_commit(member, NULL, NULL), 0);
}

/* All that is in that lane. */
static void drain(struct desk *desk, unsigned queue, unsigned lane,
                  const char *letters)
{
    struct member *member = desk->members[lane + 1];
    struct item item;

    for (; *letters != '\0'; letters++) {
        ck_assert_int_eq(turn_lease(member, &queue, 1, 1, 1, 0, &item), 1);
        ck_letter(&item, *letters);
        settle(member, &item, 1);
    }
    ck_assert_int_eq(turn_lease(member, &queue, 1, 1, 1, 0, &item),
                     WEIR_EEMPTY);
}

/* ------------------------------------------------------------ who, when ----
 */

START_TEST(each_to_its_own)
{
    struct desk desk = open_desk();

    put(&desk, 0, "a0b1c2d0e1f0");
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 6);
    drain(&desk, 0, 2, "c");
    drain(&desk, 0, 0, "adf");
    drain(&desk, 0, 1, "be");
    ck_assert_uint_eq(desk_state(&desk, 0).published, 6);
    /* over and over the same slots */
    for (unsigned i = 0; i < 20; i++) {
        put(&desk, 0, "a1b1c0d1");
        drain(&desk, 0, 1, "abd");
        drain(&desk, 0, 0, "c");
    }
    desk_close(&desk);
}
END_TEST

/* No attribute, an empty one, and others beside it. */
START_TEST(without_a_value)
{
    struct desk desk = open_desk();
    uint32_t lane = lane_of_key(desk.segment, "");
    CLEANUP_BUF struct buf attrs = { 0 };
    struct item items[LEASE_MOST];

    ck_assert_int_eq(attrs_set(&attrs, "kk", "x", 1), 0);
    ck_assert_int_eq(attrs_set(&attrs, "l", "y", 1), 0);
    ck_assert_uint_eq(lanes_choose(&desk.segment->queues[0], attrs.data,
                                   attrs.size),
                      lane);
    ck_assert_uint_eq(lane_of_key(desk.segment, NULL), lane);
    ck_assert_int_eq(stage_key(desk.members[0], 0, NULL, "a", NULL), 0);
    ck_assert_int_eq(stage_key(desk.members[0], 0, "", "b", NULL), 0);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    lease(&desk, lane, "ab", items);
    settle(desk.members[lane + 1], items, 2);
    desk_close(&desk);
}
END_TEST

/* The key goes with the item that is passed on; and is of the largest size. */
START_TEST(passed_on)
{
    struct desk desk = open_desk();
    static char value[4000];
    CLEANUP_BUF struct buf attrs = { 0 };
    struct item items[LEASE_MOST];
    struct stage_spec spec = { .queue = 1, .room = 1 };
    struct staged staged;
    struct item item;
    uint32_t lane;

    memset(value, 'v', sizeof value);
    ck_assert_int_eq(attrs_set(&attrs, "k", value, sizeof value), 0);
    spec.attrs = attrs.data;
    spec.attrs_size = attrs.size;
    ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
    memcpy(staged.data, "a", 1);
    ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    ck_assert_int_eq(desk_lease(desk.members[0], 1, &item), 1);
    spec = (struct stage_spec){ .pass = &item, .inherit = &item };
    ck_assert_int_eq(turn_stage(desk.members[0], &spec, &staged), 0);
    settle(desk.members[0], &item, 1);
    lane = lanes_choose(&desk.segment->queues[0], attrs.data, attrs.size);
    lease(&desk, lane, "a", items);
    settle(desk.members[lane + 1], items, 1);
    desk_close(&desk);
}
END_TEST

/* Given back one by one, the first last or the last last; or all at once. */
START_TEST(back_to_its_place)
{
    struct desk desk = open_desk();
    struct item items[LEASE_MOST];
    struct member *member = desk.members[1];

    put(&desk, 0, "a0b0x1c0d0");
    lease(&desk, 0, "abcd", items);
    put(&desk, 0, "e0");
    switch (_i) {
    case 0:
        for (unsigned i = 0; i < 4; i++)
            ck_assert_int_eq(turn_release(member, &items[i]), 0);
        break;
    case 1:
        for (unsigned i = 4; i-- > 0;)
            ck_assert_int_eq(turn_release(member, &items[i]), 0);
        break;
    case 2:
        ck_assert_int_eq(turn_release(member, &items[2]), 0);
        ck_assert_int_eq(turn_release(member, &items[0]), 0);
        ck_assert_int_eq(turn_done(member, &items[1]), 0);
        ck_assert_int_eq(turn_abort(member), 0);
        break;
    default:
        ck_assert_int_eq(turn_abort(member), 0);
        break;
    }
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 6);
    drain(&desk, 0, 0, "abcde");
    drain(&desk, 0, 1, "x");
    desk_close(&desk);
}
END_TEST

/* One lane has all the room: another's item waits for it, and gets it. */
START_TEST(one_fills_it)
{
    struct desk desk = open_desk();

    put(&desk, 0, "a0b0c0d0e0f0g0h0");
    ck_assert_int_eq(stage_key(desk.members[0], 0, keys[1], "x", NULL),
                     WEIR_EFULL);
    drain(&desk, 0, 1, "");
    drain(&desk, 0, 0, "abcdefgh");
    put(&desk, 0, "x1");
    drain(&desk, 0, 1, "x");
    desk_close(&desk);
}
END_TEST

/* Another member serves the lane: the one before gets nothing any more. Who
 * serves none, or asks for more than one, is told. */
START_TEST(who_serves)
{
    struct desk desk = open_desk();
    struct member *heir = desk.members[0];
    const unsigned queue = 0, other = 2;
    struct item item;

    put(&desk, 0, "a0");
    ck_assert_int_eq(turn_lease(heir, &queue, 1, 1, 1, 0, &item), WEIR_EINVAL);
    ck_assert_int_eq(turn_lease(desk.members[1], &other, 1, 1, 1, 0, &item),
                     WEIR_EINVAL);
    ck_assert_int_eq(turn_serve(heir, 0, LANES), WEIR_EINVAL);
    ck_assert_int_eq(turn_serve(heir, 1, 0), WEIR_EINVAL);
    ck_assert_int_eq(turn_serve(heir, 9, 0), WEIR_EINVAL);
    ck_assert_int_eq(turn_serve(heir, 0, 0), 0);
    ck_assert_int_eq(turn_lease(desk.members[1], &queue, 1, 1, 1, 0, &item),
                     WEIR_EEMPTY);
    ck_assert_int_eq(turn_lease(heir, &queue, 1, 1, 1, 0, &item), 1);
    settle(heir, &item, 1);
    desk_close(&desk);
}
END_TEST

/* What takes no heed of lanes keeps out. */
START_TEST(refused)
{
    struct desk desk = open_desk();
    static const struct order_link orders[] = { { 0, 1 } };
    const struct queue_plan plans[] = {
        { .capacity = 1, .bytes = 1, .key = "k", .lanes = 1 },
        { .capacity = 1, .bytes = 1 },
    };
    const struct segment_plan plan = { .queues = plans,
                                       .queue_count = 2,
                                       .orders = orders,
                                       .order_count = 1,
                                       .member_count = 1 };
    weir_bytes bytes = { "x", 1 };
    struct segment *segment;
    struct item item;
    size_t size;
    char room[8];

    ck_assert_int_eq(turn_put(desk.members[0], 0, &bytes, 1, 0), 0);
    put(&desk, 0, "a0");
    ck_assert_int_eq(turn_get(desk.members[1], 0, room, sizeof room, &size, 1),
                     0);
    ck_assert_int_eq(turn_pick(desk.members[1], 0, NULL, NULL, 1, &item),
                     WEIR_EINVAL);
    ck_assert_int_eq(segment_create(&plan, &segment, NULL), WEIR_EINVAL);
    drain(&desk, 0, 0, "a");
    desk_close(&desk);
}
END_TEST

/* --------------------------------------------------------------- waking ----
 */

struct waiter {
    struct member *member;
    struct item items[LEASE_MOST];
    int code;
    pthread_t thread;
};

static void *wait_there(void *arg)
{
    struct waiter *waiter = arg;
    const unsigned queue = 0;

    waiter->code = turn_lease(waiter->member, &queue, 1, 1, 1, FOREVER,
                              waiter->items);
    return NULL;
}

static void begin_all(struct desk *desk, struct waiter *waiters)
{
    for (unsigned i = 0; i < LANES; i++) {
        waiters[i].member = desk->members[i + 1];
        ck_assert_int_eq(pthread_create(&waiters[i].thread, NULL, wait_there,
                                        &waiters[i]),
                         0);
    }
    while (desk_state(desk, 0).consumers_waiting != LANES)
        sched_yield();
}

/* Only the one whose item it is; whichever was woken last. */
START_TEST(woken_by_its_own)
{
    struct desk desk = open_desk();
    struct waiter waiters[LANES];

    begin_all(&desk, waiters);
    for (unsigned i = 0; i < LANES; i++) {
        unsigned lane = ((unsigned)_i + 2 * i) % LANES;
        char text[3] = { (char)('a' + lane), (char)('0' + lane), '\0' };

        put(&desk, 0, text);
        pthread_join(waiters[lane].thread, NULL);
        ck_assert_int_eq(waiters[lane].code, 1);
        ck_letter(&waiters[lane].items[0], text[0]);
        settle(waiters[lane].member, waiters[lane].items, 1);
        ck_assert_uint_eq(desk_state(&desk, 0).consumers_waiting,
                          LANES - 1 - i);
    }
    desk_close(&desk);
}
END_TEST

/* One commit, something for each: one wake leads to the next. */
START_TEST(all_are_woken)
{
    struct desk desk = open_desk();
    struct waiter waiters[LANES];

    begin_all(&desk, waiters);
    put(&desk, 0, "a1b2c0");
    for (unsigned i = 0; i < LANES; i++) {
        pthread_join(waiters[i].thread, NULL);
        ck_assert_int_eq(waiters[i].code, 1);
        settle(waiters[i].member, waiters[i].items, 1);
    }
    desk_close(&desk);
}
END_TEST

/* The end comes for all when the last lane is done. */
START_TEST(the_end)
{
    struct desk desk = open_desk();
    struct waiter waiters[LANES];

    begin_all(&desk, waiters);
    put(&desk, 0, "a1");
    pthread_join(waiters[1].thread, NULL);
    ck_assert_int_eq(queue_close(desk.segment, 0), 0);
    while (desk_state(&desk, 0).consumers_waiting != LANES - 1)
        sched_yield();
    settle(waiters[1].member, waiters[1].items, 1);
    for (unsigned i = 0; i < LANES; i += 2) {
        pthread_join(waiters[i].thread, NULL);
        ck_assert_int_eq(waiters[i].code, WEIR_ECLOSED);
    }
    desk_close(&desk);
}
END_TEST

/* --------------------------------------------------------- death, copies ----
 */

/* Somebody dies under the lock, at the worst of moments for its caches. */
static void die_under_lock(struct desk *desk)
{
    struct queue *queue = &desk->segment->queues[0];
    pid_t pid;
    int status;

    member_leave(&desk->members[0]);
    pid = fork();
    if (pid == 0) {
        struct member *member;

        if (member_enter(desk->segment, 0, &member) == 0 &&
            queue_lock(queue) == 0) {
            for (unsigned i = 0; i < LANES; i++)
                atomic_store(&queue->lanes[i].ready, 77);
            queue->lanes[0].first = queue->lanes[1].last = 99;
            memset(queue->served, 0, sizeof *queue->served);
            memset(queue->ring, 0xff, CAPACITY * sizeof *queue->ring);
        }
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(member_recover(desk->segment, 0, CAUSE_SIGNAL, SIGKILL,
                                    NULL),
                     0);
    ck_assert_int_eq(member_enter(desk->segment, 0, &desk->members[0]), 0);
}

/* Slots are not in the order of what is in them. */
START_TEST(rebuilt)
{
    struct desk desk = open_desk();
    struct item items[LEASE_MOST];

    put(&desk, 0, "x0y1z0");
    drain(&desk, 0, 0, "xz");
    put(&desk, 0, "a0b1c0d1");
    lease(&desk, 0, "ac", items);
    ck_assert_int_eq(turn_release(desk.members[1], &items[1]), 0);
    put(&desk, 0, "e0");
    die_under_lock(&desk);
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 5);
    ck_assert_uint_eq(desk_state(&desk, 0).published, 8);
    drain(&desk, 0, 1, "ybd");
    ck_assert_int_eq(turn_abort(desk.members[1]), 0);
    drain(&desk, 0, 0, "ace");
    desk_close(&desk);
}
END_TEST

/* Into a new segment: what was leased, done or given back stands in its place
 * among what was not. */
START_TEST(restored)
{
    struct desk desk = open_desk(), other;
    struct snapshot snapshot = { .folders_lost = false };
    struct segment *segment = make_segment();
    struct item items[LEASE_MOST], more[LEASE_MOST];

    put(&desk, 0, "a0b1c0d0e1");
    lease(&desk, 0, "acd", items);
    lease(&desk, 1, "be", more);
    ck_assert_int_eq(turn_release(desk.members[1], &items[0]), 0);
    ck_assert_int_eq(turn_done(desk.members[1], &items[1]), 0);
    ck_assert_int_eq(segment_snapshot(desk.segment, FOREVER / 2, NULL, NULL,
                                      &snapshot),
                     0);
    ck_assert_int_eq(segment_restore(segment, &snapshot, NULL), 0);
    other = enter(segment, 0);
    ck_assert_uint_eq(desk_state(&other, 0).published, 5);
    put(&other, 0, "f0g1");
    drain(&other, 0, 0, "acdf");
    drain(&other, 0, 1, "beg");
    desk_close(&other);
    snapshot_done(&snapshot);
    desk_close(&desk);
}
END_TEST

/* ------------------------------------------------------- order before it ----
 */

/* Two have one item each of queue 1, and the second is done first: what it
 * gives waits in queue 2, and then goes to its lane. */
START_TEST(filled_in_order)
{
    struct desk desk = open_at(2);
    const unsigned from = 1;
    struct item items[2];
    struct stage_order order = { .queue = 1 };

    desk_put(desk.members[0], 1, "a");
    desk_put(desk.members[0], 1, "b");
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(turn_lease(desk.members[i], &from, 1, 1, 1, 0,
                                    &items[i]),
                         1);
    for (unsigned i = 2; i-- > 0;) {
        char text[2] = { (char)('a' + i), '\0' };

        order.ticket = items[i].ticket;
        order.index = 0;
        ck_assert_int_eq(stage_key(desk.members[i], 2, keys[0], text, &order),
                         0);
        order.index = 1;
        text[0] = (char)('x' + i);
        ck_assert_int_eq(stage_key(desk.members[i], 2, keys[1], text, &order),
                         0);
        if (i == 1)
            settle(desk.members[i], &items[i], 1);
    }
    ck_assert_uint_eq(desk_state(&desk, 2).held, 2);
    ck_assert_uint_eq(desk_state(&desk, 2).ready, 0);
    settle(desk.members[0], &items[0], 1);
    drain(&desk, 2, 1, "xy");
    drain(&desk, 2, 0, "ab");
    desk_close(&desk);
}
END_TEST

Suite *lanes_suite(void)
{
    Suite *suite = suite_create("lanes");
    TCase *test = tcase_create("lanes");

    tcase_add_test(test, each_to_its_own);
    tcase_add_test(test, without_a_value);
    tcase_add_test(test, passed_on);
    tcase_add_loop_test(test, back_to_its_place, 0, 4);
    tcase_add_test(test, one_fills_it);
    tcase_add_test(test, who_serves);
    tcase_add_test(test, refused);
    tcase_add_loop_test(test, woken_by_its_own, 0, 3);
    tcase_add_test(test, all_are_woken);
    tcase_add_test(test, the_end);
    tcase_add_test(test, rebuilt);
    tcase_add_test(test, restored);
    tcase_add_test(test, filled_in_order);
    suite_add_tcase(suite, test);
    return suite;
}
