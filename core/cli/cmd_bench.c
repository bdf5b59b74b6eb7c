/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_bench.c - `weir bench`: what weir costs on this machine, beside what the
 * machine asks for without it. The command's own process; each measurement in
 * a child of its own, so that none is touched by what was before.
 *
 * weir and the bare program run in turn, round after round: a machine that
 * becomes slower does so for both.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/processors.h"
#include "cli/bench_weir.h"
#include "cli/bench_words.h"
#include "cli/cli.h"

enum { ROUNDS = 7, MEBIBYTES = 8, ASLEEP_NS = 2000000 };

struct bench_args {
    const char *time;
    bool json;
};

static const struct option_spec bench_options[] = {
    { OPTION_TEXT, '\0', "time", "TIME", "for each row, as '200ms' (1s)",
      offsetof(struct bench_args, time) },
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object a line, for programs",
      offsetof(struct bench_args, json) },
    { .kind = OPTION_END },
};

/* ------------------------------------------------------- measurements ---- */

struct bench {
    const struct bench_args *args;
    struct bench_machine machine;
    struct bench_measured rows[BENCH_ROWS];
    double *result; /* shared with the child that measures */
    int64_t for_ns; /* one measurement */
};

static double call_weir(const struct bench *b)
{
    return with_call(b->for_ns, 0);
}

/* With one processor nobody can be awake beside another. */
static double call_bare(const struct bench *b)
{
    return b->machine.processors > 1 ? bare_spin_call(b->for_ns)
                                     : bare_futex_call(b->for_ns, 0);
}

static double asleep_weir(const struct bench *b)
{
    return with_call(b->for_ns, ASLEEP_NS);
}

static double asleep_bare(const struct bench *b)
{
    return bare_futex_call(b->for_ns, ASLEEP_NS);
}

static double async_weir(const struct bench *b)
{
    return with_async(b->for_ns, b->machine.workers);
}

static double map_weir(const struct bench *b)
{
    return with_map(b->for_ns, b->machine.workers);
}

static double queue_weir(const struct bench *b)
{
    return with_queue(b->for_ns, 64, 1, 1, MEBIBYTES, 0);
}

static double queue_bare(const struct bench *b)
{
    return bare_robust(b->for_ns, 64, 1, 1);
}

static double batch_weir(const struct bench *b)
{
    return with_queue(b->for_ns, 64, 1, 32, MEBIBYTES, 0);
}

static double batch_bare(const struct bench *b)
{
    return bare_robust(b->for_ns, 64, 1, 32);
}

static double middle_weir(const struct bench *b)
{
    return with_queue(b->for_ns, 64 << 10, 1, 1, MEBIBYTES, 0);
}

static double middle_bare(const struct bench *b)
{
    return bare_copy(b->for_ns, 64 << 10);
}

static double large_weir(const struct bench *b)
{
    return with_queue(b->for_ns, 1 << 20, 1, 1, MEBIBYTES, 0);
}

static double large_bare(const struct bench *b)
{
    return bare_copy(b->for_ns, 1 << 20);
}

static double start_weir(const struct bench *b)
{
    return with_start(b->for_ns);
}

static double start_bare(const struct bench *b)
{
    return bare_start(b->for_ns);
}

static double recovery_weir(const struct bench *b)
{
    return with_recovery(b->for_ns, 50);
}

typedef double measure(const struct bench *b);

static const struct bench_row {
    const char *name, *what;
    measure *weir;
    const char *beside; /* what the bare program does; NULL: there is none */
    measure *bare;
} bench_rows[BENCH_ROWS] = {
    [BENCH_CALL] = { "call", "a call of 64 bytes and its result", call_weir,
                     "a word there and back", call_bare },
    [BENCH_CALL_ASLEEP] = { "call-asleep", "the same, 2 ms after the last",
                            asleep_weir, "a wake there and back", asleep_bare },
    [BENCH_ASYNC] = { "async", "a no-op call by apply_async", async_weir, NULL,
                      NULL },
    [BENCH_MAP] = { "map", "a no-op call by map", map_weir, NULL, NULL },
    [BENCH_QUEUE] = { "queue", "64 bytes put, and got elsewhere", queue_weir,
                      "ring, robust mutex", queue_bare },
    [BENCH_BATCH] = { "queue-batch", "the same, 32 at once", batch_weir,
                      "ring, robust mutex", batch_bare },
    [BENCH_64K] = { "queue-64KiB", "64 KiB, written, read in place",
                    middle_weir, "one memcpy", middle_bare },
    [BENCH_1M] = { "queue-1MiB", "1 MiB, written, read in place", large_weir,
                   "one memcpy", large_bare },
    [BENCH_START] = { "start", "a pool of 2, one call, all ended", start_weir,
                      "two forks, one byte", start_bare },
    [BENCH_RECOVERY] = { "recovery", "from a kill to its item's next lease",
                         recovery_weir, NULL, NULL },
};

