/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * matrix.c - who is killed where: a row for each step of the queue's protocol
 * (points.list has them) and each role in a pipeline (flow.h): its source, its
 * workers, its appenders, its owner, who recovers and closes. They die there
 *
 *     alone   some times in a run
 *     two     and another dies before anybody is recovered: where that one was
 *             to die as well, or wherever it is. Of the owner: at the same time
 *     amid    and another dies while the first is recovered, at each step of
 *             that; in half of these cases the owner dies as well, and all is
 *             begun again. Of the owner: and who begins again is stopped, too
 *
 * and nothing is lost, doubled, torn, out of order or left over. Each row is
 * killed, or stands in never.list with the reason why that role never comes by
 * that step: and then it does not. WEIR_LONG: ROUNDS of each of the three, for
 * each row, or WEIR_ROUNDS; else each row once, and some of the rest. Rows that
 * few come by need more runs: their roles die for nothing else, and early.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "crash/flow.h"
#include "crash/never.h"
#include "lib/points.h"
#include "lib/suites.h"

enum {
    KINDS = FLOW_PARTS + 1,
    WAYS = 3 * KINDS + 3,
    ROUNDS = 1000,
    TRIES = 20, /* runs for each round that is needed, where few come by */
};
enum mode { ALONE, TWO, AMID, MODES };

static const char *const role_names[NEVER_ROLES] = { "source", "worker",
                                                     "appender", "owner" };

static struct points points;
static never_reasons never;
/* Who comes by what: in each kind of pipeline. */
static bool passed[WAYS][FLOW_ROLES][POINTS_MOST];
/* How often who was killed where: of all tests, each of which is a process. */
static _Atomic unsigned (*kills)[FLOW_ROLES][MODES];
static bool is_long;

static struct flow flow_of(unsigned way, unsigned turn)
{
    static const uint32_t capacities[] = { 1, 7, 64 }, batches[] = { 1, 8, 32 };
    unsigned mix = (unsigned)(hash_mix(turn, way) >> 32);
    struct flow flow = { .kind = way < 3 * KINDS ? way % KINDS : FLOW_COPY,
                         .ordered = way / KINDS == 1 || way == 3 * KINDS,
                         .keyed = way / KINDS == 2,
                         .direct = way == 3 * KINDS + 1,
                         .back = way == 3 * KINDS || way == 3 * KINDS + 2,
                         .capacity = capacities[mix % 3],
                         .batch = batches[mix / 3 % 3],
                         .outputs = 10,
                         .workers = 3,
                         .member = -1,
                         .seed = turn,
                         .limit_ms = 60000 };

    if (flow.back)
        flow.share = 1;
    flow.items = flow.kind == FLOW_PARTS ? 100 : 400;
    if (flow.ordered || flow.keyed)
        flow.items /= 2;
    flow.drops = flow.ordered ? mix / 9 % 2 * 5 : 0;
    flow.size = mix % 5 == 0 || (flow.direct && mix % 2 == 0) ? 16 : 200;
    flow.appenders = flow.ordered || flow.keyed ? 1 : 2;
    return flow;
}

/* --------------------------------------------------------- who dies where ----
 */

/* What a run is for. */
struct aim {
    unsigned way, seed;
    enum mode mode;
    int point;  /* -1: any that was not killed at yet */
    bool eager; /* few have come by it until now */
    enum flow_role role;
    unsigned luck[64], lucks; /* deaths by which the owner came to its point */
};

static unsigned chance(struct aim *aim, unsigned of)
{
    return (unsigned)rand_r(&aim->seed) % of;
}

static int index_of(const char *point)
{
    unsigned at = 0;

    while (at < points.count && strcmp(points.at[at], point) != 0)
        at++;
    return at < points.count ? (int)at : -1;
}

/* Where this role comes by, in such a pipeline. -1: nowhere. */
static int any_of(struct aim *aim, enum flow_role role, bool fresh)
{
    unsigned from = chance(aim, points.count);

    for (unsigned i = 0; i < points.count; i++) {
        unsigned at = (from + i) % points.count;

        if (passed[aim->way][role][at] &&
            !(fresh && kills[at][role][ALONE] != 0))
            return (int)at;
    }
    return -1;
}

/* A row that an undisturbed run does not come by needs deaths of others. */
static int by_luck(struct aim *aim, enum flow_role role)
{
    unsigned at = aim->lucks > 0 ? aim->luck[chance(aim, aim->lucks)] : 0;

    if (aim->lucks > 0 && chance(aim, 3) != 0 && passed[aim->way][role][at])
        return (int)at;
    return any_of(aim, role, false);
}

