/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * each.c - each allocation and each system call of each command fails once, in
 * turn: in the runner, in its nursery, in its workers (fail.c). Whatever it
 * was, the command ends, by itself and in time; it ends with its usual status
 * and the right output, or says in words what failed; and nothing of it is
 * left: no process, no file. What it went on with, a journal or items that had
 * failed, is still good for the same command without a fault.
 *
 *     each                       a sample; WEIR_LONG=1: all of it, with
 *                                as many at once as there are processors, and
 *                                one more
 *     each ROW [KIND DEPTH N]    one row; one run of it, with what it says
 *
 * Where a process is one of many that are made anew, which call is the n-th is
 * luck; so all of them are reached by and by, not in each run.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults/fail.h"

#define FAULTY TEST_BUILDDIR "/tests/faults/weir"
#define SOUND TEST_BUILDDIR "/core/cli/weir"
#define MORTAL TEST_BUILDDIR "/tests/crash/weir"

enum { WORDS = 8, TEXT = 1 << 16, LIMIT_S = 15, SAMPLE = 2, SLOW_MS = 1500 };

/* ----------------------------------------------------------------- rows ----
 */

static const struct row {
    const char *name;
    const char *words[WORDS];
    const char *in;            /* file that is its input */
    const char *result;        /* file that it makes, besides its output */
    const char *before[WORDS]; /* a sound command, run first */
    const char *after[WORDS];  /* and after it, when it ended well: its output
                                * is the result */
    int depths;                /* that there are processes at */
    int status;                /* that it ends with; when it varies, or 0 */
    const char *fault;         /* WEIR_FAULT of the command that runs first */
    int before_status;         /* and the status that it ends with */
    const char *between;       /* a file that is made after it */
    const char *again[WORDS];  /* when it failed: a sound command that then
                                * ends as it should have */
    bool keeps;                /* the command that runs first does it once */
    bool varies;               /* the output: it has times and chance in it */
    bool stores;               /* needs SQLite */
    bool heavy;                /* a short test has few runs of it */
} rows[] = {
    { .name = "help", .words = { "help", "run" }, .depths = 1 },
    { .name = "version", .words = { "--version" }, .depths = 1 },
    { .name = "check", .words = { "check", "small.yaml" }, .depths = 3 },
    { .name = "graph", .words = { "graph", "small.yaml" }, .depths = 3 },
    { .name = "dry",
      .words = { "run", "--dry-run", "small.yaml" },
      .depths = 3 },
    { .name = "plugins", .words = { "plugins", "text.upper" }, .depths = 3 },
    { .name = "list", .words = { "plugins" }, .depths = 3 },
    { .name = "call", .words = { "call", "text.upper", "lines" }, .depths = 2 },
    { .name = "inline",
      .words = { "run", "--inline", "small.yaml" },
      .depths = 2 },
    { .name = "run", .words = { "run", "small.yaml" }, .depths = 3 },
    { .name = "ends",
      .words = { "run", "ends.yaml" },
      .in = "lines",
      .depths = 3 },
    { .name = "files",
      .words = { "run", "files.yaml" },
      .result = "result",
      .depths = 3 },
    { .name = "put",
      .words = { "put", "--create", "q", "lines" },
      .after = { "get", "-n", "3", "q" },
      .depths = 1 },
    { .name = "get",
      .words = { "get", "-n", "3", "q" },
      .before = { "put", "--create", "q", "lines" },
      .depths = 1 },
    { .name = "append",
      .words = { "get", "-n", "3", "--append=result", "q" },
      .before = { "put", "--create", "q", "lines" },
      .result = "result",
      .depths = 1 },
    { .name = "queues",
      .words = { "queues" },
      .before = { "put", "--create", "q", "lines" },
      .depths = 1 },
    { .name = "remove",
      .words = { "queues", "--remove=q" },
      .before = { "put", "--create", "q", "lines" },
      .after = { "queues" },
      .depths = 1 },
    { .name = "runs",
      .words = { "runs", "--journal=runs" },
      .before = { "run", "--quiet", "--journal=runs", "files.yaml" },
      .keeps = true,
      .stores = true,
      .depths = 1 },
    { .name = "show",
      .words = { "show", "--journal=runs", "last" },
      .before = { "run", "--quiet", "--journal=runs", "files.yaml" },
      .keeps = true,
      .stores = true,
      .depths = 1 },
    { .name = "failed",
      .words = { "failed", "--list", "kept" },
      .before = { "run", "--quiet", "--keep-failed=kept", "fails.yaml" },
      .before_status = 1,
      .keeps = true,
      .stores = true,
      .depths = 1 },
    { .name = "journal",
      .words = { "run", "--quiet", "--journal=runs", "files.yaml" },
      .result = "result",
      .stores = true,
      .heavy = true,
      .depths = 3 },
    { .name = "keep",
      .status = 1,
      .words = { "run", "--quiet", "--keep-failed=kept", "fails.yaml" },
      .stores = true,
      .heavy = true,
      .depths = 3 },
    { .name = "resume",
      .words = { "resume", "--quiet", "--journal=runs", "last" },
      .result = "result",
      .before = { "run", "--quiet", "--journal=runs", "files.yaml" },
      .fault = "journal.begun:1:kill",
      .before_status = 3,
      .again = { "resume", "--quiet", "--journal=runs", "last" },
      .stores = true,
      .heavy = true,
      .depths = 3 },
    { .name = "replay",
      .words = { "replay", "--quiet", "kept" },
      .before = { "run", "--quiet", "--keep-failed=kept", "fails.yaml" },
      .before_status = 1,
      .between = "two",
      .again = { "replay", "--quiet", "kept" },
      .stores = true,
      .heavy = true,
      .depths = 3 },
    /* So short that mostly nobody is killed: it says so, with status 3. */
    { .name = "torture",
      .status = 3,
      .words = { "torture", "--rounds=1", "--seed=1", "small.yaml" },
      .varies = true,
      .heavy = true,
      .depths = 4 },
};

