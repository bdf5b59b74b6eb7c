/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_item.c - items in private memory. In the command's own process. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "queue/attrs.h"
#include "run/inline.h"

enum { ALIGNMENT = 64 };

struct payload *payload_new(const void *data, size_t size)
{
    struct payload *payload = calloc(1, sizeof *payload);
    size_t room = (size / ALIGNMENT + 1) * ALIGNMENT;

    if (!payload)
        return NULL;
    payload->refs = 1;
    payload->size = size;
    payload->data = aligned_alloc(ALIGNMENT, room);
    if (!payload->data) {
        free(payload);
        return NULL;
    }
    if (data && size > 0)
        memcpy(payload->data, data, size);
    return payload;
}

struct payload *payload_ref(struct payload *payload)
{
    if (payload)
        payload->refs++;
    return payload;
}

void payload_unref(struct payload **payload)
{
    if (*payload && --(*payload)->refs == 0) {
        free((*payload)->data);
        free(*payload);
    }
    *payload = NULL;
}

struct inline_item inline_item_ref(const struct inline_item *item)
{
    struct inline_item copy = *item;

    payload_ref(copy.payload);
    payload_ref(copy.attrs);
    return copy;
}

void inline_item_done(struct inline_item *item)
{
    payload_unref(&item->payload);
    payload_unref(&item->attrs);
}

int inline_item_set(struct inline_item *item, const char *name,
                    const void *value, size_t size)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct payload *changed;
    int code = 0;

    if (item->attrs)
        code = buf_add(&attrs, item->attrs->data, item->attrs->size);
    if (code == 0)
        code = attrs_set(&attrs, name, value, size);
    if (code < 0)
        return code;
    changed = payload_new(attrs.data, attrs.size);
    if (!changed)
        return WEIR_ENOMEM;
    payload_unref(&item->attrs);
    item->attrs = changed;
    return 0;
}
