/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.c - one store that makes a turn true, and the redo that follows.
 *
 * TXN goes from OPEN to COMMITTED together with the index of the book that
 * counts: that is the commit. Before it, recovery undoes the turn; after it,
 * recovery runs commit_redo:
 *
 *   b  renames (a name that is gone was renamed before); what a part has
 *      committed of an item that is still leased: absolute stores
 *   a  outputs: each slot still STAGED(w) is published, or held where order is
 *      kept. One that is not was so before, and may be anybody's by now, but
 *      never STAGED(w) again: w is dead, or in this very redo
 *   c  chunks of inputs still DONE(w): flag, then count, under the store's lock
 *   d  inputs still DONE(w): FREE
 *   e  where order is kept: what is held and may be published is (order.c). By
 *      any commit of that stage, or by who recovers
 *
 * Then the lists are emptied and TXN is OPEN again. Dies between: the lists
 * name slots whose words say otherwise.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "queue/internal.h"

struct book *book_begin(struct member_head *head, uint32_t sequence)
{
    struct book *next = &head->books[(sequence + 1) & 1];

    /* Who sees a byte of what follows sees the last commit, too: snapshot.c */
    atomic_thread_fence(memory_order_release);
    *next = head->books[sequence & 1];
    next->renames = 0; /* of one commit only */
    next->part = 0;
    return next;
}

struct book *turn_book(struct member *member)
{
    if (member->next == NULL)
        member->next = book_begin(member->head, member->sequence);
    member->counts = false; /* for all that is known */
    return member->next;
}

/* A book is some hundred bytes; where put follows put, or get follows get, both
 * books are the same but for this. */
uint64_t *turn_ordinal(struct member *member)
{
    const struct book *now = &member->head->books[member->sequence & 1];
    struct book *next = &member->head->books[(member->sequence + 1) & 1];

    if (member->next != NULL)
        return &member->next->ordinal;
    member->counts = now->renames == 0 && now->part == 0;
    if (member->alike && member->counts) {
        atomic_thread_fence(memory_order_release); /* as book_begin */
        next->ordinal = now->ordinal;
        member->next = next;
    } else {
        member->next = book_begin(member->head, member->sequence);
    }
    return &member->next->ordinal;
}

int turn_rename(struct member *member, const char *from, const char *to)
{
    struct book *book = turn_book(member);
    const char *names[2] = { from, to };

    if (book->renames >= RENAME_MOST)
        return WEIR_ESTATE;
    if (strlen(from) >= FILE_NAME_MOST || strlen(to) >= FILE_NAME_MOST)
        return WEIR_EINVAL;
    for (unsigned i = 0; i < 2; i++)
        memcpy(member_rename_name(member->segment, member->number,
                                  book->renames, i),
               names[i], strlen(names[i]) + 1);
    book->renames++;
    return 0;
}

unsigned turn_renames(const struct member *member)
{
    return member->next != NULL ? member->next->renames : 0;
}

void turn_cut_renames(struct member *member, unsigned count)
{
    if (member->next != NULL && member->next->renames > count)
        member->next->renames = count;
}

/* ----------------------------------------------------------------- redo ----
 */

/* Returns the first error; the others are tried all the same. */
static int redo_renames(struct segment *segment, unsigned number,
                        const struct book *book, bool again, weir_error *err)
{
    int code = 0;

    if (segment->lives != NULL)
        return 0; /* strangers name no files of ours */
    for (unsigned i = 0; i < book->renames && i < RENAME_MOST; i++) {
        char *from = member_rename_name(segment, number, i, 0);
        char *to = member_rename_name(segment, number, i, 1);

        from[FILE_NAME_MOST - 1] = to[FILE_NAME_MOST - 1] = '\0';
        WEIR_POINT("queue.redo.rename");
        if (rename(from, to) == 0 || (again && errno == ENOENT)) {
            sinks_note_folder(segment, to);
            continue;
        }
        if (code < 0)
            continue;
        code = error_sys(err, -errno, "cannot rename '%.300s' to '%.300s'",
                         from, to);
    }
    return code;
}

static void redo_part(struct segment *segment, unsigned number,
                      const struct book *book)
{
    struct slot *slot = book->part == 0 ? NULL
                                        : segment_slot(segment, book->part - 1);

    if (slot == NULL || !slot_is(slot, SLOT_LEASED, number))
        return;
    slot->skip = (uint32_t)book->part_skip;
    slot->skip_hash = book->part_hash;
    WEIR_POINT("queue.redo.part");
}

