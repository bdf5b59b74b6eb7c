/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steps.c - killed at every instruction. One process makes one turn over
 * core/queue, and is stepped through it, from its entering to its leaving.
 * Then, for each k, such a process is killed before its k-th instruction: it is
 * recovered, others finish what it has begun, and every item is there once, and
 * nothing is left over. The same for who recovers and for who closes: killed
 * there, it is done again. So nothing here relies on where the named points
 * stand; those are killed at by many at once in matrix.c.
 *
 * Some of those that recover are killed, too, at any instruction.
 *
 * WEIR_LONG: each instruction of each turn; else a few of some.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/acts.h"
#include "crash/stepper.h"
#include "lib/suites.h"

enum {
    SAMPLES = 5,     /* of a turn, where not all are wanted; */
    FEWER = 5,       /* and one in so many turns */
    AMID = 61,       /* one in so many kills is made up for by two, */
    RECOVERY = 6000, /* of whom the first dies within so many instructions */
    FAULT_TEXT = 200,
};

/* ------------------------------------------------------------ processes ----
 */

/* In a process of its own, as all that is done by members. */
static void do_turns(struct world *world, unsigned who, bool all)
{
    struct member *member;

    demand(member_enter(world->segment, who, &member));
    while (world->turn->acts[who](world, member) > 0 && all)
        continue;
    member_leave(&member);
}

static int status_of(pid_t pid)
{
    int status = -1;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static pid_t fork_one(void)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    return pid;
}

/* All that stands before what is killed. */
static void prepare(struct world *world)
{
    const struct turn *turn = world->turn;
    pid_t pid = fork_one();

    if (pid == 0) {
        if (turn->warm)
            do_turns(world, SOURCE, false);
        if (turn->who > SOURCE)
            do_turns(world, SOURCE, true);
        if (turn->who == APPENDER)
            do_turns(world, WORKER, true);
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid), 0);
    if (turn->dead_at == NULL)
        return;
    pid = fork_one();
    if (pid == 0) {
        fault_start(turn->dead_at, -1);
        do_turns(world, WORKER, false);
        _exit(0);
    }
    ck_assert_msg(WIFSIGNALED(status_of(pid)), "%s is not passed",
                  turn->dead_at);
}

/* Returns the status of who did it. */
static int finish(struct world *world)
{
    pid_t pid = fork_one();

    if (pid == 0) {
        for (unsigned who = SOURCE; who < MEMBERS; who++) {
            do_turns(world, who, true);
            if (who < APPENDER)
                demand(queue_close(world->segment, who));
        }
        _exit(0);
    }
    return status_of(pid);
}

/* -------------------------------------------------- what must be true ---- */

static bool fault_is(char *fault, const char *format, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* False. */
static bool fault_is(char *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault, FAULT_TEXT, format, args);
    va_end(args);
    return false;
}

static unsigned outputs_of(const struct turn *turn)
{
    return turn->acts[WORKER] == in_parts ? OUTPUTS : 1;
}

static bool look_at_file(const struct world *world, char *fault)
{
    unsigned seen[ITEMS][OUTPUTS] = { { 0 } };
    uint64_t length = sink_length(world->segment, 0);
    struct record record, last = { 0, 0 };
    off_t at = 0;

    for (; at + (off_t)sizeof record <= (off_t)length; at += sizeof record) {
        if (pread(world->file, &record, sizeof record, at) != sizeof record ||
            record.id >= ITEMS || record.output >= OUTPUTS)
            return fault_is(fault, "the file is torn at %lld", (long long)at);
        seen[record.id][record.output]++;
        if (world->turn->ordered && record.id < last.id)
            return fault_is(fault, "item %u is out of order", record.id);
        last = record;
    }
    for (unsigned id = 0; id < ITEMS; id++)
        for (unsigned i = 0; i < outputs_of(world->turn); i++)
            if (seen[id][i] != 1)
                return fault_is(fault, "item %u.%u is there %u times", id, i,
                                seen[id][i]);
    return true;
}

