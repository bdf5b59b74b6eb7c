/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * expand.h - attributes put into a text: what stands behind weir_expand. Runs
 * in workers, for every item.
 */
#ifndef PLUGIN_EXPAND_H
#define PLUGIN_EXPAND_H

#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* The value of an attribute: 0, or WEIR_EEMPTY when there is none, or another
 * negative code, which ends the expansion. @name is not NUL-ended. */
typedef int template_lookup(void *arg, const char *name, size_t name_size,
                            const void **value, size_t *size);

/**
 * template_expand - replace each ${item.NAME} by what @lookup gives
 * @out, @room: the result and its NUL; what is there after an error is
 *              unspecified
 * @missing:    64 bytes; after WEIR_EEMPTY and WEIR_EINVAL the attribute's
 *              name, else ""
 *
 * $${ is a literal ${ and all other text is itself: also ${x}, a brace that
 * is not closed, and a name that is none.
 *
 * Returns the length without the NUL; WEIR_EEMPTY: an attribute is not there;
 * WEIR_EINVAL: a value has a NUL byte, behind which a name would be cut off
 * unseen; WEIR_ETOOBIG: @room is too small; or what @lookup gave.
 */
int template_expand(const char *text, template_lookup *lookup, void *arg,
                    char *out, size_t room, char *missing);

/* What attr_derived works from. */
struct derived {
    uint64_t root, path; /* the item's id */
    const void *file;    /* attribute `path`; NULL: there is none */
    size_t file_size;
    char id[33]; /* room for ${item.id} */
};

/**
 * attr_derived - the names that are no attributes but made from them
 *
 * id (32 hex digits: root, path), and of the attribute `path`: name (behind
 * the last slash), stem (that, less its last extension; ".profile" is all
 * stem), dir (before it, "." when there is none). Slashes at the end do not
 * count, as with basename(1).
 *
 * Returns 1 when @name is one of them, with its value, which points into
 * @derived or the attribute; 0 when it is none of them; WEIR_EEMPTY when it
 * is one, but there is no `path`, or an empty one.
 */
int attr_derived(struct derived *derived, const char *name, size_t name_size,
                 const void **value, size_t *size);

#endif
