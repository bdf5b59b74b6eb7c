#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: what a task may do to its worker's process, and what comes of it:
# the table of the manual ("When a task misbehaves"). Whatever it was, all other
# items come, and a sister stage has all of its own. Here a sample; WEIR_LONG=1:
# the whole table. Time limits: run-limits.sh; verdicts of signals:
# run-failed.sh.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

# shellcheck disable=SC3045
ulimit -c 0
build_plugin wild -pthread
cat >item.yaml <<'YAML'
weir: 1
job: wild
plugins: [plugins]
queues: { all: {} }
stages:
  - { name: do, task: wild.do, from: stdin, to: stdout, workers: 2, retries: 1,
      timeout: 20s, memory: 150 MiB }
  - { name: make, task: flow.generate, to: all, with: { count: 100, size: 9 B } }
  - { name: sister, task: file.append, from: all, with: { path: sister } }
YAML
for task in open close save source; do
    from='from: stdin, '
    [ $task != source ] || from=
    cat >$task.yaml <<YAML
weir: 1
job: $task
plugins: [plugins]
vars: { how: { default: "" } }
stages:
  - { name: it, task: wild.$task, with: { how: "\${how}" }, ${from}to: stdout,
      workers: 1, retries: 1 }
YAML
done
printf 'a\nb\nc\n' >abc

# WHERE WHAT, whether it is of the sample, the status, what comes out, and the
# words, or ! and those that must not come. WHERE: an item that says so, or a function of the task.
table() {
    cat <<'TABLE'
item exit - 1 a,b,c, "exit": task called exit\(0\) \(2 attempts
item exit-at-once - 1 a,b,c, task called exit\(9\) \(2 attempts
item abort - 1 a,b,c, killed by SIGABRT \(2 attempts
item kill-group s 1 a,b,c, killed by SIGKILL, which weir did not send \(2
item pthread-exit - 1 a,b,c, task called exit\(0\) \(2 attempts
item exec - 1 a,b,c, task called exit\(0\) \(2 attempts
item longjmp s 1 a,b,c, (killed by SIG|jumped out of its call).* \(2 attempts
item deep s 1 a,b,c, killed by SIGSEGV \(2 attempts
item null - 1 a,b,c, killed by SIG[A-Z]* \(2 attempts
item unmap - 1 a,b,c, killed by SIGSEGV \(2 attempts
item input s 1 a,b,c, killed by SIGSEGV \(2 attempts
item past-input s 1 a,b,c, killed by SIGSEGV \(2 attempts
item past-1 s 1 a,b,c, task wrote past the end of an output \(2 attempts
item past-8 - 1 a,b,c, task wrote past the end of an output \(2 attempts
item past-exact s 1 a,b,c, task wrote past the end of an output \(2 attempts
item free-twice s 1 a,b,c, (killed by SIG[A-Z]*|called exit\([0-9]+\)) \(2 attempts
item alarm - 1 a,b,c, killed by SIGALRM, which weir did not send \(2
item leak - 1 a,b,c, more than the memory limit of the stage \(2 attempts
item reserve - 1 a,b,c, not possible in this state \(1 attempt
item close-all s 0 a,b,c,close-all, -
item close-standard - 0 a,b,c,close-standard, -
item take-over s 0 a,b,c,take-over, -
item use-up - 0 a,b,c,use-up, -
item nonblock - 0 a,b,c,nonblock, -
item print - 0 a,b,c,print, ^a task prints$
item chdir - 0 a,b,c,chdir, -
item umask - 0 a,b,c,umask, -
item mask - 0 a,b,c,mask, -
item ignore - 0 a,b,c,ignore, -
item limits - 0 a,b,c,limits, -
item setlocale - 0 a,b,c,setlocale, -
item prctl - 0 a,b,c,prctl, -
item traced s 0 a,b,c,traced, -
item group - 0 a,b,c,group, -
item atexit - 0 a,atexit,b,c, !a task's handler
item vfork - 0 a,b,c,vfork, -
item fork-twice s 0 a,b,c,fork-twice, -
item fork-give - 0 a,b,c,fork-give, -
item fork-linger s 0 a,b,c,fork-linger, -
item fork-daemon - 0 a,b,c,fork-daemon, -
item thread - 0 a,b,c,thread, -
item thread-spins - 0 a,b,c,thread-spins, -
item thread-locks s 0 a,b,c,thread-locks, -
open exit - 3 - ended with exit status 0 while it was opened, 3 times
open close-all s 3 - closed descriptors that were weir's while it was
open take-over - 3 - closed descriptors that were weir's while it was
open chdir - 0 a,b,c, -
open print - 0 a,b,c, ^a task prints$
open fork-twice - 0 a,b,c, -
open thread-locks - 0 a,b,c, -
open limits - 0 a,b,c, -
open prctl - 0 a,b,c, -
open traced - 0 a,b,c, -
close exit s 0 a,b,c, -
close abort - 0 a,b,c, -
close close-all - 0 a,b,c, -
close take-over - 0 a,b,c, -
close fork-twice - 0 a,b,c, -
close thread-locks - 0 a,b,c, -
save exit - 3 - died 8 times in .* no item in hand.* ended with exit status 0
save abort - 3 - died 8 times in .* no item in hand.* was killed by SIGABRT
save close-all - 3 - died 8 times in .* closed descriptors that were weir's
save take-over - 3 - died 8 times in .* closed descriptors that were weir's
save chdir - 0 the_end, -
save fork-twice - 0 the_end, -
save thread-locks - 0 the_end, -
save limits - 3 - stage 'it': cannot save
source exit - 3 0, ended with exit status 0 2 times without getting on
source close-all - 0 0,1,2, -
source take-over s 0 0,1,2, -
source fork-twice - 0 0,1,2, -
source thread-locks - 0 0,1,2, -
TABLE
}

try() {
    rm -f sister victim
    if [ "$1" = item ]; then
        { echo "$2" && cat abc; } >in
        timeout -k 5 60 weir run item.yaml <in >out 2>err
        status=$?
    else
        timeout -k 5 60 weir run --set how="$2" "$1.yaml" <abc >out 2>err
        status=$?
    fi
    came=$(sort out | tr '\n ' ,_)
    {
        [ "$status" = "$4" ] || echo "status $status, not $4"
        [ "$came" = "${5#-}" ] || echo "gave '$came', not '$5'"
        case $6 in
        -) ;;
        !*) ! grep -F -e "${6#!}" err ;;
        *) grep -Eq -e "$6" err || echo "no line matches: $6" ;;
        esac
        [ "$1" != item ] || [ "$(wc -l <sister)" = 100 ] ||
            echo "the sister stage had $(wc -l <sister) items"
        [ "$1" = save ] || [ ! -s victim ] ||
            echo "weir wrote to the task's own file"
    } >try.log 2>&1
    if [ -s try.log ]; then
        tail -n 20 err >>try.log
        fail "$1 $2" <try.log
    else
        pass "$1 $2"
    fi
}

table >rows
while read -r where what sample want out words; do
    { [ "$sample" = s ] || long; } || continue
    try "$where" "$what" "$sample" "$want" "$out" "$words" </dev/null
done <rows

finish
