/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* failure.c - failures as messages. Workers write, the supervisor reads. */
#include "config.h"

#include <string.h>

#include "queue/attrs.h"
#include "run/failure.h"

enum { START_BYTES = 48, NAME_BYTES = 1024 };

static void write_item(struct buf *out, const struct item *item)
{
    const void *name = "";
    size_t name_size = 0;
    CLEANUP_BUF struct buf start = { 0 };

    if (attrs_find(item->attrs, item->attrs_size, "path", 4, &name,
                   &name_size) != 0)
        name_size = 0;
    buf_counted(out, name, name_size < NAME_BYTES ? name_size : NAME_BYTES);
    text_escape(&start, item->data, item->size, START_BYTES);
    buf_counted(out, start.data != NULL ? start.data : "", start.size);
}

int failure_write(struct buf *out, unsigned stage, const struct item *item,
                  uint64_t root, const char *why, unsigned attempts,
                  const struct buf *wrote)
{
    buf_u32(out, stage);
    buf_u64(out, item != NULL ? item->root : root);
    buf_u64(out, item != NULL ? item->path : 0);
    buf_u32(out, attempts);
    buf_counted(out, why, strlen(why));
    buf_u32(out, item != NULL);
    if (item != NULL)
        write_item(out, item);
    if (wrote == NULL || wrote->size == 0)
        buf_counted(out, "", 0);
    else
        buf_counted(out, wrote->data, wrote->size);
    return out->failed ? WEIR_ENOMEM : 0;
}

int failure_read(const void *data, size_t size, struct run_failure *out)
{
    struct reader in = { .data = data, .size = size };

    *out = (struct run_failure){ .stage = read_u32(&in) };
    out->root = read_u64(&in);
    out->path = read_u64(&in);
    out->attempts = read_u32(&in);
    out->why = (char *)read_text(&in);
    if (read_u32(&in) != 0) {
        out->name = (char *)read_text(&in);
        out->start = (char *)read_text(&in);
    }
    if (out->name != NULL && out->name[0] == '\0')
        out->name = NULL;
    out->wrote = (char *)read_text(&in);
    if (out->wrote[0] == '\0')
        out->wrote = NULL;
    return in.bad ? WEIR_EBROKEN : 0;
}
