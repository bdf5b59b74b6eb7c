/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/pool.h - pre-forked workers that serve many calls.
 *
 * A call is a function and bytes for it; it has one result, which is bytes or
 * a failure with its sentence. Whatever a function does to its worker, crash,
 * exit, endless loop, memory taken up: the call that did it fails or is tried
 * again, as the options say; no other call is harmed, and none is left without
 * a result.
 *
 *     static int shout(weir_call *call)
 *     {
 *         weir_bytes in = weir_input(call);
 *         void *out;
 *         int code = weir_reserve(call, 0, in.size, &out);
 *
 *         if (code < 0)
 *             return code;
 *         for (size_t i = 0; i < in.size; i++)
 *             ((char *)out)[i] = (char)toupper(((const char *)in.data)[i]);
 *         return weir_submit(call, in.size);
 *     }
 *
 *     weir_function *functions[] = { shout };
 *     weir_pool_options options = { .size = sizeof options,
 *                                   .functions = functions,
 *                                   .function_count = 1 };
 *     weir_pool *pool;
 *     weir_result *result;
 *     weir_bytes bytes;
 *
 *     weir_context_open(NULL, &context, &err);
 *     weir_pool_new(context, &options, &pool, &err);
 *     weir_pool_apply_async(pool, shout, "hello", 5, WEIR_FOREVER, &result,
 *                           &err);
 *     weir_result_get(result, WEIR_FOREVER, &bytes, &err);
 *     ... bytes.data is "HELLO" ...
 *     weir_result_free(&result);
 *     weir_pool_close(pool);
 *     weir_pool_join(pool, WEIR_FOREVER);
 *     weir_pool_free(&pool);
 *     weir_context_close(&context);
 *
 * Functions are written as a plugin's tasks are, with the calls of
 * weir/plugin.h: weir_input is the call's bytes; weir_emit, weir_reserve and
 * weir_submit, or weir_pass give the result, once, to output 0 (a call without
 * has an empty result); weir_params is the pool's argument; weir_state,
 * weir_attempt and weir_log as there. weir_fail ends the call as failed:
 * WEIR_TRANSIENT tries it again as often as `retries` says, WEIR_PERMANENT and
 * WEIR_FATAL do not, WEIR_SKIP is an empty result. A negative code that is
 * returned is PERMANENT. The calls about files, cursors and attributes answer
 * WEIR_ESTATE.
 *
 * A worker is single-threaded. Between calls it may be replaced at any time: a
 * state of its own is a cache, never the only copy.
 *
 * The pool has no thread of its own in the program: whoever waits in one of
 * the calls below moves all results that are there into their handles, so a
 * thread that waits for one result serves all. Results that nobody waits for
 * stay in the pool; it holds at most `window` calls and results.
 *
 * Any number of threads may use one pool. Handles belong to the process that
 * made them: in a forked child each call answers WEIR_EPROCESS.
 */
#ifndef WEIR_POOL_H
#define WEIR_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weir/error.h>
#include <weir/plugin.h>
#include <weir/process.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

typedef struct weir_pool weir_pool;
typedef struct weir_result weir_result;
typedef struct weir_imap weir_imap;
typedef int weir_function(weir_call *call);

/*
 * For `workers`: none; the calls run in this process, for debuggers. (0 could
 * not say that: what is 0 has the default.) A call runs when it is made, in the
 * thread that makes it, and has ended when weir_pool_apply_async returns;
 * callbacks come where they always do. Threads take turns: one function runs at
 * a time. Results, failures and their sentences, retries, `open`, `close` and
 * all handles are as they are with workers. What differs:
 *   - A function that crashes, exits or never returns does that to the program.
 *     No time limit and no timeout ends it, and weir_result_stop and
 *     weir_pool_terminate do not either; there is nothing to cancel.
 *   - It sees and changes the program's memory. It may call the pool.
 *   - `open` runs once, in weir_pool_new, and if it fails the pool has ended;
 *     `close` runs in weir_pool_close, or after the function that runs then.
 *   - weir_pool_new needs no context, and forks nothing: functions need not
 *     have been in memory before; the program may have threads. The plugins of
 *     weir_pool_task are loaded into the program, when their first call comes,
 *     and stay. weir_pool_resize is WEIR_EINVAL. The window does not bound
 *     results that nobody has fetched; `recycle`, `grace_ns` and what belongs
 *     to them say nothing.
 */
