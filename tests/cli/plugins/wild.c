/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wild.c - a plugin that misbehaves towards its process, for run-wild.sh. Runs
 * in workers.
 *
 * wild.do takes a line `WORD [once]`: does what it says, in each attempt or in
 * the first one alone, and then passes the line, if it can. wild.open and the
 * others do what their parameter says in that function. What a plugin may not
 * do is done here on purpose.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/plugin.h>

/* --------------------------------------------------------------- it ends ----
 */

static void do_exit(weir_call *call)
{
    (void)call;
    exit(0);
}

static void do_exit_at_once(weir_call *call)
{
    (void)call;
    _exit(9);
}

static void do_abort(weir_call *call)
{
    (void)call;
    abort();
}

static void do_kill_group(weir_call *call)
{
    (void)call;
    kill(0, SIGKILL);
}

static void *leave_thread(void *arg)
{
    (void)arg;
    pthread_exit(NULL);
}

static void do_pthread_exit(weir_call *call)
{
    (void)call;
    leave_thread(NULL);
}

static void do_exec(weir_call *call)
{
    (void)call;
    execl("/bin/true", "true", (char *)NULL);
}

static void write_line(void)
{
    static const char line[] = "a task's handler\n";

    if (write(2, line, sizeof line - 1) < 0)
        abort();
}

/* Run when its process calls exit, which a worker does not. */
static void do_atexit(weir_call *call)
{
    (void)call;
    if (atexit(write_line) != 0)
        abort();
}

static sigjmp_buf away;
static bool away_set;

/* Back into a call that has ended long ago: what is behind it is anybody's. */
static void do_longjmp(weir_call *call)
{
    (void)call;
    if (away_set)
        siglongjmp(away, 1);
}

static int deeper(volatile char *above)
{
    volatile char room[4096];

    room[0] = above != NULL ? (char)(above[0] + 1) : 0;
    return deeper(room) + room[0];
}

static void do_deep(weir_call *call)
{
    (void)call;
    deeper(NULL);
}

/* ---------------------------------------------------------- descriptors ----
 */

static void do_close_all(weir_call *call)
{
    (void)call;
    close_range(3, ~0u, 0);
}

static void do_close_standard(weir_call *call)
{
    (void)call;
    close_range(0, 2, 0);
}

/* What weir writes to a descriptor that it had comes into this file. */
static void do_take_over(weir_call *call)
{
    int fd;

    close_range(3, ~0u, 0);
    do
        fd = open("victim", O_RDWR | O_CREAT, 0600);
    while (fd >= 0 && fd < 40);
    weir_log(call, WEIR_WARNING, "this must not come into the file");
}

static void do_use_up(weir_call *call)
{
    (void)call;
    while (dup(2) >= 0)
        continue;
}

static void do_nonblock(weir_call *call)
{
    (void)call;
    fcntl(2, F_SETFL, fcntl(2, F_GETFL) | O_NONBLOCK);
}

static void do_print(weir_call *call)
{
    (void)call;
    printf("a task prints\n");
    fflush(stdout);
}

/* ------------------------------------------------------------- settings ----
 */

static void do_chdir(weir_call *call)
{
    (void)call;
    if (chdir("/") < 0)
        abort();
}

static void do_umask(weir_call *call)
{
    (void)call;
    umask(0777);
}

static void do_mask(weir_call *call)
{
    sigset_t all;

    (void)call;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void do_ignore(weir_call *call)
{
    (void)call;
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN);
}

static void limit(int which, rlim_t value)
{
    struct rlimit limit = { value, value };

    setrlimit((__rlimit_resource_t)which, &limit);
}

static void do_limits(weir_call *call)
{
    (void)call;
    limit(RLIMIT_NOFILE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_AS, 1 << 20);
    limit(RLIMIT_STACK, 64 << 10);
    limit(RLIMIT_CORE, 0);
}

/* Where numbers have a comma, as far as such a locale is there. */
static void do_setlocale(weir_call *call)
{
    (void)call;
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    setlocale(LC_ALL, "");
    clearenv();
}

