/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.c - the loop that holds a run together. Runs in the supervisor.
 *
 * One epoll_wait is all that it waits in; when nothing happens it comes round
 * once a second. What is decided in a round is decided from the segment, which
 * is true, and not from messages, which are late.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/gate.h"
#include "run/last_words.h"

#define ROUND_NS (1 * NS_PER_S)
enum { EVENTS = 64, OPEN_FAILURES = 3 };

/* --------------------------------------------------------------- events ----
 */

int supervisor_watch(struct supervisor *sup, int fd, enum watch watch,
                     unsigned number)
{
    struct epoll_event event = { .events = EPOLLIN,
                                 .data.u64 = (uint64_t)watch << 32 | number };

    return epoll_ctl(sup->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void supervisor_unwatch(struct supervisor *sup, int fd)
{
    if (fd >= 0)
        epoll_ctl(sup->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void supervisor_fail(struct supervisor *sup, const char *format, ...)
{
    va_list args;

    if (sup->why != NULL)
        return;
    va_start(args, format);
    if (vasprintf(&sup->why, format, args) < 0)
        sup->why = strdup("no memory");
    va_end(args);
    sup->over = true;
}

/* ----------------------------------------------------------------- news ----
 */

const char *supervisor_who(const struct supervisor *sup, unsigned member,
                           char *out, size_t room)
{
    if (member < sup->plan.workers) {
        const struct seat *seat = &sup->seats[member];
        const struct job_stage *stage = sup->stages[seat->stage].job;

        if (stage->workers > 1)
            snprintf(out, room, "%s.%u", stage->name, seat->index + 1);
        else
            snprintf(out, room, "%s", stage->name);
    } else if (member >= sup->plan.gate &&
               member < sup->plan.gate + sup->gate_count) {
        snprintf(out, room, "%s",
                 sup->gates[member - sup->plan.gate].queue->name);
    } else {
        snprintf(out, room, "%s",
                 member == sup->plan.reader   ? "stdin"
                 : member == sup->plan.writer ? "stdout"
                 : member == sup->plan.keeper ? "keeper"
                                              : "replay");
    }
    return out;
}

static void hear_unopened(struct supervisor *sup, struct seat *seat,
                          const char *text)
{
    if (recycle_hear_unopened(sup, seat, text))
        return;
    seat->unopened = true;
    if (++seat->closed >= OPEN_FAILURES)
        supervisor_fail(sup, "stage '%s' cannot start: %s",
                        sup->stages[seat->stage].job->name, text);
}

static void hear_fatal(struct supervisor *sup, const struct news *news)
{
    const char *stage = NULL;

    if (news->member < sup->plan.workers)
        stage = sup->stages[sup->seats[news->member].stage].job->name;
    if (stage != NULL)
        supervisor_fail(sup, "stage '%s': %s", stage, news->text);
    else
        supervisor_fail(sup, "%s", news->text);
}

static void hear_log(struct supervisor *sup, const struct news *news)
{
    char name[96];

    progress_say(sup, (enum log_level)news->code, "%s: %s",
                 supervisor_who(sup, news->member, name, sizeof name),
                 news->text);
}

/* One that is so large when its task has just been opened is not replaced for
 * that: the next one would be as large. */
static void hear_ready(struct supervisor *sup, struct seat *seat, int mib)
{
    struct stage *stage = &sup->stages[seat->stage];

    if (seat->state == SEAT_LIVE) /* else the nursery's word is still to come */
        recycle_note_open(sup, seat->stage, seat->started_ns);
    seat->ready = true;
    seat->closed = seat->cut_off = 0;
    seat->large = mib > 0;
    if (!seat->large || stage->told_large)
        return;
    stage->told_large = true;
    progress_say(sup, LOG_WARNING,
                 "%s: a worker has %d MiB when it begins, more than the "
                 "'memory' of 'recycle': it is not replaced for that",
                 stage->job->name, mib);
}

static void hear(struct supervisor *sup, const struct news *news)
{
    struct seat *seat = news->member < sup->plan.workers
                            ? &sup->seats[news->member]
                            : NULL;

    if (news->kind == NEWS_READY && seat != NULL)
        hear_ready(sup, seat, news->code);
    else if (news->kind == NEWS_WISH && seat != NULL)
        seat->wish = true;
    else if (news->kind == NEWS_HEIR && seat != NULL)
        recycle_hear_open(sup, seat);
    else if (news->kind == NEWS_LEFT && seat != NULL)
        recycle_left(sup, seat);
    else if (news->kind == NEWS_UNOPEN && seat != NULL)
        hear_unopened(sup, seat, news->text);
    else if (news->kind == NEWS_FATAL)
        hear_fatal(sup, news);
    else if (news->kind == NEWS_LOG)
        hear_log(sup, news);
    if (news->kind == NEWS_PIPE && sup->stops == 0) {
        sup->signal = SIGPIPE;
        /* what nobody has read is left for who resumes */
        if (sup->journal_lock >= 0)
            stop_at_once(sup);
        else
            stop_sources(sup);
    }
}

/* All that is there now, and no more: tasks that log without end must not keep
 * this process from everything else. What a dead one has said is there. */
void supervisor_hear_news(struct supervisor *sup)
{
    struct news news;
    int left = 0, code;

    ioctl(sup->news_in, FIONREAD, &left);
    do {
        code = news_next(sup->news_in, &news);
        if (code == 1)
            hear(sup, &news);
        left -= code == 1 ? (int)(offsetof(struct news, text) + news.size) : 1;
    } while (left > 0 &&
             (code == 1 || code == WEIR_EBROKEN || code == -EMSGSIZE));
}

/* ----------------------------------------------------------------- loop ----
 */

static void end_died(struct supervisor *sup, unsigned number)
{
    if (number == END_JOURNAL)
        journal_died(sup);
    else if (number == END_KEEPER || number == END_FEEDER)
        keeper_died(sup, number == END_KEEPER ? &sup->keeper : &sup->feeder);
    else
        ends_died(sup, number == END_READER ? &sup->reader : &sup->writer);
}

static void handle(struct supervisor *sup, uint64_t data)
{
    unsigned number = (unsigned)data;

    switch ((enum watch)(data >> 32)) {
    case WATCH_NURSERY:
        seats_nursery(sup);
        break;
    case WATCH_SIGNALS:
        stop_hear(sup);
        break;
    case WATCH_NEWS:
        supervisor_hear_news(sup);
        break;
    case WATCH_SEAT:
        seats_died(sup, number);
        break;
    case WATCH_SPARE:
        recycle_died(sup, number);
        break;
    case WATCH_END:
        end_died(sup, number);
        break;
    case WATCH_JOURNAL:
        journal_hear(sup);
        break;
    case WATCH_GATE:
        gates_died(sup, number);
        break;
    case WATCH_WROTE:
        wrote_hear(sup);
        break;
    case WATCH_NOTES:
        progress_flush(sup);
        break;
    }
}

static void awake(struct supervisor *sup, int64_t until)
{
    int64_t now = clock_now();

    limits_awake(sup, until, now);
    sup->now = now;
}

/* What has become due; returns when to come round again. */
static int64_t do_what_is_due(struct supervisor *sup)
{
    int64_t next;

    awake(sup, sup->now);
    seats_start_stages(sup);
    seats_close_queues(sup);
    next = sooner(seats_new_nursery(sup), seats_order(sup));
    next = sooner(next, gates_start(sup));
    next = sooner(next, limits_watch(sup));
    next = sooner(next, memory_watch(sup));
    next = sooner(next, halt_watch(sup));
    next = sooner(next, recycle_watch(sup));
    limits_sweep(sup);
    deaths_watch(sup);
    next = sooner(next, progress_note(sup));
    wrote_watch(sup);
    if (sup->end_ns != 0)
        next = sooner(next, sup->end_ns);
    return sooner(next, sup->now + ROUND_NS);
}

static bool is_over(const struct supervisor *sup)
{
    if (sup->over)
        return true;
    if (sup->end_ns != 0 && sup->now >= sup->end_ns)
        return true;
    return seats_all_ended(sup) && sup->writer.ended && sup->keeper.ended &&
           gates_ended(sup);
}

static void loop(struct supervisor *sup)
{
    struct epoll_event events[EVENTS];

    while (!sup->over) {
        int64_t next = do_what_is_due(sup);
        int count;

        if (is_over(sup))
            return;
        count = epoll_wait(sup->epoll, events, EVENTS,
                           clock_poll_ms(clock_left(next)));
        awake(sup, next);
        for (int i = 0; i < count; i++)
            handle(sup, events[i].data.u64);
    }
}

/* ---------------------------------------------------------- start, end ---- */

/* Children that this process had before: not to be taken for orphans. */
static int note_children(struct supervisor *sup)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    pid_t *entry;
    int pid;

    if (file == NULL)
        return 0;
    while (fscanf(file, "%d", &pid) == 1) {
        entry = VEC_ADD(&sup->spare);
        if (entry == NULL) {
            fclose(file);
            return WEIR_ENOMEM;
        }
        *entry = pid;
    }
    fclose(file);
    return 0;
}

static int open_fds(struct supervisor *sup)
{
    int pair[2], code;

    sup->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (sup->epoll < 0)
        return -errno;
    sup->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sup->stop_fd < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    sup->news_in = pair[0];
    sup->news_out = pair[1];
    if (fcntl(sup->news_in, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    code = supervisor_watch(sup, sup->news_in, WATCH_NEWS, 0);
    if (code == 0)
        code = supervisor_watch(sup, nursery_fd(sup->nursery), WATCH_NURSERY,
                                0);
    return code;
}

static int start(struct supervisor *sup, weir_error *err)
{
    const struct run_keep *keep = sup->options->keep;
    int code = plan_init(&sup->plan, sup->job, sup->input, err);

    sup->plan.digests = sup->options->digests;
    if (code == 0 && keep != NULL)
        code = plan_keep(&sup->plan, keep->replay != NULL, err);
    sup->plan.journaled = sup->journal_lock >= 0;
    if (code == 0)
        code = plan_segment(&sup->plan, &sup->segment, err);
    if (code == 0)
        code = gates_open(sup, err);
    if (code == 0)
        code = seats_init(sup, err);
    if (code == 0)
        code = journal_restore(sup, err);
    if (code < 0)
        return code;
    code = note_children(sup);
    if (code == 0)
        code = open_fds(sup);
    if (code == 0)
        code = stop_init(sup);
    if (code < 0)
        return error_sys(err, code, "the run cannot be set up");
    wrote_init(sup);
    sup->last_words = last_words_new(sup->plan.workers);
    sup->adopts = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    code = journal_start(sup, err);
    if (code == 0)
        code = ends_start(sup, err);
    if (code < 0)
        return code;
    /* A nursery that is forked later must not inherit the memory. */
    sup->segment_fd = fcntl(segment_fd(sup->segment), F_DUPFD_CLOEXEC, 3);
    if (sup->segment_fd < 0)
        return error_sys(err, -errno, "the run cannot be set up");
    code = keeper_start(sup, err);
    return code < 0 ? code : segment_seclude(sup->segment);
}

static void done(struct supervisor *sup)
{
    stop_done(sup);
    wrote_done(sup);
    last_words_free(&sup->last_words);
    fd_close(&sup->epoll);
    fd_close(&sup->stop_fd);
    fd_close(&sup->news_in);
    fd_close(&sup->news_out);
    fd_close(&sup->segment_fd);
    fd_close(&sup->journal_fd);
    fd_close(&sup->own_input);
    fd_close(&sup->own_output);
    seats_done(sup);
    gates_done(sup);
    segment_free(&sup->segment);
    plan_done(&sup->plan);
    VEC_DONE(&sup->spare);
    buf_done(&sup->notes);
    free(sup->why);
    free(sup->halted);
}

/* For the journal, which may have begun: that was no end to it. */
static void not_set_up(struct run_report *report, const weir_error *err)
{
    report->status = 3;
    report->why = strdup(err->text);
}

int run_job(const struct run_options *options, struct job *job,
            const struct job_options *job_options, struct nursery **nursery,
            struct run_report *report, weir_error *err)
{
    struct supervisor sup = {
        .options = options,
        .job = job,
        .job_options = job_options,
        .report = report,
        .nursery = *nursery,
        .epoll = -1,
        .wrote_epoll = -1,
        .signals = -1,
        .news_in = -1,
        .news_out = -1,
        .stop_fd = -1,
        .reader = { .what = "reads standard input", .pidfd = -1 },
        .writer = { .what = "writes standard output", .pidfd = -1 },
        .keeper = { .what = "keeps failed items", .pidfd = -1 },
        .feeder = { .what = "feeds failed items", .pidfd = -1 },
        .journal = { .what = "writes the journal", .pidfd = -1 },
        .journal_fd = -1,
        .journal_lock = options->journal != NULL
                            ? options->journal->folder->lock
                            : -1,
        .input = options->input,
        .output = options->output,
        .own_input = -1,
        .own_output = -1,
    };
    int code;

    *nursery = NULL;
    sup.started_ns = sup.now = clock_now();
    sup.deadline_ns = job->deadline_ns == FOREVER
                          ? FOREVER
                          : clock_deadline(job->deadline_ns);
    sup.segment_fd = -1;
    sup.changed = true;
    code = run_report_init(report, job);
    if (code < 0)
        error_set(err, code, "no memory for the report");
    if (code == 0)
        code = start(&sup, err);
    if (code == 0)
        loop(&sup);
    seats_end(&sup);
    ends_end(&sup);
    keeper_end(&sup);
    gates_end(&sup);
    if (code == 0)
        journal_last(&sup);
    if (code == 0)
        books_close(&sup);
    else
        not_set_up(report, err);
    journal_end(&sup);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    progress_finish(&sup);
    done(&sup);
    return code;
}
