#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of the process that writes a run's journal, at each step of a
# checkpoint, while the run has work left and what is held stands in its queues;
# and of a run that takes up again what it had. Each time it is resumed, and in
# the end its files are byte for byte those of a run that nobody disturbed: lines
# appended, files renamed, totals that a task has gathered.
# WEIR_LONG: each step, and at several checkpoints.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
. "$WEIR_SRCDIR/tests/lib/stages.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
build_plugin hold
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
XDG_STATE_HOME=$work/state
export WEIR_PLUGIN_PATH XDG_STATE_HOME
limit=300

# The run waits in the middle, and there is more than one checkpoint meanwhile.
write_job 4000 2000 10
run timeout $limit weir run --quiet job.yaml
exits 0 'a run that nobody disturbs'
mv result want

# Starts `weir resume last`, as soon as the last process of the run is gone, to
# its end.
resume() {
    until_true 60 _resume_once
}
_resume_once() {
    timeout -k 5 $limit "${1:-weir}" resume --quiet --checkpoint=20ms last \
        2>err
    status=$?
    ! grep -q 'is under way' err
}
# Byte for byte, and nothing else: no file that was begun is left.
is_whole() {
    exits 0 "killed $1: it ends"
    diff -r want result >diff.log 2>&1
    is "$1: all is there, byte for byte" "$(head -n 3 diff.log)" ''
}

# Its journal's process is killed at that point, the $2nd time it is there.
begin() {
    rm -rf result state
    : >held
    WEIR_FAULT=$1:$2:kill timeout -k 5 $limit "$weir" run --quiet --journal \
        --checkpoint=10ms job.yaml 2>err
    status=$?
    rm held
}
at() {
    begin "$1" "$2"
    exits 3 "the journal's process is killed at $1: the run ends"
    like 'and says so' err 'writes the journal was killed by SIGKILL'
    resume
    is_whole "at $1, checkpoint $2"
}
points='snapshot.locked journal.slots journal.committed'
times=3
long && times='2 3 30' points='snapshot.sinks snapshot.locked snapshot.copied
    snapshot.read snapshot.released journal.copied journal.synced
    journal.slots journal.written journal.committed'
for point in $points; do
    for time in $times; do
        at "$point" "$time"
    done
done

# --- killed while the store is made: nothing has begun ---
for point in journal.file journal.signed; do
    begin $point 1
    exits 3 "the journal's process is killed at $point: the run ends"
    ok 'nothing was done' test ! -e result
    until_true 60 _resume_once
    exits 3 'there is nothing to resume'
    like 'and it says why' err 'its start was never written'
done

# --- a run that takes up what it had, killed there and there ---
# All one after the other: each finds what the last one has left.
begin journal.slots 3
for point in resume.names resume.cut resume.restored; do
    _resume_killed() {
        WEIR_FAULT=$point:1:kill _resume_once "$weir"
    }
    until_true 60 _resume_killed
    is "killed at $point" "$status" 137
done
for point in journal.open journal.copied journal.slots journal.committed \
    journal.begun; do
    until_true 60 _resume_killed
    is "its journal's process is killed at $point" "$status" 3
done
resume
is_whole 'while it takes up what it had'

# --- behind the note of a file, before its entry: its worker dies each time ---
rm -rf result state
WEIR_FAULT=queue.sink.logged:1:kill "$weir" run --quiet --journal job.yaml \
    2>/dev/null &
runner=$!
_is_noted() {
    find state -name files -size +0 | grep -q .
}
until_true 30 _is_noted
kill -9 $runner
wait $runner 2>/dev/null
resume
is_whole 'behind a note'
finish
