#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: a stage that waits for others, queues that several fill, names of
# items, rights of files.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

mkdir in
for name in a b c; do
    echo "text of $name" >in/$name.txt
done
cat >after.yaml <<'YAML'
weir: 1
job: after
queues: { names: { capacity: 8 }, texts: { capacity: 8 } }
stages:
  - { name: names, task: file.names, with: { paths: in }, to: names }
  - { name: read, task: file.read, from: names, to: texts }
  - { name: write, task: file.write, from: texts,
      with: { root: out.d, path: "${item.stem}.copy" }, workers: 2 }
  - { name: again, task: file.lines, with: { paths: [in/a.txt] },
      to: stdout, after: [write] }
YAML
run weir run after.yaml
exits 0 "a stage that waits for another"
is "names come from attributes" "$(cd out.d && echo *)" \
    "a.copy b.copy c.copy"
same "contents as they were" in/b.txt out.d/b.copy
is "what came after" "$(cat out)" "text of a"

cat >several.yaml <<'YAML'
weir: 1
job: several
queues: { all: { capacity: 2 } }
stages:
  - { name: one, task: flow.generate, with: { count: 50, size: 20 B }, to: all }
  - { name: two, task: flow.generate, with: { count: 70, size: 20 B }, to: all,
      workers: 3 }
  - { name: give, task: flow.pass, from: all, to: stdout }
YAML
run weir run --quiet several.yaml
exits 0 "two stages fill a queue"
is "all of both" "$(wc -l <out) $(sort -u out | wc -l)" "120 70"

finish
