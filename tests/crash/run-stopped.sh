#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A worker that is stopped while it holds a queue's lock: it is continued, and
# one that is stopped ever again is killed. Each item comes once.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
export WEIR_PLUGIN_PATH

cat >stopped.yaml <<'YAML'
weir: 1
job: stopped
defaults: { retries: 1000 }
queues: { q: { capacity: 16 }, r: { capacity: 16 } }
stages:
  - { name: make, task: flow.generate, with: { count: 2000, size: 20 B },
      to: q }
  - { name: pass, task: text.upper, from: q, to: r, workers: 2 }
  - { name: keep, task: file.append, from: r, with: { path: kept, root: "." } }
YAML

# Stops the second worker of `pass` at each of these passings of a point inside
# the lock.
stop_at() {
    spec=
    for nth; do
        spec="$spec${spec:+,}queue.ready.word:$nth:stop:2"
    done
    rm -f kept
    WEIR_FAULT=$spec
    export WEIR_FAULT
    run "$weir" run stopped.yaml
    unset WEIR_FAULT
    exits 0 "stopped at $*: it ends"
    is "stopped at $*: each item once" \
        "$(sort -u kept | wc -l) $(sort kept | wc -l)" "2000 2000"
}

stop_at 5
unlike "continued, not killed" err "workers lost"
# shellcheck disable=SC2046
stop_at $(seq 5 12)
like "one that is stopped ever again is killed" err "pass .*workers lost"

finish
