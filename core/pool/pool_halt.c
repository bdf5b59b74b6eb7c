/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_halt.c - runs in the helper: stops one call, for its time limit or
 * because the program asks for it.
 *
 * Between a look at what a worker has in hand and a signal it may have gone on
 * to another call, which must not pay for it. So it gets SIGSTOP first; once it
 * stands still, a second look decides: SIGTERM and SIGCONT when it still has
 * that call, else only SIGCONT. After the grace the same again, with SIGKILL.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>

#include "pool/pool.h"
#include "pool/pool_serve.h"

/* How soon a worker that was sent SIGSTOP is looked at again. */
#define HALT_NS NS_PER_MS

bool hand_has(const struct served *pool, const struct hand *hand, uint64_t root)
{
    struct member_sample sample;

    member_sample(pool->segment, hand_seat(pool, hand), &sample);
    return sample.in_hand && sample.root == root && sample.process == hand->pid;
}

static void halt(struct hand *hand, enum halt halt)
{
    hand->halt = halt;
    kill(hand->pid, SIGSTOP);
}

/* It still has this call in hand as far as one can see. */
void hand_stop(struct hand *hand, uint64_t root, int64_t grace_ns,
               bool over_limit)
{
    if (hand->pid <= 0 || hand->halt != HALT_NO)
        return;
    hand->halt_root = root;
    hand->over_limit = over_limit;
    hand->halt_grace_ns = grace_ns;
    halt(hand, grace_ns > 0 ? HALT_TERM : HALT_KILL);
}

/* Stopped or dead: it does not go on. */
static bool stands_still(pid_t pid)
{
    struct stat_line line;
    int code = stat_read(pid, &line);

    return code != 0 ? code == -ESRCH
                     : stat_is_stopped(&line) || stat_is_dead(&line);
}

/* Sees to a call that is being stopped. When to look again. */
int64_t hand_see_halt(struct served *pool, struct hand *hand, int64_t now_ns)
{
    if (hand->halt == HALT_NO || hand->pid <= 0)
        return FOREVER;
    if (hand->halt == HALT_GRACE) {
        if (now_ns < hand->halt_kill_ns)
            return hand->halt_kill_ns - now_ns;
        halt(hand, HALT_KILL);
    }
    if (!stands_still(hand->pid)) {
        kill(hand->pid, SIGSTOP); /* somebody may have woken it */
        return HALT_NS;
    }
    if (!hand_has(pool, hand, hand->halt_root)) {
        hand->halt = HALT_NO;
        hand->signaled = false;
        kill(hand->pid, SIGCONT);
        return FOREVER;
    }
    hand->signaled = true;
    if (hand->halt == HALT_KILL) {
        kill(-hand->pid, SIGKILL);
        return FOREVER;
    }
    hand->halt = HALT_GRACE;
    hand->halt_kill_ns = now_ns + hand->halt_grace_ns;
    kill(-hand->pid, SIGTERM);
    kill(-hand->pid, SIGCONT);
    return hand->halt_grace_ns;
}

/* What counts is its own time, not that in which it waits for room. */
void hand_check_limit(struct served *pool, struct hand *hand, int64_t now_ns)
{
    struct member_sample sample;

    member_sample(pool->segment, hand_seat(pool, hand), &sample);
    if (hand->pid <= 0 || !sample.in_hand || sample.waiting != 0 ||
        sample.turn != hand->turn) {
        hand->turn = sample.turn;
        hand->since_ns = now_ns;
    } else if (sample.limit_ns > 0 &&
               now_ns - hand->since_ns >= sample.limit_ns) {
        hand_stop(hand, sample.root, pool->plan.grace_ns, true);
    }
}
