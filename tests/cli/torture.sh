#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir torture: good jobs give the same while they are killed; tasks that are
# not safe to retry are found, and named.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin unsafe
limit=300
TMPDIR=$work/scratch
export TMPDIR
mkdir scratch

# job TASK WORKERS: what is tortured, in job.yaml.
job() {
    cat >job.yaml <<YAML
weir: 1
job: tortured
plugins: [plugins]
queues: { lines: { capacity: 64 }, out: { capacity: 64 } }
stages:
  - { name: first, task: unsafe.safe, from: stdin, to: lines, workers: $2 }
  - { name: tried, task: unsafe.$1, from: lines, to: out, workers: $2 }
  - { name: last, task: flow.pass, from: out, to: stdout }
YAML
}
go() {
    timeout -k 5 $limit weir torture "$@" <input >out 2>err
    status=$?
}
seq 500 >input

rounds=2
long && rounds=50
job safe 2
go --rounds=$rounds --seed=5 job.yaml
exits 0 'a job that is safe'
is 'each round is told' "$(grep -c '^seed [56].*: the same$' out)" 2
like 'its workers were killed' out '^seed 5: [1-9][0-9]* workers killed'
like 'and all of it' err "^weir: $rounds rounds with [1-9][0-9]* kills gave the same"
is 'nothing is left in the scratch folder' "$(ls scratch)" ''

# The runner is killed, too, in rounds with an even seed, and the run goes on
# from its journal. When it strikes follows from the clock: so a few rounds.
if weir --version --verbose | grep -q 'sqlite: yes'; then
    seed=0
    until_killed=0
    while [ "$until_killed" = 0 ] && [ $seed -lt 40 ]; do
        seed=$((seed + 2))
        go --rounds=1 --seed=$seed --json job.yaml
        until_killed=$(sed -n 's/.*"runners":\([0-9]*\).*/\1/p' out)
        [ "$status" = 0 ] || until_killed=-1
    done
    exits 0 'a job whose runner is killed'
    like 'it has a journal' out '"same":true.*"journaled":true,"runners":[1-9]'
    go --rounds=1 --seed=7 --json job.yaml
    like 'and none in each second round' out '"journaled":false,"runners":0'
    cat >lost.yaml <<'YAML'
weir: 1
job: lost
plugins: [plugins]
queues: { lines: {} }
stages:
  - { name: slow, task: unsafe.safe, from: stdin, to: lines }
  - { name: all, task: unsafe.count, from: lines, to: stdout }
YAML
    go --rounds=2 --seed=1 lost.yaml
    exits 0 'a job that cannot go on'
    like 'says so' err 'no runner is killed: a task does not save what it gathers'
    is 'and none is' "$(grep -c ', 0 runners;' out)" 2
fi

# Totals, which save their state; files of the standard sinks, in place of their
# folder.
cat >files.yaml <<'YAML'
weir: 1
job: files
plugins: [plugins]
queues: { a: { capacity: 16 }, b: {}, c: {}, words: {}, some: {} }
stages:
  - { name: read, task: unsafe.safe, from: stdin, to: { copy: [a, b, c] } }
  - { name: append, task: file.append, from: a, workers: 2,
      with: { root: results, path: "all.txt" } }
  - { name: count, task: text.count-words, from: b, to: words, workers: 2 }
  - { name: top, task: text.top, from: words, to: stdout, with: { k: 7 } }
  - { name: pick, task: text.grep, from: c, to: some,
      with: { pattern: "7" } }
  - { name: write, task: file.write, from: some,
      with: { root: results, path: "one/${item.id}", sync: false } }
YAML
if weir check files.yaml >/dev/null 2>&1; then
    seq 200 >input
    go --rounds=1 --seed=9 files.yaml
    exits 0 'files and totals'
    ok 'the real folder is not touched' test ! -e results
else
    weir check files.yaml 2>check.log
    skip 'files and totals' 'text.grep is not built'
fi
seq 500 >input

sed 's/workers: 2 }/workers: 2, order: keep }/' job.yaml >order.yaml
go --rounds=1 --seed=2 order.yaml
exits 0 'in order, byte for byte, where order is kept'

# Each kill may strike while it opens. Those who follow are forked later and
# later: half a minute.
if long; then
    cat >slow.yaml <<'YAML'
weir: 1
job: slow
plugins: [plugins]
stages:
  - { name: do, task: unsafe.slow, from: stdin, to: stdout, workers: 1 }
YAML
    seq 20 >input
    go --rounds=1 --seed=1 slow.yaml
    exits 0 'a task that takes long to open'
    seq 500 >input
fi

# What is not safe.
job number 1
go --rounds=3 --seed=1 job.yaml
exits 1 'a counter that dies with its worker'
like 'the stage is named' out "^  stage 'tried' gave other bytes than undisturbed"
like 'and what is to be seen' out 'is there [0-9]+ times?, and undisturbed'
like 'how to do it again' out '^  again: weir torture --rounds=1 --seed=[0-9]+ job.yaml$'
like 'and what it comes to' err '[123] of 3 rounds gave something else .*not safe to retry'
folder=$(sed -n 's/^  what it gave is in //p' out | head -n 1)
ok 'what it gave is kept' test -s "$folder/stdout"
rm -rf scratch/*
job attempt 2
go --rounds=3 --seed=1 --json job.yaml
exits 1 'the number of the attempt'
like 'for programs' out '^\{"seed":[0-9]+,"same":false,"found":"stage .tried. gave other bytes'
rm -rf scratch/*
job random 1
go --rounds=1 job.yaml
exits 3 'other output each time'
like 'is told, before anything is killed' err 'not the same twice, also when nobody disturbs it'

# What is refused.
cat >sink.yaml <<'YAML'
weir: 1
job: sink
plugins: [plugins]
stages:
  - { name: end, task: unsafe.sink, from: stdin }
YAML
go --rounds=1 sink.yaml
exits 2 'a sink with effects of its own'
like 'is named' err "stage 'end' is a sink .unsafe.sink. whose effects"
go --rounds=1 --effects sink.yaml
like 'with --effects it runs' err 'undisturbed it takes'
go --rounds=1 -
exits 2 'a job from standard input'
go --rounds=1 missing.yaml
exits 2 'no such job'
cat >fails.yaml <<'YAML'
weir: 1
job: fails
stages:
  - { name: read, task: file.read, from: stdin, to: stdout }
YAML
go --rounds=1 --seed=3 fails.yaml
like 'items that fail by themselves do so each time' err 'is the same twice'
is 'nothing is left behind' "$(ls scratch)" ''

# Time limits do not strike: one that hangs by itself is told of.
if long; then
    job hangs 2
    weir torture --rounds=1 job.yaml <input >out 2>err &
    pid=$!
    ok 'a job that hangs undisturbed' until_true 60 grep -q 'has not ended in' err
    kill -TERM $pid
    wait $pid
    is 'TERM ends it' $? 143
fi

# Stopped.
seq 20000 >input
job safe 1
weir torture --seconds=60 job.yaml <input >out 2>err &
pid=$!
# shellcheck disable=SC2016
until_true 20 sh -c 'test -d scratch/weir-torture.*/undisturbed'
kill -TERM $pid
wait $pid
is 'TERM ends it' $? 143
is 'with all that it had' "$(ls scratch)" ''
finish
