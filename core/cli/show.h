/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show.h - a plugin, or a task of it, for people and for programs. */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "cli/look.h"

/* One line a task, under the plugin's. */
void show_listed(const struct look *look, struct buf *out);
/* All of it; @task NULL: all tasks. */
void show_plugin(const struct look *look, const char *task, struct buf *out);
void show_json(const struct look *look, const char *task, struct json *json);
/* --why: each place. */
void show_tries(const struct look *look, struct buf *out);
void show_tries_json(const struct look *look, struct json *json);

/* "uint", for an enum weir_type. */
const char *show_type(uint32_t type);

/* Told, with the nearest; when there is none of that name: NULL. */
const struct task_desc *look_task(const struct look *look, const char *name);

#endif
