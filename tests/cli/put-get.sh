#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir put, get and queues: items between shells that share nothing but a name.
# shellcheck disable=SC2034,SC2094 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-test.XXXXXX) ||
    skip_all '/dev/shm is not to be had'
export WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"

# --- what comes in goes out
seq 1000 >in
run weir put --create --capacity=2000 numbers in
exits 0 'lines of a file are put'
run weir get -n 400 numbers
exits 0 'some are taken'
cp out first
run weir put --close numbers /dev/null
exits 0 'closed'
run weir get numbers
exits 0 'the rest is taken until it is closed'
cat first out >all
same 'all of them, in order' all in
run weir put numbers in
exits 1 'nobody puts any more'
like 'why' err "^weir: queue 'numbers' is closed: 0 items were put"
run weir get -n 3 numbers
exits 1 'less than was asked for'
like 'why' err "^weir: queue 'numbers' is closed: 0 of 3 items"
run weir get numbers
exits 0 'nothing is all of it'
run weir queues
exits 0 'queues lists it'
like 'with its state' out '^numbers +0 of 2000 items, 0 B of 8.*MiB, 0 members, closed$'
run weir queues --remove=numbers
exits 0 'and removes it'
run weir queues
is 'it is gone' "$(cat out)" ''

# --- what an item is
printf 'a\nb c\n\nlast' | weir put --create q
weir get -0 -n 4 q | tr '\0' '|' >out
is 'lines without their end' "$(cat out)" 'a|b c||last|'
printf 'a\nb\0\0c\n' | weir put -0 q
weir get -0 -n 3 q | tr '\0' '|' >out
printf 'a\nb||c\n|' >want
same 'between NUL bytes' out want
printf 'one\ntwo' >whole
weir put --whole q whole - <whole
weir get --whole -n 2 q >out
cat whole whole >want
same 'whole files' out want
printf 'x\n' | weir put --whole q
run weir get -n 1 q
is 'no second newline' "$(od -An -c out | tr -d ' ')" 'x\n'
head -c 70000 /dev/zero | tr '\0' z >large
weir put --whole q large && weir get -n 1 --whole q >out
same 'a large one' out large

# --- appended to a file
printf 'before\n' >kept
printf 'a\nb\n' | weir put q
weir get --append=kept -n 1 q
weir get --append=kept -n 1 -0 q
is 'behind what is there' "$(tr '\0' '|' <kept)" 'before
a
b|'
weir get --append=kept q &
getter=$!
echo c | weir put q
until_true 20 grep -q c kept
run weir get --append=kept q
exits 3 'by one process at a time'
like 'why' err "cannot append to 'kept': another process does"
kill $getter
wait $getter
: >kept
echo d | weir put q
weir get --append=kept -n 1 q
is 'one that was made shorter' "$(cat kept)" d
run weir get --append=/dev/null q
exits 3 'no file'
like 'why' err 'only a regular file can be appended to exactly once'
run weir get --append=nosuch/file q
exits 2 'no folder'
(
    trap '' XFSZ
    ulimit -f 1
    head -c 5000 /dev/zero | tr '\0' z | weir put --whole q
    run weir get --append=short q
    echo "$status" >code
)
is 'a file that has no room' "$(cat code)" 3
is 'of which nothing is kept' "$(cat short)" ''
weir get --append=short -n 1 q
is 'and then the item is' "$(wc -c <short)" 5001

