/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nursery_wire.h - what owner and nursery say to each other: messages over one
 * SOCK_SEQPACKET pair. Counted bytes of any length go in WIRE_DATA.
 */
#ifndef PROCESS_NURSERY_WIRE_H
#define PROCESS_NURSERY_WIRE_H

#include <stdint.h>

#include "process/nursery.h"

enum wire_kind {
    /* owner to nursery */
    WIRE_ORDER = 1, /* id; value: bytes of data that follow; descriptors */
    WIRE_DATA,      /* the next bytes of an order, or of the reply */
    WIRE_REAP,      /* value: pid */
    WIRE_DISMISS,   /* value: pid; kill it and reap it, no answer */
    /* nursery to owner */
    WIRE_BUSY,     /* text */
    WIRE_PREPARED, /* value: what prepare returned */
    WIRE_FORKED,   /* id, value: pid; one descriptor */
    WIRE_REFUSED,  /* id, value: code */
    WIRE_REAPED,   /* id, value: pid, exit */
};

enum {
    WIRE_TEXT = 16 << 10, /* bytes behind the head, at most */
    WIRE_BUSY_MOST = 255,
};

struct wire_head {
    uint32_t kind;
    uint32_t size; /* bytes behind the head in this message */
    uint64_t id;
    int64_t value;
    uint32_t detached; /* WIRE_ORDER */
    uint32_t zero;
    struct exit_record exit; /* WIRE_REAPED */
};

struct wire_message {
    struct wire_head head;
    char text[WIRE_TEXT];
};

/* In the nursery: never returns. */
struct nursery_birth {
    const struct nursery_spec *spec;
    int socket;
    int life;  /* read end, to hand on */
    int armed; /* own arming, -1: none */
};
_Noreturn void nursery_main(const struct nursery_birth *birth);

#endif
