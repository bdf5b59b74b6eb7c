/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* code.h - whether a function of the program is in memory here, too. */
#ifndef PROCESS_CODE_H
#define PROCESS_CODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Something that can be run lies at this address in this process, which loads
 * nothing later: the mappings are read once. True for all when they cannot be
 * read. For the helper, which has one thread: its children are made of its
 * memory.
 */
bool code_is_at(uint64_t address);

/* This process has not the program's memory: from now on nothing of it is
 * here. */
void code_is_elsewhere(void);

#endif
