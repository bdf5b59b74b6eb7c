/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * brim.h - what lies behind the room that a task has reserved. Private to
 * core/run; runs in workers.
 *
 * An output's memory is mostly larger than the room that was asked for. What is
 * left behind the room, the brim, belongs to nobody else: it is given a
 * pattern, and looked at when the output is submitted. So a task that writes
 * past its room is found out before anything of it can be committed. Only its
 * two ends are written, so that the price does not grow with the brim.
 */
#ifndef RUN_BRIM_H
#define RUN_BRIM_H

#include <stddef.h>

enum brim {
    BRIM_WHOLE,  /* nothing was written past the room */
    BRIM_PAST,   /* something was, and it stayed within the brim */
    BRIM_BEYOND, /* the last of the brim, too: perhaps what is behind it */
};

/* @data has @room bytes, and @brim more behind them. */
void brim_fill(void *data, size_t room, size_t brim);
enum brim brim_look(const void *data, size_t room, size_t brim);

#endif
