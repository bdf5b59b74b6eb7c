/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turn.pml - lease and commit as a model for spin: workers that take items of
 * one queue and give outputs to another, a killer that ends them between any
 * two stores, the owner that recovers them, and a consumer that must get each
 * output once. Proved of all interleavings: nothing comes twice (an assertion),
 * and at the end all has come, nothing is held and nobody sleeps for ever (an
 * invalid end state or an assertion).
 *
 * Names are those of core/queue: turn_lease, turn_stage, turn_commit,
 * slots_publish, slots_free, member_recover, queue_wake_all; with -DANSWERS
 * turn_answer, with -DDIRECT what turn_get does to the input's word. A step of the
 * model is one store that others can see, or one section under a queue's lock
 * in which each store is still a step of its own for a kill: locks are robust,
 * and the rebuild that follows an owner's death reads slot words alone, so it
 * is no step here. Left out: chunks, books, files, several queues.
 *
 * Each mutation below moves or leaves out one store; check.sh compiles each of
 * them, and spin must find it.
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef ITEMS
#define ITEMS 1
#endif
#ifndef OUTPUTS
#define OUTPUTS 1 /* of each item */
#endif
#ifndef ROOM
#define ROOM 2 /* slots of the output queue */
#endif
#ifndef KILLS
#define KILLS 2
#endif

#define NOBODY 255

/* What is got in one hold (direct.c) is never LEASED. */
#ifdef DIRECT
#define TAKEN DONE
#else
#define TAKEN LEASED
#endif

/* slot.word: a state, and who holds it */
mtype = { FREE, STAGED, READY, LEASED, DONE, SPENT };
mtype = { IDLE, OPEN, COMMITTED };

typedef slot {
    mtype state;
    byte owner;
    byte item
};

slot inq[ITEMS];   /* input queue; all of it is READY at the start */
slot outq[ROOM];   /* output queue */

typedef member {
    mtype txn;
    byte in;            /* in[]: at most one, its slot + 1 */
    byte in_count;
    byte out[OUTPUTS];
    byte out_count;
    bool dead;          /* killed, and not yet recovered */
    bool asleep         /* its bit stands, and it sleeps */
};
member members[WORKERS];

byte came[ITEMS];  /* outputs of this item that the consumer has got */
byte kills;
bool token[WORKERS]; /* park: a wake on its way to this one */
bool consumer_token, consumer_asleep;
byte lock_out = NOBODY; /* who has room claimed in the output queue */

#define is_over(i) (i == ITEMS)
#define settled(n) (inq[n].state == FREE)

/* ------------------------------------------------------------ the killer --
 * Each step that others can see is followed by this: the process may end. */
#define DIES                                                                 \
    if                                                                       \
    :: kills < KILLS && ! members[me].dead -> kills++;                       \
       members[me].dead = true; goto killed                                  \
    :: true                                                                  \
    fi

inline wake_consumer()
{
    consumer_token = true
}

inline wake_workers()
{
    d_step {
        w = 0;
        do
        :: w < WORKERS -> token[w] = true; w++
        :: else -> break
        od;
        w = 0
    }
}

/* slots_publish: each slot of out[] that is still STAGED by this one. */
#ifdef BLIND_REDO
#define STILL_STAGED(who) true
#else
#define STILL_STAGED(who) (outq[s].state == STAGED && outq[s].owner == who)
#endif
#define PUBLISH(who, STEP)                                                   \
    p = 0;                                                                   \
    do                                                                       \
    :: p < members[who].out_count ->                                         \
        atomic {                                                             \
            s = members[who].out[p];                                         \
            if                                                               \
            :: STILL_STAGED(who) -> outq[s].state = READY;                   \
               outq[s].owner = NOBODY                                        \
            :: else                                                          \
            fi;                                                              \
            p++                                                              \
        }                                                                    \
        STEP                                                                 \
    :: else -> break                                                         \
    od;                                                                      \
    wake_consumer()

/* slots_free of inputs: those that are still DONE by this one. */
inline free_inputs(who)
{
    atomic {
        if
        :: members[who].in_count > 0 && inq[members[who].in].state == DONE &&
           inq[members[who].in].owner == who ->
            inq[members[who].in].state = FREE;
            inq[members[who].in].owner = NOBODY
        :: else
        fi
    }
}

/* turn_answer: DONE becomes SPENT; whoever looks for the next, or recovers it,
 * frees that whatever TXN says. */
