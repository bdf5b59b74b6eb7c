/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.c - notes for people while the run goes on: a block that is drawn
 * over itself on a screen, a line every ten seconds elsewhere; both only when
 * something has changed. Runs in the supervisor, and never waits: what cannot
 * be written now is written in a later round, or, when much waits, not at all.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/supervisor.h"

#define SCREEN_NS (1 * NS_PER_S)
#define LINES_NS (10 * NS_PER_S)
#define LOCK_NS (1 * NS_PER_MS)
enum { WAITING_MOST = 256 << 10, COLUMNS = 80 };
/* Where there is room for anything there is room for so much: what is written
 * at a time. A pipe has a page then, a terminal less. */
enum { PIECE = 512, PIECE_PIPE = 4096 };

/* What workers write goes to stderr also when there are no notes. */
static int notes_fd(const struct supervisor *sup)
{
    return sup->options->notes >= 0 ? sup->options->notes : STDERR_FILENO;
}

static size_t piece_most(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode))
               ? PIECE_PIPE
               : PIECE;
}

/* Whole lines, where they are not too long: others may write there, too. */
static size_t piece_size(const char *text, size_t size, size_t most)
{
    const char *end;

    if (size <= most)
        return size;
    end = memrchr(text, '\n', most);
    return end != NULL ? (size_t)(end + 1 - text) : most;
}

