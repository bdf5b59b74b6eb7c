/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flow.c - the owner: forks, kills, recovers, closes. See flow.h; what members
 * do stands in flow_member.c, what must come of it in flow_check.c. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/flow_run.h"

static enum flow_role role_of(const struct flow *flow, unsigned number)
{
    return number == 0               ? FLOW_SOURCE
           : number <= flow->workers ? FLOW_WORKER
                                     : FLOW_APPENDER;
}

static void ask(struct run *run, enum flow_role role, struct flow_order *order)
{
    const struct flow *flow = run->flow;

    if (flow->plan != NULL && run->result->kills < flow->deaths)
        flow->plan->order(flow->plan->arg, role, order);
}

/* In a child. */
static void become(const struct run *run, enum flow_role role, const char *spec)
{
    const struct flow_plan *plan = run->flow->plan;
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (plan != NULL && plan->traces[role] != NULL)
        setenv("WEIR_FAULT_TRACE", plan->traces[role], 1);
    fault_start(spec, -1);
}

static void fork_member(struct run *run, unsigned number)
{
    const struct flow *flow = run->flow;
    struct flow_order order = { .nth = 1 };
    char spec[128] = "";
    pid_t pid;

    ask(run, role_of(flow, number), &order);
    if (flow->plan == NULL && flow->point != NULL &&
        run->result->kills < flow->deaths &&
        (flow->member < 0 || flow->member == (int)number))
        snprintf(spec, sizeof spec, "%s:%u:kill%s%s", flow->point,
                 flow->nth +
                     (flow->exact ? 0 : (unsigned)rand_r(&run->seed) % 3),
                 flow->also != NULL ? "," : "",
                 flow->also != NULL ? flow->also : "");
    if (order.point != NULL)
        snprintf(spec, sizeof spec, "%s:%u:kill", order.point, order.nth);
    run->points[number] = order.point;
    fflush(NULL);
    pid = fork();
    if (pid != 0) {
        run->pids[number] = pid;
        return;
    }
    become(run, role_of(flow, number), spec);
    flow_member(run, number);
}

static bool all_ended(const struct run *run, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++)
        if (!run->ended[i])
            return false;
    return true;
}

void fault_is(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->result->fault[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(run->result->fault, sizeof run->result->fault, format, args);
    va_end(args);
}

/* False: there is none. */
static bool kill_one(struct run *run)
{
    unsigned from = (unsigned)rand_r(&run->seed);

    for (unsigned i = 0; i < run->members; i++) {
        unsigned number = (from + i) % run->members;

        if (run->pids[number] == 0)
            continue;
        kill(run->pids[number], SIGKILL);
        run->points[number] = NULL;
        return true;
    }
    return false;
}

/* ---------------------------------------------- what the owner does ---- */

/* Recovers a member; closes a queue. May be ended and done again. */
struct deed {
    int (*act)(struct segment *segment, unsigned number, int signal);
    unsigned number;
    int signal;
};

static int recover_it(struct segment *segment, unsigned number, int signal)
{
    return member_recover(segment, number, CAUSE_SIGNAL, signal, NULL);
}

static int close_it(struct segment *segment, unsigned number, int signal)
{
    (void)signal;
    return queue_close(segment, number);
}

/* The owner has stopped where it was to. True: it is ended there. */
static bool interfere(struct run *run, pid_t pid,
                      const struct flow_order *order, struct flow_event *event)
{
    struct flow_order *came = &event->amid[event->amids++];

    *came = *order;
    if (order->other)
        came->other = kill_one(run);
    kill(pid, order->ends ? SIGKILL : SIGCONT);
    return order->ends;
}

/* In a process that dies, or stops, at such a point. Returns whether it has
 * come to its end. */
static bool do_apart(struct run *run, const struct deed *deed,
                     const struct flow_order *order, struct flow_event *event,
                     int *code_out)
{
    bool ends = false;
    char spec[128];
    int status;
    pid_t pid;

    snprintf(spec, sizeof spec, "%s:%u:stop", order->point, order->nth);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        become(run, FLOW_OWNER, spec);
        _exit(-deed->act(run->segment, deed->number, deed->signal));
    }
    while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
        ends = interfere(run, pid, order, event);
    *code_out = WIFEXITED(status) ? -WEXITSTATUS(status) : 0;
    return !ends;
}

static int do_deed(struct run *run, const struct deed *deed,
                   struct flow_event *event)
{
    unsigned most = sizeof event->amid / sizeof *event->amid;

