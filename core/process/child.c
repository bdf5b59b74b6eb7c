/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.c - runs in a child of a context, from its first step on; and the
 * questions that it may ask about itself and its parent. (A program asks the
 * same of itself before it has children: it has no name of ours, and no
 * number.)
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/child.h"
#include "process/context.h"
#include "process/helper.h"
#include "process/serve.h"
#include "process/terminal.h"

struct weir_child {
    char name[NAME_MOST + 1];
    char identity[IDENTITY_MOST + 1];
    const char *argument;
    size_t argument_size;
    struct lineage parent;
    int parent_fd; /* -1: not asked for yet */
    weir_queue *queues[FD_MESSAGE_FDS];
    size_t queue_count;
};

/* A process is the child of one context at most. */
static weir_child the_child;
static weir_child *current;
static atomic_uint next_number; /* of its own children */

void child_lineage(struct lineage *lineage_out)
{
    struct stat_line line = { 0 };

    stat_read(getpid(), &line);
    *lineage_out = (struct lineage){ .pid = getpid(),
                                     .start_ticks = line.start_ticks };
    snprintf(lineage_out->name, sizeof lineage_out->name, "%s",
             current != NULL ? current->name : "MainProcess");
}

const char *child_identity(void)
{
    return current != NULL ? current->identity : "";
}

unsigned child_next_number(void)
{
    return atomic_fetch_add(&next_number, 1) + 1;
}

void child_enter(const struct lineage *parent, const char *name)
{
    the_child = (weir_child){ .argument = "",
                              .parent = *parent,
                              .parent_fd = -1 };
    snprintf(the_child.name, sizeof the_child.name, "%s", name);
    current = &the_child;
    atomic_store(&next_number, 0);
}

/* -------------------------------------------------- what the order says ----
 */

struct setup {
    struct reader in;
    struct weir_child *child;
    const struct helper_service *const *services;
    uint32_t flags;
    int fds[FD_MESSAGE_FDS]; /* of the order; a taken one is -1 */
    size_t fd_count;
    size_t fd_next;
    struct serve_report report; /* text: what is being done */
};

static void doing(struct setup *setup, const char *format, ...)
    WEIR_PRINTF(2, 3);
static void doing(struct setup *setup, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(setup->report.text, sizeof setup->report.text, format, args);
    va_end(args);
}

static bool is_number(const uint32_t *numbers, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if ((int)numbers[i] == fd)
            return true;
    return false;
}

/* No descriptor of ours stands on a number that is to be another's. */
static int make_way(struct setup *setup, const uint32_t *wanted, size_t count)
{
    int above = 3;

    for (size_t i = 0; i < count; i++)
        if ((int)wanted[i] >= above)
            above = (int)wanted[i] + 1;
    for (size_t i = 0; i < count; i++) {
        int code = nursery_make_way((int)wanted[i], above);

        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < setup->fd_count; i++) {
        int moved;

        if (!is_number(wanted, count, setup->fds[i]))
            continue;
        moved = fcntl(setup->fds[i], F_DUPFD_CLOEXEC, above);
        if (moved < 0)
            return -errno;
        close(setup->fds[i]);
        setup->fds[i] = moved;
    }
    return 0;
}

static int place_descriptors(struct setup *setup)
{
    uint32_t wanted[FD_MESSAGE_FDS];
    size_t count = read_u32(&setup->in);
    int code;

    if (count > setup->fd_count - setup->fd_next)
        return WEIR_EINVAL;
    for (size_t i = 0; i < count; i++)
        wanted[i] = read_u32(&setup->in);
    doing(setup, "cannot give it descriptors");
    code = make_way(setup, wanted, count);
    for (size_t i = 0; i < count && code == 0; i++) {
        int *fd = &setup->fds[setup->fd_next++];

        doing(setup, "cannot give it descriptor %u", wanted[i]);
        code = fd_put_at(*fd, (int)wanted[i]);
        fd_close(fd);
    }
    if (code == 0 && setup->flags & START_TERMINAL) {
        doing(setup, "cannot give it the terminal");
        code = terminal_take(setup->child->parent.pid);
    }
    return code;
}

static int adopt_queues(struct setup *setup)
{
    const struct helper_service *const *service = setup->services;

    while (*service != NULL && (*service)->queue_adopt == NULL)
        service++;
    for (; setup->fd_next < setup->fd_count; setup->fd_next++) {
        weir_child *child = setup->child;
        int code = WEIR_ESTATE;

        doing(setup, "cannot give it queue %zu", child->queue_count);
        if (*service != NULL)
            code = (*service)->queue_adopt(setup->fds[setup->fd_next],
                                           &child->queues[child->queue_count]);
        if (code != 0)
            return code;
        child->queue_count++;
    }
    return 0;
}

/* The texts stay in the order, which stays as long as the child. */
static int set_environment(struct setup *setup)
{
    size_t count = read_u32(&setup->in); /* and one; 0: as it is */
    char **list;

    if (count == 0)
        return 0;
    doing(setup, "cannot set its environment");
    list = calloc(count, sizeof *list);
    if (list == NULL)
        return WEIR_ENOMEM;
    for (size_t i = 0; i + 1 < count; i++)
        list[i] = (char *)read_text(&setup->in);
    environ = list;
    return 0;
}

