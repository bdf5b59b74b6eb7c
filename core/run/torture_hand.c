/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * torture_hand.c - what is done to the processes of a run: workers and the
 * nursery are killed, and the supervisor, where the run can go on; they are
 * stopped for a while; workers get the last place and one processor. Runs in
 * the torturer, which finds them in /proc.
 *
 * The choices follow from the seed; the times at which they hit do not wholly.
 * Not touched: the processes at the run's ends, whose death ends it by design,
 * and workers whose death would (torture_sight.spared).
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/death.h"
#include "run/torture.h"

enum { PIDS_MOST = 1024, STOPS_MOST = 8, COMM_ROOM = 32, RUNNER_PERCENT = 5 };
#define GAP_LEAST_NS (500 * NS_PER_US)
#define GAP_MOST_NS (40 * NS_PER_MS)
#define STOP_MOST_NS (150 * NS_PER_MS)

struct victims {
    pid_t nursery;
    pid_t workers[PIDS_MOST];
    size_t count;
};

struct hand {
    struct torture *torture;
    struct torture_deeds *deeds;
    struct torture_fate *fate;
    pid_t supervisor;
    bool killed;    /* the supervisor */
    int64_t gap_ns; /* the mean */
    struct stopped {
        pid_t pid;
        int64_t until_ns;
    } stopped[STOPS_MOST];
    size_t stopped_count;
};

/* xorshift64* */
static uint64_t draw(struct hand *hand, uint64_t below)
{
    uint64_t x = hand->fate->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    hand->fate->random = x;
    return (x * UINT64_C(0x2545f4914f6cdd1d) >> 16) % (below > 0 ? below : 1);
}

/* ------------------------------------------------------------- finding ---- */

