/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strangers.c - runs in any process that has a named queue open. See
 * strangers.h for who recovers whom, and why that is sound. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "queue/internal.h"
#include "queue/strangers.h"

enum { SINKS_HELD_MOST = 64 }; /* as many bits has lives.sinks */

/* What a process has of a segment of strangers. */
struct lives {
    pid_t process;
    struct segment *segment;
    struct lives *next, **back; /* of the list of all, for fork */
    /* Tokens are the descriptor's, so they do not part this process's own
     * threads: under this lock. */
    pthread_mutex_t lock;
    uint64_t mine[MEMBERS_MOST / 64]; /* tokens that this process has */
    uint64_t sinks;                   /* the same, of files */
    int64_t swept_ns;
};

/* ----------------------------------------------------------------- fork ----
 */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct lives *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int handler_code;

static void before_fork(void)
{
    pthread_mutex_lock(&list_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&list_lock);
}

/* The mapping is not there (MADV_DONTFORK); the handles stay, for who frees
 * them, with nothing in them. */
static void in_child(void)
{
    for (struct lives *at = list; at != NULL; at = at->next)
        fd_close(&at->segment->fd);
    list = NULL;
    pthread_mutex_unlock(&list_lock);
}

static void set_handler(void)
{
    handler_code = -pthread_atfork(before_fork, after_fork, in_child);
}

static int lives_new(struct segment *segment, weir_error *err)
{
    struct lives *lives;

    pthread_once(&once, set_handler);
    if (handler_code != 0)
        return error_sys(err, handler_code, "cannot guard against fork");
    lives = calloc(1, sizeof *lives);
    if (lives == NULL)
        return error_set(err, WEIR_ENOMEM, "no memory for a segment");
    pthread_mutex_init(&lives->lock, NULL);
    lives->process = getpid();
    lives->segment = segment;
    lives->swept_ns = clock_now();
    pthread_mutex_lock(&list_lock);
    lives->next = list;
    lives->back = &list;
    if (list != NULL)
        list->back = &lives->next;
    list = lives;
    pthread_mutex_unlock(&list_lock);
    segment->lives = lives;
    segment->store.file = segment->fd + 1;
    memory_dontfork(segment->base, segment->size);
    return 0;
}

bool lives_free(struct segment *segment)
{
    struct lives *lives = segment->lives;
    bool own = lives->process == getpid();

    if (own) {
        pthread_mutex_lock(&list_lock);
        *lives->back = lives->next;
        if (lives->next != NULL)
            lives->next->back = lives->back;
        pthread_mutex_unlock(&list_lock);
        pthread_mutex_destroy(&lives->lock);
    }
    free(lives);
    segment->lives = NULL;
    return own;
}

/* -------------------------------------------------------- create, attach ----
 */

/* All but the payload chunks, and the members' references, which are filled
 * when an entry is taken. */
static int fill(struct segment *segment, weir_error *err)
{
    const struct store_place *places = segment->store.places;
    const uint64_t sinks = segment->sink_count * sizeof(struct sink_head);
    uint64_t size = segment->head->refs_at + sinks;
    int code = 0;

    for (unsigned i = 0; i < STORE_CLASSES; i++)
        size += store_place_lists(&places[i]);
    if (memory_available() < size)
        code = WEIR_ENOMEM;
    if (code == 0)
        code = place_fill(segment->fd, 0, segment->head->refs_at);
    if (code == 0 && sinks > 0)
        code = place_fill(segment->fd, segment->head->sinks_at, sinks);
    for (unsigned i = 0; i < STORE_CLASSES && code == 0; i++)
        code = place_fill(segment->fd, places[i].refs_at,
                          store_place_lists(&places[i]));
    if (code == 0)
        return 0;
    return error_sys(err, code,
                     "a queue of this size needs %llu bytes of shared memory "
                     "at once",
                     (unsigned long long)size);
}

static int init(struct segment *segment, const struct segment_head *head,
                uint64_t queues_end, const struct segment_plan *plan,
                weir_error *err)
{
    int code = place_fill(segment->fd, 0, sizeof *head);

    if (code < 0)
        return error_sys(err, code, "there is no shared memory left");
    memcpy(segment->base, head, sizeof *head);
    segment->head->pid_space = place_pid_space();
    if (segment->head->pid_space == 0)
        return error_set(err, WEIR_EBROKEN,
                         "a named queue needs /proc, and it is not there");
    /* Where the store's lists are stands in the header already. */
    for (unsigned i = 0; i < STORE_CLASSES; i++)
        segment->store.places[i] = (struct store_place){
            .count = head->store.classes[i].count,
            .refs_at = head->store.classes[i].refs_at,
            .bare_at = head->store.classes[i].bare_at,
        };
    code = fill(segment, err);
    if (code == 0)
        code = segment_init(segment, queues_end, plan, err);
    if (code < 0)
        return code;
    segment_set_alone(segment);
    return 0;
}

