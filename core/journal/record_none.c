/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record_none.c - a build without SQLite keeps no journal. Any process. */
#include "config.h"

#include <errno.h>

#include "journal/record.h"

static int none(weir_error *err)
{
    return error_set(err, -ENOSYS,
                     "this weir was built without SQLite: it keeps no journal, "
                     "and reads none");
}

int record_create(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err)
{
    (void)path, (void)run, (void)out;
    return none(err);
}

int record_resume(const char *path, const struct record_run *run,
                  struct record_store **out, weir_error *err)
{
    (void)path, (void)run, (void)out;
    return none(err);
}

void record_close(struct record_store **store)
{
    *store = NULL;
}

int record_checkpoint(struct record_store *store,
                      const struct snapshot *snapshot,
                      const record_states *states, const char *reason,
                      weir_error *err)
{
    (void)store, (void)snapshot, (void)states, (void)reason;
    return none(err);
}

int record_end(struct record_store *store, int status, int signal,
               const char *why, weir_error *err)
{
    (void)store, (void)status, (void)signal, (void)why;
    return none(err);
}

int record_read(const char *path, struct record_run *out, weir_error *err)
{
    (void)path;
    *out = (struct record_run){ .text = NULL };
    return none(err);
}

int record_read_counts(const char *path, record_counts *out, weir_error *err)
{
    (void)path, (void)out;
    return none(err);
}

int record_read_checkpoint(const char *path, struct snapshot *out,
                           record_states *states, weir_error *err)
{
    (void)path, (void)out, (void)states;
    return none(err);
}
