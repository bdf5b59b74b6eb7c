#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run --keep-failed, weir failed: items that failed for good are kept
# whole, and are shown by cause.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'

build_plugin gate
build_plugin bad -pthread
cat >gate.yaml <<'YAML'
weir: 1
job: gate
plugins: [plugins]
vars: { mark: { default: "it: " } }
queues: { words: { capacity: 4 } }
stages:
  - { name: pass, task: flow.pass, from: stdin, to: words }
  - { name: gate, task: gate.pass, from: words, to: stdout, retries: 1,
      with: { file: open, mark: "${mark}" } }
YAML

# go KEPT [OPTION...]: a run over stdin.
go() {
    _kept=$1
    shift
    timeout -k 5 60 weir run --keep-failed="$_kept" "$@" >out 2>err
    status=$?
}

printf 'bad 1\none\nbad 22\ndie\n' >in
go kept gate.yaml <in
exits 1 'some fail'
is 'the others come out' "$(cat out)" 'it: one'
like 'the report is as ever' err "failed in 'gate': \"bad 1\": line 'bad 1'"
like 'the books' err 'gate  took 4, done 1, gave 1, failed 3'
run weir failed kept
exits 0 'failed'
like 'those of one cause together' out "^2 failed in 'gate' \(gate.pass\): error: line \* is bad$"
like 'a cause of its own' out "^1 failed in 'gate' .*: crash: worker was killed by SIGKILL, which weir did not send"
like 'how many' err '^weir: 3 failed items of 2 causes'
run weir failed --json kept
is 'one object for each cause' "$(grep -c '^{"cause":"[0-9a-f]*","failed":[12],"replayed":0,"stage":"gate",' out)" 2
cause=$(sed -n 's/^{"cause":"\([^"]*\)","failed":2,.*/\1/p' out)
run weir failed --cause="$cause" kept
is 'of one cause' "$(sed 's/.* B  //' out | sort | tr '\n' ';')" \
    "\"bad 1\": error: line 'bad 1' is bad;\"bad 22\": error: line 'bad 22' is bad;"
run weir failed --list kept
is 'each in a line' "$(wc -l <out)" 3
id=$(sed -n 's/^\([0-9a-f]*\) .*"bad 22".*/\1/p' out)
is 'an id' "${#id}" 32
run weir failed --item="$id" kept
for line in 'failed in  gate \(gate.pass\)' 'class      error' \
    "why        line 'bad 22' is bad" "cause      $cause" 'attempts   1' \
    'took       [0-9]' 'parameter  file = "open"' \
    'parameter  mark = "it: "' 'size       6 B' 'bytes      "bad 22"'; do
    like "one item: $line" out "^  $line"
done
run weir failed --json --item="$id" kept
like 'and for programs' out '"parameters":\[\{"name":"file","value":"open"\},.*"text":"bad 22"\}$'
run weir failed --bytes --item="$id" kept
is 'its bytes' "$(cat out)" 'bad 22'