    for (unsigned again = 0; event->amids < most; again++) {
        struct flow_order order = { .nth = 1,
                                    .closes = deed->act == close_it,
                                    .again = again };
        int code;

        ask(run, FLOW_OWNER, &order);
        if (order.point == NULL)
            break;
        if (do_apart(run, deed, &order, event, &code))
            return code;
    }
    return deed->act(run->segment, deed->number, deed->signal);
}

static void tell(const struct run *run, const struct flow_event *event)
{
    const struct flow_plan *plan = run->flow->plan;

    if (plan != NULL && plan->happened != NULL)
        plan->happened(plan->arg, event);
}

static void close_queue(struct run *run, unsigned queue)
{
    const struct deed deed = { close_it, queue, 0 };
    struct flow_event event = { 0 };
    int code = do_deed(run, &deed, &event);

    if (code < 0)
        fault_is(run, "queue %u was not closed: %s", queue,
                 weir_strerror(code));
    tell(run, &event);
}

/* -------------------------------------------------------------- deaths ---- */

struct gone {
    unsigned number;
    int status;
};

static void mourn(struct run *run, const struct gone *gone,
                  struct flow_event *event)
{
    unsigned number = gone->number;
    int status = gone->status;
    const struct deed deed = { recover_it, number,
                               WIFSIGNALED(status) ? WTERMSIG(status) : 0 };
    int code = do_deed(run, &deed, event);

    if (code < 0)
        fault_is(run, "member %u was not recovered: %s", number,
                 weir_strerror(code));
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG_PAYLOAD)
        fault_is(run, "member %u got a wrong payload", number);
    else if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG_WORKER)
        fault_is(run, "member %u got what another had", number);
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fault_is(run, "member %u ended with %d", number, WEXITSTATUS(status));
    run->result->kills += WIFSIGNALED(status) != 0;
    run->ended[number] = member_book(run->segment, number)->ended != 0;
}

/* Forked again unless it had ended. */
static void replace(struct run *run, unsigned number)
{
    const struct flow *flow = run->flow;

    if (!run->ended[number])
        fork_member(run, number);
    else if (number == 0)
        close_queue(run, 0);
    else if (number <= flow->workers && all_ended(run, 1, flow->workers))
        for (unsigned q = 1; q < run->queues; q++)
            close_queue(run, q);
}

static unsigned number_of(const struct run *run, pid_t pid);
static pid_t await(struct run *run, int64_t deadline_ns, int *status_out);

static bool anybody(const struct run *run)
{
    unsigned number = 0;

    while (number < run->members && run->pids[number] == 0)
        number++;
    return number < run->members;
}

static void note_gone(struct run *run, struct gone *gone,
                      struct flow_event *event)
{
    unsigned number = gone->number;

    run->pids[number] = 0;
    if (!WIFSIGNALED(gone->status) || event->gone == 2)
        return;
    event->dead[event->gone].role = role_of(run->flow, number);
    event->dead[event->gone++].point = run->points[number];
}

/* Until two are dead; a short while for one to die where it is to, then of any
 * of those that are left. Returns how many are gone by then. */
static unsigned await_second(struct run *run, struct gone *gone,
                             struct flow_event *event)
{
    int64_t patience = clock_deadline(3 * NS_PER_MS);
    unsigned count = 1;

    while (event->gone == 1 && anybody(run)) {
        pid_t pid = await(run, patience, &gone[count].status);

        if (pid > 0) {
            gone[count].number = number_of(run, pid);
            note_gone(run, &gone[count++], event);
        } else if (clock_left(patience) == 0) {
            kill_one(run);
            patience = clock_deadline(3 * NS_PER_MS);
        }
    }
    return count;
}

/* All that are dead are recovered, and only then is one forked again. */
static void bury(struct run *run, unsigned number, int status)
{
    struct gone gone[MEMBERS] = { { number, status } };
    struct flow_event event = { 0 };
    unsigned count = 1, from;

    note_gone(run, gone, &event);
    if (run->flow->plan != NULL && run->flow->plan->two && event.gone == 1 &&
        run->result->kills < run->flow->deaths)
        count = await_second(run, gone, &event);
    from = count > 1 ? (unsigned)rand_r(&run->seed) % count : 0;
    for (unsigned i = 0; i < count; i++)
        mourn(run, &gone[(i + from) % count], &event);
    tell(run, &event);
    for (unsigned i = 0; i < count && run->result->fault[0] == '\0'; i++)
        replace(run, gone[i].number);
}

static unsigned number_of(const struct run *run, pid_t pid)
{
    unsigned number = 0;

    while (number < run->members && run->pids[number] != pid)
        number++;
    return number;
}