#define WEIR_POOL_INLINE UINT32_MAX

/* What is 0 or NULL has the default that stands here. */
typedef struct weir_pool_options {
    size_t size; /* of this struct, as the caller knows it */
    /* What calls may name; each must have been in memory, at this address,
     * when the context opened. */
    weir_function *const *functions;
    size_t function_count; /* up to 256; 0: it calls tasks by name alone */
    /* In each new worker, before its first call. One that does not return 0,
     * or ends its worker, three times in a row ends the pool with its reason.
     * Emits nothing. */
    weir_function *open;
    /* In each worker that ends by itself: after weir_pool_close, and when it
     * is recycled; not in one that is killed. */
    weir_function *close;
    const void *argument; /* weir_params; copied, aligned to 16 */
    size_t argument_size; /* at most 128 KiB */
    uint32_t workers;     /* 1 to 1,024; 0: as many as there are processors
                           * that the program may use, by its affinity and its
                           * cgroup's quota; WEIR_POOL_INLINE: none */
    /* Further attempts after one that was lost by crash, exit or time limit,
     * or that failed with WEIR_TRANSIENT; at most 10,000. With 0 no function
     * is ever run twice for a call. With more, also those calls may be run
     * again that were complete in the same worker a moment before it died. */
    uint32_t retries;
    uint32_t window;  /* calls without a result yet, 1 to 1,000,000; 0: 1,024 */
    uint32_t recycle; /* a worker serves so many calls, then it is replaced; 0:
                       * no bound. See recycle_age_ns */
    uint64_t bytes;   /* of all arguments in the pool, and as many of all
                       * results, up to 64 GiB; 0: 8 MiB. A larger argument is
                       * WEIR_ETOOBIG; a larger result comes in parts. At most
                       * 1 GiB each. Address space up to 50 times as much */
    int64_t limit_ns; /* longest time of one attempt, measured to an eighth of
                       * it: then its worker gets SIGTERM, and SIGKILL after
                       * grace_ns; 0: none */
    int64_t grace_ns; /* between SIGTERM and SIGKILL, here and at
                       * weir_pool_terminate; 0: half a second */
    uint32_t workers_most; /* for weir_pool_resize, up to 1,024; 0: `workers`,
                            * or the processors when those are more */
    /* A worker is also replaced when it is so old, or when the memory that is
     * its own (resident and not shared, looked at between calls) has grown by
     * so much since it began to serve; 0: never. Its successor opens first, in
     * a process beside it, and then waits: until that is ready the old one
     * serves, then it finishes what it has in hand, and no more than `workers`
     * ever serve at once. After `recycle` calls a worker ends in any case; its
     * successor is begun before, 32 calls and an eighth of them early, so that
     * it is ready then unless `open` takes longer than those. As many
     * successors at a time as workers_most says, at most 16, and as many more
     * as that leaves room for; one that is in its `close` has a place among
     * them. One that cannot be forked is tried again; failures of its `open`
     * count as those of any worker. */
    int64_t recycle_age_ns;
    uint64_t recycle_bytes;
} weir_pool_options;