/* Told when there is room again. Of a file there always is. */
static void watch_notes(struct supervisor *sup, int fd)
{
    struct epoll_event event = { .events = EPOLLOUT,
                                 .data.u64 = (uint64_t)WATCH_NOTES << 32 };
    bool want = sup->notes.size > 0;

    if (want == sup->notes_watched || sup->epoll < 0)
        return;
    if (want)
        want = epoll_ctl(sup->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    else
        supervisor_unwatch(sup, fd);
    sup->notes_watched = want;
}

void progress_flush(struct supervisor *sup)
{
    struct pollfd poller = { .fd = notes_fd(sup), .events = POLLOUT };
    struct buf *notes = &sup->notes;
    size_t most = notes->size > PIECE ? piece_most(poller.fd) : PIECE;
    size_t done = 0;

    while (done < notes->size && poll(&poller, 1, 0) == 1) {
        const char *text = notes->data + done;
        ssize_t put = write(poller.fd, text,
                            piece_size(text, notes->size - done, most));

        if (put < 0 && errno != EINTR && errno != EAGAIN)
            put = (ssize_t)(notes->size - done); /* nobody will ever read it */
        if (put > 0)
            done += (size_t)put;
    }
    buf_drop(notes, done);
    if (notes->size == 0)
        buf_done(notes); /* also that there was no memory */
    watch_notes(sup, poller.fd);
}

static bool silent(const struct supervisor *sup)
{
    return sup->options->notes < 0 || sup->notes.size > WAITING_MOST;
}

/* Back to where the block begins; what comes next replaces it. */
static void erase(struct supervisor *sup)
{
    if (sup->rows > 0)
        buf_printf(&sup->notes, "\033[%uA\r\033[J", sup->rows);
    sup->rows = 0;
}

void progress_clear(struct supervisor *sup)
{
    erase(sup);
    progress_flush(sup);
}

/* Another signal to stop, the second one, or the third. */
static bool is_told_to_stop(struct supervisor *sup)
{
    struct signalfd_siginfo info;

    while (read(sup->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGUSR1 && info.ssi_signo != SIGTSTP)
            return true;
    return false;
}

/* The report comes to the same place, and waits for room there, too. */
void progress_finish(struct supervisor *sup)
{
    struct pollfd pollers[] = {
        { .fd = notes_fd(sup), .events = POLLOUT },
        { .fd = sup->signals, .events = POLLIN },
    };

    progress_clear(sup);
    while (sup->notes.size > 0 && sup->stops <= 1 && sup->signal != SIGQUIT) {
        fd_poll(pollers, 2, FOREVER);
        if (pollers[1].revents != 0 && is_told_to_stop(sup))
            return;
        progress_flush(sup);
    }
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };

    return level <= LOG_ERROR ? names[level] : "error";
}

static void say_json(struct supervisor *sup, enum log_level level,
                     const char *text)
{
    struct json json = { .out = &sup->notes };

    json_object(&json, NULL);
    json_text(&json, "event", "log");
    json_text(&json, "level", level_name(level));
    json_text(&json, "text", text);
    json_object_end(&json);
    buf_char(&sup->notes, '\n');
}

void progress_say(struct supervisor *sup, enum log_level level,
                  const char *format, ...)
{
    char text[1200];
    va_list args;

    if (silent(sup) || (sup->options->quiet && level < LOG_WARNING))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    erase(sup);
    if (sup->options->json) {
        say_json(sup, level, text);
    } else {
        buf_text(&sup->notes, "weir: ");
        text_escape(&sup->notes, text, strlen(text), sizeof text);
        buf_char(&sup->notes, '\n');
    }
    progress_flush(sup);
}

static void pass_json(struct supervisor *sup, unsigned member, const char *line,
                      size_t size)
{
    struct json json = { .out = &sup->notes };
    char name[96];

    json_object(&json, NULL);
    json_text(&json, "event", "wrote");
    json_text(&json, "worker", supervisor_who(sup, member, name, sizeof name));
    json_bytes(&json, "text", line, size);
    json_object_end(&json);
    buf_char(&sup->notes, '\n');
}

void progress_pass(struct supervisor *sup, unsigned member, const char *lines,
                   size_t size)
{
    if (!sup->options->json) {
        if (sup->rows > 0)
            sup->noted = 0; /* drawn again, below */
        erase(sup);
        buf_add(&sup->notes, lines, size);
        return;
    }
    while (size > 0) {
        const char *end = memchr(lines, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - lines);

        pass_json(sup, member, lines, length);
        length += end != NULL;
        lines += length;
        size -= length;
    }
}

/* ------------------------------------------------------------- numbers ---- */

struct tally {
    uint64_t in, out, failed;
    uint64_t dropped; /* by its input queues, for want of room */
    unsigned live;
    uint64_t put_off; /* wait for their next attempt */
    double fill;      /* of its input, 0 to 1; -1: a source */
};

static double fill_of(struct supervisor *sup, const struct stage *stage)
{
    uint64_t held = 0, room = 0;

    for (size_t i = 0; i < stage->job->from.count; i++) {
        struct queue_state state;
        int queue = plan_queue(&sup->plan, stage->job->from.at[i]);

        if (queue_state(sup->segment, (unsigned)queue, clock_deadline(LOCK_NS),
                        &state) < 0)
            continue;
        held += (uint64_t)state.ready + state.leased;
        room += state.capacity;
    }
    return room == 0 ? -1 : (double)held / (double)room;
}

static uint64_t dropped_by(const struct supervisor *sup, int queue)
{
    return plan_overflow(&sup->plan, (unsigned)queue) >= WEIR_OVERFLOW_DROP_NEW
               ? plan_overflowed(&sup->plan, sup->segment, (unsigned)queue,
                                 false)
               : 0;
}

/* Items wait for their next attempt where the stage has them wait. */
static unsigned put_off_by(const struct supervisor *sup,
                           const struct seat *seat)
{
    const struct job_stage *stage = sup->stages[seat->stage].job;
    bool waits = false;

    for (unsigned i = 0; i < WAIT_CLASSES; i++)
        waits = waits || stage->waits[i].first_ns != 0;
    return waits && seat->state == SEAT_LIVE
               ? member_put_off(sup->segment, seat->member)
               : 0;
}

static struct tally tally_of(struct supervisor *sup, unsigned number)
{
    const struct stage *stage = &sup->stages[number];
    struct tally tally = { .live = 0 };

    for (unsigned i = 0; i < stage->job->workers; i++) {
        unsigned member = sup->plan.first[number] + i;
        const struct book *book = member_book(sup->segment, member);

        tally.in += book->done + book->failed + book->skipped;
        tally.out += book->emitted;
        tally.failed += book->failed;
        tally.live += sup->seats[member].state == SEAT_LIVE;
        tally.put_off += put_off_by(sup, &sup->seats[member]);
    }
    for (size_t i = 0; i < stage->job->from.count; i++)
        tally.dropped += dropped_by(sup, plan_queue(&sup->plan,
                                                    stage->job->from.at[i]));
    tally.fill = fill_of(sup, stage);
    return tally;
}

/* Changes whenever any count does. */
static uint64_t number_of(const struct tally *tallies, size_t count)
{
    uint64_t number = 1;

    for (size_t i = 0; i < count; i++)
        number = hash_mix(number, tallies[i].in * 3 + tallies[i].out +
                                      tallies[i].failed * 7 +
                                      tallies[i].dropped * 11 +
                                      tallies[i].put_off * 13);
    return number;
}

/* ---------------------------------------------------------------- notes ----
 */

static void bar(struct buf *out, double fill)
{
    for (int i = 0; i < 8; i++)
        buf_char(out, fill * 8 > i + 0.5 ? '#' : '.');
}

static void rate_of(const struct supervisor *sup, const struct tally *tally,
                    char *out)
{
    int64_t time = sup->now - sup->started_ns;
    uint64_t items = tally->in > 0 ? tally->in : tally->out;

    text_from_count(out, time > 0
                             ? (uint64_t)((double)items * 1e9 / (double)time)
                             : 0);
}

static void draw_stage(struct supervisor *sup, unsigned number,
                       const struct tally *tally)
{
    struct buf *out = &sup->notes;
    size_t before = out->size;
    char in[32], given[32], rate[32], failed[32];

    rate_of(sup, tally, rate);
    buf_printf(out, "%-16.16s ", sup->stages[number].job->name);
    if (tally->fill >= 0) {
        bar(out, tally->fill);
        buf_printf(out, " in %-8s", text_from_count(in, tally->in));
    } else {
        buf_printf(out, "%20s", "");
    }
    buf_printf(out, " out %-8s %s/s", text_from_count(given, tally->out), rate);
    if (tally->failed > 0)
        buf_printf(out, " failed %s", text_from_count(failed, tally->failed));
    if (tally->dropped > 0)
        buf_printf(out, " dropped %s", text_from_count(failed, tally->dropped));
    if (out->size - before >= COLUMNS)
        buf_cut(out, before + COLUMNS - 1);
    buf_char(out, '\n');
}

static void draw(struct supervisor *sup, const struct tally *tallies)
{
    size_t count = sup->job->stages.count;
    struct winsize size = { .ws_row = 0 };

    erase(sup);
    if (ioctl(sup->options->notes, TIOCGWINSZ, &size) == 0 &&
        (size.ws_col < COLUMNS || count + 1 > size.ws_row))
        return; /* it would not stay in its place */
    for (unsigned i = 0; i < count; i++)
        draw_stage(sup, i, &tallies[i]);
    sup->rows = (unsigned)count;
}

static void line(struct supervisor *sup, const struct tally *tallies)
{
    struct buf *out = &sup->notes;
    char text[32];

    buf_text(out, "weir:");
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        const struct tally *it = &tallies[i];

        buf_printf(out, "%s %s", i > 0 ? ";" : "", sup->stages[i].job->name);
        if (it->fill >= 0)
            buf_printf(out, " in %s", text_from_count(text, it->in));
        buf_printf(out, " out %s", text_from_count(text, it->out));
        if (it->failed > 0)
            buf_printf(out, " failed %s", text_from_count(text, it->failed));
        if (it->dropped > 0)
            buf_printf(out, " dropped %s", text_from_count(text, it->dropped));
        if (it->put_off > 0)
            buf_printf(out, " put off %s", text_from_count(text, it->put_off));
        if (it->fill >= 0)
            buf_printf(out, " queue %d %%", (int)(it->fill * 100));
    }
    buf_char(out, '\n');
}

