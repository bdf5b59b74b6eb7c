#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under a run whose stages have a key: what is
# written has the order of each key, and each item once; the totals of each key
# are those that there are. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

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

round() {
    rm -f result
    under_fire "$1" 12000 "$2" weir run --plugin-path plugins key.yaml
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    sed 's/^[0-9]* //' result | sort -s -k1,1 >got
    same 'those of each key in their order, once' got want
    sort out >got
    same 'each key has one total, which is right' got totals
}

until_killed 100

finish
