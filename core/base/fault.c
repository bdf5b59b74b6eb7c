/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.c - named points and mutations, for tests. Any process, any thread.
 *
 * Built with WEIR_FAULTS only; else nothing of it is left. It allocates
 * nothing and takes no lock, since points stand inside critical sections and
 * right after a fork; and it keeps errno, since they stand behind system calls.
 */
#include "config.h"

#include "base/clock.h"
#include "base/fault.h"

#if WEIR_FAULTS

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    NAMES_MOST = 1024,
    SPEC_ROOM = 1024,
    MUTANT_ROOM = 64,
};

/* One of the comma-separated parts: at the nth passing of point, the signal. */
struct order {
    const char *point;
    uint64_t nth;
    int signal;
    struct fault_count *count;
};

static struct order orders[FAULT_ORDERS];
static unsigned order_count;
static struct fault_count counts[FAULT_ORDERS]; /* of this process */
static struct fault_count *shared;              /* or of all; NULL: none */
static const char *names[NAMES_MOST];           /* traced already */
static unsigned name_count;
static char spec_copy[SPEC_ROOM]; /* orders point into it */
static char trace_path[PATH_MAX];
static char mutant[MUTANT_ROOM];
static bool awake; /* some order or the trace */

static const struct {
    const char *name;
    int signal;
} actions[] = {
    { "kill", SIGKILL },
    { "stop", SIGSTOP },
    { "abort", SIGABRT },
};

/* A test whose order is not understood would test nothing, so it is told. */
static void complain(const char *what)
{
    static const char before[] = "fault: cannot be understood: ";
    ssize_t put;

    put = write(STDERR_FILENO, before, sizeof before - 1);
    put = write(STDERR_FILENO, what, strlen(what));
    put = write(STDERR_FILENO, "\n", 1);
    (void)put;
}

/* Cuts the text up to @separator off *text; NULL when nothing is left. */
static char *cut(char **text, const char *separator)
{
    return *text ? strsep(text, separator) : NULL;
}

static bool read_number(const char *text, int64_t *value_out)
{
    char *end;

    errno = 0;
    *value_out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static int signal_of(const char *action)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(actions[i].name, action) == 0)
            return actions[i].signal;
    }
    return 0;
}

/* point:nth:action[:member]; an order for another member is left out. */
static bool add_order(char *text, int member, unsigned place)
{
    const char *point = cut(&text, ":");
    const char *nth = cut(&text, ":");
    const char *action = cut(&text, ":");
    int64_t number;
    int64_t whom = member;

    if (!point || !*point || !nth || !action || signal_of(action) == 0 ||
        !read_number(nth, &number) || number < 1 ||
        (text && !read_number(text, &whom)))
        return false;
    if (whom != member)
        return true;
    if (place >= FAULT_ORDERS)
        return false;
    orders[order_count++] = (struct order){
        .point = point,
        .nth = (uint64_t)number,
        .signal = signal_of(action),
        .count = shared ? &shared[place] : &counts[place],
    };
    return true;
}

/* Copies a text of the environment; too long is as good as wrong. */
static void copy(char *out, size_t room, const char *text)
{
    size_t size = text ? strlen(text) : 0;

    if (size >= room) {
        complain(text);
        size = 0;
    }
    memcpy(out, size > 0 ? text : "", size);
    out[size] = '\0';
}

/* The mapping is handed down by fork, and never taken away. */
static void share_counts(void)
{
    const char *path = getenv("WEIR_FAULT_COUNTS");
    void *at = MAP_FAILED;
    int fd;

    if (!path || shared)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        at = mmap(NULL, sizeof counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                  0);
        close(fd);
    }
    if (at == MAP_FAILED)
        complain(path);
    else
        shared = at;
}

void fault_start(const char *spec, int member)
{
    int saved = errno;
    char *rest = spec_copy;

    order_count = name_count = 0;
    memset(names, 0, sizeof names);
    memset(counts, 0, sizeof counts);
    share_counts();
    copy(spec_copy, sizeof spec_copy, spec ? spec : getenv("WEIR_FAULT"));
    copy(trace_path, sizeof trace_path, getenv("WEIR_FAULT_TRACE"));
    copy(mutant, sizeof mutant, getenv("WEIR_MUTANT"));
    for (unsigned place = 0; *spec_copy && rest; place++) {
        char *order = cut(&rest, ",");
        char shown[SPEC_ROOM];

        strcpy(shown, order);
        if (!add_order(order, member, place))
            complain(shown);
    }
    awake = order_count > 0 || trace_path[0];
    errno = saved;
}

static void obey(struct order *order)
{
    struct fault_count *count = order->count;
    uint64_t passed = __atomic_add_fetch(&count->passed, 1, __ATOMIC_RELAXED);

    if (passed != order->nth)
        return;
    count->when_ns = clock_now();
    prctl(PR_GET_NAME, count->who, 0, 0, 0);
    /* Not raise: it blocks signals, and takes libc's idea of the thread. */
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), order->signal);
}

static bool is_traced(const char *name)
{
    for (size_t i = 0; i < NAMES_MOST; i++) {
        const char *old = __atomic_load_n(&names[i], __ATOMIC_RELAXED);

        if (!old)
            return false;
        if (old == name || strcmp(old, name) == 0)
            return true;
    }
    return true; /* the table is full */
}

/* One write for each name, so that processes never mix their lines. Two
 * threads at once may write a name twice. The file is not kept open: whoever
 * closes all descriptors after a fork would close it, too. */
static void trace(const char *name)
{
    char line[128];
    size_t size = strlen(name);
    unsigned slot;
    ssize_t put;
    int fd;

    if (is_traced(name) || size >= sizeof line)
        return;
    slot = __atomic_fetch_add(&name_count, 1, __ATOMIC_RELAXED);
    if (slot >= NAMES_MOST)
        return;
    __atomic_store_n(&names[slot], name, __ATOMIC_RELAXED);
    fd = open(trace_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    memcpy(line, name, size);
    line[size] = '\n';
    put = write(fd, line, size + 1);
    (void)put;
    close(fd);
}

void fault_point(const char *name)
{
    int saved = errno;

    if (!awake)
        return;
    if (trace_path[0])
        trace(name);
    for (unsigned i = 0; i < order_count; i++) {
        if (strcmp(orders[i].point, name) == 0)
            obey(&orders[i]);
    }
    errno = saved;
}

bool fault_mutated(const char *name)
{
    return mutant[0] && strcmp(mutant, name) == 0;
}

#endif
