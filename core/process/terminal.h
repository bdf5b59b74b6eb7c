/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminal.h - a child that reads from the terminal: who is in the foreground.
 */
#ifndef PROCESS_TERMINAL_H
#define PROCESS_TERMINAL_H

#include <sys/types.h>

/* In a child whose stdin was given: when that is the terminal of its session,
 * its group takes the foreground from the one of @owner. 0; -EBUSY: another
 * has it; or a negated errno. */
int terminal_take(pid_t owner);

/* In the helper: the child @group is dead; if it had the foreground, @owner's
 * group has it again. */
void terminal_give_back(pid_t group, pid_t owner);

#endif
