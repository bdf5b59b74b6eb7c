/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * number.c - plain numbers as people write them. Any process. No allocation,
 * and the same in every locale.
 */
#include "config.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

static int refuse(weir_error *err, const char *text, const char *what)
{
    char shown[SHOWN_ROOM];

    return error_set(err, WEIR_ESYNTAX, "'%s' is not %s",
                     utf8_shown(shown, text), what);
}

static const char *skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

/* All of @text, which is not empty, in digits; false when they are too many. */
static bool digits_value(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;

    for (; *text; text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    *value_out = value;
    return true;
}

int text_uint(const char *text, uint64_t *value_out, weir_error *err)
{
    char shown[SHOWN_ROOM];

    if (text[0] == '-' && text[1] && !*skip_digits(text + 1))
        return error_set(err, WEIR_ESYNTAX, "'%s' must not be negative",
                         utf8_shown(shown, text));
    if (!*text || *skip_digits(text))
        return refuse(err, text, "a whole number; write digits only");
    if (!digits_value(text, value_out))
        return error_set(err, -ERANGE,
                         "'%s' is too large; at most %" PRIu64 " can be",
                         utf8_shown(shown, text), UINT64_MAX);
    return 0;
}

int text_int(const char *text, int64_t *value_out, weir_error *err)
{
    const bool negative = text[0] == '-';
    const char *digits = text + negative;
    const uint64_t most = (uint64_t)INT64_MAX + negative;
    char shown[SHOWN_ROOM];
    uint64_t value;

    if (!*digits || *skip_digits(digits))
        return refuse(err, text, "a whole number; write digits only");
    if (!digits_value(digits, &value) || value > most)
        return error_set(err, -ERANGE,
                         "'%s' is out of range; %" PRId64 " to %" PRId64
                         " can be",
                         utf8_shown(shown, text), INT64_MIN, INT64_MAX);
    *value_out = (int64_t)(negative ? -value : value);
    return 0;
}

/* [-]digits[.digits][e[+-]digits]: what strtod takes, without spaces, hex,
 * "inf" and "nan". */
static bool is_real(const char *text)
{
    const char *at = text + (*text == '-');
    const char *end = skip_digits(at);

    if (end == at)
        return false;
    at = end;
    if (*at == '.') {
        end = skip_digits(++at);
        if (end == at)
            return false;
        at = end;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        end = skip_digits(at);
        if (end == at)
            return false;
        at = end;
    }
    return *at == '\0';
}

int text_real(const char *text, double *value_out, weir_error *err)
{
    char shown[SHOWN_ROOM];
    int saved = errno;
    locale_t c;
    double value;

    if (!is_real(text))
        return refuse(err, text, "a number; write it as 12, 0.5 or 1e-3");
    c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc: no allocation */
    if (c == (locale_t)0)
        return error_set(err, WEIR_ENOMEM, "no memory to read a number");
    value = strtod_l(text, NULL, c);
    freelocale(c);
    errno = saved;
    if (!isfinite(value))
        return error_set(err, -ERANGE, "'%s' is too large",
                         utf8_shown(shown, text));
    *value_out = value;
    return 0;
}
