/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * diag.c - mistakes of a job file: gathered, then shown with the line and a
 * caret, or as JSON. Runs in the owner; writes into a buf only.
 *
 * Marks count characters, a caret counts cells, an editor wants bytes: all
 * three come from one walk over the text, forward only, with the mistakes in
 * their order. So it is linear also when all are on one long line.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "job/internal.h"

enum {
    BEFORE_MOST = 70, /* characters of a line before the caret ... */
    BEFORE_KEPT = 40, /* ... of which so many are shown when there are more */
    AFTER_MOST = 60,
    TEXT_MOST = 4000, /* bytes of a message */
};

static char *format_text(const char *format, va_list args)
{
    CLEANUP_BUF struct buf shown = { 0 };
    CLEANUP_FREE char *text = NULL;
    char *made;

    if (vasprintf(&text, format, args) < 0) {
        text = NULL;
        return NULL;
    }
    text_escape(&shown, text, strlen(text), TEXT_MOST);
    if (shown.failed)
        return NULL;
    made = shown.data ? shown.data : strdup("");
    shown = (struct buf){ 0 };
    return made;
}

int diag_add(struct diags *diags, struct mark mark, const char *format, ...)
{
    struct diag *diag;
    va_list args;
    char *text;

    if (diags->list.count >= DIAGS_MOST) {
        diags->more++;
        return 0;
    }
    va_start(args, format);
    text = format_text(format, args);
    va_end(args);
    diag = text ? VEC_ADD(&diags->list) : NULL;
    if (!diag) {
        free(text);
        diags->failed = true;
        return WEIR_ENOMEM;
    }
    diag->mark = mark;
    diag->text = text;
    return 0;
}

void diags_done(struct diags *diags)
{
    for (size_t i = 0; i < diags->list.count; i++)
        free(diags->list.at[i].text);
    VEC_DONE(&diags->list);
    *diags = (struct diags){ 0 };
}

/* -------------------------------------------------------------- order ---- */

static int compare(const void *a, const void *b)
{
    const struct diag *const *first = a, *const *second = b;
    const struct mark *x = &(*first)->mark, *y = &(*second)->mark;

    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return *first < *second ? -1 : *first > *second;
}

/* The mistakes by place; what is said twice of one place, once. */
static const struct diag **sorted(const struct diags *diags, size_t *count_out)
{
    size_t count = diags->list.count, kept = 0;
    const struct diag **list = calloc(count + 1, sizeof *list);

    if (!list)
        return NULL;
    for (size_t i = 0; i < count; i++)
        list[i] = &diags->list.at[i];
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) {
        const struct diag *last = kept > 0 ? list[kept - 1] : NULL;

        if (last && last->mark.line == list[i]->mark.line &&
            last->mark.column == list[i]->mark.column &&
            strcmp(last->text, list[i]->text) == 0)
            continue;
        list[kept++] = list[i];
    }
    *count_out = kept;
    return list;
}

/* ------------------------------------------------------------- places ---- */

/* A walk over the source, which only goes forward. */
struct walk {
    const char *data;
    size_t size;
    unsigned line, column;
    size_t line_at; /* where the line begins */
    size_t at;
};

static struct walk walk_start(const struct diags *diags)
{
    size_t bom = diags->source ? bom_size(diags->source, diags->source_size)
                               : 0;

    return (struct walk){ .data = diags->source,
                          .size = diags->source ? diags->source_size : 0,
                          .line = 1,
                          .column = 1,
                          .line_at = bom,
                          .at = bom };
}

/* To a place; when the line is shorter, to its end. */
static void walk_to(struct walk *walk, const struct mark *mark)
{
    while (walk->at < walk->size) {
        const char *here = walk->data + walk->at;
        size_t left = walk->size - walk->at;
        size_t step = break_size(here, left);

        if (walk->line == mark->line &&
            (step > 0 || walk->column >= mark->column))
            return;
        if (walk->line > mark->line)
            return;
        if (step > 0) {
            walk->line++;
            walk->column = 1;
            walk->at += step;
            walk->line_at = walk->at;
        } else {
            walk->at += char_size(here, left);
            walk->column++;
        }
    }
}

/* ------------------------------------------------------------ printing ---- */

/* A line as it may be shown: a control or a broken byte is one cell. */
static void show(struct buf *out, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t step = char_size(data + at, size - at);
        unsigned char c = (unsigned char)data[at];

        if (c == '\t')
            buf_char(out, ' ');
        else if (c < 0x20 || c == 0x7f || (step == 1 && c >= 0x80) ||
                 (step == 2 && c == 0xc2 && (unsigned char)data[at + 1] < 0xa0))
            buf_char(out, '?');
        else
            buf_add(out, data + at, step);
        at += step;
    }
}

static size_t back(const struct walk *walk, size_t at, size_t characters)
{
    while (characters-- > 0 && at > walk->line_at) {
        at--;
        while (at > walk->line_at &&
               ((unsigned char)walk->data[at] & 0xc0) == 0x80)
            at--;
    }
    return at;
}

