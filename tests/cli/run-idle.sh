#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: what waits costs nothing. Workers that have no items make no call of
# the system, and their supervisor looks around once a second.
. "${0%/*}/../lib/cli.sh"

requires strace
strace -o traced true 2>/dev/null || skip_all "strace may not trace here"

cat >idle.yaml <<'YAML'
weir: 1
job: idle
queues: { out: {}, end: {} }
stages:
  - { name: work, task: flow.pass, from: stdin, to: out, workers: 2 }
  - { name: more, task: flow.pass, from: out, to: end, workers: 2 }
  - { name: write, task: file.write, with: { path: got }, from: end }
YAML
mkfifo lines
weir run --quiet idle.yaml <lines &
supervisor=$!
exec 9>lines
echo one >&9

children() {
    cat /proc/"$1"/task/*/children 2>/dev/null
}

# What they had to do is done: all sleep, and have not been awake since the last
# look.
look() {
    for pid in $workers; do
        grep -q '^State:.S' "/proc/$pid/status" || return 1
        grep ctxt "/proc/$pid/status"
    done
}
are_idle() {
    nursery=$(children $supervisor)
    workers=
    for pid in $nursery; do
        workers="$workers $(children "$pid")"
    done
    [ "$(echo "$workers" | wc -w)" -ge 5 ] && look >before && sleep 0.2 &&
        look >after && cmp -s before after
}
ok "an item went through, and all wait" until_true 30 are_idle

seconds=1
! long || seconds=10
begun=$(date +%s)
# shellcheck disable=SC2046,SC2086
timeout -s INT $seconds strace -q -f -o trace \
    $(printf -- '-p %s ' $supervisor $workers) 2>said
lasted=$(($(date +%s) - begun + 1))

ended() { # PID...: calls that came to an end, of these
    for pid; do
        grep "^$pid .* = " trace
    done
}
# shellcheck disable=SC2086
ended $workers >theirs
# shellcheck disable=SC2086
is "strace saw them all" "$(cut -d ' ' -f 1 trace | sort -u | wc -l)" \
    "$(echo $supervisor $workers | wc -w)"
is "workers make no call in $seconds s" "$(cat theirs)" ''
ended $supervisor | grep -c 'epoll_wait' >waits
ok "the supervisor wakes at most once a second" \
    [ "$(cat waits)" -le $((lasted + 1)) ]
# It is seen to be at rest after some seconds.
if long; then
    ended $supervisor | grep -v 'epoll_wait' >besides
    is "and does nothing else then" "$(cat besides)" ''
fi

exec 9>&-
wait $supervisor
is "the run ends well" $? 0
finish
