/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - sizes, durations and names as people write them, both ways. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * "64 MiB", "64MiB", "1.5 GB", "4096 B"; KiB MiB GiB TiB are powers of 1024,
 * kB (KB) MB GB TB of 1000. A bare number other than 0 is WEIR_ESYNTAX whose
 * sentence says which units to write. Result in bytes; overflow is an error.
 */
int text_size(const char *text, uint64_t *bytes_out, weir_error *err);

/* "30s", "1h30m", "250ms", "10us", "5ns", "2min", "1d", "1.5s"; a bare number
 * other than 0 is an error: "write 30s, 30ms or 30min". Result in ns. */
int text_duration(const char *text, int64_t *ns_out, weir_error *err);

/* Decimal digits only (one leading '-' for text_int). */
int text_uint(const char *text, uint64_t *value_out, weir_error *err);
int text_int(const char *text, int64_t *value_out, weir_error *err);
int text_real(const char *text, double *value_out, weir_error *err);
/* true and false only; others get a sentence. */
int text_bool(const char *text, bool *value_out, weir_error *err);

/* At most 3 digits and one unit, for people: "1.25 MiB", "98 B", "12 ms",
 * "1 h 5 min", "3.1 M" (counts). @out has at least 32 bytes; returns @out. */
char *text_from_size(char *out, uint64_t bytes);
char *text_from_duration(char *out, int64_t ns);
char *text_from_count(char *out, uint64_t count);

/* The candidate nearest to @name by edit distance (insert, delete, replace,
 * swap of neighbours), NULL when none is near enough to be meant. Candidates
 * end with NULL. */
const char *text_nearest(const char *name, const char *const *candidates);

/* Offset of the first byte that is not well-formed UTF-8 (RFC 3629), or
 * @size when all is. */
size_t text_utf8_valid(const char *data, size_t size);
/* Terminal cells of the first @size bytes; a control, and a byte that is not
 * UTF-8, counts 1. */
size_t text_cells(const char *data, size_t size);
/* Appends @data with controls, and what is not UTF-8, as \xNN, \n, \t, for a
 * terminal or a message; at most @most bytes of input, then "...". */
int text_escape(struct buf *buf, const char *data, size_t size, size_t most);

/* [a-z0-9_-]+ beginning with a letter, at most 64: names of jobs, stages,
 * queues, tasks, parameters. Letters may be of either case. */
bool text_is_name(const char *text);

/* "SIGKILL" for 9; "signal 77" where it has no name (static storage). */
const char *text_signal(int signal);

#endif
