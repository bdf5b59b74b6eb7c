/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readers.c - fuzzing of all that core reads and did not write just now: sizes
 * and durations, attributes, messages between processes, ELF files, and shared
 * memory that somebody has damaged. Whatever it is, the answer is a value: no
 * crash, no end of memory, no waiting for ever.
 *
 *     readers                every reader, its seeds, cut and changed
 *     readers --seeds FOLDER the seeds, as files FOLDER/READER/NUMBER
 *     readers READER FILE... what stands there
 *
 * Built with clang's -fsanitize=fuzzer and -DWEIR_LIBFUZZER it is a target of
 * libFuzzer for the reader that WEIR_FUZZ names: `make fuzz`.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"
#include "plugin/internal.h"
#include "queue/attrs.h"
#include "queue/internal.h"
#include "queue/strangers.h"
#include "run/news.h"
#include "run/post.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void seed_text(struct buf *out, unsigned number,
                      const char *const *texts, size_t count)
{
    if (number < count)
        buf_text(out, texts[number]);
}

/* ---------------------------------------------------------------- texts ----
 */

static void read_texts(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char back[32];
    uint64_t bytes, again, number;
    int64_t ns, same;

    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (text_size(text, &bytes, NULL) == 0) {
        text_from_size(back, bytes);
        /* larger units are shown than are taken */
        must(bytes >= UINT64_C(999) << 40 ||
             text_size(back, &again, NULL) == 0);
    }
    if (text_duration(text, &ns, NULL) == 0) {
        text_from_duration(back, ns);
        /* what is shown is rounded: up beyond the greatest, at its end */
        must(ns >= 0 &&
             (ns > INT64_MAX / 2 || text_duration(back, &same, NULL) == 0));
    }
    text_uint(text, &number, NULL);
    text_utf8_valid(text, size);
    text_cells(text, size);
    free(text);
}

static void seed_texts(struct buf *out, unsigned number)
{
    static const char *const texts[] = {
        "8 MiB",   "1024",   "1.5 GiB", "64 KiB", "18446744073709551615",
        "250 ms",  "1.5 h",  "3 d",     "10 us",  "9223372036854775807 ns",
        "0.5 kB",  "1e3",    "-1 s",    "  7 ",   "\xc3\xa4\xf0\x9f\x98\x80",
        "1h30min", "16 EiB",
    };

    seed_text(out, number, texts, sizeof texts / sizeof *texts);
}

/* ----------------------------------------------------------- attributes ----
 */

static void read_attrs(const uint8_t *data, size_t size)
{
    struct attr attr;
    size_t at = 0, steps = 0;
    const void *value;
    size_t value_size;

    while (attrs_next(data, size, &at, &attr) == 1) {
        must(at <= size && steps++ <= size);
        must(attr.name_size <= size && attr.size <= size);
        must(attrs_find(data, size, attr.name, attr.name_size, &value,
                        &value_size) == 0);
    }
    attrs_find(data, size, "path", 4, &value, &value_size);
}

static void seed_attrs(struct buf *out, unsigned number)
{
    char name[16];

    for (unsigned i = 0; number < 4 && i < number * number; i++) {
        snprintf(name, sizeof name, "name%u", i);
        attrs_set(out, name, "a value of some length", i * 3 % 23);
    }
}

/* ------------------------------------------------------------- messages ----
 */

static void read_post(const uint8_t *data, size_t size)
{
    struct post post = { 0 };
    struct buf out = { 0 };

    if (post_read(data, size, &post) == 0)
        must(post_write(&post, &out) == 0);
    post_done(&post);
    buf_done(&out);
}

static void seed_post(struct buf *out, unsigned number)
{
    struct post post = { .member = number,
                         .count = 2,
                         .name = "stage",
                         .retries = 2,
                         .failed = POST_REPORT };
    struct post_queue *queue;
    unsigned *from;

    if (number >= 3)
        return;
    for (unsigned i = 0; i < number; i++) {
        queue = VEC_ADD(&post.queues);
        from = VEC_ADD(&post.from);
        must(queue != NULL && from != NULL);
        *queue = (struct post_queue){
            .number = i, .name = "queue", .capacity = 64, .bytes = 4096
        };
        *from = i;
    }
    post_write(&post, out);
    VEC_DONE(&post.queues);
    VEC_DONE(&post.from);
}

static void read_desc(const uint8_t *data, size_t size)
{
    struct reader reader = { .data = (const char *)data, .size = size };
    struct task_desc desc = { 0 };

    if (task_desc_read(&reader, &desc) == 0)
        task_desc_done(&desc);
}