/* What was in the hand of who only gets is lost with it. */
static bool look_at_got(const struct world *world, bool killed, char *fault)
{
    bool lost = killed && world->turn->who == APPENDER;

    for (unsigned id = 0; id < ITEMS; id++)
        if (world->seen->got[id] > 1 ||
            (world->seen->got[id] == 0 && (!lost || id >= BATCH)))
            return fault_is(fault, "item %u was got %u times", id,
                            world->seen->got[id]);
    return true;
}

/* Only the one in the hand of a worker that died is charged. */
static bool look_at_charges(const struct world *world, bool killed, char *fault)
{
    const struct turn *turn = world->turn;
    bool died = (killed && turn->who == WORKER) || turn->dead_at != NULL;
    unsigned charged = 0;

    for (unsigned id = 0; id < ITEMS; id++)
        charged += world->seen->charged[id];
    if (charged > died && !turn->charges)
        return fault_is(fault, "%u attempts are charged", charged);
    return true;
}

static bool look_at_queues(const struct world *world, char *fault)
{
    uint64_t chunks, touched;

    for (unsigned q = 0; q < 2; q++) {
        unsigned outputs = q == 0 ? 1 : outputs_of(world->turn);
        struct queue_state state;

        if (queue_state(world->segment, q, FOREVER, &state) < 0)
            return fault_is(fault, "queue %u is damaged", q);
        if (state.ready + state.leased + state.staged + state.held != 0 ||
            state.bytes != 0 || state.free != CAPACITY)
            return fault_is(fault,
                            "queue %u: %u ready, %u leased, %u staged, %u "
                            "held, %llu B, %u free",
                            q, state.ready, state.leased, state.staged,
                            state.held, (unsigned long long)state.bytes,
                            state.free);
        if (state.published != ITEMS * outputs)
            return fault_is(fault, "queue %u: %llu were published", q,
                            (unsigned long long)state.published);
    }
    if (segment_store_used(world->segment, &chunks, &touched) < 0 ||
        chunks != 0)
        return fault_is(fault, "%llu chunks are left over",
                        (unsigned long long)chunks);
    return true;
}

static bool is_right(const struct world *world, bool killed, char *fault)
{
    return (world->turn->acts[APPENDER] == append
                ? look_at_file(world, fault)
                : look_at_got(world, killed, fault)) &&
           look_at_charges(world, killed, fault) &&
           look_at_queues(world, fault);
}

/* --------------------------------------------------------------- rounds ----
 */

static void open_world(struct world *world, const struct turn *turn)
{
    static const struct order_link order = { 0, 1 };
    struct queue_plan plans[2] = {
        { .capacity = CAPACITY, .bytes = 65536 },
        { .capacity = CAPACITY, .bytes = 65536 },
    };
    struct segment_plan plan = { .queues = plans,
                                 .queue_count = 2,
                                 .orders = &order,
                                 .order_count = turn->ordered,
                                 .member_count = MEMBERS,
                                 .sink_count = 1 };

    if (turn->keyed) {
        plans[0].key = "k";
        plans[0].lanes = 1;
    }
    world->turn = turn;
    ck_assert_int_eq(segment_create(&plan, &world->segment, NULL), 0);
    ck_assert_int_eq(ftruncate(world->file, 0), 0);
    memset(world->seen, 0, sizeof *world->seen);
}

static unsigned who_died(const struct turn *turn)
{
    return turn->who == OWNER ? WORKER : turn->who;
}

static void recover(void *arg)
{
    struct world *world = arg;

    demand(member_recover(world->segment, who_died(world->turn), CAUSE_SIGNAL,
                          SIGKILL, NULL));
}

static void close_first(void *arg)
{
    struct world *world = arg;

    demand(queue_close(world->segment, 0));
}

static void do_one_turn(void *arg)
{
    struct world *world = arg;

    do_turns(world, world->turn->who, false);
}

static bool is_close(const struct turn *turn)
{
    return turn->who == OWNER && turn->dead_at == NULL;
}

/* One that is to be stepped through. */
static pid_t fork_stepped(struct world *world)
{
    const struct turn *turn = world->turn;

    return stepper_fork(turn->who != OWNER ? do_one_turn
                        : is_close(turn)   ? close_first
                                           : recover,
                        world);
}

/* Who was killed is recovered; by one who is killed as well, behind so many
 * @steps, and then by who is not. 0: by the latter alone. */
