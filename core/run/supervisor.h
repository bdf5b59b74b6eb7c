/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervisor.h - the process that holds a run together. Private to core/run;
 * everything here runs in the supervisor, in one thread, and none of it waits
 * but in the one epoll_wait of supervisor.c (and, bounded, for processes that
 * it has killed).
 *
 * supervisor.c  the loop; start and end of the run
 * seats.c       workers: ordered, forked, dead, replaced; stages: started,
 *               ended; queues: closed
 * deaths.c      why they died, and how people are told
 * limits.c      time limits, the sweep, what was seen when
 * memory.c      what workers have of memory
 * recycle.c     workers that are replaced while the stage goes on
 * halt.c        too many failures; the job's deadline
 * stop.c        signals: stop, stop now, suspend, tell
 * ends.c        the two processes that read stdin and write stdout
 * keeper.c      the two that keep failed items, and feed them anew
 * journal.c     the process that writes the journal
 * goes_on.c     a run that begins where another was
 * gates.c       the processes at queues that have a name: gate.h
 * books.c       what came of it
 * progress.c    notes for people while it runs
 * wrote.c       what workers write to stderr: wrote.h
 */
#ifndef RUN_SUPERVISOR_H
#define RUN_SUPERVISOR_H

#include <signal.h>
#include <sys/types.h>

#include "queue/queue.h"
#include "run/death.h"
#include "run/halt.h"
#include "run/news.h"
#include "run/plan.h"
#include "run/run.h"
#include "run/wrote.h"
#include "shm/memory.h"

/* A worker number of a stage, and who sits there now. */
enum seat_state {
    SEAT_IDLE,    /* its stage has not started */
    SEAT_DUE,     /* to be ordered at due_ns */
    SEAT_ORDERED, /* the nursery was asked */
    SEAT_LIVE,    /* pid, pidfd */
    SEAT_VACANT,  /* its heir takes it, which the nursery was asked for */
    SEAT_ENDED,   /* nobody will sit here any more */
};

struct seat {
    unsigned member, stage, index;
    enum seat_state state;
    pid_t pid;
    int pidfd;
    bool ready;    /* its task is open */
    bool unopened; /* it said why not */
    int64_t due_ns, started_ns;
    uint64_t settled;    /* in its book when it started */
    unsigned young;      /* deaths in a row that came early, without progress */
    unsigned closed;     /* in a row before the task was open */
    unsigned cut_off;    /* the same, by somebody else's doing */
    unsigned refused;    /* forks in a row */
    int saved_fds[2];    /* what its task saved; -1: it does not */
    bool wish;           /* it has done its share, or is large: recycle.c */
    bool large;          /* it was so from the start */
    bool asked;          /* to leave */
    struct wrote *wrote; /* of its worker; NULL: wrote.h */

    /* Time limit: the turn that was seen last, and since when it stands. */
    uint64_t turn;
    int64_t turn_since;
    uint64_t beat; /* and the sign of life */
    int64_t beat_since;
    bool told;                  /* that it is overdue */
    bool told_open, told_close; /* people: that it takes long */
    bool struck;
    struct death verdict; /* why: of our own kill */
    int64_t kill_ns;
    bool killed;
};

/* The process of a stage that is none of its workers: it follows one, or was
 * one. recycle.c */
enum spare_state { SPARE_NONE, SPARE_ORDERED, SPARE_HEIR, SPARE_LEAVER };

struct spare {
    enum spare_state state;
    unsigned member; /* whose seat it takes, or has had */
    pid_t pid;
    int pidfd;
    int turn_fd; /* of an heir: where it hears of its turn */
    struct wrote *wrote;
    bool open;           /* of an heir: its task is */
    bool unopened;       /* it said why not */
    bool unwanted;       /* it is to go, when it has come */
    bool struck, killed; /* it takes too long; SIGTERM did not help */
    bool told;           /* that it takes long */
    int64_t since_ns;    /* an heir opens; a leaver closes, or was struck */
    int64_t due_ns;      /* no heir before that time */
    unsigned failed;     /* heirs in a row that did not come to serve */
};

/* Workers of a stage that died with nothing in hand that could be charged, in a
 * row in which it has not got on. deaths.c */
struct idle_deaths {
    int64_t since_ns;
    uint64_t settled;     /* by the stage, all the time */
    unsigned own, others; /* by their own fault, or by somebody else's doing */
};

struct stage {
    const struct job_stage *job;
    bool started, ended;
    unsigned live; /* seats that have not ended */
    uint64_t deaths;
    int64_t lost_ns; /* for which workers had items in hand that killed them */
    int64_t told_ns; /* deaths: when the first of these was told */
    unsigned told, untold;
    struct idle_deaths idle;
    int64_t memory_bytes;
    struct spare spare;
    int64_t open_ns; /* the longest that its task has taken to open */
    uint64_t recycled;
    bool told_large;
    struct halt_state halt;
    uint64_t before_failed, before_all; /* in the run that goes on here */
};

