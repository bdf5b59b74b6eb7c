#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of random processes under the runner, the nursery too, while 200,000
# items go through three stages into one file that two workers append to: each
# comes once, none twice, and it ends. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

killer=$WEIR_BUILDDIR/tests/crash/killer
[ -x "$killer" ] || skip_all "there is no $killer; make check builds it"

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

# The child of timeout, which is the supervisor.
_has_runner() {
    runner=
    read -r runner _ <"/proc/$timer/task/$timer/children"
    [ -n "$runner" ]
}

# One run under fire; adds to $done_kills.
under_fire() {
    rm -f kept
    timeout -k 5 $limit weir run append.yaml >out 2>err &
    timer=$!
    until_true 20 _has_runner
    "$killer" "$runner" "$1" 12000 "$2" >result
    wait $timer
    status=$?
    read -r killed nurseries <result
    done_kills=$((done_kills + killed))
    exits 0 "it ends ($killed killed, $nurseries of them nurseries)"
    is "each item once" "$(sort -u kept | wc -l) $(wc -l <kept)" \
        "200000 200000"
}

done_kills=0
round=0
while [ $done_kills -lt $kills ] && [ $round -lt 60 ]; do
    round=$((round + 1))
    under_fire $((kills - done_kills)) $((round + ${SEED:-0}))
done
is "enough were killed" "$((done_kills >= kills))" 1

finish
