/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * member.c - entering and leaving a segment, the lists of what a member holds,
 * and what others may see of it.
 *
 * in[] and out[] are written by the member alone, while it lives: first the
 * reference, then the count, then the slot's word (REFERENCE FIRST, layout.h).
 */
#include "config.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"

static int bind_member(struct segment *segment, unsigned number,
                       struct member **out)
{
    struct member *member = calloc(1, sizeof *member);
    struct member_head *head = member_at(segment, number);

    if (member == NULL)
        return WEIR_ENOMEM;
    member->segment = segment;
    member->head = head;
    member->number = number;
    member->in = member_refs(segment, number, REFS_IN);
    member->out = member_refs(segment, number, REFS_OUT);
    member->sequence = txn_sequence(atomic_load(&head->txn));
    member->sink_fd = -1;
    atomic_store(&head->in_count, 0);
    atomic_store(&head->out_count, 0);
    atomic_store(&head->hand, 0);
    atomic_store(&head->waiting, 0);
    atomic_store(&head->cancel, 0);
    atomic_store(&head->bell, 0);
    atomic_store(&head->bell_bytes, 0);
    atomic_store(&head->limit_ns, 0);
    atomic_store(&head->overdue, 0);
    atomic_store(&head->parting, 0);
    atomic_store(&head->leave, LEAVE_STAYS);
    atomic_store(&head->park, PARK_NONE);
    atomic_store(&head->pid, (int32_t)syscall(SYS_gettid));
    atomic_store(&head->state, MEMBER_LIVE);
    *out = member;
    return 0;
}

/* The entry is taken by one store that says who has it: should it die right
 * after, the owner finds that. */
int member_enter(struct segment *segment, unsigned number, struct member **out)
{
    struct member_head *head;
    int32_t nobody = 0;
    int code;

    if (number >= segment->member_count)
        return WEIR_EINVAL;
    head = member_at(segment, number);
    if (!atomic_compare_exchange_strong(&head->process, &nobody, getpid()))
        return WEIR_ESTATE;
    code = bind_member(segment, number, out);
    if (code < 0)
        atomic_store(&head->process, 0);
    return code;
}

int member_enter_any(struct segment *segment, unsigned from,
                     struct member **out)
{
    if (segment->lives != NULL)
        return stranger_enter_any(segment, from, out);
    for (unsigned i = from; i < segment->member_count; i++) {
        int code;

        if (atomic_load(&member_at(segment, i)->process) != 0)
            continue;
        code = member_enter(segment, i, out);
        if (code != WEIR_ESTATE)
            return code;
    }
    return WEIR_EFULL;
}

void member_leave(struct member **member)
{
    struct member *m = *member;

    if (m == NULL)
        return;
    turn_abort(m);
    member_produce_end(m->segment, m->number);
    m->listed |= atomic_load(&m->head->bell) != 0;
    member_unlist(m, NULL, 0);
    atomic_store(&m->head->txn, txn_of(TXN_IDLE, m->sequence));
    atomic_store(&m->head->state, MEMBER_EMPTY);
    atomic_store(&m->head->process, 0);
    if (m->segment->lives != NULL)
        stranger_left(m->segment, m->number);
    member_forget(member);
}

void member_forget(struct member **member)
{
    free(*member);
    *member = NULL;
}

unsigned member_number(const struct member *member)
{
    return member->number;
}

struct segment *member_segment(const struct member *member)
{
    return member->segment;
}

/* ---------------------------------------------------------------- lists ----
 */

int refs_add(struct member *member, unsigned side, uint64_t ref)
{
    unsigned *count = side == REFS_IN ? &member->in_count : &member->out_count;
    _Atomic uint64_t *refs = side == REFS_IN ? member->in : member->out;

    if (*count >= MEMBER_REFS)
        return WEIR_ESTATE;
    atomic_store_explicit(&refs[*count], ref, memory_order_release);
    WEIR_POINT("queue.ref.noted");
    refs_set_count(member, side, *count + 1);
    WEIR_POINT("queue.ref.counted");
    return 0;
}

/* Those behind it move down, the first first: at every instant each reference
 * but this one stands in the list, some twice. */
void refs_remove(struct member *member, unsigned side, uint64_t ref)
{
    unsigned count = side == REFS_IN ? member->in_count : member->out_count;
    _Atomic uint64_t *refs = side == REFS_IN ? member->in : member->out;
    unsigned i = count;

    while (i > 0 && atomic_load(&refs[i - 1]) != ref)
        i--;
    if (i == 0)
        return;
    for (; i < count; i++)
        atomic_store_explicit(&refs[i - 1], atomic_load(&refs[i]),
                              memory_order_release);
    refs_set_count(member, side, count - 1);
}

/* ------------------------------------------------------------- signals ---- */

void member_cancel(struct segment *segment, unsigned number, bool cancel)
{
    if (number >= segment->member_count)
        return;
    atomic_store(&member_at(segment, number)->cancel, cancel);
    if (cancel)
        member_wake(segment, number);
}

bool member_canceled(const struct member *member)
{
    return atomic_load(&member->head->cancel) != 0;
}

bool member_stopping(const struct member *member)
{
    return segment_stopping(member->segment);
}

bool segment_stopping(const struct segment *segment)
{
    return atomic_load_explicit(&segment->head->stopping,
                                memory_order_relaxed) != 0;
}

