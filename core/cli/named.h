/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named.h - what `weir put`, `weir get` and `weir queues` share: opening a
 * queue by name. The command's own process. */
#ifndef CLI_NAMED_H
#define CLI_NAMED_H

#include "cli/cli.h"

#include <weir/queue.h>

/* What both put and get take. */
struct named_args {
    bool null, whole, create;
    unsigned capacity;
    const char *bytes, *mode, *timeout;
};

#define NAMED_OPTIONS(type)                                                    \
    { OPTION_FLAG,                                                             \
      '\0',                                                                    \
      "create",                                                                \
      NULL,                                                                    \
      "make the queue when there is none of this name",                        \
      offsetof(type, named.create) },                                          \
        { OPTION_COUNT,                                                        \
          '\0',                                                                \
          "capacity",                                                          \
          "NUMBER",                                                            \
          "items that a queue which is made holds (1024)",                     \
          offsetof(type, named.capacity) },                                    \
        { OPTION_TEXT,                                                         \
          '\0',                                                                \
          "bytes",                                                             \
          "SIZE",                                                              \
          "bytes that it holds, as '64 MiB' (8 MiB)",                          \
          offsetof(type, named.bytes) },                                       \
    {                                                                          \
        OPTION_TEXT, '\0', "mode", "MODE",                                     \
            "its permissions, as chmod has them (600)",                        \
            offsetof(type, named.mode)                                         \
    }

/* The options, parsed; false: told already. @timeout_ns is FOREVER when none
 * was given. */
bool named_parse(const struct named_args *args, weir_queue_options *options,
                 int64_t *timeout_ns);
/* Opens it, or tells why not: STATUS_WRONG when there is none of the name. */
enum status named_open(const char *name, const struct named_args *args,
                       const weir_queue_options *options,
                       weir_queue **queue_out);
/* That there is none, and the nearest. */
void named_unknown(const char *name);

/* One call that waits, as weir_queue_put does, in two parts: when the first was
 * in vain, a person is told "waiting @what queue NAME", once. Returns as the
 * call. */
int named_wait(int (*call)(void *arg, int64_t timeout_ns), void *arg,
               int64_t timeout_ns, bool *told, const char *what,
               const char *name);

#endif
