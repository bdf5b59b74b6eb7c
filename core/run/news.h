/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * news.h - what workers and ends tell the supervisor, beside what stands in the
 * segment: one message of a SOCK_SEQPACKET pair each, so that a killed writer
 * tears none. Nothing that must be exact goes this way.
 */
#ifndef RUN_NEWS_H
#define RUN_NEWS_H

#include <stdarg.h>
#include <stdint.h>

#include "base/base.h"

enum news_kind {
    NEWS_READY,  /* the task is open; code: MiB that it has of memory, when
                  * that is more than its stage's `recycle` says; else 0 */
    NEWS_UNOPEN, /* it could not be opened: text says why; the worker ends */
    NEWS_FATAL,  /* the run cannot go on: text */
    NEWS_LOG,    /* code: enum log_level; text */
    NEWS_PIPE,   /* stdout is closed at its other end */
    NEWS_WISH,   /* it has done its share: another is to follow it */
    NEWS_HEIR,   /* who is to follow is open, and waits for its turn */
    NEWS_LEFT,   /* it has left its entry, which is free */
};

enum { NEWS_TEXT = 1000 };

struct news {
    uint32_t kind;
    uint32_t member;
    int32_t code;
    uint32_t size; /* of text, which is not NUL-ended */
    char text[NEWS_TEXT];
};

/* Waits while the socket is full: the supervisor reads it always. */
void news_say(int fd, unsigned member, enum news_kind kind, int code,
              const char *format, ...) WEIR_PRINTF(5, 6);
void news_vsay(int fd, unsigned member, enum news_kind kind, int code,
               const char *format, va_list args);
/* 1 and a message whose text is NUL-ended and has at most NEWS_TEXT - 1 bytes;
 * 0: none now; or a code. */
int news_next(int fd, struct news *out);

#endif