/* Whoever comes next rebuilds; so somebody must die with a lock. */
static bool is_rebuild(const struct aim *aim)
{
    return aim->point >= 0 && strstr(points.at[aim->point], "rebuil") != NULL;
}

static int with_a_lock(struct aim *aim, enum flow_role role)
{
    static const char *const places[] = { "lock.taken", "lock.give",
                                          "queue.free.word",
                                          "queue.ready.word" };
    int at = index_of(places[chance(aim, 4)]);

    return at >= 0 && passed[aim->way][role][at] ? at : -1;
}

static int choose_member(struct aim *aim, enum flow_role role)
{
    if (aim->point < 0)
        return any_of(aim, role, true);
    if (role == aim->role && chance(aim, aim->eager ? 8 : 3) != 0)
        return aim->point;
    if (is_rebuild(aim) && chance(aim, 2) != 0)
        return with_a_lock(aim, role);
    if (aim->role == FLOW_OWNER || aim->mode == TWO || is_rebuild(aim) ||
        chance(aim, 4) == 0)
        return by_luck(aim, role);
    return -1;
}

/* A step that each recovery, or close, comes by: also one that begins again. */
static int of_each(struct aim *aim, const struct flow_order *order)
{
    return index_of(order->closes         ? "queue.close.word"
                    : chance(aim, 2) != 0 ? "queue.recover.begun"
                                          : "queue.recover.idle");
}

static int choose_owner(struct aim *aim, struct flow_order *order)
{
    if (aim->point < 0) {
        order->ends = true;
        return order->again == 0 ? any_of(aim, FLOW_OWNER, true) : -1;
    }
    if (aim->role == FLOW_OWNER && order->again == 0) {
        order->ends = true;
        order->other = aim->mode == TWO;
        return aim->point;
    }
    if (aim->mode != AMID || order->again > 1)
        return -1;
    order->other = true;
    order->ends = chance(aim, 2) == 0;
    return chance(aim, 2) != 0 ? of_each(aim, order)
                               : any_of(aim, FLOW_OWNER, false);
}

/* Which time that it comes by it is to die. */
static unsigned choose_nth(struct aim *aim, enum flow_role role, int point)
{
    bool first = is_rebuild(aim) || (aim->eager && chance(aim, 4) != 0);

    if (first || strncmp(points.at[point], "queue.recover.", 14) == 0)
        return 1;
    return role == FLOW_OWNER ? 1 + chance(aim, 2)
                              : 1 + chance(aim, 1 + chance(aim, 8));
}

static void order(void *arg, enum flow_role role, struct flow_order *order)
{
    struct aim *aim = arg;
    int at = role == FLOW_OWNER ? choose_owner(aim, order)
                                : choose_member(aim, role);

    if (at < 0)
        return;
    order->point = points.at[at];
    order->nth = choose_nth(aim, role, at);
}

static void count_kill(const char *point, enum flow_role role, enum mode mode)
{
    kills[index_of(point)][role][mode]++;
}

static void happened(void *arg, const struct flow_event *event)
{
    struct aim *aim = arg;
    bool amid = false;

    for (unsigned i = 0; i < event->amids; i++) {
        const struct flow_order *came = &event->amid[i];

        amid = amid || (came->other && event->gone > 0);
        if (aim->point >= 0 && index_of(came->point) == aim->point &&
            event->gone > 0 && event->dead[0].point != NULL)
            aim->luck[aim->lucks++ % 64] = (unsigned)index_of(
                event->dead[0].point);
        if (!came->ends)
            continue;
        count_kill(came->point, FLOW_OWNER, ALONE);
        if (came->other || event->gone == 2)
            count_kill(came->point, FLOW_OWNER, TWO);
        if (i + 1 < event->amids && event->amid[i + 1].again > 0)
            count_kill(came->point, FLOW_OWNER, AMID);
    }
    for (unsigned i = 0; i < event->gone; i++) {
        if (event->dead[i].point == NULL)
            continue;
        count_kill(event->dead[i].point, event->dead[i].role, ALONE);
        if (event->gone == 2)
            count_kill(event->dead[i].point, event->dead[i].role, TWO);
        if (amid)
            count_kill(event->dead[i].point, event->dead[i].role, AMID);
    }
    if (aim->lucks > 64)
        aim->lucks = 64;
}

