#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir replay: what failed in a run, once more: one item, or all in a run.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'

build_plugin gate
cat >gate.yaml <<'YAML'
weir: 1
job: gate
plugins: [plugins]
vars: { mark: { default: "" } }
queues: { words: { capacity: 4 }, marked: { capacity: 4 } }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: words }
  - { name: gate, task: gate.pass, from: words, to: marked, retries: 0,
      with: { file: open, mark: "${mark}" } }
  - { name: last, task: gate.pass, from: marked, to: stdout, retries: 0,
      with: { file: last } }
YAML

printf 'bad 1\none\nbad 22\ndie\n' >in
fresh() {
    rm -rf kept open last
    run weir run --keep-failed=kept "$@" gate.yaml
}
left() {
    weir failed --list --json kept 2>err | wc -l
}

fresh --set mark='it: '
exits 1 'a run in which some fail'
run weir replay kept
exits 1 'they fail again'
is 'and nothing comes out' "$(cat out)" ''
is 'they are kept as before' "$(left)" 3
run weir failed --item="$(weir failed --list kept | head -c 32)" kept
like 'how often is known' out 'failed     2 times'

: >open
run weir replay kept
exits 0 'now they do not'
is 'with the parameters of the run, through all stages' \
    "$(sort out | tr '\n' ,)" 'it: bad 1,it: bad 22,it: die,'
like 'it is told' err '^weir: 3 of 3 failed items went well now$'
is 'none is left' "$(left)" 0
run weir failed --all --list kept
is 'they are known as replayed' "$(grep -c ' (replayed)$' out)" 3
run weir replay kept
exits 0 'once more'
is 'does none of them again' "$(cat out)" ''
like 'and says so' err 'there is nothing to replay'

# Only those of one cause; from elsewhere, and the files as they were named.
fresh
: >open && : >last
cause=$(weir failed --json kept | sed -n 's/^{"cause":"\([^"]*\)","failed":2,.*/\1/p')
mkdir -p elsewhere
(cd elsewhere && weir replay --quiet --cause="$cause" ../kept) >out 2>err
is 'of one cause, from another folder' "$(sort out | tr '\n' ,)" \
    'bad 1,bad 22,'
is 'the other is left' "$(left)" 1

# What fails later in the replay is kept there.
fresh
: >open
rm -f in.later
sed 's/file: last/file: never/' gate.yaml >later.yaml
run weir replay --quiet kept
is 'the last stage has failed them' "$(cat out)" ''
run weir failed --list kept
is 'now they are its failures' "$(grep -c ' last ' out)" 3
is 'and those of the first are done' "$(grep -c ' gate ' out)" 0
: >last
run weir replay --quiet kept
exits 0 'and go on from there'
is 'to the end' "$(sort out | tr '\n' ,)" 'bad 1,bad 22,die,'

# One item alone.
fresh --set mark='it: '
id=$(weir failed --list kept | sed -n 's/^\([0-9a-f]*\) .*"bad 22".*/\1/p')
run weir replay --item="$id" kept
exits 1 'one item, in this process'
like 'fails as it did' err "^weir: gate.pass failed: line 'bad 22' is bad$"
: >open
run weir replay --item="$id" kept
exits 0 'one that goes well'
is 'is shown' "$(cat out)" 'it: bad 22'
is 'it counts for no replay' "$(left)" 3
rm open
die=$(weir failed --list kept | sed -n 's/^\([0-9a-f]*\) .*"die".*/\1/p')
run sh -c "weir replay --item=$die kept; exit \$?"
exits 137 'a crash is a crash'
if command -v gdb >/dev/null 2>&1; then
    timeout 60 weir replay --gdb --item="$id" kept >out 2>err <<'GDB'
set pagination off
run
next
kill
quit
GDB
    like 'under gdb it stops in the task' out 'Breakpoint 1.*inline_task_enter'
else
    skip 'under gdb it stops in the task' 'no gdb'
fi

# A job that was changed.
echo '# a word more' >>gate.yaml
: >open
run weir replay kept
exits 2 'a changed job'
like 'is told, with the choice' err 'was changed since the run: --changed takes'
is 'nothing was done' "$(left)" 3
run weir replay --quiet --changed kept
exits 0 'as it is now'
is 'they are done' "$(left)" 0
fresh
sed 's/name: gate/name: other/' gate.yaml >new && mv new gate.yaml
run weir replay --changed kept
exits 2 'a stage that is gone'
like 'is no choice' err "failed in stage 'gate' .* has none such any more"

# Two at a time.
sed 's/name: other/name: gate/' gate.yaml >new && mv new gate.yaml
run flock kept weir replay --changed kept
exits 3 'another works there'
like 'is told' err 'another run or replay works in'

: >kept/files
echo 'process 1 on Earth, since Monday' >kept/holder
run flock kept/files weir replay --changed kept
exits 3 'the run itself is under way'
like 'who has it is told' err "'kept' is under way: process 1 on Earth, since"
rm kept/files kept/holder

# What is wrong.
run weir replay nowhere
exits 2 'no such folder'
run weir replay --gdb kept
exits 2 '--gdb without an item'
run weir replay --item=x kept
exits 2 'no id'
run weir replay --item="$id" --cause=12345678 kept
exits 2 'two choices'
finish
