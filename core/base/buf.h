/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * buf.h - growing bytes. Zeroed storage is an empty buffer. `data` is followed
 * by a NUL that `size` does not count whenever data is not NULL. The first
 * allocation that fails is remembered in `failed`; later appends do nothing,
 * so that a writer may check once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

struct buf {
    char *data;
    size_t size;
    size_t room;
    bool failed;
};

int buf_reserve(struct buf *buf, size_t more); /* 0 or WEIR_ENOMEM */
int buf_add(struct buf *buf, const void *data, size_t size);
int buf_text(struct buf *buf, const char *text); /* a C string */
int buf_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *format, ...) WEIR_PRINTF(2, 3);
void buf_cut(struct buf *buf, size_t size);  /* shorten to size */
void buf_drop(struct buf *buf, size_t size); /* take size off the front */
void buf_done(struct buf *buf);              /* frees; empty afterwards */

/* Messages between processes: fixed-width fields and counted bytes. */
int buf_u32(struct buf *buf, uint32_t value);
int buf_u64(struct buf *buf, uint64_t value);
int buf_counted(struct buf *buf, const void *data, size_t size);

/* A reader over bytes; `bad` is set by the first read past the end, and all
 * later reads then give 0 and empty. A counted text is followed by a NUL in
 * the message, so that .data may be used as a C string. */
struct reader {
    const char *data;
    size_t size;
    size_t at;
    bool bad;
};

uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
const char *read_counted(struct reader *reader, size_t *size_out);
const char *read_text(struct reader *reader); /* counted; never NULL */

#endif