static void expect_whole(const struct flow *flow, const struct aim *aim)
{
    static const char *const modes[] = { "alone", "two", "amid" };
    struct flow_result result;

    flow_run(flow, &result);
    ck_assert_msg(result.fault[0] == '\0',
                  "%s (way %u, capacity %u, batch %u, seed %u, %s at %s, %s, "
                  "%u kills)",
                  result.fault, aim->way, flow->capacity, flow->batch,
                  flow->seed, role_names[aim->role],
                  aim->point < 0 ? "any" : points.at[aim->point],
                  modes[aim->mode], result.kills);
}

static void run_aim(struct aim *aim, unsigned turn)
{
    struct flow flow = flow_of(aim->way, turn);
    struct flow_plan plan = { .order = order,
                              .happened = happened,
                              .arg = aim };

    aim->seed = turn;
    /* Who rebuilds must come before the owner does: who waits for a second. */
    plan.two = aim->mode == TWO || (aim->mode == AMID && is_rebuild(aim));
    /* There is one: with small batches it dies more often. */
    if (aim->role == FLOW_SOURCE && chance(aim, aim->eager ? 2 : 3) != 0)
        flow.batch = 1;
    flow.deaths = is_rebuild(aim) ? 100 : 40;
    flow.plan = &plan;
    expect_whole(&flow, aim);
}

/* ------------------------------------------------------------- learned ---- */

static void read_trace(const char *path, bool *into)
{
    FILE *file = fopen(path, "r");
    char line[POINT_ROOM];

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        int at;

        line[strcspn(line, "\n")] = '\0';
        at = index_of(line);
        ck_assert_msg(at >= 0 || strstr(line, ".mutant") != NULL,
                      "%s is passed here: points.list must say so", line);
        if (at >= 0)
            into[at] = true;
    }
    fclose(file);
}

/* Members die anywhere; the owner in no known place, but apart. */
static void learn_order(void *arg, enum flow_role role,
                        struct flow_order *order)
{
    struct aim *aim = arg;
    unsigned at = chance(aim, points.count);

    if (role == FLOW_OWNER)
        order->point = order->again == 0 ? "nowhere" : NULL;
    else if (never[at][role] == NULL)
        order->point = points.at[at];
    order->nth = 1 + chance(aim, 4);
}

static void learn_way(unsigned way, unsigned turn)
{
    struct flow flow = flow_of(way, turn);
    struct aim aim = { .way = way, .seed = turn, .point = -1 };
    struct flow_plan plan = { .order = learn_order, .arg = &aim };
    char paths[FLOW_ROLES][64];

    for (unsigned role = 0; role < FLOW_ROLES; role++) {
        int fd;

        strcpy(paths[role], "/tmp/weir-matrix.XXXXXX");
        fd = mkstemp(paths[role]);
        ck_assert_int_ge(fd, 0);
        close(fd);
        plan.traces[role] = paths[role];
    }
    flow.items /= 2;
    flow.deaths = 30;
    flow.plan = &plan;
    expect_whole(&flow, &aim);
    for (unsigned role = 0; role < FLOW_ROLES; role++) {
        read_trace(paths[role], passed[way][role]);
        unlink(paths[role]);
    }
}

static void learn(void)
{
    for (unsigned turn = 0; turn < (is_long ? 20 : 1); turn++)
        for (unsigned way = 0; way < WAYS; way++)
            learn_way(way, turn * 4 + way);
}

/* -------------------------------------------------------------- rounds ---- */

static bool is_open(unsigned at, enum flow_role role, enum mode mode,
                    unsigned rounds)
{
    return never[at][role] == NULL && kills[at][role][mode] < rounds;
}

/* The next of the ways that comes by it; or the next of all. */
static unsigned find_way(unsigned at, enum flow_role role, unsigned turn)
{
    for (unsigned i = 0; i < WAYS; i++)
        if (passed[(turn + i) % WAYS][role][at])
            return (turn + i) % WAYS;
    return turn % WAYS;
}

/* Returns how many runs it took. Every second one is as any, so that those who
 * come by late, or often, are killed then, too. */
static unsigned kill_there(unsigned at, enum flow_role role, enum mode mode,
                           unsigned rounds, unsigned most)
{
    struct aim aim = { .point = (int)at, .role = role, .mode = mode };
    unsigned runs = 0;

    while (kills[at][role][mode] < rounds && runs < most) {
        unsigned turn = (at * FLOW_ROLES + role) * 7 + runs++;

        aim.way = find_way(at, role, turn);
        aim.eager = kills[at][role][mode] < runs && runs % 2 == 0;
        run_aim(&aim, turn);
    }
    return runs;
}

