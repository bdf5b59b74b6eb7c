#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of a worker at each step by which an item is put off: the attempt that
# failed is charged, and no other. So one retry is enough, in the end.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
build_plugin bad -pthread
cat >backoff.yaml <<'YAML'
weir: 1
job: backoff
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 1, retries: 1,
      backoff: 50ms }
YAML
printf 'fail 1\none\n' >input
cp input want
for point in queue.putoff.noted queue.putoff.down; do
    WEIR_FAULT=$point:1:kill timeout -k 5 60 \
        "$weir" run --plugin-path plugins backoff.yaml <input >out 2>err
    status=$?
    exits 0 "killed at $point"
    sort out >got
    same "all came once" got want
    like "a worker was lost" err 'workers lost 1'
done
finish
