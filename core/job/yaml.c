/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yaml.c - libyaml's events to a tree with marks. Runs in the owner.
 *
 * The event interface and no other: the document loader recurses and loses
 * what we need. libyaml's time grows with the square of the nesting, so what
 * is nested too deep ends the reading there and then. Anchors, aliases and tags
 * are refused: nothing in a job file needs them, and an alias can make a few
 * bytes mean billions of nodes.
 *
 * A start mark is exact for every kind of node; an end mark only for a text
 * in quotes or plain, so only those have a length.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "job/internal.h"

/* Maps with more keys than this get a table of those seen. */
enum { FEW_KEYS = 16 };

struct open_node {
    struct node *node;
    struct node *key; /* of a map: waits for its value */
    struct map seen;  /* of a map with many keys: name to its node */
};

struct builder {
    yaml_parser_t parser;
    const char *data;
    size_t size;
    struct arena *arena;
    struct diags *diags;
    struct open_node open[DEPTH_MOST];
    size_t depth;
    struct node *root;
    size_t nodes;
    size_t documents;
    /* Where character number `index` stands: only goes forward. */
    size_t index, at;
    bool over; /* nothing more is to be read */
    int code;
};

static struct mark mark_of(const yaml_mark_t *from, const yaml_mark_t *to)
{
    struct mark mark = { .line = (unsigned)from->line + 1,
                         .column = (unsigned)from->column + 1,
                         .length = 1 };

    if (to && to->line == from->line && to->column > from->column)
        mark.length = (unsigned)(to->column - from->column);
    return mark;
}

/* Characters to bytes. Marks of texts come in ascending order. */
static uint32_t byte_at(struct builder *builder, size_t index)
{
    size_t at = builder->at, left = index - builder->index;

    if (index <= builder->index)
        return (uint32_t)at;
    for (; left > 0 && at < builder->size; left--)
        if ((unsigned char)builder->data[at] < 0x80)
            at++;
        else
            at += char_size(builder->data + at, builder->size - at);
    builder->at = at;
    builder->index = index - left;
    return (uint32_t)at;
}

static void no_memory(struct builder *builder)
{
    builder->code = WEIR_ENOMEM;
    builder->over = true;
}

