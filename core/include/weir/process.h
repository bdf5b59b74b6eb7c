/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/process.h - contexts, and processes with a handle.
 *
 * A context is what a program opens before it starts processes: a helper, by
 * fork, and a nursery under it, which forks the children. So a busy host, or
 * one with threads of its own, stops nothing, and a child never sees a lock
 * that some thread held. Open it early, while the program has one thread:
 * what the memory holds then, all children see (functions, tables, settings);
 * what comes later, they do not. A new context shows newer memory.
 *
 * A context that is opened when the program has threads already is a late one.
 * A fork would copy locks that they hold, so its helper is a small program of
 * weir's own, started afresh: its children see the environment, the working
 * folder and the kept descriptors as they were then, and nothing of the
 * program's memory. It has queues, and pools that call tasks of plugins by name
 * (weir_pool_task); functions of the program are refused with WEIR_EINVAL.
 *
 *     static int work(weir_child *self)
 *     {
 *         size_t size;
 *         const char *text = weir_child_argument(self, &size);
 *         return size == 5 && text[0] == 'h' ? 0 : 1;
 *     }
 *
 *     weir_context *context;
 *     weir_process *process;
 *     weir_process_options options = { .size = sizeof options, .run = work,
 *                                      .argument = "hello",
 *                                      .argument_size = 5 };
 *     weir_exit end;
 *
 *     weir_context_open(NULL, &context, NULL);
 *     weir_process_new(context, &options, &process, NULL);
 *     weir_process_start(process, NULL);
 *     weir_process_join(process, WEIR_FOREVER);
 *     weir_process_exit(process, &end);
 *     weir_process_free(&process);
 *     weir_context_close(&context);
 *
 * THE OWNER'S END. The owner of a process is the program (or the child) that
 * started it. What becomes of a process at the owner's end is its option
 * `on_owner_exit`:
 *
 *                 weir_context_close, exit(),     SIGKILL, _exit, abort, a
 *                 main returns, run returns       signal, exec
 *     WAIT        waited for, however long        killed at once
 *     TERMINATE   SIGTERM, after `grace_ns`       killed at once
 *                 SIGKILL; waited for
 *     DETACH      goes on                         goes on
 *
 * exit() does so by a handler (atexit) of the process that opened the context;
 * in a child that was forked from it the handler does nothing. It runs before
 * handlers that were registered earlier, and says whom it waits for by the
 * hook of weir/log.h. Handles that the program has then are of no more use.
 *
 * Of the descriptors that are open when the context opens, children have 0, 1,
 * 2 (stdin is /dev/null) and those that the options name; the rest is closed.
 * The helper is no child of the program: its wait() does not see it, its
 * SIGCHLD and handlers are its own. Memory is not shared: what a child writes,
 * nobody else sees, unless it goes through a queue.
 *
 * A child may open a context of its own and start children.
 *
 * Handles belong to the process that made them: in a forked child every call
 * answers WEIR_EPROCESS. Misuse is a code, never an abort.
 */
#ifndef WEIR_PROCESS_H
#define WEIR_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

typedef struct weir_context weir_context;
typedef struct weir_process weir_process;
typedef struct weir_child weir_child;
typedef struct weir_queue weir_queue;

/* Waits: relative, in ns. 0 tries once; other negatives are WEIR_EINVAL. */
#ifndef WEIR_FOREVER
#define WEIR_FOREVER INT64_MAX
#endif

/* ------------------------------------------------------------ context ---- */

typedef struct weir_context_options {
    size_t size;       /* of this struct, as the caller knows it */
    const int *keep;   /* descriptors that children have too, under the same */
    size_t keep_count; /* number, as they are when the context opens; <= 64 */
} weir_context_options;

/**
 * weir_context_open - open a context: helper and nursery, ready to fork
 * @options:     NULL: the defaults
 * @context_out: the caller's; ended by weir_context_close
 * @err:         the sentence; may be NULL
 *
 * What waits in stdio is written first (fflush), so that it is not written
 * twice. Several contexts may be open at once. A late one (see the top) needs
 * the program weir-helper where weir is installed, or where the environment's
 * WEIR_HELPER says, an absolute path; not asked in a set-user-ID program.
 *
 * Returns 0; WEIR_EINVAL; -EAGAIN, -EMFILE, WEIR_ENOMEM; of a late one also
 * -ENOENT and the like: weir-helper cannot be started; WEIR_EBROKEN: it failed.
 * Threads: one at a time opens a context. Signals: no. Since: 0.1
 */
int weir_context_open(const weir_context_options *options,
                      weir_context **context_out, weir_error *err);

