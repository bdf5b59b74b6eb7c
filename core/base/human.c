/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * human.c - sizes, durations and counts in at most three digits, for people.
 * Any process. Whole numbers only: no locale, no rounding surprises.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

__extension__ typedef unsigned __int128 wide;

enum { OUT_ROOM = 32 }; /* as text.h promises */

/* From small to large; ends with NULL. */
struct step {
    const char *name;
    uint64_t worth;
};

static const struct step size_steps[] = {
    { " B", 1 },
    { " KiB", UINT64_C(1) << 10 },
    { " MiB", UINT64_C(1) << 20 },
    { " GiB", UINT64_C(1) << 30 },
    { " TiB", UINT64_C(1) << 40 },
    { " PiB", UINT64_C(1) << 50 },
    { " EiB", UINT64_C(1) << 60 },
    { NULL, 0 },
};

static const struct step count_steps[] = {
    { "", 1 },
    { " k", UINT64_C(1000) },
    { " M", UINT64_C(1000000) },
    { " G", UINT64_C(1000000000) },
    { " T", UINT64_C(1000000000000) },
    { " P", UINT64_C(1000000000000000) },
    { " E", UINT64_C(1000000000000000000) },
    { NULL, 0 },
};

static const struct step second_steps[] = {
    { " ns", 1 },       { " us", NS_PER_US }, { " ms", NS_PER_MS },
    { " s", NS_PER_S }, { NULL, 0 },
};

/* @value / @worth in hundredths or coarser, rounded to nearest. */
static uint64_t rounded(uint64_t value, uint64_t worth, unsigned parts)
{
    return (uint64_t)(((wide)value * parts + worth / 2) / worth);
}

/* Three digits of value / worth: 1.25, 12.5, 125; zeros at the end of a
 * fraction are left out. */
static void three_digits(char *out, uint64_t value, const struct step *step)
{
    unsigned parts = 100;
    int places = 2;
    uint64_t n = rounded(value, step->worth, parts);

    while (n >= 1000 && places > 0) {
        parts /= 10;
        places--;
        n = rounded(value, step->worth, parts);
    }
    while (places > 0 && n % 10 == 0) {
        n /= 10;
        parts /= 10;
        places--;
    }
    if (places > 0)
        snprintf(out, OUT_ROOM, "%" PRIu64 ".%0*" PRIu64 "%s", n / parts,
                 places, n % parts, step->name);
    else
        snprintf(out, OUT_ROOM, "%" PRIu64 "%s", n, step->name);
}

/* The first unit of which there are fewer than a thousand. */
static char *with_steps(char *out, uint64_t value, const struct step *step)
{
    while (step[1].name && rounded(value, step->worth, 1) >= 1000)
        step++;
    three_digits(out, value, step);
    return out;
}

char *text_from_size(char *out, uint64_t bytes)
{
    return with_steps(out, bytes, size_steps);
}

char *text_from_count(char *out, uint64_t count)
{
    return with_steps(out, count, count_steps);
}

static void two_units(char *out, uint64_t value, unsigned base,
                      const char *large, const char *small)
{
    uint64_t rest = value % base;

    if (rest > 0)
        snprintf(out, OUT_ROOM, "%" PRIu64 " %s %" PRIu64 " %s", value / base,
                 large, rest, small);
    else
        snprintf(out, OUT_ROOM, "%" PRIu64 " %s", value / base, large);
}

/* A minute and more: rounded to the smaller unit of two, and where that makes
 * a full next one, to that. */
static void long_duration(char *out, uint64_t ns)
{
    const uint64_t seconds = rounded(ns, NS_PER_S, 1);
    const uint64_t minutes = rounded(ns, 60 * NS_PER_S, 1);

    if (seconds < 3600)
        two_units(out, seconds, 60, "min", "s");
    else if (minutes < 24 * 60)
        two_units(out, minutes, 60, "h", "min");
    else
        two_units(out, rounded(ns, 3600 * NS_PER_S, 1), 24, "d", "h");
}

char *text_from_duration(char *out, int64_t ns)
{
    const uint64_t positive = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char *at = out;

    if (ns == FOREVER)
        return strcpy(out, "for ever");
    if (ns < 0)
        *at++ = '-';
    /* 59.95 s and more would show as 60 s. */
    if (positive >= 59950 * (uint64_t)NS_PER_MS)
        long_duration(at, positive);
    else
        with_steps(at, positive, second_steps);
    return out;
}