static const char *const files[][2] = {
    { "lines", "one\ntwo\nthree\n" },
    { "small.yaml",
      "weir: 1\njob: small\nqueues: { all: { capacity: 4 } }\nstages:\n"
      "  - { name: make, task: flow.generate, with: { count: 3, size: 200 B },"
      " workers: 1, to: all }\n"
      "  - { name: give, task: flow.pass, from: all, to: stdout,"
      " dispatch: sync }\n" },
    { "ends.yaml", "weir: 1\njob: ends\nstages:\n"
                   "  - { name: up, task: text.upper, from: stdin, to: stdout,"
                   " dispatch: sync }\n" },
    { "files.yaml",
      "weir: 1\njob: files\nqueues: { all: {} }\nstages:\n"
      "  - { name: read, task: file.lines, workers: 1, to: all,"
      " with: { paths: [lines] } }\n"
      "  - { name: keep, task: file.append, from: all, dispatch: sync,"
      " with: { path: result } }\n" },
    { "fails.yaml", "weir: 1\njob: fails\nqueues: { all: {} }\nstages:\n"
                    "  - { name: list, task: file.lines, workers: 1, to: all,"
                    " with: { paths: [names] } }\n"
                    "  - { name: read, task: file.read, from: all, to: stdout,"
                    " retries: 0, dispatch: sync }\n" },
    { "names", "lines\ntwo\n" },
};

static const char *const kinds[] = { "memory", "memory:rest", "error",
                                     "other",  "error:rest",  "eintr",
                                     "short" };

/* ---------------------------------------------------------------- a run ----
 */

static char work[40];
static char queues[] = "/dev/shm/weir-each.XXXXXX";
static char home[64];
static struct fail_board *board;
static bool shows;

struct text {
    char at[TEXT];
    size_t size;
};

struct outcome {
    int status; /* as of wait; -1: it did not end */
    int64_t ms;
    struct text out, err, result;
    unsigned left; /* processes */
    bool is_again; /* it was done again, without a fault, with this status: */
    int again;
};

static void give_up(const char *what)
{
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        give_up(name);
}

static void read_file(const char *name, struct text *text)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text->at, TEXT - 1);

    text->size = got > 0 ? (size_t)got : 0;
    text->at[text->size] = '\0';
    if (fd >= 0)
        close(fd);
}

