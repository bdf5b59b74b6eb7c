/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - names, truth values and signals as people write them. Any process.
 * No allocation. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

enum {
    NAME_MOST = 64,
    NEAR_MOST = 128, /* longer texts are no names, and near to none */
};

int text_bool(const char *text, bool *value_out, weir_error *err)
{
    const bool is_true = strcmp(text, "true") == 0;
    char shown[SHOWN_ROOM];

    if (!is_true && strcmp(text, "false") != 0)
        return error_set(err, WEIR_ESYNTAX, "'%s' is neither true nor false",
                         utf8_shown(shown, text));
    *value_out = is_true;
    return 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool text_is_name(const char *text)
{
    size_t size = strnlen(text, NAME_MOST + 1);

    if (!is_letter(text[0]) || size > NAME_MOST)
        return false;
    for (size_t i = 1; i < size; i++) {
        if (!is_letter(text[i]) && !strchr("0123456789_-", text[i]))
            return false;
    }
    return true;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits from @a to @b: insert, delete, replace, swap of neighbours, no place
 * edited twice ("optimal string alignment"; see Navarro, "A guided tour to
 * approximate string matching", 2001, and Damerau 1964). Three rows of the
 * table are kept. Both at most NEAR_MOST long. */
static unsigned distance(const char *a, size_t a_size, const char *b,
                         size_t b_size)
{
    unsigned rows[3][NEAR_MOST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_size; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *reuse = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned edits = last[j - 1] + (a[i - 1] != b[j - 1]);

            edits = least(edits, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                edits = least(edits, before[j - 2] + 1);
            row[j] = edits;
        }
        before = last;
        last = row;
        row = reuse;
    }
    return last[b_size];
}

const char *text_nearest(const char *name, const char *const *candidates)
{
    const size_t size = strnlen(name, NEAR_MOST + 1);
    /* A third may be wrong, or one; but never all of it. */
    size_t best = (size < 3 ? 1 : size / 3) + 1;
    const char *nearest = NULL;

    if (size == 0 || size > NEAR_MOST)
        return NULL;
    for (; *candidates; candidates++) {
        size_t other = strnlen(*candidates, NEAR_MOST + 1);
        size_t edits;

        if (other > NEAR_MOST || other + best <= size || size + best <= other)
            continue;
        edits = distance(name, size, *candidates, other);
        if (edits < best && edits < size && edits < other) {
            best = edits;
            nearest = *candidates;
        }
    }
    return nearest;
}

#define NAME(signal) [signal] = #signal

static const char *const signal_names[] = {
    NAME(SIGHUP),  NAME(SIGINT),    NAME(SIGQUIT), NAME(SIGILL),
    NAME(SIGTRAP), NAME(SIGABRT),   NAME(SIGBUS),  NAME(SIGFPE),
    NAME(SIGKILL), NAME(SIGUSR1),   NAME(SIGSEGV), NAME(SIGUSR2),
    NAME(SIGPIPE), NAME(SIGALRM),   NAME(SIGTERM), NAME(SIGSTKFLT),
    NAME(SIGCHLD), NAME(SIGCONT),   NAME(SIGSTOP), NAME(SIGTSTP),
    NAME(SIGTTIN), NAME(SIGTTOU),   NAME(SIGURG),  NAME(SIGXCPU),
    NAME(SIGXFSZ), NAME(SIGVTALRM), NAME(SIGPROF), NAME(SIGWINCH),
    NAME(SIGIO),   NAME(SIGPWR),    NAME(SIGSYS),
};

const char *text_signal(int signal)
{
    static _Thread_local char other[sizeof "signal -2147483648"];

    if (signal > 0 && (size_t)signal < sizeof signal_names / sizeof(char *) &&
        signal_names[signal])
        return signal_names[signal];
    snprintf(other, sizeof other, "signal %d", signal);
    return other;
}
