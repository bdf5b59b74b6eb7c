/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plugins.h - what the tests of the standard plugins share. */
#ifndef TESTS_UNIT_PLUGINS_PLUGINS_H
#define TESTS_UNIT_PLUGINS_PLUGINS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Check has a macro `fail`, as tables of functions have a member. */
#include "lib/fakehost.h"

#include <check.h>

/* The plugins, built into the test. */
extern const weir_descriptor file_LTX_weir_plugin;
extern const weir_descriptor flow_LTX_weir_plugin;
extern const weir_descriptor text_LTX_weir_plugin;
extern const weir_descriptor zstd_LTX_weir_plugin;

/* A checked fixture: a folder of its own, which is the working directory and
 * is removed with all that is in it. */
void folder_setup(void);
void folder_teardown(void);

/* A file of that content; folders on the way are made. */
void put_file(const char *path, const void *data, size_t size);
void put_text(const char *path, const char *text);
/* Whole; NUL-ended in memory that lasts as long as the test. */
struct buf get_file(const char *path);
bool file_is(const char *path, const char *text);
/* How many names the folder holds; with . and .. it would be two more. */
unsigned count_names(const char *folder);

/* The joined data of all that was given is this text. */
void assert_given(struct fake *fake, const char *end, const char *want);

/* Attribute and data of all items, "path=data\n" each. */
struct buf with_attr(const struct fake *fake, const char *name);

Suite *append_suite(void);
Suite *blocks_suite(void);
Suite *flow_suite(void);
Suite *lines_suite(void);
Suite *manual_suite(void);
Suite *names_suite(void);
Suite *pattern_suite(void);
Suite *read_suite(void);
Suite *top_suite(void);
Suite *words_suite(void);
Suite *write_suite(void);
Suite *zstd_suite(void);

#endif
