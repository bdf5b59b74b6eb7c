/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.c - who of a run with a journal is killed where: a row for each step
 * (points.list) and each role: its supervisor, its nursery, the processes of
 * its tasks, the one that writes its journal, the one that keeps what has
 * failed. They die there
 *
 *     alone   the run goes on; or it ends, and is resumed
 *     two     and another dies elsewhere in the same run
 *     amid    and another dies while this one is made up for: the supervisor
 *             that recovers it, or somebody of the run that is resumed
 *
 * and in the end its files are byte for byte those of a run that nobody has
 * disturbed: lines appended in order, a file for each item, totals of a task
 * that has a state and is replaced all the time; and nothing else is there,
 * each item that cannot but fail is kept once, and nobody is left. Each row is
 * killed, or stands in never.list with the reason why that role never comes by
 * that step: and then it does not.
 *
 * Who was just forked still has the name of who forked him: in the rows of
 * fork.*, "nursery" is who comes from the supervisor, and "task" who comes from
 * the nursery.
 *
 * WEIR_LONG: ROUNDS of each of the three for each row, or WEIR_ROUNDS; else a
 * few of all.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/never.h"
#include "lib/points.h"
#include "lib/suites.h"

enum { SUPERVISOR, NURSERY, TASK, JOURNAL, KEEPER, ROLES };
enum mode { ALONE, TWO, AMID, MODES };
enum {
    ROUNDS = 1000,
    TRIES = 6, /* rounds for each that is needed, where few come by */
    OFTEN = 6, /* tasks that are to die in one run, far apart */
    SAMPLES = 14,
    PHASES = 5, /* a run, and who resumes it; the last is not disturbed */
    LANES = 2,
    LINES = 60,
    LONG_SIZE = 5000, /* of a line that fits no output: it fails */
    MEMBERS = 8,
    FILES_MEMBER = 7,
    KEEPER_MEMBER = 11,
    STATUS_FAILED = 1,
    STATUS_STOPPED = 3,
    SPEC_ROOM = 1024,
};

#define BOUND_NS (120 * NS_PER_S)

static const char *const role_names[NEVER_ROLES] = { "supervisor", "nursery",
                                                     "task", "journal",
                                                     "keeper" };
static const char *const mode_names[] = { "alone", "two", "amid" };
static const char job[] =
    "weir: 1\n"
    "job: work\n"
    "defaults: { retries: 1000 }\n"
    "queues: { a: { capacity: 8 }, b: { capacity: 8 }, c: { capacity: 8 },\n"
    "          d: { capacity: 4, bytes: 4 KiB }, e: { capacity: 4 },\n"
    "          f: { capacity: 4 } }\n"
    "stages:\n"
    "  - { name: read, task: file.lines, to: a,\n"
    "      with: { paths: in, numbers: true } }\n"
    "  - { name: up, task: text.upper, from: a, to: { copy: [b, c, d] },\n"
    "      workers: 2, order: keep, recycle: 20 }\n"
    "  - { name: write, task: file.append, from: b, workers: 1,\n"
    "      with: { root: result, path: lines } }\n"
    "  - { name: count, task: text.count-words, from: c, to: e, workers: 1 }\n"
    "  - { name: total, task: text.top, from: e, to: f, with: { k: 5 },\n"
    "      recycle: 15 }\n"
    "  - { name: keep, task: file.append, from: f, workers: 1,\n"
    "      with: { root: result, path: top } }\n"
    "  - { name: files, task: file.write, from: d, workers: 1,\n"
    "      with: { root: result/files, path: \"${item.line}\" } }\n";
static const char top[] = "54\tand\n54\tsome\n54\twords\n";

static struct points points;
static never_reasons never;
static bool is_long;

/* Of all tests, each of which is a process, and of their lanes. */
static struct shared {
    _Atomic unsigned kills[POINTS_MOST][ROLES][MODES];
    _Atomic unsigned died[POINTS_MOST]; /* bits: which members, as tasks */
    _Atomic unsigned runs;
    char fault[4096];
} * shared;

/* The order of one death. */
struct order {
    int point; /* -1: none */
    unsigned role, member, nth;
};

/* Who dies in one run, or in one that resumes it. */
struct phase {
    struct order orders[FAULT_ORDERS];
    unsigned count;
};

