/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch.c - waiting with a bound, looking at processes. See watch.h. */
#include "config.h"

#include <dirent.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

bool watch_readable(int fd)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };
    int64_t deadline = clock_deadline(BOUND_NS);
    int got;

    do {
        got = poll(&poller, 1, clock_poll_ms(clock_left(deadline)));
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

void watch_read(int fd, void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got;

        ck_assert_msg(watch_readable(fd), "nothing came in time");
        got = read(fd, (char *)data + at, size - at);
        ck_assert_int_gt(got, 0);
        at += (size_t)got;
    }
}

int watch_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

char watch_state(pid_t pid)
{
    struct stat_line line;

    return stat_read(pid, &line) == 0 ? line.state : 0;
}

/* No event tells of another's state: look again soon, within the bound. */
static void pause_a_little(void)
{
    struct timespec little = { .tv_nsec = 2 * NS_PER_MS };

    nanosleep(&little, NULL);
}

bool watch_until(pid_t pid, char state)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    while (watch_state(pid) != state) {
        if (clock_left(deadline) == 0)
            return false;
        pause_a_little();
    }
    return true;
}

bool watch_gone(pid_t pid)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    for (;;) {
        char state = watch_state(pid);

        if (state == 0 || state == 'Z' || state == 'X')
            return true;
        if (clock_left(deadline) == 0)
            return false;
        pause_a_little();
    }
}

struct nursery_event watch_event(struct nursery *nursery)
{
    struct nursery_event event;

    for (;;) {
        int got = nursery_next(nursery, &event);

        ck_assert_int_ge(got, 0);
        if (got == 1)
            return event;
        ck_assert_msg(watch_readable(nursery_fd(nursery)), "no event came");
    }
}

struct nursery_event watch_kind(struct nursery *nursery,
                                enum nursery_event_kind kind)
{
    struct nursery_event event = watch_event(nursery);

    ck_assert_int_eq(event.kind, kind);
    return event;
}
