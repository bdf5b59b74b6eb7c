/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file.c - the plugin `file`: files as items, and items as files. Here are its
 * tasks and their parameters; file.md is the manual.
 */
#include "config.h"

#include "sink.h"
#include "source.h"

/* clang-format off */
#define CHOICE(which_)                                                         \
    WEIR_PARAM_LIST(struct file_source_param, paths, NULL,                     \
                    which_, .min = "1"),                                       \
    WEIR_PARAM_LIST(struct file_source_param, include, "",                     \
                    "globs; only files that match one are taken"),             \
    WEIR_PARAM_LIST(struct file_source_param, exclude, "",                     \
                    "globs; files and folders that match one are left out"),   \
    WEIR_PARAM_CHOICE(struct file_source_param, missing, "refuse",             \
                      "what to do with an entry of paths that is not there",         \
                      .choices = "refuse report skip")
/* clang-format on */

static const weir_param lines_params[] = {
    CHOICE("files to read; globs, and folders with all below them"),
    WEIR_PARAM_SIZE(struct file_source_param, size_bytes, "1 MiB",
                    "longest line; a longer one fails", .min = "1 B",
                    .max = "1 GiB"),
    WEIR_PARAM_CHOICE(struct file_source_param, terminator, "lf",
                      "what ends a line", .choices = "lf crlf nul"),
    WEIR_PARAM_BOOL(struct file_source_param, numbers, "false",
                    "give each line its number as attribute 'line'"),
    { 0 },
};

static const weir_param blocks_params[] = {
    CHOICE("files to read; globs, and folders with all below them"),
    WEIR_PARAM_SIZE(struct file_source_param, size_bytes, "1 MiB",
                    "largest block; a record that is longer fails",
                    .min = "1 B", .max = "1 GiB"),
    WEIR_PARAM_CHOICE(struct file_source_param, terminator, "lf",
                      "what ends a record", .choices = "lf crlf nul"),
    { 0 },
};

static const weir_param names_params[] = {
    CHOICE("files to name; globs, and folders with all below them"),
    { 0 },
};

static const weir_param read_params[] = {
    WEIR_PARAM_TEXT(struct file_read_param, path, "",
                    "template of the path; when empty, the item is the path"),
    WEIR_PARAM_TEXT(struct file_read_param, root, "",
                    "folder that paths may not leave; when empty, they may"),
    WEIR_PARAM_SIZE(struct file_read_param, size_bytes, "16 MiB",
                    "largest file; a larger one fails", .min = "1 B",
                    .max = "1 GiB"),
    { 0 },
};

static const weir_param write_params[] = {
    WEIR_PARAM_TEXT(struct file_write_param, path, NULL,
                    "template of the path below root", .min = "1",
                    .max = "4095"),
    WEIR_PARAM_TEXT(struct file_write_param, root, ".",
                    "folder that no path leaves; made when missing", .min = "1",
                    .max = "4095"),
    WEIR_PARAM_BOOL(struct file_write_param, sync, "true",
                    "wait until the bytes are on disk"),
    { 0 },
};

static const weir_param append_params[] = {
    WEIR_PARAM_TEXT(struct file_append_param, path, NULL,
                    "template of the path below root", .min = "1",
                    .max = "4095"),
    WEIR_PARAM_TEXT(struct file_append_param, root, ".",
                    "folder that no path leaves; made when missing", .min = "1",
                    .max = "4095"),
    WEIR_PARAM_CHOICE(struct file_append_param, frame, "line",
                      "what is added behind an item",
                      .choices = "line nul raw"),
    { 0 },
};

static const weir_task tasks[] = {
    {
        .name = "lines",
        .summary = "Read files line by line",
        .run = file_lines_run,
        .open = file_source_open,
        .close = file_source_close,
        .check = file_source_check,
        .params = lines_params,
        .largest = "size",
        .source = true,
    },
    {
        .name = "blocks",
        .summary = "Read files in blocks, cut at the end of a line",
        .run = file_blocks_run,
        .open = file_source_open,
        .close = file_source_close,
        .check = file_source_check,
        .params = blocks_params,
        .largest = "size",
        .source = true,
    },
    {
        .name = "names",
        .summary = "Name the files of a tree",
        .run = file_names_run,
        .open = file_source_open,
        .close = file_source_close,
        .check = file_source_check,
        .params = names_params,
        .source = true,
    },
    {
        .name = "read",
        .summary = "Give the content of the file that the item names",
        .run = file_read_run,
        .open = file_read_open,
        .close = file_read_close,
        .check = file_read_check,
        .params = read_params,
        .largest = "size",
    },
    {
        .name = "write",
        .summary = "Write each item to a file of its own, whole or not at all",
        .run = file_write_run,
        .open = file_write_open,
        .flush = file_write_flush,
        .close = file_write_close,
        .check = file_write_check,
        .params = write_params,
        .outputs = "",
        .stateless = true,
    },
    {
        .name = "append",
        .summary = "Append each item to a file, exactly once",
        .run = file_append_run,
        .open = file_append_open,
        .close = file_append_close,
        .check = file_append_check,
        .params = append_params,
        .outputs = "",
    },
    { 0 },
};

WEIR_PLUGIN(.name = "file", .version = PACKAGE_VERSION,
            .summary = "Files as items, and items as files", .tasks = tasks);
