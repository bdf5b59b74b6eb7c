/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gates.c - the gates of a run: opened before anything starts, forked, dead,
 * replaced. Runs in the supervisor, and in a gate until gate_main.
 *
 * The supervisor takes no lock of a file that others have: they may be stopped.
 * It opens it, before the run starts, and enters it; from then on it reads the
 * book of its own entry there and, after a death, changes what is its own
 * (member_commit_for). All else is done by the gates.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool/queue_named.h"
#include "process/process.h"
#include "run/backoff.h"
#include "run/gate.h"
#include "run/host.h"

enum { GATE_DEATHS_MOST = 10, NAMED = 0 };
#define GATE_YOUNG_NS (100 * NS_PER_MS)
#define LOCK_NS (10 * NS_PER_S)
/* Source numbers are the stages'; this one, and above it that of stdin, are
 * none. The share is the gate's. */
#define GATE_ROOT (UINT64_C(0xffe) << 52)
enum { SHARE_SHIFT = 40 };

/* ----------------------------------------------------------------- open ----
 */

/* What comes out must find it open: nobody can open it again. */
static int check_open(const struct gate *gate, weir_error *err)
{
    struct queue_state state;
    int code = queue_state(gate->named, NAMED, clock_deadline(LOCK_NS), &state);

    if (code < 0)
        return error_set(err, code, "queue '%s': the queue named '%s' %s",
                         gate->queue->name, gate->queue->known,
                         code == WEIR_ETIMEDOUT
                             ? "is locked by a process that does not run"
                             : "is damaged");
    if (!state.closed || gate->in)
        return 0;
    return error_set(err, WEIR_ECLOSED,
                     "queue '%s': the queue named '%s' is closed; 'weir queues "
                     "--remove=%s' removes it, and a run makes a new one",
                     gate->queue->name, gate->queue->known, gate->queue->known);
}

static int open_gate(struct gate *gate, weir_error *err)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    struct member *member = NULL;
    const struct book *book;
    int code;

    options.capacity = (uint32_t)gate->queue->capacity;
    options.bytes = gate->queue->bytes;
    code = queue_named_open(gate->queue->known, &options, WEIR_QUEUE_CREATE,
                            &gate->named, &gate->made, err);
    if (code < 0) {
        error_prefix(err, "queue '%s'", gate->queue->name);
        return code;
    }
    code = check_open(gate, err);
    if (code == 0) {
        code = member_enter_any(gate->named, 0, &member);
        if (code < 0)
            error_set(err, code,
                      "queue '%s': the queue named '%s' has no room for one "
                      "more process",
                      gate->queue->name, gate->queue->known);
    }
    if (code < 0)
        return code;
    gate->entry = member_number(member);
    book = member_book(gate->named, gate->entry);
    gate->base = gate->in ? book->done : book->ordinal;
    member_forget(&member);
    return 0;
}

