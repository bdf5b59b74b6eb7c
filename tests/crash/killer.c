/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * killer.c - kills processes under a runner at random, until there are none
 * left to kill or it has killed enough. Not the runner itself, and not the two
 * processes at a run's ends.
 *
 *     killer PID KILLS PAUSE_US SEED [FILE BYTES]
 *
 * With FILE it kills as that grows, so that its kills are spread over the work:
 * half of them by the time that it has half of so many bytes.
 *
 * Prints how many it has killed, and how many of them were nurseries (children
 * of the runner that have children); with FILE also how many by the time that
 * it had all of its bytes.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 512, HOUSE = 8 };

struct found {
    pid_t pids[MOST];
    bool nursery[MOST];
    size_t count;
};

/* A child of the runner that it replaces: a nursery, and those around the
 * store of failed items. */
static bool is_replaced(pid_t pid)
{
    char path[64], name[32] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(name, sizeof name, file))
        name[0] = '\0';
    fclose(file);
    return strcmp(name, "weir-nursery\n") == 0 ||
           strcmp(name, "weir:keeper\n") == 0 ||
           strcmp(name, "weir:feeder\n") == 0;
}

static size_t add_children(struct found *found, pid_t parent)
{
    char path[64];
    size_t before = found->count;
    FILE *file;
    int pid;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
             (int)parent);
    file = fopen(path, "re");
    if (!file)
        return 0;
    while (found->count < MOST && fscanf(file, "%d", &pid) == 1)
        found->pids[found->count++] = pid;
    fclose(file);
    return found->count - before;
}

/* Not the ends of the run, whose death ends it by design: what is not known as
 * one that is replaced, or not yet, is let live. */
static void add_nurseries(struct found *found, pid_t runner)
{
    size_t all = add_children(found, runner);

    found->count = 0;
    for (size_t i = 0; i < all; i++)
        if (is_replaced(found->pids[i]))
            found->pids[found->count++] = found->pids[i];
}

static void look(struct found *found, pid_t runner)
{
    size_t first;

    memset(found, 0, sizeof *found);
    add_nurseries(found, runner);
    first = found->count;
    for (size_t i = 0; i < first; i++)
        found->nursery[i] = add_children(found, found->pids[i]) > 0;
}

/* Until the first worker is there: before that nothing has started. */
static void wait_for_workers(pid_t runner)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct found found;

    for (unsigned i = 0; i < 20000 && kill(runner, 0) == 0; i++) {
        look(&found, runner);
        for (size_t k = 0; k < found.count; k++)
            if (found.nursery[k])
                return;
        nanosleep(&pause, NULL);
    }
}

struct growth {
    const char *file; /* NULL: none */
    off_t bytes;
};

static off_t size_of(const char *file)
{
    struct stat st;

    return stat(file, &st) < 0 ? 0 : st.st_size;
}

static bool is_full(const struct growth *growth)
{
    return growth->file != NULL && size_of(growth->file) >= growth->bytes;
}

/* Whether so many of them may have been made. */
static bool is_due(const struct growth *growth, unsigned long killed,
                   unsigned long kills)
{
    return growth->file == NULL ||
           (double)killed * (double)growth->bytes <=
               (double)kills * (double)size_of(growth->file);
}

int main(int argc, char **argv)
{
    struct growth growth = { .file = argc > 6 ? argv[5] : NULL,
                             .bytes = argc > 6 ? atol(argv[6]) : 0 };
    pid_t runner = argc > 4 ? atoi(argv[1]) : 0;
    unsigned long kills = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
    long pause_us = argc > 4 ? atol(argv[3]) : 0;
    unsigned long killed = 0, nurseries = 0, idle = 0, amid = 0;
    struct found found;

    if (runner <= 1) /* nobody, or everybody's */
        return 2;
    srandom((unsigned)atoi(argv[4]));
    wait_for_workers(runner);
    while (killed < kills && kill(runner, 0) == 0 && idle < 20000) {
        struct timespec time = {
            .tv_nsec = random() % (2 * pause_us + 1) * 1000,
        };
        size_t chosen;

        look(&found, runner);
        idle = found.count == 0 ? idle + 1 : 0;
        /* Each process is hit as often, however few there are: else one that
         * is alone would be killed again and again. */
        chosen = (size_t)random() % (found.count > HOUSE ? found.count : HOUSE);
        if (chosen < found.count && is_due(&growth, killed, kills) &&
            kill(found.pids[chosen], SIGKILL) == 0) {
            killed++;
            nurseries += found.nursery[chosen];
            amid += !is_full(&growth);
        }
        nanosleep(&time, NULL);
    }
    printf("%lu %lu", killed, nurseries);
    if (growth.file != NULL)
        printf(" %lu", amid);
    putchar('\n');
    return 0;
}
