/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* direct.c - put and get in one hold of the lock. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "desk.h"

enum { PAGE = 1 << 16 }; /* as large as any, or a multiple */

/* The caller's page that nobody may touch under the lock: whoever does so first
 * is asked who holds it, and then may. */
static struct {
    char *page;
    struct lock *lock;
    int touched;
    pid_t holder;
} trap;

static void on_touch(int signal)
{
    (void)signal;
    trap.touched++;
    trap.holder = lock_holder(trap.lock);
    mprotect(trap.page, PAGE, PROT_READ | PROT_WRITE);
}

static void set_trap(const struct desk *desk)
{
    struct sigaction action = { .sa_handler = on_touch };

    memset(&trap, 0, sizeof trap);
    trap.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(trap.page, MAP_FAILED);
    memcpy(trap.page, "xy", 2);
    trap.lock = &desk->segment->queues[0].head->lock;
    ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
    ck_assert_int_eq(mprotect(trap.page, PAGE, PROT_NONE), 0);
}

static void touched_unlocked(void)
{
    ck_assert_int_eq(trap.touched, 1);
    ck_assert_int_eq(trap.holder, 0);
    signal(SIGSEGV, SIG_DFL);
    munmap(trap.page, PAGE);
}

/* A fault there may take long, or end in a handler that never comes back. */
START_TEST(put_reads_unlocked)
{
    struct desk desk = desk_open(1, 4, 4096);
    weir_bytes items[2];

    set_trap(&desk);
    items[0] = (weir_bytes){ trap.page, 1 };
    items[1] = (weir_bytes){ trap.page + 1, 1 };
    ck_assert_int_eq(turn_put(desk.members[0], 0, items, 2, 1), 2);
    touched_unlocked();
    desk_take(desk.members[1], 0, "x");
    desk_take(desk.members[1], 0, "y");
    desk_close(&desk);
}
END_TEST

START_TEST(get_writes_unlocked)
{
    struct desk desk = desk_open(1, 4, 4096);
    char data[2];
    size_t sizes[2];
    bool of_sizes = _i != 0;

    desk_put(desk.members[0], 0, "a");
    desk_put(desk.members[0], 0, "b");
    set_trap(&desk);
    ck_assert_int_eq(turn_get(desk.members[1], 0, of_sizes ? data : trap.page,
                              2, of_sizes ? (size_t *)trap.page : sizes, 2),
                     2);
    ck_assert_int_eq(memcmp(of_sizes ? data : trap.page, "ab", 2), 0);
    ck_assert_uint_eq((of_sizes ? (size_t *)trap.page : sizes)[1], 1);
    touched_unlocked();
    desk_close(&desk);
}
END_TEST

/* ---------------------------------------------------------- in a chunk ---- */

static const char large[] = "0123456789012345678901234567890123456789"
                            "0123456789012345678901234567890123456789";

static uint64_t chunks_of(const struct desk *desk)
{
    uint64_t chunks, touched;

    ck_assert_int_eq(segment_store_used(desk->segment, &chunks, &touched), 0);
    return chunks;
}

/* One that has pages is used; a new one is a matter for the longer way. */
START_TEST(by_a_warm_chunk)
{
    struct desk desk = desk_open(1, 4, 4096);
    const weir_bytes items[] = { { "a", 1 }, { large, sizeof large - 1 } };
    char data[sizeof large];
    size_t sizes[2];

    ck_assert_int_eq(turn_put(desk.members[0], 0, &items[1], 1, 1), 0);
    ck_assert_uint_eq(turn_staged(desk.members[0]), 0);
    desk_put(desk.members[0], 0, large);
    desk_take(desk.members[1], 0, large);
    ck_assert_int_eq(turn_put(desk.members[0], 0, items, 2, 1), 2);
    ck_assert_uint_eq(chunks_of(&desk), 1);
    ck_assert_int_eq(turn_get(desk.members[1], 0, data, sizeof data, sizes, 2),
                     2);
    ck_assert_uint_eq(sizes[0], 1);
    ck_assert_uint_eq(sizes[1], sizeof large - 1);
    ck_assert_int_eq(memcmp(data + 1, large, sizeof large - 1), 0);
    ck_assert_uint_eq(chunks_of(&desk), 0);
    desk_close(&desk);
}
END_TEST

/* Two need a chunk, and one has pages: the first is put, and nothing is left of
 * the second. */
START_TEST(not_for_both)
{
    struct desk desk = desk_open(1, 4, 4096);
    const weir_bytes item = { large, sizeof large - 1 };
    const weir_bytes items[] = { item, item };

    desk_put(desk.members[0], 0, large);
    desk_take(desk.members[1], 0, large);
    ck_assert_int_eq(turn_put(desk.members[0], 0, items, 2, 1), 1);
    ck_assert_uint_eq(desk_state(&desk, 0).staged, 0);
    ck_assert_uint_eq(desk_state(&desk, 0).ready, 1);
    desk_take(desk.members[1], 0, large);
    desk_close(&desk);
}
END_TEST

/* All that are there in one go, or none: more than it has room for are got by
 * the longer way, which copies them outside of the lock. */
START_TEST(too_many_bytes)
{
    enum { ITEMS = PUT_MOST * ITEM_SMALL / ITEM_DIRECT + 1 };
    struct desk desk = desk_open(1, ITEMS, ITEMS * ITEM_DIRECT);
    static char bytes[ITEM_DIRECT], data[ITEMS * ITEM_DIRECT];
    size_t sizes[ITEMS];

    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert_int_eq(desk_stage(desk.members[0], 0, bytes, sizeof bytes),
                         0);
        ck_assert_int_eq(turn_commit(desk.members[0], NULL, NULL), 0);
    }
    ck_assert_int_eq(turn_get(desk.members[1], 0, data, sizeof data, sizes,
                              ITEMS),
                     0);
    ck_assert_int_eq(turn_get(desk.members[1], 0, data, sizeof data, sizes,
                              ITEMS - 1),
                     ITEMS - 1);
    ck_assert_int_eq(turn_get(desk.members[1], 0, data, sizeof data, sizes,
                              ITEMS),
                     1);
    desk_close(&desk);
}
END_TEST

/* The store's lock is held by one who does not go on: the sweep names him. */
static void *sweep_there(void *arg)
{
    struct segment *segment = arg;
    pid_t holder;

    ck_assert_int_eq(segment_sweep(segment, &holder), 0);
    return (void *)(intptr_t)holder;
}

START_TEST(store_holder_is_named)
{
    struct desk desk = desk_open(1, 4, 4096);
    pthread_t thread;
    void *holder;

    ck_assert_int_eq(store_lock(&desk.segment->store), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, sweep_there, desk.segment),
                     0);
    ck_assert_int_eq(pthread_join(thread, &holder), 0);
    ck_assert_int_eq((pid_t)(intptr_t)holder, (pid_t)syscall(SYS_gettid));
    store_unlock(&desk.segment->store);
    ck_assert_ptr_eq(sweep_there(desk.segment), NULL);
    desk_close(&desk);
}
END_TEST

Suite *direct_suite(void)
{
    Suite *suite = suite_create("direct");
    TCase *test = tcase_create("caller");

    tcase_add_test(test, put_reads_unlocked);
    tcase_add_loop_test(test, get_writes_unlocked, 0, 2);
    suite_add_tcase(suite, test);
    test = tcase_create("chunks");
    tcase_add_test(test, by_a_warm_chunk);
    tcase_add_test(test, not_for_both);
    tcase_add_test(test, too_many_bytes);
    tcase_add_test(test, store_holder_is_named);
    suite_add_tcase(suite, test);
    return suite;
}
