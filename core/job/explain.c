/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * explain.c - what libyaml's syntax errors mean for somebody who writes a job
 * file: the place to look at, and what to do. Runs in the owner.
 *
 * libyaml says what it expected; the mistake is mostly something else, and
 * mostly one of a few: a tab, a colon without its space, an indent that is
 * off, a quote or bracket that is not closed. Those are looked for in the text
 * around the place; what is left is told in libyaml's own words.
 */
#include "config.h"

#include <string.h>
#include <yaml.h>

#include "job/internal.h"

struct line {
    const char *text;
    size_t size;
    size_t indent; /* bytes of spaces and dashes before the first word */
};

struct trouble {
    struct diags *diags;
    const yaml_parser_t *parser;
    const char *data;
    size_t size;
    struct line at, context;
};

/* Line @number, from 0. */
static struct line line_at(const char *data, size_t size, size_t number)
{
    struct line line = { data + bom_size(data, size), 0, 0 };
    const char *end = data + size;

    while (number > 0 && line.text < end) {
        size_t step = break_size(line.text, (size_t)(end - line.text));

        line.text += step > 0 ? step : 1;
        number -= step > 0;
    }
    while (line.text + line.size < end &&
           break_size(line.text + line.size,
                      (size_t)(end - line.text) - line.size) == 0)
        line.size++;
    while (line.indent < line.size && strchr(" -", line.text[line.indent]))
        line.indent++;
    return line;
}

static struct mark mark_at(const yaml_mark_t *mark, unsigned length)
{
    return (struct mark){ .line = (unsigned)mark->line + 1,
                          .column = (unsigned)mark->column + 1,
                          .length = length };
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static size_t word_size(const char *text, size_t size)
{
    size_t word = 0;

    while (word < size && is_word(text[word]))
        word++;
    return word;
}

/* "to:blocks" at the beginning of a line. */
static bool find_colon(const struct trouble *trouble, const struct line *line,
                       size_t number)
{
    const char *word = line->text + line->indent;
    size_t left = line->size - line->indent;
    size_t size = word_size(word, left);
    char name[65];

    if (size == 0 || size > 64 || size + 1 >= left || word[size] != ':' ||
        strchr(" \t/:\\", word[size + 1]))
        return false;
    memcpy(name, word, size);
    name[size] = '\0';
    diag_add(trouble->diags,
             (struct mark){ (unsigned)number + 1,
                            (unsigned)(line->indent + size + 1), 1 },
             "a space is missing after the colon: write '%s: '", name);
    return true;
}

/* "-name: x" */
static bool find_dash(const struct trouble *trouble, const struct line *line,
                      size_t number)
{
    size_t at = 0;

    while (at < line->size && line->text[at] == ' ')
        at++;
    if (at + 1 >= line->size || line->text[at] != '-' ||
        word_size(line->text + at + 1, 1) == 0 || line->text[at + 1] == '-')
        return false;
    if (!memchr(line->text + at, ':', line->size - at))
        return false;
    diag_add(trouble->diags,
             (struct mark){ (unsigned)number + 1, (unsigned)at + 1, 1 },
             "a space is missing after the dash: write '- '");
    return true;
}

/* --------------------------------------------------------------- tabs ---- */

static size_t tab_in_indent(const char *text, size_t size)
{
    size_t at = 0;

    while (at < size && text[at] == ' ')
        at++;
    return at < size && text[at] == '\t' ? at + 1 : 0;
}

/* Lines from @text on that begin with a tab. */
static size_t count_tabs(const char *text, const char *end)
{
    size_t count = 0;

    while (text < end) {
        size_t left = (size_t)(end - text);

        count += tab_in_indent(text, left) > 0;
        while (text < end && break_size(text, (size_t)(end - text)) == 0)
            text++;
        text += break_size(text, (size_t)(end - text));
    }
    return count;
}

static bool find_tab(const struct trouble *trouble, const struct line *line,
                     size_t number)
{
    size_t column = tab_in_indent(line->text, line->size);
    struct mark mark = { (unsigned)number + 1, (unsigned)column, 1 };
    size_t more;

    if (column == 0)
        return false;
    more = count_tabs(line->text + line->size, trouble->data + trouble->size);
    if (more == 0)
        diag_add(trouble->diags, mark,
                 "a tab cannot indent a line; use spaces");
    else
        diag_add(trouble->diags, mark,
                 "a tab cannot indent a line; use spaces (%zu more %s with "
                 "one)",
                 more, more == 1 ? "line begins" : "lines begin");
    return true;
}

/* ------------------------------------------------------------- causes ---- */

/* What is told of a problem that libyaml states in these words. */
struct cause {
    const char *context; /* NULL: any */
    const char *problem;
    bool at_context; /* the place to show is where it began */
    const char *text;
};

#define INDENT                                                                 \
    "this line is indented in another way than those above it: keys of one "   \
    "map, and the dashes of one list, begin in one column"

static const struct cause causes[] = {
    { "quoted scalar", "unexpected end of stream", true,
      "the quote that begins here is never closed" },
    { "quoted scalar", "unexpected document indicator", true,
      "the quote that begins here is not closed before the next document" },
    { "quoted scalar", "unknown escape character", false,
      "no such escape in double quotes; write \\\\ for a backslash, or use "
      "single quotes" },
    { "quoted scalar", "did not find expected hexdecimal", false,
      "an escape needs its hexadecimal digits, as in \\x0a" },
    { NULL, "mapping values are not allowed", false,
      "a ': ' cannot stand here: the line is indented too far, or a text "
      "with ': ' in it needs quotes" },
    { NULL, "block sequence entries are not allowed", false,
      "a '- ' cannot stand here: put the list on lines of its own below its "
      "key" },
    { NULL, "did not find expected key", false, INDENT },
    { NULL, "did not find expected '-' indicator", false, INDENT },
    { NULL, "could not find expected ':'", true,
      "a key without a colon: write 'KEY: VALUE'" },
    { NULL, "did not find expected <document start>", false,
      "this stands outside of the map that the file begins with: check how "
      "far the line is indented" },
    { "directive", "", true,
      "a line cannot begin with '%'; put the text in quotes" },
    { "anchor", "", false, "a text cannot begin with '&'; put it in quotes" },
    { "alias", "", false, "a text cannot begin with '*'; put it in quotes" },
    { "block scalar", "", false,
      "after '|' or '>' comes nothing but '+', '-', a digit or a comment; "
      "the text begins on the next line" },
    { "tag", "", false, "a text cannot begin with '!'; put it in quotes" },
};

static bool has(const char *text, const char *part)
{
    return part == NULL || (text && strstr(text, part));
}

static bool tell_cause(const struct trouble *trouble)
{
    const yaml_parser_t *parser = trouble->parser;

    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        const struct cause *cause = &causes[i];

        if (!has(parser->context, cause->context) ||
            !has(parser->problem, cause->problem))
            continue;
        diag_add(trouble->diags,
                 mark_at(cause->at_context && parser->context
                             ? &parser->context_mark
                             : &parser->problem_mark,
                         1),
                 "%s", cause->text);
        return true;
    }
    return false;
}

