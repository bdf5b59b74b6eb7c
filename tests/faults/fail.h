/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fail.h - what fail.c tells whoever started the command. */
#ifndef FAULTS_FAIL_H
#define FAULTS_FAIL_H

#include <stdatomic.h>

enum { FAIL_DEPTHS = 8 };

struct fail_board {
    _Atomic unsigned long counts[FAIL_DEPTHS]; /* calls of this kind */
    _Atomic unsigned long struck;
    int error; /* of the first that was struck; 0: it was made shorter */
    char name[64];
};

#endif
