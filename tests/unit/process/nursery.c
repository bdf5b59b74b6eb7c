/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nursery.c - core/process/nursery.c: preparing, ordering, reaping. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/suites.h"
#include "watch.h"

/* What the first byte of an order asks of a worker. */
enum {
    DO_EXIT = 'e', /* with the int behind it */
    DO_ABORT = 'a',
    DO_PAUSE = 'p',
    DO_ANSWER = 'w', /* the sum of all bytes into the descriptor behind */
    DO_LOOK = 'l',   /* 0 when nothing of the nursery is left in it */
    DO_ARG = 'g',    /* what the owner's memory held */
};

static int look(const struct nursery_order *order)
{
    int open = 0;
    sigset_t mask;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGCHLD) == 1)
        return 1;
    if (getpgrp() != getpid())
        return 2;
    for (int fd = 3; fd < 256; fd++) {
        int type, is_order = 0;
        socklen_t size = sizeof type;

        for (size_t i = 0; i < order->fd_count; i++)
            is_order |= order->fds[i] == fd;
        if (is_order && (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
            return 3;
        if (!is_order && fcntl(fd, F_GETFD) >= 0)
            open++;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
            type == SOCK_SEQPACKET)
            return 4;
    }
    /* The armed life descriptor, and the way to say what it returned. */
    return open <= 2 ? 0 : 5;
}

static int answer(const struct nursery_order *order)
{
    const unsigned char *data = order->data;
    uint64_t sum = order->id;

    for (size_t i = 0; i < order->size; i++)
        sum += data[i];
    for (size_t i = 0; i < order->fd_count; i++)
        if (fd_write_all(order->fds[i], &sum, sizeof sum) != 0)
            return 9;
    return 0;
}

static int worker(void *arg, const struct nursery_order *order)
{
    int number = 0;

    switch (order->size > 0 ? *(const char *)order->data : 0) {
    case DO_EXIT:
        memcpy(&number, (const char *)order->data + 1, sizeof number);
        return number;
    case DO_ABORT:
        signal(SIGABRT, SIG_DFL);
        raise(SIGABRT);
        return 0;
    case DO_PAUSE:
        for (;;)
            pause();
    case DO_ANSWER:
        return answer(order);
    case DO_LOOK:
        return look(order);
    case DO_ARG:
        return *(int *)arg;
    default:
        return 99;
    }
}

static int memory = 1;

static struct nursery *start(void)
{
    const struct nursery_spec spec = { .worker = worker, .arg = &memory };
    struct nursery *nursery = NULL;
    weir_error err = { 0 };

    ck_assert_msg(nursery_start(&spec, &nursery, NULL, NULL, NULL, &err) == 0,
                  "%s", err.text);
    return nursery;
}

static void order(struct nursery *nursery, uint64_t id, const void *data,
                  size_t size)
{
    struct nursery_order order = { .id = id, .data = data, .size = size };

    ck_assert_int_eq(nursery_fork(nursery, &order), 0);
}

static struct nursery_event forked(struct nursery *nursery, uint64_t id)
{
    struct nursery_event event = watch_kind(nursery, NURSERY_FORKED);

    ck_assert_uint_eq(event.id, id);
    ck_assert_int_gt(event.pid, 0);
    ck_assert_int_ge(event.pidfd, 0);
    return event;
}

/* Waits for its end, has it reaped. */
static struct exit_record reaped(struct nursery *nursery,
                                 struct nursery_event *event)
{
    struct nursery_event end;

    ck_assert(watch_readable(event->pidfd));
    ck_assert_int_eq(watch_state(event->pid), 'Z'); /* not reaped before */
    ck_assert_int_eq(nursery_reap(nursery, event->pid), 0);
    end = watch_kind(nursery, NURSERY_REAPED);
    ck_assert_int_eq(end.pid, event->pid);
    ck_assert_uint_eq(end.id, event->id);
    ck_assert_int_eq(watch_state(event->pid), 0);
    fd_close(&event->pidfd);
    return end.exit;
}

