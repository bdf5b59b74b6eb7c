#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a whole run, again and again, at random moments; and of the
# process that writes its journal, at each step of a checkpoint. Each time it is
# resumed, and in the end its files are byte for byte those of a run that nobody
# disturbed: lines appended, files renamed, totals that a task has gathered.
# WEIR_LONG: 200 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
XDG_STATE_HOME=$work/state
export WEIR_PLUGIN_PATH XDG_STATE_HOME
limit=300

kills=5
lines=300000
long && kills=200 lines=2000000

seq 1 $lines | sed 's/$/ a word and another/' >in
mkdir many
for i in $(seq 1 60); do
    echo "file $i" >"many/$i"
done
cat >job.yaml <<'YAML'
weir: 1
job: work
queues:
  a: { capacity: 128 }
  b: { capacity: 128 }
  c: { capacity: 64 }
  d: { capacity: 64 }
  e: { capacity: 16 }
  f: { capacity: 64 }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: up, task: text.upper, from: a, to: { copy: [b, c] }, workers: 1 }
  - { name: write, task: file.append, from: b, workers: 1,
      with: { root: result, path: lines } }
  - { name: count, task: text.count-words, from: c, to: f }
  - { name: total, task: text.top, from: f, to: d, with: { k: 3 } }
  - { name: keep, task: file.append, from: d, workers: 1,
      with: { root: result, path: top } }
  - { name: names, task: file.read, from: names, to: e }
  - { name: list, task: file.names, with: { paths: many }, to: names }
  - { name: files, task: file.write, from: e, workers: 1,
      with: { root: result/files, path: "${item.name}" } }
YAML
sed -i 's/^queues:/queues:\n  names: { capacity: 16 }/' job.yaml

run timeout $limit weir run --quiet job.yaml
exits 0 'a run that nobody disturbs'
mv result want

# Byte for byte, and nothing else: no file that was begun is left.
is_whole() {
    diff -r want result >diff.log 2>&1
    is "$1: all is there, byte for byte" "$(head -n 3 diff.log)" ''
}

_is_under_way() {
    grep -q 'is under way' "$1"
}

# Starts `weir resume last`, as soon as the last process of the run is gone.
resume() {
    until_true 60 resume_once
}
resume_once() {
    timeout -k 5 $limit weir resume --quiet --checkpoint=20ms last 2>err &
    timer=$!
    sleep 0.05
    kill -0 $timer 2>/dev/null && return 0
    ! _is_under_way err
}

# The child of timeout.
kill_runner() {
    runner=
    [ -e "/proc/$timer/task/$timer/children" ] &&
        read -r runner _ <"/proc/$timer/task/$timer/children"
    [ -n "$runner" ] && kill -9 "$runner" 2>/dev/null
}

# --- at random ---
rm -rf result
timeout -k 5 $limit weir run --quiet --journal --checkpoint=20ms job.yaml &
timer=$!
killed=0
for i in $(seq 1 $kills); do
    sleep "0.$(printf %02d $(((i * 37 + ${SEED:-11}) % 40 + 5)))"
    kill_runner && killed=$((killed + 1))
    wait $timer 2>/dev/null
    resume
done
wait $timer
status=$?
exits 0 "killed $killed times, it ends"
is_whole 'killed at random'
is 'some were killed' "$((killed > 0))" 1

# --- where a checkpoint is ---
at() {
    rm -rf result state
    WEIR_FAULT=$1:$2:kill
    export WEIR_FAULT
    timeout -k 5 $limit "$weir" run --quiet --journal --checkpoint=10ms \
        job.yaml 2>err
    status=$?
    unset WEIR_FAULT
    if [ "$3" = 3 ]; then
        exits 3 "the journal's process is killed at $1: the run ends"
        like 'and says so' err 'writes the journal was killed by SIGKILL'
        resume
        wait $timer
        status=$?
    fi
    exits 0 "killed at $1: it ends"
    is_whole "$1"
}
for point in snapshot.sinks snapshot.locked snapshot.copied snapshot.read \
    snapshot.released journal.copied journal.synced journal.slots \
    journal.written journal.committed; do
    at $point 3 3
done

# Its worker dies between the note of a file and its entry, each time.
rm -rf result state
WEIR_FAULT=queue.sink.logged:1:kill
export WEIR_FAULT
timeout -k 5 $limit "$weir" run --quiet --journal job.yaml 2>/dev/null &
timer=$!
unset WEIR_FAULT
_is_noted() {
    find state -name files -size +0 | grep -q .
}
until_true 30 _is_noted
kill_runner
wait $timer 2>/dev/null
resume
wait $timer
status=$?
exits 0 'killed behind a note: it ends'
is_whole queue.sink.logged
finish
