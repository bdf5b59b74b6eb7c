/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - hands a finished line to the hook, if there is one. Any process. No
 * allocation, so that "no memory" can be told; keeps errno. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"

enum { LINE_ROOM = 1024 };

static weir_log_hook *the_hook;
static void *the_arg;

void weir_log_set_hook(weir_log_hook *hook, void *arg)
{
    the_hook = hook;
    the_arg = arg;
}

static void say(enum log_level level, const char *category, const char *format,
                va_list args)
{
    char text[LINE_ROOM];
    int saved = errno;
    int size = vsnprintf(text, sizeof text, format, args);

    if (size >= LINE_ROOM)
        strcpy(text + utf8_cut(text, LINE_ROOM - 1, LINE_ROOM - 4), "...");
    if (size >= 0)
        the_hook((enum weir_level)level, category, text, the_arg);
    errno = saved;
}

void log_to(enum log_level level, const char *category, const char *format, ...)
{
    va_list args;

    if (!the_hook)
        return;
    va_start(args, format);
    say(level, category, format, args);
    va_end(args);
}

void log_say(enum log_level level, const char *format, ...)
{
    va_list args;

    if (!the_hook)
        return;
    va_start(args, format);
    say(level, "", format, args);
    va_end(args);
}
