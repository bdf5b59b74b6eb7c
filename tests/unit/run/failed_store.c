/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* failed_store.c - tests of core/run/failed_store.c and failed_sentence.c. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/failed_store.h"
#include "suites.h"
#ifdef HAVE_SQLITE
#include "journal/db.h"
#endif

START_TEST(sentences)
{
    static const struct {
        const char *why, *want;
    } rows[] = {
        { "", "" },
        { "line 17 has 3 columns", "line N has N columns" },
        { "'a b' is no number", "* is no number" },
        { "\"x\" and \"y\"", "* and *" },
        { "cannot open '/etc/x': Permission denied",
          "cannot open *: Permission denied" },
        { "cannot read /tmp/a/b.c: No such file", "cannot read *: No such "
                                                  "file" },
        { "./x and ../y, too", "* and *, too" },
        { "it doesn't and can't", "it doesn't and can't" },
        { "'it isn't' said", "* said" },
        { "an open 'quote", "an open 'quote" },
        { "at 0x7f00 of 1,234.5 B", "at N of N B" },
        { "1/2", "N/N" },
        { "and/or", "and/or" },
        { "/", "/" },
        { "took 12:30:01.5", "took N" },
        { "utf\xc3\xa9'x", "utf\xc3\xa9'x" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP_BUF struct buf out = { 0 };

        ck_assert_int_eq(failed_sentence(&out, rows[i].why), 0);
        ck_assert_str_eq(out.data, rows[i].want);
    }
}
END_TEST

START_TEST(causes)
{
    uint32_t cause = failed_cause("a.b", "error", "x");

    ck_assert_uint_eq(cause, failed_cause("a.b", "error", "x"));
    ck_assert_uint_ne(cause, failed_cause("a.c", "error", "x"));
    ck_assert_uint_ne(cause, failed_cause("a.b", "crash", "x"));
    ck_assert_uint_ne(cause, failed_cause("a.b", "error", "y"));
    ck_assert_uint_ne(cause, failed_cause("a.berror", "", "x"));
}
END_TEST

#ifdef HAVE_SQLITE

static char folder[32];
static char file[64];
static weir_error err;

static void setup(void)
{
    strcpy(folder, "/tmp/weir-failed.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/failed.db", folder);
    err = (weir_error){ 0 };
    children_setup();
}

static void teardown(void)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char name[96];

    children_teardown();
    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", file, ends[i]);
        unlink(name);
    }
    rmdir(folder);
}

static struct failed_store *open_store(enum failed_mode mode)
{
    struct failed_store *store = NULL;

    ck_assert_msg(failed_open(file, mode, &store, &err) == 0, "%s", err.text);
    return store;
}

static struct failed_row row_of(uint64_t path, const char *why)
{
    return (struct failed_row){
        .root = UINT64_C(0xf000000000000001),
        .path = path,
        .stage = "do",
        .class = "error",
        .why = why,
        .attempts = 3,
        .at_ns = 1000,
        .took_ns = 7,
        .kept = FAILED_WHOLE,
        .data = "by\0tes",
        .size = 6,
        .attrs = "\1\1\0ab",
        .attrs_size = 5,
    };
}

static void add(struct failed_store *store, const struct failed_row *row)
{
    ck_assert_msg(failed_add(store, row, &err) == 0, "%s", err.text);
}

struct seen {
    unsigned count;
    struct failed_row last;
    char data[64], attrs[64], why[64], wrote[64], task[64];
};

static int see(void *arg, const struct failed_row *row)
{
    struct seen *seen = arg;

    seen->count++;
    seen->last = *row;
    snprintf(seen->why, sizeof seen->why, "%s", row->why);
    snprintf(seen->wrote, sizeof seen->wrote, "%s", row->wrote);
    snprintf(seen->task, sizeof seen->task, "%s",
             row->task != NULL ? row->task : "(none)");
    if (row->data != NULL && row->size <= sizeof seen->data)
        memcpy(seen->data, row->data, row->size);
    if (row->attrs != NULL)
        memcpy(seen->attrs, row->attrs, row->attrs_size);
    return 0;
}

static struct seen see_all(struct failed_store *store,
                           const struct failed_filter *filter)
{
    static const struct failed_filter none;
    struct seen seen = { 0 };

    ck_assert_msg(failed_each(store, filter != NULL ? filter : &none, true, see,
                              &seen, &err) == 0,
                  "%s", err.text);
    return seen;
}

