/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unit.c - sizes and durations as people write them: numbers with a unit. Any
 * process. No allocation; whole numbers only, so that 1.5 GiB is exact.
 *
 * A fraction that does not come out even is rounded to the nearest byte or ns;
 * one that would become 0, or that divides a byte or ns itself, is refused,
 * since 0 means something else than "very little" in most places.
 */
#include "config.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"

__extension__ typedef unsigned __int128 wide;

enum { FRACTION_MOST = 18 }; /* digits: 10^18 fits 64 bits */

struct unit {
    const char *name;
    uint64_t worth;
};

/* A kind of quantity, and the words of its sentences. */
struct kind {
    const char *what;         /* "a size" */
    const char *least;        /* "byte" */
    uint64_t most;            /* the largest value */
    bool sums;                /* 1h30m: several parts, larger ones first */
    const char *space;        /* between number and unit in an example */
    const char *examples[3];  /* units for the remedy */
    const struct unit *units; /* ends with a NULL name */
};

static const struct unit size_units[] = {
    { "B", 1 },
    { "KiB", UINT64_C(1) << 10 },
    { "MiB", UINT64_C(1) << 20 },
    { "GiB", UINT64_C(1) << 30 },
    { "TiB", UINT64_C(1) << 40 },
    { "kB", UINT64_C(1000) },
    { "KB", UINT64_C(1000) },
    { "MB", UINT64_C(1000000) },
    { "GB", UINT64_C(1000000000) },
    { "TB", UINT64_C(1000000000000) },
    { NULL, 0 },
};

static const struct unit duration_units[] = {
    { "ns", 1 },
    { "us", NS_PER_US },
    { "ms", NS_PER_MS },
    { "s", NS_PER_S },
    { "min", 60 * NS_PER_S },
    { "m", 60 * NS_PER_S },
    { "h", 3600 * NS_PER_S },
    { "d", 86400 * NS_PER_S },
    { NULL, 0 },
};

static const struct kind size_kind = {
    .what = "a size",
    .least = "byte",
    .most = UINT64_MAX,
    .space = " ",
    .examples = { "B", "KiB", "MiB" },
    .units = size_units,
};

static const struct kind duration_kind = {
    .what = "a duration",
    .least = "nanosecond",
    .most = FOREVER - 1,
    .sums = true,
    .space = "",
    .examples = { "s", "ms", "min" },
    .units = duration_units,
};