static struct node *node_new(struct builder *builder, enum node_kind kind,
                             const yaml_event_t *event)
{
    struct node *node;

    if (++builder->nodes > NODES_MOST) {
        diag_add(builder->diags, mark_of(&event->start_mark, NULL),
                 "more than %d values in one file", NODES_MOST);
        builder->over = true;
        return NULL;
    }
    node = arena_take(builder->arena, sizeof *node);
    if (!node) {
        no_memory(builder);
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->mark = mark_of(&event->start_mark, NULL);
    return node;
}

/* --------------------------------------------------------------- keys ---- */

static bool same_text(const struct node *a, const struct node *b)
{
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

static int remember(struct open_node *open, struct node *key,
                    struct node **before_out)
{
    bool fresh;
    uintptr_t *slot = map_put(&open->seen, key->text, key->size, &fresh);

    if (!slot)
        return WEIR_ENOMEM;
    if (fresh)
        *slot = (uintptr_t)key;
    else if (before_out)
        *before_out = (struct node *)*slot;
    return 0;
}

/* The same key, earlier in this map. A table is only made where it pays. */
static struct node *find_before(struct builder *builder, struct open_node *open,
                                struct node *key)
{
    struct node *before = NULL;
    int code = 0;

    if (open->node->count <= FEW_KEYS) {
        for (before = open->node->first; before; before = before->next)
            if (before->kind == NODE_TEXT && same_text(before, key))
                break;
        return before;
    }
    if (open->node->count == FEW_KEYS + 1)
        for (struct node *k = open->node->first; k && code == 0; k = k->next)
            if (k->kind == NODE_TEXT)
                code = remember(open, k, NULL);
    if (code == 0)
        code = remember(open, key, &before);
    if (code < 0)
        no_memory(builder);
    return before;
}

static void refuse_twice(struct builder *builder, struct node *key,
                         const struct node *before)
{
    if (before->mark.line == key->mark.line)
        diag_add(builder->diags, key->mark,
                 "'%s' is there twice, first at column %u; keep one",
                 QUOTE(key->text), before->mark.column);
    else
        diag_add(builder->diags, key->mark,
                 "'%s' is there twice, first in line %u; keep one",
                 QUOTE(key->text), before->mark.line);
    key->kind = NODE_BAD;
}

static void take_key(struct builder *builder, struct open_node *open,
                     struct node *key)
{
    struct node *before = NULL;

    if (key->kind == NODE_TEXT) {
        before = find_before(builder, open, key);
        if (before)
            refuse_twice(builder, key, before);
    } else if (key->kind != NODE_BAD) {
        diag_add(builder->diags, key->mark,
                 "a key must be a text, not a %s; are brackets or quotes "
                 "missing?",
                 key->kind == NODE_LIST ? "list" : "map");
        key->kind = NODE_BAD;
    }
    if (open->node->last)
        open->node->last->next = key;
    else
        open->node->first = key;
    open->node->last = key;
    open->node->count++;
    open->key = key;
}

/* Puts a node where it belongs. */
static void attach(struct builder *builder, struct node *node)
{
    struct open_node *open;

    if (builder->depth == 0) {
        builder->root = node;
        return;
    }
    open = &builder->open[builder->depth - 1];
    if (open->node->kind == NODE_MAP && open->key) {
        open->key->value = node;
        open->key = NULL;
    } else if (open->node->kind == NODE_MAP) {
        take_key(builder, open, node);
    } else {
        if (open->node->last)
            open->node->last->next = node;
        else
            open->node->first = node;
        open->node->last = node;
        open->node->count++;
    }
}

/* ------------------------------------------------------------- events ---- */

/* What no job file needs. True: it has one. */
static const char *tag_shown(const yaml_char_t *tag, char *out)
{
    static const char own[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    char *shown = out;

    if (strncmp(text, own, sizeof own - 1) != 0)
        return quote(out, text);
    *shown++ = '!';
    *shown++ = '!';
    snprintf(shown, QUOTE_ROOM - 2, "%.64s", text + sizeof own - 1);
    return out;
}

static bool refuse_extras(struct builder *builder, const yaml_event_t *event,
                          const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct mark mark = mark_of(&event->start_mark, NULL);

    if (anchor)
        diag_add(builder->diags, mark,
                 "a job file has no anchors ('&%s'); what stages share goes "
                 "into 'defaults' or 'vars'",
                 QUOTE((const char *)anchor));
    if (tag)
        diag_add(builder->diags, mark,
                 "a job file has no tags ('%s'); the key says of which type "
                 "its value is",
                 tag_shown(tag, (char[QUOTE_ROOM]){ 0 }));
    return anchor || tag;
}

static void take_text(struct builder *builder, const yaml_event_t *event)
{
    struct node *node = node_new(builder, NODE_TEXT, event);
    yaml_scalar_style_t style = event->data.scalar.style;

    if (!node)
        return;
    node->size = event->data.scalar.length;
    node->text = arena_copy(builder->arena,
                            (const char *)event->data.scalar.value, node->size);
    if (!node->text) {
        no_memory(builder);
        return;
    }
    node->plain = style == YAML_PLAIN_SCALAR_STYLE;
    node->at = byte_at(builder, event->start_mark.index);
    node->end = byte_at(builder, event->end_mark.index);
    if (style != YAML_LITERAL_SCALAR_STYLE && style != YAML_FOLDED_SCALAR_STYLE)
        node->mark = mark_of(&event->start_mark, &event->end_mark);
    if (refuse_extras(builder, event, event->data.scalar.anchor,
                      event->data.scalar.tag))
        node->kind = NODE_BAD;
    else if (memchr(node->text, '\0', node->size)) {
        diag_add(builder->diags, node->mark,
                 "a NUL character in a text; no value can hold one");
        node->kind = NODE_BAD;
    }
    attach(builder, node);
}

static void take_alias(struct builder *builder, const yaml_event_t *event)
{
    struct node *node = node_new(builder, NODE_BAD, event);

    if (!node)
        return;
    diag_add(builder->diags, mark_of(&event->start_mark, &event->end_mark),
             "a job file has no aliases ('*%s'); write it out, or share it by "
             "'defaults' or 'vars'; a text that begins with '*' needs quotes",
             QUOTE((const char *)event->data.alias.anchor));
    attach(builder, node);
}

static void take_start(struct builder *builder, const yaml_event_t *event,
                       enum node_kind kind, const yaml_char_t *anchor,
                       const yaml_char_t *tag, bool flow)
{
    struct node *node;

    if (builder->depth == DEPTH_MOST) {
        diag_add(builder->diags, mark_of(&event->start_mark, NULL),
                 "nested more than %d deep", DEPTH_MOST);
        builder->over = true;
        return;
    }
    node = node_new(builder, kind, event);
    if (!node)
        return;
    node->flow = flow;
    refuse_extras(builder, event, anchor, tag);
    attach(builder, node);
    builder->open[builder->depth++] = (struct open_node){ .node = node };
}

static void take_end(struct builder *builder)
{
    map_done(&builder->open[--builder->depth].seen);
}

static void take_document(struct builder *builder, const yaml_event_t *event)
{
    if (builder->documents++ == 0)
        return;
    diag_add(builder->diags, mark_of(&event->start_mark, NULL),
             "a second document begins here; a job file has one");
    builder->over = true;
}

static void take(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        take_document(builder, event);
        break;
    case YAML_SCALAR_EVENT:
        take_text(builder, event);
        break;
    case YAML_ALIAS_EVENT:
        take_alias(builder, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        take_start(builder, event, NODE_LIST, event->data.sequence_start.anchor,
                   event->data.sequence_start.tag,
                   event->data.sequence_start.style ==
                       YAML_FLOW_SEQUENCE_STYLE);
        break;
    case YAML_MAPPING_START_EVENT:
        take_start(builder, event, NODE_MAP, event->data.mapping_start.anchor,
                   event->data.mapping_start.tag,
                   event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        take_end(builder);
        break;
    case YAML_STREAM_END_EVENT:
        builder->over = true;
        break;
    default:
        break;
    }
}

/* False: the tree is not whole. */
static bool take_all(struct builder *builder)
{
    bool whole = false;

    while (!builder->over) {
        yaml_event_t event;

        if (!yaml_parser_parse(&builder->parser, &event)) {
            if (builder->parser.error == YAML_MEMORY_ERROR)
                no_memory(builder);
            else
                tree_explain(builder->diags, &builder->parser, builder->data,
                             builder->size);
            break;
        }
        take(builder, &event);
        whole = event.type == YAML_STREAM_END_EVENT ||
                (event.type == YAML_DOCUMENT_START_EVENT && builder->over);
        yaml_event_delete(&event);
    }
    while (builder->depth > 0)
        take_end(builder);
    return whole;
}

/* The root, when it is a map with something in it. */
static struct node *usable_root(struct builder *builder)
{
    struct node *root = builder->root;

    if (!root || (root->kind == NODE_TEXT && root->plain && root->size == 0)) {
        diag_add(builder->diags, (struct mark){ 1, 1, 0 },
                 "the file is empty; a job begins with 'weir: 1'");
        return NULL;
    }
    if (root->kind == NODE_MAP)
        return root;
    if (root->kind != NODE_BAD)
        diag_add(builder->diags, root->mark,
                 "a job file is a map of keys: 'weir: 1', 'job: NAME', "
                 "'stages: ...'; this is a %s",
                 root->kind == NODE_LIST ? "list" : "text");
    return NULL;
}

int tree_read(const char *data, size_t size, struct arena *arena,
              struct diags *diags, struct node **root_out)
{
    struct builder builder = {
        .data = data,
        .size = size,
        .arena = arena,
        .diags = diags,
        .at = bom_size(data, size),
    };
    bool whole;

    *root_out = NULL;
    if (!yaml_parser_initialize(&builder.parser))
        return WEIR_ENOMEM;
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser,
                                 (const unsigned char *)data + builder.at,
                                 size - builder.at);
    whole = take_all(&builder);
    if (whole && builder.code == 0)
        *root_out = usable_root(&builder);
    yaml_parser_delete(&builder.parser);
    return builder.code;
}
