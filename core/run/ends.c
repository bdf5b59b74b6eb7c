/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ends.c - the two small processes at a run's ends. Runs in the supervisor, and
 * in them until reader_main or writer_main.
 *
 * Stdin cannot be read again and stdout not cut back, so no worker touches
 * them; and who does may block, so it is not the supervisor. If one of them
 * dies before its end, the run is over. They stand in the supervisor's own
 * process group, since a terminal lets only that one read; so they ignore the
 * signals that such a group gets, and do what the supervisor says.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/process.h"
#include "run/supervisor.h"

static void ignore_group(void)
{
    static const int signals[] = { SIGINT,  SIGTERM, SIGQUIT, SIGTSTP, SIGTTIN,
                                   SIGTTOU, SIGHUP,  SIGPIPE, SIGXFSZ };

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_IGN);
}

int ends_enter(struct segment *segment, unsigned number, struct member **out)
{
    int code = segment_seclude(segment);

    return code < 0 ? code : member_enter(segment, number, out);
}

void ends_leave(int code, struct member **member)
{
    if (code == 0)
        member_leave(member);
    _exit(code == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* In the child. The segment is its own view of the same memory: one inherited
 * over the fork would share the parent's handle. */
static _Noreturn void child(struct supervisor *sup, struct end *end, int fd)
{
    bool reads = end == &sup->reader;
    int number = reads ? sup->plan.input : sup->plan.output;
    struct end_place place = { .segment = sup->segment,
                               .number = end->member,
                               .queue = (unsigned)number,
                               .capacity = sup->plan.queues.at[number].capacity,
                               .bytes = sup->plan.queues.at[number].bytes,
                               .report = sup->plan.report,
                               .kept = sup->plan.kept,
                               .fd = fd,
                               .news = sup->news_out,
                               .stop_fd = sup->stop_fd,
                               .journaled = sup->journal_lock >= 0,
                               .as = sup->job->stdin_as,
                               .frame = sup->job->stdout_frame };
    int code;

    prctl(PR_SET_NAME, reads ? "weir:stdin" : "weir:stdout", 0, 0, 0);
    code = ends_enter(place.segment, place.number, &place.member);
    if (code == 0)
        code = reads ? reader_main(&place) : writer_main(&place);
    ends_leave(code, &place.member);
}

static unsigned number_of(const struct supervisor *sup, const struct end *end)
{
    return end == &sup->reader    ? END_READER
           : end == &sup->writer  ? END_WRITER
           : end == &sup->keeper  ? END_KEEPER
           : end == &sup->journal ? END_JOURNAL
                                  : END_FEEDER;
}

/* The parent has set the child's group when it says go: only then it can be
 * changed. */
static void join_group(int go, pid_t group)
{
    char byte;

    ignore_group();
    if (read(go, &byte, 1) != 1)
        _exit(EXIT_FAILURE);
    setpgid(0, group);
    close(go);
}

/* One that cannot be watched has not begun, and does not: its end would never
 * be seen, nor would that of who waits for it. */
static int watch_end(struct supervisor *sup, struct end *end, pid_t pid)
{
    int code;

    end->pidfd = pidfd_open(pid, 0);
    code = end->pidfd < 0 ? -errno
                          : supervisor_watch(sup, end->pidfd, WATCH_END,
                                             number_of(sup, end));
    if (code == 0) {
        end->pid = pid;
        return 0;
    }
    fd_close(&end->pidfd);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return code;
}

pid_t ends_fork(struct supervisor *sup, struct end *end, const int *fds,
                size_t count)
{
    const pid_t group = getpgrp();
    int pipe_fds[2], code;
    CLEANUP_FREE int *keep = calloc(count + 1, sizeof *keep);
    struct heritage heritage = {
        .death_signal = SIGKILL, .life = -1, .fds = keep, .fd_count = count + 1
    };
    pid_t pid;

    if (keep == NULL)
        return WEIR_ENOMEM;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    memcpy(keep, fds, count * sizeof *fds);
    keep[count] = pipe_fds[0];
    pid = fork_child(&heritage, NULL);
    if (pid == 0) {
        join_group(pipe_fds[0], group);
        return 0;
    }
    close(pipe_fds[0]);
    code = pid < 0 ? pid : watch_end(sup, end, pid);
    if (code == 0)
        (void)!write(pipe_fds[1], "", 1);
    close(pipe_fds[1]);
    return code < 0 ? code : pid;
}

static int fork_end(struct supervisor *sup, struct end *end, int fd)
{
    const int fds[] = { fd, sup->news_out, sup->stop_fd,
                        segment_fd(sup->segment), sup->journal_lock };
    pid_t pid = ends_fork(sup, end, fds, sup->journal_lock >= 0 ? 5 : 4);

    if (pid == 0)
        child(sup, end, fd);
    return pid < 0 ? (int)pid : 0;
}

/* The child has /dev/null as its stdin: the real one comes as another. */
static int start_end(struct supervisor *sup, struct end *end, int fd,
                     weir_error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int code;

    if (copy < 0)
        return error_sys(err, -errno, "the process that %s cannot be started",
                         end->what);
    code = fork_end(sup, end, copy);
    close(copy);
    if (code < 0)
        return error_sys(err, code, "the process that %s cannot be started",
                         end->what);
    return 0;
}

int ends_start(struct supervisor *sup, weir_error *err)
{
    int code = 0;

    sup->reader.member = sup->plan.reader;
    sup->writer.member = sup->plan.writer;
    sup->reader.ended = sup->plan.input == PLAN_NONE || sup->plan.replays ||
                        member_book(sup->segment, sup->plan.reader)->ended != 0;
    sup->writer.ended = sup->plan.output == PLAN_NONE;
    if (!sup->writer.ended)
        code = start_end(sup, &sup->writer, sup->output, err);
    if (code == 0 && !sup->reader.ended)
        code = start_end(sup, &sup->reader, sup->input, err);
    return code;
}

void ends_take_away(struct supervisor *sup, struct end *end)
{
    supervisor_unwatch(sup, end->pidfd);
    waitpid(end->pid, NULL, 0);
    fd_close(&end->pidfd);
    end->pid = 0;
}

bool ends_bury(struct supervisor *sup, struct end *end, struct death *out)
{
    if (end->pid == 0 || !supervisor_locks_free(sup))
        return false;
    supervisor_hear_news(sup);
    *out = death_of(end->pid);
    if (member_recover(sup->segment, end->member, out->cause, out->code, NULL) <
        0)
        supervisor_fail(sup, "shared memory is damaged");
    ends_take_away(sup, end);
    return true;
}

void ends_died(struct supervisor *sup, struct end *end)
{
    struct death death;
    char words[DEATH_WORDS];
    bool ended;

    if (!ends_bury(sup, end, &death))
        return;
    /* A reader that has not read all of it: its queue is not closed. Who took
     * that for the end would note it, and a resumed run would read no more. */
    ended = member_book(sup->segment, end->member)->ended != 0;
    if (ended || end == &sup->writer)
        end->ended = sup->changed = true;
    if (sup->stops < 2 && !ended)
        supervisor_fail(sup, "the process that %s %s", end->what,
                        death_words(words, sizeof words, &death));
}

void ends_signal(struct supervisor *sup, int signal)
{
    if (sup->reader.pid > 0)
        kill(sup->reader.pid, signal);
    if (sup->writer.pid > 0)
        kill(sup->writer.pid, signal);
    if (sup->keeper.pid > 0)
        kill(sup->keeper.pid, signal);
    if (sup->feeder.pid > 0)
        kill(sup->feeder.pid, signal);
    if (sup->journal.pid > 0)
        kill(sup->journal.pid, signal);
}

static void end_one(struct supervisor *sup, struct end *end)
{
    if (end->pid <= 0)
        return;
    kill(end->pid, SIGKILL);
    ends_take_away(sup, end);
    member_recover(sup->segment, end->member, CAUSE_NONE, 0, NULL);
}

void ends_end(struct supervisor *sup)
{
    end_one(sup, &sup->reader);
    end_one(sup, &sup->writer);
}
