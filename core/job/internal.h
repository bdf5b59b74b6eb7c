/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - what the files of core/job share with each other and with their
 * tests; no other room includes it.
 *
 * A job file goes through them in this order: bytes.c (is it text at all),
 * yaml.c (a tree whose nodes have marks), schema.c (the table of keys),
 * expand.c (variables), read.c and wire.c (the tree into a struct job), bind.c
 * (plugins, in a nursery), settle.c (what the tasks say against what the job
 * says), graph.c. Each goes on after a mistake as far as it can, so that all of
 * them are told at once; what was wrong once is NULL or NODE_BAD afterwards,
 * and nobody complains about it again.
 */
#ifndef JOB_INTERNAL_H
#define JOB_INTERNAL_H

#include "job/job.h"

/* How many names may be compared for "did you mean" in one file. */
#define NEAR_MOST 200000

enum {
    DEPTH_MOST = 64,
    NODES_MOST = 4000000,     /* of one file */
    FILE_MOST = 16 << 20,     /* bytes */
    EXPANDED_MOST = 16 << 20, /* bytes of all texts with variables */
    SHOWN_MOST = 100,         /* mistakes that are printed */
    DIAGS_MOST = 10000,       /* and that are kept */
    ITEM_MOST = 1 << 30,      /* bytes */
    JOB_QUEUES_MOST = 4000,   /* a segment's, less what the runner needs */
    JOB_WORKERS_MOST = 4000,  /* of all stages */
    JOB_RETRIES_MOST = 60000, /* attempts are counted in 16 bits */
    QUOTE_ROOM = 136,
};

/* ---------------------------------------------------------------- bytes ----
 */

/* Size of the character at @data, 1..4; 1 for a byte that is none. */
size_t char_size(const char *data, size_t size);
/* Size of the line break at @data: "\n", "\r\n" or "\r"; 0: none. */
size_t break_size(const char *data, size_t size);
/* A byte order mark at the start: 3, else 0. */
size_t bom_size(const char *data, size_t size);

/* Refuses what is no UTF-8 text of a job file: NULs, controls, other
 * encodings. After any of these libyaml would fail without a place. */
void bytes_check(const char *data, size_t size, struct diags *diags);

/* @text for a message: escaped, cut; @out has QUOTE_ROOM bytes; returns it. */
const char *quote(char *out, const char *text);
#define QUOTE(text) quote((char[QUOTE_ROOM]){ 0 }, (text))

/* ----------------------------------------------------------------- tree ----
 */

enum node_kind {
    NODE_TEXT,
    NODE_LIST,
    NODE_MAP,
    NODE_BAD, /* a mistake that was told */
};

struct node {
    uint8_t kind; /* enum node_kind */
    bool plain;   /* a text without quotes */
    bool flow;    /* a list or map in brackets */
    bool varied;  /* a variable stood in it: quotes mean nothing */
    struct mark mark;
    uint32_t at, end; /* a text's place in the file, bytes */
    const char *text; /* ends with a NUL that `size` does not count */
    size_t size;
    size_t count;              /* of children */
    struct node *first, *last; /* entries of a list, keys of a map */
    struct node *next;         /* the next of its kind */
    struct node *value;        /* of a key */
};

/* What lives as long as the reading of one file. */
struct arena {
    struct arena_block *blocks;
};
void *arena_take(struct arena *arena, size_t size); /* zeroed; NULL */
char *arena_copy(struct arena *arena, const char *text, size_t size);
void arena_done(struct arena *arena);

/* The file's one document; NULL when there is none that is worth reading, with
 * a mistake told. 0 or WEIR_ENOMEM. */
int tree_read(const char *data, size_t size, struct arena *arena,
              struct diags *diags, struct node **root_out);

/* A sentence about where libyaml has stopped. */
struct yaml_parser_s;
void tree_explain(struct diags *diags, const struct yaml_parser_s *parser,
                  const char *data, size_t size);

/* ------------------------------------------------------------ the table ----
 */

enum level {
    LEVEL_JOB,
    LEVEL_VAR,
    LEVEL_QUEUE,
    LEVEL_STAGE,
    LEVEL_DEFAULTS, /* stage keys, those marked so */
    LEVEL_LIMIT,
    LEVEL_BACKOFF,
    LEVEL_WAIT,
    LEVEL_HALT,
    LEVEL_RECYCLE,
    LEVEL_STDIN,
    LEVEL_STDOUT,
    LEVEL_WITH, /* has no keys of its own: the task's parameters */
};

enum key_type {
    KEY_NAME,
    KEY_TEXT,
    KEY_COUNT,
    KEY_SIZE,
    KEY_DURATION,
    KEY_CHOICE,
    KEY_MAP,
    KEY_LIST,   /* of maps */
    KEY_TEXTS,  /* a text or a list of texts */
    KEY_TARGET, /* where items go */
    KEY_SHARE,  /* of a whole: 5% */
    KEY_REAL,
    KEY_EITHER, /* one value, or a map */
};

