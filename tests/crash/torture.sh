#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir torture is right in both ways: of a sound weir it finds nothing, and one
# whose protocol is broken, in the few instructions around a commit, it finds.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs
TMPDIR=$work/scratch
export WEIR_PLUGIN_PATH TMPDIR
mkdir scratch
limit=300

cat >good.yaml <<'YAML'
weir: 1
job: good
queues: { a: { capacity: 32 }, b: { capacity: 32 } }
stages:
  - { name: pass, task: flow.pass, from: stdin, to: a, workers: 2 }
  - { name: up, task: text.upper, from: a, to: b, workers: 2 }
  - { name: last, task: flow.pass, from: b, to: stdout }
YAML
seq 10000 >input

rounds=1
long && rounds=100
timeout -k 5 $limit "$weir" torture --rounds=$rounds good.yaml <input >out 2>err
status=$?
exits 0 'a sound one'

# The windows are small: not each round hits one.
found() {
    tries=0
    status=0
    while [ $status = 0 ] && [ $tries -lt 40 ]; do
        tries=$((tries + 1))
        WEIR_MUTANT=$1 timeout -k 5 $limit "$weir" torture --rounds=1 \
            --seed=$tries good.yaml <input >out 2>err
        status=$?
        rm -rf scratch/*
    done
    exits 1 "found: $1 (in round $tries)"
}
found free-before-commit
found stays-committed
if long; then
    found idle-before-publish
    found publish-before-commit
fi
finish
