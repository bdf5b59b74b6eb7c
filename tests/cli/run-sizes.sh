#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: many workers and one, small queues and large ones, items from
# nothing to very large.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

cat >sizes.yaml <<'YAML'
weir: 1
job: sizes
vars:
  count: { default: "2000" }
  size: { default: 20 B }
  capacity: { default: "1024" }
  workers: { default: "2" }
queues:
  a: { capacity: "${capacity}" }
  b: { capacity: "${capacity}" }
stages:
  - { name: make, task: flow.generate, to: a,
      with: { count: "${count}", size: "${size}" } }
  - { name: pass, task: flow.pass, from: a, to: b, workers: "${workers}" }
  - { name: give, task: flow.pass, from: b, to: { stdout: { frame: raw } },
      workers: "${workers}" }
YAML
# Queues for items of such a size.
large() {
    sed "s/capacity: \"[^\"]*capacity[^\"]*\"/capacity: 2, bytes: $1/" \
        sizes.yaml >large.yaml
    mv large.yaml sizes.yaml
}

# NAME COUNT BYTES [--set ...]
try() {
    name=$1 count=$2 bytes=$3
    shift 3
    timeout -k 5 100 weir run --quiet --set count="$count" \
        --set size="$bytes B" "$@" sizes.yaml 2>err | wc -c >out
    is "$name" "$(cat out) $(cat err)" "$((count * bytes)) "
}
try "one worker" 2000 20 --set workers=1
try "64 workers" 2000 20 --set workers=64
try "capacity 1" 500 20 --set capacity=1
try "capacity 100,000" 20000 20 --set capacity=100000
try "items of no bytes" 2000 0
try "items of one byte" 2000 1
try "items of 64 KiB" 200 65536

# Ten million items cost time, and no memory.
cat >many.yaml <<'YAML'
weir: 1
job: many
queues: { a: {}, b: {} }
stages:
  - { name: make, task: flow.generate, to: a, with: { count: "${n}", size: 20 B } }
  - { name: pass, task: flow.pass, from: a, to: b }
  - { name: take, task: flow.discard, from: b }
vars: { n: { default: "10" } }
YAML
few=10000 many=100000
if long; then
    many=10000000
fi
# The most memory that one worker had, in bytes, of a report.
peak_of() {
    grep -o '"memory_bytes":[0-9]*' "$1" | cut -d: -f2 | sort -n | tail -n 1
}
for n in $few $many; do
    limit=600 run weir run --json --set "n=$n" many.yaml
    exits 0 "$n items through three stages"
    grep '"event":"report"' err >"report.$n"
    is "$n items: all of them" "$(grep -o "\"taken\":$n," "report.$n" | wc -l)" 2
done
ok "memory does not grow with them" \
    test "$(peak_of report.$many)" -lt $(($(peak_of report.$few) + (8 << 20)))

if long; then
    large '600 MiB'
    try "an item of 256 MiB" 2 268435456
else
    large '70 MiB'
    try "items of 32 MiB" 3 33554432
fi

finish