/**
 * weir_context_close - end the context; *context = NULL; NULL-safe
 *
 * Each process that still runs is waited for, terminated or let go, as its
 * on_owner_exit says; how long that may take, weir_context_join bounds. Then
 * nobody is left but those let go, unless one does not die of SIGKILL (in
 * uninterruptible sleep): it waits 7 s at most. Workers of pools are killed.
 * Handles of its processes stay to be freed; how those ended that it waited
 * for, they tell; their other calls answer WEIR_EBROKEN. In a forked child it
 * frees that child's copy and ends nobody.
 * Threads: when no other call of this context is under way. Since: 0.1
 */
void weir_context_close(weir_context **context);

/**
 * weir_context_join - wait until no process runs that a close would wait for
 * @timeout_ns: longest wait; 0 looks once
 *
 * Those are the processes with WEIR_OWNER_EXIT_WAIT. After 0 a close waits for
 * nobody's own pace.
 *
 * Returns 0; WEIR_ETIMEDOUT; WEIR_EBROKEN (the helper is gone, and they are
 * killed), WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. Signals: no. Since: 0.1
 */
int weir_context_join(weir_context *context, int64_t timeout_ns);

/**
 * weir_context_processes - its processes that run now
 * @list: room for @room handles, in the order of their start; may be NULL when
 *        @room is 0
 *
 * Joins none and reaps none. The handles are those of weir_process_new: no
 * other thread may free them meanwhile.
 *
 * Returns how many run, also when that is more than @room; WEIR_EPROCESS,
 * WEIR_EINVAL. Threads: safe. Signals: no. Since: 0.1
 */
int weir_context_processes(weir_context *context, weir_process **list,
                           size_t room);

/* ------------------------------------------------------------ process ---- */

/* What becomes of a process at its owner's end: see the top. */
typedef enum weir_owner_exit {
    WEIR_OWNER_EXIT_WAIT,      /* the owner waits */
    WEIR_OWNER_EXIT_TERMINATE, /* a daemon: SIGTERM, grace_ns, SIGKILL */
    WEIR_OWNER_EXIT_DETACH,    /* it goes on, in a session of its own */
} weir_owner_exit;

/* The soft limit of a resource, as setrlimit has them. */
typedef struct weir_limit {
    int resource;  /* RLIMIT_... */
    uint64_t soft; /* WEIR_UNLIMITED: all that the hard limit allows */
} weir_limit;

#define WEIR_UNLIMITED UINT64_MAX

/* A descriptor of the program, and its number in the child. */
typedef struct weir_process_give {
    int fd;
    int number; /* 0 to 1,023; 0, 1 and 2 replace the child's own */
} weir_process_give;

typedef struct weir_process_options {
    size_t size;      /* of this struct, as the caller knows it */
    const char *name; /* copied; at most 255 bytes; NULL: "Process-N" */
    /* Runs in the child. What it returns, 0 to 255, is the exit status; any
     * other value is refused: weir_exit says so. It must have been in memory,
     * at this address, when the context opened. (exit() in it also runs those
     * handlers that the program had registered by then; a return does not.) */
    int (*run)(weir_child *self);
    const void *argument;      /* copied */
    size_t argument_size;      /* at most 252 KiB: more goes through a queue */
    weir_queue *const *queues; /* the child's, in this order */
    size_t queue_count;
    const char *cwd; /* its working folder; NULL: the context's */
    /* "NAME=value"..., NULL at the end; NULL: as when the context opened. */
    const char *const *environment;
    int nice; /* added to the context's; below 0 needs a privilege */
    const weir_limit *limits; /* soft limits; set last */
    size_t limit_count;       /* at most 16 */
    /* Descriptors that the child gets, also such as were opened after the
     * context; queues and they are 63 at most. Copies: the program may close
     * its own after the start. { 0, 0 } gives it the program's stdin. When that
     * is the terminal, the child has it alone until it ends: its group becomes
     * the foreground group, Ctrl-C ends the child and not the program, Ctrl-Z
     * does nothing; the start is refused with -EBUSY when the program has not
     * the terminal itself, but another group. */
    const weir_process_give *give;
    size_t give_count;
    weir_owner_exit on_owner_exit; /* WAIT, when nothing is said */
    int64_t grace_ns;              /* for TERMINATE; 0: SIGKILL at once */
} weir_process_options;

