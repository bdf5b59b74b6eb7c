/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - what the files of core/plugin share with each other and with
 * their tests; no other room includes it.
 */
#ifndef PLUGIN_INTERNAL_H
#define PLUGIN_INTERNAL_H

#include "plugin/plugin.h"

/* The ABIs that this host takes. */
enum { ABI_OLDEST = 1, ABI_NEWEST = WEIR_ABI };

/* Bounds against a table without its end: no plugin comes near. */
enum {
    TASKS_MAX = 256,
    PARAMS_MAX = 64,
    OUTPUTS_MAX = 64,
    STRUCT_MAX = 4096,    /* sizes of the three structs, as declared */
    BOUND_MAX = 64 << 10, /* a task's struct of parameters */
    FIELD_MAX = 96,       /* a field's name */
    PARAM_NAME_MAX = 64,  /* with its NUL: the room of task_check */
    LINE_MAX_BYTES = 512, /* a summary, a version, a default */
};

/* path.c: where a plugin called @name may lie in a folder: its own file, then
 * libtool's two places in a build tree. */
enum { PLACES = 3 };
char *path_place(const char *folder, const char *name, int place);

/* elf.c: 0 when the file behind @fd is a whole shared object for this kind of
 * machine, else WEIR_EPLUGIN and the reason. */
int elf_check(int fd, uint64_t size, weir_error *err);

/* builtin.c: the descriptor of a preloaded plugin; NULL when there is none. */
const void *builtin_find(const char *name);
/* Adds the preloaded plugins' names; 0 or WEIR_ENOMEM. */
int builtin_names(struct plugin_names *names);
int plugin_names_add(struct plugin_names *names, const char *name, size_t size);

/* loader.c: lt_dlinit, once. */
int loader_start(weir_error *err);

/* The least that the structs may have been compiled with. */
enum {
    DESCRIPTOR_LEAST = offsetof(weir_descriptor, tasks) + sizeof(void *),
    TASK_LEAST = offsetof(weir_task, open),
    PARAM_LEAST = offsetof(weir_param, min),
};

/* descriptor.c: checks all that a descriptor says and makes a plugin of it.
 * @name is the file's, @file as in struct plugin; both are copied. */
int descriptor_accept(const void *symbol, const char *name, const char *file,
                      struct plugin **out, weir_error *err);
void plugin_free(struct plugin *plugin);

/* words.c: words parted by one space. */
struct word {
    const char *text;
    size_t size;
};
/* The next word of *at, which moves on; size 0 at the end. */
struct word word_next(const char **at);
/* 0, or WEIR_EINVAL: empty, two spaces, a word twice. @what: "output". */
int words_check(const char *words, const char *what, unsigned most,
                weir_error *err);
bool word_is(struct word word, const char *text);
/* A text of one line, not empty, UTF-8, without controls. */
int line_check(const char *line, const char *what, weir_error *err);
bool name_is_lower(const char *name);
/* @text for a message, escaped and cut; @out has QUOTED_MAX bytes. */
enum { QUOTED_MAX = 160 };
const char *quoted(char *out, const char *text);

/* param.c: the kinds of parameters, and values of them. */
enum param_order {
    ORDER_NONE,
    ORDER_UINT,
    ORDER_INT,
    ORDER_REAL,
    ORDER_LENGTH, /* bounds are of the length */
};

struct param_kind {
    const char *word;   /* "size" */
    const char *suffix; /* "_bytes": a unit at the end of the field */
    const char *counts; /* ORDER_LENGTH: "bytes" */
    uint32_t size, align;
    enum param_order order;
};
/* NULL for a type that this host does not know. */
const struct param_kind *param_kind(uint32_t type);

union param_scalar {
    uint64_t u; /* UINT, SIZE; a length; a choice's place */
    int64_t i;  /* INT, DURATION */
    double r;
    bool b;
};

/* The field's name less its unit; @out has FIELD_MAX bytes. */
const char *param_name(const weir_param *param, char *out);
/* A value of any type but LIST: understood and within its bounds. A TEXT's
 * scalar is its length. */
int param_parse(const weir_param *param, const char *text,
                union param_scalar *out, weir_error *err);
/* Within the bounds? For ORDER_LENGTH the length stands in ->u. */
int param_range(const weir_param *param, const char *text,
                union param_scalar value, weir_error *err);
/* A whole table, widened, ended by field == NULL. */
int param_table_check(const weir_param *params, weir_error *err);
/* Bytes of the struct that the table describes. */
size_t param_table_room(const weir_param *params);

#endif
