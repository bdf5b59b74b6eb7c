/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch.h - a folder of its own for each test, and what to put there. */
#ifndef TESTS_UNIT_PLUGIN_SCRATCH_H
#define TESTS_UNIT_PLUGIN_SCRATCH_H

#include <check.h>
#include <stddef.h>

/* A fixture: `scratch` is the folder's absolute path, mode 0700. */
extern char scratch[64];
void scratch_make(void);
void scratch_remove(void);

/* Paths under it; the result is good for the next eight calls. */
const char *in_scratch(const char *name);
void make_folder(const char *name);
void write_file(const char *name, const void *data, size_t size);
/* A whole file, in memory that is never freed. */
char *read_file(const char *path, size_t *size_out);

/* The suites; main.c runs them all. */
Suite *path_suite(void);
Suite *trust_suite(void);
Suite *load_suite(void);
Suite *descriptor_suite(void);
Suite *param_suite(void);
Suite *bind_suite(void);
Suite *desc_suite(void);
Suite *expand_suite(void);
Suite *builtin_suite(void);
Suite *vet_suite(void);

#endif
