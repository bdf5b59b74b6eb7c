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

# Once it has gone from one worker to another it does not come back.
one_at_a_time() {
    awk '$1 != last[$2] && ($1, $2) in seen { bad++ }
         { last[$2] = $1; seen[$1, $2] = 1 } END { exit bad > 0 }' result
}

round() {
    rm -f result
    under_fire "$1" 12000 "$2" weir run --plugin-path plugins $job
    replaced=$(sed -n 's/.* replaced \([0-9]*\).*/\1/p' err | tr '\n' ' ')
    what="$killed killed, $nurseries of them nurseries"
    exits 0 "$job ends ($what; replaced: ${replaced:-none})"
    sed 's/^[0-9]* //' result | sort -s -k1,1 >got
    same 'those of each key in their order, once' got want
    ok 'one worker has a key' one_at_a_time
    sort out >got
    same 'each key has one total, which is right' got totals
}

job=key.yaml
until_killed 100

# An heir takes its keys over while others are killed, or is killed itself.
sed 's/key: k,/&\n      recycle: 100,/' key.yaml >recycle.yaml
is 'two stages replace their workers' "$(grep -c recycle: recycle.yaml)" 2
job=recycle.yaml kills=10 done_kills=0
long && kills=1000
until_killed 100

finish
