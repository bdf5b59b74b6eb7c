/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.c - tests of core/journal/record.c and record_read.c: what is written
 * of a run comes back, the last checkpoint alone counts, and what was not
 * finished is not there. */
#include "config.h"

#ifdef HAVE_SQLITE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/record.h"
#include "journal/seal.h"
#include "suites.h"

static weir_error err;

/* A run with one of everything. */
static void make_run(struct record_run *run)
{
    struct record_fact *fact;

    memset(run, 0, sizeof *run);
    run->name = strdup("x-1");
    run->version = strdup("0.1");
    run->job = strdup("x");
    run->file = strdup("/job.yaml");
    run->cwd = strdup("/");
    run->command = strdup("weir run");
    run->text = strdup("weir: 1\n");
    run->text_size = strlen(run->text);
    run->workers = 3;
    run->kept_bytes = 4096;
    run->kept_age_ns = FOREVER;
    run->interval_ns = NS_PER_S;
    fact = record_add_fact(run, "input", "read", "/in");
    ck_assert_ptr_nonnull(fact);
    fact->size = UINT64_MAX;
    fact->mtime_ns = -1;
    *VEC_ADD(&run->stages) = (struct record_stage){ strdup("read"),
                                                    strdup("file.lines"), 2 };
    *VEC_ADD(&run->queues) = strdup("lines");
}

static void make_store(struct record_store **store)
{
    struct record_run run;

    make_run(&run);
    ck_assert_int_eq(record_create(in_scratch("j.db"), &run, store, &err), 0);
    record_run_done(&run);
}

/* @count items "item N", a book, a state, a file and a rename. */
static void make_snapshot(struct snapshot *out, record_states *states,
                          unsigned count)
{
    struct book *book;

    memset(out, 0, sizeof *out);
    memset(states, 0, sizeof *states);
    for (unsigned i = 0; i < count; i++) {
        struct saved_slot *slot = VEC_ADD(&out->slots);

        *slot = (struct saved_slot){ .queue = i * 2 / count,
                                     .root = UINT64_MAX - i,
                                     .path = i,
                                     .skip = 3,
                                     .skip_hash = UINT64_MAX,
                                     .attempt = 2,
                                     .cause = CAUSE_EXIT,
                                     .cause_code = PARTING_PAST,
                                     .marked = i == 1,
                                     .at = out->data.size };
        buf_printf(&out->data, "item %u", i);
        slot->size = (uint32_t)(out->data.size - slot->at);
        buf_text(&out->data, "attrs");
        slot->attrs_size = 5;
    }
    book = VEC_ADD(&out->books);
    *book = (struct book){ .done = count, .ended = ENDED_STOPPED };
    memcpy(book->cursor, "here", 4);
    book->cursor_size = 4;
    *VEC_ADD(&out->sequences) = 512;
    *VEC_ADD(&out->published) = 10 + count;
    *VEC_ADD(&out->published) = 20;
    *VEC_ADD(&out->renames) = (struct saved_rename){ strdup("/a"),
                                                     strdup("/b") };
    *VEC_ADD(&out->sinks) = (struct saved_sink){
        .group = 1, .dev = 2, .ino = 3, .length = count, .path = strdup("/out")
    };
    *VEC_ADD(states) = (struct record_state){ .member = 0, .sequence = count };
    buf_printf(&states->at[0].data, "state %u", count);
}

static void checkpoint(struct record_store *store, unsigned count,
                       const char *reason)
{
    struct snapshot snapshot;
    record_states states;

    make_snapshot(&snapshot, &states, count);
    ck_assert_int_eq(record_checkpoint(store, &snapshot, &states, reason, &err),
                     0);
    snapshot_done(&snapshot);
    record_states_done(&states);
}

