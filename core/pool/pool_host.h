/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_host.h - a pool in the program that made it; private to core/pool.
 *
 * LOCKS. `lock` guards all below it. It is never held while this thread waits
 * in the segment or copies bytes. Instead a thread takes a role:
 *   reading     it alone is the segment's member that reads results; it moves
 *               what is there into the handles, for all
 *   submitting  it alone is the member that stages calls. Who finds it taken
 *               stands in line
 *   picking     it alone uses the member that takes calls back
 *   arming      it alone uses the member with the bell of weir_pool_fd
 * A submitter that finds no room waits for results to come (each makes room),
 * as everybody does who waits: `moved` tells when some did, and when the role
 * of the reader is free.
 *
 * CALLBACKS. What ends leaves a notice in a list; a thread that has no role
 * takes one out, under the lock, and runs it without: so each runs once, and
 * may call what it likes. While it runs one, its own waits run no others.
 *
 * REFERENCES. Whoever may run callbacks has one of the pool's: it may be freed
 * in a callback. See pool_enter.
 */
#ifndef POOL_POOL_HOST_H
#define POOL_POOL_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pool/pool.h"
#include "pool/pool_task.h"
#include "pool/pool_board.h"
#include "pool/pool_pack.h"
#include "pool/pool_wire.h"

enum host_state {
    HOST_RUNS,
    HOST_CLOSED,     /* no more calls */
    HOST_TERMINATED, /* all handles have ended */
    HOST_OVER,       /* no worker is left; all handles have ended */
};

/* What is to be told, once, where somebody dispatches. */
struct notice {
    struct notice *next;
    /* Without the lock. */
    void (*tell)(struct weir_pool *pool, struct notice *notice);
};

/* The calls of one map: told when the last of them has ended. */
struct group {
    struct notice notice; /* first */
    size_t left, failed;
    void (*on_all)(void *arg, size_t failed);
    void *arg;
};

enum { RETRIES_MOST = 10000 };

/* A map that waits; on its caller's stack. */
struct mapping {
    const weir_bytes *inputs;
    weir_result **results; /* NULL: has not ended, in a pack */
    size_t count;
    struct pack *packs; /* those that are under way */
    struct pack *again; /* those that ended early: their rest is to be made */
    int code;           /* what befell a handle that has no memory */
    char *room;         /* to write a pack; NULL: not yet */
};

/* Of its carrier, or in `again`. */
struct pack {
    struct pack *next;
    struct mapping *map; /* NULL: nobody wants it any more */
    size_t first;        /* of its calls, in the map */
    uint32_t count, given;
    bool over;  /* it came to its end, or to an early one, by itself */
    bool apart; /* the next call's result is the carrier's */
};

struct line { /* who waits to submit; on its own stack */
    struct line *next;
    bool ours;
};

/* WEIR_POOL_INLINE; see pool_inline.c. */
struct here {
    weir_function *open, *close;
    void *argument;
    void *state;
    pthread_t runner; /* the thread whose function runs, */
    unsigned depth;   /* with those that it calls by itself; 0: none */
    /* Those that were called already; touched in the turn to submit alone. */
    struct pool_task *tasks[FUNCTIONS_MOST];
};

/* For an event loop; see pool_watch.c. */
struct pool_watch {
    int fd; /* -1: nobody has asked for it. An epoll of: */
    int bell, event, timer;
    uint64_t name; /* the bell's */
    struct member *member;
    bool told; /* the event can be read */
    bool owed; /* the reader is to arm the bell when it is done */
};

struct weir_pool {
    weir_context *context;
    pid_t process; /* whose handle it is */
    atomic_uint refs;
    uint64_t id; /* the helper's */
    _Atomic uint32_t workers;
    uint32_t workers_most, seats, window, function_count;
    uint64_t bytes;
    int64_t limit_ns;
    uint32_t retries;
    weir_function **functions;
    /* Tasks by name: read without the lock, only ever more of them. */
    struct task_name *tasks[FUNCTIONS_MOST];
    atomic_uint task_count;
    char attrs[ATTRS_MOST]; /* of the call that is staged: the submitter's */
    struct segment *segment;
    struct board board;
    struct member *submitter, *reader, *picker;
    pthread_mutex_t picking, arming;
    pthread_mutex_t resizing; /* one at a time */
    struct pool_watch watch;
    struct here *here; /* NULL: there are workers */

