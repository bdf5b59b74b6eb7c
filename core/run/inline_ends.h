/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_ends.h - `from: stdin` and `to: stdout`, read and written by the one
 * process that there is. */
#ifndef RUN_INLINE_ENDS_H
#define RUN_INLINE_ENDS_H

#include "base/base.h"
#include "job/job.h"
#include "run/inline.h"

struct inline_input {
    int fd;
    enum stdin_as as;
    struct buf buffer;
    size_t at;        /* before it, all has been given */
    size_t looked;    /* before it, there is no end of a line */
    bool ended;       /* nothing more can be read */
    bool given_whole; /* STDIN_WHOLE: once, also when it is empty */
    uint64_t ordinal;
};

/* 1 and an item; 0: the end; or a code and err. */
int inline_input_next(struct inline_input *input, struct inline_item *out,
                      weir_error *err);
void inline_input_done(struct inline_input *input);

/* The item, whole, and what ends it. */
int inline_output(int fd, enum frame frame, const struct payload *payload);

#endif
