/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * never.h - never.list: which role never comes by which named point, and why.
 * The matrices (matrix.c, runs.c) kill every other role at every point that
 * points.list gives them, and see to it that nobody comes by where he never
 * does.
 */
#ifndef CRASH_NEVER_H
#define CRASH_NEVER_H

#include <stdbool.h>

#include "lib/points.h"

enum { NEVER_ROLES = 5 };

/* [point][role]: the reason; NULL: it does come by. */
typedef const char *never_reasons[POINTS_MOST][NEVER_ROLES];

/* @roles: as many, or NULL behind the last. Lines of others are left out.
 * False, and it is told: a line that has no reason, names no point, or says
 * again what another one has said. */
bool never_read(const struct points *points, const char *const *roles,
                never_reasons out);

/* What the long form makes of a row, "point role": WEIR_ROWS is a pattern of
 * those that are made (fnmatch, extended), else all; WEIR_ROUNDS how often
 * somebody is killed in each way, else @usual. */
bool row_wanted(const char *name);
unsigned rounds_wanted(unsigned usual);

#endif
