/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch.h - what the suites of core/process share: waiting with a bound, and
 * looking at processes and descriptors. */
#ifndef PROCESS_WATCH_H
#define PROCESS_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include <check.h>

#include "base/base.h"
#include "process/process.h"

#define BOUND_NS (20 * NS_PER_S)

Suite *exit_suite(void);
Suite *fork_suite(void);
Suite *nursery_suite(void);
Suite *nursery_death_suite(void);
Suite *processors_suite(void);
Suite *context_suite(void);
Suite *process_suite(void);
Suite *d1_suite(void);
Suite *d2_suite(void);
Suite *d8_suite(void);
Suite *options_suite(void);
Suite *owner_suite(void);
Suite *host_suite(void);

/* Readable before the bound. */
bool watch_readable(int fd);
/* Reads all or fails the test. */
void watch_read(int fd, void *data, size_t size);
/* How many descriptors this process has. */
int watch_fds(void);
/* The state letter of a process, 0 when there is none of that number. */
char watch_state(pid_t pid);
/* Waits until it is in this state; false at the bound. */
bool watch_until(pid_t pid, char state);
/* Waits until the process is gone or a zombie. */
bool watch_gone(pid_t pid);

/* The next event, waited for; fails the test when none comes. */
struct nursery_event watch_event(struct nursery *nursery);
/* The next event, which must be of this kind. */
struct nursery_event watch_kind(struct nursery *nursery,
                                enum nursery_event_kind kind);

#endif
