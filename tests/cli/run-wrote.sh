#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: what workers write to stderr comes through in whole lines, all of
# it, whoever dies; and its last lines stand in the verdict.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

# shellcheck disable=SC3045
ulimit -c 0
build_plugin says
cat >says.yaml <<'YAML'
weir: 1
job: says
plugins: [plugins]
stages:
  - { name: do, task: says.do, from: stdin, to: stdout, workers: 1, retries: 1 }
YAML
sed 's/workers: 1/workers: 4/' says.yaml >four.yaml
sed 's/says.do/says.unopened/' says.yaml >unopened.yaml

# go JOB ITEM... [-- OPTION...]
go() {
    _job=$1
    shift
    : >in
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        echo "$1" >>in
        shift
    done
    [ $# -eq 0 ] || shift
    timeout -k 5 "$limit" weir run "$@" "$_job.yaml" <in >out 2>err
    status=$?
}

# ------------------------------------------------------------- verdicts ----

go says die a
exits 1 'one that dies with words'
is 'the other item comes' "$(cat out)" a
is 'all lines of both attempts' "$(grep -c 'it was .*here' err)" \
    "$((2 * 15 + 4))"
is 'and the last, which had no end' "$(grep -cx 'and is no m' err)" 2
like 'the death' err \
    'do: worker [0-9]+ was killed by SIGABRT, with item .* in attempt 1 of 2; it last wrote "and is no m"'
is 'the verdict has the last lines, and no control of a terminal' \
    "$(grep '^  it wrote: ' err | sed -n '1p;$p' | tr '\n' ';')" \
    '  it wrote: it was \x1b[1mhere\x1b[0m 12;  it wrote: and is no m;'
is 'five of them' "$(grep -c '^  it wrote: ' err)" 5
go says silent
unlike 'one without words' err 'wrote'
go says exit
like 'an exit' err 'ended with exit status 7, .*; it last wrote "a reason"'
is 'its verdict' "$(grep '^  it wrote' err)" '  it wrote: a reason'
go says print
like 'what was printed to stdout, too' err '^  it wrote: printed by its task'
go says binary
like 'bytes of all kinds' err '^  it wrote: a\\x00b\\xffc$'
go says silent die silent
is 'each item has its own' "$(grep -A1 '^failed in' err | grep -c '^  it wrote')" 1
go unopened a
exits 3 'one that dies while it is opened'
like 'the sentence has it' err \
    'cannot start: its worker was killed by SIGABRT while it was opened, 3 times in a row; it last wrote "no such thing here"'
go says child b
exits 1 'a child that was left behind, with the pipe'
is 'holds up nothing' "$(cat out)" b
like 'and no words' err '^  it wrote: with a child$'
go says close lines
exits 0 'one that has closed it'
like 'what came before' err '^before it closed$'
unlike 'what comes after goes nowhere' err '^line 1 of'

go says die -- --json
is 'with --json all is JSON' "$(grep -vc '^{.*}$' err)" 0
is 'also each line of a task' \
    "$(grep -c '^{"event":"wrote","worker":"do","text":"and is no m"}$' err)" 2
like 'and the report has it' err \
    '"event":"report",.*"wrote":"it was .*\\nand is no m"'

if weir --version --verbose | grep -q 'sqlite: yes'; then
    go says die -- --keep-failed=kept
    run weir failed --list kept
    id=$(cut -c 1-32 out)
    run weir failed --item="$id" kept
    is 'the item that is kept has more' "$(grep -c '^  it wrote   ' out)" 16
    like 'its last line' out '^  it wrote   and is no m$'
    run weir failed --item="$id" --json kept
    like 'for programs' out '"wrote":"it was .*\\nand is no m"'
fi

# ---------------------------------------------------------- whole lines ----

go four 'lines 500' 'lines 500' 'lines 500' 'lines 500' -- --quiet
exits 0 'four that write in small pieces'
is 'whole lines, all of them' \
    "$(grep -cxE 'line [0-9]+ of [0-9]+ x+' err) of $(wc -l <err)" '2000 of 2000'
is 'each of its length' "$(awk 'length != 79' err | wc -l)" 0
go says 'long 5000' -- --quiet
is 'a long line' "$(awk '{ print length }' err)" 5000
go says 'long 140000' -- --quiet
is 'one without end is cut' "$(awk '{ n += length } END { print n, (NR > 1) }' err)" \
    '140000 1'

# ------------------------------------------------------- slow and closed ----

mkfifo slow hold
has_marks() {
    [ "$(wc -c <marks)" -ge "$1" ]
}

# start ITEM: a run whose stderr is descriptor 9 here, and stdin 8.
start() {
    rm -f marks
    weir run --quiet says.yaml <hold >out 2>slow &
    pid=$!
    exec 8>hold 9<slow
    echo "$1" >&8
    until_true 30 test -e marks || echo "# it did not begin"
}

start 'much 8'
if until_true 1 has_marks 4; then
    echo "$(wc -c <marks) MiB were written" >marks.log
    fail 'a worker waits while nobody reads' <marks.log
else
    pass 'a worker waits while nobody reads'
fi
wc -c <&9 >count 8>&- &
reader=$!
exec 9<&-
echo 'lines 1' >&8
exec 8>&-
wait "$pid"
is 'it ends well' "$?" 0
wait "$reader"
is 'and nothing is lost' "$(cat count)" "$((8 * 1048576 + 80))"

start 'much 8'
exec 9<&-
ok 'when the other end is closed, it goes on' until_true 30 has_marks 8
exec 8>&-
wait "$pid"
is 'and ends as ever' "$?" 0
is 'with its results' "$(cat out)" 'much 8'

go says lines a
timeout -k 5 "$limit" weir run --quiet says.yaml <in >out 2>&-
is 'no stderr at all' "$? $(wc -l <out)" '0 2'

# Where descriptors are few, workers have the run's own. The fewest with which it
# runs at all depend on what the test has itself.
printf 'die\nb\n' >in
few=16
status=3
while [ "$status" -eq 3 ] && [ "$few" -lt 100 ]; do
    few=$((few + 2))
    (
        # shellcheck disable=SC3045
        ulimit -n "$few"
        exec timeout -k 5 "$limit" weir run says.yaml <in >out 2>err
    )
    status=$?
done
is 'few descriptors' "$status $(cat out)" '1 b'
is 'all lines come' "$(grep -cx 'and is no m' err)" 2

go says lines a -- --inline
like 'one process has its own' err '^line 1 of'

# ---------------------------------------------------------- without end ----

# The supervisor does all else beside it: one signal stops the sources, another
# ends the run. (Two of one kind may be one.)
is_gone() {
    ! grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null
}
rm -f marks
printf 'log\nlog\nlog\nlog\n' >in
weir run --quiet four.yaml <in >out 2>err &
pid=$!
ok 'four tasks log without end' until_true 30 has_marks 4
kill -TERM "$pid"
kill -HUP "$pid"
ok 'and signals are obeyed' until_true 30 is_gone
kill -KILL "$pid" 2>/dev/null
wait "$pid"

start 'much 1000000'
kill -9 "$pid"
wait "$pid" 2>/dev/null
is 'killed while its worker writes' "$?" 137
exec 8>&- 9<&-

finish