START_TEST(an_item_is_kept_whole)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(5, "line 7 is bad");
    struct seen seen;

    row.wrote = "so\nlong";
    ck_assert_int_eq(failed_set_stage(store, "do", "text.upper", &err), 0);
    add(store, &row);
    failed_close(&store);
    store = open_store(FAILED_READ);
    seen = see_all(store, NULL);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.last.root, row.root);
    ck_assert_uint_eq(seen.last.path, 5);
    ck_assert_uint_eq(seen.last.size, 6);
    ck_assert_mem_eq(seen.data, "by\0tes", 6);
    ck_assert_uint_eq(seen.last.attrs_size, 5);
    ck_assert_mem_eq(seen.attrs, "\1\1\0ab", 5);
    ck_assert_str_eq(seen.why, "line 7 is bad");
    ck_assert_str_eq(seen.wrote, "so\nlong");
    ck_assert_str_eq(seen.task, "text.upper");
    ck_assert_uint_eq(seen.last.attempts, 3);
    ck_assert_int_eq(seen.last.at_ns, 1000);
    ck_assert_int_eq(seen.last.took_ns, 7);
    ck_assert_uint_eq(seen.last.times, 1);
    ck_assert_int_eq(seen.last.replayed_ns, 0);
    ck_assert_uint_eq(seen.last.cause,
                      failed_cause("text.upper", "error", "line N is bad"));
    failed_close(&store);
}
END_TEST

START_TEST(the_same_twice_is_one)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(5, "first");
    struct seen seen;

    add(store, &row);
    add(store, &row);
    seen = see_all(store, NULL);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.last.times, 1);
    row.at_ns++;
    row.why = "second";
    row.wrote = "words";
    add(store, &row);
    seen = see_all(store, NULL);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.last.times, 2);
    ck_assert_str_eq(seen.why, "second");
    ck_assert_str_eq(seen.wrote, "words");
    row.stage = "other"; /* a copy of it may fail elsewhere, too */
    add(store, &row);
    ck_assert_uint_eq(see_all(store, NULL).count, 2);
    failed_close(&store);
}
END_TEST

static void set_settled(struct failed_store *store, uint64_t root,
                        uint64_t path, int64_t at_ns)
{
    ck_assert_msg(failed_set_settled(store, root, path, "do", at_ns, &err) == 0,
                  "%s", err.text);
}

START_TEST(a_replay_counts_once)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_filter with = { .with_replayed = true };
    struct failed_row row = row_of(5, "x");

    add(store, &row);
    set_settled(store, row.root, 5, 10);
    ck_assert_int_eq(failed_end_replay(store, false, &err), 0); /* cut off */
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    set_settled(store, row.root, 5, 20);
    set_settled(store, row.root, 6, 20);
    ck_assert_uint_eq(see_all(store, NULL).count, 1); /* not yet */
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    set_settled(store, row.root, 5, 30);
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 0);
    ck_assert_int_eq(see_all(store, &with).last.replayed_ns, 20);
    add(store, &row); /* the old news once more */
    ck_assert_uint_eq(see_all(store, NULL).count, 0);
    row.at_ns++;
    add(store, &row);
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    set_settled(store, row.root, 5, 40);
    row.at_ns++;
    add(store, &row); /* a copy of it failed in the same stage */
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    failed_close(&store);
}
END_TEST

START_TEST(no_item_and_too_large)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(1, "x");
    struct failed_filter two = { .by_id = true, .root = row.root, .path = 2 };
    struct seen seen;

    row.kept = FAILED_NO_ITEM;
    row.data = row.attrs = NULL;
    row.size = row.attrs_size = 0;
    add(store, &row);
    seen = see_all(store, NULL);
    ck_assert_int_eq(seen.last.kept, FAILED_NO_ITEM);
    row = row_of(2, "x");
    row.size = FAILED_ITEM_MOST + 1; /* its bytes are not looked at */
    add(store, &row);
    seen = see_all(store, &two);
    ck_assert_int_eq(seen.last.kept, FAILED_TOO_LARGE);
    ck_assert_uint_eq(seen.last.size, row.size);
    ck_assert_ptr_null(seen.last.data);
    failed_close(&store);
}
END_TEST

struct groups {
    unsigned count;
    struct failed_group at[4];
};

static int see_group(void *arg, const struct failed_group *group)
{
    struct groups *groups = arg;

    ck_assert_uint_lt(groups->count, 4);
    groups->at[groups->count++] = *group;
    return 0;
}

