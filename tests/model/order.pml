/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.pml - order: keep as a model for spin: workers that take items by
 * ticket, hold what they give behind it, and publish it when all before it is
 * done; a killer that ends them between any two stores; the owner that recovers
 * them; and a consumer that must get what was given by ticket, each once.
 * Proved of all interleavings: nothing comes twice, missing or out of order (an
 * assertion), and nobody waits for ever, with room for one as well (an invalid
 * end state).
 *
 * Names are those of core/queue/order.c. Lease and commit are steps in turn.pml;
 * here they are as long as order needs: one output of each item, one queue.
 * What is published under the output's lock is a step each for a kill, and none
 * for who waits for that lock. `next` is read before that lock is taken, and may
 * be old by then.
 *
 * Each mutation below moves or leaves out one store; check.sh compiles each of
 * them, and spin must find it.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef ROOM
#define ROOM 2 /* slots of the output queue */
#endif
#ifndef KILLS
#define KILLS 1
#endif

#define NOBODY 255

mtype = { FREE, STAGED, HELD, READY, LEASED, DONE };
mtype = { IDLE, OPEN, COMMITTED };

typedef slot {
    mtype state;
    byte owner;
    byte ticket;  /* `behind`, of an output */
    byte pos      /* of a READY output */
};

slot inq[ITEMS]; /* by ticket; all of it is READY at the start */
slot outq[ROOM];
byte tail;       /* of outq */
byte lock_out = NOBODY;

typedef member {
    mtype txn;
    byte in, in_count;   /* in[] */
    byte out, out_count; /* out[] */
    bool dead            /* killed, and not yet recovered */
};
member members[WORKERS];

byte kills;
bool token[WORKERS]; /* park: a wake on its way to this one */
bool consumer_token;

/* Ends a step that others can see: the process may end right after it. Who ends
 * later, with nothing done since, is one whose death is seen later. */
#if KILLS > 0
#define DIES                                                                 \
    if                                                                       \
    :: kills < KILLS -> kills++; members[me].dead = true; goto killed        \
    :: true                                                                  \
    fi
#else
#define DIES skip
#endif

/* The least ticket that is not done. */
#define FIND_NEXT(out)                                                       \
    out = 0;                                                                 \
    do                                                                       \
    :: out < ITEMS && inq[out].state == FREE -> out++                        \
    :: else -> break                                                         \
    od

inline wake_all()
{
    d_step {
        w = 0;
        do
        :: w < WORKERS -> token[w] = true; w++
        :: else -> break
        od;
        w = 0;
        consumer_token = true
    }
}

/* SIDE_TURN: who has the least item, when somebody has it. */
inline wake_turn()
{
    d_step {
        FIND_NEXT(w);
        if
        :: w < ITEMS && inq[w].state != READY -> token[inq[w].owner] = true
        :: else
        fi;
        w = 0
    }
}

/* order_hold: what is STAGED by this one. */
inline hold(who)
{
    atomic {
        (lock_out == NOBODY || members[lock_out].dead);
        s = members[who].out;
        if
        :: members[who].out_count > 0 && outq[s].state == STAGED &&
           outq[s].owner == who ->
#ifdef NOT_HELD
            outq[s].state = READY; outq[s].pos = tail; tail++;
#else
            outq[s].state = HELD;
#endif
            outq[s].owner = NOBODY
        :: else
        fi;
        s = 0
    }
}

/* slots_free of the input; its end may be all that others wait for. */
inline free_input(who)
{
    atomic {
        if
        :: members[who].in_count > 0 &&
           inq[members[who].in].state == DONE &&
           inq[members[who].in].owner == who ->
            inq[members[who].in].state = FREE;
            inq[members[who].in].owner = NOBODY
        :: else
        fi
    }
}

