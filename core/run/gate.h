/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gate.h - a queue of the run that other programs know by a name. Private to
 * core/run.
 *
 * The run's own segment is recovered by its supervisor, so nobody else is let
 * in. What others have is another segment, in a file (queue/strangers.h), and a
 * gate moves items between the two: in, from the file into a queue that no
 * stage fills; or out, from a queue that no stage empties into the file.
 *
 * ONCE. Two segments are two commits, and who dies between them has moved an
 * item, or a batch, and not settled it where it came from. So the second commit
 * is redo of the first: each side counts in its book what it has of the other,
 * both books are absolute, and the difference, which is 0 at rest, is what the
 * dead one had moved and not settled: the first so many that it had leased.
 *
 *   in    run:  ordinal += n   then   file: done += n
 *   out   file: ordinal += n   then   run:  done += n
 *
 *   dies                        found
 *   before the first commit     difference 0: what it staged is dropped, what
 *                               it leased goes back
 *   between the two             difference n: member_commit_for makes the
 *                               second one in its name; recovery redoes it
 *   behind the second           difference 0; recovery finishes the redo
 *
 * The entry in the file is the run's, not the gate's: its token is had by the
 * supervisor, with the gate (INHERITED ENTRIES in strangers.h). So what a dead
 * gate had leased there stays leased until its successor, which is forked after
 * the difference was settled, has recovered it. Only when the run itself is
 * gone, strangers recover it: what stood in the run is lost with the run, and
 * at most one batch that the run had taken, and not settled, comes back.
 */
#ifndef RUN_GATE_H
#define RUN_GATE_H

#include "run/supervisor.h"

/* One gate, as the supervisor sees it. */
struct gate {
    const struct job_queue *queue;
    unsigned number; /* of its queue, in the run's segment */
    unsigned member; /* its entry there */
    bool in;
    bool made; /* the run has made the file */
    struct segment *named;
    unsigned entry; /* the run's, in the file */
    uint64_t base;  /* of that entry's book, when it was entered */
    bool ended;
    pid_t pid; /* 0: there is none */
    int pidfd;
    int64_t due_ns, started_ns;
    unsigned young; /* deaths in a row that came early, without progress */
    uint64_t moved; /* when it started */
};

/* --- gate.c: in the gate --- */
struct gate_place {
    const struct gate *gate;
    struct segment *named;
    struct member *run_member, *named_member;
    uint32_t capacity; /* of the run's queue */
    uint64_t bytes;
    unsigned report, stage; /* where failures go, and as whose */
    uint64_t root;          /* of items that come in */
    int news;
};
int gate_main(struct gate_place *place);

/* Items that a gate has moved, by the run's book. */
uint64_t gate_moved(const struct gate *gate, const struct book *book);

#endif
