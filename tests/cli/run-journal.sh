#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-journal.sh - a run that keeps a journal: its folder, who has it, what is
# said of it, and what becomes of it when it cannot be written.
. "${0%/*}/../lib/cli.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME

cat >pass.yaml <<'YAML'
weir: 1
job: pass-on
stages:
  - { name: pass, task: flow.pass, from: stdin, to: stdout, workers: 1 }
YAML

run sh -c 'echo one | weir run --journal --quiet pass.yaml'
exits 0 'a run with a journal'
is 'its output' "$(cat out)" one
is 'it has a folder' \
    "$(find state/weir/runs -mindepth 1 -maxdepth 1 -name 'pass-on-2*' | wc -l)" 1
is 'for its user alone' "$(stat -c %a state/weir/runs/pass-on-*)" 700
run weir runs
like 'weir runs lists it' out '^pass-on-2[0-9-]*-[0-9a-f]{4} +done '
run weir runs --json
like 'also as JSON' out '^\{"name":"pass-on-.*"state":"done"'
run weir show last
exits 0 'weir show'
like 'shows its job' out "^pass-on-.*: $work/pass.yaml\$"
like 'and what it has done' out 'pass \(flow.pass\): done 1, gave 1, failed 0, ended'
run weir show --json pass-on-2
like 'a name may be cut off' out '"status":0'
run weir show pass-on-x
exits 2 'a name that nobody has'
like 'is told' err "no run 'pass-on-x'"
run weir resume last
exits 0 'nothing to do'
like 'is said' err 'nothing to do'
mkdir begun
: >begun/files
run weir resume ./begun
exits 3 'killed before its store was there'
like 'it has not begun' err 'has not begun.* start it anew'

run sh -c 'echo two | weir run --journal=here --quiet pass.yaml'
exits 0 'in another folder'
run weir runs --journal=here
like 'is found there' out '^pass-on-'
run weir show "$(echo here/pass-on-*)"
exits 0 'by its path'

run weir run --journal --inline pass.yaml
exits 2 'not in one process'
run weir run --checkpoint=1s pass.yaml
exits 2 '--checkpoint alone'
run weir run --journal --checkpoint=fast pass.yaml
exits 2 'a time that is none'
run sh -c 'weir run --journal - <pass.yaml'
exits 2 'not a job from a pipe'
like 'and why' err 'put it into a file'

# --- one at a time ---
mkfifo hold
weir run --journal --quiet pass.yaml <hold >held 2>held.err &
runner=$!
exec 3>hold
_is_under_way() {
    weir runs 2>/dev/null | head -n 1 | grep -q ' running '
}
until_true 20 _is_under_way
pass 'it is under way'
run weir resume last
exits 3 'two runs in one folder: the second is refused'
like 'and told who has it' err "under way: process $runner on .*, since 20"
run weir show last
like 'it is shown, too' out "under way: process $runner on"
exec 3>&-
wait $runner
is 'the first is unharmed' "$?" 0

# --- a journal that cannot be written ---
cat >much.yaml <<'YAML'
weir: 1
job: much
stages:
  - { name: make, task: flow.generate, with: { count: 400000000, size: 900 B },
      to: q }
  - { name: drop, task: flow.discard, from: q, workers: 1 }
queues: { q: { capacity: 4096, bytes: 8 MiB } }
YAML
if command -v prlimit >/dev/null 2>&1; then
    weir run --quiet --journal --checkpoint=20ms much.yaml 2>much.err &
    runner=$!
    _recorder() {
        recorder=$(grep -l '^weir:journal$' /proc/[0-9]*/task/*/comm \
            2>/dev/null | cut -d / -f 3 | while read -r pid; do
            grep -q "^PPid:[[:space:]]*$runner\$" "/proc/$pid/status" \
                2>/dev/null && echo "$pid"
        done)
        [ -n "$recorder" ]
    }
    until_true 20 _is_under_way
    until_true 20 _recorder
    prlimit --pid "$recorder" --fsize=1000
    wait $runner
    is 'a limit of its size: the run ends' "$?" 3
    like 'and says why' much.err 'the journal cannot be written: '
else
    skip 'a journal that cannot be written' 'there is no prlimit'
fi

# --- a run that cannot be set up, with its journal begun or not ---
# However few descriptors it has: what has not run is not said to have ended.
echo four >four
wrong=
refused=0
for files in $(seq 12 40); do
    rm -rf few
    # shellcheck disable=SC3045 # every sh of ours has it
    (ulimit -n "$files" && weir run --quiet --journal=few pass.yaml) \
        <four >out 2>err && continue
    refused=$((refused + 1))
    for folder in few/pass-on-*; do
        [ ! -e "$folder" ] || [ -e "$folder/journal.db" ] ||
            wrong="$wrong $files: $(ls "$folder")"
    done
    weir show --json "$(echo few/pass-on-*)" 2>/dev/null |
        grep -q '"status":[01]' && wrong="$wrong $files"
done
is 'it cannot be set up' "$((refused > 0))" 1
is 'and leaves nothing, or what has not ended for those who resume' \
    "$wrong" ''

# --- where there is no working directory any more ---
gone() {
    mkdir gone
    (cd gone && rmdir "$work/gone" && weir "$@" </dev/null) >out 2>err
    # shellcheck disable=SC2034 # read by `exits`
    status=$?
}
gone runs --journal=here
exits 3 'runs in a folder that is gone'
like 'it is said' err 'cannot name the working directory: No such file or directory'
gone run --quiet --journal="$work/other" "$work/pass.yaml"
exits 3 'a run that is to be resumed there'
like 'it is said, too' err 'cannot name the working directory: No such file or directory'
gone run --quiet --keep-failed="$work/kept" "$work/pass.yaml"
exits 3 'failed items to be noted'
like 'are not' err 'what the failed items are: No such file or directory'

# --- a journal that is damaged ---
run sh -c 'echo three | weir run --journal --quiet pass.yaml'
folder=$(weir show --json last | sed 's/.*"folder":"\([^"]*\)".*/\1/')
cp "$folder/journal.db" whole
for size in 0 100 4096 9000; do
    head -c $size whole >"$folder/journal.db"
    run weir resume "$folder"
    exits 3 "cut to $size bytes: refused"
    like 'with a sentence' err 'journal.db'
done
printf 'no store at all, but long enough to look like one' >"$folder/journal.db"
run weir show "$folder"
exits 3 'no store at all'
rm "$folder/journal.db"
run weir resume "$folder"
exits 3 'none'
if command -v sqlite3 >/dev/null 2>&1; then
    cp whole "$folder/journal.db"
    sqlite3 "$folder/journal.db" 'PRAGMA user_version=99' >/dev/null
    run weir resume "$folder"
    exits 3 'of another version'
    like 'is said' err 'another version of weir'
else
    skip 'of another version' 'there is no sqlite3'
fi
finish
