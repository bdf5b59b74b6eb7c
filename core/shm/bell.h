/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bell.h - waking who sleeps in poll or epoll, in another process.
 *
 * A bell is a datagram socket of its owner's, bound to a random name in the
 * kernel's abstract space; the name, a number, stands in shared memory. To ring
 * is to send it an empty message: no descriptor has to be passed on, and
 * nothing has to be cleaned up after a death, for the name goes with the
 * socket. What somebody else sends only makes the owner look for nothing.
 *
 * The park word beside it (wait.h) says whether a ring is worth a system call:
 * ASLEEP: the owner has looked and found nothing since the last one. A ringer
 * swaps in TOKEN. One that dies between that and the message is the same case
 * as in wait.h: recovery rings all bells, whatever their word says.
 *
 * An owner looks like this: bell_quiet, then under the lock of what it waits
 * for: bell_arm and test; then, if the test says that there is something,
 * bell_ring its own: the descriptor is readable from then on. A message that
 * was taken away by bell_quiet was sent before the test, which sees its cause.
 *
 * Owner and ringer must be in one network namespace.
 */
#ifndef SHM_BELL_H
#define SHM_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns the descriptor (close-on-exec, never blocks) and the name, not 0; or
 * -errno. */
int bell_open(uint64_t *name_out);
void bell_quiet(int fd);
void bell_arm(_Atomic uint32_t *park);
/* @forced: also when it was rung before. Keeps errno. */
void bell_ring(uint64_t name, _Atomic uint32_t *park, bool forced);

#endif
