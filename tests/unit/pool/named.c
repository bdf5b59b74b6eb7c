/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named.c - core/pool/queue_named.c: queues that are opened by name: what is
 * refused, what stays, and who cleans up after whom. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/queue.h>

#include "lib/suites.h"
#include "pool/queue_named.h"
#include "queue/layout.h"
#include "suites.h"
#include "watch.h"

static char folder[64];
static int fds_before;

static void setup(void)
{
    children_setup();
    snprintf(folder, sizeof folder, "/dev/shm/weir-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("WEIR_QUEUE_DIR", folder, 1);
    fds_before = watch_fds();
}

static int remove_one(const char *name, void *arg)
{
    (void)arg;
    weir_queue_unlink(name, NULL);
    return 0;
}

static void teardown(void)
{
    chmod(folder, 0700);
    setenv("WEIR_QUEUE_DIR", folder, 1);
    weir_queue_names(remove_one, NULL, NULL);
    ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
    ck_assert_int_eq(watch_fds(), fds_before);
    children_teardown();
}

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static weir_queue *open_it(const char *name, uint32_t capacity)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    options.capacity = capacity > 0 ? capacity : 16;
    options.members = 8;
    options.bytes = 64 << 10;
    ck_assert_msg(weir_queue_open_named(name, &options,
                                        capacity > 0 ? WEIR_QUEUE_CREATE : 0,
                                        &queue, &err) == 0,
                  "%s", err.text);
    return queue;
}

/* Refused, with these words in the sentence. */
static void refused(const char *name, unsigned flags, int code,
                    const char *words)
{
    weir_queue *queue = NULL;
    weir_error err = { 0 };

    ck_assert_int_eq(weir_queue_open_named(name, NULL, flags, &queue, &err),
                     code);
    ck_assert_ptr_null(queue);
    ck_assert_msg(strstr(err.text, words) != NULL, "'%s' does not say '%s'",
                  err.text, words);
}

static void put(weir_queue *queue, const char *text)
{
    ck_assert_int_eq(weir_queue_put(queue, text, strlen(text), BOUND_NS), 0);
}

static void get_within(weir_queue *queue, const char *text, int64_t timeout_ns)
{
    char got[512] = "";
    size_t size = 0;

    ck_assert_int_eq(weir_queue_get(queue, got, sizeof got, &size, timeout_ns),
                     0);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(memcmp(got, text, size), 0);
}

static weir_queue_state state_of(weir_queue *queue)
{
    weir_queue_state state;

    ck_assert_int_eq(weir_queue_snapshot(queue, &state), 0);
    return state;
}

/* -------------------------------------------------------------- opening ----
 */

START_TEST(two_handles)
{
    weir_queue *first = open_it("jobs.in", 3), *second = open_it("jobs.in", 0);
    int32_t pids[4] = { 0 };

    put(first, "one");
    put(second, "two");
    ck_assert_uint_eq(state_of(first).size, 2);
    ck_assert_uint_eq(state_of(second).capacity, 3);
    get_within(second, "one", 0);
    get_within(first, "two", 0);
    /* of this process both */
    ck_assert_int_eq(weir_queue_members(first, pids, 4), 0);
    weir_queue_free(&first);
    weir_queue_free(&second);
}
END_TEST

static const char *const bad_names[] = {
    "", "a/b", "/", ".", "..", ".hidden", "-x", "a b", "a\n", "\xc3\xa4", NULL,
};

START_TEST(names)
{
    char name[PLACE_NAME_MOST + 2];
    weir_queue *queue;

    for (size_t i = 0; bad_names[i] != NULL; i++)
        refused(bad_names[i], WEIR_QUEUE_CREATE, WEIR_EINVAL, "name");
    refused(NULL, WEIR_QUEUE_CREATE, WEIR_EINVAL, "name");
    memset(name, 'a', sizeof name);
    name[PLACE_NAME_MOST + 1] = '\0';
    refused(name, WEIR_QUEUE_CREATE, WEIR_EINVAL, "1 to 128 letters");
    ck_assert_int_eq(weir_queue_unlink(name, NULL), WEIR_EINVAL);
    name[PLACE_NAME_MOST] = '\0';
    queue = open_it(name, 1);
    weir_queue_free(&queue);
    ck_assert_int_eq(weir_queue_unlink(name, NULL), 0);
}
END_TEST

