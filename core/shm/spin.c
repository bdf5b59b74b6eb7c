/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - waiting awake. Any process; no call of the system but the clock's,
 * which is none. See spin.h. */
#include "config.h"

#include <stdatomic.h>

#include "base/base.h"
#include "shm/spin.h"

/* Longer waits are counted as WAIT_MOST: so a few short ones are enough to
 * forget a long one. A sleeper runs 5 to 40 us after it was woken, and two that
 * wait for each other see both: a mean of up to WORTH may be a few hundred
 * nanoseconds as soon as both are awake. */
#define WAIT_MOST (400 * NS_PER_US)
#define WORTH (100 * NS_PER_US)
#define SPIN_LEAST (2 * NS_PER_US)
#define SPIN_MOST (50 * NS_PER_US)
/* From one look at the clock to the next it is half a microsecond. */
#define GAP (20 * NS_PER_US)

enum {
    ROUNDS = 8, /* between two looks at the clock */
    MISSES_MOST = 4,
    SKIPS_LEAST = 16,
    SKIPS_MOST = 4096,
};

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#else
    __asm__ volatile("");
#endif
}

/* Asked for before the forks (spin_prepare), else for the first time when a
 * spin would pay, which is not at the start of a process. */
static _Atomic unsigned known;

static unsigned processors(void)
{
    unsigned count = known;

    if (count == 0)
        known = count = processors_usable();
    return count;
}

void spin_prepare(void)
{
    processors();
}

bool spin_is_vain(void)
{
    return atomic_load_explicit(&known, memory_order_relaxed) == 1;
}

bool spin_pays(struct spin *spin)
{
    if (spin->mean_ns > WORTH)
        return false;
    if (spin->skip > 0) {
        spin->skip--;
        return false;
    }
    return processors() > 1;
}

static void missed(struct spin *spin, bool crowded)
{
    spin->misses++;
    if (!crowded && spin->misses < MISSES_MOST)
        return;
    spin->misses = MISSES_MOST - 1; /* one more try, the next time */
    spin->skips = spin->skips < SKIPS_LEAST ? SKIPS_LEAST : spin->skips * 2;
    if (spin->skips > SKIPS_MOST)
        spin->skips = SKIPS_MOST;
    spin->skip = spin->skips;
}

bool spin_until(struct spin *spin, int64_t deadline_ns, spin_test *test,
                const void *arg)
{
    int64_t last = clock_now(), now = last;
    int64_t most = SPIN_LEAST + 2 * (int64_t)spin->mean_ns;
    int64_t end = now + (most < SPIN_MOST ? most : SPIN_MOST);

    if (end > deadline_ns)
        end = deadline_ns;
    while (now < end && now - last < GAP) {
        for (int i = 0; i < ROUNDS; i++) {
            if (test(arg)) {
                spin->misses = spin->skips = 0;
                return true;
            }
            relax();
        }
        last = now;
        now = clock_now();
    }
    missed(spin, now - last >= GAP);
    return false;
}

void spin_waited(struct spin *spin, int64_t ns)
{
    int64_t mean = spin->mean_ns;

    if (ns > WAIT_MOST)
        ns = WAIT_MOST;
    spin->mean_ns = (uint32_t)(mean + (ns - mean) / 4);
}
