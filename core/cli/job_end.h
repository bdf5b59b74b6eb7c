/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job_end.h - what `run` and `replay` do alike when a run has ended: its report
 * on standard error, its status. */
#ifndef CLI_JOB_END_H
#define CLI_JOB_END_H

#include "cli/cli.h"
#include "run/run.h"

/* @code: of run_job; @report is ended. Where a signal has stopped the run it
 * does not return. */
enum status job_end(int code, const weir_error *err, struct run_report *report,
                    bool quiet, bool json);

#endif
