/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.h - what stands behind weir_call in a worker: one task, and the item in
 * hand. Private to core/run; runs in workers.
 *
 * host.c    the table of functions that the task calls
 * give.c    outputs, and the rule of room; room.c: staging, claiming;
 *           order.c: that rule where order is kept
 * overflow.c  queues that drop, or fail, for want of room
 * files.c   bytes to be appended, names to be changed
 * settle.c  what becomes of an item: done, failed, committed
 */
#ifndef RUN_HOST_H
#define RUN_HOST_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/base.h"
#include "plugin/expand.h"
#include "plugin/plugin.h"
#include "queue/queue.h"
#include "run/last_words.h"
#include "run/news.h"
#include "run/post.h"

enum phase { PHASE_OPEN, PHASE_RUN, PHASE_FLUSH, PHASE_STATE, PHASE_CLOSE };

/*
 * How outputs are given.
 *
 * STAGED:  into the queue's memory at once. No room: what the item in hand has
 *          staged is taken back into private memory, and all after it too.
 * PRIVATE: kept here until the task has returned; then the whole set is claimed
 *          at once. A set that the queues cannot ever hold is committed in
 *          parts.
 * STREAM:  a part is committed already, or may be at any time (a source, a
 *          flush): no room means that what is staged becomes the next part.
 *
 * In all of them nothing is staged while this process waits for room. A queue
 * whose `overflow` is not to wait is not waited for: what finds no room there
 * counts as given, and is gone (overflow.c).
 *
 * Where order is kept only the first item of those that are not done waits for
 * room, in a STREAM; others are PRIVATE, and wait until they are the first.
 */
enum give { GIVE_STAGED, GIVE_PRIVATE, GIVE_STREAM };

/* member_sample.waiting: no time limit runs meanwhile. */
enum { WAITING_NOT = 0, WAITING_ITEM = 1, WAITING_ROOM = 2 };

/* The outputs that lead to where failed items go, and to who keeps them. */
enum { OUTPUT_FAILED = -1, OUTPUT_KEPT = -2 };

/* One output that is not committed yet. */
struct record {
    int output;
    bool pass;      /* the input itself */
    bool owned;     /* data is private memory, to be freed */
    unsigned attrs; /* generation; 0: as the input's */
    uint32_t index; /* among the outputs of the item */
    size_t size;
    void *data;
    void *staged;          /* its bytes in the queue */
    const struct item *of; /* the input; NULL: there is none */
    uint64_t root, path;
};

/* What the records need in each of the post's queues. */
struct need {
    uint32_t slots;
    uint64_t bytes;
};

struct renaming {
    char *from, *to;
};

/* Bytes for a file. They must stay until the commit. */
struct appending {
    int fd; /* -1: none */
    uint64_t size;
    VEC(struct iovec) parts;
    VEC(void *) copies;
};

struct cursor {
    uint8_t data[CURSOR_MOST];
    size_t size;
};

struct host {
    struct weir_call call; /* first: the task has a pointer to it */
    struct member *member;
    struct member *dropper; /* overflow.c; NULL: it drops nothing that is old */
    struct segment *segment;
    const struct post *post;
    const weir_task *task;
    const void *params;
    void *state;
    int news, stop_fd;
    struct fd_identity news_is;
    bool called; /* the task is in a call */
    bool keeps;  /* the task saves: inputs count only when its state is saved */

    /* The call that is under way. */
    enum phase phase;
    struct item *item; /* in hand; NULL: a source, or no run */
    int verdict;       /* of weir_fail; 0: not called */
    int refused;       /* a call gave a code that the task must return */
    char why[512];
    const char *class; /* of a failure: kept.h */
    struct buf wrote;  /* of one by a death: the worker's last lines */
    struct last_words *last_words; /* NULL: there are none */
    int64_t begun_ns;              /* only when failures are kept */
    char param[64];
    struct derived derived;

    /* Outputs of the item, or behind the source's cursor. `seen` counts those
     * that were dropped because parts had committed them (`skip`); `hash` is
     * of those that are committed, or dropped so far. */
    enum give give;
    unsigned first;      /* staged by this member before it */
    size_t first_record; /* kept before it (only when the task saves) */
    uint64_t seen, skip, skip_hash, hash;
    VEC(struct record) records;
    struct need *needs; /* PRIVATE: of all records; one for each queue */
    unsigned refs;      /* and how many references */
    uint64_t given, dropped, digest;
    uint64_t lost[OVERFLOWS_MOST]; /* of `given`: dropped for want of room */
    bool claims;                   /* what is staged now was waited for */
    unsigned full; /* 1 + counter of the queue whose overflow fails the item */
    post_places failed_places; /* where failed items go; none: the report */
    post_places kept_places;   /* and who keeps them; none: nobody */

    struct {
        bool open;
        unsigned output;
        size_t room, brim; /* brim.h */
        void *data;
        bool staged;
        struct staged slot;
    } reserved;

    /* Attributes for what is emitted: generation 1 is attrs.at[0]. */
    VEC(struct buf) attrs;
    unsigned attrs_count; /* in use */
    unsigned attrs_now;   /* 0: the input's */
    bool attrs_used;      /* a record has this generation */

    /* Of the item in hand; and of those that are done. */
    struct appending append, appended;
    VEC(struct renaming) renames;

