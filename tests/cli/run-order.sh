#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: `order: keep`. The outputs of many workers come in the order of the
# inputs: through slow items, retries, deaths, items that give nothing or more
# than a queue holds, at any capacity, through several stages.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >order.yaml <<'YAML'
weir: 1
job: order
vars: { capacity: { default: "16" } }
defaults: { order: keep }
queues:
  in: { capacity: 64 }
  q: { capacity: "${capacity}" }
  p: { capacity: "${capacity}" }
  left: { capacity: "${capacity}" }
stages:
  - { name: first, task: flow.pass, from: stdin, to: in, workers: 2 }
  - { name: do, task: bad.do, from: in, to: q, workers: 4, failed: left,
      retries: 3 }
  - { name: pass, task: flow.pass, from: q, to: { copy: [p, stdout] },
      workers: 3 }
  - { name: keep, task: file.append, from: p, with: { path: kept, root: "." },
      workers: 1 }
  - { name: leave, task: file.append, from: left,
      with: { path: left, root: "." }, workers: 1 }
YAML

# Lines, and what is to come of them.
awk -v want=want -v lost=lost 'BEGIN {
    for (i = 0; i < 500; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        kind = int(seed / 65536) % 12
        line = kind < 3 ? "slow " kind : "pass"
        if (kind == 3)
            line = "fail 1"
        else if (kind == 4)
            line = "skip"
        else if (kind == 5)
            line = "permanent"
        else if (i % 60 == 7)
            line = "die 1 9"
        else if (i % 125 == 20)
            line = "slow 60"
        if (i % 9 == 1) {
            line = "emit " (i % 7)
            print line
            for (k = 0; k < i % 7; k++)
                print k >want
            continue
        }
        line = line " " 1000 + i
        print line
        if (kind == 5)
            print line >lost
        else if (kind != 4)
            print line >want
    }
}' >in

for capacity in 1 2 5 64; do
    rm -f kept left
    timeout -k 5 120 weir run --plugin-path plugins --set capacity=$capacity \
        order.yaml <in >out 2>err
    status=$?
    exits 1 "slow, failing, dying, parting items; capacity $capacity"
    tr -d ' ' <want >want.bare
    tr -d ' ' <out >out.bare
    same "in the order of the input" want.bare out.bare
    same "also the copy" out kept
    same "also those that failed" lost left
done
grep -v die in >tame
timeout 60 weir run --inline --plugin-path plugins order.yaml <tame >out 2>err
grep -v die want.bare >tame.want
tr -d ' ' <out >out.bare
same "inline, too" tame.want out.bare

# An item that waits for its next attempt is passed by none.
sed 's/retries: 3/backoff: { first: 300ms, jitter: 0% }/' order.yaml >wait.yaml
for workers in 4 1; do
    sed "s/workers: 4/workers: $workers/" wait.yaml >wait1.yaml
    rm -f kept left
    { printf 'pass 1\nfail 1 2\ndie 1 9 3\n'; seq -f 'pass %g' 4 60; } >in
    timeout -k 5 60 weir run --plugin-path plugins --set capacity=2 wait1.yaml \
        <in >out 2>err
    status=$?
    exits 0 "backoff, with $workers workers"
    same "in order all the same" in out
done

# What cannot keep order is told where it says so itself.
refused() {
    printf 'weir: 1\njob: j\nqueues: { q: {}, r: {} }\nstages:\n%s\n' "$1" >j.yaml
    run weir check j.yaml
    exits 2 "$2"
    like "says why" err "$3"
}
refused "  - { name: a, task: flow.generate, with: { count: 1 }, to: q, order: keep }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r }" \
    "a source" "j.yaml:5:71: stage 'a': task 'flow.generate' is a source"
refused "  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r, order: keep }" \
    "a sink" "task 'flow.discard' puts nothing out"
refused "  - { name: a, task: flow.pass, from: stdin, to: { copy: [q, r] } }
  - { name: b, task: flow.pass, from: [q, r], to: stdout, order: keep }" \
    "two queues" "'from' has several queues"
refused "  - { name: a, task: flow.pass, from: stdin, to: q, order: kept }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r }" \
    "another word" "'order'.*'kept'"
finish
