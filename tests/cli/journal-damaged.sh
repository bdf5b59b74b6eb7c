#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# journal-damaged.sh - the files of a run that was killed, each cut off
# somewhere, or with a bit that has turned over: whoever reads them says so in a
# sentence, or does what is right. Nobody crashes, and a run that comes to its
# end has made what it would have made.
# WEIR_LONG=1: a thousand places each (WEIR_ROUNDS: so many), of WEIR_SEED.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
build_plugin hold
rounds=6
long && rounds=1000
rounds=${WEIR_ROUNDS:-$rounds}
seed=${WEIR_SEED:-1}

seq 1 600 | sed 's/$/ some words of a line/' >in
cat >job.yaml <<'YAML'
weir: 1
job: lines
plugins: [plugins]
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: mark, task: hold.mark, from: a, to: { copy: [b, c] }, workers: 1,
      with: { file: held, at: 300 some words of a line, mark: N } }
  - { name: write, task: file.append, from: b, workers: 1,
      with: { root: ., path: lines } }
  - { name: words, task: text.count-words, from: c, to: d, workers: 1 }
  - { name: top, task: text.top, from: d, to: e, with: { k: 5 } }
  - { name: keep, task: file.append, from: e, workers: 1,
      with: { root: ., path: top } }
  - { name: bad, task: file.read, from: stdin, to: f, workers: 1 }
  - { name: drop, task: flow.discard, from: f, workers: 1 }
queues: { a: {}, b: {}, c: {}, d: {}, e: {}, f: {} }
YAML
printf 'no/such/file\njob.yaml\n' >names
run sh -c 'weir run --quiet job.yaml <names'
exits 1 'a run that nobody disturbs'
cp lines lines.want
cp top top.want

_is_half_done() {
    weir show --json last >shown 2>/dev/null &&
        grep -q '"name":"write"[^}]*"done":[1-9]' shown &&
        grep -q '"name":"top"[^}]*"done":[1-9]' shown &&
        grep -q '"name":"bad"[^}]*"failed":1,' shown
}
_is_free() {
    weir resume --explain last >explained 2>&1 &&
        ! weir runs | head -n 1 | grep -q ' running '
}

# It ends by the signals $1 while it waits at a line, with all done that came before:
# killed, what it has noted stands in the logs of its stores; stopped, in the
# stores themselves.
begin() {
    rm -rf lines top state
    : >held
    weir run --quiet --journal --checkpoint=20ms job.yaml <names 2>begun.err &
    runner=$!
    until_true 30 _is_half_done || fail "$1: it begins" <shown
    for _signal in $1; do
        kill "-$_signal" $runner
    done
    wait $runner 2>/dev/null
    rm held
    until_true 30 _is_free
    folder=$(weir show --json last | sed 's/.*"folder":"\([^"]*\)".*/\1/')
    rm -rf folder.then top.then
    cp -R "$folder" folder.then
    cp lines lines.then
    [ ! -e top ] || cp top top.then
}

# As it was; files that are appended to must stay the same ones.
restore() {
    rm -rf "$folder"
    cp -R folder.then "$folder"
    cat lines.then >lines
    if [ -e top.then ]; then cat top.then >top; else rm -f top; fi
}

# read_by COMMAND...: ends by itself, with a word to who has nothing of it.
read_by() {
    timeout -k 5 60 "$@" >out 2>err <names
    status=$?
    [ $status -lt 124 ] || echo "$*: ended with status $status"
    [ $status -lt 2 ] || [ -s err ] || echo "$*: says nothing"
}

# Which files, with what is done to them: NAME cut AT, or NAME flip AT BIT.
places() {
    (cd folder.then && wc -c -- *) | awk -v rounds="$rounds" -v seed="$seed" '
        BEGIN { srand(seed) }
        $2 != "total" && $2 !~ /-shm$/ && $1 > 0 { name[++n] = $2; size[n] = $1 }
        END {
            for (i = 0; i < rounds; i++) {
                k = 1 + i % n
                at = int(rand() * size[k])
                if (int(i / n) % 3 == 2)
                    print name[k], "cut", at
                else
                    print name[k], "flip", at, int(rand() * 8)
            }
        }'
}

# Turns a bit of a byte over.
flip() {
    _byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # an octal escape
    printf "\\$(printf %o $((_byte ^ (1 << $3))))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

try() {
    restore
    case $2 in
    cut) head -c "$3" "folder.then/$1" >"$folder/$1" ;;
    flip) flip "$folder/$1" "$3" "$4" ;;
    esac
    read_by weir runs
    read_by weir show "$folder"
    read_by weir failed "$folder"
    read_by weir resume --quiet "$folder"
    [ $status -gt 1 ] || cmp lines.want lines || true
    [ $status -gt 1 ] || cmp top.want top || true
    [ $status -gt 1 ] || resumed=$((resumed + 1))
    tries=$((tries + 1))
}

for signal in KILL "HUP TERM"; do
    begin "$signal"
    rm -f try.log
    tries=0
    resumed=0
    restore
    read_by weir resume --quiet "$folder"
    exits 1 "$signal: undamaged it goes on"
    same "$signal: to the same end" lines.want lines
    same "$signal: with what it had saved" top.want top
    places >list
    while read -r name what at bit; do
        try "$name" "$what" "$at" "$bit" >>try.log 2>&1
        [ ! -s try.log ] || {
            echo "at: $name $what $at $bit; seed $seed"
            tail -n 20 err
        } >>try.log
        [ ! -s try.log ] || break
    done <list
    is "$signal: $tries places" "$(cat try.log)" ''
    echo "# $resumed of $tries came to their end"
done
finish
