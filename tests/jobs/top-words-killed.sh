#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# top-words-killed.sh - the totals of jobs/top-words.yaml are right, whichever
# processes of the run are killed, and how often.
. "${0%/*}/../lib/cli.sh"

requires awk shuf
# A kill from outside is an attempt at the item in hand. Many small items: a run
# that goes on for a while.
sed -e '/^stages:/i defaults: { retries: 60000 }\n' -e 's/size: 1 MiB/size: 16 KiB/' \
    "$WEIR_SRCDIR/jobs/top-words.yaml" >job.yaml
kills=6
rounds=10
if long; then
    kills=1000
    rounds=1000
fi

# The same words again and again, so that the right totals are known.
awk 'BEGIN {
    for (i = 0; i < 40000; i++)
        printf "%s%s", substr("abcdefghijklmnopqrstuvwxyz", i % 25, 1 + i % 3),
            i % 8 == 0 ? "\n" : " "
    print "" }' >words
for i in 1 2 3 4 5 6 7 8 9 10; do
    cat words words words words words
done >many
mkdir corpus
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    ln many "corpus/$i"
done
run weir run --quiet job.yaml --set corpus=words --set k=100
exits 0 'the same words once'
ok 'there are some' test -s out
awk -v n="$((16 * 10 * 5))" '{ print $1 * n "\t" $2 }' out >want

# The nursery and its workers. What writes standard output is a child without
# children: it cannot be replaced, and its death ends the run.
victims() {
    # shellcheck disable=SC2013  # words it is
    for _child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        _workers=$(cat "/proc/$_child/task/$_child/children" 2>/dev/null)
        # Most often a worker: without its nursery all begins anew.
        [ -z "$_workers" ] || echo "$_child" "$_workers" "$_workers" "$_workers"
    done
}

killed=0
round=0
while [ "$killed" -lt "$kills" ] && [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    weir run job.yaml --set corpus=corpus --set k=100 >out 2>err &
    runner=$!
    while kill -0 "$runner" 2>/dev/null; do
        victim=$(victims "$runner" | tr ' ' '\n' | shuf -n 1)
        if [ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null; then
            killed=$((killed + 1))
        fi
        [ "$killed" -lt "$kills" ] || break
    done
    wait "$runner"
    status=$?
    if [ "$status" != 0 ] || ! cmp -s out want; then
        break
    fi
done
exits 0 "$round runs with $killed kills end well"
same 'the totals are right' out want
ok 'some were killed' test "$killed" -ge 3
finish
