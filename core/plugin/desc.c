/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * desc.c - a task as bytes: written in the nursery, where the plugin is, read
 * in the owner, which loads none. The reader takes nothing for granted: the
 * nursery that wrote it has run a plugin's constructors.
 */
#include "config.h"

#include <string.h>

#include "plugin/internal.h"

/* First word of each message; its last byte is the form's version. */
enum { DESC_MAGIC = 0x74736b01 };

enum desc_flag {
    DESC_SOURCE = 1 << 0,
    DESC_SINGLE = 1 << 1,
    DESC_SHARES = 1 << 2,
    DESC_OPEN = 1 << 3,
    DESC_FLUSH = 1 << 4,
    DESC_SAVE = 1 << 5,
    DESC_CHECK = 1 << 6,
    DESC_STATELESS = 1 << 7,
};

static void write_text(struct buf *out, const char *text)
{
    buf_u32(out, text != NULL);
    if (text)
        buf_counted(out, text, strlen(text));
}

static uint32_t flags_of(const weir_task *task)
{
    return (task->source ? DESC_SOURCE : 0) | (task->single ? DESC_SINGLE : 0) |
           (task->shares ? DESC_SHARES : 0) | (task->open ? DESC_OPEN : 0) |
           (task->flush ? DESC_FLUSH : 0) | (task->save ? DESC_SAVE : 0) |
           (task->check ? DESC_CHECK : 0) |
           (task->stateless ? DESC_STATELESS : 0);
}

static void write_outputs(struct buf *out, const char *outputs)
{
    uint32_t count = 0;

    if (!outputs)
        outputs = "out";
    for (const char *at = outputs; *at != '\0'; count++)
        word_next(&at);
    buf_u32(out, count);
    for (const char *at = outputs; *at != '\0';) {
        struct word word = word_next(&at);

        buf_u32(out, 1);
        buf_counted(out, word.text, word.size);
    }
}

static void write_params(struct buf *out, const weir_param *params)
{
    char name[FIELD_MAX];
    uint32_t count = 0;

    while (params && params[count].field)
        count++;
    buf_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const weir_param *param = &params[i];

        write_text(out, param_name(param, name));
        write_text(out, param->summary);
        write_text(out, param->value);
        write_text(out, param->min);
        write_text(out, param->max);
        write_text(out, param->choices);
        buf_u32(out, param->type);
    }
}

int task_desc_write(struct buf *out, const struct plugin *plugin,
                    const weir_task *task)
{
    buf_u32(out, DESC_MAGIC);
    write_text(out, plugin->name);
    write_text(out, task->name);
    write_text(out, task->summary);
    write_text(out, plugin->file);
    write_text(out, plugin->descriptor->version);
    write_text(out, task->largest);
    buf_u32(out, flags_of(task));
    write_outputs(out, task->outputs);
    write_params(out, task->params);
    return out->failed ? WEIR_ENOMEM : 0;
}

/* What has gone wrong so far; later reads do nothing. */
struct desc_reader {
    struct reader *in;
    int code;
};

static char *read_maybe(struct desc_reader *reader)
{
    const char *text;
    char *copy;

    if (reader->code < 0 || read_u32(reader->in) == 0)
        return NULL;
    text = read_text(reader->in);
    if (reader->in->bad)
        return NULL;
    copy = strdup(text);
    if (!copy)
        reader->code = WEIR_ENOMEM;
    return copy;
}

/* A text that must be there. */
static char *read_must(struct desc_reader *reader)
{
    char *text = read_maybe(reader);

    if (!text)
        reader->in->bad = true;
    return text;
}

static uint32_t read_count(struct desc_reader *reader, uint32_t most)
{
    uint32_t count = read_u32(reader->in);

    if (count <= most)
        return count;
    reader->in->bad = true;
    return 0;
}

static bool good(const struct desc_reader *reader)
{
    return reader->code == 0 && !reader->in->bad;
}

static void read_outputs(struct desc_reader *reader, struct task_desc *desc)
{
    uint32_t count = read_count(reader, OUTPUTS_MAX);

    for (uint32_t i = 0; i < count && good(reader); i++) {
        char **output = VEC_ADD(&desc->outputs);

        if (output)
            *output = read_must(reader);
        else
            reader->code = WEIR_ENOMEM;
    }
}

static void read_params(struct desc_reader *reader, struct task_desc *desc)
{
    uint32_t count = read_count(reader, PARAMS_MAX);

    for (uint32_t i = 0; i < count && good(reader); i++) {
        struct param_desc *param = VEC_ADD(&desc->params);

        if (!param) {
            reader->code = WEIR_ENOMEM;
            return;
        }
        param->name = read_must(reader);
        param->summary = read_must(reader);
        param->value = read_maybe(reader);
        param->min = read_maybe(reader);
        param->max = read_maybe(reader);
        param->choices = read_maybe(reader);
        param->type = read_u32(reader->in);
        if (!param_kind(param->type))
            reader->in->bad = true;
    }
}

static void read_flags(struct desc_reader *reader, struct task_desc *desc)
{
    uint32_t flags = read_u32(reader->in);

    desc->source = flags & DESC_SOURCE;
    desc->single = flags & DESC_SINGLE;
    desc->shares = flags & DESC_SHARES;
    desc->stateless = flags & DESC_STATELESS;
    desc->has_open = flags & DESC_OPEN;
    desc->has_flush = flags & DESC_FLUSH;
    desc->has_save = flags & DESC_SAVE;
    desc->has_check = flags & DESC_CHECK;
}

int task_desc_read(struct reader *in, struct task_desc *out)
{
    struct desc_reader reader = { .in = in };
    struct task_desc desc = { 0 };

    if (read_u32(in) != DESC_MAGIC)
        in->bad = true;
    desc.plugin = read_must(&reader);
    desc.task = read_must(&reader);
    desc.summary = read_must(&reader);
    desc.file = read_must(&reader);
    desc.version = read_must(&reader);
    desc.largest = read_maybe(&reader);
    read_flags(&reader, &desc);
    read_outputs(&reader, &desc);
    read_params(&reader, &desc);
    if (good(&reader)) {
        *out = desc;
        return 0;
    }
    task_desc_done(&desc);
    return reader.code < 0 ? reader.code : -EBADMSG;
}

static void param_desc_done(struct param_desc *param)
{
    free(param->name);
    free(param->summary);
    free(param->value);
    free(param->min);
    free(param->max);
    free(param->choices);
}

void task_desc_done(struct task_desc *desc)
{
    for (size_t i = 0; i < desc->outputs.count; i++)
        free(desc->outputs.at[i]);
    for (size_t i = 0; i < desc->params.count; i++)
        param_desc_done(&desc->params.at[i]);
    VEC_DONE(&desc->outputs);
    VEC_DONE(&desc->params);
    free(desc->plugin);
    free(desc->task);
    free(desc->summary);
    free(desc->file);
    free(desc->version);
    free(desc->largest);
    *desc = (struct task_desc){ 0 };
}