static int change_folder(struct setup *setup)
{
    const char *folder = read_text(&setup->in);

    if (*folder == '\0')
        return 0;
    doing(setup, "cannot change to folder '%s'", folder);
    return chdir(folder) < 0 ? -errno : 0;
}

static int set_nice(struct setup *setup)
{
    int by = (int)read_u32(&setup->in);

    if (by == 0)
        return 0;
    doing(setup, "cannot change its niceness by %d", by);
    errno = 0;
    return nice(by) == -1 && errno != 0 ? -errno : 0;
}

static int set_limits(struct setup *setup)
{
    size_t count = read_u32(&setup->in);

    for (size_t i = 0; i < count; i++) {
        uint32_t resource = read_u32(&setup->in);
        uint64_t soft = read_u64(&setup->in);
        struct rlimit limit;

        doing(setup, "cannot set its limit of resource %u to %llu", resource,
              (unsigned long long)soft);
        if (getrlimit(resource, &limit) < 0)
            return -errno;
        limit.rlim_cur = soft == WEIR_UNLIMITED ? limit.rlim_max : (rlim_t)soft;
        if (setrlimit(resource, &limit) < 0)
            return -errno;
    }
    return 0;
}

/* Descriptors first, while there are all to work with; limits last. */
static int set_up(struct setup *setup)
{
    static int (*const steps[])(struct setup * setup) = {
        place_descriptors, adopt_queues, set_environment,
        change_folder,     set_nice,     set_limits,
    };
    int code = 0;

    for (size_t i = 0; i < sizeof steps / sizeof *steps && code == 0; i++)
        code = steps[i](setup);
    return code == 0 && setup->in.bad ? WEIR_EINVAL : code;
}

static void report(struct setup *setup, int fd, int code)
{
    setup->report.code = code;
    if (fd >= 0)
        (void)!write(fd, &setup->report, sizeof setup->report);
}

static int (*read_order(struct setup *setup))(weir_child *self)
{
    weir_child *child = setup->child;
    int (*run)(weir_child * self);
    uint64_t address;

    read_u32(&setup->in); /* SERVE_START */
    setup->flags = read_u32(&setup->in);
    address = read_u64(&setup->in);
    memcpy(&run, &address, sizeof run);
    snprintf(child->name, sizeof child->name, "%s", read_text(&setup->in));
    snprintf(child->identity, sizeof child->identity, "%s",
             read_text(&setup->in));
    child->argument = read_counted(&setup->in, &child->argument_size);
    return setup->in.bad ? NULL : run;
}

int child_main(const struct helper_service *const *services,
               const struct nursery_order *order)
{
    struct setup setup = { .in = { .data = order->data, .size = order->size },
                           .child = current,
                           .services = services,
                           .fd_count = order->fd_count };
    int (*run)(weir_child * self) = read_order(&setup);
    int code, returned;

    memcpy(setup.fds, order->fds, order->fd_count * sizeof *order->fds);
    if (run == NULL)
        return EXIT_REFUSED;
    if (setup.flags & START_REPORT)
        setup.fd_next = 1;
    code = set_up(&setup);
    report(&setup, setup.flags & START_REPORT ? setup.fds[0] : -1, code);
    if (setup.flags & START_REPORT)
        fd_close(&setup.fds[0]);
    if (code != 0)
        return EXIT_REFUSED;
    prctl(PR_SET_NAME, current->name, 0, 0, 0);
    returned = run(current);
    context_finish_all(); /* its own children, as their options say */
    return returned;
}

/* ---------------------------------------------------------- questions ---- */

weir_child *weir_child_current(void)
{
    return current;
}

const void *weir_child_argument(const weir_child *self, size_t *size_out)
{
    if (size_out != NULL)
        *size_out = self->argument_size;
    return self->argument;
}

const char *weir_child_name(const weir_child *self)
{
    return self->name;
}

pid_t weir_child_parent_pid(const weir_child *self)
{
    return self->parent.pid;
}

const char *weir_child_parent_name(const weir_child *self)
{
    return self->parent.name;
}

/* Its number may be another's by now: who has it must have started when the
 * parent did. Looked at when the pidfd is there: then it is the same process.
 */
int weir_child_parent_fd(weir_child *self)
{
    const struct lineage *parent = &self->parent;
    struct stat_line line;
    int fd;

    if (self->parent_fd >= 0)
        return self->parent_fd;
    fd = pidfd_open(parent->pid, 0);
    if (fd < 0)
        return -errno;
    if (parent->start_ticks != 0 && (stat_read(parent->pid, &line) != 0 ||
                                     line.start_ticks != parent->start_ticks)) {
        close(fd);
        return -ESRCH;
    }
    self->parent_fd = fd;
    return fd;
}

int weir_child_parent_alive(weir_child *self)
{
    struct pollfd poller = { .fd = weir_child_parent_fd(self),
                             .events = POLLIN };

    if (poller.fd < 0) /* no descriptor left: it is as good as alive */
        return poller.fd != -ESRCH;
    return poll(&poller, 1, 0) == 0;
}

weir_queue *weir_child_queue(const weir_child *self, size_t index)
{
    return index < self->queue_count ? self->queues[index] : NULL;
}

size_t weir_child_queue_count(const weir_child *self)
{
    return self->queue_count;
}
