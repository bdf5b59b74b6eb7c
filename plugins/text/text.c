/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c - the plugin `text`: items that are text. Here are its tasks, their
 * parameters, and text.upper; text.md is the manual.
 */
#include "config.h"

#include "text.h"

/* Letters of ASCII alone: what is UTF-8 stays so. */
static int upper_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    const unsigned char *from = in.data;
    unsigned char *to;
    void *data;
    int code = weir_reserve(call, 0, in.size, &data);

    if (code < 0)
        return code;
    to = data;
    for (size_t i = 0; i < in.size; i++)
        to[i] = (unsigned char)(from[i] - 'a') < 26 ? from[i] ^ 0x20 : from[i];
    return weir_submit(call, in.size);
}

static const weir_param grep_params[] = {
    WEIR_PARAM_TEXT(struct text_grep_param, pattern, NULL,
                    "regular expression, as Perl's"),
    WEIR_PARAM_BOOL(struct text_grep_param, invert, "false",
                    "pass what does not match"),
    WEIR_PARAM_BOOL(struct text_grep_param, ignore_case, "false",
                    "take upper and lower case as the same"),
    WEIR_PARAM_BOOL(struct text_grep_param, utf, "true",
                    "pattern and items are UTF-8; false: bytes"),
    WEIR_PARAM_UINT(struct text_grep_param, steps, "10000000",
                    "most steps of one match; the item fails", .min = "1",
                    .max = "4294967295"),
    { 0 },
};

static const weir_param replace_params[] = {
    WEIR_PARAM_TEXT(struct text_replace_param, pattern, NULL,
                    "regular expression, as Perl's"),
    WEIR_PARAM_TEXT(struct text_replace_param, with, NULL,
                    "what stands there instead; $1 is the first group"),
    WEIR_PARAM_BOOL(struct text_replace_param, once, "false",
                    "replace only the first match"),
    WEIR_PARAM_BOOL(struct text_replace_param, ignore_case, "false",
                    "take upper and lower case as the same"),
    WEIR_PARAM_BOOL(struct text_replace_param, utf, "true",
                    "pattern and items are UTF-8; false: bytes"),
    WEIR_PARAM_UINT(struct text_replace_param, steps, "10000000",
                    "most steps of one match; the item fails", .min = "1",
                    .max = "4294967295"),
    WEIR_PARAM_SIZE(struct text_replace_param, size_bytes, "4 MiB",
                    "largest result; the item fails", .min = "1 B",
                    .max = "1 GiB"),
    { 0 },
};

static const weir_param top_params[] = {
    WEIR_PARAM_UINT(struct text_top_param, k, "10", "how many words to give",
                    .min = "1", .max = "1000000000"),
    { 0 },
};

static const weir_task tasks[] = {
    {
        .name = "upper",
        .summary = "Turn the letters a to z into A to Z",
        .run = upper_run,
    },
    {
        .name = "grep",
        .summary = "Pass the items that match a pattern",
        .run = text_grep_run,
        .open = text_grep_open,
        .close = text_pattern_close,
        .check = text_grep_check,
        .params = grep_params,
    },
    {
        .name = "replace",
        .summary = "Replace what matches a pattern",
        .run = text_replace_run,
        .open = text_replace_open,
        .close = text_pattern_close,
        .check = text_replace_check,
        .params = replace_params,
        .largest = "size",
    },
    {
        .name = "count-words",
        .summary = "Count the words of an item",
        .run = text_words_run,
        .open = text_words_open,
        .close = text_words_close,
    },
    {
        .name = "top",
        .summary = "Add up counts, and give the words with the most",
        .run = text_top_run,
        .open = text_top_open,
        .flush = text_top_flush,
        .save = text_top_save,
        .load = text_top_load,
        .close = text_top_close,
        .params = top_params,
        .single = true,
    },
    { 0 },
};

WEIR_PLUGIN(.name = "text", .version = PACKAGE_VERSION,
            .summary = "Items that are text", .tasks = tasks);
