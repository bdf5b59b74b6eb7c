/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * runs.c - who of a run with a journal is killed where: a row for each step
 * (points.list) and each role: its supervisor, its nursery, the processes of
 * its tasks, the one that writes its journal. They die there
 *
 *     alone   the run goes on; or it ends, and is resumed
 *     two     and another dies elsewhere in the same run
 *     amid    and another dies while this one is made up for: the supervisor
 *             that recovers it, or somebody of the run that is resumed
 *
 * and in the end its files are byte for byte those of a run that nobody has
 * disturbed: lines appended in order, a file for each item, totals of a task
 * that has a state and is replaced all the time; and nothing else is there, and
 * nobody is left. Each row is killed, or stands in never.list with the reason
 * why that role never comes by that step: and then it does not.
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

enum { SUPERVISOR, NURSERY, TASK, JOURNAL, ROLES };
enum mode { ALONE, TWO, AMID, MODES };
enum {
    ROUNDS = 1000,
    TRIES = 3, /* runs for each round that is needed, where few come by */
    SAMPLES = 14,
    PHASES = 5, /* a run, and who resumes it; the last is not disturbed */
    LANES = 2,
    LINES = 60,
    MEMBERS = 8,
    STATUS_STOPPED = 3,
    SPEC_ROOM = 1024,
};

#define BOUND_NS (120 * NS_PER_S)

static const char *const role_names[] = { "supervisor", "nursery", "task",
                                          "journal" };
static const char *const mode_names[] = { "alone", "two", "amid" };
static const char job[] =
    "weir: 1\n"
    "job: work\n"
    "defaults: { retries: 1000 }\n"
    "queues: { a: { capacity: 8 }, b: { capacity: 8 }, c: { capacity: 8 },\n"
    "          d: { capacity: 4 }, e: { capacity: 4 }, f: { capacity: 4 } }\n"
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
static const char top[] = "60\tand\n60\tsome\n60\twords\n";

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
    struct phase phases[PHASES];
    /* Who did die, and in which phase. */
    struct death {
        int point;
        unsigned role, phase;
        int64_t when_ns;
    } deaths[PHASES * FAULT_ORDERS];
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

