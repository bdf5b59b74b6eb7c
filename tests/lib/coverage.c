/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coverage.c - part of the library when it counts its lines, and only then:
 * a forked child leaves by _exit, which would forget what it has counted. The
 * linker leads the calls of _exit to here (--wrap).
 */
#include "config.h"

#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((__noreturn__));
void __wrap__exit(int status) __attribute__((__noreturn__));

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