static void seed_desc(struct buf *out, unsigned number)
{
    for (unsigned i = 0; number < 3 && i < 12 * (number + 1); i++) {
        buf_u32(out, i % 4 == 3 ? 2 : 0);
        buf_u32(out, 0);
    }
}

static void read_news(const uint8_t *data, size_t size)
{
    struct news news;
    int pair[2];

    must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                    pair) == 0);
    if (send(pair[0], data, size < 4096 ? size : 4096, 0) >= 0 &&
        news_next(pair[1], &news) == 1)
        must(strlen(news.text) < NEWS_TEXT);
    close(pair[0]);
    close(pair[1]);
}

static void seed_news(struct buf *out, unsigned number)
{
    struct news news = { .kind = number, .size = number * 10 };

    if (number <= NEWS_PIPE)
        buf_add(out, &news, offsetof(struct news, text) + news.size);
}

/* ------------------------------------------------------------------ ELF ----
 */

static void read_elf(const uint8_t *data, size_t size)
{
    CLEANUP_FD int fd = memfd_create("elf", MFD_CLOEXEC);
    weir_error err;

    must(fd >= 0 && fd_write_all(fd, data, size) == 0);
    elf_check(fd, size, &err);
}

/* This program's own first page: headers, and extents that are not there. */
static void seed_elf(struct buf *out, unsigned number)
{
    CLEANUP_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char page[4096];

    if (number < 2 && fd >= 0 &&
        fd_read_all(fd, page, sizeof page) == (ssize_t)sizeof page)
        buf_add(out, page, number == 0 ? sizeof page : 64);
}

/* -------------------------------------------------------- shared memory ----
 * The input is what is damaged, 8 bytes a word: where (32 bits, of what is in
 * use from the front, or of a queue, or of a slot, or of lanes), how wide, and
 * with what. The last queue has a key.
 */

enum { MEMBERS = 3, QUEUES = 3, CAPACITY = 4, LANES = 2 };

static struct segment_plan plan_of(unsigned queues)
{
    static const struct queue_plan plans[QUEUES] = {
        { .capacity = CAPACITY, .bytes = 65536 },
        { .capacity = CAPACITY, .bytes = 65536 },
        { .capacity = CAPACITY, .bytes = 65536, .key = "k", .lanes = LANES },
    };

    return (struct segment_plan){ .queues = plans,
                                  .queue_count = queues,
                                  .member_count = MEMBERS,
                                  .sink_count = 2 };
}

static void put_one(struct member *member, unsigned queue, size_t size)
{
    struct stage_spec spec = { .queue = queue, .room = size };
    struct staged staged;

    if (turn_stage(member, &spec, &staged) == 0) {
        memset(staged.data, 'x', size);
        turn_commit(member, NULL, NULL);
    }
}

/* Of a queue with a key: what has none is all of one lane. */
static unsigned own_lane(const struct segment *segment)
{
    return lanes_choose(&segment->queues[QUEUES - 1], NULL, 0);
}

static void fill_lane(struct segment *segment, struct member *member)
{
    unsigned queue = QUEUES - 1;
    struct item item;

    for (unsigned i = 0; i < 3; i++)
        put_one(member, queue, 8);
    must(turn_serve(member, queue, own_lane(segment)) == 0);
    must(turn_lease(member, &queue, 1, 1, 1, 0, &item) == 1);
}

/* Some ready, one leased, one staged. */
static void fill(struct segment *segment)
{
    struct member *member = NULL;
    struct item item;
    unsigned queue = 0;

    must(member_enter_any(segment, 0, &member) == 0);
    put_one(member, 0, 8);
    put_one(member, 0, 500);
    must(turn_lease(member, &queue, 1, 1, 1, 0, &item) == 1);
    turn_take_up(member, &item);
    if (segment->queue_count == QUEUES)
        fill_lane(segment, member);
    turn_stage(member, &(struct stage_spec){ .queue = queue, .room = 300 },
               &(struct staged){ 0 });
    member_forget(&member); /* as if it had died */
}

static void keep_lock(struct lock *lock, struct lock *kept, bool back)
{
    if (back)
        *lock = *kept;
    else
        *kept = *lock;
}

/* A lock that is held for ever by nobody is no finding. */
static void keep_locks(struct segment *segment, struct lock *kept, bool back)
{
    keep_lock(&segment->head->store.lock, kept++, back);
    keep_lock(&segment->head->sinks_lock, kept++, back);
    for (unsigned i = 0; i < segment->queue_count; i++)
        keep_lock(&segment->queues[i].head->lock, kept++, back);
    for (unsigned i = 0; i < segment->sink_count; i++)
        keep_lock(&segment->sinks[i].lock, kept++, back);
}

