#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# graph.sh - the graph of a job, for people and for dot.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
cat >job.yaml <<'END'
weir: 1
job: parts
queues: { some: { capacity: 7, bytes: 1 MiB }, rest: {} }
stages:
  - { name: part, task: try.part, from: stdin, workers: 3,
      to: { letters: some, others: { copy: [rest, drop] } } }
  - { name: say, task: try.all, with: { text: a }, from: some, workers: 1,
      to: stdout, failed: rest }
  - { name: obey, task: try.obey, from: rest, workers: 2, to: drop, key: k,
      recycle: { items: 1, age: 1h, memory: 500 MiB } }
  - { name: ticks, task: try.ticks, to: stdout, after: [say, obey] }
END
run weir graph job.yaml
exits 0 'as text'
cat >want <<'END'
parts
  part   try.part      3 workers  stdin -> letters: some, others: rest + drop
  ticks  try.ticks     1 worker   -> stdout  after say, obey
  say    try.all       1 worker   some -> stdout  failed -> rest
  obey   try.obey      2 workers  rest -> drop  by k  replaced after 1 item or 1 h or 500 MiB
queues
  some  at most 7 items, 1 MiB
  rest  at most 1024 items, 8 MiB
END
same 'each stage and each queue' out want

run weir graph --dot job.yaml
exits 0 'for dot'
cp out graph.dot
like 'it has the stages' graph.dot '"s part" \[.*try\.part'
like 'how its workers share and go' graph.dot \
    '2 workers by k\\nreplaced after 1 item or 1 h or 500 MiB"\]'
like 'edges into queues' graph.dot '"s part" -> "q some"'
like 'and out of them' graph.dot '"q some" -> "s say"'
like 'standard input' graph.dot '"stdin" -> "s part"'
like 'and output' graph.dot '"s say" -> "stdout"'
if command -v dot >/dev/null 2>&1; then
    ok 'dot takes it' dot -Tsvg -o graph.svg graph.dot
else
    skip 'dot takes it' 'graphviz is not installed'
fi
finish