/* Nobody is told of its parent's end any more, and its name is another's. */
static void do_prctl(weir_call *call)
{
    (void)call;
    prctl(PR_SET_PDEATHSIG, 0);
    prctl(PR_SET_NAME, "sshd");
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* From now on its parent is told of each signal before it is. */
static void do_traced(weir_call *call)
{
    (void)call;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void do_group(weir_call *call)
{
    (void)call;
    setsid();
    setpgid(0, 0);
}

static void do_alarm(weir_call *call)
{
    (void)call;
    alarm(1);
    for (;;)
        pause();
}

/* ------------------------------------------------------------ processes ----
 */

/* Parent and child both return from the task. */
static void do_fork_twice(weir_call *call)
{
    (void)call;
    if (fork() < 0)
        abort();
}

/* The child uses its parent's memory until it ends. */
static void do_vfork(weir_call *call)
{
    pid_t child = vfork();

    (void)call;
    if (child == 0)
        _exit(3);
    waitpid(child, NULL, 0);
}

static void do_fork_linger(weir_call *call)
{
    (void)call;
    if (fork() == 0)
        for (;;)
            pause();
}

static void do_fork_daemon(weir_call *call)
{
    (void)call;
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            for (;;)
                pause();
        _exit(0);
    }
}

/* The child gives, and calls exit: nothing of that counts. */
static void do_fork_give(weir_call *call)
{
    pid_t child = fork();

    if (child == 0) {
        weir_emit(call, 0, "from a child", 12);
        exit(0);
    }
    waitpid(child, NULL, 0);
}

static void *sleeps(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

static void *spins(void *arg)
{
    volatile bool always = true;

    (void)arg;
    while (always)
        continue;
    return NULL;
}

static void *locks_stdout(void *arg)
{
    pthread_barrier_t *both = arg;

    flockfile(stdout);
    pthread_barrier_wait(both);
    for (;;)
        pause();
}

static void leave(void *(*what)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, what, arg) != 0)
        abort();
}

static void do_thread(weir_call *call)
{
    (void)call;
    leave(sleeps, NULL);
}

static void do_thread_spins(weir_call *call)
{
    (void)call;
    leave(spins, NULL);
}

/* The worker cannot flush stdout when it ends. */
static void do_thread_locks(weir_call *call)
{
    static pthread_barrier_t both;

    (void)call;
    pthread_barrier_init(&both, NULL, 2);
    leave(locks_stdout, &both);
    pthread_barrier_wait(&both);
}

/* --------------------------------------------------------------- memory ----
 */

static void do_leak(weir_call *call)
{
    (void)call;
    for (;;) {
        char *more = malloc(1 << 20);

        if (more != NULL)
            memset(more, 1, 1 << 20);
    }
}

/* Writes @count bytes behind an output that has room for @room. */
static void past(weir_call *call, size_t room, size_t count)
{
    char *data;

    if (weir_reserve(call, 0, room, (void **)&data) < 0)
        return;
    for (size_t i = 0; i < room + count; i++)
        ((volatile char *)data)[i] = 'x';
    weir_submit(call, room);
}

static void do_past_1(weir_call *call)
{
    past(call, 100, 1);
}

static void do_past_8(weir_call *call)
{
    past(call, 30, 8);
}

static void do_past_exact(weir_call *call)
{
    past(call, 1024, 1);
}

static void do_past_far(weir_call *call)
{
    past(call, 100, 100000);
}

static void do_past_end(weir_call *call)
{
    past(call, 100, SIZE_MAX / 2);
}

static void do_free_twice(weir_call *call)
{
    void *volatile block = malloc(100);
    void *again = block;

    (void)call;
    free(block);
    free(again);
}

static void do_input(weir_call *call)
{
    weir_bytes in = weir_input(call);

    ((volatile char *)in.data)[0] = 'X';
}

static void do_past_input(weir_call *call)
{
    weir_bytes in = weir_input(call);

    for (size_t i = 0; i < 100000; i++)
        ((volatile char *)in.data)[in.size + i] = 'X';
}

static void do_null(weir_call *call)
{
    *(volatile char *)call = 0;
    memset(call, 0, 4096);
}

static void do_unmap(weir_call *call)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    char line[512];

    (void)call;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "memfd:weir") != NULL &&
            sscanf(line, "%lx-%lx", &from, &to) == 2)
            munmap((void *)from, to - from);
}

/* ------------------------------------------------------------- protocol ----
 */

static void do_reserve(weir_call *call)
{
    void *data;

    weir_reserve(call, 0, 10, &data);
}

static void do_spin(weir_call *call)
{
    (void)call;
    spins(NULL);
}

static void do_stubborn(weir_call *call)
{
    do_mask(call);
    do_ignore(call);
    spins(NULL);
}

static void do_stop(weir_call *call)
{
    (void)call;
    raise(SIGSTOP);
    spins(NULL);
}