    pthread_mutex_t lock;
    pthread_cond_t moved;
    pthread_cond_t turn; /* the line has moved, or cannot */
    enum host_state state;
    bool reading;
    bool submitting;
    bool full; /* the submitter waits for room */
    struct line *first, **last;
    unsigned waiters; /* at `moved` */
    struct notice *notices, **last_notice;
    int64_t expires_ns; /* the first deadline of a call; FOREVER: none */
    int64_t watched_ns; /* the shortest limit that the helper knows of */
    /* Calls without a result: a ticket is generation and place. */
    struct place {
        weir_result *result;
        uint32_t generation;
        uint32_t next_free;
        uint64_t ref; /* where its call was staged */
        uint32_t function;
    } * places;
    uint32_t packed; /* calls in packs that have no place of their own */
    bool recycles;   /* workers end after so many calls */
    /* What is known of each function's calls: how long the last ones took, in
     * the mean (0: not known), and how large their results are at most. */
    struct rate {
        uint32_t took_ns, answer;
    } rates[FUNCTIONS_MOST];
    unsigned maps;   /* under way, which may make calls again */
    bool close_owed; /* the last of them closes it */
    uint32_t free;   /* the first free place; window: none */
    uint32_t outstanding;
    uint64_t ended; /* handles, so far */
    /* Why it ended: for all calls from now on. */
    int code;
    char text[512];
    int unfit_code; /* what a worker said last about its `open` */
    char unfit[512];
};

struct weir_result {
    struct notice notice; /* first */
    weir_pool *pool;
    atomic_bool ended; /* once, under the lock */
    bool plain;        /* nobody but its holder knows of it when it has ended */
    bool abandoned;    /* freed, and somebody else still needs it */
    bool noticed;      /* its callback has yet to end */
    bool unwanted;     /* freed in its callback, before `imap` gave it */
    uint64_t ticket;
    uint64_t tag;
    int64_t made_ns, deadline_ns; /* FOREVER: none */
    void (*on_done)(weir_result *result, void *arg);
    void *arg;
    struct group *group;
    struct pack *pack;   /* whose carrier it is; NULL: none's */
    struct batch *batch; /* that it is one of; NULL: it stands alone */
    weir_imap *imap;     /* that has yet to give it */
    uint64_t index;      /* there */
    size_t charge;       /* bytes that it stands for there */
    weir_result *after;  /* there, when it has ended */
    int code;
    void *data; /* the result, or the sentence */
    size_t size;
    size_t got;               /* of a result that comes in parts */
    struct trace *trace;      /* of its crash; NULL: none */
    char *_Atomic trace_text; /* the same in words, once asked for */
};

/* 0, WEIR_EINVAL, WEIR_EPROCESS. */
int pool_check(const weir_pool *pool);
void pool_unref(weir_pool *pool);
/* The lock, and a reference until it is given back. */
void pool_enter(weir_pool *pool);
void pool_leave(weir_pool *pool);
/* Asks the helper about this pool; @reply may be NULL. Not under the lock. */
int pool_ask(weir_pool *pool, uint32_t word, struct context_reply *reply);
/* All handles that have not ended end so. Under the lock. */
void pool_end_all(weir_pool *pool, int code, const char *text);
/* No worker is left, or nobody watches them. Under the lock. */
void pool_over(weir_pool *pool, int code, const char *text);

/*
 * pool_pump - under the lock: wait until something has moved
 *
 * Moves results into their handles, or waits for the thread that does. Returns
 * 0 when some have moved, or the pool's state has changed, or for nothing: look
 * again at what you wait for; WEIR_ETIMEDOUT at the deadline (0: at once, after
 * having moved what is there). In HOST_OVER all handles have ended.
 */
int pool_pump(weir_pool *pool, int64_t deadline_ns);

/* Without workers. A call that has been made, as it ended. */
struct here_reply {
    int code;
    char *data; /* the result or the sentence; NULL: no memory */
    size_t size;
};
struct submission;
int here_open(weir_pool *pool, const weir_pool_options *known);
void here_done(weir_pool *pool);
/* Under the lock: does this thread run a function of it? */
bool here_runs(const weir_pool *pool);
/* Under the lock, which it gives back meanwhile, in turn: runs it. */
int here_call(struct submission *sub, uint64_t ticket, const void *data,
              size_t size, struct here_reply *reply);
/* Under the lock, which it gives back meanwhile: when there are no more calls,
 * and no function runs, the pool is over. */
void here_end(weir_pool *pool);

/* Under the lock, when somebody has asked for the descriptor: there is
 * something to see to; the first deadline of a call is another one now. */
void watch_tell(weir_pool *pool);
void watch_time(weir_pool *pool);
/* Under the lock, at the end of a dispatch: what it has left. True: without the
 * lock, watch_arm is to follow. */
bool watch_settle(weir_pool *pool);
void watch_arm(weir_pool *pool);
void watch_done(weir_pool *pool);

/* Under the lock, in no role: runs the callbacks that are due, unless this
 * thread runs one already and @nested does not say so. How many. */
unsigned pool_tell(weir_pool *pool, bool nested);
/* Under the lock: to be told. */
void pool_notice(weir_pool *pool, struct notice *notice);
/* Under the lock: whoever waits looks again, also the reader. */
void pool_poke(weir_pool *pool);
/* Under the lock: tell, and when there was nothing to tell, pump. */
int pool_turn(weir_pool *pool, int64_t deadline_ns);

