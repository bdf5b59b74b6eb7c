#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: signals, closed pipes, and the death of whoever is part of it.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
WEIR_PLUGIN_PATH=${WEIR_PLUGIN_PATH:+$WEIR_PLUGIN_PATH:}$PWD/plugins
export WEIR_PLUGIN_PATH

env --default-signal true 2>/dev/null ||
    skip_all "env cannot reset signals, which a shell's background ignores"

# Starts a run in the background: $runner is the supervisor. Whoever waits for
# what it says shall not find what the one before has said.
start() {
    rm -f out err
    env --default-signal weir run "$@" <"${input:-/dev/null}" >out 2>err &
    runner=$!
}

is_gone() {
    ! grep -q '^State:.[^Z]' "/proc/$runner/status" 2>/dev/null
}

# The supervisor's status; one that does not end is killed.
ended() {
    until_true 60 is_gone || kill -KILL $runner
    wait $runner
    status=$?
}

has() {
    grep -q "$1" "$2"
}

cat >endless.yaml <<'YAML'
weir: 1
job: endless
queues: { q: { capacity: 64 } }
stages:
  - { name: make, task: flow.generate, with: { count: 1000000000000, rate: 5000 },
      to: q }
  - { name: give, task: flow.pass, from: q, to: stdout, workers: 2 }
YAML
for signal in INT TERM HUP; do
    start endless.yaml
    until_true 20 test -s out
    kill -$signal $runner
    ended
    case $signal in INT) want=130 ;; TERM) want=143 ;; *) want=129 ;; esac
    exits $want "$signal: it ends by the signal"
    like "$signal: what was in flight is finished" err 'give +took [^,]*, done'
    unlike "$signal: nothing is left" err 'left'
    is "$signal: each line once" "$(sort out | uniq -d | wc -l)" 0
done

# `timeout` sends its signal to the whole process group, in which the small
# processes at the run's ends are, too: they have to bear it.
rm -f out err
keep=
weir --version --verbose | grep -q 'sqlite: yes' && keep=--keep-failed=kept
# shellcheck disable=SC2086 # none or one
setsid env --default-signal weir run $keep endless.yaml </dev/null >out 2>err &
runner=$!
until_true 20 test -s out
kill -TERM -$runner
ended
exits 143 "TERM for its group: it ends by the signal"
like "what was in flight is finished" err 'give +took [^,]*, done'
unlike "nothing is left" err 'left'
is "each line once" "$(sort out | uniq -d | wc -l)" 0

cat >busy.yaml <<'YAML'
weir: 1
job: busy
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout }
YAML
printf 'pass\nslow 1000\nsleep\n' >in
input=in start busy.yaml
until_true 20 has slow out
kill -INT $runner
until_true 20 has 'stopping: finishing' err
if kill -0 $runner 2>/dev/null; then
    pass "Ctrl-C once waits for what is in hand"
else
    fail "Ctrl-C once waits for what is in hand" <err
fi
kill -INT $runner
ended
exits 130 "Ctrl-C twice ends it now"
like "what was in hand is left" err 'left 1'

printf 'pass\nstubborn\n' >in
input=in start busy.yaml
_working() {
    kill -USR1 $runner && grep -q 'do.[12]: pid [0-9]*, item' err
}
until_true 20 has pass out
until_true 20 _working
like "SIGUSR1 tells the state" err 'do.[12]: pid [0-9]+, item f[0-9a-f]+, for'
like "and the memory" err 'pid [0-9]+, item f.*, [0-9.]+ [KM]iB of its own$'
kill -INT $runner
until_true 20 has 'stopping: finishing' err
kill -INT $runner
kill -INT $runner 2>/dev/null
ended
exits 130 "Ctrl-C three times kills"

# Who waits for his next attempt is in no hand, and in nobody's queue.
cat >waits.yaml <<'YAML'
weir: 1
job: waits
deadline: 5h
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1, retries: 1,
      backoff: 1h, halt: { failures: 3, within: 1h } }
YAML
mkfifo held
exec 8<>held
printf 'permanent\nfail 1\nfail 1\npass\n' >&8
input=held start waits.yaml
until_true 20 has pass out
_put_off() {
    kill -USR1 $runner && grep -q 'do.1: pid [0-9]*, .*2 put off' err
}
ok "SIGUSR1 tells who waits for his next attempt" until_true 20 _put_off
like "and of the stage" err 'do in 2 out 1 failed 1 put off 2 queue'
like "how near its halt is" err \
    '^  do: halts at 3 failures within 1 h, and there are 1$'
like "and the deadline" err "^  the job's deadline is in [45] h"
kill -INT $runner
until_true 20 has 'stopping: finishing' err
kill -INT $runner
exec 8>&-
ended
exits 130 "and it ends"

weir run --quiet endless.yaml 2>err | head -n 3 >out
is "a closed pipe ends it" "$(wc -l <out)" 3
is "without a word" "$(cat err)" ""
(weir run --quiet endless.yaml 2>err; echo $? >code) | head -n 1 >out
is "and it ends by SIGPIPE" "$(cat code)" 141

if [ -w /dev/full ]; then
    weir run endless.yaml >/dev/full 2>err
    status=$?
    exits 3 "a full output is told"
    like "why" err 'cannot write standard output: No space left'
fi

# The runner is killed: nobody may be left (finish looks).
start endless.yaml
until_true 20 test -s out
kill -KILL $runner
ended
exits 137 "the runner is killed"

# Those at stdin and stdout: the run cannot go on.
start endless.yaml
until_true 20 test -s out
_writer() {
    tr ' ' '\n' <"/proc/$runner/task/$runner/children" >children
    while read -r pid; do
        [ "$(cat "/proc/$pid/comm")" = weir:stdout ] && writer=$pid
    done <children
    [ -n "$writer" ]
}
writer=
until_true 20 _writer
kill -KILL "$writer"
ended
exits 3 "the process at stdout is killed"
like "and that is said" err \
    'the process that writes standard output was killed by SIGKILL'

finish