/**
 * weir_process_new - make a handle; nothing is started
 * @options:     `run` is required; all is copied, but the queues and the
 *               descriptors themselves must stay until weir_process_start
 *               returns
 * @process_out: the caller's; ended by weir_process_free
 * @err:         the sentence; may be NULL
 *
 * A process without a name is called "Process-1" and so on, counted in each
 * program; one of a child "Process-1:1", behind the child's own number.
 *
 * Returns 0; WEIR_EINVAL (also: a detached process with queues, for their
 * helper ends with the program), WEIR_ETOOBIG (the argument; or all else
 * together above 512 KiB), WEIR_ENOMEM, WEIR_EPROCESS.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_process_new(weir_context *context, const weir_process_options *options,
                     weir_process **process_out, weir_error *err);

/**
 * weir_process_start - start it, once
 *
 * When it returns 0 the child is there and has its pid, and what the options
 * say of it is so: folder, limits, descriptors, queues. (If the child is held
 * up for 10 s before that is known, it is not waited for; then the exit tells.)
 *
 * Returns 0, or one of these, and then it may be tried again:
 *   -EAGAIN, WEIR_ENOMEM, -EMFILE  the system refused a process
 *   WEIR_ELOST     the nursery was killed meanwhile; another is there
 *   WEIR_ESTATE    it was started already, or no queues can be given
 *   -ENOENT, -EACCES, -EPERM, -EBADF, -EBUSY and other errno: the folder, a
 *                  limit, niceness, a descriptor, the terminal; @err says which
 *   WEIR_EBROKEN   the helper is gone, or the context closed
 *   WEIR_EINVAL    its function was not in memory when the context opened
 *   WEIR_EPROCESS
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_process_start(weir_process *process, weir_error *err);

/**
 * weir_process_join - wait until it has ended
 * @timeout_ns: longest wait; 0 looks once
 *
 * May be repeated, and called by many threads at once; a join that waits holds
 * up no other call.
 *
 * Returns 0: ended; WEIR_ETIMEDOUT: it runs; WEIR_ESTATE: not started;
 * WEIR_EBROKEN: the helper is gone (and the process killed, if not detached),
 * or the context closed; WEIR_EPROCESS, WEIR_EINVAL.
 * Threads: safe. Signals: no. Since: 0.1
 */
int weir_process_join(weir_process *process, int64_t timeout_ns);

/**
 * weir_process_wait_any - wait until one of many has ended, and join it
 * @processes:  handles, of any contexts; NULL among them is passed over, so
 *              that one that was seen can be struck out
 * @index_out:  the place of one that has ended; the first such
 *
 * Returns 0; WEIR_ETIMEDOUT; WEIR_EEMPTY: there is none in the list;
 * WEIR_ESTATE: one is not started; or as weir_process_join what one of them
 * answers. *index_out is that one's, then, too.
 * Cost: O(count) for each call. Threads: safe. Signals: no. Since: 0.1
 */
int weir_process_wait_any(weir_process *const *processes, size_t count,
                          int64_t timeout_ns, size_t *index_out);

/* weir_process_alive - 1: it runs; 0: not started, or ended; WEIR_EPROCESS,
 * WEIR_EINVAL. Waits for nothing, changes nothing. Threads: safe. */
int weir_process_alive(const weir_process *process);

/* weir_process_terminate, weir_process_kill - SIGTERM (and SIGCONT, for one
 * that is stopped), SIGKILL to the child and all of its process group. After
 * its end: nothing happens. Returns 0, WEIR_ESTATE (not started), WEIR_EBROKEN,
 * WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. */
int weir_process_terminate(weir_process *process);
int weir_process_kill(weir_process *process);

/* weir_process_signal - any signal, to the child and all of its process group:
 * SIGINT interrupts, SIGSTOP and SIGCONT halt it. Returns as
 * weir_process_kill. Threads: safe. */
int weir_process_signal(weir_process *process, int signal);

/**
 * weir_process_stop - end it: SIGTERM, a grace, SIGKILL
 * @grace_ns:   between SIGTERM (and SIGCONT) and SIGKILL, for the whole group;
 *              0: SIGKILL at once; WEIR_FOREVER: never
 * @timeout_ns: longest wait for its end; 0 looks once. The helper goes through
 *              the steps, also when nobody waits
 *
 * What the child leaves behind in its group is killed when the child has
 * ended. May be repeated, with another grace: what comes first, counts.
 *
 * Returns 0: it has ended, and is joined; WEIR_ETIMEDOUT: not yet; and as
 * weir_process_join. Threads: safe. Signals: no. Since: 0.1
 */
int weir_process_stop(weir_process *process, int64_t grace_ns,
                      int64_t timeout_ns);

typedef enum weir_exit_kind {
    WEIR_EXIT_STATUS,  /* it exited: code is the status */
    WEIR_EXIT_SIGNAL,  /* it was killed: code is the signal */
    WEIR_EXIT_REFUSED, /* `run` returned code, which is no exit status */
    WEIR_EXIT_LOST,    /* ended; how, nobody can know any more */
} weir_exit_kind;

typedef struct weir_exit {
    weir_exit_kind kind;
    int code;
    bool core;            /* memory was dumped */
    int64_t user_ns;      /* processor time in the program */
    int64_t system_ns;    /* and in the kernel for it */
    int64_t memory_bytes; /* most resident at once */
    char words[96];       /* "killed by SIGSEGV" */
    int64_t lived_ns;     /* from its start until its end was seen */
    struct rusage usage;  /* all that the kernel has counted of it */
} weir_exit;

