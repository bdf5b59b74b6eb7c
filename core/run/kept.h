/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept.h - what a worker says to the keeper of a failed item: beside the item
 * itself, which goes by reference, one attribute. Written by workers, in the
 * commit that settles the item; read by the keeper.
 *
 * In a replay an item that is fed has an attribute with its own id, which what
 * is made of it inherits but does not match. When it is settled otherwise than
 * by failing once more, the keeper is told in the same commit.
 */
#ifndef RUN_KEPT_H
#define RUN_KEPT_H

#include "run/host.h"

#define KEPT_NOTE "weir-kept"
#define KEPT_FED "weir-fed"

/* Classes of failures. */
#define KEPT_ERROR "error" /* the task said that it failed for good */
#define KEPT_AGAIN "again" /* it said: try again, until none was left */
#define KEPT_REFUSED                                                           \
    "refused"              /* an output, or all of it, could not be taken      \
                            */
#define KEPT_CRASH "crash" /* a signal */
#define KEPT_EXIT "exit"
#define KEPT_LIMIT "limit" /* of time */
#define KEPT_LOST "lost"
const char *kept_class(enum cause cause);

enum kept_kind { KEPT_FAILED = 1, KEPT_SETTLED = 2 };

struct kept_note {
    enum kept_kind kind;
    unsigned stage;
    unsigned attempts;
    int64_t at_ns;   /* since 1970 */
    int64_t took_ns; /* 0: not known */
    uint64_t size;   /* of the item */
    bool item;       /* there is one */
    bool bare;       /* its attributes left no room for this, and are lost */
    const char *class, *why;
    const char *wrote; /* the last lines of who died with it; NULL: none */
};

/* At most ATTRS_MOST; wrote and why are cut to fit. */
int kept_write(struct buf *out, const struct kept_note *note);
/* Texts point into the message. 0 or WEIR_EBROKEN. */
int kept_read(const void *data, size_t size, struct kept_note *out);

/* As the attributes of an item that there never was. */
int kept_about_source(struct buf *attrs, unsigned stage, const char *class,
                      const char *why);

/* Attributes of an item that is fed: its own and its id. WEIR_ETOOBIG. */
int kept_feed(struct buf *attrs, uint64_t root, uint64_t path);
/* Takes all of this away again. */
void kept_strip(struct buf *attrs);

/* The item in hand (or what a source could not give) has failed for good, as
 * host->why says; nobody keeps: 0. */
int kept_failed(struct host *host, unsigned attempts);
/* It is settled otherwise: tells it when it was fed. */
int kept_settled(struct host *host);
int kept_init(struct host *host);

#endif