/* The process at stdin or stdout. */
struct end {
    const char *what;
    unsigned member;
    pid_t pid; /* 0: there is none */
    int pidfd;
    bool ended;
};

struct gate; /* gate.h */

struct supervisor {
    const struct run_options *options;
    struct job *job;
    const struct job_options *job_options;
    struct run_report *report;
    struct plan plan;
    struct segment *segment;
    struct nursery *nursery;
    unsigned nursery_failed; /* in a row */
    int64_t nursery_due_ns;  /* when another may be started */

    struct seat *seats; /* by member number */
    struct stage *stages;
    bool *closed; /* queues of the segment */
    bool changed; /* a stage or the reader has ended: what follows from it? */
    bool adopts;  /* orphans of the nursery come to this process */
    struct end reader, writer;
    struct end keeper, feeder; /* keeper.c; ended when there is none */
    struct end journal;        /* journal.c; the same */
    int journal_fd;            /* to it; -1 */
    int journal_lock;          /* of the run's folder, its owner's; -1 */
    bool journal_ready;
    bool journal_told;         /* that it ends: its death is no loss */
    unsigned journal_done;     /* checkpoints that were asked for */
    int input, output;         /* the run's ends */
    int own_input, own_output; /* the same, opened here; -1 */
    uint64_t keeper_done;      /* in its book, when it started */
    unsigned keeper_deaths;    /* in a row, without progress */
    uint64_t feeder_done;
    unsigned feeder_deaths;
    struct gate *gates;
    unsigned gate_count;

    int epoll, signals, news_in, news_out, stop_fd, segment_fd;
    sigset_t mask_before;
    struct sigaction pipe_before;
    VEC(pid_t) spare; /* children that this process had before */

    int64_t started_ns;
    int64_t now;
    int64_t swept_ns, noted_ns;
    int64_t memory_ns; /* when workers' memory is measured again */
    struct memory_kills kills, kills_older;
    int64_t kills_ns; /* when they were looked at */
    uint64_t settled; /* by all stages, when that was asked last */
    pid_t holder;     /* a lock's, at the last sweep */
    unsigned holder_seen;

    unsigned stops; /* how often it was told to stop */
    int signal;     /* that stopped it */
    int64_t end_ns; /* stop now: until then processes may end by themselves */
    bool over;      /* leave the loop */
    char *why;      /* the run cannot go on */
    char *halted;   /* it could, and is not to: why, once it has ended */
    int64_t deadline_ns; /* the job's; FOREVER: none */

    int wrote_epoll; /* of what workers write; -1: they have stderr itself */
    bool wrote_watched;
    struct last_words *last_words; /* NULL: there are none */

    struct buf notes;   /* not yet written */
    bool notes_watched; /* for room to write them */
    unsigned rows;      /* of the progress block on the screen */
    uint64_t noted;     /* what the last line told, as a number */
};

/* Which descriptor an event is about. */
enum watch {
    WATCH_NURSERY,
    WATCH_SIGNALS,
    WATCH_NEWS,
    WATCH_SEAT,
    WATCH_SPARE,
    WATCH_END,
    WATCH_JOURNAL,
    WATCH_GATE,
    WATCH_WROTE,
    WATCH_NOTES,
};
/* WATCH_END */
enum { END_READER, END_WRITER, END_KEEPER, END_FEEDER, END_JOURNAL };
int supervisor_watch(struct supervisor *sup, int fd, enum watch watch,
                     unsigned number);
void supervisor_unwatch(struct supervisor *sup, int fd);
/* The run cannot go on: the first reason counts. */
void supervisor_fail(struct supervisor *sup, const char *format, ...)
    WEIR_PRINTF(2, 3);
void supervisor_hear_news(struct supervisor *sup);
/* "read.2", "stdin": what people know this member by. */
const char *supervisor_who(const struct supervisor *sup, unsigned member,
                           char *out, size_t room);
/* A lock that somebody stopped holds: not now. True: nobody does. */
bool supervisor_locks_free(struct supervisor *sup);