/* 0 when it failed: told. */
static double measure_once(struct bench *b, measure *what)
{
    pid_t pid;
    int how;

    *b->result = 0;
    pid = bench_fork();
    if (pid == 0) {
        *b->result = what(b);
        _exit(0);
    }
    if (waitpid(pid, &how, 0) != pid)
        return 0;
    if (WIFSIGNALED(how))
        complain("a measurement was ended by %s", text_signal(WTERMSIG(how)));
    return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? *b->result : 0;
}

static struct bench_figure figure_of(double ns[ROUNDS])
{
    bench_sort(ns, ROUNDS);
    return (struct bench_figure){ ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1] };
}

static bool measure_row(struct bench *b, enum bench_id id)
{
    const struct bench_row *row = &bench_rows[id];
    double weir[ROUNDS] = { 0 }, bare[ROUNDS] = { 0 };

    b->for_ns /= ROUNDS * (row->bare != NULL ? 2 : 1);
    for (int i = 0; i < ROUNDS; i++) {
        weir[i] = measure_once(b, row->weir);
        if (weir[i] > 0 && row->bare != NULL)
            bare[i] = measure_once(b, row->bare);
        if (weir[i] <= 0 || (row->bare != NULL && bare[i] <= 0)) {
            complain("row '%s' could not be measured", row->name);
            return false;
        }
    }
    b->rows[id] = (struct bench_measured){ figure_of(weir), figure_of(bare) };
    return true;
}

/* ------------------------------------------------------------- output ---- */

static void show_text(const struct bench_row *row,
                      const struct bench_measured *got, struct buf *out)
{
    char weir[32], least[32], most[32], bare[32];

    buf_printf(out, "%-12s%9s  (%s .. %s)", row->name,
               text_from_duration(weir, (int64_t)got->weir.median),
               text_from_duration(least, (int64_t)got->weir.least),
               text_from_duration(most, (int64_t)got->weir.most));
    buf_printf(out, "  %s\n", row->what);
    if (row->bare != NULL)
        buf_printf(out, "%-12s%9s  (%s .. %s)  %s: %.3g times that\n", "  bare",
                   text_from_duration(bare, (int64_t)got->bare.median),
                   text_from_duration(least, (int64_t)got->bare.least),
                   text_from_duration(most, (int64_t)got->bare.most),
                   row->beside, got->weir.median / got->bare.median);
}

static void figure_json(struct json *json, const char *key,
                        const struct bench_figure *figure)
{
    json_object(json, key);
    json_real(json, "median_ns", figure->median);
    json_real(json, "least_ns", figure->least);
    json_real(json, "most_ns", figure->most);
    json_object_end(json);
}

static void show_json(const struct bench_row *row,
                      const struct bench_measured *got, struct buf *out)
{
    struct json json = { .out = out };

    json_object(&json, NULL);
    json_text(&json, "row", row->name);
    json_text(&json, "what", row->what);
    json_uint(&json, "rounds", ROUNDS);
    figure_json(&json, "weir", &got->weir);
    if (row->bare != NULL) {
        json_text(&json, "beside", row->beside);
        figure_json(&json, "bare", &got->bare);
    }
    json_object_end(&json);
    buf_char(out, '\n');
}

/* A sentence on lines of at most 78 characters, behind "- ". */
static void say_text(const char *sentence, void *arg)
{
    enum { WIDTH = 78 };
    struct buf *out = arg;
    size_t column = 1;

    buf_text(out, "-");
    while (*sentence != '\0') {
        size_t word = strcspn(sentence, " ");

        if (column + 1 + word > WIDTH) {
            buf_text(out, "\n ");
            column = 1;
        }
        buf_printf(out, " %.*s", (int)word, sentence);
        column += 1 + word;
        sentence += word + strspn(sentence + word, " ");
    }
    buf_char(out, '\n');
}

static void say_json(const char *sentence, void *arg)
{
    json_text(arg, NULL, sentence);
}

static void end_text(const struct bench *b, struct buf *out)
{
    buf_printf(out, "\n%sWhat limits it here%s (%u processor%s%s%s)\n",
               out_style(stdout, STYLE_BOLD), out_style(stdout, STYLE_END),
               b->machine.processors, b->machine.processors == 1 ? "" : "s",
               b->machine.model[0] != '\0' ? ", " : "", b->machine.model);
    bench_words(&b->machine, b->rows, say_text, out);
}

