/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* code.c - runs in the helper: see code.h. */
#include "config.h"

#include <stdio.h>

#include "base/base.h"
#include "process/code.h"
#include "process/fork.h"

struct range {
    unsigned long long from, to;
};

static VEC(struct range) code; /* empty: not known */
static pid_t learned_by;       /* a fork of it may have loaded more */
static bool elsewhere;

static void learn(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    struct range range;
    char rights[8];

    learned_by = fork_self();
    code.count = 0;
    if (maps == NULL)
        return;
    while (fscanf(maps, "%llx-%llx %4s%*[^\n]", &range.from, &range.to,
                  rights) == 3) {
        struct range *known = rights[2] == 'x' ? VEC_ADD(&code) : NULL;

        if (known != NULL)
            *known = range;
    }
    fclose(maps);
}

void code_is_elsewhere(void)
{
    elsewhere = true;
}

bool code_is_at(uint64_t address)
{
    if (elsewhere)
        return false;
    if (learned_by != fork_self())
        learn();
    for (size_t i = 0; i < code.count; i++)
        if (address >= code.at[i].from && address < code.at[i].to)
            return true;
    return code.count == 0;
}
