/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.h - filling a weir_error and returning its code in one go. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

#include <weir/error.h>

/* Fills @err (NULL is fine) without a place; returns @code. Keeps errno. */
int error_set(weir_error *err, int code, const char *format, ...)
    WEIR_PRINTF(3, 4);

/* The same with a place; a @file too long keeps its end behind "...". */
int error_at(weir_error *err, int code, const char *file, unsigned line,
             unsigned column, const char *format, ...) WEIR_PRINTF(6, 7);

/* "cannot open '/x': Permission denied": @format, ": ", the words of @code. */
int error_sys(weir_error *err, int code, const char *format, ...)
    WEIR_PRINTF(3, 4);

/* Puts "text: " before what @err already says. */
void error_prefix(weir_error *err, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
