/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attrs.c - attributes as bytes. For each: u8 length of the name, u16 length
 * of the value (of this machine's byte order: they never leave it), name,
 * value. Runs in any process that has an item.
 */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "queue/attrs.h"
#include "queue/queue.h"

enum { HEAD = 3, NAME_LEN_MOST = UINT8_MAX };

int attrs_next(const void *attrs, size_t size, size_t *at,
               struct attr *attr_out)
{
    const unsigned char *bytes = attrs;
    size_t left = size - *at;
    uint16_t value_size;

    if (*at >= size)
        return *at == size ? 0 : WEIR_EBROKEN;
    bytes += *at;
    if (left < HEAD)
        return WEIR_EBROKEN;
    memcpy(&value_size, bytes + 1, sizeof value_size);
    if (bytes[0] == 0 || left - HEAD < (size_t)bytes[0] + value_size)
        return WEIR_EBROKEN;
    attr_out->name = (const char *)bytes + HEAD;
    attr_out->name_size = bytes[0];
    attr_out->value = bytes + HEAD + bytes[0];
    attr_out->size = value_size;
    *at += HEAD + (size_t)bytes[0] + value_size;
    return 1;
}

/* 1: *attr_out, which begins at *start_out. */
static int find(const void *attrs, size_t size, const char *name,
                size_t name_size, struct attr *attr_out, size_t *start_out)
{
    size_t at = 0;
    int code;

    for (;;) {
        *start_out = at;
        code = attrs_next(attrs, size, &at, attr_out);
        if (code <= 0)
            return code;
        if (attr_out->name_size == name_size &&
            memcmp(attr_out->name, name, name_size) == 0)
            return 1;
    }
}

int attrs_find(const void *attrs, size_t size, const char *name,
               size_t name_size, const void **value_out, size_t *value_size_out)
{
    struct attr attr;
    size_t start;
    int code = find(attrs, size, name, name_size, &attr, &start);

    if (code < 0)
        return code;
    if (code == 0)
        return WEIR_EEMPTY;
    *value_out = attr.value;
    *value_size_out = attr.size;
    return 0;
}

static void take_away(struct buf *attrs, size_t start, const struct attr *attr)
{
    size_t size = HEAD + attr->name_size + attr->size;

    memmove(attrs->data + start, attrs->data + start + size,
            attrs->size - start - size);
    buf_cut(attrs, attrs->size - size);
}

int attrs_set(struct buf *attrs, const char *name, const void *value,
              size_t size)
{
    size_t name_size = strlen(name), start, whole = HEAD + name_size + size;
    uint16_t value_size = (uint16_t)size;
    struct attr old;
    int code;

    if (name_size == 0 || name_size > NAME_LEN_MOST)
        return WEIR_EINVAL;
    code = find(attrs->data, attrs->size, name, name_size, &old, &start);
    if (code < 0)
        return code;
    if (value == NULL && size == 0) {
        if (code == 1)
            take_away(attrs, start, &old);
        return 0;
    }
    if (size > ATTRS_MOST ||
        attrs->size + whole >
            ATTRS_MOST + (code == 1 ? HEAD + old.name_size + old.size : 0))
        return WEIR_ETOOBIG;
    if (buf_reserve(attrs, whole) < 0)
        return WEIR_ENOMEM;
    if (code == 1) {
        (void)find(attrs->data, attrs->size, name, name_size, &old, &start);
        take_away(attrs, start, &old);
    }
    buf_char(attrs, (char)name_size);
    buf_add(attrs, &value_size, sizeof value_size);
    buf_add(attrs, name, name_size);
    return buf_add(attrs, value, size);
}
