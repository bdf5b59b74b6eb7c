/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base.h - the suites of core/base, and allocations that fail. */
#ifndef UNIT_BASE_H
#define UNIT_BASE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/utf8.h"
#include "lib/suites.h"

Suite *buf_suite(void);
Suite *cells_suite(void);
Suite *clock_suite(void);
Suite *error_suite(void);
Suite *fault_suite(void);
Suite *fd_suite(void);
Suite *human_suite(void);
Suite *identity_suite(void);
Suite *json_suite(void);
Suite *log_suite(void);
Suite *map_suite(void);
Suite *number_suite(void);
Suite *stat_suite(void);
Suite *text_suite(void);
Suite *unit_suite(void);
Suite *utf8_suite(void);
Suite *vec_suite(void);

/* The nth allocation from now on fails, and all after it; 0: none does. */
void fail_from(int nth);
/* The value of an expression in which allocations fail. Outside of any
 * ck_assert, which allocates, too. */
#define FAILING(nth, expression)                                               \
    __extension__({                                                            \
        fail_from(nth);                                                        \
        __typeof__(expression) value_ = (expression);                          \
        fail_from(0);                                                          \
        value_;                                                                \
    })

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
