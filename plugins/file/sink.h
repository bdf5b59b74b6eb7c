/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sink.h - what file.read, file.write and file.append share: a path that comes
 * out of a template, and the verdict for an error. Runs in workers.
 */
#ifndef FILE_SINK_H
#define FILE_SINK_H

#include <weir/plugin.h>

#include "beneath.h"

struct file_read_param {
    const char *path, *root;
    uint64_t size_bytes;
};

struct file_write_param {
    const char *path, *root;
    bool sync;
};

enum file_frame { FILE_FRAME_LINE, FILE_FRAME_NUL, FILE_FRAME_RAW };

struct file_append_param {
    const char *path, *root;
    unsigned frame;
};

/* For check: a path that can never lie below the root. */
int file_path_check(weir_call *call, const char *path, const char *root);

/* The template put out, and taken apart. Returns 0, or what run returns. */
int file_path_expand(weir_call *call, const char *text, struct file_name *out);

/* Opens the root in `open`; returns 0 or what weir_fail returned. */
int file_sink_root(weir_call *call, const char *path, bool make,
                   struct file_root *out);

/* weir_fail with "cannot VERB 'PATH': " and the words for a negated errno;
 * what may pass by itself is TRANSIENT. */
int file_fail(weir_call *call, const char *verb, const char *path, int code);

int file_read_check(weir_call *call);
int file_read_open(weir_call *call);
int file_read_run(weir_call *call);
int file_read_close(weir_call *call);
int file_write_check(weir_call *call);
int file_write_open(weir_call *call);
int file_write_run(weir_call *call);
int file_write_flush(weir_call *call);
int file_write_close(weir_call *call);
int file_append_check(weir_call *call);
int file_append_open(weir_call *call);
int file_append_run(weir_call *call);
int file_append_close(weir_call *call);

#endif
