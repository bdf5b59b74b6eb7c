/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schema.c - the table of keys is sound, and the manual has its rows. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "house.h"

START_TEST(schema_ids)
{
    bool seen[KEY_IDS] = { false };

    for (const struct key *key = job_keys; key->name; key++) {
        ck_assert(text_is_name(key->name));
        ck_assert_ptr_eq(key_find(key->level, key->name, strlen(key->name)),
                         key);
        if (key->id == KEY_LATER)
            continue;
        ck_assert_msg(!seen[key->id], "%s", key->name);
        seen[key->id] = true;
        ck_assert_ptr_eq(key_by_id(key->id), key);
        ck_assert_ptr_nonnull(key->summary);
        ck_assert(key->type != KEY_CHOICE || key->words);
        ck_assert(key->type != KEY_COUNT || (key->min && key->max));
    }
    for (int id = 0; id < KEY_IDS; id++)
        ck_assert_msg(seen[id], "no key has the id %d", id);
}
END_TEST

START_TEST(schema_bounds)
{
    uint64_t number;
    int64_t time;

    for (const struct key *key = job_keys; key->name; key++) {
        const char *const texts[] = {
            key->min, key->max,
            key->type == KEY_TEXT || key->type == KEY_CHOICE ? NULL : key->value
        };

        for (int i = 0; i < 3; i++) {
            if (!texts[i])
                continue;
            if (key->type == KEY_COUNT)
                ck_assert_int_eq(text_uint(texts[i], &number, NULL), 0);
            else if (key->type == KEY_SIZE)
                ck_assert_int_eq(text_size(texts[i], &number, NULL), 0);
            else if (key->type == KEY_DURATION)
                ck_assert_int_eq(text_duration(texts[i], &time, NULL), 0);
        }
    }
}
END_TEST

/* The line of the manual's tables that begins with this key; a level's table
 * stands below the heading that names it. */
static void find_row(const char *page, const struct key *key, char *out,
                     size_t room)
{
    static const char *const headings[] = {
        [LEVEL_JOB] = "\n## Keys of the job\n",
        [LEVEL_VAR] = "\n## Keys of a variable\n",
        [LEVEL_QUEUE] = "\n## Keys of a queue\n",
        [LEVEL_STAGE] = "\n## Keys of a stage\n",
        [LEVEL_LIMIT] = "\n## Keys of `timeout`\n",
        [LEVEL_BACKOFF] = "\n## Keys of `backoff`\n",
        [LEVEL_WAIT] = "\n## Keys of `backoff`\n",
        [LEVEL_HALT] = "\n## Keys of `halt`\n",
        [LEVEL_RECYCLE] = "\n## Keys of `recycle`\n",
        [LEVEL_STDIN] = "\n## Ends of a job\n",
        [LEVEL_STDOUT] = "\n## Ends of a job\n",
    };
    const char *table = strstr(page, headings[key->level]);
    const char *end, *row;
    char begin[80];

    ck_assert_msg(table, "no heading '%s'", headings[key->level]);
    end = strstr(table + 3, "\n## ");
    snprintf(begin, sizeof begin, "\n| `%s` |", key->name);
    row = strstr(table, begin);
    ck_assert_msg(row && (!end || row < end), "no row for '%s' under %s",
                  key->name, headings[key->level]);
    snprintf(out, room, "%.*s", (int)strcspn(row + 1, "\n"), row + 1);
}

static void ck_has(const char *row, const char *part)
{
    if (part)
        ck_assert_msg(strstr(row, part), "'%s' is not in: %s", part, row);
}

START_TEST(schema_manual)
{
    struct buf page = { 0 };
    int fd = open(TEST_MANUAL, O_RDONLY | O_CLOEXEC);
    char row[2000], word[32];

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_slurp(fd, &page, 1 << 20), 0);
    close(fd);
    for (const struct key *key = job_keys; key->name; key++) {
        if (key->id == KEY_LATER) {
            snprintf(word, sizeof word, "`%s`", key->name);
            ck_has(strstr(page.data, "\n## Later\n"), word);
            continue;
        }
        find_row(page.data, key, row, sizeof row);
        ck_has(row, key->value);
        ck_has(row, key->min);
        ck_has(row, key->max);
        if (key->required)
            ck_has(row, "required");
    }
    buf_done(&page);
}
END_TEST

Suite *schema_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, schema_ids);
    tcase_add_test(tcase, schema_bounds);
    tcase_add_test(tcase, schema_manual);
    suite_add_tcase(suite, tcase);
    return suite;
}
