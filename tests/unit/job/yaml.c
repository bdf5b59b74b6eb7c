/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* yaml.c - the tree: kinds, marks, places in bytes. */
#include "config.h"

#include <string.h>

#include "house.h"

static struct arena arena;
static struct diags diags;
static struct node *root;
static const char *text;

static void setup(void)
{
    arena = (struct arena){ 0 };
    diags = (struct diags){ .file = "x" };
}

static void teardown(void)
{
    arena_done(&arena);
    diags_done(&diags);
}

static void take_text(const char *source)
{
    text = source;
    ck_assert_int_eq(tree_read(source, strlen(source), &arena, &diags, &root),
                     0);
}

static void ck_mark(const struct node *node, unsigned line, unsigned column,
                    unsigned length, const char *source)
{
    ck_assert_uint_eq(node->mark.line, line);
    ck_assert_uint_eq(node->mark.column, column);
    ck_assert_uint_eq(node->mark.length, length);
    if (source) {
        ck_assert_uint_eq(node->end - node->at, strlen(source));
        ck_assert_int_eq(strncmp(text + node->at, source, strlen(source)), 0);
    }
}

START_TEST(yaml_kinds)
{
    const struct node *k;

    take_text("a: b\nc: [d, 'e']\nf: { g: \"h\" }\ni: |\n  j\n  k\nl:\n- m\n");
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(root->kind, NODE_MAP);
    ck_assert(!root->flow);
    ck_assert_uint_eq(root->count, 5);
    k = root->first;
    ck_assert_str_eq(k->value->text, "b");
    ck_assert(k->value->plain);
    k = k->next;
    ck_assert_int_eq(k->value->kind, NODE_LIST);
    ck_assert(k->value->flow);
    ck_assert(!k->value->last->plain);
    k = k->next;
    ck_assert(k->value->flow);
    ck_assert_str_eq(k->value->first->value->text, "h");
    k = k->next;
    ck_assert_str_eq(k->value->text, "j\nk\n");
    ck_mark(k->value, 4, 4, 1, NULL);
    k = k->next;
    ck_assert(!k->value->flow);
    ck_assert_uint_eq(diags.list.count, 0);
}
END_TEST

START_TEST(yaml_marks)
{
    const struct node *k;

    take_text("\xef\xbb\xbf\xc3\xa4: \xe6\x97\xa5\r\nb: \"c d\"   # \xc3\xa4\n"
              "\xc3\xb6: { \xc3\xbc: x }\n");
    k = root->first;
    ck_mark(k, 1, 1, 1, "\xc3\xa4");
    ck_mark(k->value, 1, 4, 1, "\xe6\x97\xa5");
    k = k->next;
    ck_mark(k, 2, 1, 1, "b");
    ck_mark(k->value, 2, 4, 5, "\"c d\"");
    k = k->next->value->first;
    ck_mark(k, 3, 6, 1, "\xc3\xbc");
    ck_mark(k->value, 3, 9, 1, "x");
}
END_TEST

/* More keys than are compared one by one, and one of them twice. */
START_TEST(yaml_many_keys)
{
    struct buf source = { 0 };

    for (int i = 0; i < 100; i++)
        buf_printf(&source, "k%d: v\n", i % 99);
    take_text(source.data);
    ck_assert_uint_eq(root->count, 100);
    ck_assert_uint_eq(diags.list.count, 1);
    ck_assert_str_eq(diags.list.at[0].text,
                     "'k0' is there twice, first in line 1; keep one");
    ck_assert_int_eq(root->last->kind, NODE_BAD);
    buf_done(&source);
}
END_TEST

START_TEST(yaml_deepest)
{
    struct buf source = { 0 };

    buf_text(&source, "a: ");
    for (int i = 0; i < DEPTH_MOST - 1; i++)
        buf_char(&source, '[');
    for (int i = 0; i < DEPTH_MOST - 1; i++)
        buf_char(&source, ']');
    take_text(source.data);
    ck_assert_ptr_nonnull(root);
    ck_assert_uint_eq(diags.list.count, 0);
    buf_done(&source);
}
END_TEST

/* Nothing that is cut off anywhere makes it fall over. */
START_TEST(yaml_cut)
{
    static const char whole[] =
        "weir: 1\nvars: { a: \"b\\n\", 'c': {d: &e f} }\n? [x]\n: *e\n"
        "stages:\n- name: |+\n    a\n\n- { b: [c, !t d], \"\xc3\xa4\": }\n";

    for (size_t size = 0; size < sizeof whole; size++) {
        char source[sizeof whole];

        memcpy(source, whole, size);
        bytes_check(source, size, &diags);
        if (diags.list.count == 0)
            ck_assert_int_eq(tree_read(source, size, &arena, &diags, &root), 0);
        diags_done(&diags);
        arena_done(&arena);
    }
}
END_TEST

Suite *yaml_suite(void)
{
    Suite *suite = suite_create("yaml");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, yaml_kinds);
    tcase_add_test(tcase, yaml_marks);
    tcase_add_test(tcase, yaml_many_keys);
    tcase_add_test(tcase, yaml_deepest);
    tcase_add_test(tcase, yaml_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
