#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-key.sh - `key`: each value's items come to one worker, in their order,
# once: through slow items, retries, deaths, time limits and a kill of the run,
# at any capacity; and totals for each key are whole.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin keyed
build_plugin hold
cat >key.yaml <<'YAML'
weir: 1
job: key
vars: { capacity: { default: "16" } }
queues: { in: { capacity: "${capacity}" }, left: {} }
stages:
  - { name: tag, task: keyed.tag, from: stdin, to: in, workers: 3, order: keep }
  - { name: say, task: keyed.say, from: in, to: stdout, key: k, workers: 4,
      failed: left, retries: 20 }
  - { name: leave, task: file.append, from: left, workers: 1,
      with: { root: ., path: left } }
YAML

# Lines of nine keys, one of which has every second line; `-` sets none.
awk 'BEGIN {
    split("hot a b c d e f g -", keys, " ")
    for (i = 1; i <= 400; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648
        kind = int(seed / 65536) % 16
        key = i % 2 ? "hot" : keys[2 + int(seed / 1048576) % 8]
        what = kind < 3 ? " slow " kind : kind == 3 ? " fail 2" : \
            kind == 4 ? " spoilt" : i % 57 == 9 ? " die 1" : ""
        print key " " i what
    }
}' >in
grep -v spoilt in >good
grep spoilt in >bad

# by_key FILE: stable by key, without the pids.
by_key() {
    sed 's/^[0-9]* //' "$1" | sort -s -k1,1
}
sort -s -k1,1 good >want
# Once it has gone from one worker to another it does not come back.
one_at_a_time() {
    awk '$1 != last[$2] && ($1, $2) in seen { bad++ }
         { last[$2] = $1; seen[$1, $2] = 1 } END { exit bad > 0 }' "$1"
}

for capacity in 1 5 64; do
    rm -f left
    timeout -k 5 120 weir run --plugin-path plugins --set capacity=$capacity \
        key.yaml <in >out 2>err
    status=$?
    exits 1 "slow, failing, dying, spoilt items; capacity $capacity"
    by_key out >got
    same 'those of each key in their order, once' got want
    ok 'one worker has a key' one_at_a_time out
    sort -s -k1,1 left >got
    sort -s -k1,1 bad >lost
    same 'also those that failed' got lost
done
ok 'several workers have keys' \
    [ "$(cut -d ' ' -f 1 out | sort -u | wc -l)" -gt 1 ]
like 'how evenly, says the report' err '^  say .*, a worker [0-9]+ to [0-9]+$'
grep -v die in >tame
rm -f left
timeout 60 weir run --inline --plugin-path plugins key.yaml <tame >out 2>err
by_key out >got
grep -v die want >tame.want
same 'inline, too' got tame.want

# What waits for its next attempt is passed by none of its key; what hangs is
# tried again before them.
sed 's/retries: 20/timeout: 1s, backoff: 100ms/' key.yaml >wait.yaml
awk 'BEGIN { for (i = 1; i <= 60; i++)
    print "k" i % 5 " " i (i == 3 ? " hang 1" : i == 4 ? " fail 2" : \
        i == 5 ? " die 1" : "") }' >in2
timeout -k 5 60 weir run --plugin-path plugins wait.yaml <in2 >out 2>err
status=$?
exits 0 'with backoff and a time limit'
by_key out >got
sort -s -k1,1 in2 >want2
same 'in the order of each key all the same' got want2
ok 'and one worker has a key' one_at_a_time out

# Totals: a task that saves its state, with workers that die.
cat >sum.yaml <<'YAML'
weir: 1
job: sum
queues: { in: { capacity: 32 } }
stages:
  - { name: tag, task: keyed.tag, from: stdin, to: in, workers: 1 }
  - { name: sum, task: keyed.sum, from: in, to: stdout, key: k, workers: 4,
      retries: 20 }