static const char *row_name(unsigned at, enum flow_role role)
{
    static char name[POINT_ROOM + 32];

    snprintf(name, sizeof name, "%s %s", points.at[at], role_names[role]);
    return name;
}

/* Nobody whose list says that it never comes by does. */
START_TEST(never_passed)
{
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned i = 0; i < points.count; i++)
            for (unsigned role = 0; role < FLOW_ROLES; role++)
                ck_assert_msg(never[i][role] == NULL || !passed[way][role][i],
                              "%s: is passed, though '%s'", row_name(i, role),
                              never[i][role]);
}
END_TEST

/* Each row; many of them in one run. */
START_TEST(each_once)
{
    struct aim aim = { .point = -1 };

    for (unsigned turn = 0; turn < WAYS; turn++) {
        aim.way = turn % WAYS;
        run_aim(&aim, turn);
    }
    for (unsigned i = 0; i < points.count; i++)
        for (unsigned role = 0; role < FLOW_ROLES; role++) {
            if (!is_open(i, role, ALONE, 1))
                continue;
            kill_there(i, role, ALONE, 1, 200);
            ck_assert_msg(kills[i][role][ALONE] > 0, "%s: nobody was killed",
                          row_name(i, role));
        }
}
END_TEST

/* Some of those that are not alone. */
START_TEST(not_alone)
{
    for (unsigned turn = 0; turn < WAYS; turn++) {
        struct aim aim = { .way = turn, .mode = turn % 2 ? TWO : AMID };
        unsigned seed = turn;

        aim.role = turn / 2 % FLOW_ROLES;
        aim.seed = turn;
        aim.point = any_of(&aim, aim.role, false);
        run_aim(&aim, seed);
    }
}
END_TEST

START_TEST(row)
{
    unsigned at = (unsigned)_i / FLOW_ROLES, runs = 0;
    unsigned rounds = rounds_wanted(ROUNDS);
    enum flow_role role = (unsigned)_i % FLOW_ROLES;
    const char *name = row_name(at, role);

    if (!row_wanted(name))
        return;
    if (never[at][role] != NULL) {
        kill_there(at, role, ALONE, 1, 10);
        ck_assert_msg(kills[at][role][ALONE] == 0, "%s: is passed, though '%s'",
                      name, never[at][role]);
        return;
    }
    for (enum mode mode = ALONE; mode < MODES; mode++)
        runs += kill_there(at, role, mode, rounds, TRIES * rounds + 100);
    printf("# %-32s %6u %6u %6u %6u\n", name, kills[at][role][ALONE],
           kills[at][role][TWO], kills[at][role][AMID], runs);
    for (enum mode mode = ALONE; mode < MODES; mode++)
        ck_assert_msg(kills[at][role][mode] >= rounds,
                      "%s: too few were killed", name);
}
END_TEST

static Suite *matrix_suite(void)
{
    Suite *suite = suite_create("matrix");
    TCase *test = tcase_create("steps");

    tcase_set_timeout(test, is_long ? 3600 : 300);
    tcase_add_unchecked_fixture(test, learn, NULL);
    tcase_add_checked_fixture(test, children_setup, children_teardown);
    tcase_add_test(test, never_passed);
    tcase_add_test(test, each_once);
    tcase_add_test(test, not_alone);
    if (is_long)
        tcase_add_loop_test(test, row, 0, (int)(points.count * FLOW_ROLES));
    suite_add_tcase(suite, test);
    return suite;
}

static void print_sums(void)
{
    unsigned sums[MODES] = { 0 }, rows = 0, nevers = 0;

    for (unsigned i = 0; i < points.count; i++)
        for (unsigned role = 0; role < FLOW_ROLES; role++) {
            rows += never[i][role] == NULL;
            nevers += never[i][role] != NULL;
            for (enum mode mode = ALONE; mode < MODES; mode++)
                sums[mode] += kills[i][role][mode];
        }
    printf("# %u rows, %u that nobody comes by; alone %u, two %u, amid %u\n",
           rows, nevers, sums[ALONE], sums[TWO], sums[AMID]);
}

int main(void)
{
    static Suite *(*const suites[])(void) = { matrix_suite, NULL };
    int status;

    is_long = getenv("WEIR_LONG") != NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    points_listed(&points, "tests/crash/matrix.c");
    kills = mmap(NULL, POINTS_MOST * sizeof *kills, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (kills == MAP_FAILED || points.count == 0 ||
        !never_read(&points, role_names, never))
        return 1;
    status = suites_main(suites);
    print_sums();
    return status;
}