/* The next one that is gone; 0: none until then. */
static pid_t await(struct run *run, int64_t deadline_ns, int *status_out)
{
    pid_t pid = waitpid(-1, status_out, WNOHANG);
    int64_t left = clock_left(deadline_ns);
    struct timespec most = { .tv_sec = left / NS_PER_S,
                             .tv_nsec = left % NS_PER_S };

    if (pid != 0 || left == 0)
        return pid;
    sigtimedwait(&run->child, NULL, &most);
    return waitpid(-1, status_out, WNOHANG);
}

static void supervise(struct run *run)
{
    const struct flow *flow = run->flow;
    int64_t deadline = clock_deadline(flow->limit_ms * NS_PER_MS);
    int64_t sweep = clock_deadline(NS_PER_S / 20);
    unsigned kills = flow->kills;

    while (!all_ended(run, 0, run->members) && run->result->fault[0] == '\0') {
        struct timespec nap = { .tv_nsec = 1 +
                                           (long)rand_r(&run->seed) % 600000 };
        int status;
        pid_t pid = await(run, kills > 0 ? 0 : clock_deadline(NS_PER_S / 50),
                          &status);

        if (pid > 0) {
            bury(run, number_of(run, pid), status);
            continue;
        }
        if (clock_left(deadline) == 0)
            fault_is(run, "it stands still");
        if (flow->sweep && clock_left(sweep) == 0) {
            pid_t holder;

            segment_sweep(run->segment, &holder);
            sweep = clock_deadline(NS_PER_S / 20);
        }
        if (kills > 0) {
            kill_one(run);
            if (flow->ordered) /* what two had is given back in any order */
                kill_one(run);
            kills--;
            nanosleep(&nap, NULL);
        }
    }
    for (unsigned i = 0; i < run->members; i++)
        if (run->pids[i] != 0) {
            kill(run->pids[i], SIGKILL);
            waitpid(run->pids[i], NULL, 0);
        }
}

/* ----------------------------------------------------------------- a run ----
 */

static int open_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[256];
    int fd;

    snprintf(path, sizeof path, "%s/weir-flow.XXXXXX",
             folder != NULL ? folder : "/tmp");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* It has no name, so it is not cut by sinks_finish. */
static void cut_file(struct run *run)
{
    if (ftruncate(run->file, (off_t)sink_length(run->segment, 0)) < 0)
        fault_is(run, "the file cannot be cut");
}

static int open_run(struct run *run)
{
    const struct flow *flow = run->flow;
    static const struct order_link orders[] = { { 0, 1 }, { 0, 2 } };
    struct queue_plan plans[3];
    struct segment_plan plan = { .queues = plans,
                                 .queue_count = run->queues,
                                 .orders = orders,
                                 .order_count = flow->ordered ? run->queues - 1
                                                              : 0,
                                 .member_count = run->members,
                                 .sink_count = 1 };

    for (unsigned q = 0; q < run->queues; q++)
        plans[q] = (struct queue_plan){ .capacity = flow->capacity,
                                        .bytes = flow->bytes && q > 0
                                                     ? flow->bytes
                                                     : UINT64_C(8) << 20 };
    if (flow->keyed) {
        plans[0].key = "k";
        plans[0].lanes = flow->workers;
    }
    run->file = open_file();
    run->shared = mmap(NULL, sizeof *run->shared, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run->file < 0 || run->shared == MAP_FAILED)
        return -errno;
    return segment_create(&plan, &run->segment, NULL);
}

void flow_run(const struct flow *flow, struct flow_result *result)
{
    bool second = flow->kind == FLOW_SPLIT || flow->kind == FLOW_BOTH;
    struct run run = { .flow = flow,
                       .queues = second ? 3 : 2,
                       .members = 1 + flow->workers + flow->appenders,
                       .seed = flow->seed,
                       .result = result };

    sigset_t before;

    memset(result, 0, sizeof *result);
    fault_start("", -1);
    if (open_run(&run) < 0) {
        fault_is(&run, "no segment");
        return;
    }
    sigemptyset(&run.child);
    sigaddset(&run.child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &run.child, &before);
    for (unsigned i = 0; i < run.members; i++)
        fork_member(&run, i);
    supervise(&run);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (result->fault[0] == '\0')
        cut_file(&run);
    if (result->fault[0] == '\0')
        check_file(&run);
    if (result->fault[0] == '\0')
        check_rest(&run);
    segment_free(&run.segment);
    munmap(run.shared, sizeof *run.shared);
    close(run.file);
}