YAML
timeout -k 5 120 weir run --plugin-path plugins sum.yaml <good >out 2>err
status=$?
exits 0 'totals, with workers that die'
sort out >got
awk '{ items[$1]++; total[$1] += $2 }
    END { for (key in items) print key, items[key], total[key] }' good |
    sort >totals
same 'each key has one, which is right' got totals

# The run is killed while one key waits, and goes on.
if weir --version --verbose | grep -q 'sqlite: yes'; then
    cat >hold.yaml <<'YAML'
weir: 1
job: hold
queues: { a: {}, b: { capacity: 64 }, c: {} }
stages:
  - { name: read, task: file.lines, with: { paths: some }, to: a }
  - { name: tag, task: keyed.tag, from: a, to: b, workers: 1 }
  - { name: mark, task: hold.mark, from: b, to: c, key: k, workers: 4,
      with: { file: held, at: "hot 101" } }
  - { name: write, task: file.append, from: c, workers: 1,
      with: { root: ., path: result } }
YAML
    awk 'BEGIN { for (i = 1; i <= 300; i++)
        print (i % 2 ? "hot" : "k" i % 7) " " i }' >some
    XDG_STATE_HOME=$work/state
    export XDG_STATE_HOME
    _has_done() {
        weir show --json last 2>/dev/null |
            grep -Eq '"name":"mark"[^}]*"done":([5-9][0-9]|[0-9]{3})'
    }
    _is_free() {
        weir resume --explain last >explained 2>err && ! weir runs |
            head -n 1 | grep -q ' running '
    }
    : >held
    weir run --quiet --journal --checkpoint=20ms --plugin-path plugins \
        hold.yaml &
    runner=$!
    ok 'it waits at an item' until_true 30 _has_done
    kill -9 $runner 2>/dev/null
    wait $runner 2>/dev/null
    until_true 30 _is_free
    rm held
    run weir resume --quiet last
    exits 0 'the run was killed, and goes on'
    sort -s -k1,1 result >got
    sort -s -k1,1 some >want
    same 'those of each key in their order, once' got want
else
    skip 'the run was killed, and goes on' 'built without SQLite'
fi

run weir graph --plugin-path plugins key.yaml
like 'the graph says by what' out '^  say .* in -> stdout  by k  failed -> left$'
run weir run --dry-run --plugin-path plugins key.yaml
like 'and so does a dry run' out '^  say: keyed.say, 4 workers by k -> stdout$'

# What cannot have one is told where it says so.
refused() {
    printf 'weir: 1\njob: j\nqueues: { q: {}, r: %s }\nstages:\n%s\n' \
        "${4:-{\}}" "$1" >j.yaml
    run weir check j.yaml
    exits 2 "$2"
    like 'says why' err "$3"
}
refused "  - { name: a, task: flow.generate, with: { count: 1 }, to: q, key: k }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r }" \
    'a source' "j.yaml:5:69: stage 'a': the stage is a source"
refused "  - { name: a, task: flow.pass, from: stdin, to: q, key: k }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r }" \
    'stdin' "j.yaml:5:58: stage 'a': an item of stdin has no attributes"
refused "  - { name: a, task: flow.pass, from: stdin, to: { copy: [q, r] } }
  - { name: b, task: flow.pass, from: [q, r], to: stdout, key: k }" \
    'two queues' "'from' has several queues"
refused "  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: r, key: stem }
  - { name: c, task: flow.discard, from: r }" \
    'a name that is made' "'stem' is no attribute that an item has"
refused "  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: r, key: 'a b' }
  - { name: c, task: flow.discard, from: r }" \
    'no name' "'a b' is no name"
refused "  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: r, key: k, order: keep,
      workers: 2 }
  - { name: c, task: flow.discard, from: r }" \
    'order beside it' "j.yaml:6:64: stage 'b': 'key' gives each worker"
refused "  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: r }
  - { name: c, task: flow.discard, from: r, key: k }" \
    'a queue that drops' "queue 'r': stage 'c' takes from it by key" \
    '{ overflow: drop-old }'
finish
