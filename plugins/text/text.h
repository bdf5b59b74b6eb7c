/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - what the files of the plugin `text` know of each other. */
#ifndef TEXT_TEXT_H
#define TEXT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <weir/plugin.h>

struct text_grep_param {
    const char *pattern;
    bool invert, ignore_case, utf;
    uint64_t steps;
};

struct text_replace_param {
    const char *pattern, *with;
    bool ignore_case, utf, once;
    uint64_t steps, size_bytes;
};

struct text_top_param {
    uint64_t k;
};

int text_grep_check(weir_call *call);
int text_grep_open(weir_call *call);
int text_grep_run(weir_call *call);
int text_replace_check(weir_call *call);
int text_replace_open(weir_call *call);
int text_replace_run(weir_call *call);
int text_pattern_close(weir_call *call);

int text_words_open(weir_call *call);
int text_words_run(weir_call *call);
int text_words_close(weir_call *call);

int text_top_open(weir_call *call);
int text_top_run(weir_call *call);
int text_top_flush(weir_call *call);
int text_top_save(weir_call *call, int fd);
int text_top_load(weir_call *call, int fd);
int text_top_close(weir_call *call);

#endif
