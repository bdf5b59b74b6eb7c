/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench.c - what the suites of pools share. See suites.h. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/suites.h"
#include "suites.h"
#include "watch.h"

struct bench bench;
static int fds_before;

void bench_setup(void)
{
    weir_context_options options = { .size = sizeof options,
                                     .keep = bench.pipe,
                                     .keep_count = 2 };
    weir_error err = { 0 };

    children_setup();
    ck_assert_int_eq(pipe2(bench.pipe, O_CLOEXEC), 0);
    fds_before = watch_fds();
    ck_assert_msg(weir_context_open(&options, &bench.context, &err) == 0, "%s",
                  err.text);
}

void bench_teardown(void)
{
    weir_context_close(&bench.context);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

int echo(weir_call *call)
{
    return weir_pass(call, 0);
}

int reverse(weir_call *call)
{
    weir_bytes in = weir_input(call);
    void *out;
    int code = weir_reserve(call, 0, in.size, &out);

    if (code != 0)
        return code;
    for (size_t i = 0; i < in.size; i++)
        ((char *)out)[i] = ((const char *)in.data)[in.size - 1 - i];
    return weir_submit(call, in.size);
}

int nothing(weir_call *call)
{
    (void)call;
    return 0;
}

int fail_with(weir_call *call)
{
    weir_bytes in = weir_input(call);

    return weir_fail(call, WEIR_PERMANENT, "%.*s", (int)in.size,
                     (const char *)in.data);
}

static int first_byte(weir_call *call)
{
    return *(const unsigned char *)weir_input(call).data;
}

int die(weir_call *call)
{
    raise(first_byte(call));
    return 0;
}

int leave(weir_call *call)
{
    exit(first_byte(call));
}

int wait_on(weir_call *call)
{
    (void)call;
    while (pause() < 0)
        continue;
    return 0;
}

int tell_pid(weir_call *call)
{
    pid_t pid = getpid();

    return weir_emit(call, 0, &pid, sizeof pid);
}

int die_at_first(weir_call *call)
{
    if ((int)weir_attempt(call) <= first_byte(call))
        raise(SIGKILL);
    return weir_pass(call, 0);
}

int answer(weir_call *call)
{
    int code;

    memcpy(&code, weir_input(call).data, sizeof code);
    return code;
}

int grow(weir_call *call)
{
    size_t size;
    void *out;
    int code;

    memcpy(&size, weir_input(call).data, sizeof size);
    code = weir_reserve(call, 0, size + 10, &out);
    if (code != 0)
        return code;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)out)[i] = (unsigned char)(i * 31 >> 7);
    return weir_submit(call, size);
}

int picky(weir_call *call)
{
    weir_bytes in = weir_input(call);

    if (in.size == 1)
        raise(first_byte(call));
    if (in.size != 4)
        return weir_fail(call, WEIR_PERMANENT, "%zu bytes", in.size);
    return weir_pass(call, 0);
}

int wait_at_nothing(weir_call *call)
{
    return weir_input(call).size == 0 ? wait_on(call) : weir_pass(call, 0);
}

int fail_at_first(weir_call *call)
{
    if ((int)weir_attempt(call) <= first_byte(call))
        return weir_fail(call, WEIR_TRANSIENT, "attempt %u",
                         weir_attempt(call));
    return weir_pass(call, 0);
}

int mark(weir_call *call)
{
    weir_bytes in = weir_input(call);

    if (write(bench.pipe[1], in.data, in.size) != (ssize_t)in.size)
        return -errno;
    return weir_pass(call, 0);
}

int leave_child(weir_call *call)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid < 0 ? -errno : weir_pass(call, 0);
}

static void tell(const void *data, size_t size)
{
    if (write(bench.pipe[1], data, size) != (ssize_t)size)
        _exit(99);
}

int be_deaf(weir_call *call)
{
    signal(SIGTERM, SIG_IGN);
    tell("d", 1);
    return wait_on(call);
}