/* Under the lock: a handle that has no call yet. NULL: no memory. */
weir_result *result_alloc(weir_pool *pool);
void result_free(weir_result *result);
/* Under the lock: a new handle with its ticket; there must be a free place. */
int result_new(weir_pool *pool, weir_result **result_out);
/* Under the lock: its call was not made. */
void result_cancel(weir_pool *pool, uint64_t ticket);
/* Under the lock: the handle of a call that has not ended; or NULL. */
weir_result *result_of(const weir_pool *pool, uint64_t ticket);
/* Under the lock: the same, and its place is free. */
weir_result *leave_place(weir_pool *pool, uint64_t ticket);
/* Under the lock: waits until it has ended. 0 or WEIR_ETIMEDOUT. */
int result_await(weir_result *result, int64_t deadline_ns);
/* Under the lock: it has its code and bytes; what follows from that. It may be
 * gone then, if nobody has the handle. */
void result_ended(weir_result *result);
/* Under the lock: one call of it is settled. */
void group_left(weir_pool *pool, struct group *group, bool failed);
/* Under the lock: with a sentence. */
void result_end(weir_result *result, int code, const char *text);
/* Under the lock: no handle any more; freed when nobody needs it. */
void result_abandon(weir_result *result);
int result_check(const weir_result *result);
/* Under the lock, which it gives back meanwhile: ends the calls whose deadline
 * has passed before they began. */
void pool_expire(weir_pool *pool, int64_t now_ns);
/* Under the lock, which it gives back meanwhile: cancels the calls of this imap
 * that have not begun. */
void pool_cancel_imap(weir_pool *pool, const weir_imap *imap);
/* Under the lock: a result of result->imap has its code and bytes. */
void imap_ended(weir_result *result);
bool imap_is_canceled(const weir_imap *imap);

/* ----------------------------------------------------------- submitting ----
 */

enum { MAP_BATCH = 32 }; /* calls in one commit, and in one turn to submit */

struct submission {
    weir_pool *pool;
    unsigned function, chunk;
    int64_t deadline_ns; /* absolute; 0: try once */
    unsigned staged;     /* not yet committed */
    struct group *group;
    weir_imap *imap;
    struct pack *pack;                /* NULL: it is a single call */
    uint64_t index;                   /* in it */
    const weir_call_options *options; /* NULL: none */
    const struct task_name *task;     /* NULL: one of the functions */
    struct call_terms terms;
    bool has_terms; /* other than the pool's: they travel with the call */
    bool unheld;    /* nobody gets the handle: it ends with its callback */
    bool alone;     /* no other comes in its turn */
    bool again;     /* these calls were made before: also when it is closed */
    bool waited;    /* for room: callbacks are run at the end */
};

/* --- pool_pack.c --- */

/* Under the lock, when such a result has come. */
void rate_note(weir_pool *pool, uint64_t ticket, uint64_t path, size_t size);
/* How many of these inputs are to go in one pack, and how many bytes are to be
 * there for their answers; 1: none. */
size_t pack_fit(const struct submission *sub, const weir_bytes *inputs,
                size_t left, size_t *answers_out);
/* Writes as many as fit to @to, which has PACK_BYTES. Returns the size. */
size_t pack_write(const weir_bytes *inputs, size_t count, size_t answers,
                  char *to);
void batch_left(struct batch *batch);
/* Under the lock: it is none of its map's any more. */
void pack_unlink(struct pack *pack);
/* Under the lock: its carrier has ended. */
void pack_ended(weir_result *carrier);
/* Under the lock: nobody wants what comes of its packs. */
void pack_let_go(struct mapping *map);
/* In the role of the reader, without the lock: REPLY_PACK, REPLY_SOME. */
void pack_move(weir_pool *pool, const struct item *item);

/* Under the lock, which it gives back meanwhile, when the last map is over. */
void pool_close_owed(weir_pool *pool);

/* The task that @run stands for, and its number; NULL: none. */
const struct task_name *pool_task_of(const weir_pool *pool, weir_function *run,
                                     unsigned *number_out);
void pool_tasks_done(weir_pool *pool);

int submission_init(struct submission *sub, weir_pool *pool, weir_function *run,
                    int64_t timeout_ns, const weir_call_options *options,
                    weir_call_options *known, weir_error *err);
/* All under the lock. */
int state_code(const weir_pool *pool);
int take_turn(const struct submission *sub);
void give_turn(weir_pool *pool);
/* In turn: stages a call; flush_locked makes it true. */
int put_call(struct submission *sub, const void *data, size_t size,
             weir_result **result_out);
int flush_locked(struct submission *sub);
/* One call, with its turn. */
int submit(struct submission *sub, const void *data, size_t size,
           weir_result **result_out);
/* Why not, in a sentence. */
int explain(const weir_pool *pool, int code, size_t size, weir_error *err);
/* A handle that has ended so, for a call that could not be made; NULL. */
weir_result *failed_result(struct submission *sub, int code, const char *text);
int result_error(const weir_result *result, weir_error *err);
/* Waits at a condition, counting those at `moved`; WEIR_ETIMEDOUT. */
int pool_wait(weir_pool *pool, pthread_cond_t *cond, int64_t deadline_ns);

#endif