static void line_json(struct supervisor *sup, const struct tally *tallies)
{
    struct json json = { .out = &sup->notes };

    json_object(&json, NULL);
    json_text(&json, "event", "progress");
    json_int(&json, "time_ns", sup->now - sup->started_ns);
    json_array(&json, "stages");
    for (unsigned i = 0; i < sup->job->stages.count; i++) {
        json_object(&json, NULL);
        json_text(&json, "name", sup->stages[i].job->name);
        json_uint(&json, "in", tallies[i].in);
        json_uint(&json, "out", tallies[i].out);
        json_uint(&json, "failed", tallies[i].failed);
        if (tallies[i].dropped > 0)
            json_uint(&json, "dropped", tallies[i].dropped);
        if (tallies[i].put_off > 0)
            json_uint(&json, "put_off", tallies[i].put_off);
        if (tallies[i].fill >= 0)
            json_real(&json, "fill", tallies[i].fill);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_object_end(&json);
    buf_char(&sup->notes, '\n');
}

static void note(struct supervisor *sup)
{
    size_t count = sup->job->stages.count;
    CLEANUP_FREE struct tally *tallies = calloc(count + 1, sizeof *tallies);
    uint64_t number;

    if (tallies == NULL)
        return;
    for (unsigned i = 0; i < count; i++)
        tallies[i] = tally_of(sup, i);
    number = number_of(tallies, count);
    if (number == sup->noted)
        return;
    sup->noted = number;
    if (sup->options->json)
        line_json(sup, tallies);
    else if (sup->options->screen)
        draw(sup, tallies);
    else
        line(sup, tallies);
}

int64_t progress_note(struct supervisor *sup)
{
    int64_t every = sup->options->screen ? SCREEN_NS : LINES_NS;

    if (sup->notes.size > 0)
        progress_flush(sup);
    if (sup->noted_ns == 0)
        sup->noted_ns = sup->now;
    if (!sup->options->quiet && !silent(sup) &&
        sup->now - sup->noted_ns >= every) {
        sup->noted_ns = sup->now;
        note(sup);
        progress_flush(sup);
    }
    return sup->notes.size > 0 ? sup->now + 50 * NS_PER_MS : FOREVER;
}

/* ---------------------------------------------------------------- status ----
 */

static void status_worker(struct supervisor *sup, unsigned member)
{
    const struct seat *seat = &sup->seats[member];
    const char *stage = sup->stages[seat->stage].job->name;
    struct member_sample sample;
    const uint64_t bytes = seat->state == SEAT_LIVE ? stat_own_bytes(seat->pid)
                                                    : 0;
    unsigned put_off = put_off_by(sup, seat);
    char time[32], memory[32];

    if (seat->state != SEAT_LIVE) {
        buf_printf(&sup->notes, "  %s.%u: %s\n", stage, seat->index + 1,
                   seat->state == SEAT_ENDED  ? "ended"
                   : seat->state == SEAT_IDLE ? "not started"
                                              : "starting");
        return;
    }
    member_sample(sup->segment, member, &sample);
    text_from_duration(time, sup->now - seat->turn_since);
    buf_printf(&sup->notes, "  %s.%u: pid %d, ", stage, seat->index + 1,
               (int)seat->pid);
    if (sample.waiting != 0)
        buf_printf(&sup->notes, "waits for %s",
                   sample.waiting == 1 ? "items" : "room");
    else if (sample.in_hand)
        buf_printf(&sup->notes, "item %016llx, for %s",
                   (unsigned long long)sample.root, time);
    else
        buf_printf(&sup->notes, "%s", seat->ready ? "working" : "opening");
    if (sample.waiting == 0 && sample.beat > 0) {
        text_from_duration(time, sup->now - seat->beat_since);
        buf_printf(&sup->notes, ", no sign of life for %s", time);
    }
    if (put_off > 0)
        buf_printf(&sup->notes, ", %u put off", put_off);
    if (bytes > 0)
        buf_printf(&sup->notes, ", %s of its own",
                   text_from_size(memory, bytes));
    buf_char(&sup->notes, '\n');
}

void progress_status(struct supervisor *sup)
{
    if (silent(sup))
        return;
    erase(sup);
    sup->noted = 0;
    limits_watch(sup);
    if (sup->options->json) {
        note(sup);
    } else {
        CLEANUP_FREE struct tally *tallies = calloc(sup->job->stages.count + 1,
                                                    sizeof *tallies);

        for (unsigned i = 0; tallies != NULL && i < sup->job->stages.count; i++)
            tallies[i] = tally_of(sup, i);
        if (tallies != NULL)
            line(sup, tallies);
        for (unsigned i = 0; i < sup->plan.workers; i++)
            status_worker(sup, i);
        recycle_status(sup);
        halt_status(sup, &sup->notes);
        gates_status(sup);
    }
    progress_flush(sup);
}
