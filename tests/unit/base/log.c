/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - core/base/log.c: a line goes to the hook, whole or cut. */
#include "config.h"

#include "base.h"

static struct heard {
    int times;
    enum weir_level level;
    char category[16];
    char text[2048];
} heard;

static void hear(enum weir_level level, const char *category, const char *text,
                 void *arg)
{
    struct heard *to = arg;

    to->times++;
    to->level = level;
    snprintf(to->category, sizeof to->category, "%s", category);
    snprintf(to->text, sizeof to->text, "%s", text);
    errno = 1;
}

START_TEST(to_the_hook)
{
    log_say(LOG_ERROR, "to nobody");
    weir_log_set_hook(hear, &heard);
    errno = 99;
    log_say(LOG_WARNING, "%s is %d", "it", 5);
    ck_assert_int_eq(errno, 99);
    ck_assert_int_eq(heard.times, 1);
    ck_assert_int_eq(heard.level, LOG_WARNING);
    ck_assert_str_eq(heard.text, "it is 5");
    ck_assert_str_eq(heard.category, "");
    log_to(LOG_ERROR, "exit", "%d", 6);
    ck_assert_int_eq(heard.level, WEIR_ERROR);
    ck_assert_str_eq(heard.category, "exit");
    ck_assert_str_eq(heard.text, "6");
    heard.times = 1;
    weir_log_set_hook(NULL, NULL);
    log_say(LOG_ERROR, "to nobody");
    log_to(LOG_ERROR, "exit", "to nobody");
    ck_assert_int_eq(heard.times, 1);
}
END_TEST

START_TEST(long_lines)
{
    char wide[3000];

    weir_log_set_hook(hear, &heard);
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    log_say(LOG_INFO, "%.1023s", wide);
    ck_assert_uint_eq(strlen(heard.text), 1023);
    ck_assert_int_eq(heard.text[1022], 'w');
    log_say(LOG_INFO, "%s", wide);
    ck_assert_uint_eq(strlen(heard.text), 1023);
    ck_assert_str_eq(heard.text + 1019, "w...");
    for (size_t at = 0; at + 3 < sizeof wide; at += 3)
        memcpy(wide + at, "\xe2\x82\xac", 3);
    for (size_t shift = 0; shift < 3; shift++) {
        log_say(LOG_INFO, "%.*s%s", (int)shift, "xxx", wide);
        ck_assert_uint_eq(text_utf8_valid(heard.text, strlen(heard.text)),
                          strlen(heard.text));
    }
}
END_TEST

START_TEST(format_fails)
{
    weir_log_set_hook(hear, &heard);
    log_say(LOG_INFO, "%ls", L"\x100");
    ck_assert_int_eq(heard.times, 0);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");

    tcase_add_test(tcase, to_the_hook);
    tcase_add_test(tcase, long_lines);
    tcase_add_test(tcase, format_fails);
    suite_add_tcase(suite, tcase);
    return suite;
}
