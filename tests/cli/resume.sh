#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# resume.sh - a run that was stopped or killed goes on: what it reads and
# writes, what has changed meanwhile, what cannot be.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
build_plugin hold

# A run ends when the test lets it: one of its items waits for `hold` to go.
seq 1 20000 >in
sed 's/^/N/' in >want
cat >job.yaml <<'YAML'
weir: 1
job: lines
plugins: [plugins]
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: mark, task: hold.mark, from: a, to: b, workers: 1,
      with: { file: hold, at: "10000", mark: N } }
  - { name: write, task: file.append, from: b, workers: 1,
      with: { root: ., path: result } }
queues: { a: { capacity: 64 }, b: { capacity: 64 } }
YAML
# A checkpoint has something of the last stage.
_has_begun() {
    weir show --json last 2>/dev/null |
        grep -q '"name":"\(write\|pass\)"[^}]*"done":[1-9]'
}
# Starts it, and waits until it has written something.
begin() {
    rm -rf state
    : >hold
    weir run --quiet --journal --checkpoint=20ms "$@" &
    runner=$!
}
stop_it() {
    kill "-$1" $runner 2>/dev/null
    rm -f hold
    wait $runner 2>/dev/null
}
# Until the last process of it is gone.
_is_free() {
    weir resume --explain last >explained 2>err && ! weir runs | head -n 1 |
        grep -q ' running '
}

# --- stopped, and killed ---
for signal in TERM KILL; do
    rm -f result
    begin job.yaml
    until_true 30 _has_begun
    stop_it $signal
    until_true 30 _is_free
    like "$signal: it is explained" explained "'read'"
    run weir resume --quiet last
    exits 0 "$signal: it goes on"
    same "$signal: each line once, in order" result want
done

# --- what was in hand ---
# A stop charges it no attempt, also where its worker dies of the stop.
sed 's/workers: 1,/workers: 1, retries: 0,/' job.yaml >once.yaml
_is_held() {
    weir show --json last 2>/dev/null |
        grep -q '"name":"mark"[^}]*"done":9999[^0-9]'
}
rm -f result
begin once.yaml
until_true 30 _is_held
kill -TERM $runner
kill -HUP $runner
wait $runner 2>/dev/null
rm -f hold
run weir resume --quiet last
exits 0 'stopped at once, it goes on'
same 'and what was in hand is done, too' result want

# --- what has changed ---
rm -f result
begin job.yaml
until_true 30 _has_begun
stop_it KILL
until_true 30 _is_free
cp in before
cp -p job.yaml job.before
echo more >>in
run weir resume --quiet last
exits 2 'an input has changed: refused'
like 'which one' err "input 'in' of stage 'read' had [0-9]+ bytes, and has [0-9]+$"
like 'and what can be done' err 'accept-changes'
cp before in
touch -d '2001-01-01' in
run weir resume --quiet last
exits 2 'written to: refused'
run weir resume --quiet --accept-changes last
exits 0 'accepted'
same 'all is there' result want

rm -f result
begin job.yaml
until_true 30 _has_begun
stop_it KILL
until_true 30 _is_free
echo '# a line more' >>job.yaml
run weir resume --quiet last
exits 2 'the job has changed: refused'
like 'it is said' err "the job file '.*job.yaml' has changed"
cp -p job.before job.yaml
mv result aside
run weir resume --quiet last
exits 3 'a file that was appended to is gone'
like 'which one' err "result', to which the run appends, is gone"
cp aside result
run weir resume --quiet last
exits 3 'it is another one'
like 'it is said, too' err 'another file than it was'
mv aside result
cp result aside
: >result
run weir resume --quiet last
exits 3 'it is shorter'
like 'how much' err 'had [0-9]+ bytes at the checkpoint, and has 0'
cat aside >result
run weir resume --quiet last
exits 0 'it is back'
same 'each line once' result want

# --- standard input and output: files ---
cat >pass.yaml <<'YAML'
weir: 1
job: pass
plugins: [plugins]
stages:
  - { name: pass, task: hold.mark, from: stdin, to: stdout, workers: 1,
      with: { file: hold, at: "10000" } }