static void end_json(const struct bench *b, struct buf *out)
{
    struct json json = { .out = out };
    struct utsname system = { 0 };

    uname(&system);
    json_object(&json, NULL);
    json_uint(&json, "processors", b->machine.processors);
    json_text(&json, "model", b->machine.model);
    json_text(&json, "kernel", system.release);
    json_text(&json, "weir", weir_version());
    json_array(&json, "limits");
    bench_words(&b->machine, b->rows, say_json, &json);
    json_array_end(&json);
    json_object_end(&json);
    buf_char(out, '\n');
}

static void show(const struct bench *b, enum bench_id id)
{
    CLEANUP_BUF struct buf out = { 0 };

    if (b->args->json)
        show_json(&bench_rows[id], &b->rows[id], &out);
    else
        show_text(&bench_rows[id], &b->rows[id], &out);
    out_buf(&out);
    fflush(stdout); /* some seconds go by until the next */
}

static void show_end(const struct bench *b)
{
    CLEANUP_BUF struct buf out = { 0 };

    if (b->args->json)
        end_json(b, &out);
    else
        end_text(b, &out);
    out_buf(&out);
}

/* -------------------------------------------------------- the command ---- */

/* As /proc says it; x86 and some others only. */
static void read_model(char *out, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    out[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *at = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || at == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", at + 1 + strspn(at + 1, " "));
        break;
    }
    if (file != NULL)
        fclose(file);
}

static bool choose_rows(const struct cli *cli, bool chosen[BENCH_ROWS])
{
    const char *names[BENCH_ROWS + 1] = { NULL };

    for (int i = 0; i < BENCH_ROWS; i++) {
        names[i] = bench_rows[i].name;
        chosen[i] = cli->count == 0;
    }
    for (size_t i = 0; i < cli->count; i++) {
        const char *name = cli->operands[i], *near;
        int at = 0;

        while (at < BENCH_ROWS && strcmp(names[at], name) != 0)
            at++;
        if (at < BENCH_ROWS) {
            chosen[at] = true;
            continue;
        }
        near = text_nearest(name, names);
        complain("no row '%s'; %s%s%s", name, near ? "did you mean '" : "",
                 near ? near : "'weir bench --help' lists them",
                 near ? "'?" : "");
        return false;
    }
    return true;
}

static enum status bench_run(const struct cli *cli, const void *all)
{
    const struct bench_args *args = all;
    struct bench b = { .args = args };
    enum status status = STATUS_GOOD;
    int64_t time_ns = NS_PER_S;
    bool chosen[BENCH_ROWS];
    weir_error err = { 0 };

    if (args->time != NULL && text_duration(args->time, &time_ns, &err) < 0) {
        complain("--time: %s", err.text);
        return STATUS_WRONG;
    }
    if (time_ns <= 0) {
        complain("--time: nothing is measured in no time");
        return STATUS_WRONG;
    }
    if (!choose_rows(cli, chosen))
        return STATUS_WRONG;
    b.machine.processors = processors_usable();
    b.machine.workers = b.machine.processors > 1 ? b.machine.processors : 2;
    read_model(b.machine.model, sizeof b.machine.model);
    b.result = bench_shared(sizeof *b.result);
    for (int i = 0; i < BENCH_ROWS && !out_lost(); i++) {
        if (!chosen[i])
            continue;
        b.for_ns = time_ns;
        if (measure_row(&b, (enum bench_id)i))
            show(&b, (enum bench_id)i);
        else
            status = STATUS_BROKEN;
    }
    show_end(&b);
    munmap(b.result, sizeof *b.result);
    return status;
}

const struct command cmd_bench = {
    .name = "bench",
    .summary = "Measure what weir costs on this machine, and what limits it",
    .operands = "[ROW...]",
    .least = 0,
    .most = SIZE_MAX,
    .completes = "call|call-asleep|async|map|queue|queue-batch|queue-64KiB|"
                 "queue-1MiB|start|recovery",
    .options = bench_options,
    .args_size = sizeof(struct bench_args),
    .about =
        "\nBeside each row of weir stands the same work by a program written "
        "by hand for\njust that, without crash safety but where it says "
        "robust. "
        "Both run in turn, in 7\nrounds; shown are the median, the least and "
        "the most. Rows: call, call-asleep,\nasync, map, queue, queue-batch, "
        "queue-64KiB, queue-1MiB, start, recovery.\nNothing else should run "
        "meanwhile.\n",
    .examples = "  weir bench\n"
                "  weir bench --time=100ms call queue\n",
    .run = bench_run,
};
