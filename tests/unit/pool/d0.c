/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* d0.c - the conventions of Python's multiprocessing (d0), and ours: a test
 * for each. Which call is safe where, its header says: tests/doc/man-lint.sh
 * sees that each says it. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/weir.h>

#include "base/base.h"
#include "lib/suites.h"
#include "queue_rig.h"
#include "suites.h"

/* Each code is told from all others, and has words; a call that fails has a
 * sentence with the code. */
START_TEST(d0_errors)
{
    static const int codes[] = {
        WEIR_EINVAL,  WEIR_ENOMEM, WEIR_ETIMEDOUT,   WEIR_ECANCELED,
        WEIR_EFULL,   WEIR_EEMPTY, WEIR_ECLOSED,     WEIR_ETOOBIG,
        WEIR_EBROKEN, WEIR_ESTATE, WEIR_EPROCESS,    WEIR_ELOST,
        WEIR_EFAILED, WEIR_ELIMIT, WEIR_ETERMINATED, WEIR_ESYNTAX,
        WEIR_EPLUGIN, WEIR_EJOB,   WEIR_ETRUST,
    };
    const size_t count = sizeof codes / sizeof *codes;
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    for (size_t i = 0; i < count; i++) {
        ck_assert_int_lt(codes[i], 0);
        ck_assert_uint_gt(strlen(weir_strerror(codes[i])), 0);
        for (size_t k = 0; k < i; k++) {
            ck_assert_int_ne(codes[i], codes[k]);
            ck_assert_str_ne(weir_strerror(codes[i]), weir_strerror(codes[k]));
        }
    }
    options.capacity = 2000000;
    ck_assert_int_eq(weir_queue_new(rig_context, &options, &queue, &err),
                     WEIR_EINVAL);
    ck_assert_int_eq(err.code, WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "1,000,000") != NULL ||
                      strstr(err.text, "1000000") != NULL,
                  "%s", err.text);
    ck_assert_ptr_null(queue);
}
END_TEST

static int at_once(weir_child *self)
{
    (void)self;
    return 0;
}

/* What is an assertion there, which may be compiled out, is a code here. */
START_TEST(d0_misuse)
{
    weir_process_options options = { .size = sizeof options, .run = at_once };
    weir_queue *queue = rig_queue(2, 0);
    weir_process *process;
    pid_t pid;
    int status;
    size_t size;
    char c;

    ck_assert_int_eq(weir_process_new(rig_context, &options, &process, NULL),
                     0);
    ck_assert_int_eq(weir_process_join(process, 0), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_terminate(process), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(weir_process_start(process, NULL), WEIR_ESTATE);
    ck_assert_int_eq(weir_process_join(process, BOUND_NS), 0);
    rig_put(queue, 1);
    pid = fork(); /* another process's handles */
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(weir_process_join(process, 0) == WEIR_EPROCESS &&
                      weir_process_alive(process) == WEIR_EPROCESS
                  ? 0
                  : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(weir_process_free(&process), 0);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_ECLOSED);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, 0), -EMSGSIZE);
    weir_queue_free(&queue);
}
END_TEST

/* Relative, in ns; 0 tries once; a negative time is a mistake, not "at once".
 */
START_TEST(d0_time)
{
    weir_process_options options = { .size = sizeof options, .run = at_once };
    weir_queue *queue = rig_queue(1, 0);
    weir_process *process;
    weir_lease lease;
    unsigned number = 1;
    size_t size;

    ck_assert_int_eq(weir_queue_get(queue, &number, 4, &size, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_lease(queue, -1, &lease), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_wait_idle(queue, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_get(queue, &number, 4, &size, 0), WEIR_EEMPTY);
    rig_put(queue, 1);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_EFULL);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 1), WEIR_ETIMEDOUT);
    ck_assert_int_eq(weir_process_new(rig_context, &options, &process, NULL),
                     0);
    ck_assert_int_eq(weir_process_start(process, NULL), 0);
    ck_assert_int_eq(weir_process_join(process, -1), WEIR_EINVAL);
    ck_assert_int_eq(weir_process_join(process, WEIR_FOREVER), 0);
    ck_assert_int_eq(weir_process_free(&process), 0);
    weir_queue_free(&queue);
}
END_TEST

static atomic_uint alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms++;
}

static int put_late(weir_child *self)
{
    unsigned number = 7;

    usleep(100000); /* while signals come to the one who waits */
    return weir_queue_put(weir_child_queue(self, 0), &number, sizeof number,
                          BOUND_NS) == 0
               ? 0
               : 1;
}

/* A signal of the program's own ends no wait; a cancel does. */
START_TEST(d0_interrupted)
{
    struct sigaction action = { .sa_handler = count_alarm }; /* no SA_RESTART */
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
    weir_queue *queue = rig_queue(1, 0);
    weir_process *process = rig_launch(put_late, queue, 0);
    size_t size;
    char c;

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    ck_assert_uint_eq(rig_get(queue), 7);
    rig_join(&process, 0);
    setitimer(ITIMER_REAL, &never, NULL);
    ck_assert_uint_gt(alarms, 0);
    ck_assert_int_eq(weir_queue_cancel(queue, true), 0);
    ck_assert_int_eq(weir_queue_get(queue, &c, 1, &size, WEIR_FOREVER),
                     WEIR_ECANCELED);
    weir_queue_free(&queue);
}
END_TEST

