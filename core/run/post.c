/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* post.c - a post as a message: written in the supervisor, read in the worker.
 */
#include "config.h"

#include <string.h>

#include "run/post.h"

static void write_places(struct buf *out, const post_places *places)
{
    buf_u32(out, (uint32_t)places->count);
    for (size_t i = 0; i < places->count; i++)
        buf_u32(out, (uint32_t)places->at[i]);
}

/* From one process to its child: a real number goes as its bits. */
static void write_real(struct buf *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    buf_u64(out, bits);
}

static double read_real(struct reader *in)
{
    uint64_t bits = read_u64(in);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static void write_wait(struct buf *out, const struct job_wait *wait)
{
    buf_u64(out, (uint64_t)wait->first_ns);
    write_real(out, wait->factor);
    buf_u64(out, (uint64_t)wait->most_ns);
    write_real(out, wait->jitter);
}

static void read_wait(struct reader *in, struct job_wait *wait)
{
    wait->first_ns = (int64_t)read_u64(in);
    wait->factor = read_real(in);
    wait->most_ns = (int64_t)read_u64(in);
    wait->jitter = read_real(in);
}

int post_write(const struct post *post, struct buf *out)
{
    buf_u32(out, post->member);
    buf_u32(out, post->stage);
    buf_u32(out, post->index);
    buf_u32(out, post->count);
    buf_counted(out, post->name, strlen(post->name));
    buf_u32(out, post->sync);
    buf_u32(out, post->ordered);
    buf_u32(out, post->in_order);
    buf_u32(out, post->keyed);
    buf_u32(out, post->retries);
    for (unsigned i = 0; i < WAIT_CLASSES; i++)
        write_wait(out, &post->waits[i]);
    buf_u32(out, post->report);
    buf_u32(out, (uint32_t)post->failed);
    buf_u32(out, post->kept);
    buf_u32(out, post->digests);
    buf_u32(out, post->replays);
    buf_u32(out, post->dropper);
    buf_u32(out, post->recycled);
    buf_u32(out, post->follows);
    buf_u64(out, post->recycle_items);
    buf_u64(out, post->recycle_bytes);
    buf_u32(out, (uint32_t)post->queues.count);
    for (size_t i = 0; i < post->queues.count; i++) {
        const struct post_queue *queue = &post->queues.at[i];

        buf_u32(out, queue->number);
        buf_u32(out, queue->capacity);
        buf_u64(out, queue->bytes);
        buf_u32(out, queue->overflow);
        buf_u32(out, queue->counter);
        buf_counted(out, queue->name, strlen(queue->name));
    }
    buf_u32(out, (uint32_t)post->from.count);
    for (size_t i = 0; i < post->from.count; i++)
        buf_u32(out, post->from.at[i]);
    buf_u64(out, post->from_capacity);
    buf_u64(out, post->from_bytes);
    buf_u32(out, (uint32_t)post->outputs.count);
    for (size_t i = 0; i < post->outputs.count; i++)
        write_places(out, &post->outputs.at[i]);
    return out->failed ? WEIR_ENOMEM : 0;
}

static int read_queues(struct reader *in, struct post *post)
{
    for (uint32_t left = read_u32(in); left > 0 && !in->bad; left--) {
        struct post_queue *queue = VEC_ADD(&post->queues);

        if (queue == NULL)
            return WEIR_ENOMEM;
        queue->number = read_u32(in);
        queue->capacity = read_u32(in);
        queue->bytes = read_u64(in);
        queue->overflow = (enum weir_overflow)read_u32(in);
        queue->counter = read_u32(in);
        if (queue->counter >= OVERFLOWS_MOST)
            return WEIR_EBROKEN;
        post->overflows |= queue->overflow != WEIR_OVERFLOW_BLOCK;
        queue->name = read_text(in);
    }
    for (uint32_t left = read_u32(in); left > 0 && !in->bad; left--) {
        unsigned *from = VEC_ADD(&post->from);

        if (from == NULL)
            return WEIR_ENOMEM;
        *from = read_u32(in);
    }
    post->from_capacity = read_u64(in);
    post->from_bytes = read_u64(in);
    return 0;
}

static int read_outputs(struct reader *in, struct post *post)
{
    for (uint32_t left = read_u32(in); left > 0 && !in->bad; left--) {
        post_places *places = VEC_ADD(&post->outputs);

        if (places == NULL)
            return WEIR_ENOMEM;
        for (uint32_t more = read_u32(in); more > 0 && !in->bad; more--) {
            int *place = VEC_ADD(places);

            if (place == NULL)
                return WEIR_ENOMEM;
            *place = (int)read_u32(in);
            if (*place >= (int)post->queues.count || *place < POST_DROP)
                return WEIR_EBROKEN;
        }
    }
    return 0;
}

int post_read(const void *data, size_t size, struct post *out)
{
    struct reader in = { .data = data, .size = size };
    int code;

    memset(out, 0, sizeof *out);
    out->member = read_u32(&in);
    out->stage = read_u32(&in);
    out->index = read_u32(&in);
    out->count = read_u32(&in);
    out->name = read_text(&in);
    out->name_hash = hash_bytes(out->name, strlen(out->name), 0);
    out->sync = read_u32(&in) != 0;
    out->ordered = read_u32(&in) != 0;
    out->in_order = read_u32(&in) != 0;
    out->keyed = read_u32(&in) != 0;
    out->retries = read_u32(&in);
    for (unsigned i = 0; i < WAIT_CLASSES; i++)
        read_wait(&in, &out->waits[i]);
    out->report = read_u32(&in);
    out->failed = (int)read_u32(&in);
    out->kept = read_u32(&in);
    out->digests = read_u32(&in) != 0;
    out->replays = read_u32(&in) != 0;
    out->dropper = read_u32(&in);
    out->recycled = read_u32(&in) != 0;
    out->follows = read_u32(&in) != 0;
    out->recycle_items = read_u64(&in);
    out->recycle_bytes = read_u64(&in);
    code = read_queues(&in, out);
    if (code == 0)
        code = read_outputs(&in, out);
    if (code == 0 && (in.bad || out->failed >= (int)out->queues.count ||
                      out->kept > out->queues.count ||
                      ((out->ordered || out->keyed) && out->from.count != 1)))
        code = WEIR_EBROKEN;
    return code;
}

void post_done(struct post *post)
{
    for (size_t i = 0; i < post->outputs.count; i++)
        VEC_DONE(&post->outputs.at[i]);
    VEC_DONE(&post->outputs);
    VEC_DONE(&post->queues);
    VEC_DONE(&post->from);
}
