#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: tasks that gather over items: the sum is right, whoever dies.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >sum.yaml <<'YAML'
weir: 1
job: sum
vars: { task: { default: sum } }
queues: { q: { capacity: 16 } }
stages:
  - { name: pass, task: flow.pass, from: stdin, to: q, dispatch: sync }
  - { name: sum, task: "bad.${task}", from: q, to: stdout }
YAML
i=0
while [ $i -lt 500 ]; do
    case $i in
    *99) echo "die $i" ;;
    *) echo "item $i" ;;
    esac
    i=$((i + 1))
done >in
want="500 items, $(tr -d '\n' <in | wc -c) bytes"
timeout -k 5 60 weir run --plugin-path plugins sum.yaml <in >out 2>err
status=$?
exits 0 "its worker dies five times"
is "the sum is right" "$(cat out)" "$want"
like "five were lost" err 'sum .*workers lost 5'

grep -v die in >calm
want="495 items, $(tr -d '\n' <calm | wc -c) bytes"
timeout 60 weir run --plugin-path plugins --set task=forgetful sum.yaml \
    <calm >out 2>err
status=$?
exits 0 "a task that saves nothing, and lives"
is "its sum" "$(cat out)" "$want"
timeout 60 weir run --plugin-path plugins --set task=forgetful sum.yaml \
    <in >out 2>err
status=$?
exits 3 "a task that saves nothing, and dies: the run ends"
is "without a wrong sum" "$(cat out)" ""
like "and says so" err \
    "stage 'sum' has lost what it had gathered: its worker was killed by"

printf '' | timeout 60 weir run --plugin-path plugins sum.yaml >out 2>err
is "nothing to sum" "$(cat out)" "0 items, 0 bytes"

finish