static void read_comm(pid_t pid, char out[COMM_ROOM])
{
    char path[64];
    int fd;
    ssize_t size;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    out[0] = '\0';
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size = read(fd, out, COMM_ROOM - 1);
    close(fd);
    out[size > 0 ? size : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static size_t children_of(pid_t pid, pid_t *out, size_t room)
{
    char path[64];
    size_t count = 0;
    FILE *file;
    int child;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid,
             (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (count < room && fscanf(file, "%d", &child) == 1)
        out[count++] = child;
    fclose(file);
    return count;
}

/* A worker is called "weir:" and as much of its stage as there is room for. */
static bool may_touch(const struct torture *torture, const char *comm)
{
    const struct job *job = torture->job;

    if (strncmp(comm, "weir:", 5) != 0)
        return false; /* not yet what it will be */
    for (size_t i = 0; i < job->stages.count; i++)
        if (torture->sights[i].spared &&
            strncmp(job->stages.at[i].name, comm + 5, strlen(comm + 5)) == 0)
            return false;
    return true;
}

static void look(const struct hand *hand, struct victims *out)
{
    pid_t pids[64];
    size_t count = children_of(hand->supervisor, pids, 64);
    char comm[COMM_ROOM];

    out->nursery = 0;
    out->count = 0;
    for (size_t i = 0; i < count && out->nursery == 0; i++) {
        read_comm(pids[i], comm);
        if (strcmp(comm, "weir-nursery") == 0)
            out->nursery = pids[i];
    }
    if (out->nursery == 0)
        return;
    count = children_of(out->nursery, out->workers, PIDS_MOST);
    for (size_t i = 0; i < count; i++) {
        read_comm(out->workers[i], comm);
        if (may_touch(hand->torture, comm))
            out->workers[out->count++] = out->workers[i];
    }
}

/* --------------------------------------------------------------- deeds ---- */

static void go_on(struct hand *hand, int64_t now)
{
    size_t left = 0;

    for (size_t i = 0; i < hand->stopped_count; i++) {
        if (hand->stopped[i].until_ns <= now)
            kill(hand->stopped[i].pid, SIGCONT);
        else
            hand->stopped[left++] = hand->stopped[i];
    }
    hand->stopped_count = left;
}

static void stop(struct hand *hand, pid_t pid)
{
    int64_t time = (int64_t)draw(hand, STOP_MOST_NS);

    if (hand->stopped_count == STOPS_MOST ||
        hand->deeds->stops >= TORTURE_KILLS || kill(pid, SIGSTOP) < 0)
        return;
    hand->stopped[hand->stopped_count++] = (struct stopped){ pid, clock_now() +
                                                                      time };
    hand->deeds->stops++;
}

static void starve(struct hand *hand, pid_t pid)
{
    cpu_set_t all, one;

    if (hand->deeds->starves >= TORTURE_KILLS ||
        setpriority(PRIO_PROCESS, (id_t)pid, 19) < 0)
        return;
    hand->deeds->starves++;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    sched_setaffinity(pid, sizeof one, &one);
}

static bool nobody_is_spared(const struct torture *torture)
{
    for (size_t i = 0; i < torture->job->stages.count; i++)
        if (torture->sights[i].spared)
            return false;
    return true;
}

static void kill_worker(struct hand *hand, pid_t pid)
{
    if (hand->deeds->kills < TORTURE_KILLS && kill(pid, SIGKILL) == 0)
        hand->deeds->kills++;
}

/* With its workers. */
static void kill_nursery(struct hand *hand, pid_t pid)
{
    if (hand->deeds->nurseries < TORTURE_NURSERIES &&
        nobody_is_spared(hand->torture) && kill(pid, SIGKILL) == 0)
        hand->deeds->nurseries++;
}

/* With all of its own. */
static void kill_runner(struct hand *hand)
{
    if (hand->deeds->runners == TORTURE_RUNNERS ||
        kill(hand->supervisor, SIGKILL) < 0)
        return;
    hand->deeds->runners++;
    hand->killed = true;
}

static void do_one(struct hand *hand)
{
    uint64_t what = draw(hand, 100), who = draw(hand, UINT32_MAX);
    struct victims victims;
    pid_t worker;

    /* Also while it starts, or takes up what it had. */
    if (hand->fate->lives && draw(hand, 100) < RUNNER_PERCENT) {
        kill_runner(hand);
        return;
    }
    look(hand, &victims);
    if (victims.count == 0)
        return;
    worker = victims.workers[who % victims.count];
    if (what < 60)
        kill_worker(hand, worker);
    else if (what < 64)
        kill_nursery(hand, victims.nursery);
    else if (what < 82)
        stop(hand, worker);
    else if (what < 85)
        stop(hand, victims.nursery);
    else if (what < 87)
        stop(hand, hand->supervisor);
    else
        starve(hand, worker);
}

/* ---------------------------------------------------------------- until ----
 */

/* Where the system cannot look at descriptors, it is asked for the child. */
static bool has_ended(pid_t pid, int pidfd, int64_t wait_ns)
{
    struct pollfd poller = { .fd = pidfd, .events = POLLIN };
    const struct timespec time = clock_timespec(wait_ns);
    int got = ppoll(&poller, 1, &time, NULL);
    struct death death;

    if (got >= 0 || errno == EINTR)
        return got == 1;
    nanosleep(&time, NULL);
    return death_of_child(pid, &death);
}

static int64_t gap_of(const struct torture *torture)
{
    int64_t gap = torture->first.time_ns / (TORTURE_KILLS * 2);

    return gap < GAP_LEAST_NS  ? GAP_LEAST_NS
           : gap > GAP_MOST_NS ? GAP_MOST_NS
                               : gap;
}

struct torture_fate torture_fate(const struct torture *torture, uint64_t seed)
{
    return (struct torture_fate){
        .random = seed != 0 ? hash_mix(seed, 1) | 1 : 0,
        .lives = torture_has_lives(torture, seed),
    };
}

enum torture_end torture_hand(struct torture *torture, pid_t pid, int pidfd,
                              struct torture_fate *fate, int64_t deadline_ns,
                              struct torture_deeds *deeds)
{
    struct hand hand = { .torture = torture,
                         .deeds = deeds,
                         .fate = fate,
                         .supervisor = pid,
                         .gap_ns = gap_of(torture) };
    bool ended = false;

    while (clock_left(deadline_ns) > 0 && !hand.killed) {
        int64_t wait = fate->random != 0
                           ? (int64_t)draw(&hand, (uint64_t)hand.gap_ns * 2)
                           : GAP_MOST_NS;

        ended = has_ended(pid, pidfd, wait);
        if (ended || (torture->stopped != NULL && torture->stopped()))
            break;
        go_on(&hand, clock_now());
        if (fate->random != 0)
            do_one(&hand);
    }
    go_on(&hand, FOREVER);
    if (hand.killed)
        return TORTURE_KILLED;
    if (ended)
        return TORTURE_ENDED;
    kill(pid, SIGKILL); /* what it has goes with it */
    return TORTURE_LATE;
}