enum key_id {
    JOB_WEIR,
    JOB_JOB,
    JOB_DESCRIPTION,
    JOB_PLUGINS,
    JOB_VARS,
    JOB_DEFAULTS,
    JOB_QUEUES,
    JOB_STAGES,
    JOB_DEADLINE,
    VAR_TYPE,
    VAR_DEFAULT,
    VAR_DESCRIPTION,
    QUEUE_CAPACITY,
    QUEUE_BYTES,
    QUEUE_NAME,
    QUEUE_OVERFLOW,
    STAGE_NAME,
    STAGE_TASK,
    STAGE_WITH,
    STAGE_FROM,
    STAGE_TO,
    STAGE_WORKERS,
    STAGE_DISPATCH,
    STAGE_ORDER,
    STAGE_KEY,
    STAGE_RETRIES,
    STAGE_TIMEOUT,
    STAGE_AFTER,
    STAGE_FAILED,
    STAGE_HEARTBEAT,
    STAGE_MEMORY,
    LIMIT_SOFT,
    LIMIT_HARD,
    STAGE_BACKOFF,
    BACKOFF_ERROR,
    BACKOFF_CRASH,
    BACKOFF_TIMEOUT,
    WAIT_FIRST,
    WAIT_FACTOR,
    WAIT_MOST,
    WAIT_JITTER,
    STAGE_HALT,
    HALT_FAILURES,
    HALT_SHARE,
    HALT_WITHIN,
    HALT_LEAST,
    HALT_HOW,
    STAGE_RECYCLE,
    RECYCLE_ITEMS,
    RECYCLE_AGE,
    RECYCLE_MEMORY,
    STDIN_AS,
    STDOUT_FRAME,
    KEY_IDS,
    KEY_LATER = KEY_IDS, /* not in this version */
};

struct key {
    enum level level;
    const char *name;
    enum key_type type;
    enum key_id id;
    const char *value;     /* default, for the manual; NULL: none */
    const char *min, *max; /* as written */
    const char *words;     /* CHOICE: parted by one space */
    bool required;
    bool defaults; /* a stage key that `defaults` may have */
    const char *since;
    const char *summary;
};

/* Ends with name == NULL. */
extern const struct key job_keys[];

const struct key *key_find(enum level level, const char *name, size_t size);
const struct key *key_by_id(enum key_id id);

/* -------------------------------------------------------------- reading ----
 */

/* What a map had under its keys; NULL where nothing was, or nothing usable. */
struct slots {
    struct node *key[KEY_IDS];
    struct node *value[KEY_IDS];
    bool meant[KEY_IDS]; /* a stray looks like this key, which is not there */
};

/* A key that is in no table: told when it is known what the task takes. */
struct stray {
    struct node *key;
    struct node *map; /* where it stands */
    enum level level;
    int stage; /* -1: none */
    int queue;
};

struct raw_stage {
    struct slots slots;
    struct node *map;
    struct node *with; /* its key */
    bool bad_params;   /* a mistake in `with` was told */
    bool bad_to;       /* in `to` */
    bool bad_from;
    bool bad_task;
    bool own_workers; /* `workers` stands in the stage itself */
    bool own_failed;
    bool own_order;
    bool own_recycle;
    bool one_to;                   /* `to` names no output */
    VEC(struct mark) output_marks; /* of job_stage.outputs */
    VEC(struct mark) from_marks, after_marks;
    struct mark failed_mark;
    bool described;                /* desc is there */
    VEC(struct node *) param_keys; /* of job_stage.params */
};

/* What is being looked at; put into words when there is something to say. */
struct where {
    const char *kind; /* NULL: none */
    const char *name; /* NULL: not known */
    size_t number;    /* from 1 on; 0: none */
};

struct reading {
    struct job *job;
    struct diags *diags;
    const struct job_options *options;
    struct arena arena;
    int code; /* WEIR_ENOMEM: no memory; nothing goes on */
    struct slots top;
    struct slots defaults;
    struct map vars, queues, stages; /* name to number + 1 */
    VEC(struct raw_stage) raw;       /* one for each stage */
    VEC(struct stray) strays;
    size_t expanded;  /* bytes */
    size_t near_left; /* names that may still be compared: see map_nearest */
    struct mark stdin_mark, stdout_mark;
    bool frame_said;
    struct mark frame_mark;
    bool holes;         /* a stage could not be read at all */
    struct where where; /* before each message */
    /* What messages call the key whose value is read now; NULL: as it is. */
    const char *alias;
};

/* Before each message from now on: "stage 'x': "; without a name "stage 2: ",
 * without a number "defaults: "; @kind NULL: nothing. @name stays the caller's,
 * until the next one. */
void where_set(struct reading *reading, const char *kind, const char *name,
               size_t number);
/* A mistake; with what `where` says. */
void mistake(struct reading *reading, struct mark mark, const char *format, ...)
    WEIR_PRINTF(3, 4);
/* There was no memory. */
void starved(struct reading *reading);
char *keep_copy(struct reading *reading, const char *text); /* malloc */

