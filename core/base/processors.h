/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.h - how many processors this process may use. */
#ifndef BASE_PROCESSORS_H
#define BASE_PROCESSORS_H

/* By its affinity and by the cpu quota of its cgroup and all that hold it,
 * rounded up; at least 1. */
unsigned processors_usable(void);

/* The quota's part of it: 0 when none is set. @root stands before each path
 * that is read: "" but in tests. */
unsigned processors_quota(const char *root);

#endif
