/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * services.c - what a context's helper does beside process handles: the
 * services of the rooms above core/process. Runs in no process: a table.
 */
#include "config.h"

#include "pool/pool.h"

const struct helper_service *const context_services[] = {
    &queue_service,
    &pool_service,
    NULL,
};
