/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - words for codes, and sentences. Any process.
 *
 * No allocation: an error must be sayable when there is no memory. All keep
 * errno, since they stand between a failed call and who looks at it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

static const char *const words[] = {
    [WEIR_CODE_FLOOR - WEIR_EFULL] = "no room now",
    [WEIR_CODE_FLOOR - WEIR_EEMPTY] = "nothing ready now",
    [WEIR_CODE_FLOOR - WEIR_ECLOSED] = "closed",
    [WEIR_CODE_FLOOR - WEIR_ETOOBIG] = "too big for the queue's bounds",
    [WEIR_CODE_FLOOR -
        WEIR_EBROKEN] = "shared memory is damaged, or its owner is gone",
    [WEIR_CODE_FLOOR - WEIR_ESTATE] = "not possible in this state",
    [WEIR_CODE_FLOOR - WEIR_EPROCESS] = "belongs to another process",
    [WEIR_CODE_FLOOR - WEIR_ELOST] = "the worker died during the call",
    [WEIR_CODE_FLOOR - WEIR_EFAILED] = "the task failed",
    [WEIR_CODE_FLOOR -
        WEIR_ELIMIT] = "the time limit passed, the worker was killed",
    [WEIR_CODE_FLOOR - WEIR_ETERMINATED] = "the pool was terminated",
    [WEIR_CODE_FLOOR - WEIR_ESYNTAX] = "cannot be understood",
    [WEIR_CODE_FLOOR - WEIR_EPLUGIN] = "the plugin cannot be used",
    [WEIR_CODE_FLOOR - WEIR_EJOB] = "the job file has mistakes",
    [WEIR_CODE_FLOOR - WEIR_ETRUST] = "others may write to it",
};

const char *weir_strerror(int code)
{
    const char *text = NULL;

    if (code >= 0)
        return "success";
    if (code > WEIR_CODE_FLOOR)
        text = strerrordesc_np(-code);
    else if (code > WEIR_CODE_FLOOR - (int)(sizeof words / sizeof *words))
        text = words[WEIR_CODE_FLOOR - code];
    return text ? text : "unknown error";
}

/* Copies what fits into @out, with "..." for an end that does not; the cut is
 * between characters. */
static void copy_cut(char *out, size_t room, const char *text)
{
    size_t size = strlen(text);

    if (size < room) {
        memcpy(out, text, size + 1);
        return;
    }
    size = utf8_cut(text, size, room - sizeof "...");
    memcpy(out, text, size);
    memcpy(out + size, "...", sizeof "...");
}

/* Arguments may lie in @out itself, so the text is made elsewhere first. One
 * byte more than @err has shows that something was cut. */
static void say(weir_error *err, const char *format, va_list args)
{
    char text[sizeof err->text + 8];

    if (vsnprintf(text, sizeof text, format, args) < 0)
        copy_cut(text, sizeof text, weir_strerror(err->code));
    copy_cut(err->text, sizeof err->text, text);
}

static void set_place(weir_error *err, const char *file, unsigned line,
                      unsigned column)
{
    size_t size = strlen(file);
    size_t skip;

    err->line = line;
    err->column = column;
    if (size < sizeof err->file) {
        memmove(err->file, file, size + 1);
        return;
    }
    /* Not into the middle of a character: on to the next first byte. */
    skip = size - (sizeof err->file - sizeof "...");
    while (((unsigned char)file[skip] & 0xc0) == 0x80)
        skip++;
    memcpy(err->file, "...", 3);
    memcpy(err->file + 3, file + skip, size - skip + 1);
}

int error_set(weir_error *err, int code, const char *format, ...)
{
    int saved = errno;
    va_list args;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    say(err, format, args);
    va_end(args);
    err->file[0] = '\0';
    err->line = err->column = 0;
    errno = saved;
    return code;
}

int error_at(weir_error *err, int code, const char *file, unsigned line,
             unsigned column, const char *format, ...)
{
    int saved = errno;
    va_list args;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    say(err, format, args);
    va_end(args);
    set_place(err, file, line, column);
    errno = saved;
    return code;
}

int error_sys(weir_error *err, int code, const char *format, ...)
{
    char text[sizeof err->text];
    int saved = errno;
    va_list args;

    if (!err)
        return code;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    error_set(err, code, "%s%s%s", text, text[0] ? ": " : "",
              weir_strerror(code));
    errno = saved;
    return code;
}

void error_prefix(weir_error *err, const char *format, ...)
{
    char text[2 * sizeof err->text];
    int saved = errno;
    va_list args;
    int size;

    if (!err)
        return;
    va_start(args, format);
    size = vsnprintf(text, sizeof err->text, format, args);
    va_end(args);
    if (size >= 0) {
        size = (int)strlen(text);
        snprintf(text + size, sizeof text - (size_t)size, ": %s", err->text);
        copy_cut(err->text, sizeof err->text, text);
    }
    errno = saved;
}
