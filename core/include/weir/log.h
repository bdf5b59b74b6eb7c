/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/log.h - hearing what the library has to tell.
 *
 * The library prints nothing by itself. Who wants to hear it sets a hook:
 *
 *     static void hear(enum weir_level level, const char *category,
 *                      const char *text, void *arg)
 *     {
 *         if (level >= WEIR_INFO)
 *             fprintf(arg, "%s: %s\n", category, text);
 *     }
 *
 *     weir_log_set_hook(hear, stderr);
 */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

enum weir_level { WEIR_DEBUG, WEIR_INFO, WEIR_WARNING, WEIR_ERROR };

/*
 * A hook: one line, without a newline. Categories are "process" (starts and
 * ends, DEBUG), "exit" (whom the end of a context or of the program waits for
 * or terminates, INFO), "" (what a task says by weir_log). It may be called by
 * any thread that calls the library, and calls the library itself only to ask,
 * not to wait or to free.
 */
typedef void weir_log_hook(enum weir_level level, const char *category,
                           const char *text, void *arg);

/**
 * weir_log_set_hook - hear what the library tells in this process
 * @hook: NULL: silent again
 * @arg:  given to it
 *
 * For the whole process, before there are threads. Children have the hook that
 * was set when their context opened, and call it in themselves.
 * Threads: only while there is one. Since: 0.1
 */
void weir_log_set_hook(weir_log_hook *hook, void *arg);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