    unsigned settled; /* done, not committed */

    /* A source. */
    struct cursor cursor; /* all before it has been given */
    struct next {         /* one that was set while parts are skipped */
        bool set;
        struct cursor cursor;
        uint64_t seen, hash; /* outputs before it; hash of those behind it */
    } next;
    bool cursor_set;  /* in this call, with no output since */
    uint64_t root;    /* number of source and share, shifted */
    uint64_t ordinal; /* of the first output behind the cursor */

    int saved_fds[2];
    struct fd_identity saved_is[2];
    int64_t save_ns;         /* how long the last save took */
    bool commit_soon;        /* do not wait for the rest of the batch */
    VEC(struct buf) reports; /* failures, for the next commit */

    int64_t blocked_ns; /* waited for room, since it was last looked at */
    int64_t paused_ns;  /* waited on purpose */
};

/* --- host.c --- */
extern const struct weir_table host_table;

/* --- give.c --- */
int give_emit(struct host *host, unsigned output, const void *data,
              size_t size);
int give_reserve(struct host *host, unsigned output, size_t room,
                 void **data_out);
int give_submit(struct host *host, size_t size);
int give_pass(struct host *host, unsigned output);
/* The item in hand, as it is, to where failed items go. */
int give_failed(struct host *host);
/* The item in hand, @whole or its id alone, to who keeps what failed, with
 * these attributes; it counts for no output. */
int give_kept(struct host *host, bool whole, const void *attrs, size_t size);
/* The same, without bytes and without waiting, of a source. */
int give_kept_source(struct host *host, const void *attrs, size_t size);
/* What a record adds to host->digest, a sum, so that the order does not count;
 * 0 where it is not wanted. */
uint64_t give_digest(const struct host *host, const struct record *record);
/* All records are staged: waits for room. */
int give_stage_all(struct host *host);
/* The same for what becomes of one that failed, when it found no room. */
int give_stage_failed(struct host *host);
/* Where order is kept: waits until the item in hand is the first that is not
 * done; its outputs so far are staged, or committed as a part, and what comes
 * goes on so. order.c. */
int give_first(struct host *host);
/* What is staged goes back to private memory, so that a commit does not
 * publish it. */
int give_withdraw(struct host *host);
/* What is kept in private memory fills a quarter of a queue. */
bool give_is_much(const struct host *host);
/* The outputs so far, into host->hash. */
void give_hash(struct host *host);
/* Takes back what the item has given; forgets all records. */
int give_drop(struct host *host);
void give_forget(struct host *host);
void give_close_reserved(struct host *host);
extern const char not_the_same[];
/* Sets host->why and host->refused. Returns @code. WEIR_EFAILED: the run cannot
 * go on; WEIR_ELOST: this item cannot be tried again. */
int host_refuse(struct host *host, int code, const char *format, ...)
    WEIR_PRINTF(3, 4);

/* --- guard.c --- */
/* Once the descriptors are there: which ones they are. */
void guard_init(struct host *host);
/* Around each call of the task's functions. */
void guard_enter(struct host *host);
void guard_leave(struct host *host);
/* Between calls: does not return in a worker whose task has jumped out. */
void guard_step(const struct host *host);
/* The descriptor, where it is still weir's; else this does not return. */
int guard_saved(const struct host *host, unsigned which);
/* The task has written past an output; @beyond: perhaps into what others have.
 * Does not return. */
_Noreturn void guard_past(const struct host *host, bool beyond);
/* What the supervisor is to hear of this worker. */
void host_say(const struct host *host, enum news_kind kind, int code,
              const char *format, ...) WEIR_PRINTF(4, 5);
void host_vsay(const struct host *host, enum news_kind kind, int code,
               const char *format, va_list args);

/* --- files.c --- */
int host_append(struct host *host, int fd, const void *data, size_t size);
int host_rename(struct host *host, const char *from, const char *to);
/* The item's, to those that the next commit has. */
int files_merge(struct host *host);
int files_merge_renames(struct host *host);
void files_clear(struct appending *append);
void files_clear_renames(struct host *host);

/* --- settle.c --- */
/* The next attributes, empty: they are in use when attrs_count is raised. NULL:
 * no memory. */
struct buf *host_new_attrs(struct host *host);
/* A call of run with @item in hand (NULL: a source), or of flush. */
void host_begin(struct host *host, enum phase phase, struct item *item);
/* It went well. Returns 0; or after all it did not: host->refused, and why. */
int host_done(struct host *host);
/* It did not: what it gave is taken back. */
int host_undo(struct host *host);
/* The item in hand (NULL: something of a source) is settled as failed, because
 * of host->why; or left out. */
int host_fail(struct host *host, unsigned attempts);
int host_skip(struct host *host);
/* All that is settled becomes true; of a source or flush, all that is staged.
 * WEIR_EFAILED: the run cannot go on; why says it. */
int host_commit(struct host *host);
/* The same with the outputs so far of the item in hand. */
int host_commit_part(struct host *host);
/* A source goes on from what is committed; a flush begins. */
void host_begin_source(struct host *host);
/* All before it has been given; a NULL @cursor is the one that waited. */
int host_set_cursor(struct host *host, const void *cursor, size_t size);
void host_move_cursor(struct host *host);
int host_init(struct host *host);
void host_free(struct host *host);

#endif