/**
 * weir_pool_new - start a pool
 * @context:  its helper watches over the workers; may be NULL with
 *            WEIR_POOL_INLINE
 * @options:  copied
 * @pool_out: the caller's; ended by weir_pool_free
 * @err:      the sentence; may be NULL
 *
 * On return all workers are forked; their `open` may still run.
 *
 * Returns 0; WEIR_EINVAL (out of range; a function that was not in memory when
 * the context opened), WEIR_ENOMEM, -EAGAIN (no more processes), -EMFILE and
 * the like; WEIR_EBROKEN (helper gone, context closed); WEIR_EPROCESS.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_new(weir_context *context, const weir_pool_options *options,
                  weir_pool **pool_out, weir_error *err);

/**
 * weir_pool_task - a task of a plugin as a function of this pool
 * @name:    "text.upper": the plugin, and its task
 * @params:  "name=value" texts, up to a NULL; a name that comes again makes a
 *           list. NULL: the defaults. All is copied
 * @run_out: stands for it in the calls of this pool, in no other's; never to be
 *           called itself. Lives as long as the pool
 * @err:     the sentence; may be NULL
 *
 * At any time, also while calls are under way. The program itself loads
 * nothing: each worker loads the plugin, binds the parameters and runs the
 * task's `open` when its first call of the task comes, and `close` when it ends
 * by itself. So a plugin that is not there, a wrong parameter or an `open` that
 * fails is told by the calls: WEIR_EPLUGIN, WEIR_ETRUST, WEIR_EINVAL or
 * WEIR_EFAILED, with the sentence. Plugins are searched as `weir run` does it:
 * in WEIR_PLUGIN_PATH, as it was when the context opened, then where weir's own
 * are installed.
 *
 * A call is one item. Sources, and tasks that give their result at the end of
 * their input, are refused with WEIR_EINVAL. The task gives one item, to its
 * first output. Name and parameters travel with each call and count as its
 * bytes.
 *
 * Returns 0; WEIR_EINVAL; WEIR_ETOOBIG: name and parameters pass 4,072 bytes;
 * WEIR_EFULL: functions and tasks of this pool pass 256; WEIR_ENOMEM,
 * WEIR_EPROCESS. The same again gives the same @run_out.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_task(weir_pool *pool, const char *name, const char *const *params,
                   weir_function **run_out, weir_error *err);

/* -------------------------------------------------------------- calls ---- */

/**
 * weir_pool_apply - call, and wait for the result
 * @run:        one of the pool's functions
 * @data:       its bytes, copied; NULL only when @size is 0
 * @timeout_ns: longest time for the whole; then the call is left alone, and
 *              its result, should it come, is dropped
 * @result_out: has ended well; weir_result_get gives its bytes
 * @err:        why the call failed; may be NULL
 *
 * Returns 0, or, without a handle, why there is no result:
 *   WEIR_EFAILED      the function said so; @err has its words
 *   WEIR_ELOST        it ended its worker in its last attempt: "killed by
 *                     SIGSEGV", "called exit(3)"
 *   WEIR_ELIMIT       it took longer than the pool's limit_ns
 *   other             what the function returned, when that is negative
 *   WEIR_ETIMEDOUT    not in time
 *   WEIR_ETERMINATED  weir_pool_terminate came first
 *   WEIR_ECLOSED      weir_pool_close was called before
 *   WEIR_ETOOBIG      an argument beyond the pool's bytes
 *   WEIR_EINVAL (also: not one of the pool's functions), WEIR_ENOMEM,
 *   WEIR_EPROCESS, WEIR_EBROKEN
 *   what `open` failed with, when that ended the pool
 * Cost: one copy in, one out; no system call while the worker is awake.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_apply(weir_pool *pool, weir_function *run, const void *data,
                    size_t size, int64_t timeout_ns, weir_result **result_out,
                    weir_error *err);

/**
 * weir_pool_apply_async - call, and go on
 * @timeout_ns: longest wait for room among the `window` calls; 0 tries once.
 *              While it waits it moves results into their handles
 * @result_out: the caller's; ended by weir_result_free, at any time
 *
 * Returns 0; WEIR_EFULL (tried once), WEIR_ETIMEDOUT; as weir_pool_apply what
 * hinders a call from beginning.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_apply_async(weir_pool *pool, weir_function *run, const void *data,
                          size_t size, int64_t timeout_ns,
                          weir_result **result_out, weir_error *err);

/**
 * weir_pool_map - one call for each input, and wait for all
 * @inputs:     bytes of each call
 * @count:      how many; 0 is fine
 * @chunk:      calls that a worker takes at once, 1 to 32; 0: by the time
 *              that they take
 * @timeout_ns: longest time for the whole
 * @results:    room for @count handles, in the order of the inputs. All are
 *              set, all have ended, each for itself: with bytes, or with why
 *              there are none (WEIR_ETIMEDOUT: not in time)
 * @err:        the first failure by index; may be NULL
 *
 * Returns how many failed: 0 when all went well. Or a negative code, and then
 * no handle is set: WEIR_EINVAL, WEIR_EPROCESS, WEIR_ENOMEM; WEIR_ECLOSED,
 * WEIR_ETERMINATED or what ended the pool, when that came before.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_map(weir_pool *pool, weir_function *run, const weir_bytes *inputs,
                  size_t count, unsigned chunk, int64_t timeout_ns,
                  weir_result **results, weir_error *err);

/* What one call asks for. What is 0 or NULL has the default that stands here.
 */
