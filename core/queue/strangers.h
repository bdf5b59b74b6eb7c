/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * strangers.h - a segment in a file, between processes that know nothing of
 * each other: no owner, no supervisor. They recover each other.
 *
 * MEMBERSHIP. Whoever enters member entry n first takes life token n
 * (shm/place.h), and gives it back after the entry is empty again. So whoever
 * is given token n and finds the entry not empty has proof that its member is
 * dead, and alone has the right to recover it: until it gives the token back,
 * or dies, when the next one finds the same and runs the same pass again (each
 * step of recover.c may be). Nothing is known by pids, which are reused.
 *
 *   take token n, enter   dies between: the entry is empty
 *   enter, take           never: an entry without a token would look dead
 *   leave, give back      dies between: the entry is empty
 *   recover, give back    dies in there: done again by the next
 *
 * FILES that are appended to: the token behind those of the members, one for
 * each entry, is had by who has the file open, and goes with it. So an entry
 * whose token can be had is nobody's, and may be given to another file.
 *
 * WHO LOOKS, AND WHEN: each process when it opens the queue, when it finds no
 * empty entry, before it goes to sleep, and asleep once in a LOOK_NS
 * (segment_look). So a dead member is recovered within LOOK_NS as long as
 * anybody waits; and if nobody does, by the next who comes.
 *
 * LOCKS: lock_set_alone. The waker's sweep (segment_sweep) is run by those who
 * sleep, each once a second.
 *
 * FORK: a child has neither mapping nor descriptor: else it could commit in the
 * name of its parent, and would keep that one's tokens after its death. By
 * MADV_DONTFORK, and a handler of pthread_atfork. Who forks past the latter
 * (_Fork, a raw clone) and keeps the child without exec delays recovery until
 * the child ends.
 *
 * MEMORY is filled before it is touched, where a full folder answers
 * WEIR_ENOMEM and not SIGBUS. What others do to the file on purpose (cut it
 * short, write wild) harms all who have it open: who may write, is trusted.
 */
#ifndef QUEUE_STRANGERS_H
#define QUEUE_STRANGERS_H

#include "queue/queue.h"

#define STRANGERS_LOOK_NS (250 * NS_PER_MS)

/* Lays a segment out in the empty file @fd (duplicated). */
int strangers_create(const struct segment_plan *plan, int fd,
                     struct segment **out, weir_error *err);
/* Maps one that is there. WEIR_EBROKEN: no segment, of another version, or
 * damaged; WEIR_EPROCESS: of another pid namespace. The sentence begins with
 * what is wrong, the file's name comes before it. */
int strangers_attach(int fd, struct segment **out, weir_error *err);
/*
 * INHERITED ENTRIES. An entry may be had by several processes after each other
 * in the name of one that lives longer: that one enters it, and forgets the
 * member; each of the others keeps a copy of that one's segment_fd (the same
 * open file description: so the token stays taken while any of them lives), and
 * has a segment of its own, attached by a description of its own. After the
 * death of one its successor inherits the entry: as long as the token is taken,
 * nobody else recovers it.
 *
 *   a successor dies in here   the next one does the same again
 *   all of them die            the token is free: recovered by strangers
 */
int strangers_inherit(struct segment *segment, unsigned number,
                      struct member **out);
/* Recovers members that died; returns how many, or WEIR_EBROKEN. Also sweeps
 * when a second has passed since this process did. */
int strangers_look(struct segment *segment);
/* The processes that have an entry, but this one: each once; returns how many
 * there are, of which @room at most are written. Pids are hints. */
unsigned strangers_pids(struct segment *segment, int32_t *pids, unsigned room);

#endif
