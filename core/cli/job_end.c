/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job_end.c - the end of a run, told. The command's own process. */
#include "config.h"

#include <stdio.h>

#include "cli/job_end.h"
#include "cli/stop.h"

static void tell(const struct run_report *report, bool quiet, bool json)
{
    CLEANUP_BUF struct buf out = { 0 };
    int code = json ? run_report_json(report, &out)
                    : run_report_text(report, &out, !quiet,
                                      out_coloured(stderr));

    if (code < 0)
        complain_memory();
    else if (out.size > 0)
        fwrite(out.data, 1, out.size, stderr);
    fflush(stderr);
}

enum status job_end(int code, const weir_error *err, struct run_report *report,
                    bool quiet, bool json)
{
    enum status status;

    if (code < 0)
        complain_error(err);
    else
        tell(report, quiet, json);
    status = code == WEIR_EINVAL ? STATUS_WRONG
             : code < 0          ? STATUS_BROKEN
                                 : (enum status)report->status;
    if (code == 0 && report->signal != 0)
        stop_die_by(report->signal);
    run_report_done(report);
    return status;
}