YAML
rm -rf state
: >hold
weir run --quiet --journal --checkpoint=20ms pass.yaml <in >passed &
runner=$!
until_true 30 _has_begun
stop_it KILL
until_true 30 _is_free
like 'a file is read on' explained "standard input is read on in '.*/in'"
run weir resume --quiet last
exits 0 'files: it goes on'
same 'each line once, in order' passed in

# --- too many failures ---
cat >halt.yaml <<'YAML'
weir: 1
job: halt
stages:
  - { name: open, task: file.read, from: stdin, to: b, workers: 1,
      halt: { failures: 3, how: now } }
  - { name: drop, task: flow.discard, from: b }
queues: { b: {} }
YAML
rm -rf state
for i in 1 2 3; do
    echo "none/$i"
done >three
echo halt.yaml >four
cat three four >all
mkfifo halting
weir run --quiet --journal halt.yaml <halting 2>err &
runner=$!
exec 3>halting
cat three >&3
wait $runner
is 'halted' "$?" 3
like 'and why' err '3 failed; its .halt. stands at 3'
exec 3>&-
run sh -c 'cat all | weir resume last'
exits 1 'it goes on: the failures from before do not halt it again'
like 'and count in the books' err 'open +took 4, done 1, gave 1, failed 3'

# --- failed items that are kept elsewhere ---
cat >open.yaml <<'YAML'
weir: 1
job: open
stages:
  - { name: open, task: file.read, from: stdin, to: b, workers: 1 }
  - { name: drop, task: flow.discard, from: b }
queues: { b: {} }
YAML
rm -rf state
mkfifo names
weir run --quiet --journal --checkpoint=20ms --keep-failed=kept open.yaml \
    <names 2>err &
runner=$!
exec 3>names
seq -f none/%g 1 5 >&3
_five_failed() {
    weir show --json last 2>/dev/null | grep -q '"failed":5,'
}
until_true 30 _five_failed
stop_it KILL
exec 3>&-
until_true 30 _is_free
mv kept away
seq -f none/%g 1 9 >nine
run sh -c 'cat nine | weir resume --quiet last'
exits 3 'their folder is gone'
like 'which one' err "'.*/kept/'"
mv away kept
run sh -c 'cat nine | weir resume --quiet last'
exits 1 'it is back: the run goes on'
run weir failed --json kept
like 'all are there' out '"failed":9,'

# --- pipes ---
rm -rf state
mkfifo piped
weir run --quiet --journal --checkpoint=20ms pass.yaml <piped >passed &
runner=$!
exec 3>piped # as long as it is open the run cannot end
cat in >&3 2>/dev/null &
until_true 30 _has_begun
stop_it KILL
exec 3>&-
wait
until_true 30 _is_free
sed 's/[0-9]/x/g' in | weir resume --quiet last 2>err
is 'another input: refused' "$?" 3
like 'and said' err 'give it the same input once more'
until_true 30 _is_free
run weir resume --checkpoint=0ms last
exits 2 'a time between checkpoints that is too short'
like 'is told' err "option '--checkpoint': "
# The signal comes while it looks for the place at which it goes on.
mkfifo silent
weir resume --quiet last <silent 2>err &
runner=$!
exec 3>silent
_reads() {
    weir show last | grep -q 'resumed [1-9]' || return
    for _status in /proc/[0-9]*/status; do
        grep -q "^PPid:[[:space:]]*$runner\$" "$_status" &&
            grep -q '^Name:[[:space:]]*weir:stdin$' "$_status" && return
    done 2>/dev/null
    return 1
}
until_true 30 _reads
stop_it TERM
is 'it can be stopped before it goes on' "$?" 143
unlike 'and nothing has died' err 'exited|ended'
exec 3>&-
until_true 30 _is_free
# shellcheck disable=SC2002
cat in | weir resume --quiet last
is 'the same once more' "$?" 0
same 'each line once, in order' passed in
finish
