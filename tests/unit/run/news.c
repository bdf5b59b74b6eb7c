/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news.c - tests of core/run/news.c. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "run/news.h"

static int pair[2];

static void setup(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
}

static void teardown(void)
{
    close(pair[0]);
    close(pair[1]);
}

START_TEST(told_is_heard)
{
    struct news news;

    ck_assert_int_eq(news_next(pair[0], &news), 0);
    news_say(pair[1], 7, NEWS_LOG, 2, "%s %d", "so many:", 12);
    news_say(pair[1], 8, NEWS_READY, 0, "%s", "");
    ck_assert_int_eq(news_next(pair[0], &news), 1);
    ck_assert_uint_eq(news.kind, NEWS_LOG);
    ck_assert_uint_eq(news.member, 7);
    ck_assert_int_eq(news.code, 2);
    ck_assert_str_eq(news.text, "so many: 12");
    ck_assert_int_eq(news_next(pair[0], &news), 1);
    ck_assert_uint_eq(news.kind, NEWS_READY);
    ck_assert_str_eq(news.text, "");
    ck_assert_int_eq(news_next(pair[0], &news), 0);
}
END_TEST

START_TEST(long_text_is_cut)
{
    struct news news;
    char text[3000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    news_say(pair[1], 1, NEWS_FATAL, 0, "%s", text);
    ck_assert_int_eq(news_next(pair[0], &news), 1);
    ck_assert_uint_eq(strlen(news.text), NEWS_TEXT - 1);
}
END_TEST

START_TEST(nonsense_is_no_news)
{
    struct news news = { .kind = NEWS_LOG, .size = 5000 };

    ck_assert_int_eq(send(pair[1], "x", 1, 0), 1);
    ck_assert_int_eq(news_next(pair[0], &news), WEIR_EBROKEN);
    news.size = 5000;
    ck_assert_int_eq(send(pair[1], &news, 20, 0), 20);
    ck_assert_int_eq(news_next(pair[0], &news), WEIR_EBROKEN);
    ck_assert_int_eq(news_next(pair[0], &news), 0);
    news_say(-1, 1, NEWS_LOG, 0, "%s", "nobody hears this");
}
END_TEST

Suite *news_suite(void)
{
    Suite *s = suite_create("news");
    TCase *c = tcase_create("news");

    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, told_is_heard);
    tcase_add_test(c, long_text_is_cut);
    tcase_add_test(c, nonsense_is_no_news);
    suite_add_tcase(s, c);
    return s;
}
