/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * try.c - a plugin for the tests of the command: tasks of every kind, with
 * parameters of every type, that do what they are told and then tell it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/plugin.h>

struct all {
    const char *text;
    uint64_t number;
    int64_t offset;
    double ratio;
    bool flag;
    uint64_t limit_bytes;
    int64_t period_ns;
    unsigned mode;
    weir_list words;
};

static const weir_param all_params[] = {
    WEIR_PARAM_TEXT(struct all, text, NULL, "what to say", .min = "1",
                    .max = "20"),
    WEIR_PARAM_UINT(struct all, number, "3", "how many", .max = "1000"),
    WEIR_PARAM_INT(struct all, offset, "-1", "where from"),
    WEIR_PARAM_REAL(struct all, ratio, "0.5", "how much", .min = "0",
                    .max = "1"),
    WEIR_PARAM_BOOL(struct all, flag, "false", "whether"),
    WEIR_PARAM_SIZE(struct all, limit_bytes, "1 KiB", "how large",
                    .min = "1 B"),
    WEIR_PARAM_DURATION(struct all, period_ns, "30s", "how long"),
    WEIR_PARAM_CHOICE(struct all, mode, "slow", "which way",
                      .choices = "slow fast"),
    WEIR_PARAM_LIST(struct all, words, "", "which"),
    { 0 },
};

static int all_check(weir_call *call)
{
    const struct all *param = weir_params(call);

    if (strcmp(param->text, "bad") == 0)
        return weir_refuse(call, "text", "nobody says 'bad'");
    return 0;
}

static int all_run(weir_call *call)
{
    const struct all *param = weir_params(call);
    char line[512];
    int size = snprintf(line, sizeof line, "%s %llu %lld %g %d %llu %lld %u",
                        param->text, (unsigned long long)param->number,
                        (long long)param->offset, param->ratio, param->flag,
                        (unsigned long long)param->limit_bytes,
                        (long long)param->period_ns, param->mode);

    for (size_t i = 0; i < param->words.count; i++)
        size += snprintf(line + size, sizeof line - (size_t)size, " %s",
                         param->words.items[i]);
    return weir_emit(call, 0, line, (size_t)size);
}

/* Items that begin with a letter, and the others. */
static int part_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    const char *data = in.data;
    bool letter = in.size > 0 &&
                  ((data[0] | 32) >= 'a' && (data[0] | 32) <= 'z');
    int code = weir_set_attr(call, "kind", letter ? "yes" : "no",
                             letter ? 3 : 2);

    return code < 0 ? code : weir_pass(call, letter ? 0 : 1);
}

/* Does what the item says. */
static int obey_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    const char *word = in.data;
    int code = weir_emit(call, 0, "lost", 4);

#define SAID(text)                                                             \
    (in.size >= sizeof text - 1 && memcmp(word, text, sizeof text - 1) == 0)
    if (code < 0)
        return code;
    if (SAID("fail"))
        return weir_fail(call, WEIR_PERMANENT, "told to fail");
    if (SAID("again"))
        return weir_fail(call, WEIR_TRANSIENT, "told to try again");
    if (SAID("skip"))
        return weir_fail(call, WEIR_SKIP, "told to skip");
    if (SAID("fatal"))
        return weir_fail(call, WEIR_FATAL, "told to end all");
    if (SAID("wrong"))
        return 42;
    if (SAID("crash"))
        abort();
    if (SAID("log"))
        weir_log(call, WEIR_WARNING, "told to say so");
    return 0;
}

struct ticks {
    uint64_t count, hole;
};

static const weir_param ticks_params[] = {
    WEIR_PARAM_UINT(struct ticks, count, "3", "how many"),
    WEIR_PARAM_UINT(struct ticks, hole, "0",
                    "the one that cannot be read, from 1; 0: none"),
    { 0 },
};

/* A source: "tick 1", "tick 2", ... */
static int ticks_run(weir_call *call)
{
    const struct ticks *param = weir_params(call);
    weir_bytes cursor;
    uint64_t done = 0;
    char line[64];
    int size, code = weir_cursor(call, &cursor);

    if (code < 0)
        return code;
    if (cursor.size == sizeof done)
        memcpy(&done, cursor.data, sizeof done);
    if (done++ >= param->count)
        return WEIR_END;
    if (done != param->hole) {
        size = snprintf(line, sizeof line, "tick %llu",
                        (unsigned long long)done);
        code = weir_emit(call, 0, line, (size_t)size);
    }
    if (code == 0)
        code = weir_set_cursor(call, &done, sizeof done);
    if (code == 0 && done == param->hole)
        return weir_fail(call, WEIR_PERMANENT, "tick %llu cannot be read",
                         (unsigned long long)done);
    return code;
}

/* Counts items, and says how many at the end of the input. */
static int count_run(weir_call *call)
{
    uintptr_t count = (uintptr_t)weir_state(call);

    weir_set_state(call, (void *)(count + 1));
    return 0;
}

static int count_flush(weir_call *call)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%llu items",
                        (unsigned long long)(uintptr_t)weir_state(call));

    return weir_emit(call, 0, line, (size_t)size);
}

static const weir_task tasks[] = {
    { .name = "all",
      .summary = "Say each parameter",
      .run = all_run,
      .check = all_check,
      .params = all_params },
    { .name = "part",
      .summary = "Part letters from the rest",
      .run = part_run,
      .outputs = "letters others" },
    { .name = "obey", .summary = "Do what the item says", .run = obey_run },
    { .name = "ticks",
      .summary = "Make items",
      .run = ticks_run,
      .params = ticks_params,
      .source = true },
    { .name = "count",
      .summary = "Count items",
      .run = count_run,
      .flush = count_flush,
      .single = true },
    { 0 },
};

WEIR_PLUGIN(.name = "try", .version = "1.5", .summary = "For tests",
            .tasks = tasks);
