/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* schema.h - who made a run's store, and in which form. Private to
 * core/journal. */
#ifndef JOURNAL_SCHEMA_H
#define JOURNAL_SCHEMA_H

/* "weiJ"; a change of the tables is another version. */
enum { SCHEMA_ID = 0x7765694a, SCHEMA_VERSION = 3 };

#endif