static bool same_text(const struct text *a, const struct text *b)
{
    return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

static void redirect(int to, const char *name, int flags)
{
    int fd = open(name, flags, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(126);
    close(fd);
}

static pid_t start(const char *program, const char *const *words,
                   const char *in)
{
    const char *argv[WORDS + 2] = { "weir" };
    pid_t pid;

    memcpy(argv + 1, words, WORDS * sizeof *words);
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        setpgid(0, 0);
        redirect(0, in != NULL ? in : "/dev/null", O_RDONLY);
        redirect(1, "out", O_WRONLY | O_CREAT | O_TRUNC);
        redirect(2, "err", O_WRONLY | O_CREAT | O_TRUNC);
        execv(program, (char *const *)argv);
        _exit(127);
    }
    return pid;
}

static int64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Its status; -1: not in time, and it is killed. */
static int await(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = -1;
    struct pollfd event = { .fd = fd, .events = POLLIN };

    if (fd < 0)
        give_up("pidfd_open");
    if (poll(&event, 1, LIMIT_S * 1000) == 1) {
        waitpid(pid, &status, 0);
    } else {
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(fd);
    return status;
}

/* Of those that it left behind, which are this process's now: how many do not
 * end by themselves. */
static unsigned clear_up(void)
{
    const int64_t end = now_ms() + 5000;
    unsigned left = 0;
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && now_ms() < end)
        if (pid == 0)
            usleep(1000);
    if (pid < 0)
        return 0;
    for (;;) {
        FILE *list = fopen("/proc/thread-self/children", "r");
        int child;

        if (list == NULL || fscanf(list, "%d", &child) != 1) {
            if (list != NULL)
                fclose(list);
            return left;
        }
        fclose(list);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        left++;
    }
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void empty_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
}

/* Files in the folder where it runs, and in that of queues, and the temporary
 * one: those of the test itself, and no others. */
static const char *stray_file(const struct row *row)
{
    static const char *const known[] = { "out",  "err",  "board", "tmp",
                                         "runs", "kept", "log",   NULL };
    static char found[300];
    struct dirent *entry;
    DIR *folder = opendir(".");

    found[0] = '\0';
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        bool is_known = entry->d_name[0] == '.' ||
                        (row->result != NULL &&
                         strcmp(entry->d_name, row->result) == 0) ||
                        (row->between != NULL &&
                         strcmp(entry->d_name, row->between) == 0) ||
                        (row->keeps && strcmp(entry->d_name, "result") == 0);

        for (unsigned i = 0; known[i] != NULL; i++)
            is_known |= strcmp(entry->d_name, known[i]) == 0;
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
            is_known |= strcmp(entry->d_name, files[i][0]) == 0;
        if (!is_known)
            snprintf(found, sizeof found, "%s", entry->d_name);
    }
    closedir(folder);
    folder = opendir("tmp");
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.')
            snprintf(found, sizeof found, "tmp/%s", entry->d_name);
    closedir(folder);
    folder = opendir(queues);
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "q") != 0 &&
            strcmp(entry->d_name, "q.queue") != 0)
            snprintf(found, sizeof found, "queues/%s", entry->d_name);
    closedir(folder);
    return found[0] != '\0' ? found : NULL;
}

static struct outcome sound, got;

/* What the command finds: the same each time. */
static void prepare(const struct row *row)
{
    static const struct row *kept;
    int status;

    unlink("log");
    unsetenv("WEIR_FAIL");
    if (row->keeps && kept == row)
        return;
    if (kept != NULL && kept->between != NULL)
        unlink(kept->between);
    kept = row;
    unlink("result");
    empty_folder(queues);
    remove_tree("tmp");
    if (mkdir("tmp", 0700) < 0)
        give_up("tmp");
    remove_tree("runs");
    remove_tree("kept");
    if (row->before[0] == NULL)
        return;
    if (row->fault != NULL)
        setenv("WEIR_FAULT", row->fault, 1);
    status = await(
        start(row->fault != NULL ? MORTAL : SOUND, row->before, NULL));
    unsetenv("WEIR_FAULT");
    clear_up();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != row->before_status)
        give_up(row->before[0]);
    if (row->between != NULL)
        write_file(row->between, "2\n");
}

/* What was not done, or not said, can still be done; once. */
static void run_again(const struct row *row, struct outcome *outcome)
{
    bool is_out = same_text(&outcome->out, &sound.out);

    outcome->is_again = row->again[0] != NULL && outcome != &sound &&
                        outcome->status != sound.status;
    if (!outcome->is_again)
        return;
    outcome->again = await(start(SOUND, row->again, NULL));
    read_file("out", &outcome->out);
    if (is_out && outcome->out.size == 0)
        outcome->out = sound.out;
    if (row->result != NULL)
        read_file(row->result, &outcome->result);
}

