/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fakehost.h - a host for one task, in memory: parameters are bound by the
 * real code, and what a task emits, appends and renames counts when its call
 * went well, as with the real one. A worker can be killed at any emit and at
 * any cursor. All that goes wrong in here is a failed assertion.
 *
 *     struct fake *fake = fake_new(&plugin, "text", "grep",
 *                                  "pattern=a.c", "invert=true", NULL);
 *     fake_start(fake);
 *     ck_assert_int_eq(fake_run(fake, "abc", 3), 0);
 *     ck_assert_uint_eq(fake->given.count, 0);
 *     fake_stop(fake);
 *     fake_free(&fake);
 */
#ifndef LIB_FAKEHOST_H
#define LIB_FAKEHOST_H

#include <setjmp.h>

#include "base/base.h"
#include "plugin/plugin.h"

struct fake_attr {
    char *name;
    struct buf value;
};

typedef VEC(struct fake_attr) fake_attrs;

struct fake_item {
    struct buf data;
    unsigned output;
    fake_attrs attrs;
};

typedef VEC(struct fake_item) fake_items;

struct fake_file { /* what is to be appended */
    int fd;
    struct buf data;
};

struct fake_rename {
    char *from, *to;
};

enum fake_phase { FAKE_IDLE, FAKE_CHECK, FAKE_OPEN, FAKE_RUN, FAKE_FLUSH };

struct fake {
    struct weir_call call; /* first: the task has a pointer to it */
    struct plugin *plugin;
    const weir_task *task;
    void *params;
    void *state;
    enum fake_phase phase;

    /* May be set by a test. */
    fake_attrs in_attrs;
    uint64_t root, path;
    unsigned attempt;
    unsigned share, shares;
    size_t room;          /* the most that one item may have; 0: 1 GiB */
    unsigned kill_emit;   /* killed in this emit, from 1; 0: never */
    unsigned kill_cursor; /* killed behind this set_cursor, when committed */
    bool stopping;

    /* What counts. */
    fake_items given;
    char cursor[64];
    size_t cursor_size;
    unsigned paused; /* calls of weir_pause */
    int64_t paused_ns;

    /* Of the last call that failed. */
    char param[64], why[512];

    /* Of the call that runs. */
    weir_bytes input;
    fake_attrs attrs;
    fake_items staged;
    char next_cursor[64];
    size_t next_cursor_size;
    bool cursor_is_set;
    struct buf reserved;
    unsigned reserved_output;
    bool is_reserved, failed;
    struct fake_file appended;
    VEC(struct fake_rename) renames;
    jmp_buf death;
};

enum { FAKE_KILLED = 99 };

/* Parameters as "name=value"; one that comes several times is a list. Ends
 * with NULL. */
struct fake *fake_new(const weir_descriptor *descriptor, const char *plugin,
                      const char *task, ...);
void fake_free(struct fake **fake);

/* 0, or what check returned; then fake->param and fake->why. */
int fake_check(struct fake *fake);

/* A worker begins (open), ends by itself (close), is killed: its memory is
 * lost to the test. All but stop return what the task's function returned. */
int fake_start(struct fake *fake);
void fake_stop(struct fake *fake);
void fake_kill(struct fake *fake);

/* One call of run. FAKE_KILLED: the worker was killed as told. */
int fake_run(struct fake *fake, const void *data, size_t size);
int fake_flush(struct fake *fake);

/* A source, until its end. Returns how many calls failed; their sentences,
 * one a line, in @why (may be NULL). */
unsigned fake_drain(struct fake *fake, struct buf *why);

/* A source that is killed behind each @every-th cursor, or before each
 * @every-th emit has been committed, and started anew. */
unsigned fake_drain_killed(struct fake *fake, unsigned every, bool before,
                           struct buf *why);

void fake_set_attr(struct fake *fake, const char *name, const char *value);

/* Of an item that was given: "" when there is none. NUL-ended. */
const char *fake_attr(const struct fake_item *item, const char *name);

/* All data of all items, each followed by @end when it is not NULL. */
struct buf fake_join(const struct fake *fake, const char *end);
void fake_forget(struct fake *fake); /* what was given */

#endif