/* order_advance: HELD and behind <= next, in order. */
#ifdef NEXT_IGNORED
#define IS_DUE(t) (t < NOBODY)
#else
#define IS_DUE(t) (t < NOBODY && t <= next)
#endif
#define ADVANCE(who, STEP)                                                   \
    atomic { FIND_NEXT(next); STEP }                                         \
    atomic {                                                                 \
        (lock_out == NOBODY || members[lock_out].dead) -> lock_out = who     \
    }                                                                        \
    do                                                                       \
    :: atomic {                                                              \
        s = 0; p = ROOM; least = NOBODY;                                     \
        do                                                                   \
        :: s < ROOM && outq[s].state == HELD && outq[s].ticket < least ->    \
           least = outq[s].ticket; p = s; s++                                \
        :: s < ROOM && !(outq[s].state == HELD && outq[s].ticket < least) -> \
           s++                                                               \
        :: s == ROOM -> break                                                \
        od;                                                                  \
        s = 0;                                                               \
        if                                                                   \
        :: IS_DUE(least) ->                                                  \
           outq[p].state = READY; outq[p].pos = tail; tail++;                \
           p = 0; least = 0; STEP                                            \
        :: else -> break                                                     \
        fi                                                                   \
       }                                                                     \
    od;                                                                      \
    atomic {                                                                 \
        lock_out = NOBODY; next = 0; p = 0; least = 0; STEP                  \
    }                                                                        \
    consumer_token = true

proctype worker(byte me)
{
    byte n, s, p, w, next, least, used;
    bool all;

begin:
    atomic { members[me].txn = OPEN; DIES };
look:
    /* turn_lease, under the input's lock: the least that is READY */
    token[me] = false;
    atomic {
        all = true;
#ifdef LEASED_LAST_FIRST
        n = ITEMS;
        do
        :: n > 0 && inq[n - 1].state == READY -> n--; break
        :: n > 0 && inq[n - 1].state != READY ->
           all = all && inq[n - 1].state == FREE; n--;
           if
           :: n == 0 -> n = ITEMS; break
           :: else
           fi
        od;
#else
        n = 0;
        do
        :: n < ITEMS && inq[n].state == READY -> break
        :: n < ITEMS && inq[n].state != READY ->
           all = all && inq[n].state == FREE; n++
        :: n == ITEMS -> break
        od;
#endif
        if
        :: n < ITEMS ->
           members[me].in = n; members[me].in_count = 1;
           inq[n].state = LEASED; inq[n].owner = me; DIES; goto room
        :: n == ITEMS && all -> goto ended
        :: n == ITEMS && !all -> all = false; DIES
        fi
    };
    token[me];
    goto look;

    /* The task runs. turn_stage; who finds no room waits until it is first,
     * and the first until there is some. */
room:
    token[me] = false;
    atomic {
        (lock_out == NOBODY || members[lock_out].dead);
        FIND_NEXT(next);
        s = 0; used = 0; p = ROOM;
        do
        :: s < ROOM && outq[s].state == FREE -> p = s; s++
        :: s < ROOM && (outq[s].state == STAGED || outq[s].state == HELD) ->
           used++; s++
        :: s < ROOM && outq[s].state == READY -> s++
        :: s == ROOM -> break
        od;
        if
        :: p < ROOM && (n == next
#ifdef LAST_SLOT
                        || true
#else
                        || used + 2 <= ROOM
#endif
                       ) ->
           members[me].out = p; members[me].out_count = 1;
           outq[p].state = STAGED; outq[p].owner = me; outq[p].ticket = n;
           s = 0; p = 0; next = 0; used = 0; all = false;
           DIES;
           goto staged
        :: else -> s = 0; p = 0; next = 0; used = 0; all = false; DIES
        fi
    };
    token[me];
    goto room;

staged:
    atomic { inq[n].state = DONE; DIES };
    atomic { members[me].txn = COMMITTED; n = 0; DIES };
    /* commit_redo */
#ifdef FREE_BEFORE_HOLD
    atomic { free_input(me); DIES };
    atomic { hold(me); DIES };
#else
    atomic { hold(me); DIES };
#ifdef ADVANCE_BEFORE_FREE
    ADVANCE(me, DIES);
#endif
    atomic { free_input(me); DIES };
#endif
    /* the turn, and when all is done those that wait for an item */
    atomic {
#ifndef NO_TURN_WAKE
        wake_turn();
#endif
        FIND_NEXT(w);
        if
        :: w == ITEMS -> wake_all()
        :: else
        fi;
        w = 0;
        DIES
    };
#ifndef ADVANCE_BEFORE_FREE
    ADVANCE(me, DIES);
#endif
    atomic { members[me].in_count = 0; members[me].in = 0; DIES };
    atomic { members[me].out_count = 0; members[me].out = 0; DIES };
    goto begin;

ended:
    members[me].txn = IDLE;
    goto gone;
killed:
    /* its successor is forked into the entry when this one is recovered */
    atomic {
        !members[me].dead ->
        n = 0; s = 0; p = 0; w = 0; next = 0; least = 0; used = 0;
        all = false;
        goto begin
    }
gone:
    skip
}

