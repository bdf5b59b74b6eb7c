/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record_run.c - what is recorded of a run, in memory. Any process. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "journal/record.h"

struct record_fact *record_add_fact(struct record_run *run, const char *kind,
                                    const char *name, const char *value)
{
    struct record_fact *fact = VEC_ADD(&run->facts);

    if (fact == NULL)
        return NULL;
    fact->kind = strdup(kind);
    fact->name = strdup(name);
    fact->value = strdup(value);
    if (fact->kind != NULL && fact->name != NULL && fact->value != NULL)
        return fact;
    free(fact->kind);
    free(fact->name);
    free(fact->value);
    run->facts.count--;
    return NULL;
}

void record_run_done(struct record_run *run)
{
    for (size_t i = 0; i < run->facts.count; i++) {
        free(run->facts.at[i].kind);
        free(run->facts.at[i].name);
        free(run->facts.at[i].value);
    }
    for (size_t i = 0; i < run->stages.count; i++) {
        free(run->stages.at[i].name);
        free(run->stages.at[i].task);
    }
    for (size_t i = 0; i < run->queues.count; i++)
        free(run->queues.at[i]);
    VEC_DONE(&run->facts);
    VEC_DONE(&run->stages);
    VEC_DONE(&run->queues);
    free(run->name);
    free(run->version);
    free(run->job);
    free(run->file);
    free(run->cwd);
    free(run->command);
    free(run->text);
    free(run->kept_file);
    free(run->reason);
    free(run->why);
    *run = (struct record_run){ .text = NULL };
}

void record_states_done(record_states *states)
{
    for (size_t i = 0; i < states->count; i++)
        buf_done(&states->at[i].data);
    VEC_DONE(states);
}