/* Where one process makes its rounds, one after the other. */
struct lane {
    char folder[64];
    char counts_path[80];
    struct fault_count *counts;
    unsigned seed;
    enum mode mode; /* of what is aimed at */
    bool eager;     /* few have come by it until now */
    struct phase phases[PHASES];
    /* Who did die, and in which phase. */
    struct death {
        int point;
        unsigned role, phase;
        int64_t when_ns;
    } deaths[2 * PHASES * FAULT_ORDERS];
    unsigned dead;
};

/* --------------------------------------------------------------- files ---- */

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *where)
{
    (void)st, (void)flag, (void)where;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        _exit(EXIT_FAILURE);
}

/* At most @room - 1 bytes, as text. */
static void read_file(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "r");
    size_t size = file != NULL ? fread(text, 1, room - 1, file) : 0;

    text[size] = '\0';
    if (file != NULL)
        fclose(file);
}

static unsigned count_entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 &&
                 strcmp(entry->d_name, "..") != 0;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static bool is_long_line(int number)
{
    return number % 10 == 7;
}

static int count_long(void)
{
    int count = 0;

    for (int i = 0; i < LINES; i++)
        count += is_long_line(i);
    return count;
}

static void write_input(void)
{
    FILE *file = fopen("in", "w");

    if (file == NULL)
        _exit(EXIT_FAILURE);
    for (int i = 0; i < LINES; i++)
        if (is_long_line(i))
            fprintf(file, "%0*d\n", LONG_SIZE, i);
        else
            fprintf(file, "%d some words and %d\n", i, i % 3);
    if (fclose(file) != 0)
        _exit(EXIT_FAILURE);
}

/* What the files must be is known from the input. */
static const char *look_at_files(void)
{
    char want[LINES * 32], got[LINES * 32], path[64];
    size_t size = 0;

    for (int i = 0; i < LINES; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%d SOME WORDS AND %d", i,
                              i % 3);

        if (is_long_line(i))
            continue;
        snprintf(path, sizeof path, "result/files/%d", i + 1);
        read_file(path, got, sizeof got);
        if (strcmp(got, line) != 0)
            return "a file is not there, or is not whole";
        size += (size_t)sprintf(want + size, "%.*s\n", length, line);
    }
    read_file("result/lines", got, sizeof got);
    if (strcmp(got, want) != 0)
        return "the lines are not there, each once and in order";
    read_file("result/top", got, sizeof got);
    if (strcmp(got, top) != 0)
        return "the totals are wrong";
    if (count_entries("result") != 3 ||
        count_entries("result/files") != (unsigned)(LINES - count_long()))
        return "a file is left over";
    return NULL;
}

/* ----------------------------------------------------------------- lane ----
 */

