# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# rows.sh - the rows of suite.sh, which reads it; the words are explained there.
# The goals are what the project holds itself to; 1e9 over a rate is ns.
# shellcheck disable=SC2154,SC2016

python="python3 $here/with-python.py"
scan=$build/tests/bench/scan
count=$build/tests/bench/count
tree=$build/tests/bench/tree

# ---- calls -------------------------------------------------------------------

row call "a call of 64 bytes and its result, both sides awake"
variant weir "$with_weir call"
variant limit-spin "$limit spin-call"
variant pipe "$limit pipe-call"
variant seqpacket "$limit packet-call"
peer zeromq "$with_zeromq" "$with_zeromq call"
peer gearman "$with_gearman gearmand" "$with_gearman call"
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
peer gearman "$with_gearman gearmand" "$with_gearman async 2"
peer python-async python3 "$python async 2"
peer python-executor python3 "$python executor 2"
goal most 333
goal ratio python-async 50

row map "a no-op call, many at once, two workers"
variant weir "$with_weir map 2"
peer python-map python3 "$python map 2"
goal most 83

row calls-256-workers "a no-op call, many at once, 256 workers"
variant weir "$with_weir map 256"
variant weir-2 "$with_weir map 2"
goal ratio weir-2 0.7

# ---- queues ------------------------------------------------------------------