static void make_up(struct world *world, unsigned steps)
{
    int code;

    if (is_close(world->turn))
        return; /* it is closed in any case */
    if (steps != 0) {
        pid_t pid = stepper_fork(recover, world);

        if (stepper_step(pid, steps))
            stepper_kill(pid);
    }
    code = member_recover(world->segment, who_died(world->turn), CAUSE_SIGNAL,
                          SIGKILL, NULL);
    ck_assert_msg(code == 0, "not recovered: %s", weir_strerror(code));
}

/* Returns whether it was killed there; what is wrong then stands in @fault. */
static bool kill_before(struct world *world, const struct turn *turn,
                        const struct path *path, unsigned k, unsigned steps,
                        char *fault)
{
    bool killed;
    int status;
    pid_t pid;

    open_world(world, turn);
    prepare(world);
    pid = fork_stepped(world);
    killed = stepper_reach(pid, path, k);
    if (killed) {
        stepper_kill(pid);
        make_up(world, steps);
    }
    status = finish(world);
    if (status != 0)
        fault_is(fault, "the others end with 0x%x", (unsigned)status);
    else
        is_right(world, killed, fault);
    segment_free(&world->segment);
    return killed;
}

/* False: none may be traced. */
static bool learn_path(struct world *world, const struct turn *turn,
                       struct path *path)
{
    pid_t pid;

    open_world(world, turn);
    prepare(world);
    pid = fork_stepped(world);
    if (pid != 0)
        stepper_walk(pid, path);
    segment_free(&world->segment);
    return pid != 0;
}

/* ---------------------------------------------------------------- turns ----
 */

#define TURN(name_, who_, source, worker, appender, size_, ...)                \
    {                                                                          \
        .name = name_, .who = who_, .acts = { source, worker, appender },      \
        .size = size_, ##__VA_ARGS__                                           \
    }

static const struct turn turns[] = {
    TURN("put, staged", SOURCE, put_staged, copy, append, SMALL, .warm = true),
    TURN("put, staged, in chunks", SOURCE, put_staged, copy, append, LARGE),
    TURN("put, by key", SOURCE, put_staged, copy, append, SMALL, .keyed = true,
         .warm = true),
    TURN("put, many", SOURCE, put_many, copy, append, LARGE, .warm = true),
    TURN("put, direct", SOURCE, put_direct, copy, append, SMALL, .warm = true),
    TURN("put, direct, in chunks", SOURCE, put_direct, copy, append, LARGE,
         .warm = true),
    TURN("call", SOURCE, put_calls, answer, take, SMALL),
    TURN("work", WORKER, put_many, copy, append, SMALL),
    TURN("work, in chunks", WORKER, put_many, copy, append, LARGE),
    TURN("work, passed on", WORKER, put_many, pass_on, append, LARGE),
    TURN("work, in order", WORKER, put_staged, copy, append, SMALL,
         .ordered = true),
    TURN("work, by key", WORKER, put_staged, pass_on, append, SMALL,
         .keyed = true),
    TURN("work, in parts", WORKER, put_many, in_parts, append, SMALL),
    TURN("work, some given back", WORKER, put_many, give_back, append, SMALL,
         .charges = true),
    TURN("work, undone", WORKER, put_many, undo, append, LARGE),
    TURN("answer", WORKER, put_calls, answer, take, SMALL),
    TURN("append", APPENDER, put_many, copy, append, LARGE),
    TURN("append, in order", APPENDER, put_staged, copy, append, SMALL,
         .ordered = true),
    TURN("get", APPENDER, put_many, copy, get, SMALL),
    TURN("get, of chunks", APPENDER, put_many, pass_on, get, LARGE),
    TURN("take", APPENDER, put_calls, answer, take, SMALL),
    TURN("close", OWNER, put_many, copy, append, SMALL),
    TURN("recover, before the commit", OWNER, put_many, copy, append, LARGE,
         .dead_at = "queue.commit.before:1:kill"),
    TURN("recover, behind the commit", OWNER, put_many, copy, append, LARGE,
         .dead_at = "queue.commit.word:1:kill"),
    TURN("recover, in order", OWNER, put_staged, copy, append, SMALL,
         .ordered = true, .dead_at = "queue.commit.word:1:kill"),
    TURN("recover, by key", OWNER, put_staged, pass_on, append, SMALL,
         .keyed = true, .dead_at = "queue.commit.before:1:kill"),
    TURN("recover, the lock held", OWNER, put_many, pass_on, append, LARGE,
         .dead_at = "queue.ready.word:2:kill"),
    TURN("recover, a part", OWNER, put_many, in_parts, append, SMALL,
         .dead_at = "queue.commit.word:2:kill"),
    TURN("recover, an answer", OWNER, put_calls, answer, take, SMALL,
         .dead_at = "queue.answer.spent:2:kill"),
};

