/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * weir/plugin.h - what a plugin author needs, all of it.
 *
 * A plugin is a shared object with one descriptor, written with WEIR_PLUGIN,
 * that lists its tasks. It links with nothing: all functions below are inlines
 * over a table that the host hands in with each call.
 *
 *     #include <weir/plugin.h>
 *
 *     static int shout_run(weir_call *call)
 *     {
 *         weir_bytes in = weir_input(call);
 *         return in.size ? weir_pass(call, 0)
 *                        : weir_fail(call, WEIR_PERMANENT, "empty item");
 *     }
 *     static const weir_task tasks[] = {
 *         { .name = "shout", .summary = "Pass what is not empty",
 *           .run = shout_run },
 *         { 0 }
 *     };
 *     WEIR_PLUGIN(.name = "voice", .version = "1.0", .tasks = tasks);
 *
 * Life of a task, and where it happens:
 *   check   once a stage, in a vetting child, before anything starts
 *   open    once in each worker process, after its fork
 *   load    after open, when a predecessor of this worker saved its state
 *   run     for each item (a source: again and again, until WEIR_END)
 *   save    now and then, when the task has one: its inputs count as done
 *           only from then on
 *   flush   at the end of the input, once in each worker; not after a stop
 *   close   before the worker ends by itself; not when it is killed
 * All of them run in a single thread. A worker may be killed at any
 * instruction: then what the item in hand has emitted vanishes, and the item
 * is tried again elsewhere. So a task may be run more than once for an item,
 * but its emits count exactly once; what it does outside (a socket, a file of
 * its own) is at least once: weir_id and weir_attempt recognise a repeat.
 *
 * Not one of these functions may be called from a thread of the task's own, a
 * signal handler or a forked child.
 */
#ifndef WEIR_PLUGIN_H
#define WEIR_PLUGIN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/bytes.h>
#include <weir/error.h>
#include <weir/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The contract of this header. A host accepts a range of these numbers. */
#define WEIR_ABI 1

/* What a task's functions return: 0, a negative code that a call gave them, or
 * what weir_fail returned, which is one of these. */
enum weir_verdict {
    WEIR_END = 1,        /* a source: nothing is left */
    WEIR_TRANSIENT = 16, /* try again, as often as the stage's retries say */
    WEIR_PERMANENT = 17, /* this item has failed for good */
    WEIR_SKIP = 18,      /* leave this item out; counted, not an error */
    WEIR_FATAL = 19,     /* the run cannot go on */
};

/* A parameter that is a list of texts. The host's memory, there as long as
 * the process. */
typedef struct weir_list {
    size_t count;
    const char *const *items;
} weir_list;

/* One call of a task; the host's. */
typedef struct weir_call weir_call;

/* The host's functions. New ones come at the end; `size` tells what is there.
 * Use the inlines below, not these. */
struct weir_table {
    size_t size;
    const void *(*params)(weir_call *call);
    void *(*state)(weir_call *call);
    void (*set_state)(weir_call *call, void *state);
    weir_bytes (*input)(weir_call *call);
    int (*attr)(weir_call *call, const char *name, weir_bytes *value_out);
    int (*set_attr)(weir_call *call, const char *name, const void *value,
                    size_t size);
    void (*id)(weir_call *call, uint64_t *root_out, uint64_t *path_out);
    unsigned (*attempt)(weir_call *call);
    int (*emit)(weir_call *call, unsigned output, const void *data,
                size_t size);
    int (*reserve)(weir_call *call, unsigned output, size_t room,
                   void **data_out);
    int (*submit)(weir_call *call, size_t size);
    int (*pass)(weir_call *call, unsigned output);
    int (*fail)(weir_call *call, int verdict, const char *param,
                const char *format, va_list args);
    int (*append)(weir_call *call, int fd, const void *data, size_t size);
    int (*rename)(weir_call *call, const char *from, const char *to);
    int (*cursor)(weir_call *call, weir_bytes *cursor_out);
    int (*set_cursor)(weir_call *call, const void *cursor, size_t size);
    int (*pause)(weir_call *call, int64_t pause_ns);
    void (*share)(weir_call *call, unsigned *index_out, unsigned *count_out);
    int (*expand)(weir_call *call, const char *text, char *out, size_t room);
    bool (*stopping)(weir_call *call);
    void (*log)(weir_call *call, int level, const char *format, va_list args);
    void (*heartbeat)(weir_call *call);
    bool (*overdue)(weir_call *call);
};

