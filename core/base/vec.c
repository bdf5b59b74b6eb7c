/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vec.c - a growing array; what stands behind the macros. Any process. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

enum { FIRST_ROOM = 8 };

void *vec_grow(void **at, size_t *count, size_t *room, size_t size)
{
    char *element;

    if (*count == *room) {
        size_t more = FIRST_ROOM;
        void *grown;

        if (*room > 0 && __builtin_mul_overflow(*room, 2, &more))
            return NULL;
        grown = reallocarray(*at, more, size); /* checks the product */
        if (!grown)
            return NULL;
        *at = grown;
        *room = more;
    }
    element = (char *)*at + *count * size;
    memset(element, 0, size);
    ++*count;
    return element;
}

void vec_done(void **at, size_t *count, size_t *room)
{
    free(*at);
    *at = NULL;
    *count = *room = 0;
}
