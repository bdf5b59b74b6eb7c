/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weir/bytes.h - bytes and how many; included by the headers that need it. */
#ifndef WEIR_BYTES_H
#define WEIR_BYTES_H

#include <stddef.h>

/* Bytes that belong to somebody else; data may be NULL when size is 0. */
typedef struct weir_bytes {
    const void *data;
    size_t size;
} weir_bytes;

#endif
