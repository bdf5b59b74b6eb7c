#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A worker that dies between its commit and the rename that the commit has made
# true: who recovers it renames, and each item is a file of its own, once.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
export WEIR_PLUGIN_PATH

cat >rename.yaml <<'YAML'
weir: 1
job: rename
defaults: { retries: 1000 }
queues: { q: { capacity: 64 } }
stages:
  - { name: read, task: file.lines, with: { paths: names, numbers: true }, to: q }
  - { name: keep, task: file.write, from: q, workers: 2,
      with: { path: "${item.line}", root: kept, sync: false } }
YAML
seq 300 >names

# Each worker dies at this passing, and so does the one that takes its place.
for nth in 25 40; do
    rm -rf kept
    WEIR_FAULT=queue.redo.rename:$nth:kill
    export WEIR_FAULT
    run "$weir" run rename.yaml
    unset WEIR_FAULT
    exits 0 "killed at rename $nth: it ends"
    like "killed at rename $nth: they were" err 'workers lost'
    find kept -type f | sed 's/.*\///' | sort -n >names.kept
    same "killed at rename $nth: each has its file" names.kept names
    (cd kept && sort -n -- *) >all
    same "killed at rename $nth: with its text" all names
done
finish
