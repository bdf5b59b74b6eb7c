/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/error.h - result codes, and the sentence that goes with them.
 *
 * Every function of weir that can fail returns an int: 0 or a positive answer
 * when it went well, a negative code when not. Where errno has the word for
 * it, the code is the negated errno (-ENOMEM, -EMFILE, ...); our own words
 * stand below WEIR_CODE_FLOOR. A call that failed has changed nothing, unless
 * its comment says otherwise, and has written no *_out.
 */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default)
#endif

#if defined __GNUC__
#define WEIR_PRINTF(format, first)                                             \
    __attribute__((__format__(__printf__, format, first)))
#else
#define WEIR_PRINTF(format, first)
#endif

enum weir_code {
    WEIR_OK = 0,
    WEIR_EINVAL = -EINVAL,       /* an argument is out of its range */
    WEIR_ENOMEM = -ENOMEM,       /* no memory, or shared memory at its limit */
    WEIR_ETIMEDOUT = -ETIMEDOUT, /* the deadline passed first */
    WEIR_ECANCELED = -ECANCELED, /* somebody cancelled the wait */

    WEIR_CODE_FLOOR = -4096,
    WEIR_EFULL = -4097,       /* no room now */
    WEIR_EEMPTY = -4098,      /* nothing ready now */
    WEIR_ECLOSED = -4099,     /* closed (put), or closed and drained (get) */
    WEIR_ETOOBIG = -4100,     /* can never fit the queue's bounds */
    WEIR_EBROKEN = -4101,     /* shared memory damaged, or the owner is gone */
    WEIR_ESTATE = -4102,      /* not now: wrong order of calls */
    WEIR_EPROCESS = -4103,    /* a handle that belongs to another process */
    WEIR_ELOST = -4104,       /* the worker died while it had the call */
    WEIR_EFAILED = -4105,     /* the task said that it failed */
    WEIR_ELIMIT = -4106,      /* the time limit passed; the worker was killed */
    WEIR_ETERMINATED = -4107, /* the pool was terminated first */
    WEIR_ESYNTAX = -4108,     /* a text that cannot be understood */
    WEIR_EPLUGIN = -4109,     /* a plugin that cannot be used */
    WEIR_EJOB = -4110,        /* a job file with mistakes */
    WEIR_ETRUST = -4111,      /* a file or folder that others may write */
};

/* A code and the sentence for a person. Owned by the caller, any storage. */
typedef struct weir_error {
    int code;        /* as returned */
    unsigned line;   /* from 1; 0: no place */
    unsigned column; /* from 1, in characters; 0: whole line */
    char file[256];  /* "" when no file; a longer name keeps its end */
    char text[768];  /* what, and what to do; no full stop, no newline */
} weir_error;

/**
 * weir_strerror - the words for a code
 * @code: any value that a function of weir returned
 *
 * Returns a constant string, never NULL; for an errno code libc's words.
 * Threads: safe. Signals: not in a handler. Since: 0.1
 */
const char *weir_strerror(int code);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
