/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inline_halt.c - too many failures in a run that is one process. What else a
 * run ends by, its deadline, does not strike while somebody looks. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "run/inline_stage.h"

int inline_halt(struct inliner *all)
{
    for (size_t i = 0; i < all->job->stages.count && !all->halted; i++) {
        struct inline_stage *stage = &all->stages[i];
        const struct run_stage *book = stage->book;

        if (stage->job->halt.failures == 0 && stage->job->halt.share == 0)
            continue;
        all->halted = halt_reason(stage->job, &stage->halt, book->failed,
                                  book->done + book->failed + book->skipped,
                                  clock_now());
        if (all->halted && stage->job->halt.how == HALT_NOW)
            return inline_over(all, NULL, all->halted);
    }
    return 0;
}