struct weir_call {
    const struct weir_table *table;
};

enum weir_type {
    WEIR_TYPE_TEXT = 1,     /* const char *; NUL-ended UTF-8, without a NUL */
    WEIR_TYPE_UINT = 2,     /* uint64_t */
    WEIR_TYPE_INT = 3,      /* int64_t */
    WEIR_TYPE_REAL = 4,     /* double */
    WEIR_TYPE_BOOL = 5,     /* bool */
    WEIR_TYPE_SIZE = 6,     /* uint64_t, bytes; written "64 KiB" */
    WEIR_TYPE_DURATION = 7, /* int64_t, ns; written "30s" */
    WEIR_TYPE_CHOICE = 8,   /* unsigned: place in `choices`, from 0 */
    WEIR_TYPE_LIST = 9,     /* weir_list; a job gives a list or one text */
};

/* One parameter. Its name in a job file is the field's, less its unit:
 * limit_bytes is `limit`, period_ns is `period`. */
typedef struct weir_param {
    const char *field;   /* name of the field; NULL ends the array */
    const char *summary; /* one line, lower case, no full stop */
    const char *value;   /* default as a job would write it; NULL: required.
                          * A list's "" is the empty list */
    uint32_t type;       /* enum weir_type */
    uint32_t offset;     /* of the field in the task's struct */
    uint32_t size;       /* of the field */
    const char *min;     /* written as a value, may be NULL; a text's and a
                          * list's: bounds of its length, bytes and entries */
    const char *max;     /* a bool and a choice have none */
    const char *choices; /* CHOICE: the words, parted by one space */
} weir_param;

#define WEIR_PARAM(kind, type_, field_, default_, summary_, ...)               \
    {                                                                          \
        .field = #field_, .summary = (summary_), .value = (default_),          \
        .type = (kind), .offset = (uint32_t)offsetof(type_, field_),           \
        .size = (uint32_t)sizeof(((type_ *)0)->field_), __VA_ARGS__            \
    }
/* WEIR_PARAM_X(struct, field, default as text or NULL, summary, .min = ...) */
#define WEIR_PARAM_TEXT(...) WEIR_PARAM_(WEIR_TYPE_TEXT, __VA_ARGS__, )
#define WEIR_PARAM_UINT(...) WEIR_PARAM_(WEIR_TYPE_UINT, __VA_ARGS__, )
#define WEIR_PARAM_INT(...) WEIR_PARAM_(WEIR_TYPE_INT, __VA_ARGS__, )
#define WEIR_PARAM_REAL(...) WEIR_PARAM_(WEIR_TYPE_REAL, __VA_ARGS__, )
#define WEIR_PARAM_BOOL(...) WEIR_PARAM_(WEIR_TYPE_BOOL, __VA_ARGS__, )
#define WEIR_PARAM_SIZE(...) WEIR_PARAM_(WEIR_TYPE_SIZE, __VA_ARGS__, )
#define WEIR_PARAM_DURATION(...) WEIR_PARAM_(WEIR_TYPE_DURATION, __VA_ARGS__, )
#define WEIR_PARAM_CHOICE(...) WEIR_PARAM_(WEIR_TYPE_CHOICE, __VA_ARGS__, )
#define WEIR_PARAM_LIST(...) WEIR_PARAM_(WEIR_TYPE_LIST, __VA_ARGS__, )
#define WEIR_PARAM_(kind, type_, field_, default_, ...)                        \
    WEIR_PARAM(kind, type_, field_, default_, __VA_ARGS__)