static void damage(struct segment *segment, const uint8_t *data, size_t size)
{
    const size_t heads = sizeof *segment->head +
                         MEMBERS * sizeof *segment->members;

    for (; size >= 8; data += 8, size -= 8) {
        uint32_t where, what;
        size_t width = 1U << (data[3] >> 6), at;
        const struct queue *queue =
            &segment->queues[data[3] & 1 ? segment->queue_count - 1 : 0];
        char *base;

        memcpy(&where, data, sizeof where);
        memcpy(&what, data + 4, sizeof what);
        where &= 0xffffff;
        width = width > 4 ? 4 : width;
        switch (data[3] >> 1 & 3) {
        case 0:
            base = segment->base;
            at = where % (heads - width);
            break;
        case 1:
            base = (char *)queue->head;
            at = where % (sizeof *queue->head - width);
            break;
        case 2:
            base = (char *)queue->slots;
            at = where % (CAPACITY * sizeof *queue->slots - width);
            break;
        default:
            base = (char *)segment->refs;
            at = where % (64 - width);
            break;
        }
        if ((data[3] & 8) != 0 && queue->lanes != NULL) {
            base = (char *)queue->lanes;
            at = where % ((size_t)(queue->key - base) - width);
        }
        memcpy(base + at, &what, width);
    }
}

/* Who still holds a lock of memory that goes writes there with the next lock
 * that it takes. */
static void must_hold_no_lock(void)
{
    struct robust_list_head *head = NULL;
    size_t size;

    must(syscall(SYS_get_robust_list, 0, &head, &size) == 0);
    must(head == NULL || head->list.next == &head->list);
}

/* What any process does with a segment that it was given. */
static void use(struct segment *segment)
{
    struct member *member = NULL;
    struct queue_state state;
    struct recovered recovered;
    struct member_sample sample;
    struct item items[4];
    unsigned queues[QUEUES] = { 0, 1, 2 };
    unsigned count = segment_queue_count(segment);
    pid_t holder;

    count = count > QUEUES ? QUEUES : count;
    for (unsigned i = 0; i < segment_member_count(segment) && i < 8; i++) {
        member_sample(segment, i, &sample);
        member_book(segment, i);
    }
    if (segment->lives == NULL)
        member_recover(segment, 0, CAUSE_SIGNAL, 9, &recovered);
    for (unsigned i = 0; i < count; i++)
        queue_state(segment, i, clock_deadline(NS_PER_S), &state);
    segment_sweep(segment, &holder);
    if (member_enter_any(segment, 0, &member) == 0) {
        turn_lease(member, queues, count, 4, 1, 0, items);
        put_one(member, count - 1, 200);
        turn_abort(member);
        if (count == QUEUES && turn_serve(member, count - 1, 0) == 0) {
            turn_lease(member, &queues[count - 1], 1, 4, 1, 0, items);
            turn_abort(member);
        }
        member_leave(&member);
    }
    for (unsigned i = 0; i < count; i++)
        queue_close(segment, i);
}

static void read_segment(const uint8_t *data, size_t size)
{
    const struct segment_plan plan = plan_of(QUEUES);
    struct segment *segment = NULL, *other = NULL;
    struct lock kept[2 + QUEUES + 2];
    weir_error err;

    must(segment_create(&plan, &segment, &err) == 0);
    fill(segment);
    keep_locks(segment, kept, false);
    damage(segment, data, size);
    keep_locks(segment, kept, true);
    if (segment_attach(segment_fd(segment), &other, &err) == 0)
        use(other);
    must_hold_no_lock();
    segment_free(&other);
    segment_free(&segment);
}

static void read_strangers(const uint8_t *data, size_t size)
{
    const struct segment_plan plan = plan_of(1);
    struct segment *segment = NULL, *other = NULL;
    CLEANUP_FD int fd = memfd_create("strangers", MFD_CLOEXEC);
    struct lock kept[2 + QUEUES + 2];
    weir_error err;

    must(fd >= 0);
    must(strangers_create(&plan, fd, &segment, &err) == 0);
    fill(segment);
    keep_locks(segment, kept, false);
    damage(segment, data, size);
    keep_locks(segment, kept, true);
    if (strangers_attach(fd, &other, &err) == 0) {
        strangers_look(other);
        use(other);
    }
    must_hold_no_lock();
    segment_free(&other);
    segment_free(&segment);
}

static void seed_damage(struct buf *out, unsigned number)
{
    uint32_t lanes = number > 64 ? 9U << 24 : 0;

    /* of each part: its first words, and some far behind; then of lanes */
    if (number == 0 || number > 80)
        return;
    buf_u32(out, (number % 16 * (lanes != 0 ? 4 : 8)) |
                     (lanes != 0 ? lanes : number / 16 << 25) | 2U << 30);
    buf_u32(out, number % 3 == 0 ? 0xffffffff : number);
}

