/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pattern.c - text.grep and text.replace, by PCRE2. Runs in workers; `check`
 * in the vetting child.
 *
 * An item is data from anywhere, and a pattern may take ages on it: the number
 * of steps is bounded. A pattern that cannot be made into machine code is
 * interpreted, which gives the same.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

#ifdef HAVE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    char *buffer; /* replace: what it becomes */
    size_t room;
};

static void pattern_free(struct pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    pcre2_match_data_free(pattern->match);
    pcre2_match_context_free(pattern->context);
    pcre2_jit_stack_free(pattern->stack);
    free(pattern->buffer);
    free(pattern);
}

static uint32_t options(bool ignore_case, bool utf)
{
    return (ignore_case ? PCRE2_CASELESS : 0) |
           (utf ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : 0) |
           PCRE2_NEVER_BACKSLASH_C;
}

/* NULL: refused, in `check` as in `open`; *code is then what to return. */
static pcre2_code *compile(weir_call *call, const char *text, uint32_t flags,
                           int *code)
{
    char why[200] = "";
    PCRE2_SIZE place;
    int number;
    pcre2_code *out = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                    flags, &number, &place, NULL);

    if (!out) {
        pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
        *code = weir_refuse(call, "pattern", "'%.100s', at byte %zu: %s", text,
                            (size_t)place, why);
    }
    return out;
}

static int open_pattern(weir_call *call, const char *text, uint32_t flags,
                        uint64_t steps)
{
    struct pattern *pattern = calloc(1, sizeof *pattern);
    int code = 0;

    if (!pattern)
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    pattern->code = compile(call, text, flags, &code);
    if (!pattern->code) {
        free(pattern);
        return code;
    }
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (!pattern->match || !pattern->context) {
        pattern_free(pattern);
        return weir_fail(call, WEIR_TRANSIENT, "no memory");
    }
    pattern->stack = pcre2_jit_stack_create(32 << 10, 1 << 20, NULL);
    if (pattern->stack)
        pcre2_jit_stack_assign(pattern->context, NULL, pattern->stack);
    pcre2_set_match_limit(pattern->context, (uint32_t)steps);
    pcre2_set_depth_limit(pattern->context, (uint32_t)steps);
    pcre2_set_heap_limit(pattern->context, 64 << 10); /* KiB */
    weir_set_state(call, pattern);
    return 0;
}

int text_pattern_close(weir_call *call)
{
    pattern_free(weir_state(call));
    weir_set_state(call, NULL);
    return 0;
}

static int fail_match(weir_call *call, int number)
{
    char why[200] = "";

    if (number == PCRE2_ERROR_MATCHLIMIT || number == PCRE2_ERROR_DEPTHLIMIT ||
        number == PCRE2_ERROR_HEAPLIMIT || number == PCRE2_ERROR_JIT_STACKLIMIT)
        return weir_fail(call, WEIR_PERMANENT,
                         "the pattern takes more than 'steps' on this item");
    pcre2_get_error_message(number, (PCRE2_UCHAR *)why, sizeof why);
    return weir_fail(call,
                     number == PCRE2_ERROR_NOMEMORY ? WEIR_TRANSIENT
                                                    : WEIR_PERMANENT,
                     "the pattern cannot be matched: %s", why);
}

int text_grep_check(weir_call *call)
{
    const struct text_grep_param *param = weir_params(call);
    int code = 0;

    pcre2_code_free(compile(call, param->pattern,
                            options(param->ignore_case, param->utf), &code));
    return code;
}

int text_grep_open(weir_call *call)
{
    const struct text_grep_param *param = weir_params(call);

    return open_pattern(call, param->pattern,
                        options(param->ignore_case, param->utf), param->steps);
}

static PCRE2_SPTR subject(weir_bytes in)
{
    return in.data ? in.data : (PCRE2_SPTR) "";
}

int text_grep_run(weir_call *call)
{
    const struct text_grep_param *param = weir_params(call);
    struct pattern *pattern = weir_state(call);
    weir_bytes in = weir_input(call);
    int found = pcre2_match(pattern->code, subject(in), in.size, 0, 0,
                            pattern->match, pattern->context);

    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        return fail_match(call, found);
    return (found >= 0) != param->invert ? weir_pass(call, 0) : 0;
}

/* A group that took no part is empty. */
static uint32_t replace_options(const struct text_replace_param *param)
{
    return PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_SUBSTITUTE_UNSET_EMPTY |
           (param->once ? 0 : PCRE2_SUBSTITUTE_GLOBAL);
}

/* What `with` says is looked at only where something matches. So match it with
 * the pattern or nothing: groups are as in the pattern, and it does match. A
 * pattern that does not stand this is left to the first item. */
