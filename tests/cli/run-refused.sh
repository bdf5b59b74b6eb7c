#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: a machine that refuses what the run needs, before it has begun.
. "${0%/*}/../lib/cli.sh"

[ -z "${WEIR_SANITIZE-}" ] ||
    skip_all 'a sanitizer needs more address space than any limit leaves'

cat >job.yaml <<'YAML'
weir: 1
job: refused
queues: { items: { bytes: 1 GiB } }
stages:
  - { name: make, task: flow.generate, with: { count: 3 }, to: items }
  - { name: take, task: flow.discard, from: items }
YAML
run sh -c 'ulimit -v 2000000 && exec weir run --quiet job.yaml'
exits 3 'address space that is limited'
like 'how much is needed is told, and what limits it' err \
    '^weir: cannot map [0-9]+ bytes of shared memory \(see ulimit -v\)'
is 'once' "$(wc -l <err | tr -d ' ')" 1
run sh -c 'ulimit -f 1000 && exec weir run --quiet job.yaml'
exits 3 'files that are limited'
like 'the same' err 'needs [0-9]+ bytes of address space \(see ulimit -f\)'
run weir run --quiet job.yaml
exits 0 'without a limit it runs'
finish
