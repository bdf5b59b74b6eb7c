/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* direct.c - put and get in one hold of the lock. */
#include "config.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

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

Suite *direct_suite(void)
{
    Suite *suite = suite_create("direct");
    TCase *test = tcase_create("caller");

    tcase_add_test(test, put_reads_unlocked);
    tcase_add_loop_test(test, get_writes_unlocked, 0, 2);
    suite_add_tcase(suite, test);
    return suite;
}
