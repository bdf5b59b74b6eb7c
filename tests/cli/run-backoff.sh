#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: `backoff`. Times are looked at from below only: a wait may be longer
# than it was asked to be, and never shorter.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >backoff.yaml <<'YAML'
weir: 1
job: backoff
vars: { retries: { default: 1 }, how: { default: async } }
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1,
      dispatch: "${how}", retries: "${retries}",
      backoff: { first: 200ms, factor: 3, most: 400ms, crash: 300ms } }
YAML

now_ms() {
    date +%s%3N
}

# waits MS NAME ITEM...: each ITEM is done in the end, after so long at least
waits() {
    least=$1 name=$2
    shift 2
    printf '%s\n' "$@" >input
    begun=$(now_ms)
    # shellcheck disable=SC2086 # options are several words
    timeout -k 5 60 weir run $options --plugin-path plugins backoff.yaml \
        <input >out 2>err
    status=$?
    took=$(($(now_ms) - begun))
    exits 0 "$name"
    sort input >want
    sort out >got
    same "$name: all came" got want
    ok "$name: after $least ms at least" test "$took" -ge "$least"
}

options=
waits 200 "an error" 'fail 1'
waits 300 "a crash waits by its own rule" 'die 1'
options=--inline
waits 200 "an error, in one process" 'fail 1'
options="--set retries=3"
waits 1000 "200 ms, then 400, which is the ceiling, and again" 'fail 3'
options="--set retries=3 --set how=sync"
waits 1000 "the same, one after another" 'fail 3' pass
is "nothing came before it" "$(head -n 1 out)" 'fail 3'

# Who waits holds nobody up: with one worker, all others come first.
cat >apart.yaml <<'YAML'
weir: 1
job: apart
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1, retries: 1,
      backoff: 3s }
YAML
(echo 'fail 1' && echo 'die 1' && seq 50) >input
timeout -k 5 60 weir run --plugin-path plugins apart.yaml <input >out 2>err
status=$?
exits 0 "two that wait, and fifty that do not"
is "the fifty came first" "$(head -n 50 out | sort -n | tr '\n' ' ')" \
    "$(seq -s ' ' 50) "


finish
