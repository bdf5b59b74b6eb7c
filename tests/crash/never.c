/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* never.c - see never.h. */
#include "config.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/never.h"

enum { LINE_ROOM = 256 };

static int role_of(const char *const *roles, const char *name)
{
    for (int i = 0; i < NEVER_ROLES && roles[i] != NULL; i++)
        if (strcmp(roles[i], name) == 0)
            return i;
    return -1;
}

/* How many points it is about that nothing was said of; -1: of one it was. */
static int mark(const struct points *points, const char *pattern, int role,
                const char *reason, never_reasons out)
{
    int count = 0;

    for (unsigned i = 0; i < points->count; i++) {
        if (fnmatch(pattern, points->at[i], 0) != 0)
            continue;
        if (out[i][role] != NULL)
            return -1;
        out[i][role] = strdup(reason);
        count++;
    }
    return count;
}

/* A role, a pattern of points, the reason. */
static bool read_line(const struct points *points, const char *const *roles,
                      char *line, never_reasons out)
{
    char name[32], pattern[POINT_ROOM];
    int size = 0, role;

    line[strcspn(line, "\n")] = '\0';
    if (line[0] == '#' || line[0] == '\0')
        return true;
    if (sscanf(line, "%31s %63s %n", name, pattern, &size) != 2 ||
        line[size] == '\0')
        return false;
    role = role_of(roles, name);
    return role < 0 || mark(points, pattern, role, line + size, out) > 0;
}

bool never_read(const struct points *points, const char *const *roles,
                never_reasons out)
{
    FILE *file = fopen(TEST_SRCDIR "/tests/crash/never.list", "r");
    bool sound = file != NULL;
    char line[LINE_ROOM];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (!read_line(points, roles, line, out)) {
            fprintf(stderr,
                    "never.list: no reason, no such point, or said "
                    "twice: %s\n",
                    line);
            sound = false;
        }
    if (file != NULL)
        fclose(file);
    return sound;
}

bool row_wanted(const char *name)
{
    const char *pattern = getenv("WEIR_ROWS");

    return pattern == NULL || fnmatch(pattern, name, FNM_EXTMATCH) == 0;
}

unsigned rounds_wanted(unsigned usual)
{
    const char *text = getenv("WEIR_ROUNDS");
    int rounds = text != NULL ? atoi(text) : 0;

    return rounds > 0 ? (unsigned)rounds : usual;
}
