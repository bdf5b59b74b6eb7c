/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fire.c - faults of all kinds under a runner, at random, and what its
 * processes have meanwhile.
 *
 *     fire PID SECONDS SEED EVERY_MS FOLDER STARVED
 *
 * Kills, ends, stops and continues workers, nurseries and the keeper of failed
 * items; stops the journal's process and the runner itself; takes address
 * space, descriptors and size of files from workers of the stages that are
 * listed in STARVED ("a,b,"). Not killed are those whose death ends a run by
 * design: the runner, the journal, the two at its ends.
 *
 * Every so many ms it writes a line of figures to stdout, under a line of their
 * names. On stderr, at its end, what it has done. Exit status 1: the runner was
 * gone before the time was.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 512, STOPS = 16, NAME = 32, PATH = 512, PAUSE_US = 20000 };

enum kind { RUNNER, NURSERY, WORKER, KEEPER, JOURNAL, OTHER };

struct process {
    pid_t pid;
    enum kind kind;
    char name[NAME];
};

struct family {
    struct process all[MOST];
    size_t count;
};

static pid_t runner;
static const char *starved;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t draw(size_t below)
{
    return (size_t)random() % below;
}

/* ------------------------------------------------------------- who is there --
 */

static void read_name(pid_t pid, char out[NAME])
{
    char path[PATH];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    out[0] = '\0';
    file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fgets(out, NAME, file) == NULL)
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
    fclose(file);
}

static enum kind kind_of(const char *name, enum kind parent)
{
    if (strcmp(name, "weir-nursery") == 0)
        return NURSERY;
    if (strcmp(name, "weir:keeper") == 0)
        return KEEPER;
    if (strcmp(name, "weir:journal") == 0)
        return JOURNAL;
    return parent == NURSERY && strncmp(name, "weir:", 5) == 0 ? WORKER : OTHER;
}

static void add_children(struct family *family, size_t of)
{
    const struct process *parent = &family->all[of];
    char path[PATH];
    FILE *file;
    int pid;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent->pid,
             (int)parent->pid);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    while (family->count < MOST && fscanf(file, "%d", &pid) == 1) {
        struct process *it = &family->all[family->count++];

        it->pid = pid;
        read_name(pid, it->name);
        it->kind = kind_of(it->name, parent->kind);
    }
    fclose(file);
}

static void look(struct family *out)
{
    out->all[0] = (struct process){ .pid = runner, .kind = RUNNER };
    out->count = 1;
    for (size_t i = 0; i < out->count; i++)
        add_children(out, i);
}

static const struct process *choose(const struct family *family, enum kind kind)
{
    const struct process *found[MOST];
    size_t count = 0;

    for (size_t i = 0; i < family->count; i++)
        if (family->all[i].kind == kind)
            found[count++] = &family->all[i];
    return count > 0 ? found[draw(count)] : NULL;
}

/* ---------------------------------------------------------------- faults ----
 */

static struct stopped {
    pid_t pid;
    int64_t until_ms;
} stopped[STOPS];
static size_t stops;

static void go_on(int64_t now)
{
    size_t left = 0;

    for (size_t i = 0; i < stops; i++) {
        if (stopped[i].until_ms <= now)
            kill(stopped[i].pid, SIGCONT);
        else
            stopped[left++] = stopped[i];
    }
    stops = left;
}

static bool do_stop(const struct process *it)
{
    if (stops == STOPS || kill(it->pid, SIGSTOP) < 0)
        return false;
    stopped[stops++] = (struct stopped){ it->pid,
                                         now_ms() + (int64_t)draw(100) };
    return true;
}

static bool do_kill(const struct process *it)
{
    return kill(it->pid, SIGKILL) == 0;
}

static bool do_end(const struct process *it)
{
    return kill(it->pid, SIGTERM) == 0;
}

static long field_of(pid_t pid, const char *file, const char *field)
{
    char path[PATH], line[256];
    long value = 0;
    FILE *in;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    in = fopen(path, "re");
    if (in == NULL)
        return 0;
    while (fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, field, strlen(field)) == 0) {
            value = atol(line + strlen(field));
            break;
        }
    fclose(in);
    return value;
}

static bool limit(pid_t pid, enum __rlimit_resource resource, rlim_t value)
{
    const struct rlimit limit = { value, value };

    return prlimit(pid, resource, &limit, NULL) == 0;
}

static bool may_starve(const struct process *it)
{
    char listed[NAME];

    snprintf(listed, sizeof listed, "%.*s,", NAME - 2, it->name + 5);
    return strstr(starved, listed) != NULL;
}

/* What it has of memory, and a little more. */
static bool do_memory(const struct process *it)
{
    rlim_t has = (rlim_t)field_of(it->pid, "status", "VmSize:") * 1024;

    return may_starve(it) && has > 0 &&
           limit(it->pid, RLIMIT_AS, has + draw(256) * 1024);
}