#define WEIR_NO_RETRIES (-1)
typedef struct weir_call_options {
    size_t size;  /* of this struct, as the caller knows it */
    uint64_t tag; /* the caller's own, for weir_pool_cancel and _stop */
    /* Longest time of one attempt; 0: the pool's. */
    int64_t limit_ns;
    /* Longest time from now until the call has ended, retries and all; then it
     * ends with WEIR_ELIMIT, also when it has not begun. 0: none. One that has
     * not begun ends by that when somebody waits in a call of the pool, or a
     * worker comes to it. */
    int64_t deadline_ns;
    int retries;    /* 0: the pool's; WEIR_NO_RETRIES: none; at most 10,000 */
    unsigned chunk; /* of a map: as there; 0: by the time that they take */
    /* Called once, whatever becomes of the call, when it has ended: in a thread
     * that waits in a call of this pool (weir_pool_dispatch, apply, map, join,
     * weir_result_wait, _get, weir_imap_next, and an apply_async that has to
     * wait), or in weir_pool_free at the latest. It may call what it likes,
     * also terminate, close, join, submit or free its own pool or this handle;
     * while it runs, its own waits run no further callbacks. No order among
     * callbacks. */
    void (*on_done)(weir_result *result, void *arg);
    /* Of weir_pool_map_async: the same, once, when the last of its calls has
     * ended; also when there were none. */
    void (*on_all)(void *arg, size_t failed);
    void *arg;
} weir_call_options;

/**
 * weir_pool_apply_async_with - the same, with options of this call
 * @options:    copied; NULL: none
 * @result_out: may be NULL when there is an on_done; then the handle ends with
 *              the callback
 *
 * Returns as weir_pool_apply_async; when that is not 0, no callback will come.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_apply_async_with(weir_pool *pool, weir_function *run,
                               const void *data, size_t size,
                               int64_t timeout_ns,
                               const weir_call_options *options,
                               weir_result **result_out, weir_error *err);

/**
 * weir_pool_map_async - one call for each input, and go on
 * @timeout_ns: longest wait for room, for all of them: it returns when the last
 *              has been put. Inputs that do not fit the window wait here, while
 *              results move into their handles; they are copied as they go
 * @options:    of each of the calls; NULL: none
 * @results:    room for @count handles, in the order of the inputs; all are
 *              set. One whose call could not be made (too big, no room in time,
 *              pool closed meanwhile) has ended with that
 *
 * weir_result_wait_all waits for them. Returns 0, or a code, and then no handle
 * is set and no callback will come, though some may have run: as weir_pool_map.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_map_async(weir_pool *pool, weir_function *run,
                        const weir_bytes *inputs, size_t count,
                        int64_t timeout_ns, const weir_call_options *options,
                        weir_result **results, weir_error *err);

/* ------------------------------------------------------------- results ---- */

