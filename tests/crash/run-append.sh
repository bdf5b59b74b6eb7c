#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under the runner, the nursery too, while 200,000
# items go through three stages into one file that two workers append to: each
# comes once, none twice, and it ends. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"


kills=30
long && kills=1000
limit=600

cat >append.yaml <<'YAML'
weir: 1
job: append
defaults: { retries: 1000 }
queues: { q: { capacity: 256 }, r: { capacity: 256 } }
stages:
  - { name: make, task: flow.generate, with: { count: 200000, size: 20 B },
      to: q }
  - { name: pass, task: text.upper, from: q, to: r, workers: 3 }
  - { name: keep, task: file.append, from: r,
      with: { path: kept, root: "." }, workers: 2 }
YAML

round() {
    rm -f kept
    under_fire "$1" 12000 "$2" weir run append.yaml
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    is "each item once" "$(sort -u kept | wc -l) $(wc -l <kept)" \
        "200000 200000"
}

until_killed 60

finish
