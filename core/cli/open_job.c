/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open_job.c - open a job file, and tell all that is wrong with it. The
 * command's own process. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/open_job.h"

static void tell_json(const char *file, const struct diags *diags)
{
    CLEANUP_BUF struct buf out = { 0 }, list = { 0 };
    struct json json = { .out = &out };

    if (diags->list.count > 0)
        list.failed = diag_json(diags, &list) < 0;
    else
        buf_text(&list, "[]");
    while (list.size > 0 && list.data[list.size - 1] == '\n')
        buf_cut(&list, list.size - 1);
    json_object(&json, NULL);
    json_uint(&json, "form", 1);
    json_text(&json, "file", file);
    json_bool(&json, "good", diags->list.count == 0);
    buf_text(&out, ",\"mistakes\":");
    buf_add(&out, list.data, list.size);
    json_object_end(&json);
    buf_char(&out, '\n');
    out.failed |= list.failed;
    out_buf(&out);
}

static void tell_text(const char *file, const struct diags *diags)
{
    CLEANUP_BUF struct buf out = { 0 };

    if (diag_print(diags, &out, out_coloured(stderr)) < 0 || out.failed) {
        complain_memory();
        return;
    }
    if (out.size > 0)
        fwrite(out.data, 1, out.size, stderr);
    if (diags->list.count > 1)
        complain("%zu mistakes in '%s'; nothing was started", diags->list.count,
                 file);
}

/* What the machine refuses is not the job's fault. */
static enum status status_of(int code)
{
    switch (code) {
    case WEIR_ENOMEM:
    case WEIR_EBROKEN:
    case -EAGAIN:
    case -EMFILE:
    case -ENFILE:
    case -ENOSYS:
        return STATUS_BROKEN;
    default:
        return STATUS_WRONG;
    }
}

static bool sets_are_pairs(const struct texts *sets)
{
    for (size_t i = 0; i < sets->count; i++) {
        const char *sign = strchr(sets->at[i], '=');

        if (!sign || sign == sets->at[i]) {
            complain("option '--set' takes VARIABLE=VALUE, not '%s'",
                     sets->at[i]);
            return false;
        }
    }
    return true;
}

enum status open_job(const struct cli *cli, struct job_options *options,
                     const struct texts *sets, const struct texts *folders,
                     bool json, struct job **job_out,
                     struct nursery **nursery_out, struct job_bound **bound_out)
{
    struct diags diags = { 0 };
    weir_error err = { 0 };
    enum status status = STATUS_GOOD;
    int code;

    if (!sets_are_pairs(sets))
        return STATUS_WRONG;
    options->file = cli->operands[0];
    options->sets = sets->at;
    options->plugin_paths = folders->at;
    code = job_open(options, job_out, &diags, nursery_out, bound_out, &err);
    if (code < 0)
        status = status_of(code);
    if (code < 0 && code != WEIR_EJOB)
        complain_error(&err);
    else if (json)
        tell_json(options->file, &diags);
    else if (code == WEIR_EJOB)
        tell_text(options->file, &diags);
    diags_done(&diags);
    return status;
}
