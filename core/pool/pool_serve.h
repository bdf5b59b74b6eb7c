/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool_serve.h - a pool as its helper sees it: private to pool_serve.c, which
 * forks, recovers and ends, pool_seats.c, which says how many there are and who
 * follows whom, and pool_halt.c, which stops single calls. */
#ifndef POOL_POOL_SERVE_H
#define POOL_POOL_SERVE_H

#include <stdbool.h>

#include "pool/pool_board.h"
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

/* A seat, and who is in it. */
struct hand {
    bool taken;          /* forked, or to be: among pool->live */
    bool goes;           /* it is one too many: nobody follows it */
    struct hand *heir;   /* takes its turn when it has left; NULL: none */
    struct hand *before; /* whose heir it is; NULL: it is one of the workers */
    uint32_t number;     /* as one of the workers; its heir has the same */
    int64_t born_ns;     /* when it could begin to serve */
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

struct server;

struct served {
    uint64_t id;
    struct server *server;
    struct segment *segment;
    struct board board;
    int board_fd;
    int bell_fd; /* rung when there is something new on the board; -1 */
    struct pool_plan plan;
    struct buf order; /* room for struct pool_start, then the plan */
    enum pool_state state;
    struct hand *hands; /* [plan.seats] */
    unsigned wanted;    /* workers */
    unsigned live;      /* seats that are taken */
    unsigned unfit;     /* failures of `open` in a row */
    unsigned to_fork;   /* of the first ones: not yet answered */
    uint64_t tag;       /* the question that waits for them */
    int64_t watch_ns;   /* the shortest limit of a call; 0: none */
    int64_t kill_ns;    /* SIGKILL to all who are left; 0: no */
    bool freed;         /* by the program */
    int code;           /* why it ended by itself */
    char reason[256];
};

static inline unsigned hand_seat(const struct served *pool,
                                 const struct hand *hand)
{
    return (unsigned)(hand - pool->hands);
}

/* How far it has come. */
enum phase hand_phase(const struct served *pool, const struct hand *hand);
/* It is taken already. */
void hand_fork(struct served *pool, struct hand *hand);

/* --- pool_seats.c --- */

/* A seat for one more worker; NULL: there is none. */
struct hand *seats_take(struct served *pool, unsigned number);
/* Nobody is in it, and nobody will be. */
void seats_give(struct served *pool, struct hand *hand);
/* It was reaped: who comes in its place. */
void seats_reaped(struct served *pool, struct hand *hand);
/* Forks or sends away until there are as many as wanted. */
void seats_fit(struct served *pool);
/* Sees to those that are to be replaced. When to look again, ns. */
int64_t seats_look(struct served *pool, int64_t now_ns);

/* --- pool_halt.c --- */

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
