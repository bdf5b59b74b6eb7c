# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# rows.sh - the rows of suite.sh, which reads it; the words are explained there.
# The goals are what the project holds itself to; 1e9 over a rate is ns.
# shellcheck disable=SC2154,SC2016

python="python3 $here/with-python.py"
scan=$build/tests/bench/scan

# ---- calls -------------------------------------------------------------------

row call "a call of 64 bytes and its result, both sides awake"
variant weir "$with_weir call"
variant limit-spin "$limit spin-call"
variant pipe "$limit pipe-call"
variant seqpacket "$limit packet-call"
peer zeromq "$with_zeromq" "$with_zeromq call"
peer python-pool python3 "$python call"
peer python-executor python3 "$python executor-call"
goal most 1000
goal ratio python-pool 100

row call-asleep "the same, 2 ms after the last: the worker sleeps"
variant weir "$with_weir call-asleep"
variant limit-futex "$limit futex-call"
goal ratio limit-futex 0.77

row async "a no-op call, one at a time, two workers"
variant weir "$with_weir async 2"
peer python-async python3 "$python async 2"
peer python-executor python3 "$python executor 2"
goal most 333
goal ratio python-async 50

row map "a no-op call, many at once, two workers"
variant weir "$with_weir map 2"
peer python-map python3 "$python map 2"
goal most 83

# ---- queues ------------------------------------------------------------------

queue_row() { # SIZE NAME
    row "queue-$2" "an item of $2 from one process to another, one at a time"
    variant weir "$with_weir queue $1 1 1"
    variant limit-ring "$limit ring $1 1 1024"
    [ "$1" -ge 65536 ] || variant limit-robust "$limit robust $1 1 1"
    variant pipe "$limit pipe $1 1"
    [ "$1" -gt 131072 ] || variant seqpacket "$limit packet $1 1"
    [ "$1" -gt 8192 ] || variant mq "$limit mq $1 1"
    peer zeromq "$with_zeromq" "$with_zeromq queue $1"
    peer python-queue python3 "$python queue $1 1"
}
batch_row() { # SIZE NAME
    row "queue-$2-batch" "an item of $2 from one process to another, 32 at once"
    variant weir "$with_weir queue $1 1 32"
    variant limit-ring "$limit ring $1 32 1024"
    variant limit-robust "$limit robust $1 1 32"
}

queue_row 64 64B
goal most 200
batch_row 64 64B
goal most 50
for each in 2 4 8 16 32; do
    row "queue-64B-$each:$each" "64 bytes, $each processes put, $each get, one at a time"
    variant weir "$with_weir queue 64 $each 1"
    variant limit-robust "$limit robust 64 $each 1"
    variant pipe "$limit pipe 64 $each"
    variant mq "$limit mq 64 $each"
    [ "$each" -gt 4 ] || peer python-queue python3 "$python queue 64 $each"
    goal ratio limit-robust 1
    row "queue-64B-$each:$each-batch" "64 bytes, $each put, $each get, 32 at once"
    variant weir "$with_weir queue 64 $each 32"
    variant limit-robust "$limit robust 64 $each 32"
    goal ratio limit-robust 1
done
row queue-64B-scaling "64 bytes, 32:32 beside 2:2: no collapse"
variant weir "$with_weir queue 64 32 1"
variant weir-2:2 "$with_weir queue 64 2 1"
goal ratio weir-2:2 0.7
queue_row 1024 1KiB
goal most 333
goal ratio pipe 1
batch_row 1024 1KiB
goal most 200
queue_row 65536 64KiB
goal most 4545
goal ratio pipe 3
queue_row 1048576 1MiB
goal most 33333
row pingpong "an item of 64 bytes there and one back, by two queues"
variant weir "$with_weir pingpong 64"
variant pipe "$limit pipe-call"

# ---- jobs --------------------------------------------------------------------

# ns for one item of a job: the time of `weir run` over the number of items.
job_ns() { # ITEMS [OPTION]... FILE
    items=$1
    shift
    started=$(date +%s%N)
    "$weir" run --quiet "$@" >/dev/null || return 1
    echo $((($(date +%s%N) - started) / items))
}

