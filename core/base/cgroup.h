/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.h - the control group of this process and those that hold it, where
 * they are mounted: the one place that looks for them. Any process.
 *
 *     struct cgroup group;
 *
 *     if (cgroup_find("", "memory", &group))
 *         do {
 *             cgroup_number(&group, "memory.failcnt", NULL, &value);
 *         } while (cgroup_up(&group));
 *
 * A machine may have both versions, each controller in one of them.
 */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct cgroup {
    size_t top;            /* bytes of `folder` up to where it is mounted */
    char folder[PATH_MAX]; /* without a slash at its end */
    char name[PATH_MAX];   /* as /proc/self/cgroup calls it */
};

/* The group of this process in the hierarchy of version 1 that has this
 * controller; NULL: in version 2, which has one for all. @root stands before
 * each path that is read: "" but in tests. False: there is none, or it is not
 * to be seen from here. */
bool cgroup_find(const char *root, const char *controller, struct cgroup *out);
/* To the one that holds it. False: it was the uppermost that is seen here. */
bool cgroup_up(struct cgroup *group);

/* The text of a file of the group, in @buf; NULL: it is not there, or empty. */
char *cgroup_text(const struct cgroup *group, const char *file,
                  struct buf *buf);
/* The number in a file of one line; with @line, the one in the line that begins
 * with this word. False: it is not there, or no number. */
bool cgroup_number(const struct cgroup *group, const char *file,
                   const char *line, uint64_t *out);

#endif