int strangers_create(const struct segment_plan *plan, int fd,
                     struct segment **out, weir_error *err)
{
    struct segment *segment = NULL;
    struct segment_head head;
    uint64_t queues_end;
    void *base;
    int own, code = segment_check_plan(plan, err);

    if (code < 0)
        return code;
    own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return error_sys(err, -errno, "cannot keep shared memory");
    segment_plan_head(&head, &queues_end, plan);
    code = place_grow(own, head.size, &base, err);
    if (code == 0)
        code = segment_view(base, head.size, own, &segment, err);
    if (code < 0) {
        fd_close(&own);
        return code;
    }
    code = init(segment, &head, queues_end, plan, err);
    if (code == 0)
        code = lives_new(segment, err);
    if (code < 0) {
        segment_free(&segment);
        return code;
    }
    *out = segment;
    return 0;
}

/* What the header says of who made it, before anything else is believed. */
static int check_head(const struct segment *segment, weir_error *err)
{
    const struct segment_head *head = segment->head;
    uint64_t space;

    if (segment->size < sizeof head->magic + sizeof head->version ||
        head->magic != SEGMENT_MAGIC)
        return error_set(err, WEIR_EBROKEN, "it is no queue of weir");
    if (segment->size < sizeof *head || head->version != SEGMENT_VERSION ||
        head->head_size != sizeof *head)
        return error_set(err, WEIR_EBROKEN,
                         "it was made by another version of weir, or for "
                         "another kind of processor");
    space = place_pid_space();
    if (head->pid_space == 0 || head->queue_count != 1)
        return error_set(err, WEIR_EBROKEN, "it is damaged");
    if (head->sink_count > SINKS_HELD_MOST)
        return error_set(err, WEIR_EBROKEN, "it is damaged");
    if (space != head->pid_space)
        return error_set(err, WEIR_EPROCESS,
                         "it was made in another pid namespace (a container?), "
                         "where a process that dies is not seen from here");
    return 0;
}

static int check_locks(const struct segment *segment, weir_error *err)
{
    bool sound = lock_is_sound(&segment->head->store.lock) &&
                 lock_is_sound(&segment->head->sinks_lock);

    for (unsigned i = 0; i < segment->queue_count; i++)
        sound = sound && lock_is_sound(&segment->queues[i].head->lock);
    for (unsigned i = 0; i < segment->sink_count; i++)
        sound = sound && lock_is_sound(&segment->sinks[i].lock);
    return sound ? 0 : error_set(err, WEIR_EBROKEN, "it is damaged");
}

int strangers_attach(int fd, struct segment **out, weir_error *err)
{
    struct segment *segment = NULL;
    size_t size = 0;
    void *base;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), code;

    if (own < 0)
        return error_sys(err, -errno, "cannot keep shared memory");
    if (lseek(own, 0, SEEK_END) < (off_t)sizeof(struct segment_head))
        code = error_set(err, WEIR_EBROKEN, "it is no queue of weir");
    else
        code = place_map(own, &base, &size, err);
    if (code == 0)
        code = segment_view(base, size, own, &segment, err);
    if (code < 0) {
        fd_close(&own);
        return code;
    }
    code = check_head(segment, err);
    if (code == 0 && segment_adopt(segment, NULL) < 0)
        code = error_set(err, WEIR_EBROKEN, "it is damaged");
    if (code == 0)
        code = check_locks(segment, err);
    if (code == 0)
        code = lives_new(segment, err);
    if (code < 0) {
        segment_free(&segment);
        return code;
    }
    *out = segment;
    return 0;
}

/* ------------------------------------------------------------- membership ----
 */

static bool is_mine(const struct lives *lives, unsigned number)
{
    return (lives->mine[number / 64] >> number % 64 & 1) != 0;
}

static void set_mine(struct lives *lives, unsigned number, bool mine)
{
    const uint64_t bit = UINT64_C(1) << number % 64;

    lives->mine[number / 64] = mine ? lives->mine[number / 64] | bit
                                    : lives->mine[number / 64] & ~bit;
}

static bool is_used(const struct segment *segment, unsigned number)
{
    const struct member_head *head = member_at(segment, number);

    return atomic_load(&head->process) != 0 ||
           atomic_load(&head->state) != MEMBER_EMPTY;
}

/* Token @number is this process's: its member is dead, if there is one.
 * Returns 1 when there was. */
static int bury(struct segment *segment, unsigned number)
{
    int code;

    if (!is_used(segment, number))
        return 0;
    WEIR_POINT("strangers.recover");
    code = member_recover(segment, number, CAUSE_SIGNAL, 0, NULL);
    return code < 0 ? code : 1;
}

/* Its members' references are filled here: few of them are ever used. */
static int fill_refs(struct segment *segment, unsigned number)
{
    const uint64_t size = 2 * MEMBER_REFS * sizeof(uint64_t);

    return place_fill(segment->fd,
                      (uint64_t)((char *)segment->refs - segment->base) +
                          number * size,
                      size);
}