# generate -> N times pass -> discard
write_chain() { # FILE ITEMS SIZE STAGES
    {
        printf 'weir: 1\njob: chain\nqueues:\n'
        n=0
        while [ "$n" -le "$4" ]; do
            printf '  q%d: { bytes: 8 MiB }\n' "$n"
            n=$((n + 1))
        done
        printf 'stages:\n  - { name: make, task: flow.generate, with: { count: %d, size: %d B }, to: q0 }\n' "$2" "$3"
        n=0
        while [ "$n" -lt "$4" ]; do
            printf '  - { name: s%d, task: flow.pass, from: q%d, to: q%d, workers: 1 }\n' "$n" "$n" $((n + 1))
            n=$((n + 1))
        done
        printf '  - { name: end, task: flow.discard, from: q%d, workers: 1 }\n' "$n"
    } >"$1"
}

chain_row() { # STAGES ITEMS
    write_chain "$work/chain-$1.yaml" "$2" 64 "$1"
    row "stages-$1" "an item of 64 bytes through a job of $1 stages, source and sink beside"
    variant weir "job_ns $2 $work/chain-$1.yaml"
}
for stages in 1 2 4 8 16 64; do
    chain_row "$stages" $((4000000 / (stages + 2)))
done

# What 16 more stages cost.
pass_row() { # SIZE ITEMS
    write_chain "$work/few-$1.yaml" "$2" "$1" 1
    write_chain "$work/many-$1.yaml" "$2" "$1" 17
    row "pass-$1" "an item of $1 bytes handed on by a stage, its bytes untouched"
    variant weir "echo \$(((\$(job_ns $2 $work/many-$1.yaml) - \$(job_ns $2 $work/few-$1.yaml)) / 16))"
    goal most 500
}
pass_row 64 100000
pass_row 65536 20000
pass_row 1048576 2000

# Items that take 10 us each, or more.
if "$weir" --version --verbose | grep -q 'sqlite: yes'; then
    write_chain "$work/journaled.yaml" 300000 32768 1
    row journal "an item of 32 KiB through a job of one stage, with a journal"
    variant weir "job_ns 300000 --journal=$work/state $work/journaled.yaml"
    variant every-200ms "job_ns 300000 --journal=$work/state --checkpoint=200ms $work/journaled.yaml"
    variant without "job_ns 300000 $work/journaled.yaml"
    goal ratio without 0.95
fi

printf 'weir: 1\njob: one\nstages:\n  - { name: make, task: flow.generate, with: { count: 1 }, to: drop }\n' \
    >"$work/one.yaml"
row start-run "weir run of a job of one stage, from exec to its end"
variant weir "job_ns 1 $work/one.yaml"
variant limit-fork "$limit start"
variant xargs "started=\$(date +%s%N); echo a | xargs -n1 true; echo \$((\$(date +%s%N) - started))"
peer parallel parallel "started=\$(date +%s%N); echo a | parallel true {}; echo \$((\$(date +%s%N) - started))"
goal most 4000000
row start-pool "context, pool of two workers, one call, all ended"
variant weir "$with_weir start"
variant limit-fork "$limit start"
peer python-pool python3 "$python start"
goal most 1500000

row idle-worker "memory (Pss) of a worker that waits, 64 of them"
unit bytes
variant weir "$with_weir idle 64"
peer python-pool python3 "$python idle 64"
goal most 153600

row recovery "from a holder's death by kill -9 to the lease of its item"
variant weir "$with_weir recovery 50"
goal most 1000000
row recovery-worst "the same, the 99.9th of 100"
variant weir "$with_weir recovery 99.9"
goal most 10000000

# 100,000 lines: as many stages as a job may have, and variables.
awk 'BEGIN {
    n = 3999
    print "weir: 1\njob: long\nvars:"
    for (i = 0; i < 13000; i++)
        print "  v" i ":\n    type: uint\n    default: " i \
            "\n    description: the variable " i
    print "queues:"
    for (i = 0; i < n; i++)
        print "  q" i ":\n    capacity: 4\n    bytes: 64 KiB"
    print "stages:"
    for (i = 0; i <= n; i++) {
        print "  - name: s" i
        print "    task: flow." (i == 0 ? "generate" : i == n ? "discard" : "pass")
        print i == 0 ? "    with: { count: 1 }" : "    from: q" i - 1
        if (i < n) print "    to: q" i
        print "    workers: 1\n    retries: ${v" i "}"
        print "    timeout: 10s\n    dispatch: sync\n    after: []"
    }
}' >"$work/long.yaml"
row check-100000 "weir check of a job file of 100,000 lines"
variant weir "started=\$(date +%s%N); $weir check $work/long.yaml >/dev/null && echo \$((\$(date +%s%N) - started))"
variant libyaml-scan "$scan $work/long.yaml"
goal ratio libyaml-scan 0.5