static bool do_descriptors(const struct process *it)
{
    return may_starve(it) && limit(it->pid, RLIMIT_NOFILE, 3 + draw(10));
}

static bool do_files(const struct process *it)
{
    return may_starve(it) && limit(it->pid, RLIMIT_FSIZE, draw(65536));
}

static struct fault {
    const char *name;
    unsigned weight;
    enum kind who;
    bool (*act)(const struct process *it);
    unsigned long done;
} faults[] = {
    { "workers killed", 55, WORKER, do_kill, 0 },
    { "workers ended (TERM)", 8, WORKER, do_end, 0 },
    { "workers stopped", 14, WORKER, do_stop, 0 },
    { "nurseries killed", 2, NURSERY, do_kill, 0 },
    { "nurseries stopped", 2, NURSERY, do_stop, 0 },
    { "keepers killed", 3, KEEPER, do_kill, 0 },
    { "keepers stopped", 2, KEEPER, do_stop, 0 },
    { "journals stopped", 2, JOURNAL, do_stop, 0 },
    { "runners stopped", 1, RUNNER, do_stop, 0 },
    { "address spaces bounded", 4, WORKER, do_memory, 0 },
    { "descriptors bounded", 4, WORKER, do_descriptors, 0 },
    { "sizes of files bounded", 3, WORKER, do_files, 0 },
};
enum { FAULTS = sizeof faults / sizeof *faults };

static void do_one(void)
{
    static struct family family;
    const struct process *it;
    size_t chosen = draw(100), at = 0;

    while (chosen >= faults[at].weight)
        chosen -= faults[at++].weight;
    look(&family);
    it = choose(&family, faults[at].who);
    if (it != NULL && faults[at].act(it))
        faults[at].done++;
}

static void tell(void)
{
    for (size_t i = 0; i < FAULTS; i++)
        fprintf(stderr, "%lu %s%s", faults[i].done, faults[i].name,
                i + 1 < FAULTS ? ", " : "\n");
}

/* ---------------------------------------------------------------- samples ----
 */

static unsigned long count_lines(pid_t pid, const char *name)
{
    char path[PATH];
    unsigned long count = 0;
    int byte;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while ((byte = getc(file)) != EOF)
        count += byte == '\n';
    fclose(file);
    return count;
}

/* Descriptors; and what the memory without a name that they are takes, KiB. */
static unsigned long look_at_fds(pid_t pid, unsigned long *memory_out)
{
    char path[PATH], target[PATH];
    const struct dirent *entry;
    unsigned long count = 0;
    struct stat st;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target,
                                  sizeof target - 1);

        if (size < 0)
            continue;
        target[size] = '\0';
        count++;
        if (strncmp(target, "/memfd:", 7) == 0 &&
            fstatat(dirfd(folder), entry->d_name, &st, 0) == 0)
            *memory_out += (unsigned long)st.st_blocks / 2;
    }
    if (folder != NULL)
        closedir(folder);
    return count;
}

static unsigned long size_of_folder(const char *name)
{
    const struct dirent *entry;
    unsigned long blocks = 0;
    DIR *folder = opendir(name);
    struct stat st;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
                0 &&
            S_ISREG(st.st_mode))
            blocks += (unsigned long)st.st_blocks;
    if (folder != NULL)
        closedir(folder);
    return blocks / 2;
}

static void sample(const char *folder)
{
    static struct family family;
    unsigned long shared = 0, ignored = 0, fds, all_fds = 0;
    long own, all_own = 0, journal_own = 0;

    look(&family);
    own = field_of(runner, "status", "RssAnon:");
    fds = look_at_fds(runner, &shared);
    for (size_t i = 0; i < family.count; i++) {
        long kib = field_of(family.all[i].pid, "status", "RssAnon:");

        all_own += kib;
        if (family.all[i].kind == JOURNAL)
            journal_own = kib;
        all_fds += look_at_fds(family.all[i].pid, &ignored);
    }
    if (own == 0)
        return; /* it is gone */
    printf("%ld %ld %ld %lu %lu %lu %zu %lu %lu\n", own, journal_own, all_own,
           shared, fds, all_fds, family.count, count_lines(runner, "maps"),
           size_of_folder(folder));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int64_t now, end, due, every;

    if (argc != 7)
        return 2;
    runner = atoi(argv[1]);
    end = now_ms() + atoi(argv[2]) * (int64_t)1000;
    srandom((unsigned)atoi(argv[3]));
    every = atoi(argv[4]);
    starved = argv[6];
    puts("runner journal all shared descriptors all-descriptors processes maps "
         "disk");
    for (due = now_ms(); (now = now_ms()) < end && kill(runner, 0) == 0;) {
        const struct timespec pause = { .tv_nsec = (long)draw(2 * PAUSE_US) *
                                                   1000 };

        go_on(now);
        do_one();
        if (now >= due) {
            sample(argv[5]);
            due = now + every;
        }
        nanosleep(&pause, NULL);
    }
    go_on(INT64_MAX);
    tell();
    return kill(runner, 0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