/* weir_result_ready - 1: it has ended, well or not; 0: not yet; WEIR_EPROCESS,
 * WEIR_EINVAL. Waits for nothing. Threads: safe. */
int weir_result_ready(weir_result *result);

/* weir_result_wait - 0: it has ended, well or not; WEIR_ETIMEDOUT;
 * WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. */
int weir_result_wait(weir_result *result, int64_t timeout_ns);

/* weir_result_successful - 1: ended, with bytes; 0: ended, failed; WEIR_ESTATE
 * before it has ended; WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. */
int weir_result_successful(weir_result *result);

/**
 * weir_result_get - wait for the result and read it
 * @timeout_ns: longest wait; 0 looks once
 * @bytes_out:  the handle's bytes, until it is freed; may be NULL
 * @err:        why the call failed; may be NULL
 *
 * May be repeated, by any thread. Returns 0; WEIR_ETIMEDOUT; or why the call
 * has no result, as weir_pool_apply.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_result_get(weir_result *result, int64_t timeout_ns,
                    weir_bytes *bytes_out, weir_error *err);

/* weir_result_free - end the handle; *result = NULL; NULL-safe. One that has
 * not ended yet: the call goes on, and its result is dropped; its on_done comes
 * all the same. Threads: when no other call of this handle is under way. */
void weir_result_free(weir_result **result);

/**
 * weir_result_wait_any, weir_result_wait_all - wait for many at once
 * @results:   handles of one pool; NULL ones are left out
 * @index_out: any: the first of those that have ended; all: when it was not in
 *             time, the first that has not. May be NULL
 *
 * Returns 0; WEIR_ETIMEDOUT; WEIR_EEMPTY: any of none; WEIR_EINVAL (handles of
 * different pools), WEIR_EPROCESS. How they ended: weir_result_successful.
 * Cost: a look at each handle whenever results have moved.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_result_wait_any(weir_result *const *results, size_t count,
                         int64_t timeout_ns, size_t *index_out);
int weir_result_wait_all(weir_result *const *results, size_t count,
                         int64_t timeout_ns, size_t *index_out);

/**
 * weir_result_trace - where the call crashed its worker
 * @text_out: one frame a line, innermost first, each with a newline behind it:
 *            "function+0x1c object+0x11a5", without the first word where the
 *            name is not known; "0x7f00" in no object. The second offset is for
 *            addr2line -e. The handle's, until it is freed
 *
 * Of a call that ended with WEIR_ELOST because its last attempt ended by
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT. A handler in the worker writes
 * up to 64 frames, on a stack of its own (so an overflow has them, too), and
 * then the signal ends the worker as it would have. A function that sets its
 * own handler for one of them keeps that, and has no trace then. Names of
 * static functions are known in the program itself, unless it was stripped.
 *
 * Returns 0; WEIR_EEMPTY: it has none; WEIR_ESTATE: it has not ended;
 * WEIR_ENOMEM, WEIR_EPROCESS, WEIR_EINVAL. Of more than 4,096 such calls whose
 * results nobody has moved yet, some have none.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_result_trace(weir_result *result, const char **text_out);

typedef enum weir_result_where {
    WEIR_RESULT_QUEUED,   /* not begun; or a worker has it, and others first */
    WEIR_RESULT_RUNNING,  /* begun; or done, and not moved yet */
    WEIR_RESULT_RETRYING, /* an attempt was lost; the next has not begun */
    WEIR_RESULT_DONE,     /* it has ended, well or not */
} weir_result_where;

typedef struct weir_result_info {
    size_t size; /* of this struct, set by the caller */
    weir_result_where state;
    unsigned attempt; /* from 1, of the one that runs or was lost last; 0: none
                       * yet, or done */
    pid_t worker;     /* that runs it just now; 0: none */
    int64_t made_ns;  /* when the call was made, CLOCK_MONOTONIC */
    uint64_t tag;
} weir_result_info;

