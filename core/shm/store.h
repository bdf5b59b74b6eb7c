/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - payload chunks in shared memory.
 *
 * One region per power-of-two class (128 B, 256 B, ... 1 GiB), each as large
 * in address space as it can ever be asked for; only touched pages exist. So
 * no class starves another and nothing fragments. A chunk is (class, index).
 *
 * Chunks know nothing. One is in use if a flag says so that stands outside of
 * the store, beside the reference (a slot's chunk_ref): the flags are the
 * truth, and change only under the store's lock. refs[], the free lists and
 * the counters are caches; `store_rebuild` makes them anew from the flags,
 * which the owner of the flags walks for it.
 *
 *   take:  the caller's flag holder already notes the chunk's number (not yet
 *          its flag), then flag = 1, then refs = 1. Dies before the flag: the
 *          chunk is free. After it: in use by that holder.
 *   drop:  flag = 0, then refs - 1, at zero the chunk goes to the free list.
 *          Dies between: refs ahead; the rebuild counts the flags.
 *   punch: the chunk's number stands in a holder of its own (a member's
 *          `punch`) before it is taken off its list, and until it is on the
 *          other one; its pages go in between, outside the lock. The rebuild
 *          leaves it out of the lists, so nobody is given it meanwhile, and
 *          recovery of a dead one does the punch again and frees it.
 *
 * Memory is held to `limit` by giving pages of free chunks back. It is twice
 * the bytes that may be in the queues, since a chunk is charged with more than
 * half its size; what lies in free chunks smaller than a page comes on top.
 */
#ifndef SHM_STORE_H
#define SHM_STORE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/lock.h"

enum {
    STORE_CLASSES = 24, /* 128 B << 23 = 1 GiB */
    STORE_LEAST_BITS = 7,
    STORE_INDEX_BITS = 27,
};

#define STORE_CHUNK_LEAST (UINT64_C(1) << STORE_LEAST_BITS)
#define STORE_ITEM_MOST (UINT64_C(1) << 30)

/* Chunk numbers: 0 is none, else 1 + (class << 27 | index). */
typedef uint32_t chunk;

struct store_class {
    alignas(64) uint32_t count; /* chunks in address space */
    uint32_t bump;              /* cache: those at and above were never used */
    uint64_t region;            /* offset of chunk 0 from the segment's start */
    uint64_t refs_at;           /* offsets of uint32_t[count]: */
    uint64_t warm_at; /* a ring of free chunks with pages, hottest at tail */
    uint64_t bare_at; /* a stack of free chunks without */
    uint32_t warm_head, warm_tail; /* free running; count is a ring of count */
    uint32_t bare;
    uint32_t spare;
};

struct store_head {
    struct lock lock;
    uint64_t size;    /* of the segment */
    uint64_t limit;   /* bytes of chunks with pages, beyond that: punch */
    uint64_t touched; /* cache: bytes of chunks with pages */
    _Atomic uint64_t allowed; /* touched may grow to this without a look */
    struct store_class classes[STORE_CLASSES];
};

/* Where the parts of a class are: this process's own copy, checked. */
struct store_place {
    uint32_t count;
    uint64_t region, refs_at, warm_at, bare_at;
};

/* Bytes of its lists, from refs_at on; between them and the region there may
 * be a gap. */
static inline uint64_t store_place_lists(const struct store_place *place)
{
    return place->bare_at + 4 * (uint64_t)place->count - place->refs_at;
}

struct store {
    char *base; /* of the segment in this process */
    struct store_head *head;
    uint64_t from; /* what lies before it is not the store's */
    struct store_place places[STORE_CLASSES]; /* by store_open */
    int file; /* a file's descriptor + 1, whose pages are to be filled before
               * they are touched (place_fill); 0: not needed */
    /* Walks all flags: calls store_count_ref for each that is set and
     * store_count_punch for each chunk that is being punched. */
    int (*walk)(void *arg, struct store *store);
    void *arg;
};

/* How many bytes of segment a store needs from @at on, for @slots references
 * at most and @bytes of payload in all; fills @head (not its lock). */
uint64_t store_plan(struct store_head *head, uint64_t at, uint64_t slots,
                    uint64_t bytes, uint64_t largest);
int store_init(struct store *store); /* the lock */
/* In each process that maps the segment, of @size bytes, once base and head
 * are set: checks and copies where everything is, so that damage done later
 * leads nobody astray. WEIR_EBROKEN. */
int store_open(struct store *store, uint64_t size);

uint64_t chunk_size(chunk number);
/* The chunk that holds @size bytes is of this size. */
uint64_t store_size_for(uint64_t size);
/* NULL when the number is out of range: damage. */
void *chunk_data(const struct store *store, chunk number);

/*
 * Takes a chunk for @size bytes: stores its number to *number, then 1 to
 * *flag. Where that takes memory, it is looked first whether the machine has
 * any left: WEIR_ENOMEM, and then nothing has changed. WEIR_ETOOBIG: no chunk
 * is that large here. WEIR_EBROKEN. *punch is the caller's own punch holder,
 * in shared memory.
 */
int store_take(struct store *store, uint64_t size, uint32_t *number,
               _Atomic uint8_t *flag, _Atomic uint32_t *punch);
/* One more reference to a chunk that is in use. */
int store_share(struct store *store, chunk number, uint32_t *holder,
                _Atomic uint8_t *flag);
/* Several at once, under one hold of the lock. */
int store_lock(struct store *store);
int store_lock_until(struct store *store, int64_t deadline_ns);
void store_unlock(struct store *store);
/* Takes a chunk that has its pages: no call of the system is made. WEIR_EEMPTY:
 * there is none, try store_take. */
int store_take_locked(struct store *store, uint64_t size, uint32_t *number,
                      _Atomic uint8_t *flag);
/* Whether there is one; without the lock a hint. */
bool store_is_warm(const struct store *store, uint64_t size);
int store_drop_locked(struct store *store, chunk number, _Atomic uint8_t *flag);
/* A dead member was punching: its chunk is free again. May be done again. */
int store_end_punch(struct store *store, _Atomic uint32_t *punch);

int store_count_ref(struct store *store, chunk number);
int store_count_punch(struct store *store, chunk number);

/* Chunks in use, by the caches: for tests ("none left over"). */
int store_used(struct store *store, uint64_t *chunks_out,
               uint64_t *touched_out);

#endif
