#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run in a cgroup that has too little memory: the kernel kills a worker,
# and the verdict says by whose limit.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

# make_group BYTES: $group is one with such a limit, v1 or v2.
make_group() {
    for root in /sys/fs/cgroup/memory /sys/fs/cgroup; do
        group=$root/weir-test.$$
        mkdir "$group" 2>/dev/null || continue
        cleanup "rmdir '$group'"
        if { echo "$1" >"$group/memory.limit_in_bytes"; } 2>/dev/null; then
            # no swap in place of memory; not there where none is counted
            { echo "$1" >"$group/memory.memsw.limit_in_bytes"; } 2>/dev/null
            return 0
        fi
        if { echo "$1" >"$group/memory.max"; } 2>/dev/null; then
            { echo 0 >"$group/memory.swap.max"; } 2>/dev/null
            return 0
        fi
    done
    return 1
}
make_group $((256 << 20)) ||
    skip_all 'no cgroup can be made that limits memory'

build_plugin bad -pthread
cat >eat.yaml <<'YAML'
weir: 1
job: eat
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 1 }
YAML
cat >in_group <<'SH'
echo $$ >"$1/cgroup.procs"
shift
exec "$@"
SH
printf 'a\neat 600\nb\nc\n' >in
timeout -k 5 60 sh in_group "$group" \
    weir run --plugin-path plugins eat.yaml <in >out 2>err
status=$?
exits 1 'the item that takes too much fails'
sort out >sorted
is 'the others do not' "$(tr '\n' ' ' <sorted)" 'a b c '
like 'each death says by whose limit' err \
    "killed by the kernel: out of memory, by the limit of cgroup '.*weir-test\.$$', .*in attempt 1 of 2"
like 'and the report' err \
    "^failed in 'do': \"eat 600\": worker was killed by the kernel: out of memory, by the limit"
is 'two attempts' "$(grep -c '^weir: do\.[12]: worker .*out of memory' err)" 2
finish
