#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A full queue that drops, while workers are killed at each step of it: its
# sister gets every item once, and what is dropped is counted once.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
export WEIR_PLUGIN_PATH

build_plugin hold
cat >drop.yaml <<'YAML'
weir: 1
job: drop
plugins: [plugins]
vars: { overflow: {} }
defaults: { retries: 1000 }
queues:
  slow: { capacity: 4, overflow: "${overflow}" }
  fast: { capacity: 8 }
  late: { capacity: 8 }
stages:
  - { name: split, task: flow.pass, from: stdin, to: { copy: [slow, fast] },
      workers: 1 }
  - { name: hold, task: hold.mark, from: slow, to: late, workers: 1,
      with: { file: hold, at: "1" } }
  - { name: keep, task: file.append, from: late, workers: 1,
      with: { root: ., path: kept } }
  - { name: give, task: flow.pass, from: fast, to: stdout, workers: 1 }
YAML
seq 1 300 >want

# Runs it; what is held is let go when the sister has all.
at() {
    rm -f kept
    : >hold
    : >out
    WEIR_FAULT=$2 WEIR_MUTANT=${3-} timeout -k 5 60 "$weir" run --json \
        --set overflow="$1" drop.yaml <want >out 2>err &
    runner=$!
    until_true 50 has_all || fail "the sister of '$1' waits at $2" err
    rm -f hold
    wait $runner
    status=$?
}
has_all() {
    [ "$(wc -l <out)" -ge 300 ] || ! kill -0 $runner 2>/dev/null
}

for point in overflow.old.done:7 overflow.old.dropped:7 queue.lease.word:13 \
    queue.done.word:11 queue.commit.before:5 queue.commit.word:5 \
    queue.free.word:17; do
    for overflow in drop-old drop-new; do
        case $overflow$point in drop-newoverflow*) continue ;; esac
        at $overflow $point:kill:0 # the worker that fills it
        exits 0 "$overflow, killed at $point"
        sort -n out >got
        same 'its sister has each once' got want
        touch kept
        dropped=$(sed -n 's/.*"name":"slow","overflow":"[^"]*","dropped":\([0-9]*\).*/\1/p' err)
        is 'what is dropped is counted once' \
            "$((dropped + $(sort -u kept | wc -l)))" 300
        is 'what is not comes once' "$(sort kept | uniq -d)" ''
        ok 'workers were lost' grep -q '"workers_lost":[1-9]' err
    done
done

# These tests notice when the count is another commit's.
at drop-old overflow.old.dropped:7:kill:0 counted-late
exits 3 'counted too late: the books do not balance'
finish