# Bytes, attributes and all.
mkdir files
{ printf 'permanent ' && head -c 300000 /dev/urandom; } >files/large
printf 'permanent\0\377' >files/small
cat >files.yaml <<'YAML'
weir: 1
job: files
plugins: [plugins]
stages:
  - { name: find, task: file.names, with: { paths: files/* }, to: names }
  - { name: read, task: file.read, from: names, to: words }
  - { name: do, task: bad.do, from: words, to: stdout, retries: 0 }
queues: { names: { capacity: 4 }, words: { capacity: 4 } }
YAML
go whole files.yaml </dev/null
exits 1 'files that fail'
run weir failed --list whole
for name in large small; do
    id=$(sed -n "s/^\([0-9a-f]*\) .*'files\/$name'.*/\1/p" out)
    cp out list
    run weir failed --bytes --item="$id" whole
    same "the bytes of $name" "files/$name" out
    run weir failed --item="$id" whole
    like 'and its path' out "attribute  path = \"files/$name\""
    cp list out
done

# A source's failure has no item.
cat >source.yaml <<'YAML'
weir: 1
job: source
stages:
  - { name: read, task: file.lines, to: drop,
      with: { paths: [missing, gate.yaml], missing: report } }
YAML
go none source.yaml </dev/null
exits 1 'a file that is not there'
run weir failed --list none
like 'is listed, without an item' out ' read .* no item: error: .*No such file'

{ echo one && head -c 9000000 /dev/zero | tr '\0' x && echo && echo two; } >long
go line gate.yaml <long
exits 1 'a line that is too long'
is 'the others come out' "$(cat out)" "$(printf 'it: one\nit: two')"
run weir failed --list line
like 'is listed, too' out ' stdin .* no item: refused: a line of standard input'

# A stage's own queue for what fails goes before.
sed 's/retries: 1,/retries: 1, failed: drop,/' gate.yaml >drop.yaml
go dropped drop.yaml <in
run weir failed --json dropped
is 'what a stage takes is not kept' "$(cat out)" ''

# Limits.
awk 'BEGIN { for (i = 0; i < 3000; i++) print "bad", i }' >many
go few --quiet --failed-size=64KiB gate.yaml <many
exits 1 'many fail'
run weir failed few
like 'the oldest went' err 'more were let go of'
run weir failed --list few
is 'the newest are there' "$(($(grep -c '"bad 29[0-9][0-9]"' out) > 60))" 1
is 'not more than was said' "$(($(wc -l <out) < 600))" 1
go all --quiet gate.yaml <many
run weir failed --json all
like 'all of them' out '"failed":3000,'

# The limits are those of a journal's store, too.
run sh -c 'weir run --quiet --journal=runs --failed-size=64KiB gate.yaml <many'
exits 1 'limits with a journal alone'
run weir failed --list runs/gate-*
is 'hold for the store in its folder' \
    "$(($(wc -l <out) > 60 && $(wc -l <out) < 600))" 1

# An age: what is older goes when the run is resumed.
mkfifo aging
weir run --quiet --journal=aged --checkpoint=20ms --failed-age=1ms gate.yaml \
    <aging >out 2>err &
pid=$!
exec 9>aging
echo 'bad 5' >&9
_checkpoints() {
    weir show --json aged/gate-* 2>/dev/null |
        sed -n 's/.*"checkpoints":\([0-9]*\).*/\1/p'
}
_kept_one() {
    [ "$(weir failed --list aged/gate-* 2>/dev/null | wc -l)" = 1 ]
}
_later() {
    [ "$(_checkpoints)" -gt "$((had + 1))" ]
}
until_true 30 _kept_one
had=$(_checkpoints)
until_true 30 _later # one that was begun with it kept
kill -9 $pid
wait $pid 2>/dev/null
exec 9>&-
printf 'bad 5\nbad 6\n' >two
_aged() {
    timeout -k 5 60 weir resume --quiet aged/gate-* <two >out 2>err
    status=$?
    ! grep -q 'is under way' err
}
until_true 30 _aged
exits 1 'a run with a limit of age is resumed'
run weir failed --list aged/gate-*
is 'the older went' "$(grep -o '"bad [0-9]"' out)" '"bad 6"'
run weir failed aged/gate-*
like 'and it is said' err '1 more w'

# While the run is under way.
mkfifo pipe
weir run --quiet --keep-failed=live gate.yaml <pipe >out 2>err &
pid=$!
exec 9>pipe
echo 'bad 5' >&9
# shellcheck disable=SC2016
ok 'at once it can be seen' until_true 30 sh -c '
    [ "$(weir failed --list live 2>/dev/null | wc -l)" = 1 ]'
echo 'bad 6' >&9
exec 9>&-
wait $pid
is 'the run goes on' $? 1
run weir failed --json live
like 'and both are there' out '"failed":2,'
is 'in one file' "$(ls live)" failed.db

# What is wrong.
go kept gate.yaml <in
exits 2 'a folder of another run'
like 'is told' err 'has the failed items of another run'
run weir failed nowhere
exits 2 'no such folder'
run weir failed .
exits 2 'no run keeps anything there'
run weir failed --item=12 kept
exits 2 'no id'
run weir failed --item=00000000000000000000000000000000 kept
exits 2 'an item that is not there'
run weir failed --cause=zz kept
exits 2 'no cause'
run weir failed --bytes kept
exits 2 '--bytes alone'
run weir run --failed-size=1MiB gate.yaml
exits 2 'a limit alone'
run weir run --keep-failed=x --failed-size=7 gate.yaml
like 'a size without a unit' err 'failed-size'
run weir run --inline --keep-failed=x gate.yaml
exits 2 '--inline keeps none'
go no/such/folder gate.yaml <in
exits 3 'a folder that cannot be made'
echo 'this is no store at all' >kept/failed.db
run weir failed kept
exits 2 'a file that is none of ours'

# It cannot be written: the run stops, and says so.
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod 500 locked
    go locked gate.yaml <in
    exits 3 'a store that cannot be written'
fi
finish