static int check_with(weir_call *call, const struct text_replace_param *param,
                      uint32_t flags)
{
    size_t size = strlen(param->pattern) + 8;
    char *either = malloc(size), result[256], why[200] = "";
    PCRE2_SIZE room = sizeof result, place;
    int found = 0, number;
    pcre2_code *code = NULL;

    if (either) {
        memcpy(either, "(?:", 3);
        strcpy(either + 3, param->pattern);
        strcat(either, ")|");
        code = pcre2_compile((PCRE2_SPTR)either, PCRE2_ZERO_TERMINATED, flags,
                             &number, &place, NULL);
    }
    if (code)
        found = pcre2_substitute(code, (PCRE2_SPTR) "", 0, 0,
                                 replace_options(param), NULL, NULL,
                                 (PCRE2_SPTR)param->with, PCRE2_ZERO_TERMINATED,
                                 (PCRE2_UCHAR *)result, &room);
    pcre2_code_free(code);
    free(either);
    if (found >= 0 || found == PCRE2_ERROR_NOMEMORY)
        return 0;
    pcre2_get_error_message(found, (PCRE2_UCHAR *)why, sizeof why);
    return weir_refuse(call, "with", "'%.100s': %s", param->with, why);
}

int text_replace_check(weir_call *call)
{
    const struct text_replace_param *param = weir_params(call);
    uint32_t flags = options(param->ignore_case, param->utf);
    int code = 0;
    pcre2_code *pattern = compile(call, param->pattern, flags, &code);

    if (!pattern)
        return code;
    pcre2_code_free(pattern);
    return check_with(call, param, flags);
}

int text_replace_open(weir_call *call)
{
    const struct text_replace_param *param = weir_params(call);

    return open_pattern(call, param->pattern,
                        options(param->ignore_case, param->utf), param->steps);
}

/* One attempt into the buffer. Returns how many were replaced, or a number of
 * PCRE2: PCRE2_ERROR_NOMEMORY with the room that is needed in *size. */
static int substitute(const struct text_replace_param *param,
                      struct pattern *pattern, weir_bytes in, PCRE2_SIZE *size)
{
    static PCRE2_UCHAR nowhere[1];

    *size = pattern->room;
    return pcre2_substitute(pattern->code, subject(in), in.size, 0,
                            replace_options(param), pattern->match,
                            pattern->context, (PCRE2_SPTR)param->with,
                            PCRE2_ZERO_TERMINATED,
                            pattern->buffer ? (PCRE2_UCHAR *)pattern->buffer
                                            : nowhere,
                            size);
}

static bool make_room(struct pattern *pattern, size_t need)
{
    size_t room = pattern->room > 0 ? pattern->room : 4096;
    char *grown;

    while (room < need)
        room *= 2;
    grown = realloc(pattern->buffer, room);
    if (!grown)
        return false;
    pattern->buffer = grown;
    pattern->room = room;
    return true;
}

int text_replace_run(weir_call *call)
{
    const struct text_replace_param *param = weir_params(call);
    struct pattern *pattern = weir_state(call);
    weir_bytes in = weir_input(call);
    PCRE2_SIZE size;
    int found;

    while ((found = substitute(param, pattern, in, &size)) ==
           PCRE2_ERROR_NOMEMORY) {
        /* With its NUL. No more room is needed: it is the memory itself. */
        if (size <= pattern->room || size - 1 <= param->size_bytes) {
            if (size <= pattern->room || !make_room(pattern, size))
                return weir_fail(call, WEIR_TRANSIENT, "no memory");
            continue;
        }
        return weir_fail(
            call, WEIR_PERMANENT,
            "it becomes %zu bytes, more than 'size', %llu; raise it",
            (size_t)size - 1, (unsigned long long)param->size_bytes);
    }
    if (found < 0)
        return fail_match(call, found);
    if (found == 0)
        return weir_pass(call, 0);
    if (size > param->size_bytes)
        return weir_fail(
            call, WEIR_PERMANENT,
            "it becomes %zu bytes, more than 'size', %llu; raise it",
            (size_t)size, (unsigned long long)param->size_bytes);
    return weir_emit(call, 0, pattern->buffer, size);
}

#else /* no PCRE2: said when a job is checked, not when it runs */

static int refuse(weir_call *call)
{
    return weir_refuse(call, "pattern",
                       "this weir was built without PCRE2; on Debian install "
                       "libpcre2-dev, configure and build it again");
}

int text_grep_check(weir_call *call)
{
    return refuse(call);
}

int text_grep_open(weir_call *call)
{
    return refuse(call);
}

int text_grep_run(weir_call *call)
{
    return refuse(call);
}

int text_replace_check(weir_call *call)
{
    return refuse(call);
}

int text_replace_open(weir_call *call)
{
    return refuse(call);
}

int text_replace_run(weir_call *call)
{
    return refuse(call);
}

int text_pattern_close(weir_call *call)
{
    (void)call;
    return 0;
}

#endif
