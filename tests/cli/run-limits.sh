#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: time limits, on all that a task can do instead of returning.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >bad.yaml <<'YAML'
weir: 1
job: bad
vars: { limit: { default: 300ms } }
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 1,
      timeout: "${limit}" }
YAML
for order in spin sleep stop stubborn; do
    printf '%s\nx\n' $order |
        timeout -k 5 60 weir run --plugin-path plugins bad.yaml >out 2>err
    status=$?
    exits 1 "$order: the item fails"
    is "$order: the other does not" "$(cat out)" x
    like "$order: the words" err \
        'took longer than the time limit of the stage \(2 attempts'
    like "$order: for that time the stage was busy" err "'do' busy [1-9]"
done

# Waiting is not working: a limit far below the time that the run takes.
cat >slow.yaml <<'YAML'
weir: 1
job: slow
queues: { a: { capacity: 1 }, b: { capacity: 1 } }
stages:
  - { name: make, task: flow.generate, with: { count: 6, rate: 10 }, to: a,
      timeout: 400ms }
  - { name: pass, task: flow.pass, from: a, to: b, timeout: 400ms }
  - { name: do, task: bad.do, from: b, to: stdout, timeout: 10s }
YAML
run weir run --plugin-path plugins slow.yaml
exits 0 "who waits for items, for room, or on purpose, is not struck"
is "all came" "$(wc -l <out)" 6

cat >source.yaml <<'YAML'
weir: 1
job: source
stages:
  - { name: one, task: bad.source, with: { how: hang }, to: stdout,
      timeout: 100ms, retries: 1 }
YAML
run weir run --plugin-path plugins source.yaml
exits 3 "a source that gives nothing more, and does not end"
is "what it had given counts" "$(cat out)" one
like "the words" err "its worker was killed at its time limit 2 times"

# A task that says that it is well takes as long as it takes; who is silent does
# not.
cat >beat.yaml <<'YAML'
weir: 1
job: beat
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 0,
      heartbeat: 2s }
YAML
printf 'beat 4000\nsleep\n' >input
timeout -k 5 60 weir run --plugin-path plugins beat.yaml <input >out 2>err
status=$?
exits 1 "the silent one fails"
is "the one that beats does not" "$(cat out)" 'beat 4000'
like "the words" err 'gave no sign of life for longer than the heartbeat'

cat >soft.yaml <<'YAML'
weir: 1
job: soft
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1, retries: 0,
      timeout: { soft: 100ms, hard: 50s } }
YAML
printf 'late\nlate\n' >input
timeout -k 5 60 weir run --plugin-path plugins soft.yaml <input >out 2>err
status=$?
exits 0 "a task that asks whether it is overdue is told, each time anew"
same "and can end by itself" out input

cat >memory.yaml <<'YAML'
weir: 1
job: memory
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 1,
      memory: 150 MiB }
YAML
printf 'eat 250\nx\ny\n' >input
timeout -k 5 60 weir run --plugin-path plugins memory.yaml <input >out 2>err
status=$?
exits 1 "the item that takes too much fails"
is "the others do not" "$(sort out | tr '\n' ' ')" 'x y '
like "the words" err \
    'worker had [0-9]+ MiB, more than the memory limit of the stage \(2 att'

finish