/* A decimal number: whole + fraction / scale. */
struct number {
    const char *text;
    size_t size;
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int refuse(const struct kind *kind, const char *text, weir_error *err)
{
    char shown[SHOWN_ROOM];

    utf8_shown(shown, text);
    if (text[0] == '-' && is_digit(text[1]))
        return error_set(err, WEIR_ESYNTAX, "'%s' must not be negative", shown);
    return error_set(err, WEIR_ESYNTAX,
                     "'%s' is not %s; write 30%s%s, "
                     "30%s%s or 30%s%s",
                     shown, kind->what, kind->space, kind->examples[0],
                     kind->space, kind->examples[1], kind->space,
                     kind->examples[2]);
}

static int refuse_large(const struct kind *kind, const char *text,
                        weir_error *err)
{
    char shown[SHOWN_ROOM];

    return error_set(err, -ERANGE, "'%s' is too large for %s",
                     utf8_shown(shown, text), kind->what);
}

/* Digits after the point; zeros at the end say nothing and are left out. */
static bool read_fraction(const char *digits, size_t size,
                          struct number *number)
{
    while (size > 0 && digits[size - 1] == '0')
        size--;
    if (size > FRACTION_MOST)
        return false;
    for (size_t i = 0; i < size; i++) {
        number->fraction = number->fraction * 10 + (uint64_t)(digits[i] - '0');
        number->scale *= 10;
    }
    return true;
}

/* Reads the number at *at and moves on. */
static int read_number(const struct kind *kind, const char *text,
                       const char **at, struct number *number, weir_error *err)
{
    const char *digit = *at;

    *number = (struct number){ .text = *at, .scale = 1 };
    if (!is_digit(*digit))
        return refuse(kind, text, err);
    for (; is_digit(*digit); digit++) {
        if (__builtin_mul_overflow(number->whole, 10, &number->whole) ||
            __builtin_add_overflow(number->whole, (uint64_t)(*digit - '0'),
                                   &number->whole))
            return refuse_large(kind, text, err);
    }
    if (*digit == '.') {
        size_t size = strspn(++digit, "0123456789");

        if (size == 0)
            return refuse(kind, text, err);
        if (!read_fraction(digit, size, number)) {
            char shown[SHOWN_ROOM];

            return error_set(err, WEIR_ESYNTAX,
                             "'%s' has more than %d digits "
                             "after the point",
                             utf8_shown(shown, text), FRACTION_MOST);
        }
        digit += size;
    }
    number->size = (size_t)(digit - *at);
    *at = digit;
    return 0;
}

static int refuse_bare(const struct kind *kind, const struct number *number,
                       const char *text, weir_error *err)
{
    const int size = number->size < 40 ? (int)number->size : 40;
    const char *n = number->text;
    char shown[SHOWN_ROOM];

    return error_set(err, WEIR_ESYNTAX,
                     "'%s' has no unit; write %.*s%s%s, "
                     "%.*s%s%s or %.*s%s%s",
                     utf8_shown(shown, text), size, n, kind->space,
                     kind->examples[0], size, n, kind->space, kind->examples[1],
                     size, n, kind->space, kind->examples[2]);
}

static int refuse_unit(const struct kind *kind, const char *unit, size_t size,
                       const char *text, weir_error *err)
{
    char list[128] = "";
    char part[24] = "";
    char shown[SHOWN_ROOM];
    char shown_unit[SHOWN_ROOM];

    memcpy(part, unit, size < sizeof part ? size : sizeof part - 1);
    for (const struct unit *u = kind->units; u->name; u++) {
        strcat(list, u == kind->units ? "" : u[1].name ? ", " : " and ");
        strcat(list, u->name);
    }
    return error_set(err, WEIR_ESYNTAX,
                     "unknown unit '%s' in '%s'; there are "
                     "%s",
                     utf8_shown(shown_unit, part), utf8_shown(shown, text),
                     list);
}

/* Reads the unit at *at and moves on. */
static int read_unit(const struct kind *kind, const char *text, const char **at,
                     const struct unit **unit_out, weir_error *err)
{
    const char *name = *at;
    size_t size = strcspn(name, " 0123456789.");

    for (const struct unit *unit = kind->units; unit->name; unit++) {
        if (strlen(unit->name) == size && memcmp(unit->name, name, size) == 0) {
            *at += size;
            *unit_out = unit;
            return 0;
        }
    }
    if (size == 0)
        return refuse(kind, text, err);
    return refuse_unit(kind, name, size, text, err);
}

/* number * unit, rounded. */
static int multiply(const struct kind *kind, const struct number *number,
                    const struct unit *unit, const char *text, wide *value_out,
                    weir_error *err)
{
    const wide part = (wide)number->fraction * unit->worth;
    const wide value = (wide)number->whole * unit->worth +
                       (part + number->scale / 2) / number->scale;
    char shown[SHOWN_ROOM];

    if (number->fraction > 0 && (unit->worth == 1 || value == 0))
        return error_set(err, WEIR_ESYNTAX, "'%s' divides a %s",
                         utf8_shown(shown, text), kind->least);
    if (value > kind->most)
        return refuse_large(kind, text, err);
    *value_out = value;
    return 0;
}

static const char *skip_space(const char *at)
{
    return at + (*at == ' ');
}

static int refuse_order(const char *text, weir_error *err)
{
    char shown[SHOWN_ROOM];

    return error_set(err, WEIR_ESYNTAX,
                     "'%s': larger units come first, each "
                     "once, a fraction last, as in 1h30m",
                     utf8_shown(shown, text));
}

static int parse(const struct kind *kind, const char *text, uint64_t *value_out,
                 weir_error *err)
{
    const struct unit *before = NULL;
    const char *at = text;
    bool fraction = false;
    wide sum = 0;

    do {
        const struct unit *unit = NULL;
        struct number number;
        wide value = 0;
        int rc = read_number(kind, text, &at, &number, err);

        if (rc < 0)
            return rc;
        if (!*at && !before && number.whole == 0 && number.fraction == 0)
            break;
        if (!*at)
            return refuse_bare(kind, &number, text, err);
        at = skip_space(at);
        rc = read_unit(kind, text, &at, &unit, err);
        if (rc < 0)
            return rc;
        if (before && (unit->worth >= before->worth || fraction))
            return refuse_order(text, err);
        rc = multiply(kind, &number, unit, text, &value, err);
        if (rc < 0)
            return rc;
        sum += value;
        if (sum > kind->most)
            return refuse_large(kind, text, err);
        fraction = number.fraction > 0;
        before = unit;
        if (*at && !kind->sums)
            return refuse(kind, text, err);
        at = *at && at[1] ? skip_space(at) : at;
    } while (*at);
    *value_out = (uint64_t)sum;
    return 0;
}

int text_size(const char *text, uint64_t *bytes_out, weir_error *err)
{
    return parse(&size_kind, text, bytes_out, err);
}

int text_duration(const char *text, int64_t *ns_out, weir_error *err)
{
    uint64_t ns;
    int rc = parse(&duration_kind, text, &ns, err);

    if (rc < 0)
        return rc;
    *ns_out = (int64_t)ns;
    return 0;
}