static void run(const struct row *row, const char *spec,
                struct outcome *outcome)
{
    prepare(row);
    memset(board, 0, sizeof *board);
    setenv("WEIR_FAIL", spec, 1);
    outcome->ms = -now_ms();
    outcome->status = await(start(FAULTY, row->words, row->in));
    outcome->ms += now_ms();
    unsetenv("WEIR_FAIL");
    outcome->left = clear_up();
    read_file("out", &outcome->out);
    read_file("err", &outcome->err);
    outcome->result.at[0] = '\0';
    outcome->result.size = 0;
    if (row->result != NULL)
        read_file(row->result, &outcome->result);
    run_again(row, outcome);
    if (row->after[0] == NULL || outcome->status != 0)
        return;
    if (await(start(SOUND, row->after, NULL)) != 0)
        outcome->result.size = 0;
    else
        read_file("out", &outcome->result);
}

/* ------------------------------------------------------------ judgement ----
 */

/* What was to be removed, and was struck at that, stays. */
static bool removed_in_vain(void)
{
    return strcmp(board->name, "remove") == 0 ||
           strcmp(board->name, "nftw") == 0 ||
           strstr(got.err.at, "cannot remove '") != NULL;
}

/* The fault was one of a round, which so gave something else: its folder stays
 * for who looks into it. */
static bool kept_round(const struct row *row, const char *stray)
{
    return row->varies && WIFEXITED(got.status) &&
           WEXITSTATUS(got.status) == 1 &&
           strncmp(stray, "tmp/weir-torture.", 17) == 0;
}

static unsigned count_failed(const struct text *text)
{
    unsigned count = 0;

    for (const char *at = text->at; (at = strstr(at, "failed in '")) != NULL;
         at++)
        count++;
    return count;
}

/* It was an item's last attempt that was struck: that is told, and kept. */
static bool gives_less(const struct row *row)
{
    return row->status == 1 && WIFEXITED(got.status) &&
           WEXITSTATUS(got.status) == 1 &&
           count_failed(&got.err) > count_failed(&sound.err);
}

static unsigned count_lines(const struct text *text)
{
    unsigned count = 0;

    for (size_t i = 0; i < text->size; i++)
        count += text->at[i] == '\n';
    return count;
}

/* All attempts of an item were struck, as where there is no memory any more:
 * that is told of each, and the run has come to its end without them. */
static bool told_all_lost(void)
{
    return WIFEXITED(got.status) && WEXITSTATUS(got.status) == 1 &&
           count_failed(&got.err) > 0 &&
           count_lines(&got.result) + count_failed(&got.err) ==
               count_lines(&sound.result);
}

/* The report's figures are times: only what comes to stdout counts. */
static const char *wrong(const struct row *row)
{
    static char what[400];
    const char *stray = stray_file(row);

    if (got.status < 0)
        return "does not end";
    if (WIFSIGNALED(got.status)) {
        snprintf(what, sizeof what, "was killed by signal %d",
                 WTERMSIG(got.status));
        return what;
    }
    if (got.left != 0)
        return "leaves a process";
    if (stray != NULL && !removed_in_vain() && !kept_round(row, stray)) {
        snprintf(what, sizeof what, "leaves '%s'", stray);
        return what;
    }
    if (row->varies && board->struck > 0 &&
        strstr(got.err.at, "not safe to retry") != NULL)
        return "blames a task";
    if (got.is_again && got.again != sound.status)
        return told_all_lost() ? NULL : "cannot be done again";
    if (got.status == sound.status || got.is_again) {
        if (!row->varies && !gives_less(row) &&
            !same_text(&got.out, &sound.out))
            return "wrong output";
        if (!same_text(&got.result, &sound.result))
            return "wrong result";
    }
    if (got.status == sound.status || (row->varies && got.status == 0))
        return NULL;
    if (WEXITSTATUS(got.status) < 1 || WEXITSTATUS(got.status) > 3) {
        snprintf(what, sizeof what, "ends with status %d",
                 WEXITSTATUS(got.status));
        return what;
    }
    /* `plugins` says it in the list itself. */
    if (got.err.size == 0 &&
        (WEXITSTATUS(got.status) != 1 || same_text(&got.out, &sound.out)) &&
        strcmp(board->name, "fflush") != 0 && strcmp(board->name, "write") != 0)
        return "does not say why";
    return NULL;
}

