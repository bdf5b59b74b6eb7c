#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# check-bad.sh - mistakes in a job file, as they are shown.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
cat >bad.yaml <<'END'
weir: 1
job: bad
queues: { some: {} }
stages:
  - { name: say, task: try.all, with: { nubmer: 3 }, from: stdin, to: some }
  - { name: part, task: try.prat, from: some, wrkers: 2, to: drop }
END
run weir check bad.yaml
exits 2 'several mistakes'
is 'standard output has none of them' "$(cat out)" ''
like 'a parameter' err "^bad\.yaml:5:41: .*'nubmer'; did you mean 'number'\?"
like 'a task' err "^bad\.yaml:6:.*no task 'prat'; did you mean 'part'\?"
like 'a key' err "^bad\.yaml:6:47: .*unknown key 'wrkers'; did you mean 'workers'\?"
like 'the line itself' err '^ *6 \|   - \{ name: part, task: try\.prat'
like 'a caret of the right length' err '^ +\| +\^~~~~~$'
like 'how many' err "mistakes in 'bad\.yaml'; nothing was started"
unlike 'no colour in a file' err "$(printf '\033')"
run weir check --color always bad.yaml
like 'unless it is wanted' err "$(printf '\033')"
run weir graph bad.yaml
exits 2 'graph goes the same way'
like 'and shows the same' err "^bad\.yaml:6:47: "
is 'and no graph' "$(cat out)" ''

if command -v python3 >/dev/null 2>&1; then
    run weir check --json bad.yaml
    exits 2 'as JSON'
    is 'standard error has none of them' "$(cat err)" ''
    cat >look.py <<'END'
import json
it = json.load(open("out"))
text = open("bad.yaml").read()
assert it["form"] == 1 and it["file"] == "bad.yaml" and not it["good"]
[key] = [m for m in it["mistakes"] if "wrkers" in m["text"]]
assert (key["line"], key["column"], key["length"]) == (6, 47, 6), key
assert text[key["offset"]:][:6] == "wrkers", key
END
    ok 'places are exact' python3 look.py
else
    skip 'as JSON' 'python3 is not installed'
fi

run weir check nowhere.yaml
exits 2 'a file that is not there'
like 'is named' err "cannot open 'nowhere\.yaml': No such file"
mkdir folder
run weir check folder
exits 2 'a folder'
: >empty.yaml
run weir check empty.yaml
exits 2 'an empty file'
run weir check --set what bad.yaml
exits 2 '--set without a value'
run weir check --set what=1 bad.yaml
exits 2 'a variable that the job does not have'
like 'is named' err "no variable 'what'"
run weir check
exits 2 'no file'
run weir check one.yaml two.yaml
exits 2 'two files'

# A plugin that crashes when it is loaded takes the nursery, not the command
compile boom <<'END'
#include <stdlib.h>
__attribute__((constructor)) static void boom(void) { abort(); }
END
cat >boom.yaml <<'END'
weir: 1
job: boom
stages:
  - { name: one, task: boom.any, from: stdin, to: stdout }
END
run weir check boom.yaml
exits 2 'a plugin that crashes when it is loaded'
like 'it is said how' err 'SIGABRT'
like 'and which' err "boom"

# SIGKILL is the doing of somebody else: the job may be right. By the plugin
# itself, so that it comes while that is loaded.
compile slain <<'END'
#include <signal.h>
#include <stdlib.h>
__attribute__((constructor)) static void slain(void)
{
    raise(atoi(getenv("SIGNAL")));
}
END
sed 's/boom/slain/' boom.yaml >slain.yaml
for what in 'check' 'run --quiet'; do
    # shellcheck disable=SC2086
    run env SIGNAL=9 weir $what slain.yaml
    exits 3 "$what: what loads is killed"
    like 'it is said at which plugin' err \
        "^weir: .*killed by SIGKILL, which weir did not send, .* plugin 'slain'"
    # shellcheck disable=SC2086
    run env SIGNAL=6 weir $what slain.yaml
    exits 2 "$what: it crashes"
    like 'it is said how' err "while it was loaded, .*SIGABRT"
done
finish