/* One task. Only name, summary and run are needed. */
typedef struct weir_task {
    const char *name;    /* [a-z][a-z0-9_-]*, at most 64; NULL ends the
                          * array */
    const char *summary; /* one line for people */
    int (*run)(weir_call *call);
    int (*open)(weir_call *call);
    int (*close)(weir_call *call);
    int (*flush)(weir_call *call);
    int (*check)(weir_call *call);        /* only params and fail work here */
    int (*save)(weir_call *call, int fd); /* write all state to fd */
    int (*load)(weir_call *call, int fd); /* read what save wrote */
    const weir_param *params;             /* ends with { 0 }; may be NULL */
    /* Names parted by one space; NULL: one output called "out"; "": none, a
     * sink. Outputs are numbered from 0 in this order. */
    const char *outputs;
    /* Name of the SIZE parameter that bounds what is emitted, or NULL. The
     * queue's `bytes` is raised to twice that when the job does not set it. */
    const char *largest;
    bool source; /* makes items from nothing */
    bool single; /* one worker; more is an error */
    bool shares; /* a source whose workers can part the work (weir_share) */
    /* Its flush misses nothing when a worker before has died: it only tidies
     * up, as a sink that syncs does. So without save, too, the run goes on. */
    bool stateless;
} weir_task;

typedef struct weir_descriptor {
    uint32_t abi;             /* WEIR_ABI */
    uint32_t descriptor_size; /* sizes of the structs as this plugin was */
    uint32_t task_size;       /* compiled, so that they can grow */
    uint32_t param_size;
    const char *name;    /* must be the file's name without .so */
    const char *version; /* the plugin's own */
    const char *summary; /* one line; may be NULL */
    const weir_task *tasks;
} weir_descriptor;

#if defined __GNUC__
#define WEIR_EXPORT_ __attribute__((__visibility__("default")))
#else
#define WEIR_EXPORT_
#endif

/* Plugins that are built into a program are told apart by a prefix. */
#ifdef WEIR_PLUGIN_PREFIX
#define WEIR_JOIN__(a, b) a##b
#define WEIR_JOIN_(a, b) WEIR_JOIN__(a, b)
#define WEIR_DESCRIPTOR_ WEIR_JOIN_(WEIR_PLUGIN_PREFIX, _LTX_weir_plugin)
#else
#define WEIR_DESCRIPTOR_ weir_plugin
#endif

#ifdef __cplusplus
#define WEIR_EXTERN_ extern "C"
#else
#define WEIR_EXTERN_ extern
#endif

#define WEIR_PLUGIN(...)                                                       \
    WEIR_EXTERN_ WEIR_EXPORT_ const weir_descriptor WEIR_DESCRIPTOR_;          \
    WEIR_EXPORT_ const weir_descriptor WEIR_DESCRIPTOR_ = {                    \
        .abi = WEIR_ABI,                                                       \
        .descriptor_size = sizeof(weir_descriptor),                            \
        .task_size = sizeof(weir_task),                                        \
        .param_size = sizeof(weir_param),                                      \
        __VA_ARGS__                                                            \
    }

/**
 * weir_params - the task's parameters, parsed
 *
 * Returns a pointer to the struct that the parameters were described for;
 * NULL when the task has none. Read only, there as long as the process.
 */
static inline const void *weir_params(weir_call *call)
{
    return call->table->params(call);
}

/* weir_state, weir_set_state - a pointer of the task's own, per worker; NULL
 * at first. What it points to is the task's: free it in close. */
static inline void *weir_state(weir_call *call)
{
    return call->table->state(call);
}

static inline void weir_set_state(weir_call *call, void *state)
{
    call->table->set_state(call, state);
}

/**
 * weir_input - the item's bytes, read in place
 *
 * Valid until the call ends; empty in a source, open, flush and close.
 */
static inline weir_bytes weir_input(weir_call *call)
{
    return call->table->input(call);
}

/**
 * weir_attr - an attribute of the item
 * @value_out: its bytes, valid until the call ends; not NUL-ended
 *
 * Returns 0, or WEIR_EEMPTY when the item has none of that name.
 */
static inline int weir_attr(weir_call *call, const char *name,
                            weir_bytes *value_out)
{
    return call->table->attr(call, name, value_out);
}

/**
 * weir_set_attr - set an attribute of what this call emits from now on
 * @name:  as names of tasks are; at most 64 bytes
 * @value: copied; size 0 with NULL takes the attribute away
 *
 * Outputs inherit their input's attributes; this changes them until the call
 * ends. Returns 0; WEIR_EINVAL; WEIR_ETOOBIG when all of them would pass
 * 4 KiB; WEIR_ENOMEM; WEIR_ESTATE outside of run and flush.
 */
