/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop.h - a command that is asked to stop by a signal finishes what is in its
 * hand and then ends by that signal. The command's own process. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

/* From now on INT, TERM and HUP are noted, but for those that are ignored;
 * @wake(arg) is called in the handler. Once: the second signal ends the
 * process, whatever it does. System calls end with EINTR. SIGPIPE is ignored:
 * the writer sees EPIPE. */
void stop_watch(void (*wake)(void *arg), void *arg);
/* The signal that came; 0: none. */
int stop_signal(void);
/* A shell sees by the signal why it ended. No memory is dumped: we are well. */
void stop_die_by(int signal);

#endif