# --- what is refused
run weir get nosuch
exits 2 'an unknown queue does not wait'
like 'what to do' err "there is no queue 'nosuch'; --create makes one"
weir put --create jobs </dev/null
run weir put job </dev/null
exits 2 'nor to put'
like 'the nearest' err "there is no queue 'job'; did you mean 'jobs'\?"
run weir put --create a/b </dev/null
exits 2 'a name that is none'
like 'which are' err "'a/b' cannot be a queue's name: write 1 to 128 letters"
run weir get --null --whole q
exits 2 'two forms'
run weir put --capacity=3 q
exits 2 'a capacity of a queue that is there'
run weir put --create --mode=9 q
exits 2 'a mode'
run weir put --create --bytes=9 q
exits 2 'a size without a unit'
run weir get --timeout=5 q
exits 2 'a time without a unit'
run weir put q nosuch.txt
exits 2 'no file'
echo 'no queue' >"$WEIR_QUEUE_DIR/foreign"
run weir get foreign
exits 3 'a file that is no queue'
like 'why' err "cannot use queue 'foreign': it is no queue of weir; 'weir queues --remove=foreign' removes it"
run weir queues
exits 1 'and in the list'
like 'why there' out '^foreign +cannot use queue'
run weir queues --json
like 'as JSON' out '^\{"name": ?"foreign", ?"error":'
like 'the others, too' out '"name": ?"q".*"ready": ?0.*"closed": ?false'
run weir queues --remove=foreign --remove=jobs
exits 0 'both are removed'
weir put --create --bytes='1 kB' small </dev/null
run weir put small large
exits 3 'an item that can never fit'
like 'what to do' err 'can never fit queue .small.; make the queue with larger --bytes'

# --- waits
run weir get --timeout=10ms q
exits 1 'nothing came in time'
run weir get -n 2 --timeout=0s q
exits 1 'nothing is there'
like 'that is told where it was asked for' err "had no more in time: 0 of 2"
weir put --create --capacity=2 full <<END
a
b
END
run sh -c 'echo c | weir put --timeout=10ms full'
exits 1 'no room in time'
like 'why' err "queue 'full' had no room in time: 0 items"
run sh -c 'weir put --wait --timeout=10ms full </dev/null'
exits 1 'not all taken in time'
weir put --wait full </dev/null &
putter=$!
weir get -n 2 full >out
ok 'until all is taken' wait $putter
weir get --wait -n 1 later >out &
getter=$!
echo here | weir put --create later
ok 'until there is one' wait $getter
is 'and then it gets' "$(cat out)" here

# --- signals, closed and full outputs
holds() {
    [ "$(weir queues --json | sed -n "s/.*\"$1\".*\"ready\": *\([0-9]*\).*\"leased\": *\([0-9]*\).*/\1+\2/p")" = "$2" ]
}
waits() {
    grep -q "^State:.S" "/proc/$1/status" && holds "$2" "$3"
}
for signal in INT TERM HUP; do
    case $signal in INT) want=130 ;; TERM) want=143 ;; *) want=129 ;; esac
    env --default-signal weir get q >out 2>err &
    getter=$!
    echo $signal | weir put q
    until_true 20 grep -q $signal out
    kill -$signal $getter
    wait $getter
    status=$?
    exits $want "get ends by $signal"
done
mkfifo pipe
env --default-signal weir put q pipe 2>err &
putter=$!
exec 3>pipe
printf 'whole\nin part' >&3
until_true 20 holds q '1+0'
kill -INT $putter
wait $putter
status=$?
exits 130 'put ends by SIGINT'
exec 3>&-
run weir get --timeout=0s q
is 'with the lines that were whole' "$(cat out)" whole
if [ -w /dev/full ]; then
    echo kept | weir put q
    weir get q >/dev/full 2>err
    status=$?
    exits 3 'a full output is told'
    ok 'and the item is kept' holds q '1+0'
    weir get -n 1 q >out
fi
(
    weir get later 2>err
    echo $? >code
) >pipe &
exec 3<pipe 3<&-
echo kept | weir put later
wait
is 'a closed pipe ends it by SIGPIPE' "$(cat code)" 141
is 'without a word' "$(cat err)" ''
ok 'and the item is kept' holds later '1+0'

# --- completion
is 'names are completed' "$(weir --complete 2 weir get la)" later
is 'those to be removed, too' "$(weir --complete 4 weir queues --remove = ful)" full
finish
