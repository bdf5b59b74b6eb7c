#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: time limits, on all that a task can do instead of returning.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad
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

finish