queue_row() { # SIZE NAME
    row "queue-$2" "an item of $2 from one process to another, one at a time"
    [ "$1" -lt 65536 ] || moves "$1"
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

many_row() { # SIZE NAME EACH
    row "queue-$2-$3:$3" "$2, $3 processes put, $3 get, one at a time"
    [ "$1" -lt 65536 ] || moves "$1"
    variant weir "$with_weir queue $1 $3 1"
    [ "$1" -ge 65536 ] || variant limit-robust "$limit robust $1 $3 1"
    variant pipe "$limit pipe $1 $3"
    [ "$1" -gt 8192 ] || variant mq "$limit mq $1 $3"
    [ "$3" -gt 4 ] || peer python-queue python3 "$python queue $1 $3"
}
latency_row() { # SIZE NAME
    row "pingpong-$2" "an item of $2 there and one back, by two queues"
    [ "$1" -lt 65536 ] || moves $(($1 * 2))
    variant weir "$with_weir pingpong $1"
    variant pipe "$limit pipe-call $1"
}

queue_row 64 64B
goal most 200
batch_row 64 64B
goal most 50
for each in 2 4 8 16 32; do
    many_row 64 64B $each
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
for each in 2 4 32; do
    many_row 1024 1KiB $each
    many_row 65536 64KiB $each
    many_row 1048576 1MiB $each
done
row queue-256MiB "an item of 256 MiB, written and read in place, one at a time"
moves 268435456
variant weir "$with_weir queue 268435456 1 1 1024"
variant limit-ring "$limit ring 268435456 1 4"
goal ratio limit-ring 0.8
latency_row 64 64B
latency_row 1024 1KiB
latency_row 65536 64KiB
latency_row 1048576 1MiB
row capacity-1000000 "64 bytes: a queue of 1,000,000 filled, then emptied, by one process"
variant weir "$with_weir fill 1000000"
variant weir-1000 "$with_weir fill 1000"
variant limit-1000000 "$limit fill 1000000"
variant limit-1000 "$limit fill 1000"
# An item has four cache lines where the bare ring has one: cell, link, chunk
# and the bytes.
goal extra weir-1000 limit-1000000 limit-1000 4

# Who waits awake there uses up what the other side needs.
if make_half; then
    row half-call "a call, all in a cgroup that may use half a processor"
    variant weir "in_half $with_weir call"
    variant pipe "in_half $limit pipe-call"
    goal ratio pipe 0.7
    row half-queue "an item of 64 bytes, one at a time, all in such a cgroup"
    variant weir "in_half $with_weir queue 64 1 1"
    variant limit-robust "in_half $limit robust 64 1 1"
    variant pipe "in_half $limit pipe 64 1"
    goal ratio pipe 0.7
fi

# ---- jobs --------------------------------------------------------------------

chain_row() { # STAGES ITEMS
    write_chain "$work/chain-$1.yaml" "$2" 64 "$1"
    row "stages-$1" "an item of 64 bytes through a job of $1 stages, source and sink beside"
    variant weir "job_ns $2 $work/chain-$1.yaml"
    variant limit-robust "$limit chain 64 $1 32"
    [ "$1" -ge 16 ] || return 0
    variant weir-1 "job_ns 1300000 $work/chain-1.yaml"
    goal ratio weir-1 "$(awk -v n="$1" 'BEGIN { printf "%.3f", 1.8 / (n + 1) }')"
}
# One stage has two queues, 16 have 17: 8.5 times as much is linear; a tenth more
# is let pass.
for stages in 1 2 4 8 16 64; do
    chain_row "$stages" $((4000000 / (stages + 2)))
done

# What 16 more stages cost.
pass_row() { # SIZE ITEMS
    write_chain "$work/few-$1.yaml" "$2" "$1" 1
    write_chain "$work/many-$1.yaml" "$2" "$1" 17
    row "pass-$1" "an item of $1 bytes handed on by a stage, its bytes untouched"
    moves "$1"
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
# 10^8 of them: growth.sh.
write_chain "$work/items-few.yaml" 100000 64 1
write_chain "$work/items-many.yaml" 10000000 64 1
row items-10000000 "an item of 64 bytes through a job of one stage that has 10,000,000"
variant weir "job_ns 10000000 $work/items-many.yaml"
variant weir-100000 "job_ns 100000 $work/items-few.yaml"
goal ratio weir-100000 0.9

# ---- whole jobs ----------------------------------------------------------------

# This machine's own texts, again and again, in files of some 64 MB.
make_texts() {
    [ ! -d "$work/texts" ] || return 0
    mkdir "$work/texts"
    find /usr/share/common-licenses /usr/share/doc /usr/include -type f \
        ! -name '*.gz' -size -1000k -exec cat {} + 2>/dev/null |
        head -c 64000000 >"$work/part"
    part=$(wc -c <"$work/part")
    left=$((megabytes * 1000000))
    n=100
    while [ "$left" -gt 0 ]; do
        n=$((n + 1))
        head -c "$left" "$work/part" >"$work/texts/$n"
        left=$((left - part))
    done
    rm "$work/part"
}

# Each prints the words; all must print the same.
words_weir() {
    "$weir" run --quiet "$top/jobs/top-words.yaml" --set corpus="$work/texts/*"
}
words_ring() { "$count" --ring 2 20 "$work"/texts/*; }
words_one() { "$count" --top 20 "$work"/texts/*; }
words_xargs() {
    printf '%s\n' "$work"/texts/* |
        xargs -P2 -I{} sh -c "'$count' --rows <{} >{}.rows" &&
        cat "$work"/texts/*.rows | "$count" --sum 20
    rm -f "$work"/texts/*.rows
}
words_pipepart() {
    for text in "$work"/texts/*; do
        parallel --pipepart -a "$text" -j2 --block 4M "$count" --rows
    done | "$count" --sum 20
}
words_pipe() {
    cat "$work"/texts/* | parallel --pipe -j2 --block 4M "$count" --rows |
        "$count" --sum 20
}
words_python() { python3 "$here/count.py" 20 "$work"/texts/*; }
words_ns() { # HOW
    started=$(date +%s%N)
    "words_$1" >"$work/words" || return 1
    echo $(($(date +%s%N) - started))
    [ -e "$work/words.first" ] || cp "$work/words" "$work/words.first"
    cmp "$work/words" "$work/words.first" >&2
}

megabytes=${WEIR_BENCH_MB:-1000}
row top-words "the 20 most frequent words of $megabytes MB of text"
moves $((megabytes * 1000000))
prepare make_texts
variant weir "words_ns weir"
variant limit-ring "words_ns ring"
variant one-process "words_ns one"
variant xargs-parts "words_ns xargs"
peer parallel-parts parallel "words_ns pipepart"
peer parallel-pipe parallel "words_ns pipe"
peer python python3 "words_ns python"
goal ratio limit-ring 0.9
goal ratio xargs-parts 1.2
goal ratio python 7

# The Pss of a process and all below it, kB.
memory_of() {
    awk '/^Pss:/ { print $2 }' /proc/"$1"/smaps_rollup 2>/dev/null || :
    cat /proc/"$1"/task/*/children 2>/dev/null | tr ' ' '\n' |
        while read -r child; do memory_of "$child"; done
}
words_peak() { # HOW
    "words_$1" >"$work/words" 2>/dev/null &
    most=0
    while kill -0 $! 2>/dev/null; do
        now=$(memory_of $! | awk '{ sum += $1 } END { print sum + 0 }')
        [ "$now" -le "$most" ] || most=$now
        sleep 0.1
    done
    wait $! && echo $((most * 1024))
}
row top-words-memory "its most memory (Pss) of all processes, looked at 10 times a second"
unit bytes
prepare make_texts
variant weir "words_peak weir"
variant limit-ring "words_peak ring"
peer parallel-pipe parallel "words_peak pipe"
peer python python3 "words_peak python"

# Files of 1 to 9 KB of text, 1,000 a folder.
files=${WEIR_BENCH_FILES:-100000}
make_tree() {
    [ ! -d "$work/files" ] || return 0
    mkdir "$work/files"
    find /usr/share/common-licenses /usr/share/doc /usr/include -type f \
        ! -name '*.gz' -size -1000k -exec cat {} + 2>/dev/null |
        head -c 16000000 >"$work/part"
    awk -v work="$work" -v files="$files" 'BEGIN {
        RS = "^$"
        getline text <(work "/part")
        size = length(text) - 10000
        for (i = 0; i < files; i++) {
            folder = sprintf("%s/files/d%04d", work, i / 1000)
            if (i % 1000 == 0) system("mkdir " folder)
            path = sprintf("%s/f%07d", folder, i)
            printf "%s", substr(text, 1 + i * 7919 % size, 1000 + i * 31 % 8000) >path
            close(path)
        }
    }'
    rm "$work/part"
    mkdir "$work/some"
    find "$work/files" -type f | sort | head -n 1000 >"$work/some.names"
}
pack_weir() {
    "$weir" run --quiet "$top/jobs/compress-tree.yaml" --set sync=false \
        --set from="$work/files" --set to="$work/packed"
}
pack_ring() { "$tree" limit "$work/files" "$work/packed" 2; }
pack_xargs() {
    mkdir -p "$work/packed" &&
        find "$work/files" -type f -print0 |
        xargs -0 -P2 -n1000 "$tree" one "$work/packed"
}
pack_each() { xargs -P2 -n1 "$tree" one "$work/some" <"$work/some.names"; }
pack_parallel() {
    parallel -j2 "$tree" one "$work/some" {} <"$work/some.names"
}
pack_ns() { # FILES HOW
    rm -rf "$work/packed"
    started=$(date +%s%N)
    "pack_$2" >/dev/null || return 1
    echo $((($(date +%s%N) - started) / $1))
}
if "$weir" plugins zstd >/dev/null 2>&1; then
    row tree "a file of a tree of $files (1 to 9 KB) compressed into another tree; a process for each: over 1,000 of them"
    prepare make_tree
    variant weir "pack_ns $files weir"
    variant limit-ring "pack_ns $files ring"
    variant xargs-n1000 "pack_ns $files xargs"
    variant xargs-n1 "pack_ns 1000 each"
    peer parallel parallel "pack_ns 1000 parallel"
    goal ratio limit-ring 0.9
    goal ratio xargs-n1 90
fi

# ---- start, rest, death --------------------------------------------------------

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

# What an idle job asks for, seen by strace, and how long it runs, seen by the
# kernel. A run waits for its input; its supervisor and nursery are the first two.
printf 'weir: 1\njob: idle\nqueues: { out: {} }\nstages:\n  - { name: work, task: flow.pass, from: stdin, to: out, workers: 2 }\n  - { name: end, task: flow.discard, from: out, workers: 1 }\n' \
    >"$work/idle.yaml"
pids_of() {
    echo "$1"
    cat /proc/"$1"/task/*/children 2>/dev/null | tr ' ' '\n' |
        while read -r child; do pids_of "$child"; done
}
calls_of() { # SECONDS PID...
    seconds=$1
    shift
    # shellcheck disable=SC2046
    timeout -s INT "$seconds" strace -q -f -c -o "$work/strace" \
        $(printf -- '-p%s ' "$@") 2>"$work/strace.said" || [ $? -eq 124 ] ||
        { cat "$work/strace.said" >&2; return 1; }
    awk '$NF == "total" { calls = $4 } END { print calls + 0 }' "$work/strace"
}
runtime_of() { # SECONDS PID...: ns of a second
    seconds=$1
    shift
    before=$(for pid; do cat "/proc/$pid/schedstat"; done | awk '{ sum += $1 } END { print sum }')
    sleep "$seconds"
    after=$(for pid; do cat "/proc/$pid/schedstat"; done | awk '{ sum += $1 } END { print sum }')
    echo $(((after - before) / seconds))
}
# Its pids are $supervisor and $workers; `held` holds it.
hold_run() {
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    "$weir" run --quiet "$work/idle.yaml" <"$work/fifo" &
    supervisor=$!
    exec 9>"$work/fifo"
    echo one >&9
    until [ "$(pids_of $supervisor | wc -l)" -ge 6 ]; do sleep 0.1; done
    sleep 1
    workers=$(pids_of $supervisor | tail -n +3 | tr '\n' ' ')
}
hold_pool() {
    rm -f "$work/fifo"
    mkfifo "$work/fifo"
    "$with_weir" rest 2 <"$work/fifo" >"$work/resting" &
    supervisor=$!
    exec 9>"$work/fifo"
    until grep -q ready "$work/resting"; do sleep 0.1; done
    workers=$(sed 's/ready//' "$work/resting")
}
# MEASURE of WHO of a WHAT that is held.
held() { # run|pool calls_of|runtime_of SECONDS supervisor|workers|all
    "hold_$1"
    case $4 in
    supervisor) who=$supervisor ;;
    workers) who=$workers ;;
    *) who=$(pids_of "$supervisor") ;;
    esac
    # shellcheck disable=SC2086
    "$2" "$3" $who
    good=$?
    exec 9>&-
    wait "$supervisor"
    return $good
}
if has strace; then
    row idle-run-calls "system calls of all workers of a run that waits for input, in 10 s"
    unit calls
    variant weir "held run calls_of 10 workers"
    goal most 0
    row idle-supervisor "system calls of its supervisor, in 10 s"
    unit calls
    variant weir "held run calls_of 10 supervisor"
    goal most 11
    row idle-pool-calls "system calls of two workers of a pool without calls, in 10 s"
    unit calls
    variant weir "held pool calls_of 10 workers"
    goal most 0
else
    echo idle-calls >>"$work/absent"
fi
row idle-run "processor time of all processes of a run that waits for input, in 1 s"
variant weir "held run runtime_of 5 all"
goal most 1000000
row idle-pool "processor time of a pool of two and its program, without calls, in 1 s"
variant weir "held pool runtime_of 5 all"
goal most 1000000

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
