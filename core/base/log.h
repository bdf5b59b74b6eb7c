/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - one hook for all that core has to tell; silent without a hook. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <weir/error.h>
#include <weir/log.h>

/* The levels of weir/log.h. */
enum log_level {
    LOG_DEBUG = WEIR_DEBUG,
    LOG_INFO = WEIR_INFO,
    LOG_WARNING = WEIR_WARNING,
    LOG_ERROR = WEIR_ERROR,
};

/* A line for the hook of weir_log_set_hook, in a category. */
void log_to(enum log_level level, const char *category, const char *format, ...)
    WEIR_PRINTF(3, 4);
/* In none: "". */
void log_say(enum log_level level, const char *format, ...) WEIR_PRINTF(2, 3);

#endif
