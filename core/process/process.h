/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - the face of core/process, the only room that forks: nurseries,
 * process handles, how a process ended.
 */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include "process/code.h"
#include "process/context.h"
#include "process/exit.h"
#include "process/fork.h"
#include "process/helper.h"
#include "process/nursery.h"

#endif