/* weir_process_exit - how it ended. WEIR_ESTATE before it was joined with
 * success; WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. */
int weir_process_exit(weir_process *process, weir_exit *exit_out);

/* weir_process_name - its name, as long as the handle. Threads: safe, but
 * beside weir_process_set_name. */
const char *weir_process_name(const weir_process *process);

/* weir_process_set_name - another name, copied. WEIR_ESTATE after the start;
 * WEIR_EINVAL (over 255 bytes), WEIR_ENOMEM, WEIR_EPROCESS. Threads: as said
 * of the name. */
int weir_process_set_name(weir_process *process, const char *name);

/* weir_process_pid - its number, also after its end (when it may be another's
 * already); 0 before the start. Threads: safe. */
pid_t weir_process_pid(const weir_process *process);

/* weir_process_fd - its pidfd: readable when it has ended, for poll. The
 * handle's: not to be closed. -1 before the start. Threads: safe. */
int weir_process_fd(const weir_process *process);

/* weir_process_parent_pid - the program that has made the handle: its parent,
 * as weir_child_parent_pid says there. Threads: safe. */
pid_t weir_process_parent_pid(const weir_process *process);

/* weir_process_start_time - when it was started, ns since 1970; 0 before.
 * Threads: safe. */
int64_t weir_process_start_time(const weir_process *process);

typedef enum weir_process_phase {
    WEIR_PROCESS_INITIAL, /* not started */
    WEIR_PROCESS_STARTED, /* it runs */
    WEIR_PROCESS_STOPPED, /* it has ended */
    WEIR_PROCESS_CLOSED,  /* the context was closed, or its helper is gone,
                           * before it was seen how it ended */
} weir_process_phase;

/* weir_process_state - where it is, a weir_process_phase; waits for nothing,
 * changes nothing. WEIR_EPROCESS, WEIR_EINVAL. Threads: safe. */
int weir_process_state(const weir_process *process);

/* weir_process_describe - one line for people: "Process-1: pid 17, parent 9,
 * stopped, killed by SIGTERM". Fills @room bytes of @text at most, NUL
 * included; returns the whole length, as snprintf; WEIR_EPROCESS, WEIR_EINVAL.
 * Threads: safe. */
int weir_process_describe(const weir_process *process, char *text, size_t room);

/* weir_process_free - end the handle; *process = NULL; NULL-safe. WEIR_ESTATE,
 * and nothing has happened, when it still runs: join it, or weir_process_stop
 * it first; one that is detached is let go. In a forked child it frees that
 * child's copy. Threads: when no other call of this handle is under way. */
int weir_process_free(weir_process **process);

/* -------------------------------------------------------- in the child ---- */

/* weir_child_argument - the bytes of the options, followed by a NUL that
 * @size_out (may be NULL) does not count; never NULL. Threads: safe. */
const void *weir_child_argument(const weir_child *self, size_t *size_out);
/* weir_child_name - the name that it was started with. Threads: safe. */
const char *weir_child_name(const weir_child *self);
/* weir_child_parent_pid - the program that started it; not getppid(), which is
 * the nursery. Threads: safe. */
pid_t weir_child_parent_pid(const weir_child *self);
/* weir_child_queue, weir_child_queue_count - the queue at this place of the
 * options, which ends with the child; NULL: none. And how many there are.
 * Threads: safe. */
weir_queue *weir_child_queue(const weir_child *self, size_t index);
size_t weir_child_queue_count(const weir_child *self);

/* weir_child_current - this process, anywhere in its code, also in a task of a
 * pool (which has the pool's argument by weir_params, not here); NULL: no
 * context has started it. Threads: safe. */
weir_child *weir_child_current(void);
/* weir_child_parent_name - of the program that started it: "MainProcess", or
 * the name of a child that has children. Threads: safe. */
const char *weir_child_parent_name(const weir_child *self);
/* weir_child_parent_fd - a pidfd of it, for poll: readable when it has ended.
 * The child's: not to be closed. -ESRCH: it is gone; -EMFILE and the like.
 * Threads: one at a time. */
int weir_child_parent_fd(weir_child *self);
/* weir_child_parent_alive - 1: it runs; 0: it has ended (a detached child may
 * see that). Threads: one at a time. */
int weir_child_parent_alive(weir_child *self);

/* --------------------------------------------------------- the machine ---- */

/* weir_cpu_count - processors that this process may use, by its affinity and
 * the cpu quota of its cgroups, rounded up; at least 1. Threads: safe. */
int weir_cpu_count(void);
/* weir_cpu_count_machine - processors of the machine that are in service; at
 * least 1. Threads: safe. */
int weir_cpu_count_machine(void);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