static size_t forth(const struct walk *walk, size_t at, size_t characters)
{
    while (characters-- > 0 && at < walk->size &&
           break_size(walk->data + at, walk->size - at) == 0)
        at += char_size(walk->data + at, walk->size - at);
    return at;
}

static void print_caret(struct buf *out, size_t before, size_t under,
                        bool colour)
{
    buf_printf(out, "      | %*s%s^", (int)before, "",
               colour ? "\033[1;31m" : "");
    for (size_t i = 1; i < under; i++)
        buf_char(out, '~');
    buf_text(out, colour ? "\033[0m\n" : "\n");
}

/* The line, and a caret under what is meant. */
static void print_line(struct buf *out, const struct walk *walk,
                       const struct mark *mark, bool colour)
{
    CLEANUP_BUF struct buf before = { 0 };
    CLEANUP_BUF struct buf under = { 0 };
    CLEANUP_BUF struct buf after = { 0 };
    size_t start = back(walk, walk->at, BEFORE_MOST);
    size_t end, rest;

    if (start > walk->line_at) {
        start = back(walk, walk->at, BEFORE_KEPT);
        buf_text(&before, "...");
    }
    end = forth(walk, walk->at,
                mark->length < AFTER_MOST ? mark->length : AFTER_MOST);
    rest = forth(walk, end, AFTER_MOST);
    show(&before, walk->data + start, walk->at - start);
    show(&under, walk->data + walk->at, end - walk->at);
    show(&after, walk->data + end, rest - end);
    if (forth(walk, rest, 1) > rest)
        buf_text(&after, "...");
    buf_printf(out, "%5u | %s%s%s\n", mark->line,
               before.size ? before.data : "", under.size ? under.data : "",
               after.size ? after.data : "");
    print_caret(out, text_cells(before.data, before.size),
                text_cells(under.data, under.size), colour);
    out->failed |= before.failed || under.failed || after.failed;
}

static void print_place(const struct diags *diags, struct buf *out,
                        const struct mark *mark)
{
    const char *file = diags->file ? diags->file : "-";

    text_escape(out, file, strlen(file), 4096);
    if (mark->line > 0)
        buf_printf(out, ":%u", mark->line);
    if (mark->line > 0 && mark->column > 0)
        buf_printf(out, ":%u", mark->column);
    buf_text(out, ": ");
}

static void print_one(const struct diags *diags, struct buf *out,
                      const struct diag *diag, struct walk *walk, bool colour)
{
    buf_text(out, colour ? "\033[1m" : "");
    print_place(diags, out, &diag->mark);
    buf_text(out, colour ? "\033[0m" : "");
    buf_text(out, diag->text);
    buf_char(out, '\n');
    if (diag->mark.line == 0 || diag->mark.column == 0)
        return;
    walk_to(walk, &diag->mark);
    if (walk->data && walk->line == diag->mark.line)
        print_line(out, walk, &diag->mark, colour);
}

int diag_print(const struct diags *diags, struct buf *out, bool colour)
{
    struct walk walk = walk_start(diags);
    size_t count = 0, more;
    const struct diag **list = sorted(diags, &count);

    if (!list)
        return WEIR_ENOMEM;
    more = diags->more + (count > SHOWN_MOST ? count - SHOWN_MOST : 0);
    for (size_t i = 0; i < count && i < SHOWN_MOST; i++)
        print_one(diags, out, list[i], &walk, colour);
    if (more > 0) {
        print_place(diags, out, &(struct mark){ 0 });
        buf_printf(out, "and %zu more\n", more);
    }
    free(list);
    return out->failed ? WEIR_ENOMEM : 0;
}

static void json_one(struct json *json, const struct diags *diags,
                     const struct diag *diag, const struct walk *walk)
{
    bool there = walk->data && diag->mark.line == walk->line;

    json_object(json, NULL);
    json_text(json, "file", diags->file ? diags->file : "-");
    json_uint(json, "line", diag->mark.line);
    json_uint(json, "column", diag->mark.column);
    json_uint(json, "length", diag->mark.length);
    if (there)
        json_uint(json, "offset", walk->at);
    else
        json_null(json, "offset");
    json_text(json, "text", diag->text);
    json_object_end(json);
}

int diag_json(const struct diags *diags, struct buf *out)
{
    struct walk walk = walk_start(diags);
    struct json json = { .out = out };
    size_t count = 0;
    const struct diag **list = sorted(diags, &count);

    if (!list)
        return WEIR_ENOMEM;
    json_array(&json, NULL);
    for (size_t i = 0; i < count; i++) {
        if (list[i]->mark.line > 0)
            walk_to(&walk, &list[i]->mark);
        json_one(&json, diags, list[i], &walk);
    }
    json_array_end(&json);
    free(list);
    return out->failed ? WEIR_ENOMEM : 0;
}
