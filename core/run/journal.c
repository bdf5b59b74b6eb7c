/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c - the process that writes a run's journal, as the supervisor sees
 * it; and in that process until recorder_main.
 *
 * The supervisor never touches the store: a sync takes its time, and a
 * connection must not cross a fork. It says when a checkpoint must be made now,
 * and how the run has ended. When that process dies, or says that it cannot go
 * on, the run ends: it would go on without what was promised.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/recorder.h"
#include "run/supervisor.h"

#define START_NS (60 * NS_PER_S)
#define END_NS (120 * NS_PER_S)

static bool is_file(int fd)
{
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static _Noreturn void child(struct supervisor *sup, int socket)
{
    struct run_journal journal = *sup->options->journal;
    struct record_run run = *journal.run;
    struct recorder_place place = { .journal = &journal,
                                    .socket = socket,
                                    .output = -1,
                                    .state_count = sup->plan.workers };
    int(*states)[2] = calloc(sup->plan.workers + 1, sizeof *states);
    int code = states == NULL ? WEIR_ENOMEM
                              : segment_attach(segment_fd(sup->segment),
                                               &place.segment, NULL);

    fault_start(NULL, -2);
    prctl(PR_SET_NAME, "weir:journal", 0, 0, 0);
    for (unsigned i = 0; code == 0 && i < sup->plan.workers; i++)
        memcpy(states[i], sup->seats[i].saved_fds, sizeof states[i]);
    journal.run = &run;
    run.queues.at = sup->plan.names.at;
    run.queues.count = sup->plan.names.count;
    place.states = (const int(*)[2])states;
    if (is_file(sup->output) && sup->plan.output != PLAN_NONE)
        place.output = sup->output;
    if (code == 0)
        code = segment_seclude(place.segment);
    if (code == 0)
        code = recorder_main(&place);
    _exit(code == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ----------------------------------------------------------------- start ----
 */

/* What the process has: among it all files of saved states, which so must be
 * there before it is. */
static int gather_fds(struct supervisor *sup, int socket, int **out,
                      size_t *count_out)
{
    int *fds = calloc(4 + 2 * (size_t)sup->plan.workers, sizeof *fds);
    size_t count = 0;
    int code = 0;

    if (fds == NULL)
        return WEIR_ENOMEM;
    fds[count++] = socket;
    fds[count++] = segment_fd(sup->segment);
    fds[count++] = sup->journal_lock;
    if (is_file(sup->output) && sup->output > STDERR_FILENO)
        fds[count++] = sup->output;
    for (unsigned i = 0; i < sup->plan.workers && code == 0; i++) {
        struct seat *seat = &sup->seats[i];

        if (!sup->stages[seat->stage].job->desc.has_save)
            continue;
        code = seat_open_saved(seat);
        fds[count++] = seat->saved_fds[0];
        fds[count++] = seat->saved_fds[1];
    }
    if (code < 0) {
        free(fds);
        return code;
    }
    *out = fds;
    *count_out = count;
    return 0;
}

static int fork_recorder(struct supervisor *sup, int pair[2])
{
    CLEANUP_FREE int *fds = NULL;
    size_t count = 0;
    int code = gather_fds(sup, pair[1], &fds, &count);
    pid_t pid;

    if (code < 0)
        return code;
    pid = ends_fork(sup, &sup->journal, fds, count);
    if (pid == 0)
        child(sup, pair[1]);
    return pid < 0 ? (int)pid : 0;
}

static void warn_of_state(struct supervisor *sup)
{
    for (size_t i = 0; i < sup->job->stages.count; i++) {
        const struct job_stage *stage = &sup->job->stages.at[i];

        if (stage->desc.has_flush && !stage->desc.has_save &&
            !stage->desc.stateless && stage->from.count > 0)
            progress_say(sup, LOG_WARNING,
                         "stage '%s': task '%s.%s' does not save what it "
                         "gathers: once it has an item, this run cannot be "
                         "resumed",
                         stage->name, stage->plugin, stage->task);
    }
}

/* Waits until it says something, or is dead. */
static bool wait_for_word(struct supervisor *sup, int64_t deadline_ns)
{
    struct pollfd pollers[] = { { .fd = sup->journal_fd, .events = POLLIN },
                                { .fd = sup->journal.pidfd,
                                  .events = POLLIN } };
    int got;

    if (sup->journal.pid <= 0)
        return false;
    do {
        got = poll(pollers, 2, clock_poll_ms(clock_left(deadline_ns)));
    } while (got < 0 && errno == EINTR);
    if (got > 0 && pollers[1].revents != 0)
        journal_died(sup); /* its last words are heard first */
    else if (got > 0)
        journal_hear(sup);
    return got > 0;
}

static int wait_until_ready(struct supervisor *sup, weir_error *err)
{
    int64_t deadline = clock_deadline(START_NS);

    while (!sup->journal_ready && sup->why == NULL)
        if (!wait_for_word(sup, deadline))
            return error_set(err, WEIR_ETIMEDOUT,
                             "the journal in '%s' could not be begun in %d s",
                             sup->options->journal->folder->path,
                             (int)(START_NS / NS_PER_S));
    if (sup->why == NULL)
        return 0;
    error_set(err, -EIO, "%s", sup->why);
    free(sup->why);
    sup->why = NULL;
    return -EIO;
}

int journal_start(struct supervisor *sup, weir_error *err)
{
    int pair[2], code;

    sup->journal.ended = true;
    if (sup->options->journal == NULL)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_sys(err, -errno, "the run cannot be set up");
    sup->journal_fd = pair[0];
    /* Its end, too: it never waits to say something, there is room for all
     * that it is asked. */
    code = fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0 ||
                   fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0
               ? -errno
               : 0;
    if (code == 0)
        code = fork_recorder(sup, pair);
    close(pair[1]);
    if (code == 0)
        code = supervisor_watch(sup, sup->journal_fd, WATCH_JOURNAL, 0);
    if (code < 0)
        return error_sys(err, code,
                         "the process that writes the journal cannot be "
                         "started");
    sup->journal.ended = false;
    warn_of_state(sup);
    return wait_until_ready(sup, err);
}

/* --------------------------------------------------------------- hearing ----
 */

static void failed(struct supervisor *sup, const char *text)
{
    supervisor_fail(sup, "the journal cannot be written: %s", text);
}

/* True: it said something. */
static bool hear_one(struct supervisor *sup)
{
    struct recorder_message message;
    int fds[FD_MESSAGE_FDS];
    size_t count = FD_MESSAGE_FDS;
    ssize_t size;

    if (sup->journal_fd < 0)
        return false;
    size = fd_receive(sup->journal_fd, &message, sizeof message, fds, &count);
    if (size == -EAGAIN)
        return false;
    if (size != (ssize_t)sizeof message) { /* it is dead: its pidfd tells */
        supervisor_unwatch(sup, sup->journal_fd);
        fd_close(&sup->journal_fd);
        return false;
    }
    message.text[RECORDER_TEXT - 1] = '\0';
    if (message.kind == RECORDER_READY)
        sup->journal_ready = true;
    else if (message.kind == RECORDER_DONE)
        sup->journal_done++;
    else if (message.kind == RECORDER_FAILED)
        failed(sup, message.text);
    return true;
}

void journal_hear(struct supervisor *sup)
{
    while (hear_one(sup))
        continue;
}

void journal_died(struct supervisor *sup)
{
    struct death death;
    char words[DEATH_WORDS];

    if (sup->journal.pid <= 0)
        return;
    journal_hear(sup);
    death = death_of(sup->journal.pid);
    ends_take_away(sup, &sup->journal);
    sup->journal.ended = true;
    if (!sup->journal_told)
        supervisor_fail(sup, "the process that %s %s", sup->journal.what,
                        death_words(words, sizeof words, &death));
}

/* ------------------------------------------------------------------- end ----
 */

static bool tell(struct supervisor *sup, const struct recorder_message *message)
{
    return sup->journal.pid > 0 && sup->journal_fd >= 0 &&
           fd_send(sup->journal_fd, message, sizeof *message, NULL, 0) == 0;
}

void journal_last(struct supervisor *sup)
{
    struct recorder_message message = { .kind = RECORDER_CHECKPOINT,
                                        .text = "end" };
    int64_t deadline = clock_deadline(END_NS);
    unsigned before = sup->journal_done;

    if (segment_broken(sup->segment) || !tell(sup, &message))
        return;
    while (sup->journal_done == before && sup->journal.pid > 0)
        if (!wait_for_word(sup, deadline) && sup->journal.pid > 0) {
            failed(sup, "the last checkpoint takes too long");
            return;
        }
}

void journal_end(struct supervisor *sup)
{
    const struct run_report *report = sup->report;
    struct recorder_message message = { .kind = RECORDER_END,
                                        .status = report->status,
                                        .signal = report->signal,
                                        .has_text = report->why != NULL };
    int64_t deadline = clock_deadline(END_NS);

    if (sup->journal.pid <= 0)
        return;
    if (report->why != NULL)
        snprintf(message.text, sizeof message.text, "%s", report->why);
    if (tell(sup, &message)) {
        sup->journal_told = true;
        while (sup->journal.pid > 0 && wait_for_word(sup, deadline))
            continue;
    }
    if (sup->journal.pid <= 0)
        return;
    kill(sup->journal.pid, SIGKILL);
    ends_take_away(sup, &sup->journal);
}
