#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugins-list.sh - which plugins there are, and one in detail.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try

run weir plugins --plugin-path plugins
exits 0 'plugins'
like 'it lists the plugin' out '^try 1\.5 - For tests$'
like 'and its tasks' out '^  try\.part +task +Part letters'

run weir plugins --plugin-path plugins try
exits 0 'one in detail'
cp out detail
like 'its file, absolute' detail "^file: $work/plugins/try\.so$"
like 'outputs' detail '^  gives: letters, others$'
like 'a parameter that is required' detail 'text, required, 1 to 20 bytes'
like 'a default' detail 'size, default 1 KiB, at least 1 B'
like 'choices' detail 'choice, default slow, slow \| fast'
like 'an empty list' detail 'list, empty'
run weir plugins --plugin-path plugins try.part
exits 0 'one task'
like 'it is shown' out '^try\.part - '
unlike 'the others are not' out 'try\.all'
cp out detail
run weir help --plugin-path plugins try.part
same 'help shows the same' out detail
run weir plugins --plugin-path plugins try.prat
exits 2 'a task that is not there'
like 'the nearest is named' err "no task 'prat'; did you mean 'part'\?"
run weir plugins --plugin-path plugins tyr
exits 2 'a plugin that is not there'
like 'the nearest is named' err "no plugin 'tyr'; did you mean 'try'\?"

# JSON
if command -v python3 >/dev/null 2>&1; then
    run weir plugins --plugin-path plugins --json
    ok 'the listing is JSON' python3 -m json.tool out
    run weir plugins --plugin-path plugins --json try
    cat >look.py <<'EOF'
import json, sys
it = json.load(open("out"))
assert it["form"] == 1
[plugin] = it["plugins"]
tasks = {task["name"]: task for task in plugin["tasks"]}
assert tasks["part"]["outputs"] == ["letters", "others"]
params = {param["name"]: param for param in tasks["all"]["parameters"]}
assert params["text"]["required"] and params["text"]["default"] is None
assert params["limit"] == {
    "name": "limit", "summary": "how large", "type": "size",
    "required": False, "default": "1 KiB", "min": "1 B", "max": None,
    "choices": []}
assert params["mode"]["choices"] == ["slow", "fast"]
EOF
    ok 'it has everything' python3 look.py
    run weir plugins --plugin-path plugins --json --why nothing
    exits 2 'JSON of a failure'
    ok 'is JSON, too' python3 -m json.tool out
else
    skip 'JSON' 'python3 is not installed'
fi

# A plugin that crashes, hangs the listing of no other
compile boom <<'EOF'
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void boom(void)
{
    puts("noise");
    fflush(stdout);
    abort();
}
EOF
run weir plugins --plugin-path plugins
exits 1 'one of them crashes when it is loaded'
like 'it is named' out '^boom cannot be used'
like 'the others are listed' out '^  try\.all '
unlike 'what it printed is no result' out noise
finish
