#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under the runner while it counts words: the
# totals are those that were there before. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"


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

round() {
    under_fire "$1" 12000 "$2" weir run words.yaml
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    same "the totals are right" want out
}

until_killed 100

finish
