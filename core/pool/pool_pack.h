/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool_pack.h - many short calls of one map in one item.
 *
 * A pack is an item of POOL_CALLS whose path says so: a head, an entry for each
 * call, their arguments, and room for answers. Its worker runs one call after
 * the other, writes their answers into the same payload, and gives that on as
 * the result. So a call costs no turn of a lock, and its bytes go over once.
 *
 * TRUTH is `progress`: how many of the calls have their answer, and how many
 * attempts the item had been charged by then; one store, when the answer is
 * whole. Whoever dies has the item charged for the call in hand alone: it goes
 * back to the head, and who leases it goes on behind `progress`; what the item
 * has been charged beyond it are the attempts of that one call. Dies between
 * the end of a call and that store: as at any death amid a call. After it: the
 * call is never run again.
 *
 * A pack may end before its last call: one took long, so that the others are
 * for anybody; an answer has no room, and goes by itself, as that of a single
 * call; one is lost, so that its trace is read before there is another. What
 * has not begun then is made anew by the program.
 */
#ifndef POOL_POOL_PACK_H
#define POOL_POOL_PACK_H

#include <stdatomic.h>
#include <stdint.h>

#include "queue/queue.h"
#include "pool/pool_wire.h"

enum {
    PACK_LEAST = 4,
    PACK_MOST = 128,
    PACK_BYTES = 32 << 10,
    PACK_ALIGN = 16,    /* of arguments and answers */
    PACK_TRIES = 30000, /* then it ends: a slot counts up to 65,535 */
    PACK_LONG = 1024,   /* an argument or answer of more goes by itself */
};

/* So much time a worker takes for what it has leased at once. */
#define TURN_NS (50 * NS_PER_US)

struct pack_head {
    _Atomic uint64_t progress;
    uint32_t count;
    uint32_t answers_at; /* from here on to the end of the payload */
};

struct pack_entry {
    uint32_t at, size; /* of its argument */
    /* Of its answer: bytes, or a sentence. Behind each is a NUL. */
    uint32_t answer_at, answer_size;
    int32_t code;
    uint32_t zero;
};

_Static_assert(sizeof(struct pack_head) % PACK_ALIGN == 0, "alignment");

static inline uint64_t pack_progress(uint32_t done, uint32_t charged)
{
    return (uint64_t)done << 32 | charged;
}

static inline uint32_t pack_done(uint64_t progress)
{
    return (uint32_t)(progress >> 32);
}

static inline uint32_t pack_charged(uint64_t progress)
{
    return (uint32_t)progress;
}

/* With its NUL, up to the next. */
static inline uint64_t pack_room(uint64_t size)
{
    return (size + PACK_ALIGN) / PACK_ALIGN * PACK_ALIGN;
}

#endif