/* member_recover, and the fork of a successor. */
proctype supervisor()
{
    byte n, s, p, w, next, least;

end:
    do
    :: atomic {
        (members[0].dead
#if WORKERS > 1
         || members[1].dead
#endif
#if WORKERS > 2
         || members[2].dead
#endif
        ) ->
        n = 0;
        do
        :: members[n].dead -> break
        :: else -> n++
        od;
        if
        :: lock_out == n -> lock_out = NOBODY
        :: else
        fi
       }
       if
       :: members[n].txn == COMMITTED -> hold(n); free_input(n)
       :: else ->
          atomic {
            s = members[n].out;
            if
            :: members[n].out_count > 0 && outq[s].state == STAGED &&
               outq[s].owner == n ->
               outq[s].state = FREE; outq[s].owner = NOBODY;
               outq[s].ticket = 0
            :: else
            fi;
            s = 0
          }
       fi;
       /* slots_give_back: it keeps its ticket */
       atomic {
           if
           :: members[n].in_count > 0 && inq[members[n].in].owner == n &&
              (inq[members[n].in].state == LEASED ||
               inq[members[n].in].state == DONE) ->
              inq[members[n].in].state = READY;
              inq[members[n].in].owner = NOBODY
           :: else
           fi
       }
#ifndef NO_RECOVERY_ADVANCE
       ADVANCE(n, skip);
#endif
       atomic {
           members[n].in_count = 0; members[n].in = 0;
           members[n].out_count = 0; members[n].out = 0;
           members[n].txn = IDLE;
           wake_all();
           members[n].dead = false; /* fork */
           n = 0
       }
    od
}

active proctype consumer()
{
    byte s, p, got, least, w;

    do
    :: got == ITEMS -> break
    :: else ->
        consumer_token = false;
        atomic {
            (lock_out == NOBODY || members[lock_out].dead);
            s = 0; p = ROOM; least = NOBODY;
            do
            :: s < ROOM && outq[s].state == READY && outq[s].pos < least ->
               least = outq[s].pos; p = s; s++
            :: s < ROOM && !(outq[s].state == READY && outq[s].pos < least) ->
               s++
            :: s == ROOM -> break
            od;
            if
            :: p < ROOM ->
               assert(outq[p].ticket == got); /* in order, each once */
               got++;
               outq[p].state = FREE; outq[p].ticket = 0; outq[p].pos = 0
            :: else
            fi;
            least = 0; s = 0
        }
        if
        :: p < ROOM -> p = 0; wake_turn()
        :: else -> p = 0; consumer_token
        fi
    od;
    atomic {
        s = 0;
        do
        :: s < ROOM -> assert(outq[s].state == FREE); s++
        :: s == ROOM -> break
        od
    }
}

init
{
    byte i;

    atomic {
        do
        :: i < ITEMS -> inq[i].state = READY; inq[i].owner = NOBODY; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < ROOM -> outq[i].state = FREE; outq[i].owner = NOBODY; i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WORKERS -> members[i].txn = IDLE; i++
        :: else -> break
        od;
        i = 0;
        run supervisor();
        do
        :: i < WORKERS -> run worker(i); i++
        :: else -> break
        od
    }
}