START_TEST(flags)
{
    weir_queue *queue;
    weir_error err = { 0 };

    refused("q", 0, -ENOENT, "there is no queue 'q'");
    refused("q", WEIR_QUEUE_EXCLUSIVE, WEIR_EINVAL, "flags");
    refused("q", 8, WEIR_EINVAL, "flags");
    ck_assert_int_eq(weir_queue_unlink("q", &err), -ENOENT);
    queue = open_it("q", 1);
    refused("q", WEIR_QUEUE_CREATE | WEIR_QUEUE_EXCLUSIVE, -EEXIST,
            "a queue 'q' already");
    weir_queue_free(&queue);
}
END_TEST

START_TEST(mode_of_the_file)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue;
    mode_t before = umask(077);
    struct stat st;

    options.mode = 0640;
    ck_assert_int_eq(weir_queue_open_named("q", &options, WEIR_QUEUE_CREATE,
                                           &queue, NULL),
                     0);
    umask(before);
    ck_assert_int_eq(stat(path_of("q"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    weir_queue_free(&queue);
    queue = open_it("r", 1);
    ck_assert_int_eq(stat(path_of("r"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    weir_queue_free(&queue);
    options.mode = 01777;
    ck_assert_int_eq(weir_queue_open_named("s", &options, WEIR_QUEUE_CREATE,
                                           &queue, NULL),
                     WEIR_EINVAL);
}
END_TEST

START_TEST(others_stay_out)
{
    weir_queue *queue = open_it("q", 1);
    int status;
    pid_t pid;

    if (geteuid() == 0) { /* else there is nobody to be */
        ck_assert_int_eq(chmod(folder, 0755), 0);
        pid = fork();
        if (pid == 0) {
            if (setuid(65534) < 0)
                _exit(1);
            _exit(weir_queue_open_named("q", NULL, 0, &queue, NULL) != -EACCES);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
    }
    weir_queue_free(&queue);
}
END_TEST

START_TEST(folders)
{
    char link[80], own[64], name[32];
    weir_queue *queue;
    struct stat st;

    ck_assert_int_eq(chmod(folder, 0702), 0);
    refused("q", WEIR_QUEUE_CREATE, WEIR_ETRUST, "is open to others");
    ck_assert_int_eq(chmod(folder, 0770), 0); /* a group's */
    queue = open_it("q", 1);
    weir_queue_free(&queue);

    snprintf(link, sizeof link, "%s.link", folder);
    ck_assert_int_eq(symlink(folder, link), 0);
    setenv("WEIR_QUEUE_DIR", link, 1);
    refused("q", WEIR_QUEUE_CREATE, WEIR_ETRUST, "is no folder");
    ck_assert_int_eq(unlink(link), 0);
    refused("q", WEIR_QUEUE_CREATE, -ENOENT, "cannot open folder");
    setenv("WEIR_QUEUE_DIR", "/sys", 1);
    refused("q", WEIR_QUEUE_CREATE, WEIR_EINVAL, "not in memory");

    unsetenv("WEIR_QUEUE_DIR");
    snprintf(name, sizeof name, "weir-unit-test-%d", (int)getpid());
    queue = open_it(name, 1);
    snprintf(own, sizeof own, "/dev/shm/weir-%u", (unsigned)geteuid());
    ck_assert_int_eq(stat(own, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(weir_queue_unlink(name, NULL), 0);
    weir_queue_free(&queue);
}
END_TEST

static void write_file(const char *name, const void *data, size_t size)
{
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, data, size), 0);
    close(fd);
}

START_TEST(foreign_files)
{
    write_file("empty", "", 0);
    refused("empty", WEIR_QUEUE_CREATE, WEIR_EBROKEN,
            "'empty': it is no queue of weir; 'weir queues --remove=empty'");
    write_file("short", "hello\n", 6);
    refused("short", 0, WEIR_EBROKEN, "no queue of weir");
    ck_assert_int_eq(mkfifo(path_of("fifo"), 0600), 0);
    refused("fifo", 0, WEIR_EBROKEN, "no plain file");
    ck_assert_int_eq(symlink("short", path_of("link")), 0);
    refused("link", 0, WEIR_EBROKEN, "no plain file");
    ck_assert_int_eq(mkdir(path_of("folder"), 0700), 0);
    refused("folder", 0, WEIR_EBROKEN, "no plain file");
    ck_assert_int_eq(rmdir(path_of("folder")), 0);
    ck_assert_int_eq(weir_queue_unlink("link", NULL), 0);
    ck_assert_int_eq(weir_queue_unlink("empty", NULL), 0);
}
END_TEST

static struct segment_head *map_head(const char *name, size_t *size_out)
{
    int fd = open(path_of(name), O_RDWR | O_CLOEXEC);
    struct stat st;
    void *base;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                fd, 0);
    close(fd);
    ck_assert_ptr_ne(base, MAP_FAILED);
    *size_out = (size_t)st.st_size;
    return base;
}

START_TEST(other_versions)
{
    weir_queue *queue = open_it("q", 4);
    struct segment_head *head;
    size_t size;
    uint64_t space;

    weir_queue_free(&queue);
    head = map_head("q", &size);
    head->version++;
    refused("q", WEIR_QUEUE_CREATE, WEIR_EBROKEN,
            "made by another version of weir");
    head->version--;
    head->head_size += 8;
    refused("q", 0, WEIR_EBROKEN, "made by another version of weir");
    head->head_size -= 8;
    space = head->pid_space;
    head->pid_space = space + 1;
    refused("q", 0, WEIR_EPROCESS, "another pid namespace");
    head->pid_space = 0;
    refused("q", 0, WEIR_EBROKEN, "it is damaged");
    head->pid_space = space;
    head->magic++;
    refused("q", 0, WEIR_EBROKEN, "no queue of weir");
    head->magic--;
    queue = open_it("q", 0);
    weir_queue_free(&queue);
    ck_assert_int_eq(truncate(path_of("q"), (off_t)size / 2), 0);
    refused("q", 0, WEIR_EBROKEN, "it is damaged");
    munmap(head, size);
}
END_TEST

/* ------------------------------------------------------------- damage ---- */

/* All calls, in a child: whatever they find, they come back. */
static void use_damaged(void)
{
    weir_queue_state state;
    weir_queue *queue;
    char data[512] = "x";
    size_t size;
    int32_t pid;

    signal(SIGALRM, SIG_DFL); /* not Check's */
    alarm(60);
    if (weir_queue_open_named("q", NULL, 0, &queue, NULL) < 0)
        _exit(0);
    for (int i = 0; i < 4; i++) {
        weir_queue_put(queue, data, 300, 0);
        weir_queue_get(queue, data, sizeof data, &size, 0);
    }
    weir_queue_get(queue, data, sizeof data, &size, NS_PER_MS);
    weir_queue_put(queue, data, 1, NS_PER_MS);
    weir_queue_snapshot(queue, &state);
    weir_queue_members(queue, &pid, 1);
    weir_queue_close(queue);
    weir_queue_free(&queue);
    _exit(0);
}

/* A queue with an item that lies inline, one in a chunk, and one that is held
 * by a member that died. */
static void make_victim(void)
{
    weir_queue *queue = open_it("q", 4);
    char large[300] = "large";
    pid_t pid;

    put(queue, "small");
    ck_assert_int_eq(weir_queue_put(queue, large, sizeof large, 0), 0);
    put(queue, "third");
    pid = fork();
    if (pid == 0) {
        weir_queue *own;
        struct member *member;
        const unsigned number = 0;
        struct item item;

        if (weir_queue_open_named("q", NULL, 0, &own, NULL) < 0 ||
            member_enter_any(queue_segment(own), 0, &member) < 0 ||
            turn_lease(member, &number, 1, 1, 1, 0, &item) != 1)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    weir_queue_free(&queue);
}

/* Where the locks are: a wild one can be waited for, but no index. */
static bool in_lock(uint64_t at, const struct segment_head *head)
{
    uint64_t queue = head->queues_at + offsetof(struct queue_head, lock);
    uint64_t store = offsetof(struct segment_head, store.lock);

    return (at >= queue && at < queue + sizeof(struct lock)) ||
           (at >= store && at < store + sizeof(struct lock));
}

static void check_damage(uint32_t *at, uint32_t value)
{
    uint32_t before = *at;
    int status;
    pid_t pid;

    *at = value;
    pid = fork();
    if (pid == 0)
        use_damaged();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "damage 0x%x (was 0x%x): status 0x%x", value,
                  before, status);
}

static const uint32_t wild[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

/* Each word of the control parts in turn, as _i has it. */
START_TEST(damaged_words)
{
    struct segment_head *head;
    size_t size;
    uint64_t end;
    char *image;
    unsigned step = getenv("WEIR_LONG") != NULL ? 4 : 52;

    make_victim();
    head = map_head("q", &size);
    /* heads, the first members, the queue with its slots, one page of what
     * members hold */
    end = head->refs_at + 256;
    image = malloc(end);
    memcpy(image, head, end);
    for (uint64_t at = 0; at < end; at += step) {
        const struct segment_head *was = (const struct segment_head *)image;

        if (in_lock(at, was))
            continue;
        check_damage((uint32_t *)((char *)head + at), wild[_i]);
        memcpy((char *)head, image, end);
    }
    free(image);
    munmap(head, size);
}
END_TEST

START_TEST(damaged_locks)
{
    weir_queue *queue = open_it("q", 4);
    struct segment_head *head;
    struct queue_head *at;
    size_t size;

    weir_queue_free(&queue);
    head = map_head("q", &size);
    at = (struct queue_head *)((char *)head + head->queues_at);
    at->lock.mutex.__data.__kind ^= 16;
    refused("q", 0, WEIR_EBROKEN, "it is damaged");
    at->lock.mutex.__data.__kind ^= 16;
    head->store.lock.mutex.__data.__kind = 0;
    refused("q", 0, WEIR_EBROKEN, "it is damaged");
    munmap(head, size);
}
END_TEST

/* ----------------------------------------------------------- what stays ----
 */

START_TEST(stays)
{
    weir_queue *queue = open_it("q", 4);

    put(queue, "one");
    put(queue, "two");
    weir_queue_free(&queue);
    queue = open_it("q", 1);
    ck_assert_uint_eq(state_of(queue).capacity, 4);
    get_within(queue, "one", 0);
    ck_assert_int_eq(weir_queue_close(queue), 0);
    weir_queue_free(&queue);
    queue = open_it("q", 0);
    ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0), WEIR_ECLOSED);
    get_within(queue, "two", 0);
    ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &(size_t){ 0 },
                                    WEIR_FOREVER),
                     WEIR_ECLOSED);
    weir_queue_free(&queue);
}
END_TEST

static int count_name(const char *name, void *arg)
{
    *(unsigned *)arg += strcmp(name, "q") == 0 || strcmp(name, "r") == 0;
    return 0;
}

static int stop_at_once(const char *name, void *arg)
{
    (void)name;
    (void)arg;
    return 7;
}

START_TEST(unlinked)
{
    weir_queue *old = open_it("q", 4), *new;
    weir_queue *other = open_it("r", 4);
    unsigned count = 0;

    put(old, "old");
    ck_assert_int_eq(weir_queue_names(count_name, &count, NULL), 0);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(weir_queue_names(stop_at_once, NULL, NULL), 7);
    ck_assert_int_eq(weir_queue_unlink("q", NULL), 0);
    refused("q", 0, -ENOENT, "no queue");
    new = open_it("q", 4);
    ck_assert_uint_eq(state_of(new).size, 0);
    get_within(old, "old", 0);
    weir_queue_free(&old);
    weir_queue_free(&new);
    weir_queue_free(&other);
}
END_TEST

/* Many at once make one: all have the same. */
START_TEST(made_at_once)
{
    enum { MAKERS = 8 };
    pid_t pids[MAKERS];
    weir_queue *queue;

    for (int i = 0; i < MAKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            if (weir_queue_open_named("q", NULL, WEIR_QUEUE_CREATE, &queue,
                                      NULL) < 0)
                _exit(1);
            _exit(weir_queue_put(queue, &i, sizeof i, 0) != 0);
        }
    }
    for (int i = 0; i < MAKERS; i++) {
        int status;

        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    queue = open_it("q", 0);
    ck_assert_uint_eq(state_of(queue).size, MAKERS);
    weir_queue_free(&queue);
}
END_TEST

/* --------------------------------------------------------------- deaths ----
 */

/* A child that has leased the oldest item: it tells so, and then waits to be
 * killed. With @heir it has a child of its own that lives on, in its group. */
static pid_t holder(const char *name, bool heir)
{
    int ready[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        weir_queue *queue;
        weir_lease lease;

        setpgid(0, 0);
        if (weir_queue_open_named(name, NULL, 0, &queue, NULL) < 0 ||
            weir_queue_lease(queue, 0, &lease) != 0)
            _exit(1);
        if (heir && fork() == 0)
            for (;;)
                pause();
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    watch_read(ready[0], &(char){ 0 }, 1);
    close(ready[0]);
    return pid;
}

static void kill_it(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* Who comes finds it at the head: when it opens, tries once, or waits. */
START_TEST(item_of_the_dead)
{
    weir_queue *queue = open_it("q", 4);
    pid_t pid;

    put(queue, "one");
    put(queue, "two");
    pid = holder("q", false);
    ck_assert_uint_eq(state_of(queue).leased, 1);
    ck_assert_int_eq(weir_queue_members(queue, NULL, 0), 1);
    if (_i == 0) {
        get_within(queue, "two", 0);
        ck_assert_int_eq(weir_queue_get(queue, NULL, 0, &(size_t){ 0 }, 0),
                         WEIR_EEMPTY);
        kill_it(pid);
        get_within(queue, "one", 0);
    } else if (_i == 1) {
        get_within(queue, "two", 0);
        kill_it(pid);
        get_within(queue, "one", BOUND_NS);
    } else {
        kill_it(pid);
        weir_queue_free(&queue);
        queue = open_it("q", 0);
        ck_assert_uint_eq(state_of(queue).leased, 0);
        ck_assert_int_eq(weir_queue_members(queue, NULL, 0), 0);
        get_within(queue, "one", 0);
    }
    weir_queue_free(&queue);
}
END_TEST

static void *get_one(void *arg)
{
    get_within(arg, "one", WEIR_FOREVER);
    return NULL;
}

static void await_sleepers(weir_queue *queue, unsigned producers,
                           unsigned consumers)
{
    int64_t deadline = clock_deadline(BOUND_NS);

    for (;;) {
        weir_queue_state state = state_of(queue);

        if (state.producers_waiting == producers &&
            state.consumers_waiting == consumers)
            return;
        ck_assert_msg(clock_left(deadline) > 0, "nobody went to sleep");
        usleep(1000);
    }
}

/* The death of a peer ends a sleep; an heir of its fork does not hide it. */
START_TEST(sleeper_sees_a_death)
{
    weir_queue *queue = open_it("q", 4);
    pthread_t thread;
    pid_t pid;

    put(queue, "one");
    pid = holder("q", _i == 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, get_one, queue), 0);
    await_sleepers(queue, 0, 1);
    kill_it(pid);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(state_of(queue).leased, 0);
    if (_i == 1)
        ck_assert_int_eq(kill(-pid, SIGKILL), 0);
    weir_queue_free(&queue);
}
END_TEST

static void *lease_and_end(void *arg)
{
    static weir_lease lease;

    ck_assert_int_eq(weir_queue_lease(arg, 0, &lease), 0);
    return &lease;
}

/* The end of a thread is no death: its member stays, and so does its lease. */
START_TEST(threads_may_end)
{
    weir_queue *queue = open_it("q", 4), *other = open_it("q", 0);
    pthread_t thread;
    void *result;

    put(queue, "one");
    ck_assert_int_eq(pthread_create(&thread, NULL, lease_and_end, queue), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_int_eq(weir_queue_get(other, NULL, 0, &(size_t){ 0 }, NS_PER_S),
                     WEIR_ETIMEDOUT);
    ck_assert_uint_eq(state_of(other).leased, 1);
    ck_assert_int_eq(weir_queue_release(result), 0);
    get_within(other, "one", 0);
    weir_queue_free(&queue);
    weir_queue_free(&other);
}
END_TEST

/* All entries are the dead's: who comes takes one of them. */
START_TEST(entries_of_the_dead)
{
    weir_queue *queue = open_it("q", 4);
    int ready[2];
    pid_t pid;

    put(queue, "one");
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        weir_queue *own;
        struct member *member;

        if (weir_queue_open_named("q", NULL, 0, &own, NULL) < 0)
            _exit(1);
        while (member_enter_any(queue_segment(own), 0, &member) == 0)
            ;
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    watch_read(ready[0], &(char){ 0 }, 1);
    close(ready[0]);
    weir_queue_free(&queue); /* this one's entry */
    queue = open_it("q", 0);
    kill_it(pid);
    get_within(queue, "one", 0);
    weir_queue_free(&queue);
}
END_TEST

START_TEST(forked_child)
{
    weir_queue *queue = open_it("q", 4);
    int status;
    pid_t pid;

    put(queue, "one");
    pid = fork();
    if (pid == 0) {
        weir_queue *own;
        char got[8];
        size_t size;
        int32_t pids[2];
        int wrong = 0;

        wrong += weir_queue_put(queue, "a", 1, 0) != WEIR_EPROCESS;
        wrong += weir_queue_get(queue, got, 8, &size, 0) != WEIR_EPROCESS;
        wrong += weir_queue_members(queue, pids, 2) != WEIR_EPROCESS;
        weir_queue_free(&queue);
        wrong += weir_queue_open_named("q", NULL, 0, &own, NULL) != 0;
        wrong += weir_queue_members(own, pids, 2) != 1;
        wrong += pids[0] != getppid();
        wrong += weir_queue_get(own, got, 8, &size, 0) != 0;
        weir_queue_free(&own);
        _exit(wrong);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    put(queue, "two");
    get_within(queue, "two", 0);
    weir_queue_free(&queue);
}
END_TEST

/* A stopped process holds the lock: who waits for it lets it go on. */
START_TEST(stopped_in_the_lock)
{
    weir_queue *queue = open_it("q", 4);
    int ready[2], status;
    pid_t pid;

    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        weir_queue *own;
        size_t size;
        struct queue_head *head;
        struct segment_head *base;

        if (weir_queue_open_named("q", NULL, 0, &own, NULL) < 0)
            _exit(1);
        base = map_head("q", &size);
        head = (struct queue_head *)((char *)base + base->queues_at);
        if (pthread_mutex_lock(&head->lock.mutex) != 0)
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        raise(SIGSTOP);
        pthread_mutex_unlock(&head->lock.mutex);
        _exit(0);
    }
    close(ready[1]);
    watch_read(ready[0], &(char){ 0 }, 1);
    close(ready[0]);
    ck_assert(watch_until(pid, 'T'));
    put(queue, "one");
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    weir_queue_free(&queue);
}
END_TEST

/* A folder that is full is no SIGBUS. */
static int fill_folder(void)
{
    weir_queue_options options = WEIR_QUEUE_OPTIONS;
    weir_queue *queue, *more;
    static char data[10000];
    size_t size;
    unsigned count = 0;
    int code;

    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=4m,mode=700") < 0)
        return 77;
    options.capacity = 2000;
    options.members = 2;
    options.bytes = 64 << 20;
    if (weir_queue_open_named("q", &options, WEIR_QUEUE_CREATE, &queue, NULL))
        return 1;
    options.capacity = 100000;
    if (weir_queue_open_named("r", &options, WEIR_QUEUE_CREATE, &more, NULL) !=
        WEIR_ENOMEM)
        return 2;
    while ((code = weir_queue_put(queue, data, sizeof data, 0)) == 0)
        count++;
    if (code != WEIR_ENOMEM || count == 0)
        return 3;
    for (unsigned i = 0; i < 3 * count; i++) {
        if (weir_queue_get(queue, data, sizeof data, &size, 0) != 0 ||
            size != sizeof data)
            return 4;
        code = weir_queue_put(queue, data, sizeof data, 0);
        if (code != 0 && code != WEIR_ENOMEM)
            return 5;
        count -= code != 0;
    }
    return 0;
}

START_TEST(full_folder)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fill_folder());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77) /* not allowed to mount */
        ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

Suite *named_suite(void)
{
    Suite *suite = suite_create("named");
    TCase *opening = tcase_create("opening"), *damage = tcase_create("damage");
    TCase *deaths = tcase_create("deaths");

    tcase_add_checked_fixture(opening, setup, teardown);
    tcase_add_test(opening, two_handles);
    tcase_add_test(opening, names);
    tcase_add_test(opening, flags);
    tcase_add_test(opening, mode_of_the_file);
    tcase_add_test(opening, others_stay_out);
    tcase_add_test(opening, folders);
    tcase_add_test(opening, foreign_files);
    tcase_add_test(opening, other_versions);
    tcase_add_test(opening, stays);
    tcase_add_test(opening, unlinked);
    tcase_add_test(opening, made_at_once);
    tcase_add_test(opening, full_folder);
    suite_add_tcase(suite, opening);
    tcase_set_timeout(damage, getenv("WEIR_LONG") != NULL ? 1800 : 120);
    tcase_add_checked_fixture(damage, setup, teardown);
    tcase_add_loop_test(damage, damaged_words, 0,
                        (int)(sizeof wild / sizeof *wild));
    tcase_add_test(damage, damaged_locks);
    suite_add_tcase(suite, damage);
    tcase_set_timeout(deaths, 60);
    tcase_add_checked_fixture(deaths, setup, teardown);
    tcase_add_loop_test(deaths, item_of_the_dead, 0, 3);
    tcase_add_loop_test(deaths, sleeper_sees_a_death, 0, 2);
    tcase_add_test(deaths, threads_may_end);
    tcase_add_test(deaths, entries_of_the_dead);
    tcase_add_test(deaths, forked_child);
    tcase_add_test(deaths, stopped_in_the_lock);
    suite_add_tcase(suite, deaths);
    return suite;
}