int commit_redo(struct segment *segment, unsigned number, unsigned in_count,
                unsigned out_count, bool again, weir_error *err)
{
    const struct book *book = member_book(segment, number);
    int renamed = redo_renames(segment, number, book, again, err);
    int code;

    redo_part(segment, number, book);
    code = slots_publish(segment, member_refs(segment, number, REFS_OUT),
                         out_count, number);
    if (code == 0)
        code = slots_free(segment, member_refs(segment, number, REFS_IN),
                          in_count, SLOT_DONE, number);
    return code < 0 ? code : renamed;
}

/* --------------------------------------------------------------- commit ----
 */

/* What is leased and not done stays in the list, and what is spent and not
 * free; copied down before the list is cut, so that at each instant all of it
 * is named. */
void refs_keep_held(struct member *member)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < member->in_count; i++) {
        uint64_t ref = atomic_load(&member->in[i]);

        if (held_slot(member, ref, SLOT_LEASED) != NULL ||
            held_slot(member, ref, SLOT_SPENT) != NULL)
            atomic_store_explicit(&member->in[kept++], ref,
                                  memory_order_release);
    }
    refs_set_count(member, REFS_IN, kept);
}

static void set_txn(struct member *member, enum txn_state state)
{
    atomic_store_explicit(&member->head->txn, txn_of(state, member->sequence),
                          memory_order_release);
}

/* Broken on purpose: the tests must notice. */
static void misbehave(struct member *member, bool committed)
{
    if (committed && WEIR_MUTATED("free-before-hold"))
        slots_free(member->segment, member->in, member->in_count, SLOT_DONE,
                   member->number);
    if (!committed && WEIR_MUTATED("publish-before-commit"))
        slots_publish(member->segment, member->out, member->out_count,
                      member->number);
    if (!committed && WEIR_MUTATED("free-before-commit"))
        slots_free(member->segment, member->in, member->in_count, SLOT_DONE,
                   member->number);
    if (committed && WEIR_MUTATED("idle-before-publish"))
        set_txn(member, TXN_IDLE);
    WEIR_POINT("queue.commit.mutant");
}

void commit_store(struct member *member)
{
    WEIR_POINT("queue.commit.before");
    member->sequence++;
    member->alike = member->counts && member->next != NULL;
    member->next = NULL;
    set_txn(member, TXN_COMMITTED);
    WEIR_POINT("queue.commit.word");
}

void commit_end(struct member *member)
{
    refs_set_count(member, REFS_OUT, 0);
    atomic_store_explicit(&member->head->tries, 0, memory_order_relaxed);
    if (!WEIR_MUTATED("stays-committed"))
        set_txn(member, TXN_OPEN);
    WEIR_POINT("queue.commit.open");
    member_turned(member);
}

int turn_commit(struct member *member, const struct append *append,
                weir_error *err)
{
    bool appends = append != NULL && append->size > 0;
    int code;

    if (segment_broken(member->segment))
        return error_set(err, WEIR_EBROKEN, "shared memory is damaged");
    turn_open(member);
    turn_book(member);
    if (appends) {
        code = sink_write(member, append, err);
        if (code < 0)
            return code;
    }
    misbehave(member, false);
    commit_store(member);
    if (appends)
        sink_committed(member);
    misbehave(member, true);
    code = commit_redo(member->segment, member->number, member->in_count,
                       member->out_count, false, err);
    if (member->ordered != 0 && code != WEIR_EBROKEN &&
        order_advance(member->segment, member->ordered - 1,
                      member->in_count == 0) == WEIR_EBROKEN)
        code = WEIR_EBROKEN;
    if (code == WEIR_EBROKEN)
        return error_set(err, code, "shared memory is damaged");
    WEIR_POINT("queue.commit.redone");
    refs_keep_held(member);
    WEIR_POINT("queue.commit.kept");
    commit_end(member);
    return code;
}

int turn_abort(struct member *member)
{
    int code = turn_drop_from(member, 0);

    if (code == 0 && member->spent > 0)
        code = slots_free(member->segment, member->in, member->in_count,
                          SLOT_SPENT, member->number);
    if (code == 0)
        code = slots_give_back(member->segment, member->in, member->in_count,
                               member->number);
    atomic_store(&member->head->hand, 0);
    if (code == 0)
        refs_set_count(member, REFS_IN, 0);
    member->spent = code == 0 ? 0 : member->spent;
    if (member->next != NULL && !member->counts)
        member->alike = false;
    member->next = NULL;
    member->first = 0;
    return code;
}