/* What the files must be is known from the input. */
static const char *look_at_files(void)
{
    char want[LINES * 32], got[LINES * 32], path[64];
    size_t size = 0;

    for (int i = 0; i < LINES; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "%d SOME WORDS AND %d", i,
                              i % 3);

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
    if (count_entries("result") != 3 || count_entries("result/files") != LINES)
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
    char text[LINES * 32];
    size_t size = 0;

    strcpy(lane->folder, "/dev/shm/weir-runs.XXXXXX");
    if (mkdtemp(lane->folder) == NULL) {
        strcpy(lane->folder, "/tmp/weir-runs.XXXXXX");
        if (mkdtemp(lane->folder) == NULL)
            _exit(EXIT_FAILURE);
    }
    if (chdir(lane->folder) < 0)
        _exit(EXIT_FAILURE);
    for (int i = 0; i < LINES; i++)
        size += (size_t)sprintf(text + size, "%d some words and %d\n", i,
                                i % 3);
    write_file("in", text);
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

/* Nobody else of a run is there yet, or is busy: two cannot die. */
static bool is_first(int point, unsigned role)
{
    const char *name = points.at[point];

    return (role == NURSERY && strncmp(name, "fork.", 5) == 0) ||
           strncmp(name, "resume.", 7) == 0 ||
           strcmp(name, "journal.file") == 0 ||
           strcmp(name, "journal.signed") == 0 ||
           strcmp(name, "journal.open") == 0 ||
           strcmp(name, "journal.begun") == 0;
}

static bool is_of(int point, const char *what)
{
    return strncmp(points.at[point], what, strlen(what)) == 0;
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
    if (is_first(point, role))
        return 1;
    return 1 + chance(lane, 1 + chance(lane, 8));
}

static void add(struct lane *lane, unsigned phase, int point, unsigned role)
{
    struct phase *it = &lane->phases[phase];

    if (it->count < FAULT_ORDERS)
        it->orders[it->count++] = (struct order){
            .point = point,
            .role = role,
            .member = choose_member(lane, point),
            .nth = choose_nth(lane, point, role)
        };
}

static void add_any(struct lane *lane, unsigned phase)
{
    unsigned at, role;

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

    if (is_of(point, "resume."))
        add_named(lane, phase - 1, ends[chance(lane, 3)], JOURNAL);
    else if (role == SUPERVISOR && is_of(point, "queue."))
        for (int i = 0; i < 4; i++)
            add_named(lane, phase, "queue.commit.word", TASK);
}

/* Those who make up for a death in the same run. */
static void add_helpers(struct lane *lane, unsigned phase)
{
    if (chance(lane, 2) != 0)
        add_named(lane, phase, "queue.recover.begun", SUPERVISOR);
    else
        add_named(lane, phase, "queue.recover.idle", SUPERVISOR);
    add_named(lane, phase, "nursery.reap", NURSERY);
    if (chance(lane, 2) != 0)
        add_named(lane, phase, "nursery.forked", NURSERY);
    else
        add_named(lane, phase, "recycle.left", SUPERVISOR);
}

static void aim(struct lane *lane, int point, unsigned role, enum mode mode)
{
    unsigned phase = is_of(point, "resume.") ? 1 : 0;

    memset(lane->phases, 0, sizeof lane->phases);
    add_before(lane, phase, point, role);
    add(lane, phase, point, role);
    if (role == TASK && !is_of(point, "fork.") && !is_of(point, "nursery."))
        for (int i = 0; i < 2; i++) /* many have none of these at all */
            add(lane, phase, point, role);
    for (int i = 0; mode == TWO && i < 3; i++)
        add_any(lane, phase);
    if (mode != AMID)
        return;
    if (role == TASK || role == NURSERY)
        add_helpers(lane, phase);
    add_any(lane, phase + 1);
    add_any(lane, phase + 1);
    add_any(lane, phase + 2);
}

/* A task's process has the number of its member, the journal's has -2, and
 * all others -1. */
static void write_spec(const struct phase *phase, char *spec)
{
    size_t size = 0;

    spec[0] = '\0';
    for (unsigned i = 0; i < phase->count; i++) {
        const struct order *it = &phase->orders[i];
        bool born = is_of(it->point, "fork.") || is_of(it->point, "nursery.");
        int member = it->role == JOURNAL         ? -2
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
static int weir(struct lane *lane, const char *const *args, unsigned phase)
{
    char spec[SPEC_ROOM];
    int status = 0, other;
    pid_t pid;

    memset(lane->counts, 0, FAULT_ORDERS * sizeof *lane->counts);
    write_spec(&lane->phases[phase], spec);
    shared->runs++;
    pid = fork();
    if (pid == 0)
        become_weir(args, spec);
    if (await(pid, &status) != pid)
        give_up(lane, "it does not end", 0);
    while ((pid = await(-1, &other)) > 0)
        continue;
    if (pid == 0)
        give_up(lane, "somebody is left", status);
    note_deaths(lane, phase);
    return status;
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

static void run_round(struct lane *lane)
{
    const char *what;
    int status = -1;

    remove_all("result");
    remove_all("state");
    mkdir("state", 0700);
    lane->dead = 0;
    for (unsigned phase = 0; phase < PHASES && status != 0; phase++) {
        status = go_on(lane, phase);
        if (status != 0 && !was_stopped(status))
            give_up(lane, "it ends", status);
    }
    if (status != 0)
        give_up(lane, "it is not resumed", status);
    what = look_at_files();
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

static void make_round(struct lane *lane, int at, unsigned role, enum mode mode)
{
    aim(lane, at, role, mode);
    run_round(lane);
    count_deaths(lane);
}

static bool is_wanted(int at, unsigned role, enum mode mode)
{
    return mode != TWO || !is_first(at, role);
}

static void fill_row(struct lane *lane, const struct row *row)
{
    _Atomic unsigned *kills = shared->kills[row->at][row->role];

    for (unsigned mode = ALONE; mode < MODES; mode++)
        for (unsigned i = 0;
             is_wanted(row->at, row->role, mode) && i < row->most &&
             kills[mode] < row->rounds && shared->fault[0] == '\0';
             i++)
            make_round(lane, row->at, row->role, mode);
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
        make_round(lane, (int)at, role, i % MODES);
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

static void expect_killed(unsigned at, unsigned role)
{
    _Atomic unsigned *kills = shared->kills[at][role];

    printf("# %-24s %-10s %6u %6u %6u  %u runs in all\n", points.at[at],
           role_names[role], kills[ALONE], kills[TWO], kills[AMID],
           shared->runs);
    for (unsigned mode = ALONE; mode < MODES; mode++)
        ck_assert_msg(!is_wanted((int)at, role, mode) || kills[mode] > 0,
                      "%s %s, %s: nobody was killed", points.at[at],
                      role_names[role], mode_names[mode]);
}

START_TEST(each_row)
{
    unsigned at = (unsigned)_i / ROLES, role = (unsigned)_i % ROLES;
    const char *reason = never[at][role];
    struct row row = { .at = (int)at, .role = role, .rounds = 1, .most = 1 };

    if (reason == NULL) {
        row.rounds = rounds_wanted(ROUNDS);
        row.most = TRIES * row.rounds + 100;
    }
    kill_row(&row);
    if (reason == NULL)
        expect_killed(at, role);
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
    return 77; /* no journals: skipped */
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