static struct exit_record run(struct nursery *nursery, const void *data,
                              size_t size)
{
    struct nursery_event event;

    order(nursery, 42, data, size);
    event = forked(nursery, 42);
    return reaped(nursery, &event);
}

static struct exit_record run_returning(struct nursery *nursery, int number)
{
    char data[1 + sizeof number] = { DO_EXIT };

    memcpy(data + 1, &number, sizeof number);
    return run(nursery, data, sizeof data);
}

START_TEST(statuses_told_apart)
{
    struct nursery *nursery = start();
    struct exit_record exit = run_returning(nursery, 0);

    ck_assert(!exit.signaled && exit.code == 0 && !exit.refused);
    exit = run_returning(nursery, 255);
    ck_assert(!exit.signaled && exit.code == 255 && !exit.refused);
    exit = run_returning(nursery, 6);
    ck_assert(!exit.signaled && exit.code == SIGABRT);
    exit = run(nursery, "a", 1);
    ck_assert(exit.signaled && exit.code == SIGABRT);
    nursery_stop(&nursery);
    ck_assert_ptr_null(nursery);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(values_refused)
{
    struct nursery *nursery = start();
    const int values[] = { 256, -1, 300, -2147483647 - 1 };

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct exit_record exit = run_returning(nursery, values[i]);

        ck_assert(!exit.signaled && exit.refused);
        ck_assert_int_eq(exit.code, EXIT_REFUSED);
        ck_assert_int_eq(exit.returned, values[i]);
    }
    nursery_stop(&nursery);
}
END_TEST

