/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attrs.h - an item's attributes as they lie in shared memory: for each a name
 * and a value, lengths in front, in the order they were first set. Values may
 * hold any byte. Reading trusts nothing.
 */
#ifndef QUEUE_ATTRS_H
#define QUEUE_ATTRS_H

#include <stddef.h>

#include "base/base.h"

/* 0 and the value; WEIR_EEMPTY: there is none of that name; WEIR_EBROKEN. */
int attrs_find(const void *attrs, size_t size, const char *name,
               size_t name_size, const void **value_out,
               size_t *value_size_out);

/* Sets or, with @value NULL and @size 0, takes away. WEIR_EINVAL: no name;
 * WEIR_ETOOBIG: all of them would pass 4 KiB; WEIR_ENOMEM. */
int attrs_set(struct buf *attrs, const char *name, const void *value,
              size_t size);

struct attr {
    const char *name; /* not NUL-ended */
    size_t name_size;
    const void *value;
    size_t size;
};
/* 1 and the attribute at *@at, which starts at 0 and moves on; 0: the end;
 * WEIR_EBROKEN. */
int attrs_next(const void *attrs, size_t size, size_t *at,
               struct attr *attr_out);

#endif
