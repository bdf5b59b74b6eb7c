/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_serve.h - a pool as its helper sees it: private to pool_serve.c, which
 * forks, recovers and ends, and pool_halt.c, which stops single calls. */
#ifndef POOL_POOL_SERVE_H
#define POOL_POOL_SERVE_H

#include <stdbool.h>

#include "pool/pool_wire.h"
#include "queue/queue.h"

enum pool_state {
    POOL_RUNS,
    POOL_CLOSES, /* whoever ends by itself has no successor */
    POOL_ENDS,   /* workers are being killed */
    POOL_OVER,
};

enum halt {
    HALT_NO,
    HALT_TERM,  /* it is to stand still, then SIGTERM */
    HALT_GRACE, /* it has had SIGTERM */
    HALT_KILL,  /* it is to stand still, then SIGKILL */
};

struct hand {
    uint32_t generation;
    uint32_t opened;  /* the last one that is known to have opened well */
    bool first;       /* weir_pool_new waits for it */
    pid_t pid;        /* 0: not yet, or no more */
    int64_t again_ns; /* fork it then; 0: no */
    uint64_t turn;    /* as last seen, and since when */
    int64_t since_ns;
    enum halt halt;
    uint64_t halt_root; /* the call that is stopped */
    bool over_limit;    /* for its time limit */
    bool signaled;      /* it has had a signal for that */
    int64_t halt_grace_ns, halt_kill_ns;
};

struct served {
    uint64_t id;
    struct segment *segment;
    int board_fd;
    struct pool_plan plan;
    struct buf order; /* room for struct pool_start, then the plan */
    enum pool_state state;
    struct hand *hands;
    unsigned live;    /* hands that are forked, or are to be */
    unsigned unfit;   /* failures of `open` in a row */
    unsigned to_fork; /* of the first ones: not yet answered */
    uint64_t tag;     /* the question that waits for them */
    int64_t watch_ns; /* the shortest limit of a call; 0: none */
    int64_t kill_ns;  /* SIGKILL to all who are left; 0: no */
    bool freed;       /* by the program */
    int code;         /* why it ended by itself */
    char reason[256];
};

/* It has this call in hand, as far as one can see. */
bool hand_has(const struct served *pool, const struct hand *hand,
              uint64_t root);
/* Begins to stop that call; nothing when one is being stopped already. */
void hand_stop(struct hand *hand, uint64_t root, int64_t grace_ns,
               bool over_limit);
/* Goes on with it. When to look again, ns. */
int64_t hand_see_halt(struct served *pool, struct hand *hand, int64_t now_ns);
/* Stops what has been in hand for longer than it may. */
void hand_check_limit(struct served *pool, struct hand *hand, int64_t now_ns);

#endif