/* The last checkpoint has @count items, and what belongs to them. */
static void has_checkpoint(unsigned count)
{
    struct snapshot is, want;
    record_states states, want_states;

    memset(&is, 0, sizeof is);
    memset(&states, 0, sizeof states);
    ck_assert_int_eq(record_read_checkpoint(in_scratch("j.db"), &is, &states,
                                            &err),
                     0);
    make_snapshot(&want, &want_states, count);
    ck_assert_uint_eq(is.slots.count, count);
    for (unsigned i = 0; i < count; i++) {
        const struct saved_slot *slot = &is.slots.at[i];
        uint64_t number = slot->path; /* queue by queue now */
        const struct saved_slot *from = &want.slots.at[number];

        ck_assert_uint_eq(slot->queue, from->queue);
        ck_assert_uint_eq(slot->root, from->root);
        ck_assert_uint_eq(slot->skip, from->skip);
        ck_assert_uint_eq(slot->skip_hash, from->skip_hash);
        ck_assert_uint_eq(slot->attempt, from->attempt);
        ck_assert_uint_eq(slot->cause, from->cause);
        ck_assert_int_eq(slot->cause_code, from->cause_code);
        ck_assert_int_eq(slot->marked, from->marked);
        ck_assert_uint_eq(slot->size, from->size);
        ck_assert_uint_eq(slot->attrs_size, from->attrs_size);
        ck_assert_int_eq(memcmp(is.data.data + slot->at,
                                want.data.data + from->at, slot->size + 5),
                         0);
    }
    ck_assert_uint_eq(is.books.count, 1);
    ck_assert_int_eq(memcmp(is.books.at, want.books.at, sizeof *is.books.at),
                     0);
    ck_assert_uint_eq(is.published.at[0], 10 + count);
    ck_assert_str_eq(is.renames.at[0].to, "/b");
    ck_assert_uint_eq(is.sinks.at[0].length, count);
    ck_assert_uint_eq(states.count, 1);
    ck_assert_uint_eq(states.at[0].sequence, count);
    ck_assert_uint_eq(states.at[0].data.size, want_states.at[0].data.size);
    snapshot_done(&is);
    snapshot_done(&want);
    record_states_done(&states);
    record_states_done(&want_states);
}

START_TEST(a_run_comes_back)
{
    struct record_store *store;
    struct record_run is, run;

    make_store(&store);
    record_close(&store);
    ck_assert_ptr_null(store);
    record_close(&store);
    make_run(&run);
    ck_assert_int_eq(record_read(in_scratch("j.db"), &is, &err), 0);
    ck_assert_str_eq(is.name, run.name);
    ck_assert_str_eq(is.command, run.command);
    ck_assert_uint_eq(is.text_size, run.text_size);
    ck_assert_str_eq(is.text, run.text);
    ck_assert_uint_eq(is.workers, 3);
    ck_assert_int_eq(is.kept_age_ns, FOREVER);
    ck_assert_uint_eq(is.facts.count, 1);
    ck_assert_uint_eq(is.facts.at[0].size, UINT64_MAX);
    ck_assert_int_eq(is.facts.at[0].mtime_ns, -1);
    ck_assert_str_eq(is.stages.at[0].task, "file.lines");
    ck_assert_uint_eq(is.stages.at[0].workers, 2);
    ck_assert_str_eq(is.queues.at[0], "lines");
    ck_assert(!is.ended);
    ck_assert_uint_eq(is.checkpoints, 0);
    record_run_done(&is);
    record_run_done(&run);
}
END_TEST

START_TEST(the_last_checkpoint_counts)
{
    struct record_store *store;
    record_counts counts = { 0 };
    struct record_run is;

    make_store(&store);
    for (unsigned i = 0; i < 6; i++)
        checkpoint(store, 5 - i, "time");
    checkpoint(store, 4, "stop");
    record_close(&store);
    has_checkpoint(4);
    ck_assert_int_eq(record_read(in_scratch("j.db"), &is, &err), 0);
    ck_assert_uint_eq(is.checkpoints, 7);
    ck_assert_uint_eq(is.items, 4);
    ck_assert_uint_eq(is.bytes, 4 * (6 + 5));
    ck_assert_str_eq(is.reason, "stop");
    record_run_done(&is);
    ck_assert_int_eq(record_read_counts(in_scratch("j.db"), &counts, &err), 0);
    ck_assert_uint_eq(counts.count, 1);
    ck_assert_uint_eq(counts.at[0].done, 4);
    VEC_DONE(&counts);
}
END_TEST

START_TEST(an_end_and_a_new_beginning)
{
    struct record_store *store;
    struct record_run is, run;

    make_store(&store);
    checkpoint(store, 1, "time");
    ck_assert_int_eq(record_end(store, 3, 15, "why not", &err), 0);
    record_close(&store);
    ck_assert_int_eq(record_read(in_scratch("j.db"), &is, &err), 0);
    ck_assert(is.ended);
    ck_assert_int_eq(is.status, 3);
    ck_assert_int_eq(is.signal, 15);
    ck_assert_str_eq(is.why, "why not");
    record_run_done(&is);
    make_run(&run);
    record_add_fact(&run, "input", "read", "/another");
    ck_assert_int_eq(record_resume(in_scratch("j.db"), &run, &store, &err), 0);
    record_close(&store);
    record_run_done(&run);
    ck_assert_int_eq(record_read(in_scratch("j.db"), &is, &err), 0);
    ck_assert(!is.ended);
    ck_assert_ptr_null(is.why);
    ck_assert_uint_eq(is.resumed, 1);
    ck_assert_uint_eq(is.facts.count, 2);
    record_run_done(&is);
    has_checkpoint(1); /* as it was */
}
END_TEST

