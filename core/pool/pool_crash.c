/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_crash.c - runs in a worker of a pool: the handler of the signals that a
 * crash sends.
 *
 * It has a stack of its own, so an overflow has a trace, too. What is called in
 * it takes no lock and no memory: _dl_find_object is made for that, and so is
 * backtrace() once its library is there (crash_prepare) and no code has
 * registered frames by hand. Should the unwinder itself crash, then the first
 * frame stands there already, and the process still ends by the first signal:
 *   the same signal again    it is blocked: the kernel ends the process by it
 *   another one of the five  the handler finds itself at work, and ends it
 * Names of objects are written, names of functions are not: those are looked up
 * where there is time (pool_trace.c).
 *
 * Then the signal is sent again, as it came, with its default action: exit
 * status and memory dump tell of it as if nobody had watched.
 */
#include "config.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "pool/pool_crash.h"

enum { STACK = 64 << 10 };

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define SIGNALS (sizeof signals / sizeof *signals)

static struct {
    struct board board;
    const _Atomic uint64_t *hand;
    pid_t process;
    _Atomic pid_t thread; /* that crashed first; 0: none */
    int signal;           /* by which */
    char program[1024];   /* the loader has no name for it */
} crash;

void crash_prepare(void)
{
    void *frames[2];

    backtrace(frames, 2);
}

/* -------------------------------------------------------------- the trace ----
 */

static uint64_t address_at(const ucontext_t *context)
{
#if defined __x86_64__
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined __i386__
    return (uint32_t)context->uc_mcontext.gregs[REG_EIP];
#elif defined __aarch64__
    return context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* Where the call that led here goes back to, if @context stands at the first
 * instruction of a function: one that is not there, called by a bad pointer. */
static uint64_t caller_at(const ucontext_t *context)
{
#if defined __x86_64__
    return *(const uint64_t *)context->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
    return context->uc_mcontext.regs[30];
#else
    (void)context;
    return 0;
#endif
}

/* The path is among the names, from now on at the latest. */
static uint32_t name_at(struct trace *trace, const char *path)
{
    const uint32_t end = trace->names_size; /* another worker's, if two share */
    size_t size = strlen(path) + 1;
    uint32_t at = 0;

    if (end > TRACE_NAMES)
        return TRACE_NAMES;
    while (at < end) {
        if (strcmp(trace->names + at, path) == 0)
            return at;
        at += (uint32_t)strlen(trace->names + at) + 1;
    }
    if (at > end || size > TRACE_NAMES - at)
        return TRACE_NAMES;
    memcpy(trace->names + at, path, size);
    trace->names_size = at + (uint32_t)size;
    return at;
}

/* False: in no object. */
static bool add_frame(struct trace *trace, uint64_t address)
{
    struct trace_frame frame = { .address = address, .name = TRACE_NAMES };
    struct dl_find_object found;
    uint32_t count = trace->count;
    bool known = _dl_find_object((void *)(uintptr_t)address, &found) == 0;

    if (count >= TRACE_FRAMES)
        return known;
    if (known) {
        frame.base = found.dlfo_link_map->l_addr;
        frame.name = name_at(trace, found.dlfo_link_map->l_name[0] == '\0'
                                        ? crash.program
                                        : found.dlfo_link_map->l_name);
    }
    trace->frames[count] = frame;
    trace->count = count + 1;
    return known;
}

/* The rest, from behind @address, which stands in the middle: this handler's
 * own frames come first. */
static void add_callers(struct trace *trace, uint64_t address)
{
    void *frames[TRACE_FRAMES + 8];
    int count = backtrace(frames, TRACE_FRAMES + 8), i = 0;

    while (i < count && (uint64_t)(uintptr_t)frames[i] != address)
        i++;
    while (++i < count)
        add_frame(trace, (uint64_t)(uintptr_t)frames[i]);
}

static void write_trace(struct trace *trace, uint64_t root,
                        const ucontext_t *context)
{
    uint64_t address = address_at(context);
    bool known;

    atomic_store(&trace->root, 0);
    trace->count = 0;
    trace->names_size = 0;
    known = add_frame(trace, address);
    atomic_store(&trace->root, root); /* it is good as far as it goes */
    if (known)
        add_callers(trace, address);
    else
        add_frame(trace, caller_at(context));
}

/* ------------------------------------------------------------ the handler ----
 */

static void send_again(int signal, siginfo_t *info)
{
    struct sigaction normal = { .sa_handler = SIG_DFL };
    sigset_t set;

    sigaction(signal, &normal, NULL);
    if (info == NULL ||
        syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info) < 0)
        raise(signal);
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    uint64_t root = atomic_load(crash.hand);
    struct trace *trace = board_trace(&crash.board, root);
    pid_t nobody = 0, self = gettid();

    if (getpid() != crash.process) { /* a function's own child: no business */
        send_again(signal, info);    /* of ours, nor is the board there */
        return;
    }
    if (!atomic_compare_exchange_strong(&crash.thread, &nobody, self)) {
        while (nobody != self)
            pause(); /* another thread is at it, and ends us all */
        send_again(crash.signal, NULL);
        return;
    }
    crash.signal = signal;
    if (trace != NULL && root != 0)
        write_trace(trace, root, context);
    send_again(signal, info);
}

/* One page below it is nobody's. */
static bool set_stack(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    long least = sysconf(_SC_MINSIGSTKSZ);
    size_t size = STACK + (least > 0 ? (size_t)least : 0);
    stack_t stack = { .ss_size = (size + page - 1) / page * page };
    void *at = mmap(NULL, stack.ss_size + page, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return false;
    stack.ss_sp = (char *)at + page;
    return mprotect(stack.ss_sp, stack.ss_size, PROT_READ | PROT_WRITE) == 0 &&
           sigaltstack(&stack, NULL) == 0;
}

/* Without it the calls go on; only traces are not to be had. */
void crash_watch(const struct board *board, const _Atomic uint64_t *hand)
{
    struct sigaction action = { .sa_sigaction = on_crash,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK };

    crash.board = *board;
    crash.hand = hand;
    crash.process = getpid();
    (void)!readlink("/proc/self/exe", crash.program, sizeof crash.program - 1);
    sigemptyset(&action.sa_mask);
    if (!set_stack())
        return;
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction now;

        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}
