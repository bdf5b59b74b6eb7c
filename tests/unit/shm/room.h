/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* room.h - a store with holders of its own: what the slots and members of a
 * segment are to it. */
#ifndef SHM_ROOM_H
#define SHM_ROOM_H

#include "actor.h"

enum { HOLDERS = 64, PUNCHES = 4 };

struct holder {
    _Atomic uint8_t flag;
    uint32_t number;
};

struct room {
    struct store store; /* this process's view */
    int fd;
    size_t size;
    struct shelf {
        struct store_head head;
        _Atomic uint32_t punch[PUNCHES];
        struct holder holders[HOLDERS];
    } * shelf;
};

/* A store for HOLDERS references and @bytes, the largest of @largest. */
void room_open(struct room *room, uint64_t bytes, uint64_t largest);
void room_close(struct room *room);
int room_take(struct room *room, unsigned holder, uint64_t size);
int room_drop(struct room *room, unsigned holder);
char *room_data(struct room *room, unsigned holder);
uint64_t room_used(struct room *room); /* chunks */
uint64_t room_touched(struct room *room);
uint64_t room_pages(struct room *room); /* bytes with pages, by the kernel */
/* Each free chunk is in one list, once; what is in use in none. */
void room_check(struct room *room);

#endif