int open_by_argument(weir_call *call)
{
    static int state;
    pid_t pid = getpid();

    switch (*(const char *)weir_params(call)) {
    case 's':
        return weir_fail(call, WEIR_PERMANENT, "no licence");
    case 'x':
        return -ENOENT;
    case 'e':
        exit(7);
    case 'k':
        raise(SIGKILL);
        return 0;
    case 'w':
        tell(&pid, sizeof pid);
        return wait_on(call);
    default:
        if (weir_emit(call, 0, "x", 1) != WEIR_ESTATE ||
            weir_input(call).size != 0)
            return 1;
        weir_set_state(call, &state);
        tell("O", 1);
        return 0;
    }
}

int open_by_pipe(weir_call *call)
{
    char c;

    if (read(bench.pipe[0], &c, 1) != 1)
        return -errno;
    return c == 'k' ? 0 : weir_fail(call, WEIR_PERMANENT, "not yet");
}

int tell_close(weir_call *call)
{
    if (weir_state(call) != NULL && strcmp(weir_params(call), "oand more") == 0)
        tell("C", 1);
    return 0;
}

weir_pool_options bench_options(void)
{
    static weir_function *const functions[] = {
        echo,        reverse, nothing,         fail_with,     die,
        leave,       wait_on, tell_pid,        die_at_first,  answer,
        grow,        picky,   wait_at_nothing, fail_at_first, mark,
        leave_child, be_deaf,
    };

    return (weir_pool_options){
        .size = sizeof(weir_pool_options),
        .functions = functions,
        .function_count = sizeof functions / sizeof *functions,
        .workers = 2,
    };
}

weir_pool *bench_pool(const weir_pool_options *options)
{
    weir_pool *pool = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_pool_new(bench.context, options, &pool, &err) == 0, "%s",
                  err.text);
    return pool;
}

void bench_end(weir_pool **pool)
{
    ck_assert_int_eq(weir_pool_close(*pool), 0);
    ck_assert_int_eq(weir_pool_join(*pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(pool), 0);
    ck_assert_ptr_null(*pool);
}

pid_t bench_worker(weir_pool *pool)
{
    weir_result *result;
    weir_bytes bytes;
    weir_error err = { 0 };
    pid_t pid;

    ck_assert_msg(weir_pool_apply(pool, tell_pid, NULL, 0, BOUND_NS, &result,
                                  &err) == 0,
                  "%s", err.text);
    ck_assert_int_eq(weir_result_get(result, 0, &bytes, NULL), 0);
    ck_assert_uint_eq(bytes.size, sizeof pid);
    memcpy(&pid, bytes.data, sizeof pid);
    weir_result_free(&result);
    return pid;
}

weir_result *bench_call(weir_pool *pool, weir_function *run, const char *text,
                        const weir_call_options *options)
{
    weir_result *result = NULL;
    weir_error err = { 0 };

    ck_assert_msg(weir_pool_apply_async_with(pool, run, text, strlen(text),
                                             BOUND_NS, options, &result,
                                             &err) == 0,
                  "%s", err.text);
    return result;
}

void bench_expect(weir_result **result, int code, const char *text)
{
    weir_error err = { 0 };

    ck_assert_int_eq(weir_result_get(*result, BOUND_NS, NULL, &err), code);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    weir_result_free(result);
}

/* In the middle of its function: it has said so. */
weir_result *bench_running(weir_pool *pool, weir_function *run)
{
    weir_result *result = bench_call(pool, run, "", NULL);

    watch_read(bench.pipe[0], &(char){ 0 }, 1);
    return result;
}

void bench_end_now(weir_pool **pool)
{
    ck_assert_int_eq(weir_pool_terminate(*pool), 0);
    ck_assert_int_eq(weir_pool_join(*pool, BOUND_NS), 0);
    ck_assert_int_eq(weir_pool_free(pool), 0);
}
