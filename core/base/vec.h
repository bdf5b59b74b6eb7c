/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vec.h - a growing array of any type.
 *
 *     VEC(struct stage) stages = { 0 };
 *     struct stage *s = VEC_ADD(&stages);        a zeroed new element, or NULL
 *     for (size_t i = 0; i < stages.count; i++) use(&stages.at[i]);
 *     VEC_DONE(&stages);
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <stddef.h>

#define VEC(type)                                                              \
    struct {                                                                   \
        type *at;                                                              \
        size_t count;                                                          \
        size_t room;                                                           \
    }

/* A pointer to a new, zeroed last element; NULL when there is no memory. */
#define VEC_ADD(vec)                                                           \
    ((__typeof__((vec)->at))vec_grow((void **)&(vec)->at, &(vec)->count,       \
                                     &(vec)->room, sizeof *(vec)->at))
#define VEC_DONE(vec) vec_done((void **)&(vec)->at, &(vec)->count, &(vec)->room)

void *vec_grow(void **at, size_t *count, size_t *room, size_t size);
void vec_done(void **at, size_t *count, size_t *room);

#endif
