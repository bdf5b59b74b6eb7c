/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* room.c - see room.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "room.h"

static int walk(void *arg, struct store *store)
{
    struct shelf *shelf = arg;
    int code = 0;

    for (unsigned i = 0; i < HOLDERS && code == 0; i++)
        if (shelf->holders[i].flag != 0)
            code = store_count_ref(store, shelf->holders[i].number);
    for (unsigned i = 0; i < PUNCHES && code == 0; i++)
        if (shelf->punch[i] != 0)
            code = store_count_punch(store, shelf->punch[i]);
    return code;
}

void room_open(struct room *room, uint64_t bytes, uint64_t largest)
{
    struct store_head head;
    uint64_t size = store_plan(&head, sizeof(struct shelf), HOLDERS, bytes,
                               largest);
    weir_error err;
    void *base;

    memset(room, 0, sizeof *room);
    ck_assert_msg(memory_create("room", size, &room->fd, &base, &err) == 0,
                  "%s", err.text);
    room->size = size;
    room->shelf = base;
    room->shelf->head = head;
    room->store.base = base;
    room->store.head = &room->shelf->head;
    room->store.walk = walk;
    room->store.arg = room->shelf;
    ck_assert_int_eq(store_init(&room->store), 0);
    ck_assert_int_eq(store_open(&room->store, size), 0);
}

void room_close(struct room *room)
{
    memory_unmap(room->shelf, room->size);
    fd_close(&room->fd);
}

int room_take(struct room *room, unsigned holder, uint64_t size)
{
    struct holder *h = &room->shelf->holders[holder];

    return store_take(&room->store, size, &h->number, &h->flag,
                      &room->shelf->punch[0]);
}

int room_drop(struct room *room, unsigned holder)
{
    struct holder *h = &room->shelf->holders[holder];
    int code = store_lock(&room->store);

    if (code < 0)
        return code;
    code = store_drop_locked(&room->store, h->number, &h->flag);
    store_unlock(&room->store);
    return code;
}

char *room_data(struct room *room, unsigned holder)
{
    return chunk_data(&room->store, room->shelf->holders[holder].number);
}

uint64_t room_used(struct room *room)
{
    uint64_t chunks, touched;

    ck_assert_int_eq(store_used(&room->store, &chunks, &touched), 0);
    return chunks;
}

uint64_t room_touched(struct room *room)
{
    uint64_t chunks, touched;

    ck_assert_int_eq(store_used(&room->store, &chunks, &touched), 0);
    return touched;
}

uint64_t room_pages(struct room *room)
{
    struct stat st;

    ck_assert_int_eq(fstat(room->fd, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static uint32_t *words(struct room *room, uint64_t at)
{
    return (uint32_t *)(room->store.base + at);
}

static void check_class(struct room *room, unsigned number)
{
    const struct store_class *class = &room->shelf->head.classes[number];
    uint8_t *listed = calloc(class->count + 1, 1);

    ck_assert_uint_le(class->bump, class->count);
    for (uint32_t i = class->warm_head; i != class->warm_tail; i++)
        listed[words(room, class->warm_at)[i % class->count]]++;
    for (uint32_t i = 0; i < class->bare; i++)
        listed[words(room, class->bare_at)[i]]++;
    for (uint32_t i = 0; i < class->bump; i++)
        ck_assert_msg(listed[i] ==
                          (words(room, class->refs_at)[i] == 0 ? 1 : 0),
                      "chunk %u of class %u has %u references and is in %u "
                      "lists",
                      i, number, words(room, class->refs_at)[i], listed[i]);
    free(listed);
}

void room_check(struct room *room)
{
    ck_assert_int_eq(store_lock(&room->store), 0);
    for (unsigned i = 0; i < STORE_CLASSES; i++)
        check_class(room, i);
    store_unlock(&room->store);
}
