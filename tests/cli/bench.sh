#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir bench: rows and sentences; it measures on any machine, so no figure is
# looked at.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

# --- a row
run weir bench --time=30ms queue
exits 0 'one row'
like 'its figures' out '^queue +[0-9.]+ [num]?s  \([0-9.]+ [num]?s \.\. '
like 'those of the bare program' out '^  bare +[0-9.]+ [num]?s .* robust mutex: [0-9.e+]+ times that$'
like 'a sentence on it' out '^- A small item goes|^- .*processor'
is 'no other row' "$(grep -c '^[a-z].* \.\. ' out)" 1
is 'in 80 columns' "$(sed -n '/^What/,$p' out | grep -E '.{81}')" ''

# --- all of them, for programs
run weir bench --json --time=14ms
exits 0 'all rows'
sed -n 's/^{"row":"\([^"]*\)".*"weir":{"median_ns":[0-9].*/\1/p' out >rows
is 'each is there' "$(wc -l <rows | tr -d ' ')" 10
like 'at the end stands the machine' out '^{"processors":[0-9]+,.*"limits":\["'
if command -v python3 >/dev/null 2>&1; then
    ok 'each line is JSON' python3 -c '
import json
for line in open("out"):
    json.loads(line)'
fi
weir help bench >told
while read -r row; do
    ok "help names $row" grep -qw -e "$row" told
done <rows
weir --complete 2 weir bench '' | sort >offered
sort rows >sorted
same 'they are completed' offered sorted

# --- one processor
requires taskset
one=$(taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/')
run taskset -c "$one" weir bench --time=14ms call queue-batch
exits 0 'on one processor'
like 'that is what limits it' out '^- One processor may be used'

# --- what is wrong
run weir bench queu
exits 2 'no such row'
like 'the nearest is named' err "^weir: no row 'queu'; did you mean 'queue'\?$"
run weir bench --time=3
exits 2 'a time without its unit'
like 'what to write' err '^weir: --time: .*3s'
run weir bench --time=0s
exits 2 'no time at all'

# --- stopped, and unable
weir bench --time=100s queue >out 2>err &
pid=$!
children() { [ -n "$(cat "/proc/$pid/task/$pid/children")" ]; }
ok 'it measures' until_true 20 children
kill -TERM $pid
wait $pid
status=$?
exits 143 'stopped'
finish
