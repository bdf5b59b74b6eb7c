#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Failed items that are kept, and replayed, while those are killed who keep
# them, who feed them and who fail them: each has its row, and one; each that is
# replayed comes out once.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
export WEIR_PLUGIN_PATH
limit=300

build_plugin gate
cat >gate.yaml <<'YAML'
weir: 1
job: gate
plugins: [plugins]
defaults: { retries: 1000 }
queues: { words: { capacity: 32 } }
stages:
  - { name: pass, task: flow.pass, from: stdin, to: words }
  - { name: gate, task: gate.pass, from: words, to: stdout, workers: 2,
      with: { file: open } }
YAML
awk 'BEGIN { for (i = 0; i < 600; i++) print i % 2 ? "bad" : "good", i }' >input
grep good input >want.good
grep bad input >want.bad

kept_rows() {
    weir failed --list kept 2>failed.err |
        sed 's/^.* B  "\([^"]*\)": .*/\1/' | sort
}

# A run, then a replay, with processes that die at these points.
at() {
    rm -rf kept open
    WEIR_FAULT=$1
    export WEIR_FAULT
    timeout -k 5 $limit "$weir" run --quiet --keep-failed=kept gate.yaml \
        <input >out 2>err
    status=$?
    unset WEIR_FAULT
    exits 1 "killed at $1: the run ends"
    sort out >sorted
    sort want.good | diff - sorted >diff.log
    is 'what is good came once' "$(wc -l <diff.log)" 0
    kept_rows >rows
    sort want.bad | diff - rows >diff.log
    is 'what failed has one row each' "$(wc -l <diff.log)" 0
    : >open
    WEIR_FAULT=$1
    export WEIR_FAULT
    run "$weir" replay --quiet kept
    unset WEIR_FAULT
    exits 0 'the replay ends'
    sort out >sorted
    sort want.bad | diff - sorted >diff.log
    is 'each is replayed once' "$(wc -l <diff.log)" 0
    is 'and known to be' "$(kept_rows | wc -l)" 0
}

at keeper.leased:2:kill
at keeper.stored:2:kill
at feeder.staged:2:kill
at keeper.leased:3:kill,keeper.stored:2:kill,feeder.staged:3:kill,queue.commit.word:40:kill:1

# One that can never get on ends the run, with words.
rm -rf kept open
WEIR_FAULT=keeper.stored:1:kill timeout -k 5 $limit "$weir" run --quiet \
    --keep-failed=kept gate.yaml <input >out 2>err
status=$?
exits 3 'a keeper that is always killed'
like 'is told' err 'the process that keeps failed items was killed by SIGKILL again'

# The end of a replay, which makes it count.
rm -rf kept open
weir run --quiet --keep-failed=kept gate.yaml <input >out 2>err
: >open
replay_killed() {
    WEIR_FAULT=$1:1:kill
    export WEIR_FAULT
    run "$weir" replay --quiet kept
    unset WEIR_FAULT
    exits 3 "killed at $1: the end is not noted"
    like 'and that is told' err 'what was replayed cannot be noted: the next replay'
    sort out >sorted
    sort want.bad | diff - sorted >diff.log
    is 'all have come out' "$(wc -l <diff.log)" 0
}
replay_killed keeper.ending
is 'none of them counts' "$(kept_rows | wc -l)" "$(wc -l <want.bad)"
replay_killed keeper.ended
is 'all of them count' "$(kept_rows | wc -l)" 0

# The runner is killed in the middle of a replay: what was on its way is lost
# with it, so nothing of it counts.
rm -rf kept open
weir run --quiet --keep-failed=kept gate.yaml <input >out 2>err
: >open
WEIR_FAULT=feeder.staged:4:stop "$weir" replay --quiet kept >out 2>err &
pid=$!
ok 'some come out' until_true 60 grep -q bad out
kill -KILL $pid
wait $pid
is 'the runner is gone' $? 137
is 'they are all there still' "$(kept_rows | wc -l)" "$(wc -l <want.bad)"
run "$weir" replay --quiet kept
exits 0 'and are done again'
sort out >sorted
sort want.bad | diff - sorted >diff.log
is 'each of them' "$(wc -l <diff.log)" 0
is 'and all count' "$(kept_rows | wc -l)" 0

# Anybody, at random.
awk 'BEGIN { for (i = 0; i < 12000; i++) print i % 2 ? "bad" : "good", i }' >input
grep bad input | sort >want.bad
kills=20
long && kills=500
seed=${SEED:-0}
while [ $done_kills -lt $kills ] && [ $((seed - ${SEED:-0})) -lt 100 ]; do
    seed=$((seed + 1))
    rm -rf kept open
    under_fire 40 8000 "$seed" \
        sh -c 'exec weir run --quiet --keep-failed=kept gate.yaml <input'
    exits 1 "a run under fire ($killed killed)"
    kept_rows >rows
    sort want.bad | diff - rows >diff.log
    is 'each has one row' "$(wc -l <diff.log)" 0
    : >open
    under_fire 40 8000 "$seed" weir replay --quiet kept
    exits 0 "a replay under fire ($killed killed)"
    sort out >sorted
    sort want.bad | diff - sorted >diff.log
    is 'each is replayed once' "$(wc -l <diff.log)" 0
done
is 'enough were killed' "$((done_kills >= kills))" 1
finish