/* A bracket that is open where something else is expected. */
static bool tell_flow(const struct trouble *trouble)
{
    const yaml_parser_t *parser = trouble->parser;
    const yaml_mark_t *begin = &parser->context_mark;
    bool list = has(parser->problem, "expected ',' or ']'");
    const char *left = trouble->at.text;

    if (!list && !has(parser->problem, "expected ',' or '}'"))
        return false;
    if (left == trouble->data + trouble->size)
        diag_add(trouble->diags, mark_at(begin, 1),
                 "the '%c' that begins here is never closed", list ? '[' : '{');
    else if (begin->line == parser->problem_mark.line)
        diag_add(trouble->diags, mark_at(&parser->problem_mark, 1),
                 "a ',' or '%c' is missing before this", list ? ']' : '}');
    else
        diag_add(trouble->diags, mark_at(&parser->problem_mark, 1),
                 "a ',' or '%c' is missing before this; the '%c' stands in "
                 "line %zu",
                 list ? ']' : '}', list ? '[' : '{', begin->line + 1);
    return true;
}

/* A character that begins no text: '@' and '`' are kept for later by YAML. */
static bool tell_character(const struct trouble *trouble)
{
    const yaml_mark_t *mark = &trouble->parser->problem_mark;
    const char *text = trouble->at.text;
    size_t left = trouble->at.size;
    char character[8] = "";

    if (!has(trouble->parser->problem, "cannot start any token"))
        return false;
    for (size_t column = mark->column; column > 0 && left > 0; column--) {
        size_t step = char_size(text, left);

        text += step;
        left -= step;
    }
    if (left > 0)
        memcpy(character, text, char_size(text, left));
    if (character[0] == '\t')
        diag_add(trouble->diags, mark_at(mark, 1),
                 "a tab cannot stand here; use spaces");
    else
        diag_add(trouble->diags, mark_at(mark, 1),
                 "a text cannot begin with '%s'; put it in quotes", character);
    return true;
}

static bool find_missing(const struct trouble *trouble, const struct line *line,
                         size_t number)
{
    return find_colon(trouble, line, number) ||
           find_dash(trouble, line, number);
}

/* The last line before *number with something on it. */
static bool before_at(const char *data, size_t size, size_t *number,
                      struct line *out)
{
    for (int tries = 0; *number > 0 && tries < 20; tries++) {
        *out = line_at(data, size, --*number);
        if (out->size > out->indent)
            return true;
    }
    return false;
}

void tree_explain(struct diags *diags, const struct yaml_parser_s *parser,
                  const char *data, size_t size)
{
    struct trouble trouble = { diags, parser, data, size, { 0 }, { 0 } };
    size_t line = parser->problem_mark.line;
    size_t begun = parser->context ? parser->context_mark.line : line;
    bool quoted = has(parser->context, "quoted scalar");
    size_t before;

    trouble.at = line_at(data, size, line);
    trouble.context = line_at(data, size, begun);
    if (!quoted && find_tab(&trouble, &trouble.at, line))
        return;
    if (!quoted && (find_missing(&trouble, &trouble.context, begun) ||
                    find_missing(&trouble, &trouble.at, line)))
        return;
    /* A text goes on over lines: it may have begun in the line before. */
    before = line;
    if (has(parser->problem, "mapping values") &&
        before_at(data, size, &before, &trouble.context) &&
        find_missing(&trouble, &trouble.context, before))
        return;
    if (tell_character(&trouble) || tell_flow(&trouble) || tell_cause(&trouble))
        return;
    diag_add(diags, mark_at(&parser->problem_mark, 1), "no YAML: %s%s%s",
             parser->context ? parser->context : "",
             parser->context ? ", " : "",
             parser->problem ? parser->problem : "it cannot be read");
}
