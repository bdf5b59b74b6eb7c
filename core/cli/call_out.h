/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call_out.h - what a task has given in `weir call`, on standard output. */
#ifndef CLI_CALL_OUT_H
#define CLI_CALL_OUT_H

#include "cli/cli.h"
#include "run/inline.h"

struct call_out {
    const char *const *names; /* of the outputs */
    size_t count;
    int only;          /* number of the output that is shown; -1: all */
    const char *frame; /* --frame; NULL: auto */
    bool json;
};

void call_out_item(const struct call_out *out, const struct inline_item *item);

/* Bytes as a member `text`, or `base64` where they are none. */
void call_out_content(struct json *json, const void *data, size_t size);

#endif