static const struct turn *turn_named(const char *name)
{
    const struct turn *turn = turns;

    while (strcmp(turn->name, name) != 0)
        turn++;
    return turn;
}

static bool is_long(void)
{
    return getenv("WEIR_LONG") != NULL;
}

static void open_files(struct world *world)
{
    char path[] = "/tmp/weir-steps.XXXXXX";

    world->file = mkstemp(path);
    ck_assert_int_ge(world->file, 0);
    unlink(path);
    world->seen = mmap(NULL, sizeof *world->seen, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(world->seen, MAP_FAILED);
}

/* At each @stride-th instruction, until there is a fault. */
static void kill_along(struct world *world, const struct turn *turn,
                       const struct path *path, unsigned stride, char *fault)
{
    unsigned kills = 0, rounds = 0;

    for (unsigned k = stride / 2; k < path->count && fault[0] == '\0';
         k += stride) {
        if (k > 0 && path->at[k] == path->at[k - 1])
            continue; /* one that repeats itself, as a copy does */
        kills += kill_before(world, turn, path, k,
                             rounds % AMID == 0 ? 1 + k * 7919 % RECOVERY : 0,
                             fault);
        rounds++;
        if (fault[0] != '\0')
            printf("# %s, before instruction %u: %s\n", turn->name, k, fault);
    }
    printf("# %s: %u instructions, %u kills\n", turn->name, path->count, kills);
    /* Now and then it goes another way. */
    ck_assert_msg(kills >= rounds - rounds / 4, "%s: %u of %u were killed",
                  turn->name, kills, rounds);
}

static void kill_in(const struct turn *turn, char *fault)
{
    struct path *path = malloc(sizeof *path);
    struct world world = { 0 };

    ck_assert_ptr_nonnull(path);
    fault_start("", -1);
    open_files(&world);
    if (learn_path(&world, turn, path))
        kill_along(&world, turn, path,
                   is_long() || path->count < SAMPLES ? 1
                                                      : path->count / SAMPLES,
                   fault);
    else
        printf("# skipped: no process may be traced here\n");
    free(path);
    close(world.file);
    munmap(world.seen, sizeof *world.seen);
}

START_TEST(each_turn)
{
    char fault[FAULT_TEXT] = "";

    if (!is_long() && _i % FEWER != 2)
        return;
    kill_in(&turns[_i], fault);
    ck_assert_msg(fault[0] == '\0', "%s: %s", turns[_i].name, fault);
}
END_TEST

/* Slots are freed before the commit: it must be noticed. */
START_TEST(mutation)
{
    char fault[FAULT_TEXT] = "";

    ck_assert_int_eq(setenv("WEIR_MUTANT", "free-before-commit", 1), 0);
    kill_in(turn_named("work"), fault);
    ck_assert_msg(fault[0] != '\0', "the mutation was not noticed");
}
END_TEST

static Suite *steps_suite(void)
{
    Suite *suite = suite_create("steps");
    TCase *test = tcase_create("instructions");

    tcase_set_timeout(test, is_long() ? 3600 : 120);
    tcase_add_checked_fixture(test, children_setup, children_teardown);
    tcase_add_loop_test(test, each_turn, 0, sizeof turns / sizeof *turns);
    tcase_add_test(test, mutation);
    suite_add_tcase(suite, test);
    return suite;
}

int main(void)
{
    static Suite *(*const suites[])(void) = { steps_suite, NULL };

    if (!STEPPER_WORKS)
        return suites_skip("steps are those of x86-64");
    if (SANITIZED) /* each time another way, and none of it weir's */
        return suites_skip("most instructions are the sanitizer's");
    return suites_main(suites);
}
