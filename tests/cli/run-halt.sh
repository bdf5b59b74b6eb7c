#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: what ends a run that could go on: `halt` and `deadline`.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >halt.yaml <<'YAML'
weir: 1
job: halt
vars: { halt: {} }
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 0,
      halt: "${halt}" }
YAML

# halts STATUS HALT WORDS NAME: over `input`, in a run and in one process
halts() {
    for how in "" --inline; do
        weir run $how --set "halt=$2" --plugin-path plugins halt.yaml \
            <input >out 2>err
        status=$?
        exits "$1" "$4 $how"
        like "$4: the words $how" err "$3"
    done
}

items() { # GOOD BAD
    seq "$1" >input
    yes permanent | head -n "$2" >>input
}

items 5 3
halts 3 3 "^weir: stage 'do' was halted: 3 failed; .* at 3$" \
    "as many as are too many"
is "what is in flight is finished" "$(wc -l <out)" 5
items 5 2
halts 1 3 'failed in .do.' "one less than that"
items 30 2
halts 1 10% 'failed in .do.' "a share below"
items 25 5
halts 3 10% "halted: [345] of [0-9]+ failed; .* at 10 %" \
    "a share above"
items 0 5
halts 1 10% 'failed in .do.' "a share of too few says nothing"

# With an input that goes on.
cat >pick.yaml <<'YAML'
weir: 1
job: pick
vars: { how: {} }
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, retries: 0, workers: 2,
      halt: { failures: 2, within: 1h, how: "${how}" } }
YAML
for how in soon now; do
    mkfifo fifo.$how
    (printf 'permanent\npermanent\n' && exec sleep 60) >fifo.$how &
    sleeper=$!
    timeout -k 5 60 weir run --set how=$how --plugin-path plugins pick.yaml \
        <fifo.$how >out 2>err
    status=$?
    kill $sleeper
    wait
    exits 3 "halt $how, with an input that does not end"
    like "halt $how: the words" err "halted: 2 failed within 1 h; .* at 2$"
done

cat >deadline.yaml <<'YAML'
weir: 1
job: deadline
deadline: 1s
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1 }
YAML
printf 'pass\nsleep\n' |
    timeout -k 5 60 weir run --plugin-path plugins deadline.yaml >out 2>err
status=$?
exits 3 "the deadline passes"
is "what was done before it counts" "$(cat out)" pass
like "the words" err \
    "^weir: the job's deadline, 1 s after its start, has passed$"
printf 'pass\n' >one
weir run --plugin-path plugins deadline.yaml <one >out 2>err
status=$?
exits 0 "a run that has ended before it"

finish