/* weir_result_state - where a call is now: it may be elsewhere when this
 * returns. Moves nothing: a result that waits in the pool counts as running.
 * Returns 0, WEIR_EINVAL, WEIR_EPROCESS. Threads: safe. */
int weir_result_state(weir_result *result, weir_result_info *info_out);

/* --------------------------------------------- one after the other ----
 */

/*
 * Where the calls of an imap come from: gives the next input.
 * @arg:       of weir_pool_imap
 * @input_out: its bytes. They must stay as they are until this is called again,
 *             has said that there are no more, or the imap is freed
 * @err:       empty; for the sentence, when it returns an error
 *
 * Returns 1: there is one; 0: there are no more; WEIR_EEMPTY: none just now, it
 * will be asked again when results have come, or by the next weir_imap_next;
 * another negative code: none, and no more, for that reason: the imap gives it
 * as the result of one more item, its last.
 *
 * Runs in a thread that makes the imap or asks it for the next result, never
 * in two at once. It may make other calls of the pool; weir_imap_next of its
 * own imap is WEIR_ESTATE there.
 */
typedef int weir_imap_input(void *arg, weir_bytes *input_out, weir_error *err);

/* What is 0 or NULL has the default that stands here. */
typedef struct weir_imap_options {
    size_t size; /* of this struct, as the caller knows it */
    /* How far it reads ahead: at most so many inputs are taken whose results
     * are not given yet; up to 1,000,000. 0: four for each worker, or twice
     * the chunk, and at least 32. */
    uint32_t window;
    /* And in bytes: no further input is taken while those that are under way,
     * and the results that wait to be given, have so many. So it may be passed
     * by one input, and by the results of those under way. 0: the pool's. */
    uint64_t bytes;
    /* Of each of the calls: limit, deadline (from when its input was taken),
     * retries, tag, on_done; `chunk`: inputs that a worker takes at once, 1 to
     * 32, or 0: by the time that they take. NULL: none. Copied.
     * An on_done that frees its handle takes the item out: weir_imap_next goes
     * on to the one behind it. Only while one thread alone uses the pool, and
     * no callback asks the imap: then a callback comes before weir_imap_next
     * gives its handle. */
    const weir_call_options *each;
} weir_imap_options;

/**
 * weir_pool_imap - calls for a row of inputs, their results one by one in order
 * @run:      one of the pool's functions
 * @input:    gives the inputs, as they are needed
 * @arg:      its
 * @options:  may be NULL
 * @imap_out: the caller's; ended by weir_imap_free
 * @err:      may be NULL
 *
 * There may be any number of inputs; time and memory for each do not depend on
 * it. As many calls are made now as the window and the pool have room for, and
 * more by each weir_imap_next.
 *
 * Returns 0; WEIR_EINVAL, WEIR_ENOMEM, WEIR_EPROCESS; WEIR_ECLOSED,
 * WEIR_ETERMINATED or what ended the pool, when that came before.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_imap(weir_pool *pool, weir_function *run, weir_imap_input *input,
                   void *arg, const weir_imap_options *options,
                   weir_imap **imap_out, weir_error *err);

/* weir_pool_imap_unordered - the same, but the results come as they end; the
 * index of each tells whose it is. A slow one then holds up no other.
 * Threads: safe. */
int weir_pool_imap_unordered(weir_pool *pool, weir_function *run,
                             weir_imap_input *input, void *arg,
                             const weir_imap_options *options,
                             weir_imap **imap_out, weir_error *err);