/* --- seats.c --- */
int seats_init(struct supervisor *sup, weir_error *err);
void seats_done(struct supervisor *sup);
int seat_open_saved(struct seat *seat);
/* Where that cannot be seen, the run fails. */
bool seat_is_dead(struct supervisor *sup, int pidfd);
/* A process that was killed; with a bound. */
void seat_wait_dead(int pidfd);
/* How far this member is: changes whenever it gets on. */
uint64_t seat_settled(const struct supervisor *sup, unsigned member);
void seats_start_stages(struct supervisor *sup);
/* Orders all that is due. Returns when the next one is, absolute. */
int64_t seats_order(struct supervisor *sup);
void seats_nursery(struct supervisor *sup);
/* When there is none. Returns when it wants to be called again, absolute. */
int64_t seats_new_nursery(struct supervisor *sup);
void seats_died(struct supervisor *sup, unsigned member);
/* Nobody has said anything here. */
void seats_clear(struct seat *seat);
/* This process sits there from now on. */
void seats_sit(struct supervisor *sup, struct seat *seat, pid_t pid, int pidfd);
/* Asks the nursery for one that follows in this seat; the answer goes to
 * recycle_answer. */
int seats_order_heir(struct supervisor *sup, struct seat *seat, int turn_fd,
                     struct wrote **wrote);
/* The stage has one process less: it has ended with the last one. */
void seats_stage_empty(struct supervisor *sup, unsigned number);
void seats_close_queues(struct supervisor *sup);
bool seats_all_ended(const struct supervisor *sup);
void seats_signal(struct supervisor *sup, int signal);
/* All that live are dead, their leases given back. */
void seats_end(struct supervisor *sup);
const char *seats_task(const struct supervisor *sup, unsigned stage, char *out,
                       size_t room);

/* Of two times, or lengths of time; FOREVER is none. */
static inline int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- recycle.c --- */
void recycle_init(struct stage *stage);
/* Returns when it must be called again, absolute. */
int64_t recycle_watch(struct supervisor *sup);
/* What the nursery says of a stage's spare. */
void recycle_answer(struct supervisor *sup, unsigned number,
                    const struct nursery_event *event);
/* A task of this stage has opened, since that time. */
void recycle_note_open(struct supervisor *sup, unsigned number,
                       int64_t since_ns);
/* What is said in the name of this seat: by its heir; by who has left it. */
void recycle_hear_open(struct supervisor *sup, const struct seat *seat);
bool recycle_hear_unopened(struct supervisor *sup, const struct seat *seat,
                           const char *text);
void recycle_left(struct supervisor *sup, struct seat *seat);
/* It is dead, and had left before: nothing is to be recovered. */
bool recycle_had_left(struct supervisor *sup, struct seat *seat);
/* Its worker is dead and recovered: the heir follows. False: there is none. */
bool recycle_follow(struct supervisor *sup, struct seat *seat);
/* Nobody is to follow here any more. */
void recycle_drop(struct supervisor *sup, const struct seat *seat);
void recycle_died(struct supervisor *sup, unsigned number);
void recycle_nursery_gone(struct supervisor *sup);
void recycle_signal(struct supervisor *sup, int signal);
void recycle_shift(struct supervisor *sup, int64_t ns);
void recycle_status(struct supervisor *sup);
void recycle_end(struct supervisor *sup);

/* --- deaths.c --- */
/* How this worker ended, and that it is noted: after it was recovered. */
struct death deaths_of(struct supervisor *sup, const struct seat *seat);
/* The same of a process that has no entry. */
struct death deaths_of_pid(struct supervisor *sup, pid_t pid);
/* Many are a line now and then. */
bool deaths_may_tell(struct supervisor *sup, struct stage *stage);
void deaths_tell(struct supervisor *sup, const struct seat *seat,
                 const struct death *death, const struct recovered *hand,
                 unsigned tries);
/* What it wrote, for who gives up the item that it has in hand: before that is
 * recovered. */
void deaths_leave_words(struct supervisor *sup, const struct seat *seat);
/* It died with nothing in hand, while it waited for something or at work: a
 * stage that does nothing else ends the run. */
void deaths_count(struct supervisor *sup, const struct seat *seat,
                  const struct death *death, bool waited);
/* Else somebody else's: who kills from outside, or the nursery, may do so as
 * often as he likes. */
bool deaths_own_fault(const struct death *death);
/* What the kernel counts is looked at now and then. */
void deaths_watch(struct supervisor *sup);

/* --- limits.c --- */
/* Returns when it must be called again, absolute. */
int64_t limits_watch(struct supervisor *sup);
/* memory.c. The same. */
int64_t memory_watch(struct supervisor *sup);
void limits_shift(struct supervisor *sup, int64_t ns);
/* The time is @now, and this process was to go on by @until. */
void limits_awake(struct supervisor *sup, int64_t until, int64_t now);
void limits_sweep(struct supervisor *sup);