START_TEST(groups_by_cause)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct groups groups = { 0 };
    struct failed_row row;

    for (unsigned i = 0; i < 3; i++) {
        row = row_of(i, i == 1 ? "line 99 is bad" : "line 7 is bad");
        row.at_ns = 100 + i;
        add(store, &row);
    }
    row = row_of(9, "another");
    add(store, &row);
    row = row_of(10, "line 1 is bad");
    row.class = "crash";
    add(store, &row);
    set_settled(store, row.root, 0, 5);
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_int_eq(failed_groups(store, see_group, &groups, &err), 0);
    ck_assert_uint_eq(groups.count, 3);
    ck_assert_uint_eq(groups.at[0].count, 2);
    ck_assert_uint_eq(groups.at[0].replayed, 1);
    ck_assert_int_eq(groups.at[0].first_ns, 100);
    ck_assert_int_eq(groups.at[0].last_ns, 102);
    ck_assert_uint_eq(groups.at[0].path, 1); /* 0 is done with */
    ck_assert_uint_eq(groups.at[0].cause,
                      failed_cause("do", "error", "line N is bad"));
    ck_assert_uint_eq(groups.at[1].count, 1);
    failed_close(&store);
}
END_TEST

START_TEST(by_cause_and_id)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_filter filter = { .by_cause = true,
                                    .cause = failed_cause("do", "error", "b") };
    struct failed_row row = row_of(1, "a");

    add(store, &row);
    row = row_of(2, "b");
    add(store, &row);
    ck_assert_uint_eq(see_all(store, &filter).last.path, 2);
    ck_assert_uint_eq(see_all(store, &filter).count, 1);
    filter = (struct failed_filter){ .by_id = true, .root = row.root };
    filter.path = 1;
    ck_assert_uint_eq(see_all(store, &filter).count, 1);
    filter.stage = "else";
    ck_assert_uint_eq(see_all(store, &filter).count, 0);
    failed_close(&store);
}
END_TEST

static int see_param(void *arg, const char *name, const char *value)
{
    struct buf *out = arg;

    return buf_printf(out, "%s=%s;", name, value);
}

START_TEST(facts_stages_parameters)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    CLEANUP_BUF struct buf out = { 0 }, params = { 0 };

    ck_assert_int_eq(failed_fact(store, "job", &out, &err), WEIR_EEMPTY);
    ck_assert_int_eq(failed_set_fact(store, "job", "a\0b", 3, &err), 0);
    ck_assert_int_eq(failed_set_fact(store, "job", "a\0c", 3, &err), 0);
    ck_assert_int_eq(failed_fact(store, "job", &out, &err), 0);
    ck_assert_uint_eq(out.size, 3);
    ck_assert_mem_eq(out.data, "a\0c", 4);
    for (int i = 0; i < 2; i++) { /* told anew, by a replay */
        ck_assert_int_eq(failed_set_stage(store, "do", "p.t", &err), 0);
        ck_assert_int_eq(failed_set_param(store, "do", "z", "1", &err), 0);
        ck_assert_int_eq(failed_set_param(store, "do", "a", "2", &err), 0);
        ck_assert_int_eq(failed_set_param(store, "do", "a", "3", &err), 0);
    }
    ck_assert_int_eq(failed_params(store, "do", see_param, &params, &err), 0);
    ck_assert_str_eq(params.data, "z=1;a=2;a=3;");
    buf_cut(&out, 0);
    ck_assert_int_eq(failed_task(store, "no", &out, &err), WEIR_EEMPTY);
    failed_close(&store);
}
END_TEST

START_TEST(prunes_by_size_and_age)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_filter with = { .with_replayed = true };
    static char large[10000];
    uint64_t gone;

    for (unsigned i = 0; i < 10; i++) {
        struct failed_row row = row_of(i, "x");

        row.at_ns = 100 + i;
        row.data = large;
        row.size = sizeof large;
        add(store, &row);
    }
    ck_assert_int_eq(failed_prune(store, 0, 0, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 10);
    set_settled(store, UINT64_C(0xf000000000000001), 9, 5);
    ck_assert_int_eq(failed_end_replay(store, true, &err), 0);
    ck_assert_int_eq(failed_prune(store, 55000, 0, &err), 0);
    ck_assert_uint_eq(see_all(store, &with).count, 5);
    ck_assert_uint_eq(see_all(store, NULL).count, 5); /* 9 went first */
    ck_assert_uint_eq(see_all(store, NULL).last.path, 8);
    ck_assert_int_eq(failed_prune(store, 0, 107, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 2);
    ck_assert_int_eq(failed_gone(store, &gone, &err), 0);
    ck_assert_uint_eq(gone, 8);
    failed_close(&store);
}
END_TEST

START_TEST(cut_back_to_a_checkpoint)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(1, "x");
    int64_t number = -1;

    ck_assert_int_eq(failed_last(store, &number, &err), 0);
    ck_assert_int_eq(number, 0);
    add(store, &row);
    ck_assert_int_eq(failed_last(store, &number, &err), 0);
    row.path = 2;
    add(store, &row);
    ck_assert_int_eq(failed_cut(store, number, &err), 0);
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    ck_assert_uint_eq(see_all(store, NULL).last.path, 1);
    failed_close(&store);
}
END_TEST

