/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* course.h - what all programs of the course need: an end with a sentence. */
#ifndef COURSE_H
#define COURSE_H

#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

/* Goes on with 0 or a positive answer; err may be NULL. */
static inline int must(int code, const weir_error *err)
{
    if (code >= 0)
        return code;
    fprintf(stderr, "%s\n", err != NULL ? err->text : weir_strerror(code));
    exit(1);
}

#endif
