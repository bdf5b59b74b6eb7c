/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * out.h - what `weir` says: results on standard output, all else on standard
 * error; colour only where it is wanted and can be seen. Process-wide; used by
 * the command's own process alone.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/base.h"

/* First thing in main: a standard stream that is closed stays an error for
 * who uses it, but its number is taken. */
void out_guard(void);

/* --color and --plain; false when @when is none of auto, always, never. */
bool out_choose(const char *when, bool plain);
/* No cursor movement, no boxes, no colour. */
bool out_plain(void);
/* Is colour wanted on this stream? */
bool out_coloured(FILE *stream);

/* Standard error is a terminal that can move its cursor: a progress block may
 * be drawn there. */
bool out_live(void);

enum style { STYLE_BOLD, STYLE_RED, STYLE_YELLOW, STYLE_DIM, STYLE_END };
/* "" when there is no colour on @stream. */
const char *out_style(FILE *stream, enum style style);

/* To standard output. What went wrong is known at the end: out_finish. */
void out_buf(struct buf *buf);
void out_text(const char *text);
void out_bytes(const void *data, size_t size);
/* Something could not be written: there is no use in going on. */
bool out_lost(void);

/* "weir: ...", one line on standard error. */
void complain(const char *format, ...) WEIR_PRINTF(1, 2);
void complain_error(const weir_error *err); /* with its place, if any */
void note_line(const char *format, ...) WEIR_PRINTF(1, 2); /* no colour */
void warn(const char *format, ...) WEIR_PRINTF(1, 2);
/* No memory: told. */
void complain_memory(void);

/* log.h's hook: lines of core and of tasks, on standard error. */
void out_log(enum weir_level level, const char *category, const char *text,
             void *arg);

/* Standard output is complete, or it is told that it is not, and why: then
 * 3. Otherwise @status. */
int out_finish(int status);

#endif
