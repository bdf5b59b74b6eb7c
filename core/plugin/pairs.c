/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pairs.c - parameters as "name=value" texts, as people type them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/internal.h"

/* A parameter that is given once is a text, given more often a list. */
struct given {
    char *name;
    VEC(const char *) texts;
};

typedef VEC(struct given) givens;

static struct given *find_given(givens *all, const char *name, size_t size)
{
    struct given *given;

    for (size_t i = 0; i < all->count; i++)
        if (strlen(all->at[i].name) == size &&
            memcmp(all->at[i].name, name, size) == 0)
            return &all->at[i];
    given = VEC_ADD(all);
    if (given != NULL)
        given->name = strndup(name, size);
    return given != NULL && given->name != NULL ? given : NULL;
}

static int gather(givens *all, const char *const *pairs, size_t count,
                  param_mistake *mistake, void *arg)
{
    int code = 0;

    for (size_t i = 0; i < count; i++) {
        const char *sign = strchr(pairs[i], '=');
        struct given *given;
        const char **slot;

        if (sign == NULL || sign == pairs[i]) {
            mistake(arg, i, pairs[i], "a parameter is NAME=VALUE");
            code = WEIR_EINVAL;
            continue;
        }
        given = find_given(all, pairs[i], (size_t)(sign - pairs[i]));
        slot = given != NULL ? VEC_ADD(&given->texts) : NULL;
        if (slot == NULL)
            return WEIR_ENOMEM;
        *slot = sign + 1;
    }
    return code;
}

static int bind_given(const weir_task *task, const givens *all,
                      param_mistake *mistake, void *arg, void **out)
{
    VEC(struct param_value) values = { 0 };
    int code = 0;

    for (size_t i = 0; i < all->count && code == 0; i++) {
        const struct given *given = &all->at[i];
        struct param_value *value = VEC_ADD(&values);

        if (value != NULL)
            *value = (struct param_value){ given->name, given->texts.count,
                                           given->texts.at,
                                           given->texts.count > 1 };
        else
            code = WEIR_ENOMEM;
    }
    if (code == 0)
        code = param_bind(task, values.at, values.count, mistake, arg, out);
    VEC_DONE(&values);
    return code;
}

static int check(const weir_task *task, const void *bound,
                 param_mistake *mistake, void *arg)
{
    char param[PARAM_NAME_MAX] = "";
    weir_error err = { 0 };

    if (task_check(task, bound, param, &err) == 0)
        return 0;
    mistake(arg, SIZE_MAX, param, err.text);
    return WEIR_EINVAL;
}

int param_bind_pairs(const weir_task *task, const char *const *pairs,
                     size_t count, param_mistake *mistake, void *arg,
                     void **out)
{
    givens all = { 0 };
    void *bound = NULL;
    int code = gather(&all, pairs, count, mistake, arg);

    if (code == 0)
        code = bind_given(task, &all, mistake, arg, &bound);
    if (code == 0)
        code = check(task, bound, mistake, arg);
    if (code == 0)
        *out = bound;
    else
        param_unbind(bound);
    for (size_t i = 0; i < all.count; i++) {
        free(all.at[i].name);
        VEC_DONE(&all.at[i].texts);
    }
    VEC_DONE(&all);
    return code;
}