static bool leave_step(struct member_head *head, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&head->leave, &from, to);
}

void member_ask_leave(struct segment *segment, unsigned number)
{
    if (number < segment->member_count &&
        leave_step(member_at(segment, number), LEAVE_STAYS, LEAVE_ASKED))
        member_wake(segment, number);
}

bool member_ask_stay(struct segment *segment, unsigned number)
{
    struct member_head *head;

    if (number >= segment->member_count)
        return false;
    head = member_at(segment, number);
    leave_step(head, LEAVE_ASKED, LEAVE_STAYS);
    leave_step(head, LEAVE_SEEN, LEAVE_STAYS);
    return atomic_load(&head->leave) == LEAVE_STAYS;
}

bool member_asked_leave(struct member *member)
{
    struct member_head *head = member->head;

    if (atomic_load_explicit(&head->leave, memory_order_relaxed) == LEAVE_STAYS)
        return false;
    leave_step(head, LEAVE_ASKED, LEAVE_SEEN);
    return true;
}

bool member_goes(struct member *member)
{
    return leave_step(member->head, LEAVE_SEEN, LEAVE_GONE);
}

void member_beat(struct member *member)
{
    _Atomic uint64_t *beat = &member->head->beat;

    atomic_store_explicit(beat,
                          atomic_load_explicit(beat, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void member_set_overdue(struct segment *segment, unsigned number, uint64_t turn)
{
    if (number < segment->member_count)
        atomic_store(&member_at(segment, number)->overdue, turn + 1);
}

bool member_overdue(const struct member *member)
{
    const struct member_head *head = member->head;

    return atomic_load_explicit(&head->overdue, memory_order_relaxed) ==
           atomic_load_explicit(&head->turn, memory_order_relaxed) + 1;
}

void member_part(struct member *member, enum parting why)
{
    atomic_store(&member->head->parting, (uint32_t)why);
}

unsigned member_parting(const struct segment *segment, unsigned number)
{
    return number < segment->member_count
               ? atomic_load(&member_at(segment, number)->parting)
               : 0;
}

/* --------------------------------------------------------------- samples ----
 */

void member_sample(const struct segment *segment, unsigned number,
                   struct member_sample *out)
{
    const struct member_head *head;
    const struct slot *slot = NULL;
    uint64_t hand;

    *out = (struct member_sample){ 0 };
    if (number >= segment->member_count)
        return;
    head = member_at(segment, number);
    hand = atomic_load(&head->hand);
    if (hand != 0)
        slot = segment_slot(segment, hand - 1);
    out->state = atomic_load(&head->state);
    out->pid = atomic_load(&head->pid);
    out->process = atomic_load(&head->process);
    out->turn = atomic_load(&head->turn);
    out->in_hand = slot != NULL;
    out->root = slot != NULL ? slot->root : 0;
    out->waiting = atomic_load(&head->waiting);
    out->busy_ns = atomic_load(&head->busy_ns);
    out->starved_ns = atomic_load(&head->starved_ns);
    out->blocked_ns = atomic_load(&head->blocked_ns);
    out->tries = atomic_load(&head->tries);
    out->limit_ns = atomic_load(&head->limit_ns);
    out->beat = atomic_load_explicit(&head->beat, memory_order_relaxed);
}

unsigned member_put_off(const struct segment *segment, unsigned number)
{
    const struct member_head *head;
    const _Atomic uint64_t *in;
    unsigned in_count, count = 0;
    uint64_t hand;

    if (number >= segment->member_count)
        return 0;
    head = member_at(segment, number);
    in = member_refs(segment, number, REFS_IN);
    in_count = atomic_load(&head->in_count);
    hand = atomic_load(&head->hand);
    for (unsigned i = 0; i < in_count && i < MEMBER_REFS; i++) {
        uint64_t ref = atomic_load(&in[i]);
        const struct slot *slot = segment_slot(segment, ref);

        count += slot != NULL && ref + 1 != hand && slot->attempt > 0 &&
                 slot_is(slot, SLOT_LEASED, number);
    }
    return count;
}

static void add(_Atomic uint64_t *word, uint64_t more)
{
    atomic_store_explicit(word,
                          atomic_load_explicit(word, memory_order_relaxed) +
                              more,
                          memory_order_relaxed);
}

void member_add_times(struct member *member, uint64_t busy_ns,
                      uint64_t starved_ns, uint64_t blocked_ns)
{
    add(&member->head->busy_ns, busy_ns);
    add(&member->head->starved_ns, starved_ns);
    add(&member->head->blocked_ns, blocked_ns);
}

void member_set_waiting(struct member *member, unsigned what)
{
    atomic_store_explicit(&member->head->waiting, what, memory_order_relaxed);
}

void member_set_limit(struct member *member, int64_t limit_ns)
{
    atomic_store_explicit(&member->head->limit_ns, limit_ns,
                          memory_order_relaxed);
}

void member_note_try(struct member *member)
{
    atomic_store(&member->head->tries, atomic_load(&member->head->tries) + 1);
}

void member_turned(struct member *member)
{
    add(&member->head->turn, 1);
}

const struct book *member_book(const struct segment *segment, unsigned number)
{
    const struct member_head *head = member_at(segment, number);

    return &head->books[txn_book(atomic_load(&head->txn))];
}
