/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c - fuzzing of job files: bytes to graph, without plugins.
 *
 * Built plainly it reads every file of tests/data/jobs, whole, cut off, and
 * with bytes replaced, the same ones each time; or the files that it is given.
 * Built with clang's -fsanitize=fuzzer and -DWEIR_LIBFUZZER it is a target of
 * libFuzzer: `make tests/fuzz/job-libfuzzer`, and those files are its corpus.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As in job_open, with nothing where the plugins are. */
static void read_job(struct reading *reading)
{
    struct buf out = { 0 };

    if (job_text_read(reading))
        job_text_judge(reading);
    if (diag_print(reading->diags, &out, true) < 0 ||
        diag_json(reading->diags, &out) < 0)
        abort();
    if (reading->code == 0 && reading->diags->list.count == 0) {
        /* Something was understood: a job has stages. */
        if (reading->job->stages.count == 0)
            abort();
    }
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_options options = { .file = "fuzz", .workers = 2 };
    struct diags diags = { .file = "fuzz" };
    struct reading reading = { .diags = &diags,
                               .options = &options,
                               .near_left = NEAR_MOST };

    reading.job = calloc(1, sizeof *reading.job);
    if (!reading.job)
        abort();
    reading.job->text = malloc(size + 1);
    if (!reading.job->text)
        abort();
    if (size > 0)
        memcpy(reading.job->text, data, size);
    reading.job->text[size] = '\0';
    reading.job->text_size = size;
    diags.source = reading.job->text;
    diags.source_size = size;
    read_job(&reading);
    reading_done(&reading);
    job_free(&reading.job);
    diags_done(&diags);
    return 0;
}

#ifndef WEIR_LIBFUZZER

static void run(const char *data, size_t size)
{
    /* In memory of just this size: a sanitizer sees each step beyond. */
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static uint64_t random_next(uint64_t *state)
{
    *state = hash_mix(*state, 1);
    return *state;
}

/* Bytes that mean something in YAML. */
static const char odd[] = ":-[]{}\"'#&*!|>%@`,? \n\t\r$\0\x80\xff{~";

static void mutate(const struct buf *text, uint64_t seed)
{
    struct buf copy = { 0 };
    uint64_t state = seed;

    buf_add(&copy, text->data, text->size);
    for (int i = 0; i < 3 && copy.size > 0; i++) {
        uint64_t number = random_next(&state);
        size_t at = number % copy.size;

        if (number >> 62 == 0 && at + 1 < copy.size) {
            memmove(copy.data + at, copy.data + at + 1, copy.size - at - 1);
            copy.size--;
        } else {
            copy.data[at] = odd[(number >> 32) % (sizeof odd - 1)];
        }
    }
    run(copy.data, copy.size);
    buf_done(&copy);
}

static bool replay(const char *path, bool much)
{
    struct buf text = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int mutants = getenv("WEIR_LONG") ? 2000 : 40;

    if (fd < 0 || fd_slurp(fd, &text, FILE_MOST) < 0) {
        perror(path);
        fd_close(&fd);
        buf_done(&text);
        return false;
    }
    fd_close(&fd);
    buf_reserve(&text, 0);
    run(text.data, text.size);
    for (size_t size = 0; much && size < text.size; size += 1 + size / 8)
        run(text.data, size);
    for (int i = 0; much && i < mutants; i++)
        mutate(&text, hash_bytes(text.data, text.size, (uint64_t)i));
    buf_done(&text);
    return true;
}

static size_t replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    while (dir && (entry = readdir(dir))) {
        const char *end = strrchr(entry->d_name, '.');
        char path[512];

        if (!end || strcmp(end, ".yaml") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        count += replay(path, true);
    }
    if (dir)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    bool good = true;
    size_t count;

    for (int i = 1; i < argc; i++)
        good &= replay(argv[i], false);
    if (argc > 1)
        return good ? EXIT_SUCCESS : EXIT_FAILURE;
    count = replay_folder(TEST_JOBS);
    printf("%s 1 - the %zu job files of the corpus, cut and changed\n1..1\n",
           count > 100 ? "ok" : "not ok", count);
    return count > 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
