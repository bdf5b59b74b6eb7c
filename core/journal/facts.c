/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts.c - what a run depends on, and what of it has changed. Runs in the
 * command's own process, before anything is started. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weir/version.h>

#include "base/identity.h"
#include "journal/facts.h"

enum { INPUTS_MOST = 10000 }; /* of a stage, one by one; the rest as a sum */
#define PLUGIN_MOST ((size_t)64 << 20)

static void take_stat(struct record_fact *fact, const struct stat *st)
{
    fact->size = (uint64_t)st->st_size;
    fact->dev = (uint64_t)st->st_dev;
    fact->ino = (uint64_t)st->st_ino;
    fact->mtime_ns = st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

/* --------------------------------------------------------------- plugins ----
 */

/* A plugin is known by its bytes: one that was built again may be the same. */
static int hash_file(const char *path, uint64_t *out)
{
    CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP_BUF struct buf all = { 0 };
    int code = fd < 0 ? -errno : fd_slurp(fd, &all, PLUGIN_MOST);

    if (code < 0)
        return code;
    *out = hash_bytes(all.data, all.size, 0);
    return 0;
}

static int add_plugin(const struct job *job, const char *name,
                      struct record_run *out)
{
    CLEANUP_FREE char *file = NULL;
    struct record_fact *fact;
    struct stat st;

    for (size_t i = 0; i < out->facts.count; i++)
        if (strcmp(out->facts.at[i].kind, "plugin") == 0 &&
            strcmp(out->facts.at[i].name, name) == 0)
            return 0;
    if (plugin_where(&job->path, name, &file) < 0)
        file = NULL;
    fact = record_add_fact(out, "plugin", name,
                           file != NULL ? file : "built in");
    if (fact == NULL)
        return WEIR_ENOMEM;
    if (file == NULL || stat(file, &st) < 0)
        return 0;
    take_stat(fact, &st);
    fact->dev = 0;
    return hash_file(file, &fact->ino) == WEIR_ENOMEM ? WEIR_ENOMEM : 0;
}

/* ---------------------------------------------------------------- inputs ----
 */

struct inputs {
    struct record_run *out;
    const char *stage;
    size_t count;
    uint64_t more, hash; /* of those beyond INPUTS_MOST */
};

static int add_input(struct inputs *inputs, const char *path,
                     const struct stat *st)
{
    struct record_fact *fact, seen = { .size = 0 };

    take_stat(&seen, st);
    if (inputs->count >= INPUTS_MOST) {
        inputs->more++;
        inputs->hash = hash_mix(hash_bytes(path, strlen(path), inputs->hash),
                                hash_mix(seen.size, (uint64_t)seen.mtime_ns));
        return 0;
    }
    inputs->count++;
    fact = record_add_fact(inputs->out, "input", inputs->stage, path);
    if (fact == NULL)
        return WEIR_ENOMEM;
    take_stat(fact, st);
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_below(struct inputs *inputs, const char *path)
{
    char *paths[] = { (char *)path, NULL };
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    FTSENT *entry;
    int code = 0;

    if (walk == NULL)
        return -errno;
    while (code == 0 && (entry = fts_read(walk)) != NULL)
        if (entry->fts_info == FTS_F)
            code = add_input(inputs, entry->fts_path, entry->fts_statp);
    if (code == 0 && errno != 0) /* not all of it was seen */
        code = -errno;
    fts_close(walk);
    return code;
}

static int add_path(struct inputs *inputs, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return add_below(inputs, path);
    return S_ISREG(st.st_mode) ? add_input(inputs, path, &st) : 0;
}

static int add_matches(struct inputs *inputs, const char *text)
{
    glob_t found = { 0 };
    int code = 0, result;

    if (access(text, F_OK) == 0)
        return add_path(inputs, text);
    if (strpbrk(text, "*?[{") == NULL)
        return 0;
    result = glob(text, GLOB_BRACE, NULL, &found);
    if (result == GLOB_NOSPACE)
        code = WEIR_ENOMEM;
    if (result == 0)
        for (size_t i = 0; i < found.gl_pathc && code == 0; i++)
            code = add_path(inputs, found.gl_pathv[i]);
    globfree(&found);
    return code;
}

static int add_inputs(const struct job_stage *stage, struct record_run *out)
{
    struct inputs inputs = { .out = out, .stage = stage->name };
    struct record_fact *fact;
    int code = 0;

    if (stage->from.count > 0)
        return 0;
    for (size_t i = 0; i < stage->params.count && code == 0; i++)
        for (size_t k = 0; k < stage->params.at[i].texts.count && code == 0;
             k++)
            code = add_matches(&inputs, stage->params.at[i].texts.at[k]);
    if (code < 0 || inputs.more == 0)
        return code;
    fact = record_add_fact(out, "input", stage->name, "(all the others)");
    if (fact == NULL)
        return WEIR_ENOMEM;
    fact->size = inputs.more;
    fact->mtime_ns = (int64_t)inputs.hash;
    return 0;
}

/* ------------------------------------------------------------------ ends ----
 */

/* A file is known by its path; a pipe has none. The name is where the run
 * began in it. */
static int add_end(struct record_run *out, const char *kind, int fd)
{
    char link[64], path[PATH_MAX] = "", start[32] = "0";
    struct record_fact *fact;
    struct identity is;
    struct stat st;
    ssize_t size;
    off_t at;

    if (fstat(fd, &st) < 0 || identity_of(fd, &is) < 0)
        return 0;
    if (S_ISREG(st.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        size = readlink(link, path, sizeof path - 1);
        path[size < 0 ? 0 : size] = '\0';
        at = (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? st.st_size
                                                  : lseek(fd, 0, SEEK_CUR);
        snprintf(start, sizeof start, "%lld", (long long)(at < 0 ? 0 : at));
    }
    fact = record_add_fact(out, kind, start, path);
    if (fact == NULL)
        return WEIR_ENOMEM;
    take_stat(fact, &st);
    fact->born = is.born;
    return 0;
}

/* ------------------------------------------------------------------- all ----
 */

static int add_texts(struct record_run *out, const char *kind,
                     const char *const *texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        if (record_add_fact(out, kind, "", texts[i]) == NULL)
            return WEIR_ENOMEM;
    return 0;
}

static int add_stage(const struct job *job, const struct job_stage *stage,
                     struct record_run *out)
{
    struct record_stage *it = VEC_ADD(&out->stages);

    if (it == NULL || (it->name = strdup(stage->name)) == NULL ||
        asprintf(&it->task, "%s.%s", stage->plugin, stage->task) < 0)
        return WEIR_ENOMEM;
    it->workers = stage->workers;
    if (add_plugin(job, stage->plugin, out) < 0)
        return WEIR_ENOMEM;
    return add_inputs(stage, out);
}

typedef VEC(int) queue_list;

static int add_filled(const struct job *job, int queue, queue_list *out)
{
    int *slot;

    if (queue < 0 || (size_t)queue >= job->queues.count ||
        job->queues.at[queue].overflow == WEIR_OVERFLOW_BLOCK)
        return 0;
    slot = VEC_ADD(out);
    if (slot == NULL)
        return WEIR_ENOMEM;
    *slot = queue;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Those that a stage fills and that may be full without holding it up, in the
 * job's order; one that is filled from two outputs twice. */
static int list_filled(const struct job *job, const struct job_stage *stage,
                       queue_list *out)
{
    int code = add_filled(job, stage->failed, out);

    for (size_t i = 0; i < stage->outputs.count; i++)
        for (size_t k = 0; k < stage->outputs.at[i].to.count && code == 0; k++)
            code = add_filled(job, stage->outputs.at[i].to.at[k], out);
    if (out->count > 1)
        qsort(out->at, out->count, sizeof *out->at, by_number);
    return code;
}

static int add_overflow(const struct job_queue *queue,
                        const struct job_stage *stage, struct record_run *out)
{
    CLEANUP_FREE char *value = NULL;

    if (asprintf(&value, "%s: %s", queue->name,
                 job_overflow_word(queue->overflow)) < 0)
        return WEIR_ENOMEM;
    return record_add_fact(out, "overflow", stage->name, value) == NULL
               ? WEIR_ENOMEM
               : 0;
}

/* Which of a stage's books counts which queue follows from these. */
static int add_overflows(const struct job *job, const struct job_stage *stage,
                         struct record_run *out)
{
    queue_list filled = { 0 };
    int code = list_filled(job, stage, &filled);

    for (size_t i = 0; i < filled.count && code == 0; i++)
        if (i == 0 || filled.at[i] != filled.at[i - 1])
            code = add_overflow(&job->queues.at[filled.at[i]], stage, out);
    VEC_DONE(&filled);
    return code;
}

static int gather(const struct job *job, const struct job_options *options,
                  int input, int output, struct record_run *out)
{
    int code = add_texts(out, "set", options->sets);

    if (code == 0)
        code = add_texts(out, "plugin-path", options->plugin_paths);
    for (size_t i = 0; i < job->stages.count && code == 0; i++)
        code = add_stage(job, &job->stages.at[i], out);
    for (size_t i = 0; i < job->stages.count && code == 0; i++)
        code = add_overflows(job, &job->stages.at[i], out);
    if (code == 0 && job->uses_stdin)
        code = add_end(out, "stdin", input);
    if (code == 0 && job->uses_stdout)
        code = add_end(out, "stdout", output);
    out->version = strdup(weir_version());
    out->job = strdup(job->name);
    out->text = strndup(job->text, job->text_size);
    out->text_size = job->text_size;
    out->workers = options->workers;
    if (out->version == NULL || out->job == NULL || out->text == NULL)
        return WEIR_ENOMEM;
    return code;
}

/* Where it is. */
static int add_places(const struct job *job, struct record_run *out,
                      weir_error *err)
{
    int code = folder_here(&out->cwd, err);

    if (code < 0)
        return code;
    out->file = realpath(job->file, NULL);
    return out->file == NULL
               ? error_sys(err, -errno, "cannot name '%s'", job->file)
               : 0;
}

int facts_gather(const struct job *job, const struct job_options *options,
                 int input, int output, struct record_run *out, weir_error *err)
{
    int code;

    if (strcmp(job->file, "-") == 0)
        return error_set(err, WEIR_EINVAL,
                         "a job that comes from standard input cannot be "
                         "resumed: put it into a file, or leave out --journal");
    code = add_places(job, out, err);
    if (code < 0)
        return code;
    code = gather(job, options, input, output, out);
    return code < 0 ? error_set(err, code,
                                "what the run depends on cannot be "
                                "noted: %s",
                                weir_strerror(code))
                    : 0;
}

/* ----------------------------------------------------------- comparison ----
 */

const struct record_fact *facts_find(const struct record_run *run,
                                     const char *kind)
{
    for (size_t i = 0; i < run->facts.count; i++)
        if (strcmp(run->facts.at[i].kind, kind) == 0)
            return &run->facts.at[i];
    return NULL;
}

static bool is_overflow(const struct record_run *run, size_t i)
{
    return i < run->facts.count &&
           strcmp(run->facts.at[i].kind, "overflow") == 0;
}

bool facts_same_overflow(const struct record_run *before,
                         const struct record_run *now)
{
    size_t i = 0, k = 0;

    for (;; i++, k++) {
        while (i < before->facts.count && !is_overflow(before, i))
            i++;
        while (k < now->facts.count && !is_overflow(now, k))
            k++;
        if (!is_overflow(before, i) || !is_overflow(now, k))
            return is_overflow(before, i) == is_overflow(now, k);
        if (strcmp(before->facts.at[i].name, now->facts.at[k].name) != 0 ||
            strcmp(before->facts.at[i].value, now->facts.at[k].value) != 0)
            return false;
    }
}

static char *key_of(const struct record_fact *fact)
{
    bool plugin = strcmp(fact->kind, "plugin") == 0;
    char *key = NULL;

    return asprintf(&key, "%s\n%s\n%s", fact->kind, fact->name,
                    plugin ? "" : fact->value) < 0
               ? NULL
               : key;
}

static bool is_compared(const struct record_fact *fact)
{
    return strcmp(fact->kind, "plugin") == 0 ||
           strcmp(fact->kind, "input") == 0;
}

static void say_changed(const struct record_fact *was,
                        const struct record_fact *is, struct buf *out)
{
    char a[32], b[32];

    if (strcmp(was->kind, "plugin") == 0) {
        if (strcmp(was->value, is->value) != 0)
            buf_printf(out, "plugin '%s' was %s, and is %s\n", was->name,
                       was->value, is->value);
        else if (was->ino != is->ino || was->size != is->size)
            buf_printf(out, "plugin '%s' (%s) has changed\n", was->name,
                       was->value);
        return;
    }
    text_from_size(a, was->size);
    text_from_size(b, is->size);
    if (was->size != is->size && strcmp(a, b) == 0)
        buf_printf(out,
                   "input '%s' of stage '%s' had %" PRIu64
                   " bytes, and has %" PRIu64 "\n",
                   was->value, was->name, was->size, is->size);
    else if (was->size != is->size)
        buf_printf(out, "input '%s' of stage '%s' had %s, and has %s\n",
                   was->value, was->name, a, b);
    else if (was->mtime_ns != is->mtime_ns)
        buf_printf(out, "input '%s' of stage '%s' was written to since\n",
                   was->value, was->name);
}

static int index_facts(const struct record_run *run, struct map *map)
{
    for (size_t i = 0; i < run->facts.count; i++) {
        CLEANUP_FREE char *key = key_of(&run->facts.at[i]);
        uintptr_t *value = key == NULL ? NULL
                                       : map_put(map, key, strlen(key), NULL);

        if (value == NULL)
            return WEIR_ENOMEM;
        *value = i + 1;
    }
    return 0;
}

/* Each of @one that is compared, and what stands for it in @two. */
static int compare_one_way(const struct record_run *one,
                           const struct record_run *two, bool back,
                           struct buf *out)
{
    struct map map = { 0 };
    int code = index_facts(two, &map);

    for (size_t i = 0; i < one->facts.count && code == 0; i++) {
        const struct record_fact *fact = &one->facts.at[i];
        CLEANUP_FREE char *key = key_of(fact);
        uintptr_t *at = key != NULL ? map_get(&map, key, strlen(key)) : NULL;

        if (key == NULL)
            code = WEIR_ENOMEM;
        else if (!is_compared(fact))
            continue;
        else if (at == NULL)
            buf_printf(out, "%s '%s'%s%s%s %s\n", fact->kind,
                       back || fact->kind[0] == 'i' ? fact->value : fact->name,
                       fact->kind[0] == 'i' ? " of stage '" : "",
                       fact->kind[0] == 'i' ? fact->name : "",
                       fact->kind[0] == 'i' ? "'" : "",
                       back ? "is new" : "is gone");
        else if (!back)
            say_changed(fact, &two->facts.at[*at - 1], out);
    }
    map_done(&map);
    return code;
}

int facts_compare(const struct record_run *before, const struct record_run *now,
                  struct buf *out)
{
    int code;

    if (before->version != NULL && strcmp(before->version, now->version) != 0)
        buf_printf(out, "weir was %s, and is %s\n", before->version,
                   now->version);
    if (before->text_size != now->text_size ||
        memcmp(before->text, now->text, now->text_size) != 0)
        buf_printf(out, "the job file '%s' has changed\n", now->file);
    code = compare_one_way(before, now, false, out);
    if (code == 0)
        code = compare_one_way(now, before, true, out);
    return code < 0 || out->failed ? WEIR_ENOMEM : 0;
}