/* Killed before the commit: the checkpoint before counts. */
START_TEST(half_a_checkpoint_is_none)
{
    struct record_store *store;
    struct snapshot snapshot;
    record_states states;
    pid_t child;
    int status;

    /* A connection must not cross a fork: all of it is the child's. */
    child = fork();
    if (child == 0) {
        make_store(&store);
        checkpoint(store, 2, "time");
        make_snapshot(&snapshot, &states, 5);
        /* no memory for one of its bytes: the transaction is given up */
        snapshot.renames.at[0].to = NULL;
        _exit(record_checkpoint(store, &snapshot, &states, "time", &err) < 0
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    has_checkpoint(2);
}
END_TEST

START_TEST(what_never_began_is_told)
{
    struct record_run is;

    ck_assert_int_eq(record_read(in_scratch("none.db"), &is, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "start it anew"));
}
END_TEST

/* What is read is what was written, or it is told that it is not. 1: told. */
static int read_as_written(uint64_t want)
{
    struct snapshot snapshot;
    record_states states;
    struct record_run is, run;
    int code;

    memset(&snapshot, 0, sizeof snapshot);
    memset(&states, 0, sizeof states);
    code = record_read_checkpoint(in_scratch("j.db"), &snapshot, &states, &err);
    if (code == 0)
        ck_assert_uint_eq(seal_of_checkpoint(&snapshot, &states), want);
    else
        ck_assert_str_ne(err.text, "");
    snapshot_done(&snapshot);
    record_states_done(&states);
    if (record_read(in_scratch("j.db"), &is, &err) < 0)
        return 1;
    make_run(&run);
    ck_assert_str_eq(is.text, run.text);
    ck_assert_str_eq(is.cwd, run.cwd);
    ck_assert_str_eq(is.facts.at[0].value, run.facts.at[0].value);
    ck_assert_uint_eq(is.facts.at[0].size, run.facts.at[0].size);
    ck_assert_uint_eq(is.workers, run.workers);
    ck_assert(is.ended);
    ck_assert_int_eq(is.status, 3);
    record_run_done(&is);
    record_run_done(&run);
    return code < 0;
}

/* SQLite sees what has lost the form of a store, and not what has another
 * number in it. */
START_TEST(a_bit_that_has_turned_over)
{
    const char *all = getenv("WEIR_LONG");
    struct record_store *store;
    CLEANUP_BUF struct buf bytes = { 0 };
    struct snapshot want;
    record_states states;
    unsigned told = 0;
    int fd;

    make_store(&store);
    checkpoint(store, 4, "time");
    ck_assert_int_eq(record_end(store, 3, 0, NULL, &err), 0);
    record_close(&store);
    make_snapshot(&want, &states, 4);
    fd = open(in_scratch("j.db"), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(fd_slurp(fd, &bytes, 1 << 20), 0);
    for (size_t i = 0; i < bytes.size;
         i += all != NULL && *all == '1' ? 1 : 61) {
        char turned = (char)(bytes.data[i] ^ 1 << i % 8);

        ck_assert_int_eq(fd_pwrite_all(fd, &turned, 1, (off_t)i), 0);
        told += (unsigned)read_as_written(seal_of_checkpoint(&want, &states));
        ck_assert_int_eq(fd_pwrite_all(fd, &bytes.data[i], 1, (off_t)i), 0);
    }
    ck_assert_uint_gt(told, 0);
    ck_assert_int_eq(read_as_written(seal_of_checkpoint(&want, &states)), 0);
    close(fd);
    snapshot_done(&want);
    record_states_done(&states);
}
END_TEST

Suite *record_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("record");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, scratch_make, scratch_remove);
    tcase_add_test(tcase, a_run_comes_back);
    tcase_add_test(tcase, the_last_checkpoint_counts);
    tcase_add_test(tcase, an_end_and_a_new_beginning);
    tcase_add_test(tcase, half_a_checkpoint_is_none);
    tcase_add_test(tcase, what_never_began_is_told);
    tcase_add_test(tcase, a_bit_that_has_turned_over);
    suite_add_tcase(suite, tcase);
    return suite;
}

#endif
