#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of the gates of a run, at each step and at random, while one shell
# puts and another gets: each item comes out once. And of the whole run, in the
# middle of a recovery. WEIR_LONG: 1,000 kills, and all steps of the queue.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"

faulty=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$faulty" ] || skip_all "there is no $faulty; make check builds it"
WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-test.XXXXXX) ||
    skip_all '/dev/shm is not to be had'
export WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"

WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
export WEIR_PLUGIN_PATH

kills=30
long && kills=1000
limit=600
items=400

cat >louder.yaml <<'YAML'
weir: 1
job: louder
defaults: { retries: 1000 }
queues:
  words: { name: words, capacity: 24 }
  loud: { name: loud, capacity: 24 }
stages:
  - { name: upper, task: text.upper, from: words, to: loud, workers: 1 }
YAML
# Its entries in the run: those of the worker, of stdin, stdout and the report
# come first.
way_in=4
way_out=5

seq $items | sed 's/$/ WORD/' | sort >want

# through COMMAND...: all items, by a run of that command.
through() {
    seq $items | sed 's/$/ word/' | weir put --create --close words &
    putter=$!
    timeout -k 5 $limit env "$@" run louder.yaml 2>err &
    runner=$!
    until_true 60 test -e "$WEIR_QUEUE_DIR/loud"
    weir get --timeout=60s loud >got
    wait $runner
    status=$?
    wait $putter
    sort got >sorted
    weir queues --remove=words --remove=loud
}

# The commits of both sides, and what comes between.
for point in gate.in.leased gate.in.run gate.in.named gate.out.named \
    gate.out.run strangers.inherit:2; do
    case $point in *:*) ;; *) point=$point:3 ;; esac
    for gate in $way_in $way_out; do
        through "WEIR_FAULT=$point:kill:$gate" "$faulty"
        exits 0 "gate $gate is killed at $point"
        same 'every item, once' sorted want
    done
done
through "WEIR_FAULT=gate.out.closed:1:kill:$way_out" "$faulty"
exits 3 'killed there each time: it ends'
like 'and says so' err "queue 'loud': the process that moves its items was killed by SIGKILL, 10 times in a row"
same 'all is out by then' sorted want

# All that a gate does in either queue.
steps='queue.lease.word:40 queue.stage.word:40 queue.commit.before:3
    queue.commit.word:3 queue.commit.redone:3 lock.locked:90'
long && steps=$(grep -o '^queue\.[a-z.]*' "$WEIR_SRCDIR/tests/crash/points.list" |
    sort -u | sed 's/$/:40/')
for step in $steps; do
    through "WEIR_FAULT=$step:kill:$way_in,$step:kill:$way_out" "$faulty"
    exits 0 "both are killed at $step"
    same 'every item, once' sorted want
done

# The supervisor, as it settles what a killed gate had moved: the run is over,
# and what it had not taken is there for the next one; at most one batch comes
# twice.
for step in queue.elsewhere.done:2 queue.elsewhere.committed:1; do
    for gate in in.run:1:kill:$way_in out.named:1:kill:$way_out; do
        seq $items | weir put --create --close words
        WEIR_FAULT=gate.$gate,$step:kill:-1 "$faulty" run louder.yaml 2>err
        is "all is killed at $step" $? 137
        weir get -n 1000 --timeout=0s --create loud >first
        weir queues --remove=loud
        weir get words >second
        exits 0 'the rest is there'
        is 'the last item is' "$(tail -n 1 second)" $items
        ok 'at most a batch comes twice' test \
            "$(sort first second | uniq -d | wc -l)" -le 32
        weir queues --remove=words
    done
done

# At random, workers and gates and the nursery.
items=20000
long && items=200000
seq $items | sed 's/$/ WORD/' | sort >want
round=0
while [ $done_kills -lt $kills ] && [ $round -lt 60 ]; do
    round=$((round + 1))
    seq $items | sed 's/$/ word/' | weir put --create --close words &
    putter=$!
    begin weir run louder.yaml
    until_true 60 test -e "$WEIR_QUEUE_DIR/loud"
    weir get --timeout=60s loud >got &
    getter=$!
    "$killer" "$runner" $((kills - done_kills)) 12000 $round >hits
    wait "$timer"
    status=$?
    exits 0 'it ends'
    wait $putter
    wait $getter
    sort got >sorted
    same 'every item, once' sorted want
    read -r killed _ <hits
    done_kills=$((done_kills + killed))
    weir queues --remove=words --remove=loud
done
ok "enough were killed: $done_kills" test $done_kills -ge $kills
finish