/* WEIR_ESTATE: this entry has somebody who lives. */
static int enter(struct segment *segment, unsigned number, struct member **out)
{
    struct lives *lives = segment->lives;
    int code;

    if (is_mine(lives, number))
        return WEIR_ESTATE;
    code = life_token_take(segment->fd, number);
    if (code < 0)
        return code == -EAGAIN ? WEIR_ESTATE : code;
    WEIR_POINT("strangers.token");
    code = bury(segment, number);
    if (code >= 0)
        code = fill_refs(segment, number);
    if (code == 0)
        code = member_enter(segment, number, out);
    if (code < 0)
        life_token_drop(segment->fd, number);
    else
        set_mine(lives, number, true);
    return code;
}

int strangers_inherit(struct segment *segment, unsigned number,
                      struct member **out)
{
    struct lives *lives = segment->lives;
    int code;

    if (number >= segment->member_count)
        return WEIR_EINVAL;
    pthread_mutex_lock(&lives->lock);
    set_mine(lives, number, true);
    code = bury(segment, number);
    WEIR_POINT("strangers.inherit");
    if (code >= 0)
        code = member_enter(segment, number, out);
    pthread_mutex_unlock(&lives->lock);
    return code;
}

int stranger_enter_any(struct segment *segment, unsigned from,
                       struct member **out)
{
    int code = WEIR_ESTATE;

    pthread_mutex_lock(&segment->lives->lock);
    /* First those that look empty, then those whose member may be dead. */
    for (unsigned pass = 0; pass < 2 && code == WEIR_ESTATE; pass++)
        for (unsigned i = from;
             i < segment->member_count && code == WEIR_ESTATE; i++)
            if (pass == 1 || !is_used(segment, i))
                code = enter(segment, i, out);
    pthread_mutex_unlock(&segment->lives->lock);
    return code == WEIR_ESTATE ? WEIR_EFULL : code;
}

void stranger_left(struct segment *segment, unsigned number)
{
    pthread_mutex_lock(&segment->lives->lock);
    set_mine(segment->lives, number, false);
    life_token_drop(segment->fd, number);
    pthread_mutex_unlock(&segment->lives->lock);
}

/* ---------------------------------------------------------------- files ----
 */

void strangers_lock(struct segment *segment)
{
    pthread_mutex_lock(&segment->lives->lock);
}

void strangers_unlock(struct segment *segment)
{
    pthread_mutex_unlock(&segment->lives->lock);
}

int stranger_use(struct segment *segment, unsigned sink)
{
    struct lives *lives = segment->lives;
    int code;

    if ((lives->sinks >> sink & 1) != 0)
        return WEIR_ESTATE;
    code = life_token_take(segment->fd, MEMBERS_MOST + sink);
    if (code < 0)
        return code == -EAGAIN ? WEIR_ESTATE : code;
    lives->sinks |= UINT64_C(1) << sink;
    return 0;
}

void stranger_unuse(struct segment *segment, unsigned sink)
{
    segment->lives->sinks &= ~(UINT64_C(1) << sink);
    life_token_drop(segment->fd, MEMBERS_MOST + sink);
}

/* ---------------------------------------------------------------- looks ----
 */

/* Once a second is enough: what it mends is not a death but a stop. */
static int sweep(struct segment *segment)
{
    struct lives *lives = segment->lives;
    pid_t holder;
    int code;

    if (clock_now() - lives->swept_ns < NS_PER_S || !segment_sleepers(segment))
        return 0;
    lives->swept_ns = clock_now();
    code = segment_sweep(segment, &holder);
    return code < 0 ? code : 0;
}

int strangers_look(struct segment *segment)
{
    struct lives *lives = segment->lives;
    int dead = 0, code = 0;

    pthread_mutex_lock(&lives->lock);
    for (unsigned i = 0; i < segment->member_count && code >= 0; i++) {
        if (is_mine(lives, i) || !is_used(segment, i) ||
            life_token_take(segment->fd, i) < 0)
            continue;
        code = bury(segment, i);
        life_token_drop(segment->fd, i);
        dead += code > 0;
    }
    if (code >= 0)
        code = sweep(segment);
    pthread_mutex_unlock(&lives->lock);
    return code < 0 ? code : dead;
}

unsigned strangers_pids(struct segment *segment, int32_t *pids, unsigned room)
{
    int32_t seen[MEMBERS_MOST];
    unsigned count = 0;

    for (unsigned i = 0; i < segment->member_count; i++) {
        int32_t pid = atomic_load(&member_at(segment, i)->process);
        unsigned at = 0;

        if (pid == 0 || pid == segment->lives->process)
            continue;
        while (at < count && seen[at] != pid)
            at++;
        if (at < count)
            continue;
        if (count < room)
            pids[count] = pid;
        seen[count++] = pid;
    }
    return count;
}