static inline int weir_set_attr(weir_call *call, const char *name,
                                const void *value, size_t size)
{
    return call->table->set_attr(call, name, value, size);
}

/* weir_id - the item's id: two numbers that stay the same in every attempt
 * and in every run over the same input. */
static inline void weir_id(weir_call *call, uint64_t *root_out,
                           uint64_t *path_out)
{
    call->table->id(call, root_out, path_out);
}

/* weir_attempt - 1 for the first try at this item. */
static inline unsigned weir_attempt(weir_call *call)
{
    return call->table->attempt(call);
}

/**
 * weir_emit - give an item to an output, by copy
 * @output: number of the output, from 0
 *
 * May wait for room. Returns 0, or a code that the task must return at once:
 *   WEIR_ETOOBIG    can never fit the queue; the item in hand fails for good
 *   WEIR_ECANCELED  the run is being stopped
 *   WEIR_ENOMEM, WEIR_EINVAL (no such output), WEIR_ESTATE (a reservation
 *   is open, or not in run or flush), WEIR_EBROKEN
 */
static inline int weir_emit(weir_call *call, unsigned output, const void *data,
                            size_t size)
{
    return call->table->emit(call, output, data, size);
}

/**
 * weir_reserve - room for an item of an output, to be written in place
 * @room:     the most that it may become, bytes
 * @data_out: where to write; until weir_submit. Aligned to 64 when room > 64
 *
 * One reservation is open at a time. Returns as weir_emit.
 */
static inline int weir_reserve(weir_call *call, unsigned output, size_t room,
                               void **data_out)
{
    return call->table->reserve(call, output, room, data_out);
}

/* weir_submit - the reserved item is complete; size <= room. Returns 0,
 * WEIR_EINVAL or WEIR_ESTATE. A reservation never submitted is dropped when
 * the call ends. */
static inline int weir_submit(weir_call *call, size_t size)
{
    return call->table->submit(call, size);
}

/* weir_pass - give the input itself to an output; no byte is copied. Returns
 * as weir_emit; WEIR_ESTATE where there is no input. */
static inline int weir_pass(weir_call *call, unsigned output)
{
    return call->table->pass(call, output);
}

/**
 * weir_fail - say that this call failed, and why
 * @verdict: WEIR_TRANSIENT, WEIR_PERMANENT, WEIR_SKIP or WEIR_FATAL
 * @format:  a sentence: lower case, no full stop; 500 bytes are kept
 *
 * Returns @verdict: `return weir_fail(...)`.
 */
#if defined __GNUC__
__attribute__((__format__(__printf__, 3, 4)))
#endif
static inline int
weir_fail(weir_call *call, enum weir_verdict verdict, const char *format, ...)
{
    va_list args;
    int result;

    va_start(args, format);
    result = call->table->fail(call, (int)verdict, NULL, format, args);
    va_end(args);
    return result;
}

/* weir_refuse - in check: this parameter is wrong, and why. Returns
 * WEIR_PERMANENT. */
#if defined __GNUC__
__attribute__((__format__(__printf__, 3, 4)))
#endif
static inline int
weir_refuse(weir_call *call, const char *param, const char *format, ...)
{
    va_list args;
    int result;

    va_start(args, format);
    result = call->table->fail(call, WEIR_PERMANENT, param, format, args);
    va_end(args);
    return result;
}

/**
 * weir_append - append bytes to a file, exactly once
 * @fd:   the file, opened for writing (not O_APPEND) by this worker; the same
 *        one in all calls for an item
 * @data: copied, unless it lies in the input
 *
 * They are written when the item is committed; bytes of items that were not
 * are overwritten, and cut off at the end of the stage. Any number of workers
 * of the stage may append to one file; nothing else may write to it meanwhile.
 * Returns 0; WEIR_EINVAL (not a regular file, or a second file for one item);
 * WEIR_ENOMEM; WEIR_ESTATE; or the negated errno of fstat.
 */
static inline int weir_append(weir_call *call, int fd, const void *data,
                              size_t size)
{
    return call->table->append(call, fd, data, size);
}

