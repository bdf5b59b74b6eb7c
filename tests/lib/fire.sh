# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# fire.sh - kill -9 of what is below a run; a script reads it behind cli.sh, and
# is skipped where the program that kills has not been built.
#
#   begin COMMAND...        starts it, for $limit seconds at most, with the files
#                           `out` and `err`; then $timer is to be waited for, and
#                           $runner is the command itself
#   runner_of PID           $runner: the child of `timeout`, which has this pid
#   under_fire KILLS US SEED COMMAND...
#                           so many random processes below it, US microseconds
#                           apart in the mean; then $status, $killed, $nurseries
#                           (of them), and $done_kills, which is the sum
#   until_killed ROUNDS     calls round KILLS SEED, which the script has, until
#                           $kills are done, ROUNDS times at most
# shellcheck disable=SC2034,SC2154

killer=$WEIR_BUILDDIR/tests/crash/killer
[ -x "$killer" ] || skip_all "there is no $killer; make check builds it"
done_kills=0

runner_of() {
    runner=
    read -r runner _ <"/proc/$1/task/$1/children"
    [ -n "$runner" ]
}

begin() {
    timeout -k 5 "$limit" "$@" >out 2>err &
    timer=$!
    until_true 20 runner_of "$timer"
}

under_fire() {
    _kills=$1 _us=$2 _seed=$3
    shift 3
    begin "$@"
    "$killer" "$runner" "$_kills" "$_us" "$_seed" >hits
    wait "$timer"
    status=$?
    read -r killed nurseries <hits
    done_kills=$((done_kills + killed))
}

until_killed() {
    _round=0
    while [ "$done_kills" -lt "$kills" ] && [ "$_round" -lt "$1" ]; do
        _round=$((_round + 1))
        round $((kills - done_kills)) $((_round + ${SEED:-0}))
    done
    is "enough were killed" "$((done_kills >= kills))" 1
}
