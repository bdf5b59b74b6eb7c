/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts.c - runs in the program: what a process handle says of its process,
 * and what the machine has. See weir/process.h. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/handle.h"

static int64_t ns_of(const struct timeval *time)
{
    return (int64_t)time->tv_sec * NS_PER_S + time->tv_usec * NS_PER_US;
}

int weir_process_exit(weir_process *process, weir_exit *exit_out)
{
    const struct exit_record *exit;
    int code = process_check(process);

    if (code != 0)
        return code;
    if (exit_out == NULL)
        return WEIR_EINVAL;
    if (process->state != PROCESS_ENDED)
        return WEIR_ESTATE;
    exit = &process->exit;
    *exit_out = (weir_exit){
        .kind = exit->lost       ? WEIR_EXIT_LOST
                : exit->signaled ? WEIR_EXIT_SIGNAL
                : exit->refused  ? WEIR_EXIT_REFUSED
                                 : WEIR_EXIT_STATUS,
        .code = exit->refused ? exit->returned : exit->code,
        .core = exit->core,
        .user_ns = ns_of(&exit->usage.ru_utime),
        .system_ns = ns_of(&exit->usage.ru_stime),
        .memory_bytes = (int64_t)exit->usage.ru_maxrss * 1024,
        .lived_ns = exit->lived_ns,
        .usage = exit->usage,
    };
    exit_words(exit_out->words, exit);
    return 0;
}

const char *weir_process_name(const weir_process *process)
{
    return process->name;
}

int weir_process_set_name(weir_process *process, const char *name)
{
    int code = process_check(process);

    if (code != 0)
        return code;
    if (name == NULL || strlen(name) > NAME_MOST)
        return WEIR_EINVAL;
    pthread_mutex_lock(&process->lock);
    if (process->state == PROCESS_NEW)
        snprintf(process->name, sizeof process->name, "%s", name);
    else
        code = WEIR_ESTATE;
    pthread_mutex_unlock(&process->lock);
    return code;
}

pid_t weir_process_pid(const weir_process *process)
{
    return process->pid;
}

pid_t weir_process_parent_pid(const weir_process *process)
{
    return process->host;
}

int weir_process_fd(const weir_process *process)
{
    return process->pidfd;
}

int64_t weir_process_start_time(const weir_process *process)
{
    return process->start_time;
}

/* ----------------------------------------------------------- describe ---- */

static weir_process_phase phase_of(const weir_process *process)
{
    if (process->state != PROCESS_STARTED)
        return process->state == PROCESS_NEW ? WEIR_PROCESS_INITIAL
                                             : WEIR_PROCESS_STOPPED;
    if (!process_gone(process))
        return WEIR_PROCESS_STARTED;
    return context_alive(process->context) == 0 ? WEIR_PROCESS_STOPPED
                                                : WEIR_PROCESS_CLOSED;
}

int weir_process_state(const weir_process *process)
{
    int code = process_check(process);

    return code == 0 ? (int)phase_of(process) : code;
}

int weir_process_describe(const weir_process *process, char *text, size_t room)
{
    static const char *const phases[] = {
        [WEIR_PROCESS_INITIAL] = "initial",
        [WEIR_PROCESS_STARTED] = "started",
        [WEIR_PROCESS_STOPPED] = "stopped",
        [WEIR_PROCESS_CLOSED] = "closed",
    };
    char pid[32] = "", words[EXIT_WORDS] = "";
    int code = process_check(process);

    if (code != 0)
        return code;
    if (text == NULL && room > 0)
        return WEIR_EINVAL;
    if (process->pid > 0)
        snprintf(pid, sizeof pid, "pid %d, ", (int)process->pid);
    if (process->state == PROCESS_ENDED)
        exit_words(words, &process->exit);
    return snprintf(text, room, "%s: %sparent %d, %s%s%s", process->name, pid,
                    (int)process->host, phases[phase_of(process)],
                    *words != '\0' ? ", " : "", words);
}

/* ------------------------------------------------------- the machine ---- */

int weir_cpu_count(void)
{
    return (int)processors_usable();
}

int weir_cpu_count_machine(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count > 0 ? (int)count : 1;
}
