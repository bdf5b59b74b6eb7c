/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmd_failed.c - `weir failed`: what a run has kept of the items that failed
 * for good. The command's own process; it only reads. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/call_out.h"
#include "cli/kept_run.h"
#include "queue/attrs.h"

struct failed_args {
    const char *item, *cause;
    bool json, list, bytes, all;
};

static const struct option_spec failed_options[] = {
    { OPTION_FLAG, 'l', "list", NULL, "each item, in one line",
      offsetof(struct failed_args, list) },
    { OPTION_TEXT, '\0', "cause", "CAUSE", "only those of this cause",
      offsetof(struct failed_args, cause) },
    { OPTION_TEXT, '\0', "item", "ID", "all that is known of this item",
      offsetof(struct failed_args, item) },
    { OPTION_FLAG, '\0', "bytes", NULL, "with --item: its bytes, and no more",
      offsetof(struct failed_args, bytes) },
    { OPTION_FLAG, 'a', "all", NULL, "also those that a replay has done",
      offsetof(struct failed_args, all) },
    { OPTION_FLAG, '\0', "json", NULL, "one JSON object a line, for programs",
      offsetof(struct failed_args, json) },
    { .kind = OPTION_END },
};

struct showing {
    const struct failed_args *args;
    struct failed_store *store;
    weir_error err;
    uint64_t causes, count, replayed;
};

enum { START_BYTES = 60, SHOWN_BYTES = 400, TIME_ROOM = 40 };

/* ---------------------------------------------------------------- words ----
 */

