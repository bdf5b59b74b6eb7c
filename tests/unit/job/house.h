/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* house.h - a folder with the test plugins and job files, and opening jobs. */
#ifndef JOB_HOUSE_H
#define JOB_HOUSE_H

#include "job/internal.h"
#include "lib/suites.h"

/* Unchecked fixture, once for a case: the folder, with copies of all test
 * plugins that nobody else may write. */
void house_setup(void);
void house_teardown(void);
const char *house_path(void);

/* What a test opens; zeroed by house_begin, freed by house_end. */
struct house {
    struct job_options options;
    struct job *job;
    struct diags diags;
    struct nursery *nursery;
    struct job_bound *bound;
    struct buf text; /* the mistakes, printed */
    weir_error err;
    int code;
};
extern struct house house;

/* False under a valgrind that does not know pidfd_open: then jobs are opened
 * inline, and what would take the process is left out. */
bool house_forks(void);

/* Checked fixture. */
void house_begin(void);
void house_end(void);

/* Opens a file by its name, or one made of this text; keeps the code. */
int house_open_file(const char *file);
int house_open(const char *text);
/* The mistakes have this in them; on failure both are shown. */
void house_says(const char *part);

Suite *corpus_suite(void);
Suite *diag_suite(void);
Suite *digraph_suite(void);
Suite *draw_suite(void);
Suite *job_suite(void);
Suite *load_suite(void);
Suite *memory_suite(void);
Suite *schema_suite(void);
Suite *yaml_suite(void);

#endif
