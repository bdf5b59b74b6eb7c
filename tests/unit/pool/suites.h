/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* suites.h - the suites of core/pool, and what those of pools share. Waiting
 * with a bound: watch.h. */
#ifndef POOL_SUITES_H
#define POOL_SUITES_H

#include <check.h>
#undef fail /* a macro of Check, a name of weir/plugin.h */
#include <sys/types.h>

#include <weir/pool.h>

Suite *d0_suite(void);
Suite *queue_suite(void);
Suite *d3_suite(void);
Suite *d5_suite(void);
Suite *queue_death_suite(void);
Suite *queue_place_suite(void);
Suite *queue_watch_suite(void);
Suite *named_suite(void);
Suite *named_calls_suite(void);
Suite *pool_suite(void);
Suite *pool_imap_suite(void);
Suite *pool_inline_suite(void);
Suite *pool_map_suite(void);
Suite *pool_death_suite(void);
Suite *pool_end_suite(void);
Suite *pool_handle_suite(void);
Suite *pool_notice_suite(void);
Suite *pool_pack_suite(void);
Suite *pool_seats_suite(void);
Suite *pool_term_suite(void);
Suite *pool_watch_suite(void);
Suite *late_suite(void);
Suite *pool_task_suite(void);
Suite *pool_trace_suite(void);

/* The context of a test, opened and closed by the fixture, which also looks
 * for what is left behind; `pipe` stays open in workers. */
struct bench {
    weir_context *context;
    int pipe[2];
};
extern struct bench bench;
void bench_setup(void);
void bench_teardown(void);

/* Functions of all test pools. */
int echo(weir_call *call);      /* passes its bytes */
int reverse(weir_call *call);   /* in place */
int nothing(weir_call *call);   /* an empty result */
int fail_with(weir_call *call); /* for good, with its bytes as the sentence */
int die(weir_call *call);       /* of the signal that is its first byte */
int leave(weir_call *call);     /* exit with its first byte */
int wait_on(weir_call *call);   /* for ever */
int tell_pid(weir_call *call);
/* Dies in the first `n` attempts, n its first byte; then passes. */
int die_at_first(weir_call *call);
int answer(weir_call *call); /* as its bytes say, an int: returns it */
int grow(weir_call *call);   /* a result of so many bytes, a size_t */
int picky(weir_call *call);  /* passes 4 bytes; dies of 1; fails for the rest */
int wait_at_nothing(weir_call *call); /* for ever when there is no input */
int fail_at_first(weir_call *call);   /* as die_at_first, but TRANSIENT */
int mark(weir_call *call);            /* its bytes into the pipe */
int leave_child(weir_call *call);     /* one that sleeps for ever; passes */

int be_deaf(weir_call *call); /* to SIGTERM, for ever; a byte into the pipe */

/* Of a worker: by the first byte of the pool's argument, or of the pipe. */
int open_by_argument(weir_call *call);
int open_by_pipe(weir_call *call);
int tell_close(weir_call *call); /* 'C' into the pipe, if the state is right */

/* Options that name all of them; the rest is 0. */
weir_pool_options bench_options(void);
weir_pool *bench_pool(const weir_pool_options *options);
/* Closes, joins and frees; all must go well. */
void bench_end(weir_pool **pool);
/* The pid of a worker: by a call. */
pid_t bench_worker(weir_pool *pool);

/* A call that is made; one that has ended so, its handle freed; one in the
 * middle of a function that tells 1 byte; a pool that is ended now. */
weir_result *bench_call(weir_pool *pool, weir_function *run, const char *text,
                        const weir_call_options *options);
void bench_expect(weir_result **result, int code, const char *text);
weir_result *bench_running(weir_pool *pool, weir_function *run);
void bench_end_now(weir_pool **pool);

#endif
