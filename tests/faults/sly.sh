#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# sly.sh - the command on a system that moves one byte where it was asked for
# many, whose time of day jumps, and whose signals interrupt every call (sly.c):
# what comes out is the same as ever, of each standard plugin, of journals, of
# items that failed and of named queues.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

# shellcheck disable=SC2086
${CC:-cc} -shared -fPIC -pthread -o sly.so "$WEIR_SRCDIR/tests/faults/sly.c" \
    2>cc.log || skip_all "no compiler that makes a library (CC=${CC:-cc})"
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
XDG_STATE_HOME=$work/state
# Named queues lie in memory.
WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-sly.XXXXXX) || skip_all 'no /dev/shm'
export ASAN_OPTIONS XDG_STATE_HOME WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"
mortal=$WEIR_BUILDDIR/tests/crash/weir
limit=120

# sly HOW COMMAND...: with it; HOW `-`: without.
sly() {
    _how=$1
    shift
    if [ "$_how" = - ]; then
        timeout -k 5 "$limit" "$@" 2>>err
    else
        WEIR_SLY=$_how LD_PRELOAD=$work/sly.so timeout -k 5 "$limit" "$@" 2>>err
    fi
}

count=60
if long; then
    count=3000
fi
seq "$count" | sed 's/.*/line & of some words, and some more/' >lines
mkdir tree
for name in one two three; do
    seq 20 | sed "s/^/$name /" >tree/$name
done
echo nothing >tree/names

# Lines and blocks of files, each to a file to which is appended.
cat >append.yaml <<'YAML'
weir: 1
job: append
queues: { a: {}, b: {} }
stages:
  - { name: read, task: file.lines, with: { paths: lines }, to: a }
  - { name: blocks, task: file.blocks, with: { paths: tree, size: 100 B }, to: b }
  - { name: keep, task: file.append, from: a, with: { path: result }, workers: 2 }
  - { name: keep-blocks, task: file.append, from: b, workers: 1,
      with: { path: result.blocks, frame: raw } }
YAML
# Whole files, from their names to files of the same names.
cat >files.yaml <<'YAML'
weir: 1
job: files
queues: { a: {}, b: {} }
stages:
  - { name: names, task: file.names, with: { paths: tree }, to: a }
  - { name: read, task: file.read, from: a, to: b, workers: 2 }
  - { name: write, task: file.write, from: b, workers: 2,
      with: { path: "result.d/${item.name}" } }
YAML
# Words of stdin, counted, with totals that are saved.
cat >words.yaml <<'YAML'
weir: 1
job: words
queues: { a: {}, b: {} }
stages:
  - { name: up, task: text.upper, from: stdin, to: a, workers: 2 }
  - { name: count, task: text.count-words, from: a, to: b }
  - { name: top, task: text.top, from: b, to: stdout, with: { k: 5 } }
YAML
# Files that are not there fail, after a wait.
cat >fails.yaml <<'YAML'
weir: 1
job: fails
queues: { a: {} }
stages:
  - { name: names, task: file.lines, with: { paths: missing }, to: a }
  - { name: read, task: file.read, from: a, to: stdout, retries: 1,
      backoff: 20ms, timeout: 60s }
deadline: 100s
YAML
printf 'tree/one\nno/such\ntree/two\nnor/this\n' >missing

append() {
    sly "$1" weir run --quiet append.yaml
}
files() {
    sly "$1" weir run --quiet files.yaml
}
words() {
    sly "$1" weir run --quiet words.yaml <lines >result
}
inline() {
    sly "$1" weir run --quiet --inline words.yaml <lines >result
}
# The items that failed are kept, told, and come when they can.
failed() {
    rm -rf kept no nor
    sly "$1" weir run --quiet --keep-failed=kept fails.yaml | sort >result.a
    sly "$1" weir failed --list kept | sed 's/.*B  //' | sort >result.b
    mkdir no nor
    echo such >no/such
    echo this >nor/this
    sly "$1" weir replay --quiet kept | sort >result.c
    sly "$1" weir failed --list kept | wc -l >result.d
}
# The journal is read; a run that is over is not done again, and one whose
# journal was killed goes on.
journal() {
    rm -rf state
    sly "$1" weir run --quiet --journal --checkpoint=10ms append.yaml
    sly "$1" weir runs | sed 's/-[-0-9a-f]* / /; s/last .*//' >result.runs
    sly "$1" weir show --json last | grep -o '"done":[0-9]*' >result.show
    sly "$1" weir resume last || echo "status $?" >result.resume
    [ -x "$mortal" ] || return
    rm -f result result.blocks
    WEIR_FAULT=journal.begun:1:kill WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs \
        "$mortal" run --quiet --journal append.yaml 2>>err
    sly "$1" weir resume --quiet last
}
named() {
    sly "$1" weir put --create q lines
    sly "$1" weir queues | sed 's/ .*//' >result.queues
    sly "$1" weir get -n "$count" --append=result q
    sly "$1" weir queues --remove=q
}
plugins() {
    sly "$1" weir plugins text.upper >result
    sly "$1" weir check append.yaml files.yaml words.yaml >>result
}

tasks='append files words inline named plugins'
if weir --version --verbose | grep -q 'sqlite: yes'; then
    tasks="$tasks failed journal"
fi
collect() {
    for _file in result* result.d/*; do
        [ ! -f "$_file" ] || { echo "--- $_file" && sort "$_file"; }
    done
    rm -rf result*
}
# A short test leaves out what has little to do with each other.
applies() {
    case $1:$2 in
    short:* | clock:failed | clock:journal | storm:words | storm:journal) true ;;
    *) long ;;
    esac
}
for task in $tasks; do
    : >err
    $task - >out
    collect >"want.$task"
    if [ "$(wc -l <"want.$task")" -lt 2 ]; then
        fail "$task gives something" <err
    fi
    for how in short clock storm; do
        applies $how "$task" || continue
        : >err
        $task $how >out
        collect >"got.$task"
        same "$how: $task" "got.$task" "want.$task"
        cmp -s "got.$task" "want.$task" || sed 's/^/# /' err
    done
done
is 'nothing is left in the folder of queues' "$(ls "$WEIR_QUEUE_DIR")" ''

# Each does what it is said to do.
cat >told.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char bytes[8];
    time_t before = time(NULL);

    if (argv[1][0] == 's' && argv[1][1] == 'h')
        printf("%d\n", (int)read(0, bytes, sizeof bytes));
    else if (argv[1][0] == 'c')
        printf("%d\n", labs((long)(time(NULL) - before)) > 1000);
    else
        printf("%d\n", pause() == -1);
    return argc - 2;
}
C
${CC:-cc} -o weir-told told.c 2>cc.log
for how in short clock storm; do
    is "$how is there" "$(sly "$how" ./weir-told "$how" <lines)" 1
done
finish