/* -------------------------------------------------------------- readers ----
 */

static const struct fuzzed {
    const char *name;
    void (*read)(const uint8_t *data, size_t size);
    void (*seed)(struct buf *out, unsigned number); /* nothing: no more */
    unsigned mutants; /* of each seed, in a short test */
} readers[] = {
    { "texts", read_texts, seed_texts, 400 },
    { "attrs", read_attrs, seed_attrs, 400 },
    { "post", read_post, seed_post, 400 },
    { "desc", read_desc, seed_desc, 400 },
    { "news", read_news, seed_news, 100 },
    { "elf", read_elf, seed_elf, 400 },
    { "segment", read_segment, seed_damage, 6 },
    { "strangers", read_strangers, seed_damage, 6 },
};

enum { READERS = sizeof readers / sizeof *readers, SEEDS_MOST = 81 };

static const struct fuzzed *find(const char *name)
{
    for (unsigned i = 0; i < READERS; i++)
        if (name != NULL && strcmp(readers[i].name, name) == 0)
            return &readers[i];
    fprintf(stderr, "there is no reader '%s'\n", name != NULL ? name : "");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fuzzed *reader;

    if (reader == NULL)
        reader = find(getenv("WEIR_FUZZ"));
    reader->read(data, size);
    return 0;
}

#ifndef WEIR_LIBFUZZER

/* In memory of just this size: a sanitizer sees each step beyond. */
static void run(const struct fuzzed *reader, const char *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    must(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    reader->read(copy, size);
    free(copy);
}

static void mutate(const struct fuzzed *reader, const struct buf *seed,
                   uint64_t state)
{
    struct buf copy = { 0 };

    buf_add(&copy, seed->data, seed->size);
    for (unsigned i = 0; i < 4 && copy.size > 0; i++) {
        state = hash_mix(state, i + 1);
        if (state % 16 == 0)
            buf_cut(&copy, (state >> 8) % copy.size);
        else
            copy.data[(state >> 8) % copy.size] = state % 16 < 4
                                                      ? (char)0xff
                                                      : (char)(state >> 40);
    }
    run(reader, copy.data, copy.size);
    buf_done(&copy);
}

static unsigned replay(const struct fuzzed *reader, unsigned factor)
{
    unsigned runs = 0;

    for (unsigned number = 0; number < SEEDS_MOST; number++) {
        struct buf seed = { 0 };

        reader->seed(&seed, number);
        must(!seed.failed);
        run(reader, seed.data, seed.size);
        for (unsigned i = 0; seed.size > 0 && i < reader->mutants * factor; i++)
            mutate(reader, &seed, hash_mix(number, i));
        runs += 1 + (seed.size > 0 ? reader->mutants * factor : 0);
        buf_done(&seed);
    }
    return runs;
}

static int write_seeds(const char *folder)
{
    char path[512];

    for (unsigned r = 0; r < READERS; r++) {
        snprintf(path, sizeof path, "%s/%s", folder, readers[r].name);
        mkdir(path, 0700);
        for (unsigned number = 0; number < SEEDS_MOST; number++) {
            struct buf seed = { 0 };
            FILE *file;

            readers[r].seed(&seed, number);
            snprintf(path, sizeof path, "%s/%s/%u", folder, readers[r].name,
                     number);
            file = seed.size > 0 ? fopen(path, "we") : NULL;
            if (file != NULL) {
                fwrite(seed.data, 1, seed.size, file);
                fclose(file);
            }
            buf_done(&seed);
        }
    }
    return 0;
}

static int read_files(const struct fuzzed *reader, char **names)
{
    for (; *names != NULL; names++) {
        struct buf text = { 0 };
        int fd = open(*names, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fd_slurp(fd, &text, 1 << 20) < 0) {
            perror(*names);
            return 1;
        }
        fd_close(&fd);
        run(reader, text.data, text.size);
        buf_done(&text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *length = getenv("WEIR_LONG");
    unsigned factor = length != NULL && *length == '1' ? 50 : 1;

    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return write_seeds(argv[2]);
    if (argc > 1)
        return read_files(find(argv[1]), argv + 2);
    printf("1..%d\n", READERS);
    for (unsigned r = 0; r < READERS; r++) {
        unsigned runs;

        fflush(stdout);
        runs = replay(&readers[r], factor);
        printf("ok %u - %s: %u inputs\n", r + 1, readers[r].name, runs);
    }
    return 0;
}

#endif