START_TEST(a_transaction_is_all_or_nothing)
{
    struct failed_store *store = open_store(FAILED_WRITE), *other;
    struct failed_row row = row_of(1, "x");

    ck_assert_int_eq(failed_begin(store, &err), 0);
    add(store, &row);
    other = open_store(FAILED_READ);
    ck_assert_uint_eq(see_all(other, NULL).count, 0);
    ck_assert_int_eq(failed_commit(store, &err), 0);
    ck_assert_uint_eq(see_all(other, NULL).count, 1);
    failed_close(&other);
    failed_close(&store);
}
END_TEST

/* Killed at any instant: what was committed is there, and the file is good. */
START_TEST(killed_while_it_writes)
{
    for (int round = 0; round < 10; round++) {
        int pipe_fds[2], status;
        struct failed_store *store = NULL;
        uint64_t done = 0, got;
        pid_t pid;

        ck_assert_int_eq(pipe(pipe_fds), 0);
        pid = fork();
        if (pid == 0) {
            if (failed_open(file, FAILED_WRITE, &store, &err) < 0)
                _exit(1);
            for (uint64_t i = 1;; i++) {
                struct failed_row row = row_of(i, "x");

                if (failed_add(store, &row, &err) < 0 ||
                    write(pipe_fds[1], &i, sizeof i) != sizeof i)
                    _exit(1);
            }
        }
        close(pipe_fds[1]);
        for (int i = 0; i <= round; i++)
            ck_assert_int_eq(read(pipe_fds[0], &done, sizeof done),
                             sizeof done);
        kill(pid, SIGKILL);
        while (read(pipe_fds[0], &got, sizeof got) == sizeof got)
            done = got;
        close(pipe_fds[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        store = open_store(FAILED_WRITE);
        ck_assert_uint_ge(see_all(store, NULL).count, done);
        failed_close(&store);
    }
}
END_TEST

static void write_file(const char *bytes, size_t size)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, bytes, size), 0);
    close(fd);
}

/* Beside the closed file there is nothing, so that it can be copied, and read
 * in a folder that cannot be written. */
START_TEST(closed_it_is_one_file)
{
    struct failed_store *store = open_store(FAILED_WRITE), *reader;
    struct failed_row row = row_of(1, "x");
    char log[80];

    snprintf(log, sizeof log, "%s-wal", file);
    add(store, &row);
    ck_assert_int_eq(access(log, F_OK), 0);
    reader = open_store(FAILED_READ);
    ck_assert_uint_eq(see_all(reader, NULL).count, 1);
    failed_close(&store); /* does not wait for who reads */
    failed_close(&reader);
    store = open_store(FAILED_WRITE);
    failed_close(&store);
    ck_assert_int_lt(access(log, F_OK), 0);
    reader = open_store(FAILED_READ);
    ck_assert_uint_eq(see_all(reader, NULL).count, 1);
    ck_assert_int_lt(access(log, F_OK), 0);
    failed_close(&reader);
}
END_TEST

/* Nothing more can be written: it is told, nothing of the transaction is there,
 * and what was there before is. */
START_TEST(no_room)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    static char large[100000];
    struct failed_row row = row_of(1, "x");
    struct rlimit most = { 0, 0 };
    int code = 0;

    add(store, &row);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &most), 0);
    most.rlim_cur = 400000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    signal(SIGXFSZ, SIG_IGN);
    row.data = large;
    row.size = sizeof large;
    ck_assert_int_eq(failed_begin(store, &err), 0);
    for (uint64_t i = 2; i < 1000 && code == 0; i++) {
        row.path = i;
        code = failed_add(store, &row, &err);
    }
    if (code == 0)
        code = failed_commit(store, &err);
    ck_assert_int_lt(code, 0);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot write '/tmp/weir-failed."));
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    failed_close(&store);
    store = open_store(FAILED_READ);
    ck_assert_uint_eq(see_all(store, NULL).count, 1);
    failed_close(&store);
}
END_TEST

