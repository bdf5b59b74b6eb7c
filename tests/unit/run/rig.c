/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rig.c - a worker in the test's own process. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/attrs.h"
#include "rig.h"

static const char *const names[] = { "in", "a", "b", "failed", "failures" };

static void make_segment(struct rig *rig, unsigned in_capacity,
                         unsigned out_capacity)
{
    struct queue_plan queues[RIG_QUEUES] = {
        [RIG_IN] = { .capacity = in_capacity, .bytes = 1 << 20 },
        [RIG_A] = { .capacity = out_capacity, .bytes = 1 << 16 },
        [RIG_B] = { .capacity = out_capacity, .bytes = 1 << 16 },
        [RIG_FAILED] = { .capacity = out_capacity, .bytes = 1 << 16 },
        [RIG_REPORT] = { .capacity = 16, .bytes = 1 << 16 },
    };
    struct segment_plan plan = { .queues = queues,
                                 .queue_count = RIG_QUEUES,
                                 .member_count = RIG_MEMBERS,
                                 .sink_count = 4 };

    ck_assert_int_eq(segment_create(&plan, &rig->segment, NULL), 0);
}

static void add_output(struct post *post, int place)
{
    post_places *places = VEC_ADD(&post->outputs);

    *VEC_ADD(places) = place;
}

/* Outputs 0 and 1 go to a and b, 2 is dropped, 3 copied to both. */
static void make_post(struct rig *rig, unsigned in_capacity,
                      unsigned out_capacity)
{
    struct post *post = &rig->worker.post;

    post->name = "stage";
    post->name_hash = hash_bytes("stage", 5, 0);
    post->count = 1;
    post->retries = 2;
    post->report = RIG_REPORT;
    post->failed = POST_REPORT;
    for (unsigned i = RIG_A; i <= RIG_FAILED; i++)
        *VEC_ADD(&post->queues) = (struct post_queue){
            .number = i,
            .name = names[i],
            .capacity = out_capacity,
            .bytes = 1 << 16,
        };
    add_output(post, 0);
    add_output(post, 1);
    add_output(post, POST_DROP);
    add_output(post, 0);
    *VEC_ADD(&post->outputs.at[3]) = 1;
    post->from_capacity = in_capacity;
    post->from_bytes = 1 << 20;
}

static void sit_down(struct rig *rig)
{
    struct worker *worker = &rig->worker;
    struct host *host = &worker->host;

    memset(host, 0, sizeof *host);
    worker->segment = host->segment = rig->segment;
    ck_assert_int_eq(member_enter(rig->segment, RIG_WORKER, &worker->member),
                     0);
    ck_assert_int_eq(member_enter(rig->segment, RIG_DROPPER, &host->dropper),
                     0);
    host->member = worker->member;
    host->task = worker->task;
    host->post = &worker->post;
    host->news = rig->news[1];
    host->stop_fd = rig->stop_fd;
    host->keeps = worker->task->save && !worker->task->source;
    host->saved_fds[0] = rig->saved[0];
    host->saved_fds[1] = rig->saved[1];
    host->root = UINT64_C(5) << 52;
    worker->items = calloc(MEMBER_REFS, sizeof *worker->items);
    worker->held = 0;
    worker->now = clock_now();
    ck_assert_int_eq(host_init(host), 0);
}

void rig_init(struct rig *rig, const weir_task *task, unsigned in_capacity,
              unsigned out_capacity)
{
    memset(rig, 0, sizeof *rig);
    make_segment(rig, in_capacity, out_capacity);
    make_post(rig, in_capacity, out_capacity);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
                                rig->news),
                     0);
    rig->stop_fd = eventfd(0, EFD_CLOEXEC);
    rig->saved[0] = memfd_create("saved", MFD_CLOEXEC);
    rig->saved[1] = memfd_create("saved", MFD_CLOEXEC);
    rig->worker.task = task;
    if (!task->source)
        *VEC_ADD(&rig->worker.post.from) = RIG_IN;
    sit_down(rig);
    ck_assert_int_eq(member_enter(rig->segment, RIG_PRODUCER, &rig->producer),
                     0);
    ck_assert_int_eq(member_enter(rig->segment, RIG_CONSUMER, &rig->consumer),
                     0);
}

