/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inline_ends.c - standard input and output of a job that runs in this
 * process. Reading and writing may block: nobody else is waiting.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "run/inline_ends.h"

enum { PIECE = 64 << 10, BLOCK = 1 << 20, ITEM_MOST = 1 << 30 };

/* Sources are numbered from 0; the reader of stdin comes behind all of them. */
static const uint64_t input_root = UINT64_C(0xfff) << 52;

/* What is there, waiting for it; or a negated errno. A descriptor that others
 * share may be non-blocking. */
static ssize_t read_some(int fd, void *data, size_t size)
{
    struct pollfd poller = { .fd = fd, .events = POLLIN };

    for (;;) {
        ssize_t got = read(fd, data, size);

        if (got >= 0)
            return got;
        if (errno == EAGAIN)
            fd_poll(&poller, 1, FOREVER);
        else if (errno != EINTR)
            return -errno;
    }
}

/* Some more bytes: 0, or a code. */
static int read_on(struct inline_input *input)
{
    struct buf *buffer = &input->buffer;
    ssize_t got;
    int code;

    if (input->at > 0) {
        buf_drop(buffer, input->at);
        input->looked -= input->at;
        input->at = 0;
    }
    if (buffer->size > ITEM_MOST)
        return WEIR_ETOOBIG;
    code = buf_reserve(buffer, PIECE);
    if (code < 0)
        return code;
    got = read_some(input->fd, buffer->data + buffer->size, PIECE);
    if (got < 0)
        return (int)got;
    buffer->size += (size_t)got;
    input->ended = got == 0;
    return 0;
}

static size_t have(const struct inline_input *input)
{
    return input->buffer.size - input->at;
}

/* Bytes up to the end of a line, with it; 0: it is not there yet. */
static size_t line_here(struct inline_input *input)
{
    const char *data = input->buffer.data, *end = NULL;

    if (input->buffer.size > input->looked)
        end = memchr(data + input->looked, '\n',
                     input->buffer.size - input->looked);
    input->looked = input->buffer.size;
    return end ? (size_t)(end - data) + 1 - input->at : 0;
}

/* The same for as many lines as a block has room for; a line that is longer
 * than a block is cut. */
static size_t block_here(struct inline_input *input)
{
    const char *data, *end;

    if (have(input) < BLOCK)
        return 0;
    data = input->buffer.data + input->at;
    end = memrchr(data, '\n', BLOCK);
    return end ? (size_t)(end - data) + 1 : BLOCK;
}

static size_t piece_here(struct inline_input *input)
{
    switch (input->as) {
    case STDIN_LINES:
        return line_here(input);
    case STDIN_BLOCKS:
        return block_here(input);
    case STDIN_WHOLE:
        break;
    }
    return 0;
}

/* @size bytes become an item; a line is one without its end. */
static int take(struct inline_input *input, size_t size,
                struct inline_item *out)
{
    const char *data = input->buffer.data + input->at;
    size_t less = input->as == STDIN_LINES && data[size - 1] == '\n';

    *out = (struct inline_item){
        .payload = payload_new(data, size - less),
        .root = input_root | input->ordinal++,
    };
    input->at += size;
    input->looked = input->at;
    return out->payload ? 1 : WEIR_ENOMEM;
}

static int take_whole(struct inline_input *input, struct inline_item *out)
{
    if (input->given_whole)
        return 0;
    input->given_whole = true;
    *out = (struct inline_item){
        .payload = payload_new(input->buffer.data, input->buffer.size),
        .root = input_root,
    };
    return out->payload ? 1 : WEIR_ENOMEM;
}

int inline_input_next(struct inline_input *input, struct inline_item *out,
                      weir_error *err)
{
    size_t size = piece_here(input);
    int code = 0;

    while (size == 0 && !input->ended && code == 0) {
        code = read_on(input);
        size = code == 0 ? piece_here(input) : 0;
    }
    if (code == 0 && size > 0)
        code = take(input, size, out);
    else if (code == 0 && input->as == STDIN_WHOLE)
        code = take_whole(input, out);
    else if (code == 0 && have(input) > 0)
        code = take(input, have(input), out);
    return code < 0 ? error_sys(err, code, "cannot read standard input") : code;
}

void inline_input_done(struct inline_input *input)
{
    buf_done(&input->buffer);
}

int inline_output(int fd, enum frame frame, const struct payload *payload)
{
    bool ended = payload->size > 0 && payload->data[payload->size - 1] == '\n';
    int code = fd_write_all(fd, payload->data, payload->size);

    if (code == 0 && frame == FRAME_LINE && !ended)
        code = fd_write_all(fd, "\n", 1);
    else if (code == 0 && frame == FRAME_NUL)
        code = fd_write_all(fd, "", 1);
    return code;
}
