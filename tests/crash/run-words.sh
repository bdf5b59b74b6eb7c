#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under the runner while it counts words: the
# totals are those that were there before. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

killer=$WEIR_BUILDDIR/tests/crash/killer
[ -x "$killer" ] || skip_all "there is no $killer; make check builds it"

kills=30
long && kills=1000
limit=600

# Some 12 MB of words, made from numbers.
awk 'BEGIN {
    for (line = 0; line < 200000; line++) {
        text = ""
        for (word = 0; word < 9; word++) {
            seed = (seed * 1103515245 + 12345) % 2147483648
            text = text " w" substr("abcdefghijklmnopqrst", seed % 19 + 1, 2) \
                substr("abcdefghijklmnopqrst", int(seed / 64) % 19 + 1, 2)
        }
        print text
    }
}' >corpus
tr -s ' ' '\n' <corpus | grep . | sort | uniq -c |
    sort -k1,1nr -k2,2 | head -n 20 | awk '{ print $1 "\t" $2 }' >want

cat >words.yaml <<'YAML'
weir: 1
job: words
defaults: { retries: 1000 }
queues: { blocks: { capacity: 16 }, counts: { capacity: 64 } }
stages:
  - { name: read, task: file.blocks, with: { paths: [corpus], size: 16 KiB },
      to: blocks }
  - { name: count, task: text.count-words, from: blocks, to: counts,
      workers: 4 }
  - { name: total, task: text.top, from: counts, with: { k: 20 }, to: stdout }
YAML

# The child of timeout, which is the supervisor.
_has_runner() {
    runner=
    read -r runner _ <"/proc/$timer/task/$timer/children"
    [ -n "$runner" ]
}

under_fire() {
    timeout -k 5 $limit weir run words.yaml >out 2>err &
    timer=$!
    until_true 20 _has_runner
    "$killer" "$runner" "$1" 12000 "$2" >result
    wait $timer
    status=$?
    read -r killed nurseries <result
    done_kills=$((done_kills + killed))
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    same "the totals are right" want out
}

done_kills=0
round=0
while [ $done_kills -lt $kills ] && [ $round -lt 100 ]; do
    round=$((round + 1))
    under_fire $((kills - done_kills)) $((round + ${SEED:-0}))
done
is "enough were killed" "$((done_kills >= kills))" 1

finish