/**
 * weir_imap_next - the next result
 * @timeout_ns: longest wait, for room for its call and for its end; 0: looks
 *              once. The input function's own time comes on top
 * @result_out: has ended, well or not: weir_result_get gives its bytes or why
 *              there are none. The caller's; ended by weir_result_free
 * @index_out:  the number of its input, from 0; may be NULL
 *
 * One item that fails is one result that has failed; the others come as if
 * nothing were. So does an input that is too large for the pool. When the pool
 * is closed, terminated or over meanwhile, what was under way comes as it
 * ended, then one item that says why no more calls could be made, then the end.
 *
 * Returns 0; or, without a handle:
 *   WEIR_ECLOSED    all have been given: the end
 *   WEIR_ETIMEDOUT  not in time; ask again
 *   WEIR_ECANCELED  weir_imap_cancel was called
 *   WEIR_EEMPTY     there is no input just now, and no call is under way
 *   WEIR_EFULL      in a function of a pool without workers: the calls that it
 *                   is made in fill the pool's window; it would wait for ever
 *   WEIR_ENOMEM (ask again), WEIR_EINVAL, WEIR_EPROCESS, WEIR_ESTATE (called
 *   in its own input function)
 * Threads: safe: each gets results of its own. Signals: no. Since: 0.1
 */
int weir_imap_next(weir_imap *imap, int64_t timeout_ns,
                   weir_result **result_out, uint64_t *index_out);

/**
 * weir_imap_cancel - no more
 *
 * No further input is taken; calls that have not begun are cancelled, and those
 * that have go on, but their results are dropped (weir_pool_stop with a tag
 * ends them). weir_imap_next says WEIR_ECANCELED from now on, also where it
 * waits in another thread. Idempotent.
 *
 * Returns 0, WEIR_EINVAL, WEIR_EPROCESS. Threads: safe; also in its own input
 * function, and in callbacks. Signals: no. Since: 0.1
 */
int weir_imap_cancel(weir_imap *imap);

/* weir_imap_free - cancel, and end the handle; *imap = NULL; NULL-safe.
 * Results that were given stay good. Before or after weir_pool_free; also in
 * its own input function, and in callbacks, but no other thread may be in a
 * call of this handle. In a forked child it frees that child's copy. Threads:
 * as said. */
void weir_imap_free(weir_imap **imap);

/* ------------------------------------------------------ cancel and stop ----
 */

/* weir_result_cancel - take the call back if it has not begun: it ends with
 * WEIR_ECANCELED, now, and its function will not run. Returns 1: it did; 0: it
 * has begun (a worker takes up to 32 short calls at once: those have) or ended;
 * WEIR_ENOMEM, WEIR_EINVAL, WEIR_EPROCESS, WEIR_EBROKEN. Threads: safe. */
int weir_result_cancel(weir_result *result);

/**
 * weir_result_stop - end the call, also when it has begun
 * @grace_ns: between SIGTERM and SIGKILL; 0: SIGKILL at once
 *
 * One that has not begun is cancelled. One that runs: its worker is sent
 * SIGTERM (which ends it, unless the function has arranged for something else)
 * and SIGKILL after the grace; it is replaced, and no other call pays for it.
 * Then the call ends with WEIR_ECANCELED, however many retries it had left; or
 * with its result, when that came first. Waits for nothing.
 *
 * Returns 1: cancelled; 0: it will end, or has; WEIR_EINVAL, WEIR_ENOMEM,
 * WEIR_EPROCESS, WEIR_EBROKEN.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_result_stop(weir_result *result, int64_t grace_ns);

/* weir_pool_cancel, weir_pool_stop - the same for all calls with this tag, not
 * 0. Return how many have not begun, and are cancelled; codes as above.
 * Threads: safe. */
int weir_pool_cancel(weir_pool *pool, uint64_t tag);
int weir_pool_stop(weir_pool *pool, uint64_t tag, int64_t grace_ns);

/* ------------------------------------------------------------- dispatch ----
 */