START_TEST(what_is_no_store)
{
    struct failed_store *store = NULL;
    static char zeros[8192];

    ck_assert_int_eq(failed_open(file, FAILED_READ, &store, &err), -ENOENT);
    ck_assert_int_eq(failed_open("/proc/no/failed.db", FAILED_WRITE, &store,
                                 &err),
                     -ENOENT);
    write_file("this is a text and no store, and long enough", 44);
    ck_assert_int_eq(failed_open(file, FAILED_READ, &store, &err), WEIR_ESTATE);
    ck_assert_int_eq(failed_open(file, FAILED_WRITE, &store, &err),
                     WEIR_ESTATE);
    write_file(zeros, sizeof zeros);
    ck_assert_int_lt(failed_open(file, FAILED_READ, &store, &err), 0);
    write_file("", 0);
    ck_assert_int_eq(failed_open(file, FAILED_READ, &store, &err), -ENOENT);
    ck_assert_ptr_null(store);
}
END_TEST

static int sentence_of(struct db *db, int result, weir_error *where)
{
    (void)result;
    return error_set(where, WEIR_EBROKEN, "%s", sqlite3_errmsg(db->handle));
}

/* A row that says that it has more bytes than there are: nobody reads on. */
START_TEST(other_bytes_than_said)
{
    static const struct failed_filter all = { .with_replayed = true };
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(1, "x");
    struct seen seen = { 0 };
    struct db db = { 0 };

    add(store, &row);
    failed_close(&store);
    ck_assert_int_eq(db_connect(&db, file, SQLITE_OPEN_READWRITE, sentence_of,
                                &err),
                     0);
    ck_assert_int_eq(db_run(&db, "UPDATE item SET size = 1000000", &err), 0);
    db_close(&db);
    store = open_store(FAILED_READ);
    ck_assert_int_eq(failed_each(store, &all, true, see, &seen, &err),
                     WEIR_EBROKEN);
    ck_assert_ptr_nonnull(strstr(err.text, "is damaged"));
    ck_assert_uint_eq(seen.count, 0);
    failed_close(&store);
}
END_TEST

/* Damage is told, whichever byte it is in; no crash, and no endless loop. */
START_TEST(damaged_anywhere)
{
    struct failed_store *store = open_store(FAILED_WRITE);
    struct failed_row row = row_of(1, "x");
    CLEANUP_BUF struct buf bytes = { 0 };
    int fd;

    add(store, &row);
    failed_close(&store);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fd_slurp(fd, &bytes, 1 << 20), 0);
    close(fd);
    for (size_t i = 0; i < bytes.size; i += 61) {
        static const struct failed_filter all = { .with_replayed = true };
        struct seen seen = { 0 };
        char was = bytes.data[i];

        bytes.data[i] = (char)~was;
        write_file(bytes.data, bytes.size);
        if (failed_open(file, FAILED_READ, &store, &err) == 0) {
            failed_each(store, &all, false, see, &seen, &err);
            seen.count = 0;
            failed_each(store, &all, true, see, &seen, &err);
        }
        if (seen.count == 1) { /* with all of it: as it was written */
            ck_assert_uint_eq(seen.last.size, row.size);
            ck_assert_mem_eq(seen.data, "by\0tes", 6);
            ck_assert_mem_eq(seen.attrs, "\1\1\0ab", 5);
            ck_assert_str_eq(seen.why, row.why);
        }
        failed_close(&store);
        bytes.data[i] = was;
    }
}
END_TEST

#endif

Suite *failed_store_suite(void)
{
    Suite *s = suite_create("failed-store");
    TCase *c = tcase_create("sentence");

    tcase_add_test(c, sentences);
    tcase_add_test(c, causes);
    suite_add_tcase(s, c);
#ifdef HAVE_SQLITE
    c = tcase_create("store");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, an_item_is_kept_whole);
    tcase_add_test(c, the_same_twice_is_one);
    tcase_add_test(c, a_replay_counts_once);
    tcase_add_test(c, no_item_and_too_large);
    tcase_add_test(c, groups_by_cause);
    tcase_add_test(c, by_cause_and_id);
    tcase_add_test(c, facts_stages_parameters);
    tcase_add_test(c, prunes_by_size_and_age);
    tcase_add_test(c, cut_back_to_a_checkpoint);
    tcase_add_test(c, a_transaction_is_all_or_nothing);
    tcase_add_test(c, killed_while_it_writes);
    tcase_add_test(c, closed_it_is_one_file);
    tcase_add_test(c, no_room);
    tcase_add_test(c, what_is_no_store);
    tcase_add_test(c, other_bytes_than_said);
    tcase_add_test(c, damaged_anywhere);
    suite_add_tcase(s, c);
#endif
    return s;
}
