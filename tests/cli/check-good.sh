#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# check-good.sh - what check accepts, how, and that it starts and writes
# nothing.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
cat >good.yaml <<'END'
weir: 1
job: good
vars: { what: { default: hi, description: what to say } }
queues: { some: {}, rest: {} }
stages:
  - { name: say, task: try.all, with: { text: "${what}" }, from: stdin, to: some }
  - { name: part, task: try.part, from: some, to: { letters: stdout, others: rest } }
  - { name: obey, task: try.obey, from: rest, to: drop, failed: stdout }
END
run weir check good.yaml
exits 0 'a good job'
is 'says nothing' "$(cat out err)" ''
run weir check --json good.yaml
is 'unless it is asked' "$(cat out)" \
    '{"form":1,"file":"good.yaml","good":true,"mistakes":[]}'
run sh -c 'weir check - <good.yaml'
exits 0 'from standard input'
run weir check --set what=ho good.yaml
exits 0 'with a variable'
run weir check -s what=bad good.yaml
exits 2 'with a value that the task refuses'
like 'it is shown in the file' err '^good\.yaml:6:[0-9]+: .*nobody says'

# A task that would write, were it called
cat >opens.yaml <<'END'
weir: 1
job: opens
stages:
  - { name: write, task: try.obey, from: stdin, to: stdout }
END
run sh -c 'weir check opens.yaml </dev/null'
exits 0 'standard input is not read'

mkdir sub
cp good.yaml sub/
sed 's|^job: good|job: good\nplugins: ../plugins|' good.yaml >sub/own.yaml
unset WEIR_PLUGIN_PATH
run weir check sub/own.yaml
exits 0 'plugins relative to the job file'
run weir check good.yaml
exits 2 'without them the plugin is not found'
run weir check --plugin-path plugins good.yaml
exits 0 '--plugin-path'

# Little memory
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
if [ -z "${WEIR_SANITIZE-}" ]; then
    run sh -c 'ulimit -v 2000000 && exec weir check good.yaml'
    exits 0 'within 2 GB of address space'
else
    skip 'within 2 GB of address space' 'built with sanitizers'
fi

if command -v script >/dev/null 2>&1; then
    run script -qec 'weir check good.yaml' /dev/null
    like 'a person is told' out "'good\.yaml' is good: 3 stages, 2 queues"
fi
finish