inline spend_inputs(who)
{
    atomic {
        if
        :: members[who].in_count > 0 && inq[members[who].in].state == DONE &&
           inq[members[who].in].owner == who ->
            inq[members[who].in].state = SPENT
        :: else
        fi
    }
}

inline free_spent(who)
{
    atomic {
        if
        :: members[who].in_count > 0 && inq[members[who].in].state == SPENT &&
           inq[members[who].in].owner == who ->
            inq[members[who].in].state = FREE;
            inq[members[who].in].owner = NOBODY
        :: else
        fi
    }
}

/* slots_give_back: what is LEASED or DONE by this one is READY again. */
inline give_back(who)
{
    atomic {
        if
        :: members[who].in_count > 0 && inq[members[who].in].owner == who &&
           (inq[members[who].in].state == LEASED ||
            inq[members[who].in].state == DONE) ->
            inq[members[who].in].state = READY;
            inq[members[who].in].owner = NOBODY
        :: else
        fi
    }
}

/* slots_free of outputs: what is STAGED by this one vanishes. */
inline drop_staged(who)
{
    p = 0;
    do
    :: p < members[who].out_count ->
        atomic {
            s = members[who].out[p];
            if
            :: outq[s].state == STAGED && outq[s].owner == who ->
                outq[s].state = FREE; outq[s].owner = NOBODY
            :: else
            fi;
            p++
        }
    :: else -> break
    od
}

/* ------------------------------------------------------------- a worker -- */

proctype worker(byte me)
{
    byte n, p, s, w, made, item;
    bool all;

begin:
    /* turn_lease: TXN = OPEN; then, under the lock, in[], word = LEASED(w). */
    members[me].txn = OPEN;
    DIES;
look:
    token[me] = false;
    d_step {
        n = 0; all = true;
        do
        :: n < ITEMS && inq[n].state == READY -> break
        :: n < ITEMS && inq[n].state != READY ->
            all = all && settled(n); n++
        :: n == ITEMS -> break
        od
    }
    if
    :: is_over(n) && all -> goto ended
    :: is_over(n) && !all ->
        /* queue.sleep: the bit was set under the same lock as the test */
        members[me].asleep = true;
        DIES;
        token[me];
        members[me].asleep = false;
        goto look
    :: else
    fi;
#ifdef LEASED_BEFORE_REF
    atomic {
        if
        :: inq[n].state == READY -> inq[n].state = LEASED; inq[n].owner = me
        :: else -> goto look
        fi
    }
    DIES;
    members[me].in = n; members[me].in_count = 1;
    DIES;
#else
    /* the lock keeps others off between the two stores; not a kill */
    atomic {
        if
        :: inq[n].state == READY && inq[n].owner == NOBODY ->
            inq[n].owner = NOBODY - 1 - me; /* under the lock */
            members[me].in = n; members[me].in_count = 1
        :: else -> goto look
        fi
    }
    if
    :: kills < KILLS -> atomic {
        kills++; members[me].dead = true; inq[n].owner = NOBODY; goto killed }
    :: true
    fi;
    atomic { inq[n].state = TAKEN; inq[n].owner = me }
    DIES;
#endif

    /* The task runs: turn_stage, once for each output. */
    item = inq[n].item;
    made = 0;
#ifndef WAIT_WITH_STAGED
    /* turn_claim: room for the whole set, while nothing is staged. */
    atomic { (lock_out == NOBODY) -> lock_out = me }
    DIES;
    atomic {
        s = 0; w = 0;
        do
        :: s < ROOM -> w = w + (outq[s].state == FREE -> 1 : 0); s++
        :: s == ROOM -> break
        od
    }
    do
    :: w >= OUTPUTS -> break
    :: else ->
        token[me] = false;
        atomic {
            s = 0; w = 0;
            do
            :: s < ROOM -> w = w + (outq[s].state == FREE -> 1 : 0); s++
            :: s == ROOM -> break
            od;
        }
        if
        :: w >= OUTPUTS
        :: else -> members[me].asleep = true; DIES; token[me];
           members[me].asleep = false
        fi
    od;
#endif
    do
    :: made == OUTPUTS -> break
    :: made < OUTPUTS ->
        /* a free slot: reference first, then the word */
        atomic {
            (outq[0].state == FREE
#if ROOM > 1
             || outq[1].state == FREE
#endif
            ) ->
            s = 0;
            do
            :: outq[s].state == FREE -> break
            :: outq[s].state != FREE -> s++
            od;
#ifdef STAGED_BEFORE_REF
            outq[s].state = STAGED; outq[s].owner = me; outq[s].item = item
        }
        DIES;
        members[me].out[members[me].out_count] = s;
        members[me].out_count++;
#else
            members[me].out[members[me].out_count] = s;
            members[me].out_count++;
            /* kill here: a stale reference to a FREE slot */
            if
            :: kills < KILLS -> kills++; members[me].dead = true; goto killed
            :: true
            fi;
            outq[s].state = STAGED; outq[s].owner = me; outq[s].item = item
        }
