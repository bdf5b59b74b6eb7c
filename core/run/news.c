/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news.c - said in workers and ends, heard in the supervisor. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "run/news.h"

void news_vsay(int fd, unsigned member, enum news_kind kind, int code,
               const char *format, va_list args)
{
    struct news news = { .kind = kind, .member = member, .code = code };
    int size;

    if (fd < 0)
        return;
    size = vsnprintf(news.text, sizeof news.text, format, args);
    if (size < 0)
        size = 0;
    if ((size_t)size >= sizeof news.text)
        size = (int)sizeof news.text - 1;
    news.size = (uint32_t)size;
    fd_send(fd, &news, offsetof(struct news, text) + (size_t)size, NULL, 0);
}

void news_say(int fd, unsigned member, enum news_kind kind, int code,
              const char *format, ...)
{
    va_list args;

    va_start(args, format);
    news_vsay(fd, member, kind, code, format, args);
    va_end(args);
}

int news_next(int fd, struct news *out)
{
    int fds[FD_MESSAGE_FDS];
    size_t fd_count = FD_MESSAGE_FDS, head = offsetof(struct news, text);
    ssize_t size = fd_receive(fd, out, sizeof *out, fds, &fd_count);

    if (size == -EAGAIN)
        return 0;
    for (size_t i = 0; size >= 0 && i < fd_count; i++)
        fd_close(&fds[i]);
    if (size < (ssize_t)head || (size_t)size - head != out->size ||
        out->size >= NEWS_TEXT)
        return size < 0 ? (int)size : WEIR_EBROKEN;
    out->text[out->size] = '\0';
    return 1;
}
