#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugins-damaged.sh - a plugin's file that is cut off somewhere, or in which a
# bit has turned over: whoever loads it says so in a sentence, or it is loaded.
# What crashes on it is the process that tries it, and that is told. Here a
# sample; WEIR_LONG=1: cut at each 64th byte, and a thousand bits of WEIR_SEED.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

unset WEIR_PLUGIN_PATH
# shellcheck disable=SC3045
ulimit -c 0
step=2048
bits=12
long && step=64 bits=1000
seed=${WEIR_SEED:-1}
build_plugin hold
mv plugins/hold.so whole
size=$(wc -c <whole)
cat >job.yaml <<'YAML'
weir: 1
job: damaged
plugins: [plugins]
stages:
  - { name: mark, task: hold.mark, from: stdin, to: stdout, workers: 1,
      retries: 1, timeout: 5s, with: { file: none, at: never } }
YAML
echo item >in

# ends COMMAND...: by itself, with a sentence to who has nothing of it.
ends() {
    timeout -k 5 60 weir "$@" <in >out 2>err
    status=$?
    [ $status -lt 124 ] || echo "weir $*: status $status"
    [ $status = 0 ] || [ -s err ] || echo "weir $*: says nothing"
}

# try WHERE: with a run only where the file was found good: that is what runs
# it.
try() {
    {
        ends plugins --plugin-path plugins --why hold
        ends check job.yaml
        checked=$status
        [ "$checked" != 0 ] || ends run job.yaml
    } >said 2>&1
    tries=$((tries + 1))
    [ "$checked" != 0 ] || good=$((good + 1))
    [ ! -s said ] || {
        cat said
        echo "$1"
        tail -n 3 err
    } >>try.log
}

# tried NAME: nothing was wrong with any of them.
tried() {
    is "$1" "$(cat try.log)" ''
    echo "# $good of $tries were found good"
}

begin() {
    : >try.log
    good=0
    tries=0
}

begin
at=0
while [ $at -lt "$size" ]; do
    head -c $at whole >plugins/hold.so
    try "cut at $at"
    at=$((at + step))
done
# The names of its sections, which nobody loads, stand at its end.
is 'cut off, few are found good' "$((good * 4 <= tries))" 1
tried 'cut off'

begin
awk -v bits="$bits" -v size="$size" -v seed="$seed" 'BEGIN {
    srand(seed)
    for (i = 0; i < bits; i++)
        print int(rand() * (i % 2 ? size : 4096)), int(rand() * 8)
}' >places
while read -r at bit; do
    byte=$(od -An -tu1 -j "$at" -N 1 whole)
    cat whole >plugins/hold.so
    # shellcheck disable=SC2059 # an octal escape
    printf "\\$(printf %o $((byte ^ (1 << bit))))" |
        dd of=plugins/hold.so bs=1 seek="$at" conv=notrunc 2>/dev/null
    try "at $at bit $bit, seed $seed"
done <places
tried 'a bit turned over'
finish
