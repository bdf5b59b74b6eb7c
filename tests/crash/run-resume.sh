#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a run, again and again, at random moments: of the runner, also
# while it takes up again what it had; of the process that writes its journal;
# of workers. Each time it is resumed, and in the end its files are byte for
# byte those of a run that nobody disturbed: through four stages, with fan-out,
# fan-in, order and state; and files that are renamed.
# WEIR_LONG: 200 kills of the runner. SEED: other moments.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
. "$WEIR_SRCDIR/tests/lib/stages.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
build_plugin hold
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
XDG_STATE_HOME=$work/state
export WEIR_PLUGIN_PATH XDG_STATE_HOME
chance=${SEED:-11}
limit=600
kills=5
lines=20000
long && kills=200 lines=1000000

write_job $lines $lines 1000
run timeout $limit weir run --quiet job.yaml
exits 0 'a run that nobody disturbs'
mv result want
lines_right lines
same 'has its lines in order' want/lines lines

# Starts `weir resume last`, as soon as the last process of the run is gone.
resume() {
    until_true 60 _resume_once
}
_resume_once() {
    weir resume --quiet --checkpoint=20ms last 2>err &
    runner=$!
    until_true 30 _goes_on
    ! grep -q 'is under way' err
}
_goes_on() {
    ! lives || grep -q "process $runner on" state/weir/runs/*/holder
}
lives() {
    [ -e "/proc/$runner/exe" ] # and is no zombie
}
# A number below $1.
draw() {
    chance=$(((chance * 1103515245 + 12345) % 2147483648))
    drawn=$((chance / 65536 % $1))
}
# A moment of less than $1 ms.
moment() {
    draw "$1"
    sleep "0.$(printf %03d "$drawn")"
}
# Kills one process of the run whose name is like that; workers are called
# after their stages.
kill_one() {
    victims=
    for pid in $(_below "$runner"); do
        read -r name 2>/dev/null <"/proc/$pid/comm" || continue
        case $name in
        weir:journal | weir:keeper) [ "$name" = "$1" ] ;;
        weir:*) [ "$1" = worker ] ;;
        *) false ;;
        esac && victims="$victims $pid"
    done
    # shellcheck disable=SC2086
    set -- $victims
    [ $# -gt 0 ] || return 1
    draw $#
    shift "$drawn"
    kill -9 "$1" 2>/dev/null
}
_below() {
    for _task in "/proc/$1/task"/*/children; do
        _children=
        read -r _children 2>/dev/null <"$_task"
        for _child in $_children; do
            echo "$_child"
            _below "$_child"
        done
    done 2>/dev/null
}

# Killed before its first checkpoint, there is nothing to resume.
_has_begun() {
    weir show --json last | grep -q '"checkpoints":[1-9]'
}
# By its last checkpoint more is left than the line that waits.
_has_work() {
    weir show --json last 2>/dev/null | grep -q '"name":"write"' &&
        ! weir show --json last | grep -q "\"name\":\"write\"[^}]*\"done\":$((lines - 1)),"
}
: >held
weir run --quiet --journal --checkpoint=20ms job.yaml 2>err &
runner=$!
until_true 60 _has_begun
killed=0
midway=0
journals=0
workers=0
i=0
while [ $killed -lt $kills ] && [ $i -lt $((kills * 3)) ]; do
    i=$((i + 1))
    case $((i % 5)) in
    0 | 3) moment 400 ;;
    1)
        moment 300
        kill_one worker && workers=$((workers + 1))
        moment 100
        ;;
    2) moment 60 ;;
    4)
        moment 300
        kill_one weir:journal && journals=$((journals + 1))
        moment 20
        ;;
    esac
    lives && kill -9 $runner && killed=$((killed + 1))
    wait $runner 2>/dev/null
    _has_work && midway=$((midway + 1))
    resume
done
rm held
wait $runner
status=$?
exits 0 "killed: the runner $killed times ($midway of them midway), the \
journal $journals times, a worker $workers times: it ends"
diff -r want result >diff.log 2>&1
is 'all is there, byte for byte, and nothing else' "$(head -n 3 diff.log)" ''
is 'the runner was killed as often as it should be' "$killed" "$kills"
finish