/* Bytes, with their length; nothing is read into them. */
START_TEST(d0_data)
{
    weir_queue *queue = rig_queue(4, 0);
    char given[256], got[256];
    size_t size = 1;

    for (int i = 0; i < 256; i++)
        given[i] = (char)i;
    ck_assert_int_eq(weir_queue_put(queue, given, sizeof given, 0), 0);
    ck_assert_int_eq(weir_queue_put(queue, NULL, 0, 0), 0);
    ck_assert_int_eq(weir_queue_put(queue, NULL, 1, 0), WEIR_EINVAL);
    ck_assert_int_eq(weir_queue_get(queue, got, sizeof got, &size, 0), 0);
    ck_assert_uint_eq(size, sizeof given);
    ck_assert_mem_eq(got, given, sizeof given);
    ck_assert_int_eq(weir_queue_get(queue, got, sizeof got, &size, 0), 0);
    ck_assert_uint_eq(size, 0);
    weir_queue_free(&queue);
}
END_TEST

/* Those that a pool was made with, by their address; no other. By name:
 * pool_task.c. */
START_TEST(d0_functions)
{
    static weir_function *const functions[] = { reverse };
    weir_pool_options options = { .size = sizeof options,
                                  .functions = functions,
                                  .function_count = 1,
                                  .workers = 1 };
    weir_result *result;
    weir_error err = { 0 };
    weir_bytes bytes;
    weir_pool *pool;

    ck_assert_int_eq(weir_pool_new(rig_context, &options, &pool, NULL), 0);
    ck_assert_int_eq(weir_pool_apply(pool, reverse, "ab", 2, BOUND_NS, &result,
                                     NULL),
                     0);
    ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    ck_assert_mem_eq(bytes.data, "ba", 2);
    weir_result_free(&result);
    ck_assert_int_eq(weir_pool_apply(pool, nothing, "ab", 2, BOUND_NS, &result,
                                     &err),
                     WEIR_EINVAL);
    ck_assert_msg(strstr(err.text, "functions") != NULL, "%s", err.text);
    bench_end(&pool);
}
END_TEST

static void *wait_for_end(void *fd)
{
    char c;

    (void)!read(*(int *)fd, &c, 1);
    return NULL;
}

/* As its exit status: how many threads the child has. */
static int count_threads(weir_child *self)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int count = 0;

    (void)self;
    while (tasks != NULL && (entry = readdir(tasks)) != NULL)
        count += entry->d_name[0] != '.';
    return count;
}

/* One method: a fork of a process with one thread, whatever the program has. */
START_TEST(d0_start_method)
{
    weir_queue *queue = rig_queue(1, 0);
    weir_process *process;
    pthread_t threads[4];
    int gate[2];

    ck_assert_int_eq(pipe(gate), 0);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_end,
                                        &gate[0]),
                         0);
    process = rig_launch(count_threads, queue, 0);
    rig_join(&process, 1);
    close(gate[1]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close(gate[0]);
    weir_queue_free(&queue);
}
END_TEST

/* Queues go to a child by its options, or are opened by their name (named.c):
 * there is nothing to be pickled. */
START_TEST(d0_shared_objects)
{
    weir_queue *queue = rig_queue(1, 0);
    weir_process *process = rig_launch(put_late, queue, 0);

    ck_assert_uint_eq(rig_get(queue), 7);
    rig_join(&process, 0);
    weir_queue_free(&queue);
}
END_TEST

/* Explicit, may be repeated, and of nothing. What an exit does: owner.c. */
START_TEST(d0_cleanup)
{
    weir_queue *queue = rig_queue(1, 0);
    weir_process *process = NULL;
    weir_context *context = NULL;
    weir_result *result = NULL;
    weir_imap *imap = NULL;
    weir_pool *pool = NULL;

    for (int i = 0; i < 2; i++) {
        weir_queue_free(&queue);
        ck_assert_ptr_null(queue);
        ck_assert_int_eq(weir_process_free(&process), 0);
        ck_assert_int_eq(weir_pool_free(&pool), 0);
        weir_result_free(&result);
        weir_imap_free(&imap);
        weir_context_close(&context);
    }
    weir_queue_free(NULL);
    ck_assert_int_eq(weir_process_free(NULL), 0);
    ck_assert_int_eq(weir_pool_free(NULL), 0);
    weir_result_free(NULL);
    weir_imap_free(NULL);
    weir_context_close(NULL);
}
END_TEST

Suite *d0_suite(void)
{
    Suite *suite = suite_create("d0");
    TCase *tcase = tcase_create("conventions");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
    tcase_add_test(tcase, d0_errors);
    tcase_add_test(tcase, d0_misuse);
    tcase_add_test(tcase, d0_time);
    tcase_add_test(tcase, d0_interrupted);
    tcase_add_test(tcase, d0_data);
    tcase_add_test(tcase, d0_functions);
    tcase_add_test(tcase, d0_start_method);
    tcase_add_test(tcase, d0_shared_objects);
    tcase_add_test(tcase, d0_cleanup);
    suite_add_tcase(suite, tcase);
    return suite;
}
