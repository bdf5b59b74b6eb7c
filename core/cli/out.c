/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * out.c - standard output and standard error of `weir`. The command's own
 * process.
 *
 * A result that could not be written must not end in status 0: so everything
 * for standard output goes through stdio, or is checked by who writes it, and
 * out_finish has the last word.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/out.h"

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

static enum when colour;
static bool plain;
static int why; /* errno of the first write to standard output that failed */

/* Opened the wrong way round: reading what was closed, or writing to it, is
 * the error that it would have been (EBADF). */
static void guard(int fd, int flags)
{
    int null;

    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
        return;
    null = open("/dev/null", flags);
    if (null >= 0 && null != fd) {
        fd_put_at(null, fd);
        close(null);
    }
}

void out_guard(void)
{
    guard(STDIN_FILENO, O_WRONLY);
    guard(STDOUT_FILENO, O_RDONLY);
    fd_fill_standard();
}

bool out_choose(const char *when, bool plainly)
{
    static const char *const words[] = { "auto", "always", "never" };

    plain = plain || plainly;
    for (int i = 0; when && i < 3; i++)
        if (strcmp(when, words[i]) == 0) {
            colour = (enum when)i;
            return true;
        }
    return !when;
}

bool out_plain(void)
{
    return plain;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value && *value != '\0';
}

static bool is_dumb(void)
{
    const char *term = getenv("TERM");

    return !term || *term == '\0' || strcmp(term, "dumb") == 0;
}

/* The option counts for more than the environment, and NO_COLOR for more than
 * CLICOLOR_FORCE. */
bool out_coloured(FILE *stream)
{
    const char *force = getenv("CLICOLOR_FORCE");

    if (plain || colour == WHEN_NEVER)
        return false;
    if (colour == WHEN_ALWAYS)
        return true;
    if (is_set("NO_COLOR"))
        return false;
    if (force && *force != '\0' && strcmp(force, "0") != 0)
        return true;
    return isatty(fileno(stream)) && !is_dumb();
}

bool out_live(void)
{
    return !plain && isatty(STDERR_FILENO) && !is_dumb();
}

const char *out_style(FILE *stream, enum style style)
{
    static const char *const codes[] = {
        [STYLE_BOLD] = "\033[1m",    [STYLE_RED] = "\033[31m",
        [STYLE_YELLOW] = "\033[33m", [STYLE_DIM] = "\033[2m",
        [STYLE_END] = "\033[0m",
    };

    return out_coloured(stream) ? codes[style] : "";
}

static void check(bool failed)
{
    if (failed && why == 0)
        why = errno != 0 ? errno : EIO;
}

static void flush(void)
{
    errno = 0;
    check(fflush(stdout) != 0);
}

void out_buf(struct buf *buf)
{
    errno = buf->failed ? ENOMEM : 0;
    check(buf->failed || (buf->size > 0 && fwrite(buf->data, 1, buf->size,
                                                  stdout) != buf->size));
}

void out_text(const char *text)
{
    errno = 0;
    check(fputs(text, stdout) == EOF);
}

void out_bytes(const void *data, size_t size)
{
    errno = 0;
    check(size > 0 && fwrite(data, 1, size, stdout) != size);
}

bool out_lost(void)
{
    return why != 0;
}

/* As much of it as can be said without any memory. */
static void say_plainly(const char *format, va_list args)
{
    char text[1024];

    if (vsnprintf(text, sizeof text, format, args) < 0)
        strcpy(text, "no memory");
    fprintf(stderr, "weir: %s\n", text);
}

/* One write per line, so that lines of several processes do not mix. */
static void say(enum style style, const char *format, va_list args)
{
    CLEANUP_BUF struct buf line = { 0 };
    va_list again;
    char *text;

    va_copy(again, args);
    if (vasprintf(&text, format, args) < 0) {
        flush();
        say_plainly(format, again);
        va_end(again);
        return;
    }
    buf_printf(&line, "%sweir:%s %s\n",
               style == STYLE_END ? "" : out_style(stderr, style),
               style == STYLE_END ? "" : out_style(stderr, STYLE_END), text);
    free(text);
    flush();
    if (line.failed)
        say_plainly(format, again);
    else
        fwrite(line.data, 1, line.size, stderr);
    va_end(again);
    fflush(stderr);
}

void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(STYLE_RED, format, args);
    va_end(args);
}

void note_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(STYLE_END, format, args);
    va_end(args);
}

void warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(STYLE_YELLOW, format, args);
    va_end(args);
}

void complain_error(const weir_error *err)
{
    const char *text = err->text[0] ? err->text : weir_strerror(err->code);

    if (!err->file[0])
        complain("%s", text);
    else if (err->line == 0)
        complain("%s: %s", err->file, text);
    else if (err->column == 0)
        complain("%s:%u: %s", err->file, err->line, text);
    else
        complain("%s:%u:%u: %s", err->file, err->line, err->column, text);
}

void complain_memory(void)
{
    complain("no memory");
}

void out_log(enum weir_level level, const char *category, const char *text,
             void *arg)
{
    (void)category;
    (void)arg;
    if (level >= WEIR_ERROR)
        complain("%s", text);
    else if (level >= WEIR_WARNING)
        warn("%s", text);
    else if (level >= WEIR_INFO)
        note_line("%s", text);
}

int out_finish(int status)
{
    flush();
    check(ferror(stdout) != 0);
    /* Some file systems tell only now that there was no room. A stream that
     * was never written to may be closed in peace. */
    if (close(STDOUT_FILENO) != 0 && errno != EBADF)
        check(errno != EINTR);
    if (why == 0)
        return status;
    if (why == EBADF)
        complain("cannot write to standard output: it is closed");
    else
        complain("cannot write to standard output: %s", strerror(why));
    return STATUS_BROKEN;
}