static void make_counts(struct lane *lane)
{
    const size_t size = FAULT_ORDERS * sizeof *lane->counts;
    int fd;

    snprintf(lane->counts_path, sizeof lane->counts_path, "%s/counts",
             lane->folder);
    fd = open(lane->counts_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        _exit(EXIT_FAILURE);
    lane->counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (lane->counts == MAP_FAILED)
        _exit(EXIT_FAILURE);
}

/* All that a run is told, and does not change from run to run. */
static void set_environment(const struct lane *lane)
{
    char state[80];

    snprintf(state, sizeof state, "%s/state", lane->folder);
    setenv("XDG_STATE_HOME", state, 1);
    setenv("WEIR_PLUGIN_PATH", TEST_BUILDDIR "/plugins/.libs", 1);
    setenv("WEIR_FAULT_COUNTS", lane->counts_path, 1);
    unsetenv("WEIR_FAULT_TRACE");
}

/* In memory, where there is some: a checkpoint syncs. */
static void make_lane(struct lane *lane)
{
    strcpy(lane->folder, "/dev/shm/weir-runs.XXXXXX");
    if (mkdtemp(lane->folder) == NULL) {
        strcpy(lane->folder, "/tmp/weir-runs.XXXXXX");
        if (mkdtemp(lane->folder) == NULL)
            _exit(EXIT_FAILURE);
    }
    if (chdir(lane->folder) < 0)
        _exit(EXIT_FAILURE);
    write_input();
    write_file("job.yaml", job);
    make_counts(lane);
    set_environment(lane);
}

/* ---------------------------------------------------------------- orders ----
 */

static unsigned chance(struct lane *lane, unsigned of)
{
    return (unsigned)rand_r(&lane->seed) % of;
}

static int index_of(const char *point)
{
    unsigned at = 0;

    while (at < points.count && strcmp(points.at[at], point) != 0)
        at++;
    return at < points.count ? (int)at : -1;
}

static bool is_of(int point, const char *what)
{
    return strncmp(points.at[point], what, strlen(what)) == 0;
}

/* Nobody else of a run is there yet, or has begun: two cannot die. */
static bool is_lone(int point)
{
    return is_of(point, "resume.") || is_of(point, "journal.file") ||
           is_of(point, "journal.signed") || is_of(point, "journal.open") ||
           is_of(point, "journal.begun");
}

/* One of those that have died there as a task; or any. */
static unsigned choose_member(struct lane *lane, int point)
{
    unsigned known = shared->died[point], member;

    if (known == 0 || chance(lane, 4) == 0)
        return chance(lane, MEMBERS);
    do {
        member = chance(lane, MEMBERS);
    } while ((known & 1u << member) == 0);
    return member;
}

/* Of all that are forked, the first is the nursery; then come who writes the
 * journal, and who keeps failed items. */
static unsigned choose_nth(struct lane *lane, int point, unsigned role)
{
    if (is_of(point, "fork."))
        return role == NURSERY ? 1 + chance(lane, 3) : 4 + chance(lane, 12);
    if (is_of(point, "nursery."))
        return 1 + chance(lane, is_of(point, "nursery.reap") ? 4 : 12);
    if (lane->mode == TWO && role == JOURNAL && !is_lone(point))
        return 2 + chance(lane, 7); /* with the first, few are there */
    if (is_lone(point) || (lane->eager && (role == TASK || role == KEEPER)))
        return 1;
    return 1 + chance(lane, 1 + chance(lane, 8));
}

static void add_order(struct lane *lane, unsigned phase,
                      const struct order *order)
{
    struct phase *it = &lane->phases[phase];

    if (it->count < FAULT_ORDERS)
        it->orders[it->count++] = *order;
}

static void add(struct lane *lane, unsigned phase, int point, unsigned role)
{
    const struct order order = { .point = point,
                                 .role = role,
                                 .member = choose_member(lane, point),
                                 .nth = choose_nth(lane, point, role) };

    add_order(lane, phase, &order);
}

/* Those who are replaced die one after the other: each the time after, or
 * another task's. */
static void add_often(struct lane *lane, unsigned phase, int point,
                      unsigned role)
{
    for (unsigned i = 0; i < OFTEN; i++) {
        const struct order order = { .point = point,
                                     .role = role,
                                     .member = choose_member(lane, point),
                                     .nth = choose_nth(lane, point, role) +
                                            i / 2 };

        add_order(lane, phase, &order);
    }
}

/* All tasks come by this, and soon. */
static void add_task(struct lane *lane, unsigned phase, unsigned member,
                     unsigned nth)
{
    const struct order order = { .point = index_of("queue.commit.word"),
                                 .role = TASK,
                                 .member = member,
                                 .nth = nth };

    add_order(lane, phase, &order);
}

static void add_any(struct lane *lane, unsigned phase)
{
    unsigned at, role;

    if (lane->eager) {
        add_task(lane, phase, chance(lane, MEMBERS), 1 + chance(lane, 2));
        return;
    }
    do {
        at = chance(lane, points.count);
        role = chance(lane, ROLES);
    } while (never[at][role] != NULL);
    add(lane, phase, (int)at, role);
}

static void add_named(struct lane *lane, unsigned phase, const char *point,
                      unsigned role)
{
    add(lane, phase, index_of(point), role);
}

/* Somebody must die first, so that this one comes by. */
static void add_before(struct lane *lane, unsigned phase, int point,
                       unsigned role)
{
    static const char *const ends[] = { "journal.copied", "journal.written",
                                        "journal.committed" };

    if (is_of(point, "resume.") && phase == 1)
        add_named(lane, 0, ends[chance(lane, 3)], JOURNAL);
    else if (role == SUPERVISOR && is_of(point, "queue."))
        for (unsigned i = 0; i < 4; i++)
            add_task(lane, phase,
                     is_of(point, "queue.redo.rename") ? FILES_MEMBER
                                                       : chance(lane, MEMBERS),
                     1 + i + chance(lane, 3));
}

static void add_nth(struct lane *lane, unsigned phase, const char *point,
                    unsigned role, unsigned nth)
{
    const struct order order = { .point = index_of(point),
                                 .role = role,
                                 .nth = nth };

    add_order(lane, phase, &order);
}

/* Who makes up for a death in the same run; mostly the supervisor, that
 * recovers the first who dies, or sees to one that is to follow: the others may
 * be at work for another reason, and earlier. */
static void add_helper(struct lane *lane, unsigned phase, int point)
{
    static const char *const recovers[] = { "queue.recover.begun",
                                            "queue.recover.idle" };

    if (is_of(point, "follow.") && chance(lane, 3) != 0)
        add_nth(lane, phase, "recycle.left", SUPERVISOR, 2 + chance(lane, 4));
    else if (chance(lane, 3) != 0)
        add_nth(lane, phase, recovers[chance(lane, 2)], SUPERVISOR,
                1 + chance(lane, 2));
    else if (chance(lane, 3) == 0)
        add_named(lane, phase, "recycle.left", SUPERVISOR);
    else if (chance(lane, 2) != 0)
        add_named(lane, phase, "nursery.reap", NURSERY);
    else
        add_named(lane, phase, "nursery.forked", NURSERY);
}

/* Who is to die beside it, or before. Of those that the supervisor forks the
 * first two are waited for; who keeps failed items is forked again. */
static void add_others(struct lane *lane, unsigned phase, int point,
                       unsigned role)
{
    bool forked = role == NURSERY && is_of(point, "fork.");

    for (unsigned i = 0; i < 3; i++)
        if (forked)
            add_nth(lane, phase, points.at[point], role, 3 + i);
        else
            add_any(lane, phase);
}

/* And the run goes on. */
static bool is_replaced(int point, unsigned role)
{
    return role == KEEPER || (role == TASK && !is_of(point, "fork.") &&
                              !is_of(point, "nursery."));
}

static void aim_in(struct lane *lane, unsigned phase, int point, unsigned role,
                   enum mode mode)
{
    if (is_replaced(point, role))
        add_often(lane, phase, point, role);
    else
        add(lane, phase, point, role);
    if (mode == TWO)
        add_others(lane, phase, point, role);
    if (mode == AMID && role != SUPERVISOR && role != JOURNAL)
        add_helper(lane, phase, point);
}

/* Where it ends the run, somebody dies in who resumes it, too: again there, or
 * anywhere. */
static void aim(struct lane *lane, int point, unsigned role, enum mode mode)
{
    const unsigned first = is_of(point, "resume.") ? 1 : 0;

    lane->mode = mode;
    memset(lane->phases, 0, sizeof lane->phases);
    for (unsigned phase = first; phase + 1 < PHASES; phase++) {
        if (phase > first && chance(lane, 3) == 0) {
            add_any(lane, phase);
            add_any(lane, phase);
            continue;
        }
        add_before(lane, phase, point, role);
        aim_in(lane, phase, point, role, mode);
    }
}

/* A task's process has the number of its member, as has the keeper's; the
 * journal's has -2, and all others -1. */
static void write_spec(const struct phase *phase, char *spec)
{
    size_t size = 0;

    spec[0] = '\0';
    for (unsigned i = 0; i < phase->count; i++) {
        const struct order *it = &phase->orders[i];
        bool born = is_of(it->point, "fork.") || is_of(it->point, "nursery.");
        int member = it->role == JOURNAL         ? -2
                     : it->role == KEEPER        ? KEEPER_MEMBER
                     : it->role == TASK && !born ? (int)it->member
                                                 : -1;

        size += (size_t)snprintf(spec + size, SPEC_ROOM - size,
                                 "%s%s:%u:kill:%d", i > 0 ? "," : "",
                                 points.at[it->point], it->nth, member);
    }
}

/* ---------------------------------------------------------------- runs ---- */

/* Ends this process, which made rounds: what was wrong stands in `shared`. */
static _Noreturn void give_up(const struct lane *lane, const char *what,
                              int status)
{
    char err[1024] = "", spec[SPEC_ROOM], all[2 * SPEC_ROOM] = "";

    read_file("err", err, sizeof err);
    for (unsigned i = 0; i < PHASES; i++) {
        write_spec(&lane->phases[i], spec);
        if (spec[0] != '\0' && strlen(all) + strlen(spec) + 3 < sizeof all)
            strcat(strcat(all, i > 0 ? "; " : ""), spec);
    }
    snprintf(shared->fault, sizeof shared->fault,
             "%s (%s; status 0x%x, in %s): %s", what, all, (unsigned)status,
             lane->folder, err);
    _exit(EXIT_FAILURE);
}

/* One child that ends, this one or any; 0: not within the bound, -1: none. */
static pid_t await(pid_t pid, int *status_out)
{
    int64_t deadline = clock_deadline(BOUND_NS);
    const struct timespec nap = { .tv_nsec = 20 * NS_PER_MS };
    sigset_t child;
    pid_t got;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while ((got = waitpid(pid, status_out, WNOHANG)) == 0 &&
           clock_left(deadline) > 0)
        sigtimedwait(&child, NULL, &nap);
    return got;
}

static _Noreturn void become_weir(const char *const *args, const char *spec)
{
    sigset_t none;
    int fd = open("err", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(fd, STDERR_FILENO);
    dup2(fd, STDOUT_FILENO);
    setenv("WEIR_FAULT", spec, 1);
    execv(TEST_BUILDDIR "/tests/crash/weir", (char *const *)args);
    _exit(127);
}

static unsigned role_of(const char *name, int point)
{
    bool from_nursery = strcmp(name, "weir-nursery") == 0;

    if (is_of(point, "fork."))
        return from_nursery ? TASK : NURSERY;
    if (is_of(point, "nursery.fork.child"))
        return TASK;
    return strcmp(name, "weir") == 0           ? SUPERVISOR
           : strcmp(name, "weir:journal") == 0 ? JOURNAL
           : strcmp(name, "weir:keeper") == 0  ? KEEPER
           : from_nursery                      ? NURSERY
                                               : TASK;
}

static void note_deaths(struct lane *lane, unsigned number)
{
    const struct phase *phase = &lane->phases[number];

    for (unsigned i = 0; i < phase->count; i++) {
        const struct order *it = &phase->orders[i];
        unsigned role;

        if (lane->counts[i].who[0] == '\0')
            continue;
        role = role_of(lane->counts[i].who, it->point);
        if (role == TASK)
            shared->died[it->point] |= 1u << it->member;
        lane->deaths[lane->dead++] = (struct death){
            .point = it->point,
            .role = role,
            .phase = number,
            .when_ns = lane->counts[i].when_ns
        };
    }
}

/* Runs the command until it has ended, and all that came of it. */
static int run_to_end(struct lane *lane, const char *const *args,
                      const char *spec)
{
    int status = 0, other;
    pid_t pid = fork();

    if (pid == 0)
        become_weir(args, spec);
    if (await(pid, &status) != pid)
        give_up(lane, "it does not end", 0);
    while ((pid = await(-1, &other)) > 0)
        continue;
    if (pid == 0)
        give_up(lane, "somebody is left", status);
    return status;
}

static int weir(struct lane *lane, const char *const *args, unsigned phase)
{
    char spec[SPEC_ROOM];
    int status;

    memset(lane->counts, 0, FAULT_ORDERS * sizeof *lane->counts);
    write_spec(&lane->phases[phase], spec);
    shared->runs++;
    status = run_to_end(lane, args, spec);
    note_deaths(lane, phase);
    return status;
}

/* Each line that is too long has its row in the store, and one. */
static const char *look_at_kept(struct lane *lane)
{
    static const char *const list[] = { "weir", "failed", "--list", "last",
                                        NULL };
    char text[LINES * 64 + 1], id[64];
    int rows = 0;

    if (run_to_end(lane, list, "") != 0)
        return "what has failed is not told";
    read_file("err", text, sizeof text);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        rows++;
    for (int i = 0; i < LINES; i++) {
        snprintf(id, sizeof id, "%016x%016x ", (unsigned)i, 0);
        if (is_long_line(i) && strstr(text, id) == NULL)
            return "what has failed is not kept";
    }
    return rows == count_long() ? NULL : "what has failed is kept twice";
}

static bool was_stopped(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) == STATUS_STOPPED
                             : WTERMSIG(status) == SIGKILL;
}

/* Before the first checkpoint of a run nothing of it is done. */
static bool has_begun(const char *err)
{
    return strstr(err, "its start was never written") == NULL &&
           strstr(err, "nothing had begun") == NULL;
}

/* It is resumed; or begun anew, if it never began. */
static int go_on(struct lane *lane, unsigned phase)
{
    static const char *const run[] = {
        "weir",     "run", "--quiet", "--journal", "--checkpoint=10ms",
        "job.yaml", NULL
    };
    static const char *const resume[] = { "weir", "resume", "--quiet", "last",
                                          NULL };
    char err[1024];
    int status;

    if (phase == 0 || count_entries("state/weir/runs") == 0)
        return weir(lane, run, phase);
    status = weir(lane, resume, phase);
    read_file("err", err, sizeof err);
    if (!WIFEXITED(status) || has_begun(err))
        return status;
    if (count_entries("result") > 0)
        give_up(lane, "it has never begun, and did something", status);
    return weir(lane, run, phase);
}

static bool is_over(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_FAILED;
}

static void run_round(struct lane *lane)
{
    const char *what;
    int status = 0;

    remove_all("result");
    remove_all("state");
    mkdir("state", 0700);
    lane->dead = 0;
    for (unsigned phase = 0; phase < PHASES && !is_over(status); phase++) {
        status = go_on(lane, phase);
        if (!is_over(status) && !was_stopped(status))
            give_up(lane, "it ends", status);
    }
    if (!is_over(status))
        give_up(lane, "it is not resumed", status);
    what = look_at_files();
    if (what == NULL)
        what = look_at_kept(lane);
    if (what != NULL)
        give_up(lane, what, status);
}

/* --------------------------------------------------------------- counted ----
 */

static bool was_two(const struct lane *lane, const struct death *it)
{
    for (unsigned i = 0; i < lane->dead; i++)
        if (&lane->deaths[i] != it && lane->deaths[i].phase == it->phase)
            return true;
    return false;
}

/* Who recovers it, reaps it, or gives it a successor. */
static bool makes_up(const struct death *it)
{
    return (it->role == SUPERVISOR && !is_of(it->point, "resume.")) ||
           (it->role == NURSERY && is_of(it->point, "nursery."));
}

static bool was_amid(const struct lane *lane, const struct death *it)
{
    for (unsigned i = 0; i < lane->dead; i++) {
        const struct death *other = &lane->deaths[i];

        if (other->phase > it->phase ||
            (other->phase == it->phase && other->when_ns > it->when_ns &&
             makes_up(other)))
            return true;
    }
    return false;
}

static void count_deaths(const struct lane *lane)
{
    for (unsigned i = 0; i < lane->dead; i++) {
        const struct death *it = &lane->deaths[i];
        _Atomic unsigned *kills = shared->kills[it->point][it->role];

        kills[ALONE]++;
        if (was_two(lane, it))
            kills[TWO]++;
        if (was_amid(lane, it))
            kills[AMID]++;
    }
}

/* -------------------------------------------------------------- rounds ---- */

/* What is to be killed at: a row, or a sample of all (at < 0). */
struct row {
    int at;
    unsigned role, rounds, most;
};

/* With deaths in so many phases. */
static void make_round(struct lane *lane, int at, unsigned role, enum mode mode,
                       unsigned phases)
{
    aim(lane, at, role, mode);
    for (; phases < PHASES; phases++)
        lane->phases[phases].count = 0;
    run_round(lane);
    count_deaths(lane);
}

/* How often somebody is to be killed there, in this way. */
static unsigned wanted(const struct row *row, enum mode mode)
{
    return mode == TWO && is_lone(row->at) ? 0 : row->rounds;
}

static void fill_way(struct lane *lane, const struct row *row, enum mode mode)
{
    _Atomic unsigned *kills = &shared->kills[row->at][row->role][mode];
    unsigned rounds = wanted(row, mode), most = row->most;

    if (rounds == 0) /* that there are none is tried */
        rounds = most = 5;
    for (unsigned i = 0;
         i < most && *kills < rounds && shared->fault[0] == '\0'; i++) {
        lane->eager = i % 4 != 0 && *kills < LANES * i;
        make_round(lane, row->at, row->role, mode, PHASES);
    }
}

static void fill_row(struct lane *lane, const struct row *row)
{
    unsigned ways = never[row->at][row->role] == NULL ? MODES : TWO;

    for (unsigned mode = ALONE; mode < ways; mode++)
        fill_way(lane, row, mode);
}

/* Rows of all roles, far apart, in each way. */
static void take_samples(struct lane *lane, unsigned first)
{
    for (unsigned i = first; i < SAMPLES; i += LANES) {
        unsigned at = i * points.count / SAMPLES, role = i % ROLES;

        while (never[at][role] != NULL) {
            role = (role + 1) % ROLES;
            at = role == i % ROLES ? (at + 1) % points.count : at;
        }
        make_round(lane, (int)at, role, i % MODES, 2);
    }
}

static _Noreturn void live_in_lane(unsigned number, const struct row *row)
{
    struct lane lane = { .seed = number + 1 + (unsigned)row->at * 100 +
                                 row->role * 10 };
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_lane(&lane);
    if (row->at < 0)
        take_samples(&lane, number);
    else
        fill_row(&lane, row);
    if (chdir("/") == 0)
        remove_all(lane.folder);
    _exit(EXIT_SUCCESS);
}

/* By two at once, on as many processors. */
static void kill_row(const struct row *row)
{
    pid_t pids[LANES];

    fflush(NULL);
    for (unsigned i = 0; i < LANES; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            live_in_lane(i, row);
    }
    for (unsigned i = 0; i < LANES; i++) {
        int status = -1;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_msg(shared->fault[0] == '\0', "%s", shared->fault);
        ck_assert_int_eq(status, 0);
    }
}

static void expect_killed(const struct row *row)
{
    _Atomic unsigned *kills = shared->kills[row->at][row->role];
    const char *point = points.at[row->at], *role = role_names[row->role];

    printf("# %-24s %-10s %6u %6u %6u  %u runs in all\n", point, role,
           kills[ALONE], kills[TWO], kills[AMID], shared->runs);
    for (unsigned mode = ALONE; mode < MODES; mode++) {
        unsigned rounds = wanted(row, mode);

        ck_assert_msg(kills[mode] >= rounds, "%s %s, %s: too few were killed",
                      point, role, mode_names[mode]);
        ck_assert_msg(rounds > 0 || kills[mode] == 0,
                      "%s %s, %s: somebody was killed", point, role,
                      mode_names[mode]);
    }
}

START_TEST(each_row)
{
    unsigned at = (unsigned)_i / ROLES, role = (unsigned)_i % ROLES;
    const char *reason = never[at][role];
    char name[POINT_ROOM + 16];
    struct row row = { .at = (int)at, .role = role, .rounds = 1, .most = 1 };

    snprintf(name, sizeof name, "%s %s", points.at[at], role_names[role]);
    if (!row_wanted(name))
        return;
    if (reason == NULL) {
        row.rounds = rounds_wanted(ROUNDS);
        row.most = TRIES * row.rounds + 100;
    }
    kill_row(&row);
    if (reason == NULL)
        expect_killed(&row);
    else
        ck_assert_msg(shared->kills[at][role][ALONE] == 0,
                      "%s %s: is passed, though '%s'", points.at[at],
                      role_names[role], reason);
}
END_TEST

START_TEST(samples)
{
    const struct row row = { .at = -1 };
    unsigned dead = 0;

    kill_row(&row);
    for (unsigned i = 0; i < points.count; i++)
        for (unsigned role = 0; role < ROLES; role++)
            dead += shared->kills[i][role][ALONE];
    printf("# %u were killed in %u runs\n", dead, shared->runs);
    ck_assert_uint_ge(dead, SAMPLES / 2);
}
END_TEST

static Suite *runs_suite(void)
{
    Suite *suite = suite_create("runs");
    TCase *test = tcase_create("steps");

    tcase_set_timeout(test, 7200);
    tcase_add_checked_fixture(test, children_setup, children_teardown);
    if (is_long)
        tcase_add_loop_test(test, each_row, 0, (int)(points.count * ROLES));
    else
        tcase_add_test(test, samples);
    suite_add_tcase(suite, test);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { runs_suite, NULL };

#ifndef HAVE_SQLITE
    return suites_skip("built without SQLite: no journals");
#endif
    is_long = getenv("WEIR_LONG") != NULL;
    points_listed(&points, "tests/crash/runs.c");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || points.count == 0 ||
        !never_read(&points, role_names, never))
        return EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return suites_main(suites);
}