static void stand_up(struct rig *rig)
{
    host_free(&rig->worker.host);
    free(rig->worker.items);
}

void rig_done(struct rig *rig)
{
    uint64_t chunks = 0, bytes = 0;

    stand_up(rig);
    member_leave(&rig->worker.host.dropper);
    member_leave(&rig->worker.member);
    member_leave(&rig->producer);
    for (unsigned i = 0; i < RIG_QUEUES; i++)
        rig_take(rig, (enum rig_queue)i);
    ck_assert_int_eq(segment_store_used(rig->segment, &chunks, &bytes), 0);
    ck_assert_uint_eq(chunks, 0);
    member_leave(&rig->consumer);
    segment_free(&rig->segment);
    post_done(&rig->worker.post);
    buf_done(&rig->taken);
    buf_done(&rig->attrs);
    close(rig->news[0]);
    close(rig->news[1]);
    close(rig->stop_fd);
    close(rig->saved[0]);
    close(rig->saved[1]);
}

void rig_put(struct rig *rig, const char *text, const char *attr)
{
    CLEANUP_BUF struct buf attrs = { 0 };
    struct stage_spec spec = { .queue = RIG_IN,
                               .room = strlen(text),
                               .root = ++rig->made };
    struct staged staged;

    if (attr)
        ck_assert_int_eq(attrs_set(&attrs, "path", attr, strlen(attr)), 0);
    spec.attrs = attrs.data;
    spec.attrs_size = attrs.size;
    ck_assert_int_eq(turn_stage(rig->producer, &spec, &staged), 0);
    memcpy(staged.data, text, strlen(text));
    ck_assert_int_eq(turn_commit(rig->producer, NULL, NULL), 0);
}

int rig_work(struct rig *rig)
{
    struct worker *worker = &rig->worker;
    int code;

    ck_assert_int_eq(queue_close(rig->segment, RIG_IN), 0);
    code = worker_open_task(worker);
    if (code == 0)
        code = worker->task->source ? worker_source(worker)
                                    : worker_turns(worker);
    if (code == 0)
        code = worker->task->source ? worker_ended(worker)
                                    : worker_flush(worker);
    if (code == 0)
        worker_close_task(worker);
    return code;
}

void rig_kill(struct rig *rig, int signal)
{
    member_forget(&rig->worker.member);
    member_forget(&rig->worker.host.dropper);
    stand_up(rig);
    ck_assert_int_eq(member_recover(rig->segment, RIG_DROPPER, CAUSE_NONE, 0,
                                    NULL),
                     0);
    ck_assert_int_eq(member_recover(rig->segment, RIG_WORKER, CAUSE_SIGNAL,
                                    signal, NULL),
                     0);
    sit_down(rig);
}

void rig_take(struct rig *rig, enum rig_queue queue)
{
    const unsigned number = queue;
    struct item item;

    buf_cut(&rig->taken, 0);
    buf_cut(&rig->attrs, 0);
    rig->count = 0;
    while (turn_lease(rig->consumer, &number, 1, 1, 1, 0, &item) == 1) {
        buf_add(&rig->taken, item.data, item.size);
        buf_char(&rig->taken, '\n');
        buf_cut(&rig->attrs, 0);
        buf_add(&rig->attrs, item.attrs, item.attrs_size);
        rig->count++;
        ck_assert_int_eq(turn_done(rig->consumer, &item), 0);
        ck_assert_int_eq(turn_commit(rig->consumer, NULL, NULL), 0);
    }
    if (rig->taken.data == NULL)
        buf_text(&rig->taken, "");
}

const char *rig_attr(const struct rig *rig, const char *name)
{
    static char text[ATTRS_MOST];
    const void *value;
    size_t size;

    if (attrs_find(rig->attrs.data, rig->attrs.size, name, strlen(name), &value,
                   &size) != 0)
        return "";
    memcpy(text, value, size);
    text[size] = '\0';
    return text;
}

const struct book *rig_book(const struct rig *rig)
{
    return member_book(rig->segment, RIG_WORKER);
}

unsigned rig_held(const struct rig *rig, enum rig_queue queue)
{
    struct queue_state state;

    ck_assert_int_eq(queue_state(rig->segment, queue, FOREVER, &state), 0);
    return state.ready + state.leased;
}