static void show(const char *text)
{
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n')
        printf("#     %.*s\n", (int)strcspn(text, "\n"), text);
}

static bool try_one(const struct row *row, const char *kind, int depth,
                    unsigned long n)
{
    char spec[80];
    const char *what;

    snprintf(spec, sizeof spec, "%.*s:%lu:%d%s", (int)strcspn(kind, ":"), kind,
             n, depth, strchr(kind, ':') != NULL ? ":rest" : "");
    run(row, spec, &got);
    what = wrong(row);
    if (what == NULL && got.ms > SLOW_MS)
        printf("# %s WEIR_FAIL=%s: took %lld ms; first struck: %s\n", row->name,
               spec, (long long)got.ms, board->name);
    if (what == NULL && !shows)
        return true;
    printf("# %s WEIR_FAIL=%s: %s; status 0x%x; first struck: %s (%s)\n",
           row->name, spec, what != NULL ? what : "good", got.status,
           board->name, board->error != 0 ? strerror(board->error) : "-");
    show(got.err.at);
    if (shows) {
        struct text log;

        read_file("log", &log);
        log.at[1000] = '\0';
        show(log.at);
    }
    if (strncmp(what != NULL ? what : "", "wrong", 5) == 0) {
        show("- output:");
        show(got.out.at);
        show("- result:");
        show(got.result.at);
        show("- not:");
        show(sound.out.at);
        show(sound.result.at);
    }
    return what == NULL;
}

static unsigned results, runs;

static void tell(bool good, const char *name, const char *kind, int depth,
                 unsigned long count)
{
    printf("%sok %u - %s, %s, %s: %lu\n", good ? "" : "not ", ++results, name,
           depth < 0    ? "all processes"
           : depth == 0 ? "the command"
           : depth == 1 ? "its children"
                        : "theirs",
           kind, count);
    fflush(stdout);
}

/* All of them, or some spread over them. */
static void try_depth(const struct row *row, const char *kind, int depth,
                      unsigned long count, bool is_long)
{
    unsigned long sample = row->heavy ? 1 : SAMPLE;
    unsigned long most = is_long || count < sample ? count : sample;
    unsigned bad = 0;

    for (unsigned long i = 0; i < most && bad < 20; i++) {
        unsigned long n = 1 + i * count / most;

        if (!is_long)
            n += (count / most) * (results % 7) / 7;
        bad += !try_one(row, kind, depth, n);
        runs++;
    }
    tell(bad == 0, row->name, kind, depth, count);
}

static bool ends_as_ever(const struct row *row)
{
    return sound.left == 0 && WIFEXITED(sound.status) &&
           (WEXITSTATUS(sound.status) == row->status ||
            (row->varies && sound.status == 0));
}

static void try_row(const struct row *row, bool is_long, const char *only)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *kind = kinds[i];
        unsigned long counts[FAIL_DEPTHS];
        char spec[64];

        if (only != NULL && strcmp(only, kind) != 0)
            continue;
        /* Some of these wait until there might be more of it again. */
        if (!is_long && (strchr(kind, ':') != NULL ||
                         (row->heavy && strcmp(kind, "error") != 0)))
            continue;
        snprintf(spec, sizeof spec, "%.*s:%u:-1", (int)strcspn(kind, ":"), kind,
                 ~0U);
        run(row, spec, &sound);
        if (!ends_as_ever(row)) {
            printf("# %s does not run at all: status 0x%x\n", row->name,
                   sound.status);
            show(sound.err.at);
        }
        memcpy(counts, (const void *)board->counts, sizeof counts);
        for (int depth = 0; depth < row->depths; depth++)
            try_depth(row, kind, depth, counts[depth], is_long);
        if (strcmp(kind, "eintr") == 0 || strcmp(kind, "short") == 0)
            tell(try_one(row, kind, -1, 0), row->name, kind, -1, 0);
    }
}

/* -------------------------------------------------------------- the test ----
 */

