#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# call-basic.sh - one task, one item: input in all forms, outputs, parameters.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH

# The item
printf 'abc\n' >item
run weir call try.part item
exits 0 'an item from a file'
is 'it comes out' "$(cat out)" abc
like 'which output it was is told' err "to 'letters', 4 bytes"
run sh -c 'weir call try.part <item'
is 'from standard input' "$(cat out)" abc
run sh -c 'weir call try.part - <item'
is 'from -' "$(cat out)" abc
: >empty
run weir call try.part empty
exits 0 'an item of 0 bytes'
is 'comes out on the other output' "$(cat err)" "weir: to 'others', 0 bytes:"
run weir call try.part nowhere
exits 2 'a file that is not there'
like 'is named' err "cannot open 'nowhere': No such file"
run sh -c 'weir call try.part <&-'
exits 2 'a closed standard input is an error'
yes 'a line of some length' | head -n 150000 >large
run weir call try.part large
same 'an item of 3 MB' out large

# What ends an item
printf 'abc' >item
run weir call try.part item
is 'a newline after text that has none' "$(od -c <out | head -n 1)" \
    "$(printf 'abc\n' | od -c | head -n 1)"
printf 'a\0\377' >binary
run weir call try.part binary
same 'nothing after what is no text' out binary
run weir call try.part --frame raw item
same '--frame raw' out item
run weir call try.part --frame nul item
is '--frame nul' "$(tr '\0' 0 <out)" abc0
run weir call try.part --frame line binary
is '--frame line' "$(wc -c <out | tr -d ' ')" 4
run weir call try.part --frame circle item
exits 2 'another frame'

# Outputs
run weir call try.part -o letters item
is 'one output' "$(cat out)" abc
is 'needs no telling' "$(cat err)" ''
run weir call try.part -o others item
is 'another output has nothing' "$(cat out)" ''
run weir call try.part -o leters item
exits 2 'an output that is not there'
like 'the nearest is named' err "no output 'leters'; did you mean 'letters'\?"
run weir call try.part --json item
if command -v python3 >/dev/null 2>&1; then
    cat >look.py <<'END'
import base64, json
[line] = open("out")
it = json.loads(line)
assert it["output"] == "letters" and it["size"] == 3 and it["text"] == "abc"
assert it["attributes"] == {"path": "item", "kind": "yes"}, it
assert len(it["id"]) == 32
END
    ok '--json' python3 look.py
    run weir call try.part --json binary
    cat >look.py <<'END'
import base64, json
assert base64.b64decode(json.load(open("out"))["base64"]) == b"a\0\377"
END
    ok '--json of what is no text' python3 look.py
else
    skip '--json' 'python3 is not installed'
fi

# Sources, and what is given at the end
run weir call try.ticks -p count=2
exits 0 'a source'
is 'runs to its end' "$(cat out)" "tick 1
tick 2"
run weir call try.ticks -p count=3 -p hole=2
exits 1 'a source that cannot read something'
like 'tells it' err '^weir: try\.ticks failed: tick 2 cannot be read$'
is 'and goes on' "$(cat out)" "tick 1
tick 3"
run weir call try.ticks item
exits 2 'an item for a source'
run weir call try.count item
is 'what is given at the end' "$(cat out)" '1 items'

# Parameters
run weir call try.all -p text=hi item
is 'defaults' "$(cat out)" 'hi 3 -1 0.5 0 1024 30000000000 0'
run weir call try.all -p text='a b' -p number=7 -p offset=-20 -p ratio=0.25 \
    -p flag=true -p 'limit=2 MiB' --param period=5ms --param=mode=fast \
    -p words=one -p words=two item
is 'each type' "$(cat out)" 'a b 7 -20 0.25 1 2097152 5000000 1 one two'
run weir call try.all item
exits 2 'one that is required'
like 'is named' err "parameter 'text' is missing"
run weir call try.all -p text=hi -p nubmer=3 item
exits 2 'one that is not there'
like 'the nearest is named' err "no parameter 'nubmer'; did you mean 'number'\?"
run weir call try.all -p text=hi -p number=1001 -p limit=5 item
exits 2 'values out of range and without a unit'
like 'the first is told' err "'number': .*1000"
like 'and the second' err "'limit': .*(KiB|unit)"
run weir call try.all -p text=bad item
exits 2 'one that the task refuses'
like 'in its words' err "nobody says 'bad'"
run weir call try.all -p text item
exits 2 'one without a value'

# Attributes
run weir call try.part -a kind=other -a colour=red --json item
like 'an attribute of the item is inherited' out '"colour":"red"'
like 'unless the task sets it' out '"kind":"yes"'
run weir call try.part -a 'no name=x' item
exits 2 'what is no name'

# Names
run weir call try.prat item
exits 2 'a task that is not there'
like 'the nearest is named' err "no task 'prat'; did you mean 'part'\?"
run weir call try item
exits 2 'a plugin alone'
run weir call
exits 2 'nothing at all'
run weir call tyr.part item
exits 2 'a plugin that is not there'
run weir call try.part item another
exits 2 'two items'

# Lost results
if [ -w /dev/full ]; then
    run sh -c 'weir call try.part large >/dev/full'
    exits 3 'a full standard output'
    run sh -c 'weir call try.part item >&-'
    exits 3 'a closed one'
fi
finish
