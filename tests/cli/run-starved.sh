#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: where the system has no more of something, each line of the table
# "When the system has no more" of the manual. It says what is lacking, nothing
# hangs, and status 0 is a whole result.
# shellcheck disable=SC2034 # `status` is read by `exits`
# shellcheck disable=SC3045 # ulimit -n is there in dash and bash
. "${0%/*}/../lib/cli.sh"

cat >up.yaml <<'YAML'
weir: 1
job: up
stages:
  - { name: up, task: text.upper, from: stdin, to: stdout, workers: 2 }
YAML
cat >keep.yaml <<'YAML'
weir: 1
job: keep
vars: { path: { default: full/out } }
stages:
  - { name: keep, task: file.append, from: stdin, workers: 1, retries: 0,
      with: { path: "${path}" } }
YAML
seq 20000 >in
sort in >sorted
mkdir full

# NAME STATUS WORDS LINE: a line of shell.
try() {
    timeout -k 5 60 sh -c "$4" >out 2>err
    status=$?
    exits "$2" "$1"
    [ "$3" = - ] || like "$1: the words" err "$3"
    [ "$2" != 0 ] || is "$1: all came" "$(sort out | cmp - sorted 2>&1)" ""
}

if [ -w /dev/full ]; then
    try 'stdout is full' 3 'cannot write standard output: No space left' \
        'weir run up.yaml <in >/dev/full'
    try 'stderr is full' 0 - 'weir run up.yaml <in 2>/dev/full'
fi
try 'stdout is closed' 3 'cannot write standard output: Bad file' \
    'weir run up.yaml <in >&-'
try 'stdin is closed' 3 'cannot read standard input: Bad file' \
    'weir run up.yaml <&-'
try 'stderr is closed' 0 - 'weir run up.yaml <in 2>&-'
try 'no descriptors' 3 'cannot be started: Too many open files' \
    'ulimit -n 16; weir run up.yaml <in'
try 'files may not be large' 3 'shared memory needs .*ulimit -f' \
    'ulimit -f 8; weir run up.yaml <in'
# A sanitizer needs much of it, and a process of its own at the end.
plain=no
if (ulimit -v 4000000 && weir --version) >ok.log 2>&1; then
    plain=yes
    try 'no address space' 3 'bytes of shared memory \(see ulimit -v\)' \
        'ulimit -v 200000; weir run up.yaml <in'
else
    skip 'no address space' 'the command itself needs more'
fi
if long && [ $plain = yes ]; then
    sed 's/from: stdin/from: { stdin: { as: whole } }/' up.yaml >whole.yaml
    try 'more than an item can be takes no more memory' 1 'at most 1 GiB' \
        'ulimit -d 3000000
         head -c 4500000000 /dev/zero | weir run whole.yaml'
fi

# As somebody for whom the limit holds, who may not be able to read the build.
as_nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
if [ $plain = yes ] && [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
    $as_nobody weir plugins text.upper >ok.log 2>&1; then
    chmod 755 .
    try 'no processes' 3 'Resource temporarily unavailable' \
        "$as_nobody prlimit --nproc=2 weir run up.yaml <in"
else
    skip 'no processes' 'the limit would not hold, or not for weir alone'
fi

# ON FOLDER SIZE LINE: with a small file system there, in a namespace.
on() {
    echo "unshare -rm sh -c 'mount -t tmpfs -o size=$2 t $1 && $3'"
}

if eval "$(on full 64k true)" >ok.log 2>&1; then
    # shellcheck disable=SC2016
    try 'a full disk under a sink' 3 "cannot append to .*: No space left" \
        "$(on full 64k 'weir run keep.yaml <in; s=$?; cat full/out; exit $s')"
    # Perhaps with bytes of the last item behind the committed ones.
    [ -s out ] && sed '$d' out | sort | comm -23 - sorted >strange
    is 'what it has are whole items' "$(cat strange)" ''
    try 'a full disk under the journal' 3 'journal cannot be written: .*No sp' \
        "$(on full 64k 'weir run --journal=full up.yaml <in')"
    try 'a full disk under failed items' 3 'items cannot be kept: .*full$' \
        "$(on full 64k 'weir run --keep-failed=full up.yaml <in')"
    try 'a run needs no /dev/shm' 0 - \
        "$(on /dev/shm 4k 'weir run up.yaml <in')"
    try 'a queue with a name does' 3 'needs [0-9]+ bytes of shared memory at' \
        "$(on /dev/shm 64k 'weir put --create q in')"
else
    skip 'full disks' 'no mount namespace to be had'
fi

# Signals that mean nothing come in the middle of every wait.
mkfifo pipe
weir run --quiet up.yaml <pipe >out 2>err &
pid=$!
exec 9>pipe
head -n 10000 in >&9
i=0
while [ $i -lt 300 ]; do
    kill -s CHLD $pid
    kill -s CONT $pid
    kill -s WINCH $pid
    i=$((i + 1))
done
tail -n +10001 in >&9
exec 9>&-
wait $pid
is 'signals without end' "$? $(sort out | cmp - sorted 2>&1)" '0 '

finish