static char *time_text(char *out, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm tm;

    if (localtime_r(&seconds, &tm) == NULL ||
        strftime(out, TIME_ROOM, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, TIME_ROOM, "?");
    return out;
}

/* 2026-11-27T01:02:03.004Z */
static void json_time(struct json *json, const char *key, int64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    char text[TIME_ROOM] = "", whole[TIME_ROOM + 16];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(whole, sizeof whole, "%s.%03dZ", text,
             (int)(ns % NS_PER_S / NS_PER_MS));
    json_text(json, key, whole);
}

static void json_cause(struct json *json, uint32_t cause)
{
    char text[16];

    snprintf(text, sizeof text, "%08" PRIx32, cause);
    json_text(json, "cause", text);
}

/* The attribute `path`, and its first bytes. */
static void add_name(struct buf *out, const struct failed_row *row)
{
    const void *name;
    size_t size;

    if (row->attrs_size > 0 &&
        attrs_find(row->attrs, row->attrs_size, "path", 4, &name, &size) == 0) {
        buf_char(out, '\'');
        text_escape(out, name, size, START_BYTES);
        buf_text(out, "' ");
    }
    if (row->kept == FAILED_WHOLE) {
        buf_char(out, '"');
        text_escape(out, row->data, row->size, START_BYTES);
        buf_char(out, '"');
    } else {
        buf_text(out, row->kept == FAILED_NO_ITEM ? "no item" : "too large");
    }
}

/* --------------------------------------------------------------- groups ----
 */

static void group_text(const struct failed_group *group, struct buf *out)
{
    char id[KEPT_ID_ROOM], first[TIME_ROOM], last[TIME_ROOM];

    buf_printf(out, "%s%" PRIu64 "%s failed in '%s'",
               out_style(stdout, STYLE_BOLD), group->count,
               out_style(stdout, STYLE_END), group->stage);
    if (group->task != NULL)
        buf_printf(out, " (%s)", group->task);
    buf_printf(out, ": %s: ", group->class);
    text_escape(out, group->sentence, strlen(group->sentence), 600);
    buf_printf(out, "\n  cause %08" PRIx32 ", from %s to %s", group->cause,
               time_text(first, group->first_ns),
               time_text(last, group->last_ns));
    if (group->replayed > 0)
        buf_printf(out, ", %" PRIu64 " more replayed", group->replayed);
    buf_printf(out, "\n  for example %s\n",
               kept_id_text(id, group->root, group->path));
}

static void group_json(const struct failed_group *group, struct buf *out)
{
    struct json json = { .out = out };
    char id[KEPT_ID_ROOM];

    json_object(&json, NULL);
    json_cause(&json, group->cause);
    json_uint(&json, "failed", group->count);
    json_uint(&json, "replayed", group->replayed);
    json_text(&json, "stage", group->stage);
    if (group->task != NULL)
        json_text(&json, "task", group->task);
    json_text(&json, "class", group->class);
    json_text(&json, "why", group->sentence);
    json_time(&json, "first", group->first_ns);
    json_time(&json, "last", group->last_ns);
    json_text(&json, "example", kept_id_text(id, group->root, group->path));
    json_object_end(&json);
    buf_char(out, '\n');
}

static int show_group(void *arg, const struct failed_group *group)
{
    struct showing *showing = arg;
    CLEANUP_BUF struct buf out = { 0 };

    showing->replayed += group->replayed;
    if (group->count == 0 && !showing->args->all)
        return 0;
    showing->causes += group->count > 0;
    showing->count += group->count;
    if (showing->args->json)
        group_json(group, &out);
    else
        group_text(group, &out);
    out_buf(&out);
    return out_lost() ? WEIR_ECANCELED : 0;
}

static int show_groups(struct showing *showing)
{
    uint64_t gone = 0;
    int code = failed_groups(showing->store, show_group, showing,
                             &showing->err);

    if (code == 0)
        code = failed_gone(showing->store, &gone, &showing->err);
    if (code < 0 || showing->args->json)
        return code;
    note_line("%" PRIu64 " failed item%s of %" PRIu64 " cause%s%s",
              showing->count, showing->count == 1 ? "" : "s", showing->causes,
              showing->causes == 1 ? "" : "s",
              showing->count > 0 ? "; 'weir replay' does them again" : "");
    if (showing->replayed > 0)
        note_line("%" PRIu64 " more that failed were replayed with success",
                  showing->replayed);
    if (gone > 0)
        note_line("%" PRIu64 " more were let go of: they were too old, or more "
                  "than is kept (--failed-size, --failed-age)",
                  gone);
    return 0;
}

/* ----------------------------------------------------------------- rows ----
 */

static void row_json(const struct failed_row *row, struct json *json)
{
    char id[KEPT_ID_ROOM];

    json_text(json, "id", kept_id_text(id, row->root, row->path));
    json_text(json, "stage", row->stage);
    if (row->task != NULL)
        json_text(json, "task", row->task);
    json_cause(json, row->cause);
    json_text(json, "class", row->class);
    json_text(json, "why", row->why);
    if (row->wrote[0] != '\0')
        json_text(json, "wrote", row->wrote);
    json_uint(json, "attempts", row->attempts);
    json_uint(json, "times", row->times);
    json_time(json, "at", row->at_ns);
    if (row->took_ns > 0)
        json_int(json, "took_ns", row->took_ns);
    if (row->replayed_ns > 0)
        json_time(json, "replayed", row->replayed_ns);
    json_text(json, "kept",
              row->kept == FAILED_WHOLE     ? "whole"
              : row->kept == FAILED_NO_ITEM ? "no item"
                                            : "too large");
    json_uint(json, "size", row->size);
}

static void row_line(const struct failed_row *row, struct buf *out)
{
    char id[KEPT_ID_ROOM], at[TIME_ROOM], size[32];

    buf_printf(out, "%s  %s  %08" PRIx32 "  %-12s %9s  ",
               kept_id_text(id, row->root, row->path),
               time_text(at, row->at_ns), row->cause, row->stage,
               text_from_size(size, row->size));
    add_name(out, row);
    buf_printf(out, ": %s: ", row->class);
    text_escape(out, row->why, strlen(row->why), 600);
    buf_text(out, row->replayed_ns > 0 ? " (replayed)\n" : "\n");
}

static int show_line(void *arg, const struct failed_row *row)
{
    struct showing *showing = arg;
    CLEANUP_BUF struct buf out = { 0 };
    struct json json = { .out = &out };

    showing->count++;
    if (showing->args->json) {
        json_object(&json, NULL);
        row_json(row, &json);
        json_object_end(&json);
        buf_char(&out, '\n');
    } else {
        row_line(row, &out);
    }
    out_buf(&out);
    return out_lost() ? WEIR_ECANCELED : 0;
}

/* ------------------------------------------------------------- one item ----
 */

static void add_pair(struct buf *out, const char *what, const char *name,
                     const void *value, size_t size)
{
    buf_printf(out, "  %-10s %s%s\"", what, name, name[0] ? " = " : "");
    text_escape(out, value, size, SHOWN_BYTES);
    buf_text(out, "\"\n");
}

static void add_attrs(struct buf *out, const struct failed_row *row)
{
    struct attr attr;
    size_t at = 0;

    while (attrs_next(row->attrs, row->attrs_size, &at, &attr) == 1) {
        CLEANUP_FREE char *name = strndup(attr.name, attr.name_size);

        add_pair(out, "attribute", name ? name : "", attr.value, attr.size);
    }
}

/* The last lines of who died with it. */
static void add_wrote(struct buf *out, const char *lines)
{
    while (*lines != '\0') {
        size_t size = strcspn(lines, "\n");

        buf_text(out, "  it wrote   ");
        text_escape(out, lines, size, size);
        buf_char(out, '\n');
        lines += size + (lines[size] == '\n');
    }
}

static int add_param(void *arg, const char *name, const char *value)
{
    add_pair(arg, "parameter", name, value, strlen(value));
    return 0;
}

static void item_text(struct showing *showing, const struct failed_row *row,
                      struct buf *out)
{
    char id[KEPT_ID_ROOM], at[TIME_ROOM], took[32], size[32];

    buf_printf(out, "item %s\n  failed in  %s (%s)\n  class      %s\n",
               kept_id_text(id, row->root, row->path), row->stage,
               row->task != NULL ? row->task : "?", row->class);
    buf_text(out, "  why        ");
    text_escape(out, row->why, strlen(row->why), 600);
    buf_char(out, '\n');
    add_wrote(out, row->wrote);
    buf_printf(out, "  cause      %08" PRIx32 "\n  attempts   %u\n", row->cause,
               row->attempts);
    buf_printf(out, "  at         %s\n", time_text(at, row->at_ns));
    if (row->took_ns > 0)
        buf_printf(out, "  took       %s, the last attempt\n",
                   text_from_duration(took, row->took_ns));
    if (row->times > 1)
        buf_printf(out, "  failed     %u times, in the run and in replays\n",
                   row->times);
    if (row->replayed_ns > 0)
        buf_printf(out, "  replayed   %s\n", time_text(at, row->replayed_ns));
    failed_params(showing->store, row->stage, add_param, out, &showing->err);
    add_attrs(out, row);
    buf_printf(out, "  size       %s\n", text_from_size(size, row->size));
    if (row->kept == FAILED_WHOLE)
        add_pair(out, "bytes", "", row->data, row->size);
    else
        buf_text(out, row->kept == FAILED_NO_ITEM
                          ? "  bytes      none: a source could not give it\n"
                          : "  bytes      not kept: too large\n");
}

static int param_json(void *arg, const char *name, const char *value)
{
    struct json *json = arg;

    json_object(json, NULL);
    json_text(json, "name", name);
    json_text(json, "value", value);
    json_object_end(json);
    return 0;
}

static void item_json(struct showing *showing, const struct failed_row *row,
                      struct buf *out)
{
    struct json json = { .out = out };
    struct attr attr;
    size_t at = 0;

    json_object(&json, NULL);
    row_json(row, &json);
    json_array(&json, "parameters");
    failed_params(showing->store, row->stage, param_json, &json, &showing->err);
    json_array_end(&json);
    json_object(&json, "attributes");
    while (attrs_next(row->attrs, row->attrs_size, &at, &attr) == 1) {
        CLEANUP_FREE char *name = strndup(attr.name, attr.name_size);

        json_bytes(&json, name ? name : "", attr.value, attr.size);
    }
    json_object_end(&json);
    if (row->kept == FAILED_WHOLE)
        call_out_content(&json, row->data, row->size);
    json_object_end(&json);
    buf_char(out, '\n');
}

static int show_item(void *arg, const struct failed_row *row)
{
    struct showing *showing = arg;
    CLEANUP_BUF struct buf out = { 0 };

    showing->count++;
    if (showing->args->bytes) {
        if (row->kept == FAILED_WHOLE)
            out_bytes(row->data, row->size);
        else
            return error_set(&showing->err, WEIR_EEMPTY,
                             "the bytes of this item are not kept");
        return 1; /* a copy that failed elsewhere has the same */
    }
    if (showing->args->json)
        item_json(showing, row, &out);
    else
        item_text(showing, row, &out);
    out_buf(&out);
    return out_lost() ? WEIR_ECANCELED : 0;
}

/* -------------------------------------------------------------- command ----
 */

static enum status show(struct showing *showing)
{
    const struct failed_args *args = showing->args;
    struct failed_filter filter = { .with_replayed = args->all || args->item };
    int code;

    if (args->cause && !kept_cause(args->cause, &filter))
        return STATUS_WRONG;
    if (args->item && !kept_id(args->item, &filter))
        return STATUS_WRONG;
    if (args->item || args->list || args->cause)
        code = failed_each(showing->store, &filter, true,
                           args->item ? show_item : show_line, showing,
                           &showing->err);
    else
        code = show_groups(showing);
    if (code >= 0 && args->item && showing->count == 0) {
        complain("no item of this id has failed, or it is not kept any more");
        return STATUS_WRONG;
    }
    if (code >= 0 || code == WEIR_ECANCELED)
        return STATUS_GOOD; /* what was lost is told at the end */
    complain_error(&showing->err);
    return STATUS_BROKEN;
}

static enum status failed_run(const struct cli *cli, const void *all)
{
    struct showing showing = { .args = all };
    CLEANUP_FREE char *file = NULL;
    enum status status;

    if (showing.args->bytes && !showing.args->item) {
        complain("--bytes goes with --item");
        return STATUS_WRONG;
    }
    status = kept_open(cli->operands[0], &showing.store, &file);
    if (status == STATUS_GOOD)
        status = show(&showing);
    failed_close(&showing.store);
    return status;
}

const struct command cmd_failed = {
    .name = "failed",
    .summary = "Show what failed in a run, by cause",
    .operands = "RUN",
    .least = 1,
    .most = 1,
    .completes = "folder",
    .options = failed_options,
    .args_size = sizeof(struct failed_args),
    .about =
        "\nRUN is the folder of a run that keeps failed items: that of "
        "`weir run\n--keep-failed=FOLDER`. Failures of one cause are those "
        "of the same task, of the\nsame class, with the same sentence "
        "when numbers and names are left out.\n",
    .examples = "  weir failed kept\n"
                "  weir failed --list --json kept\n"
                "  weir failed --item=fff00000000000000000000000000000 kept\n",
    .run = failed_run,
};