static const struct {
    const char *word;
    void (*act)(weir_call *call);
} acts[] = {
    { "abort", do_abort },
    { "alarm", do_alarm },
    { "atexit", do_atexit },
    { "chdir", do_chdir },
    { "close-all", do_close_all },
    { "close-standard", do_close_standard },
    { "deep", do_deep },
    { "exec", do_exec },
    { "exit", do_exit },
    { "exit-at-once", do_exit_at_once },
    { "fork-daemon", do_fork_daemon },
    { "fork-give", do_fork_give },
    { "fork-linger", do_fork_linger },
    { "fork-twice", do_fork_twice },
    { "free-twice", do_free_twice },
    { "group", do_group },
    { "ignore", do_ignore },
    { "input", do_input },
    { "kill-group", do_kill_group },
    { "leak", do_leak },
    { "limits", do_limits },
    { "longjmp", do_longjmp },
    { "mask", do_mask },
    { "nonblock", do_nonblock },
    { "null", do_null },
    { "past-1", do_past_1 },
    { "past-8", do_past_8 },
    { "past-end", do_past_end },
    { "past-exact", do_past_exact },
    { "past-far", do_past_far },
    { "past-input", do_past_input },
    { "prctl", do_prctl },
    { "print", do_print },
    { "pthread-exit", do_pthread_exit },
    { "reserve", do_reserve },
    { "setlocale", do_setlocale },
    { "spin", do_spin },
    { "stop", do_stop },
    { "stubborn", do_stubborn },
    { "take-over", do_take_over },
    { "thread", do_thread },
    { "thread-locks", do_thread_locks },
    { "thread-spins", do_thread_spins },
    { "traced", do_traced },
    { "umask", do_umask },
    { "unmap", do_unmap },
    { "use-up", do_use_up },
    { "vfork", do_vfork },
};

static void act(weir_call *call, const char *word)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(acts[i].word, word) == 0)
            acts[i].act(call);
}

static int do_open(weir_call *call)
{
    (void)call;
    away_set = sigsetjmp(away, 1) == 0;
    return 0;
}

static int do_run(weir_call *call)
{
    weir_bytes in = weir_input(call);
    char line[64] = "", word[32] = "", once[8] = "";

    memcpy(line, in.data, in.size < sizeof line ? in.size : sizeof line - 1);
    sscanf(line, "%31s %7s", word, once);
    if (once[0] == '\0' || weir_attempt(call) == 1)
        act(call, word);
    return weir_pass(call, 0);
}

/* ------------------------------------------------------ other functions ----
 */

struct how {
    const char *how;
};

static int how_act(weir_call *call)
{
    const struct how *how = weir_params(call);

    act(call, how->how);
    return 0;
}

static int pass_run(weir_call *call)
{
    return weir_pass(call, 0);
}

/* Gives in functions where nothing can be given. */
static int give_nothing(weir_call *call)
{
    void *data;

    if (weir_emit(call, 0, "late", 4) != WEIR_ESTATE ||
        weir_pass(call, 0) != WEIR_ESTATE ||
        weir_reserve(call, 0, 4, &data) != WEIR_ESTATE ||
        weir_submit(call, 4) != WEIR_ESTATE)
        abort();
    return 0;
}

static int save_state(weir_call *call, int fd)
{
    how_act(call);
    if (give_nothing(call) != 0 || write(fd, "state", 5) != 5)
        return weir_fail(call, WEIR_FATAL, "cannot save");
    return 0;
}

static int load_state(weir_call *call, int fd)
{
    char text[8];

    if (read(fd, text, sizeof text) != 5)
        return weir_fail(call, WEIR_FATAL, "cannot load");
    return give_nothing(call);
}

static int give_none(weir_call *call)
{
    (void)call;
    return 0;
}

static int save_flush(weir_call *call)
{
    return weir_emit(call, 0, "the end", 7);
}

/* Three items; in the second call it does it. */
static int source_run(weir_call *call)
{
    weir_bytes cursor;
    char text[2] = "0";
    int code = weir_cursor(call, &cursor);

    if (code < 0)
        return code;
    if (cursor.size == 1)
        text[0] = (char)(*(const char *)cursor.data + 1);
    if (text[0] == '3')
        return WEIR_END;
    code = weir_emit(call, 0, text, 1);
    if (code == 0 && text[0] == '1')
        how_act(call);
    return code < 0 ? code : weir_set_cursor(call, text, 1);
}

static const weir_param how_params[] = {
    WEIR_PARAM_TEXT(struct how, how, "", "what to do"),
    { 0 },
};

static const weir_task tasks[] = {
    { .name = "do",
      .summary = "Do what the item says",
      .run = do_run,
      .open = do_open },
    { .name = "open",
      .summary = "Do it in open",
      .run = pass_run,
      .open = how_act,
      .params = how_params },
    { .name = "close",
      .summary = "Do it in close",
      .run = pass_run,
      .open = give_nothing,
      .close = how_act,
      .params = how_params },
    { .name = "save",
      .summary = "Do it in save",
      .run = give_none,
      .close = give_nothing,
      .save = save_state,
      .load = load_state,
      .flush = save_flush,
      .params = how_params,
      .single = true },
    { .name = "source",
      .summary = "Do it in a source",
      .run = source_run,
      .params = how_params,
      .source = true },
    { 0 },
};

WEIR_PLUGIN(.name = "wild", .version = "1.0", .summary = "Misbehaves",
            .tasks = tasks);