int gates_open(struct supervisor *sup, weir_error *err)
{
    unsigned count = 0;
    int code = 0;

    sup->gates = calloc(sup->plan.gates + 1, sizeof *sup->gates);
    if (sup->gates == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for the run");
    for (unsigned i = 0; i < sup->job->queues.count && code == 0; i++) {
        const struct job_queue *queue = &sup->job->queues.at[i];
        struct gate *gate = &sup->gates[count];

        if (queue->known == NULL)
            continue;
        *gate = (struct gate){ .queue = queue,
                               .number = sup->plan.numbers[i],
                               .member = sup->plan.gate + count,
                               .in = queue->consumer != JOB_NONE,
                               .pidfd = -1 };
        sup->gate_count = ++count;
        gate->ended = gate->in && sup->plan.replays; /* what failed comes in */
        if (!gate->ended)
            code = open_gate(gate, err);
    }
    return code;
}

/* ------------------------------------------------------------ the process ----
 */

/* Its own view of the file, by a description of its own. */
static int open_named(int token, struct segment **out)
{
    char path[64];
    CLEANUP_FD int fd = -1;

    snprintf(path, sizeof path, "/proc/self/fd/%d", token);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : strangers_attach(fd, out, NULL);
}

static int enter(struct supervisor *sup, const struct gate *gate, int token,
                 struct gate_place *place)
{
    struct segment *run = NULL;
    int code = segment_attach(sup->segment_fd, &run, NULL);

    if (code == 0)
        code = segment_seclude(run);
    close(sup->segment_fd);
    if (code == 0)
        code = member_enter(run, gate->member, &place->run_member);
    if (code == 0)
        code = open_named(token, &place->named);
    if (code == 0)
        code = strangers_inherit(place->named, gate->entry,
                                 &place->named_member);
    return code;
}

static _Noreturn void child(struct supervisor *sup, unsigned number, int token)
{
    const struct gate *gate = &sup->gates[number];
    const struct queue_plan *plan = &sup->plan.queues.at[gate->number];
    struct gate_place place = {
        .gate = gate,
        .capacity = plan->capacity,
        .bytes = plan->bytes,
        .report = sup->plan.report,
        .stage = (unsigned)sup->job->stages.count + number,
        .root = GATE_ROOT | (uint64_t)number << SHARE_SHIFT,
        .news = sup->news_out,
    };
    char name[16];
    int code;

    fault_start(NULL, (int)gate->member);
    snprintf(name, sizeof name, "weir:%s", gate->queue->name);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    signal(SIGXFSZ, SIG_IGN);
    code = enter(sup, gate, token, &place);
    if (code < 0)
        news_say(place.news, gate->member, NEWS_FATAL, code,
                 "queue '%s': the process that moves its items cannot start: "
                 "%s",
                 gate->queue->name, weir_strerror(code));
    if (code == 0)
        code = gate_main(&place);
    if (code == 0) {
        member_leave(&place.named_member);
        member_leave(&place.run_member);
    }
    _exit(code == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int fork_gate(struct supervisor *sup, unsigned number)
{
    struct gate *gate = &sup->gates[number];
    /* Not the number that the file's segment has: that is closed in a child. */
    CLEANUP_FD int token = fcntl(segment_fd(gate->named), F_DUPFD_CLOEXEC, 3);
    const int keep[] = { token, sup->news_out, sup->segment_fd };
    const struct heritage heritage = {
        .death_signal = SIGKILL, .life = -1, .fds = keep, .fd_count = 3
    };
    int code;

    if (token < 0)
        return -errno;
    gate->pid = fork_child(&heritage, NULL);
    if (gate->pid == 0)
        child(sup, number, token);
    if (gate->pid < 0) {
        code = (int)gate->pid;
        gate->pid = 0;
        return code;
    }
    gate->pidfd = pidfd_open(gate->pid, 0);
    code = gate->pidfd < 0
               ? -errno
               : supervisor_watch(sup, gate->pidfd, WATCH_GATE, number);
    if (code < 0) { /* nobody would see its end, and the run ends by that */
        fd_close(&gate->pidfd);
        kill(gate->pid, SIGKILL);
        waitpid(gate->pid, NULL, 0);
        gate->pid = 0;
        return code;
    }
    gate->started_ns = sup->now;
    gate->moved = gate_moved(gate, member_book(sup->segment, gate->member));
    return 0;
}

int64_t gates_start(struct supervisor *sup)
{
    int64_t next = FOREVER;

    for (unsigned i = 0; i < sup->gate_count; i++) {
        struct gate *gate = &sup->gates[i];
        int code;

        if (gate->ended || gate->pid != 0)
            continue;
        if (gate->due_ns > sup->now) {
            next = sooner(next, gate->due_ns);
            continue;
        }
        code = fork_gate(sup, i);
        if (code < 0)
            supervisor_fail(sup,
                            "queue '%s': the process that moves its items "
                            "cannot be started: %s",
                            gate->queue->name, weir_strerror(code));
    }
    return next;
}

/* ----------------------------------------------------------------- death ----
 */

/* The second commit, where the first was made: gate.h. Then the run's entry is
 * recovered; that in the file by the successor, or by strangers. */
static int settle(struct supervisor *sup, const struct gate *gate)
{
    const struct book *run = member_book(sup->segment, gate->member);
    const struct book *named = member_book(gate->named, gate->entry);
    int code = gate->in ? member_commit_for(gate->named, gate->entry,
                                            gate->base + run->ordinal)
                        : member_commit_for(sup->segment, gate->member,
                                            named->ordinal - gate->base);

    if (code == 0)
        code = member_recover(sup->segment, gate->member, CAUSE_NONE, 0, NULL);
    return code;
}

static void take_away(struct supervisor *sup, struct gate *gate)
{
    supervisor_unwatch(sup, gate->pidfd);
    waitpid(gate->pid, NULL, 0);
    fd_close(&gate->pidfd);
    gate->pid = 0;
}

static void replace(struct supervisor *sup, struct gate *gate,
                    const struct death *death)
{
    uint64_t moved = gate_moved(gate, member_book(sup->segment, gate->member));
    char words[DEATH_WORDS];

    if (moved != gate->moved || sup->now - gate->started_ns >= GATE_YOUNG_NS)
        gate->young = 0;
    gate->due_ns = sup->now + backoff_fork_ns(gate->young++);
    if (gate->young >= GATE_DEATHS_MOST)
        supervisor_fail(sup,
                        "queue '%s': the process that moves its items %s, %u "
                        "times in a row",
                        gate->queue->name,
                        death_words(words, sizeof words, death), gate->young);
}

void gates_died(struct supervisor *sup, unsigned number)
{
    struct gate *gate = &sup->gates[number];
    struct death death;

    if (gate->pid == 0 || !supervisor_locks_free(sup))
        return; /* its pidfd tells again */
    supervisor_hear_news(sup);
    death = death_of(gate->pid);
    if (settle(sup, gate) < 0)
        supervisor_fail(sup, "shared memory is damaged");
    take_away(sup, gate);
    if (member_book(sup->segment, gate->member)->ended != 0 || sup->stops > 1 ||
        sup->why != NULL)
        gate->ended = sup->changed = true;
    else
        replace(sup, gate, &death);
}

/* ------------------------------------------------------------- the whole ----
 */

bool gates_fill(const struct supervisor *sup, unsigned queue)
{
    for (unsigned i = 0; i < sup->gate_count; i++)
        if (sup->gates[i].in && sup->gates[i].number == queue)
            return !sup->gates[i].ended;
    return false;
}

bool gates_ended(const struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->gate_count; i++)
        if (!sup->gates[i].ended)
            return false;
    return true;
}

bool gates_have(const struct supervisor *sup, pid_t pid)
{
    for (unsigned i = 0; i < sup->gate_count; i++)
        if (pid != 0 && sup->gates[i].pid == pid)
            return true;
    return false;
}

void gates_signal(struct supervisor *sup, int signal)
{
    for (unsigned i = 0; i < sup->gate_count; i++)
        if (sup->gates[i].pid > 0)
            kill(sup->gates[i].pid, signal);
}

void gates_stop(struct supervisor *sup, bool now)
{
    for (unsigned i = 0; i < sup->gate_count; i++)
        if (!sup->gates[i].ended && (sup->gates[i].in || now))
            member_cancel(sup->gates[i].named, sup->gates[i].entry, true);
}

void gates_end(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->gate_count; i++) {
        struct gate *gate = &sup->gates[i];

        if (gate->pid <= 0)
            continue;
        kill(gate->pid, SIGKILL);
        take_away(sup, gate);
        settle(sup, gate);
    }
}

void gates_done(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->gate_count; i++) {
        fd_close(&sup->gates[i].pidfd);
        segment_free(&sup->gates[i].named);
    }
    free(sup->gates);
    sup->gates = NULL;
    sup->gate_count = 0;
}

void gates_status(struct supervisor *sup)
{
    for (unsigned i = 0; i < sup->gate_count; i++) {
        const struct gate *gate = &sup->gates[i];
        struct member_sample sample;

        buf_printf(&sup->notes, "  queue %s: ", gate->queue->name);
        if (gate->pid == 0) {
            buf_printf(&sup->notes, "%s\n", gate->ended ? "ended" : "starting");
            continue;
        }
        member_sample(sup->segment, gate->member, &sample);
        buf_printf(&sup->notes, "pid %d, %s '%s'%s\n", (int)gate->pid,
                   gate->in ? "from" : "to", gate->queue->known,
                   sample.waiting == WAITING_NOT    ? ""
                   : sample.waiting == WAITING_ITEM ? ", waits for items"
                                                    : ", waits for room");
    }
}
