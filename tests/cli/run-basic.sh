#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: small pipelines from end to end, stdin and stdout, what it says.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

cat >numbers.yaml <<'YAML'
weir: 1
job: numbers
vars: { count: { default: "1000" } }
queues: { all: { capacity: 16 } }
stages:
  - { name: make, task: flow.generate, with: { count: "${count}", size: 20 B },
      to: all }
  - { name: give, task: flow.pass, from: all, to: stdout, workers: 2 }
YAML
run weir run numbers.yaml
exits 0 "a pipeline ends with 0"
is "each item comes once" "$(sort -u out | wc -l) $(wc -l <out)" "1000 1000"
like "the summary counts" err 'give +took 1 k, done 1 k, gave 1 k'

run weir run --quiet numbers.yaml
exits 0 "--quiet"
is "nothing is said when all is well" "$(cat err)" ""

run weir run --quiet --set count=0 numbers.yaml
exits 0 "no items at all"
is "gives nothing" "$(cat out)" ""

run weir run --json numbers.yaml
exits 0 "--json"
like "the report is an object" err \
    '^\{"event":"report","job":"numbers","status":0,.*"name":"give".*"done":1000,'

run weir run --dry-run numbers.yaml
exits 0 "--dry-run"
like "says what would be started" out 'give: flow.pass, 2 workers -> stdout'
unlike "and starts nothing" out '^0000'

cat >upper.yaml <<'YAML'
weir: 1
job: upper
stages:
  - { name: up, task: text.upper, from: stdin, to: stdout, dispatch: sync }
YAML
printf 'one\n\ntwo\nthree' >in
weir run --quiet upper.yaml <in >out 2>err
is "lines, also an empty one and one without an end" "$(cat out)" "ONE

TWO
THREE"
weir run --quiet upper.yaml </dev/null >out 2>err
is "no input is no output" "$? $(wc -c <out)" "0 0"

i=0
while [ $i -lt 5000 ]; do
    echo "line $i"
    i=$((i + 1))
done >in
tr '[:lower:]' '[:upper:]' <in >want
weir run --quiet upper.yaml <in >out 2>err
same "sync keeps the order" want out

sed 's/stdin/{ stdin: { as: blocks } }/; s/stdout/{ stdout: { frame: raw } }/' \
    upper.yaml >blocks.yaml
weir run --quiet blocks.yaml <in >out 2>err
same "blocks and raw: bytes as they are" want out
sed 's/blocks/whole/' blocks.yaml >whole.yaml
weir run --quiet whole.yaml <in >out 2>err
same "the whole of it, from a file" want out
# shellcheck disable=SC2002
cat in | weir run --quiet whole.yaml >out 2>err
same "and from a pipe" want out
sed 's/stdout/{ stdout: { frame: nul } }/' upper.yaml >nul.yaml
printf 'a\nb\n' | weir run --quiet nul.yaml >out 2>err
is "frame: nul" "$(tr '\0' , <out)" "A,B,"

finish