/* In memory where that is a folder: a journal syncs, hundreds of times. */
static void set_up(void)
{
    int fd;

    snprintf(work, sizeof work, "%s/weir-each.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(work) == NULL || chdir(work) < 0)
        give_up(work);
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
        write_file(files[i][0], files[i][1]);
    if (mkdtemp(queues) == NULL || mkdir("tmp", 0700) < 0)
        give_up("a folder");
    fd = open("board", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *board) < 0)
        give_up("board");
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 0);
    if (board == MAP_FAILED)
        give_up("board");
    close(fd);
    setenv("WEIR_FAIL_BOARD", "board", 1);
    setenv("WEIR_QUEUE_DIR", queues, 1);
    snprintf(home, sizeof home, "%s/tmp", work);
    setenv("TMPDIR", home, 1);
    setenv("WEIR_PLUGIN_PATH", TEST_BUILDDIR "/plugins/.libs", 1);
    setenv("LC_ALL", "C", 1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
}

static void clear_work(void)
{
    remove_tree(queues);
    if (chdir("/") == 0)
        remove_tree(work);
}

/* ------------------------------------------------------- many at once ----
 */

struct under_way {
    pid_t pid;
    FILE *said;
};

static bool applies(const struct row *row)
{
#ifdef HAVE_SQLITE
    (void)row;
    return true;
#else
    return !row->stores;
#endif
}

static void start_kind(const struct row *row, const char *kind,
                       struct under_way *out)
{
    fflush(stdout);
    out->said = tmpfile();
    out->pid = out->said != NULL ? fork() : -1;
    if (out->pid < 0)
        give_up(row->name);
    if (out->pid > 0)
        return;
    if (dup2(fileno(out->said), STDOUT_FILENO) < 0)
        _exit(1);
    set_up();
    try_row(row, true, kind);
    clear_work();
    printf("# %s, %s: %u runs\n", row->name, kind, runs);
    fflush(stdout);
    _exit(0);
}

/* Its results are counted with all others'. */
static void end_kind(const struct row *row, struct under_way *it)
{
    char *line = NULL;
    size_t room = 0;
    int status;

    if (waitpid(it->pid, &status, 0) < 0)
        give_up("waitpid");
    rewind(it->said);
    while (getline(&line, &room, it->said) > 0) {
        bool good = strncmp(line, "ok ", 3) == 0;

        if (good || strncmp(line, "not ok ", 7) == 0)
            printf("%sok %u %s", good ? "" : "not ", ++results,
                   strchr(line, '-'));
        else
            fputs(line, stdout);
    }
    if (status != 0)
        printf("not ok %u - %s ended with 0x%x\n", ++results, row->name,
               status);
    fflush(stdout);
    free(line);
    fclose(it->said);
}

enum {
    KINDS = sizeof kinds / sizeof *kinds,
    ROWS = sizeof rows / sizeof *rows
};

static void try_all(void)
{
    static struct under_way all[ROWS * KINDS];
    const long most = sysconf(_SC_NPROCESSORS_ONLN) + 1;
    size_t begun = 0;

    for (size_t done = 0; done < ROWS * KINDS; done++) {
        for (; begun < ROWS * KINDS && begun < done + (size_t)most; begun++)
            if (applies(&rows[begun / KINDS]))
                start_kind(&rows[begun / KINDS], kinds[begun % KINDS],
                           &all[begun]);
        if (all[done].pid > 0)
            end_kind(&rows[done / KINDS], &all[done]);
    }
}

static void show_one(const struct row *row, char **argv)
{
    shows = true;
    setenv("WEIR_FAIL_LOG", "log", 1);
    run(row, "none:0:0", &sound);
    try_one(row, argv[2], atoi(argv[3]), strtoul(argv[4], NULL, 10));
}

int main(int argc, char **argv)
{
    const char *length = getenv("WEIR_LONG");
    bool is_long = length != NULL && strcmp(length, "1") == 0;

    if (argc == 1 && is_long) {
        try_all();
        printf("1..%u\n", results);
        return 0;
    }
    set_up();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];

        if (!applies(row) || (argc > 1 && strcmp(argv[1], row->name) != 0))
            continue;
        if (argc > 4)
            show_one(row, argv);
        else
            try_row(row, is_long, argc > 2 ? argv[2] : NULL);
    }
    clear_work();
    printf("# %u runs\n1..%u\n", runs, results);
    return 0;
}
