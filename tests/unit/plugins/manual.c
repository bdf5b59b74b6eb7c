/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manual.c - each plugin's page names every task, and every parameter with its
 * type, default and range; and none that is not there. */
#include "config.h"

#include "plugins.h"

static const weir_descriptor *const plugins[] = {
    &file_LTX_weir_plugin,
    &flow_LTX_weir_plugin,
    &text_LTX_weir_plugin,
#ifdef HAVE_ZSTD
    &zstd_LTX_weir_plugin,
#endif
};

static const char *const types[] = {
    [WEIR_TYPE_TEXT] = "text",         [WEIR_TYPE_UINT] = "uint",
    [WEIR_TYPE_INT] = "int",           [WEIR_TYPE_REAL] = "real",
    [WEIR_TYPE_BOOL] = "bool",         [WEIR_TYPE_SIZE] = "size",
    [WEIR_TYPE_DURATION] = "duration", [WEIR_TYPE_CHOICE] = "choice",
    [WEIR_TYPE_LIST] = "list",
};

static struct buf page_of(const char *plugin)
{
    char path[512];

    snprintf(path, sizeof path, "%s/plugins/%s/%s.md", TEST_SRCDIR, plugin,
             plugin);
    return get_file(path);
}

/* From the task's heading to the next one; NUL-ended, to be freed. */
static char *section_of(const struct buf *page, const char *plugin,
                        const char *task)
{
    char heading[128];
    const char *start, *end;

    snprintf(heading, sizeof heading, "\n## %s.%s\n", plugin, task);
    start = strstr(page->data, heading);
    ck_assert_msg(start != NULL, "%s.md has no heading '%s'", plugin,
                  heading + 1);
    end = strstr(start + 1, "\n## ");
    return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

/* The name in a job file: the field's, less its unit. */
static size_t name_size(const weir_param *param)
{
    const char *unit = strrchr(param->field, '_');

    if (unit && (strcmp(unit, "_bytes") == 0 || strcmp(unit, "_ns") == 0))
        return (size_t)(unit - param->field);
    return strlen(param->field);
}

/* Column @column of a row, from 1, without the spaces around it. */
static struct buf cell(const char *row, unsigned column)
{
    struct buf out = { 0 };
    const char *end;

    for (; column > 0 && row; column--)
        row = strchr(row, '|') ? strchr(row, '|') + 1 : NULL;
    ck_assert_ptr_nonnull(row);
    end = strchr(row, '|');
    ck_assert_ptr_nonnull(end);
    for (; row < end && *row == ' '; row++)
        ;
    for (; end > row && end[-1] == ' '; end--)
        ;
    buf_add(&out, row, (size_t)(end - row));
    ck_assert_int_eq(buf_char(&out, '\0'), 0);
    return out;
}

static void assert_cell(const char *row, unsigned column, const char *want)
{
    struct buf got = cell(row, column);

    ck_assert_msg(strcmp(got.data, want) == 0, "'%s', not '%s', in: %.60s",
                  got.data, want, row);
    buf_done(&got);
}

static void assert_range(const char *row, const weir_param *param)
{
    struct buf got = cell(row, 4), want = { 0 };

    if (param->choices) {
        buf_char(&want, '`');
        for (const char *at = param->choices; *at != '\0'; at++)
            if (*at == ' ')
                buf_text(&want, "`, `");
            else
                buf_char(&want, *at);
        buf_char(&want, '`');
        buf_char(&want, '\0');
        ck_assert_str_eq(got.data, want.data);
    }
    if (param->min)
        ck_assert_msg(strstr(got.data, param->min) != NULL, "no '%s' in: %s",
                      param->min, row);
    if (param->max)
        ck_assert_msg(strstr(got.data, param->max) != NULL, "no '%s' in: %s",
                      param->max, row);
    if (!param->min && !param->max && !param->choices)
        ck_assert_str_eq(got.data, "");
    buf_done(&got);
    buf_done(&want);
}

static void assert_param(const char *section, const char *task,
                         const weir_param *param)
{
    char start[96], value[96];
    const char *row;
    bool quoted = param->type == WEIR_TYPE_TEXT ||
                  param->type == WEIR_TYPE_LIST;

    snprintf(start, sizeof start, "\n| `%.*s` |", (int)name_size(param),
             param->field);
    row = strstr(section, start);
    ck_assert_msg(row != NULL, "'%s' has no row '%s'", task, start + 1);
    assert_cell(row, 2, types[param->type]);
    if (!param->value)
        snprintf(value, sizeof value, "required");
    else if (quoted && param->value[0] == '\0')
        snprintf(value, sizeof value, "empty");
    else
        snprintf(value, sizeof value, "`%s`", param->value);
    assert_cell(row, 3, value);
    assert_range(row, param);
}

START_TEST(names_all)
{
    const weir_descriptor *plugin = plugins[_i];
    struct buf page = page_of(plugin->name);

    for (const weir_task *task = plugin->tasks; task->name; task++) {
        char *section = section_of(&page, plugin->name, task->name);
        unsigned params = 0, rows = 0;

        for (const weir_param *p = task->params; p && p->field; p++, params++)
            assert_param(section, task->name, p);
        for (const char *row = section; (row = strstr(row, "\n| `")); row++)
            rows++;
        ck_assert_msg(rows == params, "%s.%s: %u rows, %u parameters",
                      plugin->name, task->name, rows, params);
        ck_assert_msg(strstr(section, "```yaml") != NULL,
                      "%s.%s has no example", plugin->name, task->name);
        free(section);
    }
    buf_done(&page);
}
END_TEST

Suite *manual_suite(void)
{
    Suite *suite = suite_create("manual");
    TCase *tcase = tcase_create("manual");

    tcase_add_loop_test(tcase, names_all, 0, sizeof plugins / sizeof *plugins);
    suite_add_tcase(suite, tcase);
    return suite;
}