START_TEST(memory_as_at_birth)
{
    struct nursery *nursery;
    struct exit_record exit;

    memory = 23;
    nursery = start();
    memory = 24;
    exit = run(nursery, "g", 1);
    ck_assert_int_eq(exit.code, 23);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(worker_is_clean)
{
    struct nursery *nursery = start();
    struct exit_record exit = run(nursery, "l", 1);

    ck_assert_msg(exit.code == 0 && !exit.signaled, "look says %d", exit.code);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(orders_carry_bytes_and_descriptors)
{
    static const size_t sizes[] = { 1, 16383, 16384, 16385, NURSERY_ORDER_MAX };
    static char data[NURSERY_ORDER_MAX];
    struct nursery *nursery = start();
    int before = watch_fds();

    memset(data, 7, sizeof data);
    data[0] = DO_ANSWER;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct nursery_order o = { .id = i, .data = data, .size = sizes[i] };
        struct nursery_event event;
        struct exit_record exit;
        uint64_t sum, want = i + DO_ANSWER + 7 * (sizes[i] - 1);
        int ends[2];

        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
        o.fd_count = i == 0 ? FD_MESSAGE_FDS : i;
        for (size_t k = 0; k < o.fd_count; k++)
            o.fds[k] = ends[1];
        ck_assert_int_eq(nursery_fork(nursery, &o), 0);
        event = forked(nursery, i);
        for (size_t k = 0; k < o.fd_count; k++) {
            watch_read(ends[0], &sum, sizeof sum);
            ck_assert_uint_eq(sum, want);
        }
        exit = reaped(nursery, &event);
        ck_assert_int_eq(exit.code, 0);
        close(ends[0]);
        close(ends[1]);
    }
    ck_assert_int_eq(watch_fds(), before);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(bad_orders)
{
    struct nursery *nursery = start();
    struct nursery_order o = { .size = NURSERY_ORDER_MAX + 1, .data = "" };

    ck_assert_int_eq(nursery_fork(nursery, &o), WEIR_EINVAL);
    o.size = 1;
    o.data = NULL;
    ck_assert_int_eq(nursery_fork(nursery, &o), WEIR_EINVAL);
    o.data = "l";
    o.fd_count = FD_MESSAGE_FDS + 1;
    ck_assert_int_eq(nursery_fork(nursery, &o), WEIR_EINVAL);
    o.fd_count = 1;
    o.fds[0] = 9999;
    ck_assert_int_eq(nursery_fork(nursery, &o), -EBADF);
    ck_assert_int_eq(nursery_fork(nursery, NULL), WEIR_EINVAL);
    ck_assert_int_eq(nursery_reap(nursery, 0), WEIR_EINVAL);
    /* A number that is no worker's is nobody's: nothing happens. */
    ck_assert_int_eq(nursery_reap(nursery, getpid()), 0);
    ck_assert_int_eq(run_returning(nursery, 5).code, 5);
    nursery_stop(&nursery);
}
END_TEST

/* Stopped, so that nothing is taken: all orders wait with the owner. */
START_TEST(never_blocks)
{
    static char data[64 << 10] = { DO_EXIT };
    enum { MANY = 64 };
    struct nursery *nursery = start();
    struct nursery_event event, events[MANY];

    kill(nursery_pid(nursery), SIGSTOP);
    ck_assert(watch_until(nursery_pid(nursery), 'T'));
    for (unsigned i = 0; i < MANY; i++)
        order(nursery, i, data, sizeof data);
    ck_assert_int_eq(nursery_next(nursery, &event), 0);
    kill(nursery_pid(nursery), SIGCONT);
    for (unsigned i = 0; i < MANY; i++)
        events[i] = forked(nursery, i);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(reaped(nursery, &events[i]).code, 0);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(many_workers)
{
    enum { MANY = 64 };
    struct nursery *nursery = start();
    struct nursery_event events[MANY];
    int before = watch_fds();

    for (uint64_t i = 0; i < MANY; i++)
        order(nursery, i, "p", 1);
    for (uint64_t i = 0; i < MANY; i++)
        events[i] = forked(nursery, i);
    for (int i = 0; i < MANY; i += 2)
        kill(events[i].pid, SIGKILL);
    for (int i = 0; i < MANY; i += 2) {
        struct exit_record exit = reaped(nursery, &events[i]);

        ck_assert(exit.signaled && exit.code == SIGKILL);
    }
    /* The others go with the nursery. */
    nursery_stop(&nursery);
    for (int i = 1; i < MANY; i += 2) {
        ck_assert(watch_gone(events[i].pid));
        fd_close(&events[i].pidfd);
    }
    ck_assert_int_lt(watch_fds(), before);
}
END_TEST

/* Asked for before it is dead: reaped when it is. */
START_TEST(reaped_later)
{
    struct nursery *nursery = start();
    struct nursery_event event, end;

    order(nursery, 7, "p", 1);
    event = forked(nursery, 7);
    ck_assert_int_eq(nursery_reap(nursery, event.pid), 0);
    ck_assert_int_eq(run_returning(nursery, 4).code, 4);
    kill(event.pid, SIGTERM);
    end = watch_kind(nursery, NURSERY_REAPED);
    ck_assert_int_eq(end.pid, event.pid);
    ck_assert_int_eq(end.exit.code, SIGTERM);
    close(event.pidfd);
    nursery_stop(&nursery);
}
END_TEST

/* The owner's host may ignore SIGCHLD or reap all that it finds. */
START_TEST(host_ignores_sigchld)
{
    struct nursery *nursery;

    signal(SIGCHLD, SIG_IGN);
    nursery = start();
    ck_assert_int_eq(run_returning(nursery, 3).code, 3);
    nursery_stop(&nursery);
}
END_TEST

START_TEST(no_descriptor_lost)
{
    int before = watch_fds();

    for (int i = 0; i < 5; i++) {
        struct nursery *nursery = start();

        ck_assert_int_eq(run_returning(nursery, i).code, i);
        nursery_stop(&nursery);
    }
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

START_TEST(descriptors_kept)
{
    int ends[2], other[2];
    struct nursery_spec spec = { .worker = worker,
                                 .keep = &ends[1],
                                 .keep_count = 1 };
    struct nursery *nursery;
    uint64_t sum;
    struct nursery_order o = { .id = 5, .data = "w", .size = 1 };
    struct nursery_event event;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(other, O_CLOEXEC), 0);
    ck_assert_int_eq(nursery_start(&spec, &nursery, NULL, NULL, NULL, NULL), 0);
    close(other[1]);
    ck_assert_int_eq(read(other[0], &sum, 1), 0); /* closed in the nursery */
    o.fds[0] = ends[1];
    o.fd_count = 1;
    ck_assert_int_eq(nursery_fork(nursery, &o), 0);
    event = forked(nursery, 5);
    watch_read(ends[0], &sum, sizeof sum);
    reaped(nursery, &event);
    nursery_stop(&nursery);
}
END_TEST

/* -------------------------------------------------------- preparing ---- */

static int prepare_long(void *arg, struct buf *reply)
{
    (void)arg;
    for (int i = 0; i < 100000; i++)
        buf_u64(reply, (uint64_t)i);
    return 0;
}

START_TEST(long_reply)
{
    const struct nursery_spec spec = { .worker = worker,
                                       .prepare = prepare_long,
                                       .prepare_timeout_ns = BOUND_NS };
    struct nursery *nursery;
    struct buf reply = { 0 };

    ck_assert_int_eq(nursery_start(&spec, &nursery, &reply, NULL, NULL, NULL),
                     0);
    ck_assert_uint_eq(reply.size, 800000);
    for (uint64_t i = 0; i < 100000; i++)
        ck_assert(memcmp(reply.data + 8 * i, &i, 8) == 0);
    buf_done(&reply);
    nursery_stop(&nursery);
}
END_TEST

static int prepare_badly(void *arg, struct buf *reply)
{
    buf_add(reply, "so far", 6);
    nursery_busy_with("a first thing");
    nursery_busy_with("libbad.so");
    switch (*(int *)arg) {
    case 0:
        return WEIR_EPLUGIN;
    case 1:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        return 0;
    case 2:
        for (;;)
            pause();
    case 3:
        exit(0);
    default:
        close_range(3, ~0u, 0);
        return 0;
    }
}

START_TEST(prepare_goes_wrong)
{
    static const char *const words[] = {
        "loading failed",
        "killed by SIGSEGV",
        "took longer than",
        "ended by a call of exit",
        "exit",
    };
    int before = watch_fds();
    const struct nursery_spec spec = {
        .worker = worker,
        .arg = &_i,
        .prepare = prepare_badly,
        .prepare_timeout_ns = _i == 2 ? 50 * NS_PER_MS : BOUND_NS,
    };
    struct exit_record exit = { .code = -1 };
    struct nursery *nursery = NULL;
    struct buf reply = { 0 };
    weir_error err = { 0 };
    char busy[256] = "";

    ck_assert_int_eq(nursery_start(&spec, &nursery, &reply, busy, &exit, &err),
                     WEIR_EPLUGIN);
    ck_assert_ptr_null(nursery);
    ck_assert_str_eq(busy, "libbad.so");
    ck_assert_msg(strstr(err.text, words[_i]) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "libbad.so") != NULL, "%s", err.text);
    if (_i == 0)
        ck_assert_str_eq(reply.data, "so far");
    if (_i == 1)
        ck_assert(exit.signaled && exit.code == SIGSEGV);
    if (_i == 2)
        ck_assert(exit.signaled && exit.code == SIGKILL);
    if (_i == 3)
        ck_assert(!exit.signaled && exit.code == 0);
    buf_done(&reply);
    ck_assert_int_eq(watch_fds(), before);
}
END_TEST

START_TEST(bad_specs)
{
    struct nursery *nursery = NULL;
    const struct nursery_spec spec = { 0 };

    ck_assert_int_eq(nursery_start(NULL, &nursery, NULL, NULL, NULL, NULL),
                     WEIR_EINVAL);
    ck_assert_int_eq(nursery_start(&spec, &nursery, NULL, NULL, NULL, NULL),
                     WEIR_EINVAL);
    nursery_busy_with("nothing: this is no nursery");
}
END_TEST

/* ------------------------------------------------------------ refused ---- */

static int prepare_limited(void *arg, struct buf *reply)
{
    struct rlimit none = { 0, 0 };

    (void)arg;
    (void)reply;
    /* The limit does not hold for root. */
    if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        return -EPERM;
    return setrlimit(RLIMIT_NPROC, &none) != 0 ? -errno : 0;
}

static int prepare_few_fds(void *arg, struct buf *reply)
{
    int last = dup(0);
    struct rlimit few = { (rlim_t)last + 4, (rlim_t)last + 4 };

    (void)arg;
    (void)reply;
    close(last);
    /* Room for its own three, none for a pidfd. */
    few.rlim_cur = few.rlim_max = (rlim_t)last + 3;
    return setrlimit(RLIMIT_NOFILE, &few) != 0 ? -errno : 0;
}

START_TEST(fork_refused)
{
    const struct nursery_spec spec = {
        .worker = worker,
        .prepare = _i == 0 ? prepare_limited : prepare_few_fds,
        .prepare_timeout_ns = BOUND_NS,
    };
    struct nursery *nursery;
    struct nursery_event event;
    weir_error err = { 0 };

    ck_assert_msg(nursery_start(&spec, &nursery, NULL, NULL, NULL, &err) == 0,
                  "%s", err.text);
    for (uint64_t i = 0; i < 3; i++) {
        order(nursery, i, "p", 1);
        event = watch_kind(nursery, NURSERY_REFUSED);
        ck_assert_uint_eq(event.id, i);
        ck_assert_int_eq(event.code, _i == 0 ? -EAGAIN : -EMFILE);
    }
    nursery_stop(&nursery);
}
END_TEST

/* The owner itself has no room for a pidfd. */
START_TEST(owner_full)
{
    struct nursery *nursery = start();
    struct nursery_event event;
    struct rlimit limit, tight;
    int last = dup(0);

    close(last);
    getrlimit(RLIMIT_NOFILE, &limit);
    tight = limit;
    tight.rlim_cur = (rlim_t)last;
    order(nursery, 1, "p", 1);
    setrlimit(RLIMIT_NOFILE, &tight);
    event = watch_event(nursery);
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_int_eq(event.kind, NURSERY_REFUSED);
    ck_assert_uint_eq(event.id, 1);
    ck_assert_int_eq(event.code, -EMFILE);
    ck_assert_int_eq(run_returning(nursery, 8).code, 8);
    nursery_stop(&nursery);
}
END_TEST

Suite *nursery_suite(void)
{
    Suite *suite = suite_create("nursery");
    TCase *orders = tcase_create("orders");
    TCase *preparing = tcase_create("preparing");
    TCase *refusing = tcase_create("refusing");

    tcase_set_timeout(orders, 60);
    tcase_add_checked_fixture(orders, children_setup, children_teardown);
    tcase_add_test(orders, statuses_told_apart);
    tcase_add_test(orders, values_refused);
    tcase_add_test(orders, memory_as_at_birth);
    tcase_add_test(orders, worker_is_clean);
    tcase_add_test(orders, orders_carry_bytes_and_descriptors);
    tcase_add_test(orders, bad_orders);
    tcase_add_test(orders, never_blocks);
    tcase_add_test(orders, many_workers);
    tcase_add_test(orders, reaped_later);
    tcase_add_test(orders, host_ignores_sigchld);
    tcase_add_test(orders, no_descriptor_lost);
    tcase_add_test(orders, descriptors_kept);
    suite_add_tcase(suite, orders);
    tcase_set_timeout(preparing, 60);
    tcase_add_checked_fixture(preparing, children_setup, children_teardown);
    tcase_add_test(preparing, long_reply);
    tcase_add_loop_test(preparing, prepare_goes_wrong, 0, 5);
    tcase_add_test(preparing, bad_specs);
    suite_add_tcase(suite, preparing);
    tcase_set_timeout(refusing, 60);
    tcase_add_checked_fixture(refusing, children_setup, children_teardown);
    tcase_add_loop_test(refusing, fork_refused, 0, 2);
    tcase_add_test(refusing, owner_full);
    suite_add_tcase(suite, refusing);
    return suite;
}