/* schema.c: a map's keys into slots. Later keys and strays are seen to. */
void slots_read(struct reading *reading, struct node *map, enum level level,
                int stage, int queue, struct slots *out);
/* "a list"; what a node is, for messages. */
const char *node_words(const struct node *node);
bool node_is_null(const struct node *node);
void strays_tell(struct reading *reading);
/* What a key that is unknown at @level may mean; true when it was told. */
bool stray_explain(struct reading *reading, const struct stray *stray);

/* value.c: the value of a key, by its type and bounds. False: there is none,
 * or a mistake was told. */
bool value_text(struct reading *reading, const struct slots *slots,
                enum key_id id, const char **out);
bool value_name(struct reading *reading, const struct slots *slots,
                enum key_id id, const char **out);
bool value_count(struct reading *reading, const struct slots *slots,
                 enum key_id id, uint64_t *out);
bool value_size(struct reading *reading, const struct slots *slots,
                enum key_id id, uint64_t *out);
bool value_duration(struct reading *reading, const struct slots *slots,
                    enum key_id id, int64_t *out);
bool value_share(struct reading *reading, const struct slots *slots,
                 enum key_id id, double *out); /* of 1 */
bool value_real(struct reading *reading, const struct slots *slots,
                enum key_id id, double *out);
bool value_choice(struct reading *reading, const struct slots *slots,
                  enum key_id id, unsigned *out);
/* The map under a key; NULL. */
struct node *value_map(struct reading *reading, const struct slots *slots,
                       enum key_id id);
/* A text that is no list or map and has a value: what it is called in
 * messages is @what ("'workers'"). */
bool node_text(struct reading *reading, const struct node *node,
               const char *what, const char *kind);

/* expand.c: variables. */
void vars_read(struct reading *reading);
/* Replaces ${name} in all texts of the tree but keys. */
void tree_expand(struct reading *reading, struct node *node);

/* read.c: all of the tree but `from`, `to`, `after`, `failed`: wire.c. */
void job_read(struct reading *reading, struct node *root);
void stages_wire(struct reading *reading);
bool name_is_reserved(const char *name);
/* The nearest name in a map of names. NULL: none, or so much was compared
 * before that the time would be felt. */
const char *map_nearest(struct reading *reading, const struct map *map,
                        const char *name);
/* The texts under a key that takes one or a list of them. */
struct nodes {
    VEC(const struct node *) list;
};
bool value_texts(struct reading *reading, const struct slots *slots,
                 enum key_id id, struct nodes *out);
/* A queue by name for @what ("'failed'"); JOB_NONE: a mistake was told. */
int queue_find(struct reading *reading, const struct node *node,
               const char *what);
/* `failed` has one of a few values. False: a mistake was told. */
bool failed_read(struct reading *reading, const struct node *node, int *out);

/* faults.c: what a stage does about faults; and the job's deadline. */
void faults_read(struct reading *reading, const struct slots *slots,
                 struct job_stage *stage);
void faults_check(struct reading *reading, struct slots *slots);
void deadline_read(struct reading *reading);

/* bind.c, in the nursery. */
struct binding {
    struct job_bound bound; /* first: what workers get */
    const struct job_options *options;
    struct job *job;
    bool *skip_plugin; /* of each stage: its plugin has crashed */
    bool *skip_check;
    struct map plugins; /* tried before: struct plugin, or 0 */
    bool clean;         /* no mistake so far: `bound` is to be called */
};

/* How far a stage came; first word of what is told of it. */
enum bound_stage {
    BOUND_SKIPPED = 1,
    BOUND_NO_PLUGIN, /* counted sentence */
    BOUND_NO_TASK,   /* counted sentence */
    BOUND_TASK,      /* counted description, u64 largest, u32 count of mistakes:
                      * u32 parameter or BIND_NONE, counted name, sentence */
};
#define BIND_NONE UINT32_MAX

int bind_prepare(void *binding, struct buf *reply);
int binding_init(struct binding *binding, struct job *job,
                 const struct job_options *options);
void binding_done(struct binding *binding);
void job_bound_clear(struct job_bound *bound, const struct job *job);

/* load.c, in the owner: has plugins loaded and takes in what they are. Both
 * outs may be NULL. 0, or a code with err. */
int job_load(struct reading *reading, struct nursery **nursery_out,
             struct job_bound **bound_out, weir_error *err);

/* job.c: what comes before the plugins are loaded, and after; a fuzzer leaves
 * out what stands between them. */
bool job_text_read(struct reading *reading);
void job_text_judge(struct reading *reading);
void reading_done(struct reading *reading);

/* settle.c: what the tasks say against what the job says. */
void job_settle(struct reading *reading);
/* overflow.c: where it can be what the queues say. */
void overflow_check(struct reading *reading);
/* key.c: the key of a stage; and whether it can have one. */
void key_read(struct reading *reading, const struct slots *slots,
              struct job_stage *stage);
void key_check(struct reading *reading, int stage);
/* graph.c */
void job_graph(struct reading *reading);

#endif