#endif
        DIES;
        made++
    od;
#ifndef WAIT_WITH_STAGED
    atomic { lock_out == me -> lock_out = NOBODY }
    DIES;
#endif

    /* turn_done */
    inq[n].state = DONE;
    DIES;
#ifdef PUBLISH_BEFORE_COMMIT
    PUBLISH(me, ; DIES);
#endif
#ifdef FREE_BEFORE_COMMIT
    free_inputs(me);
    DIES;
#endif
    /* turn_commit: the one store */
    members[me].txn = COMMITTED;
    DIES;
#ifdef IDLE_BEFORE_PUBLISH
    members[me].txn = IDLE;
    DIES;
#endif
    /* commit_redo */
    PUBLISH(me, ; DIES);
    DIES;
#ifdef ANSWERS
    spend_inputs(me);
    DIES;
    members[me].out_count = 0;
    DIES;
    members[me].txn = OPEN;
    DIES;
    free_spent(me);
#else
    free_inputs(me);
#endif
    wake_workers(); /* its end may be all that they wait for */
    DIES;
    atomic { p = 0; s = 0; item = 0; made = 0 }
    /* the lists are emptied, then TXN is OPEN again */
    members[me].in_count = 0;
    DIES;
    members[me].out_count = 0;
    DIES;
    members[me].txn = OPEN;
    DIES;
    goto begin;

ended:
    members[me].txn = IDLE;
    goto gone;
killed:
    /* its successor is forked into the entry when this one is recovered */
    atomic {
        !members[me].dead ->
        n = 0; p = 0; s = 0; w = 0; made = 0; item = 0; all = false;
        goto begin
    }
gone:
    members[me].asleep = false
}

/* ------------------------------------------------------------- the owner --
 * Sees a death, recovers, and only then is there a successor. */
proctype supervisor()
{
    byte n, p, s, w;

end:
    do
    :: atomic {
        (members[0].dead
#if WORKERS > 1
         || members[1].dead
#endif
        ) -> n = (members[0].dead -> 0 : 1)
       }
       /* member_recover; nobody but this one is in it */
       if
       :: members[n].txn == COMMITTED -> PUBLISH(n, ); free_inputs(n)
       :: else -> drop_staged(n)
       fi;
#ifndef SPENT_FORGOTTEN
       free_spent(n);
#endif
       give_back(n);
       atomic {
           if
           :: lock_out == n -> lock_out = NOBODY
           :: else
           fi
       }
       members[n].asleep = false;
       members[n].in_count = 0;
       members[n].out_count = 0;
       members[n].txn = IDLE;
#ifndef NO_RECOVERY_WAKE
       wake_workers();
       wake_consumer();
#endif
       members[n].dead = false /* fork */
    od
}

/* ----------------------------------------------------------- the consumer -- */
active proctype consumer()
{
    byte s, w, got;

    do
    :: got == ITEMS * OUTPUTS -> break
    :: else ->
        consumer_token = false;
        atomic {
            s = 0;
            do
            :: s < ROOM && outq[s].state == READY -> break
            :: s < ROOM && outq[s].state != READY -> s++
            :: s == ROOM -> break
            od
        }
        if
        :: s < ROOM ->
            atomic {
                came[outq[s].item]++;
                assert(came[outq[s].item] <= OUTPUTS); /* never twice */
                outq[s].state = FREE;
                got++
            }
            wake_workers()
        :: else ->
            consumer_asleep = true;
            consumer_token;
            consumer_asleep = false
        fi
    od;
    /* All has come. Then all inputs are free, and no slot is held. */
    (members[0].txn == IDLE && !members[0].dead
#if WORKERS > 1
     && members[1].txn == IDLE && !members[1].dead
#endif
    );
    atomic {
        s = 0;
        do
        :: s < ITEMS -> assert(inq[s].state == FREE);
           assert(came[s] == OUTPUTS); s++
        :: s == ITEMS -> break
        od;
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
        :: i < ITEMS -> inq[i].state = READY; inq[i].owner = NOBODY;
           inq[i].item = i; i++
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
