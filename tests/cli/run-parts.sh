#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: room. Sets of outputs that do not fit, several outputs at once,
# small queues, large items.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >three.yaml <<'YAML'
weir: 1
job: three
vars: { capacity: { default: "4" }, count: { default: "3000" } }
queues:
  q: { capacity: 64 }
  a: { capacity: "${capacity}" }
  b: { capacity: "${capacity}" }
  c: { capacity: "${capacity}" }
stages:
  - { name: make, task: flow.generate, with: { count: "${count}", size: 20 B },
      to: q }
  - { name: three, task: bad.three, from: q, to: { a: a, b: b, c: c },
      workers: 4 }
  - { name: first, task: file.append, from: a, with: { path: a, root: "." } }
  - { name: second, task: file.append, from: b, with: { path: b, root: "." } }
  - { name: third, task: file.append, from: c, with: { path: c, root: "." } }
YAML
for capacity in 4 1; do
    rm -f a b c
    run weir run --plugin-path plugins --set capacity=$capacity three.yaml
    exits 0 "three outputs an item, four workers, capacity $capacity"
    for file in a b c; do
        is "all came to $file once" "$(sort -u $file | wc -l) $(wc -l <$file)" \
            "3000 3000"
    done
done

cat >emit.yaml <<'YAML'
weir: 1
job: emit
queues: { q: { capacity: 8, bytes: 64 KiB } }
stages:
  - { name: do, task: bad.do, from: stdin, to: q, workers: 8 }
  - { name: give, task: flow.pass, from: q, to: stdout }
YAML
for order in 'emit 1' 'emit 8' 'emit 9' 'emit 800' 'emit 20 10000'; do
    count=${order#emit }
    count=${count% *}
    yes "$order" | head -n 10 | timeout -k 5 60 weir run --plugin-path plugins emit.yaml >out 2>err
    status=$?
    exits 0 "$order: ten times, by eight workers"
    is "$order: all came" "$(tr -d ' ' <out | sort -n | uniq -c |
        awk '{ print $1 }' | sort -u) $(wc -l <out)" "10 $((count * 10))"
done
printf 'emit 1 70000\npass\n' |
    timeout -k 5 60 weir run --plugin-path plugins emit.yaml >out 2>err
status=$?
exits 1 "larger than the queue: the item fails"
is "the next one does not" "$(cat out)" pass
like "the words name the key" err \
    "an output of 68.4 KiB can never fit queue 'q', whose .bytes. are 64 KiB"

# Parts are out already when its worker dies; the rest differs.
printf 'other 5\n' |
    timeout -k 5 60 weir run --plugin-path plugins emit.yaml >out 2>err
status=$?
exits 0 "what fits the queue is tried again without harm"
is "as if nothing had been" "$(sort out | tr '\n' ,)" "2000,2001,2002,2003,2004,"
printf 'other 50\n' |
    timeout -k 5 60 weir run --plugin-path plugins emit.yaml >out 2>err
status=$?
exits 1 "what does not is not safe to try again when it differs"
like "the words" err 'task gives other output when tried again; not safe'
like "and what is out already" err 'outputs were already passed on'

cat >copy.yaml <<'YAML'
weir: 1
job: copy
queues: { a: { capacity: 2 }, b: { capacity: 3 } }
stages:
  - { name: up, task: text.upper, from: stdin,
      to: { copy: [a, b, drop] } }
  - { name: keep, task: file.append, from: a, with: { path: kept, root: "." } }
  - { name: give, task: flow.pass, from: b, to: stdout }
YAML
printf 'a\nb\nc\nd\n' >in
timeout 60 weir run copy.yaml <in >out 2>err
status=$?
exits 0 "copies"
is "each place has them all" "$(sort out | tr '\n' ,) $(sort kept | tr '\n' ,)" \
    "A,B,C,D, A,B,C,D,"
like "and the third is counted away" err 'up .*dropped 4'

finish