/* --- halt.c --- */
/* Returns when it must be called again, absolute. */
int64_t halt_watch(struct supervisor *sup);
/* Its workers begin now: what their books have is of the run before. */
void halt_begin(struct supervisor *sup, unsigned number);
/* How near they are, in lines for people. */
void halt_status(struct supervisor *sup, struct buf *out);
/* When nobody else is left: the reason, if there is one, is the run's. */
void halt_end(struct supervisor *sup);

/* --- stop.c --- */
int stop_init(struct supervisor *sup);
void stop_done(struct supervisor *sup);
void stop_hear(struct supervisor *sup);
/* Sources end; what is in flight finishes. */
void stop_sources(struct supervisor *sup);
/* What is in flight goes back, and all end. */
void stop_at_once(struct supervisor *sup);

/* --- ends.c --- */
int ends_start(struct supervisor *sup, weir_error *err);
void ends_died(struct supervisor *sup, struct end *end);
void ends_signal(struct supervisor *sup, int signal);
void ends_end(struct supervisor *sup);

/* --- gates.c --- */
/* Before anything starts: WEIR_ECLOSED and the like, with a sentence. */
int gates_open(struct supervisor *sup, weir_error *err);
/* Forks all that are due. Returns when the next one is, absolute. */
int64_t gates_start(struct supervisor *sup);
void gates_died(struct supervisor *sup, unsigned number);
/* Whether others may still fill this queue of the segment. */
bool gates_fill(const struct supervisor *sup, unsigned queue);
bool gates_ended(const struct supervisor *sup);
bool gates_have(const struct supervisor *sup, pid_t pid);
void gates_signal(struct supervisor *sup, int signal);
/* Nothing more comes in; @now: nothing goes out, either. */
void gates_stop(struct supervisor *sup, bool now);
void gates_end(struct supervisor *sup);
void gates_done(struct supervisor *sup);
void gates_status(struct supervisor *sup);

/* --- reader.c, writer.c: in the two processes --- */
struct end_place {
    struct segment *segment;
    struct member *member;
    unsigned number; /* member */
    unsigned queue;
    uint32_t capacity;
    uint64_t bytes;
    unsigned report;
    int kept; /* the keeper's queue; PLAN_NONE */
    int fd;   /* stdin, stdout */
    int news, stop_fd;
    bool journaled;
    enum stdin_as as;
    enum frame frame;
};
int reader_main(struct end_place *place);
int writer_main(struct end_place *place);

/* --- keeper.c --- */
/* Both processes, where the run has them. */
int keeper_start(struct supervisor *sup, weir_error *err);
/* They may die: what they had in hand comes back, and a successor goes on. */
void keeper_died(struct supervisor *sup, struct end *end);
/* When nobody else is left: all that waits is kept. */
void keeper_end(struct supervisor *sup);

/* --- journal.c --- */
/* What is there before the segment is anybody's: it goes on from a checkpoint.
 */
int journal_restore(struct supervisor *sup, weir_error *err);
/* The journal's process, and the first checkpoint. */
int journal_start(struct supervisor *sup, weir_error *err);
void journal_hear(struct supervisor *sup);
void journal_died(struct supervisor *sup);
/* When nobody else is left: the last checkpoint. */
void journal_last(struct supervisor *sup);
/* How the run has ended; the process ends. */
void journal_end(struct supervisor *sup);

/* --- ends.c, also for keeper.c --- */
/* Forked, in this process group, with the ignored signals of one; 0 in the
 * child, which has @fds. */
pid_t ends_fork(struct supervisor *sup, struct end *end, const int *fds,
                size_t count);
void ends_take_away(struct supervisor *sup, struct end *end);
/* It has died: says how, recovers what it held, and takes it away. False: it
 * does not run, or it cannot be recovered yet. */
bool ends_bury(struct supervisor *sup, struct end *end, struct death *out);
/* In the child: a member, with a segment that is its own. */
int ends_enter(struct segment *segment, unsigned number, struct member **out);
/* Its end: 0, or why not, and then the member is left as that of a dead one. */
_Noreturn void ends_leave(int code, struct member **member);

/* --- books.c --- */
void books_close(struct supervisor *sup);

/* --- progress.c --- */
/* Returns when it wants to be called again, absolute. */
int64_t progress_note(struct supervisor *sup);
void progress_status(struct supervisor *sup);
void progress_clear(struct supervisor *sup);
/* At the end of the run: waits until all is written, or it is told to stop. */
void progress_finish(struct supervisor *sup);
/* Lines that a worker has written. */
void progress_pass(struct supervisor *sup, unsigned member, const char *lines,
                   size_t size);
void progress_say(struct supervisor *sup, enum log_level level,
                  const char *format, ...) WEIR_PRINTF(3, 4);
/* Writes what waits, as far as it goes without waiting. */
void progress_flush(struct supervisor *sup);

#endif
