/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.h - the only fork in the tree, and what a child of ours inherits.
 *
 * A child starts with all signals at their defaults and none blocked, in a
 * process group of its own, with /dev/null as stdin, with the descriptors that
 * the heritage names and no others, and tied to its owner twice over: by the
 * parent-death signal, and by the owner's life pipe.
 */
#ifndef PROCESS_FORK_H
#define PROCESS_FORK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The life pipe. Only the owner holds the write end; nothing is ever written.
 * When the owner is gone, or closes it, the kernel sends a signal of their own
 * choice to all who armed the read end: also to one that is stopped, or busy
 * with all signals blocked.
 */
struct life {
    int read_fd;
    int write_fd;
};

int life_init(struct life *life);
void life_done(struct life *life);

/*
 * Ties this process's whole group to the pipe: @signal when it ends. Returns a
 * descriptor of its own to be kept open (an arming belongs to an open file
 * description, so each process needs its own), or a negated errno (no /proc).
 */
int life_arm(int read_fd, int signal);
/* Another signal from now on. */
int life_rearm(int armed_fd, int signal);
/* Its end was reached: the owner is gone. */
bool life_over(int read_fd);

struct heritage {
    /* PR_SET_PDEATHSIG; 0: none. It fires when the *thread* ends that forked,
     * so not for the child of a thread that is not the main one. */
    int death_signal;
    int life;        /* read end; -1: none */
    int life_signal; /* at its end, to the child's group */
    bool all;        /* keeps all descriptors but those in `fds`;
                      * otherwise none but those in `fds`, and 0 to 2 */
    const int *fds;
    size_t fd_count;
    bool session; /* leads a session of its own, not only a group: known to be
                   * so when the child says that it runs, not before */
};

/*
 * fork_child - fork; the parent gets the pid or a negated errno
 *
 * In the child it returns 0; *armed_out is then the armed life descriptor (-1
 * when there is none). A child that finds its owner gone does not return.
 */
pid_t fork_child(const struct heritage *heritage, int *armed_out);

/* In a child: what keeps it tied to its owner gives way to another descriptor
 * of this number, and has one from @above on. 0 or a negated errno. */
int fork_make_way(int number, int above);

/* SIGKILL to all children of this process that are not in @spare, nor in a
 * session that one of these leads; those that are dead are reaped. Returns how
 * many there were: until it is 0, their own may come down to us. For a
 * subreaper. */
size_t fork_clear_strays(const pid_t *spare, size_t count);

/* getpid() without a system call: for calls that look at each entry whether
 * their handle is another process's. Right in any child, however forked. */
pid_t fork_self(void);

/* Threads of this process now; 0 when it cannot be known. */
unsigned fork_threads(void);

#endif
