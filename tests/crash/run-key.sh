#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under a run whose stages have a key: what is
# written has the order of each key, and each item once; the totals of each key
# are those that there are. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

killer=$WEIR_BUILDDIR/tests/crash/killer
[ -x "$killer" ] || skip_all "there is no $killer; make check builds it"
build_plugin keyed

kills=25
lines=10000
long && kills=1000 lines=100000
limit=600

awk -v lines=$lines 'BEGIN {
    for (i = 1; i <= lines; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        print "k" int(seed / 65536) % 40 " " i
    }
}' >in
awk '{ items[$1]++; total[$1] += $2 }
    END { for (key in items) print key, items[key], total[key] }' in |
    sort >totals
sort -s -k1,1 in >want

cat >key.yaml <<'YAML'
weir: 1
job: key
defaults: { retries: 1000 }
queues: { lines: {}, said: { capacity: 64 }, sums: { capacity: 64 }, out: {} }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: lines }
  - { name: tag, task: keyed.tag, from: lines, to: { copy: [said, sums] },
      workers: 3, order: keep }
  - { name: say, task: keyed.say, from: said, to: out, key: k, workers: 3 }
  - { name: write, task: file.append, from: out, workers: 1,
      with: { root: ., path: result } }
  - { name: sum, task: keyed.sum, from: sums, to: stdout, key: k, workers: 3 }
YAML

# The child of timeout, which is the supervisor.
_has_runner() {
    runner=
    read -r runner _ <"/proc/$timer/task/$timer/children"
    [ -n "$runner" ]
}

under_fire() {
    rm -f result
    timeout -k 5 $limit weir run --plugin-path plugins key.yaml >out 2>err &
    timer=$!
    until_true 20 _has_runner
    "$killer" "$runner" "$1" 12000 "$2" >count
    wait $timer
    status=$?
    read -r killed nurseries <count
    done_kills=$((done_kills + killed))
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    sed 's/^[0-9]* //' result | sort -s -k1,1 >got
    same 'those of each key in their order, once' got want
    sort out >got
    same 'each key has one total, which is right' got totals
}

done_kills=0
round=0
while [ $done_kills -lt $kills ] && [ $round -lt 100 ]; do
    round=$((round + 1))
    under_fire $((kills - done_kills)) $((round + ${SEED:-0}))
done
is "enough were killed" "$((done_kills >= kills))" 1

finish
