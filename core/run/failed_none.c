/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* failed_none.c - failed_store.h where weir is built without SQLite: nothing
 * can be opened, so nothing else is ever called. */
#include "config.h"

#include <errno.h>

#include "run/failed_store.h"

int failed_open(const char *file, enum failed_mode mode,
                struct failed_store **out, weir_error *err)
{
    (void)mode, (void)out;
    return error_set(err, -ENOSYS,
                     "cannot open '%s': this weir was built without SQLite",
                     file);
}

void failed_close(struct failed_store **store)
{
    *store = NULL;
}

#define NOTHING return error_set(err, -ENOSYS, "built without SQLite")

int failed_begin(struct failed_store *store, weir_error *err)
{
    (void)store;
    NOTHING;
}

int failed_commit(struct failed_store *store, weir_error *err)
{
    (void)store;
    NOTHING;
}

int failed_add(struct failed_store *store, const struct failed_row *row,
               weir_error *err)
{
    (void)store, (void)row;
    NOTHING;
}

int failed_set_settled(struct failed_store *store, uint64_t root, uint64_t path,
                       const char *stage, int64_t at_ns, weir_error *err)
{
    (void)store, (void)root, (void)path, (void)stage, (void)at_ns;
    NOTHING;
}

int failed_end_replay(struct failed_store *store, bool end, weir_error *err)
{
    (void)store, (void)end;
    NOTHING;
}

int failed_set_fact(struct failed_store *store, const char *name,
                    const void *data, size_t size, weir_error *err)
{
    (void)store, (void)name, (void)data, (void)size;
    NOTHING;
}

int failed_fact(struct failed_store *store, const char *name, struct buf *out,
                weir_error *err)
{
    (void)store, (void)name, (void)out;
    NOTHING;
}

int failed_set_stage(struct failed_store *store, const char *stage,
                     const char *task, weir_error *err)
{
    (void)store, (void)stage, (void)task;
    NOTHING;
}

int failed_set_param(struct failed_store *store, const char *stage,
                     const char *name, const char *value, weir_error *err)
{
    (void)store, (void)stage, (void)name, (void)value;
    NOTHING;
}

int failed_params(struct failed_store *store, const char *stage,
                  failed_param_fn *fn, void *arg, weir_error *err)
{
    (void)store, (void)stage, (void)fn, (void)arg;
    NOTHING;
}

int failed_task(struct failed_store *store, const char *stage, struct buf *out,
                weir_error *err)
{
    (void)store, (void)stage, (void)out;
    NOTHING;
}

int failed_each(struct failed_store *store, const struct failed_filter *filter,
                bool bytes, failed_row_fn *fn, void *arg, weir_error *err)
{
    (void)store, (void)filter, (void)bytes, (void)fn, (void)arg;
    NOTHING;
}

int failed_groups(struct failed_store *store, failed_group_fn *fn, void *arg,
                  weir_error *err)
{
    (void)store, (void)fn, (void)arg;
    NOTHING;
}

int failed_prune(struct failed_store *store, uint64_t most_bytes,
                 int64_t oldest_ns, weir_error *err)
{
    (void)store, (void)most_bytes, (void)oldest_ns;
    NOTHING;
}

int failed_gone(struct failed_store *store, uint64_t *count_out,
                weir_error *err)
{
    (void)store, (void)count_out;
    NOTHING;
}

int failed_last(struct failed_store *store, int64_t *number_out,
                weir_error *err)
{
    (void)store, (void)number_out;
    NOTHING;
}

int failed_cut(struct failed_store *store, int64_t number, weir_error *err)
{
    (void)store, (void)number;
    NOTHING;
}
