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
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run/supervisor.h"

#define SCREEN_NS (1 * NS_PER_S)
#define LINES_NS (10 * NS_PER_S)
#define LOCK_NS (1 * NS_PER_MS)
enum { WAITING_MOST = 256 << 10, PIECE = 512, COLUMNS = 80 };

void progress_flush(struct supervisor *sup)
{
    struct pollfd poller = { .fd = sup->options->notes, .events = POLLOUT };

    while (sup->notes.size > 0 && poll(&poller, 1, 0) == 1 &&
           (poller.revents & POLLOUT) != 0) {
        size_t size = sup->notes.size < PIECE ? sup->notes.size : PIECE;
        ssize_t put = write(poller.fd, sup->notes.data, size);

        if (put < 0 && errno != EINTR && errno != EAGAIN)
            put = (ssize_t)sup->notes.size; /* nobody will ever read it */
        if (put > 0)
            buf_drop(&sup->notes, (size_t)put);
    }
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

/* ------------------------------------------------------------- numbers ---- */

struct tally {
    uint64_t in, out, failed;
    uint64_t dropped; /* by its input queues, for want of room */
    unsigned live;
    double fill; /* of its input, 0 to 1; -1: a source */
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
                                      tallies[i].dropped * 11);
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
    if (bytes > 0)
        buf_printf(&sup->notes, ", %s of its own",
                   text_from_size(memory, bytes));
    buf_char(&sup->notes, '\n');
}

void progress_status(struct supervisor *sup)
{
    if (sup->options->notes < 0)
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
        gates_status(sup);
    }
    progress_flush(sup);
}