/**
 * weir_rename - rename a finished file when the item is committed
 * @from: a temporary name; write and sync the file before
 * @to:   its final name, on the same file system; replaced if it is there
 *
 * Both absolute, each at most 4,095 bytes. Returns 0, WEIR_EINVAL, WEIR_ENOMEM
 * or WEIR_ESTATE.
 */
static inline int weir_rename(weir_call *call, const char *from, const char *to)
{
    return call->table->rename(call, from, to);
}

/**
 * weir_cursor - where a source goes on
 * @cursor_out: the last cursor that was committed; size 0: from the start
 *
 * Returns 0; WEIR_ESTATE in a task that is no source.
 */
static inline int weir_cursor(weir_call *call, weir_bytes *cursor_out)
{
    return call->table->cursor(call, cursor_out);
}

/**
 * weir_set_cursor - all before this place has been emitted
 * @cursor: any bytes, at most 64, copied
 *
 * Committed together with what was emitted before it. A successor of a killed
 * worker starts there; emits behind the last cursor are repeated by it in the
 * same order, and counted once. Returns 0, WEIR_EINVAL or WEIR_ESTATE.
 *
 * What a source cannot read it tells by a call of run that emits nothing, sets
 * the cursor behind it, and returns weir_fail with WEIR_PERMANENT: the failure
 * is counted and told, the cursor is committed, and run is called again. After
 * WEIR_TRANSIENT the task is closed, and opened again at the last cursor.
 */
static inline int weir_set_cursor(weir_call *call, const void *cursor,
                                  size_t size)
{
    return call->table->set_cursor(call, cursor, size);
}

/**
 * weir_pause - a source waits, with all that it has emitted given on
 *
 * Only right after weir_set_cursor. Returns 0 after @pause_ns;
 * WEIR_ECANCELED at once when the run is being stopped.
 */
static inline int weir_pause(weir_call *call, int64_t pause_ns)
{
    return call->table->pause(call, pause_ns);
}

/* weir_share - which part of the work is this worker's: index of count. */
static inline void weir_share(weir_call *call, unsigned *index_out,
                              unsigned *count_out)
{
    call->table->share(call, index_out, count_out);
}

/**
 * weir_expand - put attributes into a text
 * @text: may hold ${item.NAME}: attribute NAME of the input; ${item.id},
 *        ${item.stem}, ${item.name}, ${item.dir} (parts of `path`); other
 *        braces are themselves
 *
 * $${ is a literal ${. Returns the length without the NUL; WEIR_EEMPTY when
 * an attribute is not there, WEIR_EINVAL when its value has a NUL byte (in
 * both cases weir_fail has been called, PERMANENT: return WEIR_PERMANENT);
 * WEIR_ETOOBIG when @room is too small.
 */
static inline int weir_expand(weir_call *call, const char *text, char *out,
                              size_t room)
{
    return call->table->expand(call, text, out, room);
}

/* weir_stopping - true when the run is being stopped: a source may end. */
static inline bool weir_stopping(weir_call *call)
{
    return call->table->stopping(call);
}

/**
 * weir_heartbeat - say that this call takes long, and is well
 *
 * A job's `heartbeat` is the longest time without such a sign of life; each
 * output is one, too. Cheap: in a loop it may be called each time. In a host
 * that is older than this function, nothing.
 */
static inline void weir_heartbeat(weir_call *call)
{
    const struct weir_table *table = call->table;

    if (table->size >= offsetof(struct weir_table, overdue) && table->heartbeat)
        table->heartbeat(call);
}

/* weir_overdue - true when this call has taken longer than the soft limit of
 * the job's `timeout`: what it can give up, it should, before the hard one ends
 * its worker. False in a host that is older than this function. */
static inline bool weir_overdue(weir_call *call)
{
    const struct weir_table *table = call->table;

    return table->size >= sizeof *table && table->overdue &&
           table->overdue(call);
}

/* weir_log - a line for the people who watch the run. */
#if defined __GNUC__
__attribute__((__format__(__printf__, 3, 4)))
#endif
static inline void
weir_log(weir_call *call, enum weir_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    call->table->log(call, (int)level, format, args);
    va_end(args);
}

#ifdef __cplusplus
}
#endif
#endif