/**
 * weir_pool_dispatch - move results into their handles and run callbacks
 * @timeout_ns: longest wait for the first of either; 0: what is there
 *
 * Returns how many callbacks it has run, perhaps 0, when results have moved;
 * WEIR_ETIMEDOUT: nothing to do in time; WEIR_ECLOSED: the pool is over, and
 * all callbacks have run; WEIR_EINVAL, WEIR_EPROCESS.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_dispatch(weir_pool *pool, int64_t timeout_ns);

/**
 * weir_pool_fd - a descriptor for poll, select or epoll
 *
 * It is readable when weir_pool_dispatch has something to do: results to move,
 * callbacks to run, a deadline that has passed, the pool's end; and when
 * results have been moved into their handles, or handles have ended, in another
 * thread. So: poll, then weir_pool_dispatch(pool, 0), then look at the handles.
 * What a dispatch could not see is told after it; so nothing is missed. It may
 * be readable for nothing, always so at first, and it stays readable when the
 * pool is over: dispatch says WEIR_ECLOSED then.
 *
 * The pool's: not to be read, closed or given on; until weir_pool_free. One
 * for all threads. It works in the network namespace that the context was
 * opened in.
 *
 * Returns the descriptor; WEIR_EINVAL, WEIR_EPROCESS, WEIR_EBROKEN, -EMFILE,
 * -ENFILE and the like. Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_fd(weir_pool *pool);

/* ----------------------------------------------------------------- end ---- */

/* weir_pool_close - no more calls; those that were made go on. Idempotent.
 * Returns 0, WEIR_EPROCESS, WEIR_EBROKEN or WEIR_EINVAL. Threads: safe. */
int weir_pool_close(weir_pool *pool);

/* weir_pool_terminate - end now: each call without a result fails with
 * WEIR_ETERMINATED at once; workers get SIGTERM, and SIGKILL when they are
 * still there after the pool's grace_ns. So weir_pool_join returns within
 * grace_ns and what the machine takes for a fixed number of steps: the helper
 * gets a processor and finishes what it is at (it waits there 0.1 s for each
 * worker that somebody has stopped while it held a lock, and for nothing else),
 * and the kernel ends the workers. What a function or `open` does makes that no
 * longer: ignoring signals, standing still, never returning, forking, being one
 * of many. Idempotent; also after close. Returns as weir_pool_close. Threads:
 * safe. */
int weir_pool_terminate(weir_pool *pool);

/**
 * weir_pool_join - wait until all workers are gone
 *
 * Moves all results into their handles meanwhile. May be repeated, by any
 * thread. Returns 0; WEIR_ETIMEDOUT; WEIR_ESTATE: neither closed nor terminated
 * yet, and not ended by itself; WEIR_EBROKEN, WEIR_EPROCESS, WEIR_EINVAL.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_join(weir_pool *pool, int64_t timeout_ns);

/* weir_pool_workers - how many workers the pool has, or is about to have: its
 * size, by its options or the last weir_pool_resize. WEIR_EPROCESS,
 * WEIR_EINVAL. Threads: safe. */
int weir_pool_workers(const weir_pool *pool);

/**
 * weir_pool_resize - so many workers from now on
 * @workers: 1 to the pool's workers_most
 *
 * Waits for nothing. When it grows, new workers are forked at once; those that
 * cannot be are tried again. When it shrinks, those that are too many finish
 * the calls that they have in hand, run `close`, and end; no call is lost, and
 * none runs twice for that. Until they have ended they hold their places: a
 * pool that grows again meanwhile keeps those of them that have not seen it.
 *
 * Returns 0; WEIR_EINVAL: out of range, as any number is with
 * WEIR_POOL_INLINE; WEIR_ECLOSED, WEIR_ETERMINATED, or what ended the pool;
 * WEIR_EBROKEN, WEIR_EPROCESS.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_pool_resize(weir_pool *pool, unsigned workers);

/* weir_pool_free - end the handle; *pool = NULL; NULL-safe. WEIR_ESTATE, and
 * nothing has happened, when it was not joined: its workers run. Handles of
 * results stay good. In a forked child it frees that child's copy.
 * Threads: when no other call of this handle is under way. */
int weir_pool_free(weir_pool **pool);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
