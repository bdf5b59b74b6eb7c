#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of `weir put` and `weir get` at one named queue: every item comes, in
# order and whole, and twice only what was in a killed one's hand; and with
# --append, none. WEIR_LONG: 1,000 kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

couple=$WEIR_BUILDDIR/tests/crash/couple
command=$WEIR_BUILDDIR/core/cli/weir
[ -x "$couple" ] || skip_all "there is no $couple; make check builds it"
WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-test.XXXXXX) ||
    skip_all '/dev/shm is not to be had'
export WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"

kills=40
long && kills=1000
limit=600

run "$couple" "$command" "$kills" 7
exits 0 "every item of $kills kills"
cat out

rm taken
weir queues --remove=couple
run "$couple" "$command" "$kills" 8 append
exits 0 "every item once, of $kills kills"
cat out

# Between its write and its commit: the item comes again, and no other.
faulty=$WEIR_BUILDDIR/tests/crash/weir
seq 6 | weir put --create --close again
WEIR_FAULT=get.written:3:kill "$faulty" get again >first
is 'killed with the third in hand' $? 137
weir get again >second
is 'which comes again' "$(cat first second | tr '\n' ' ')" '1 2 3 3 4 5 6 '

# killed_behind QUEUE FILE: one item is appended, and its commit is done.
killed_behind() {
    echo 1 | weir put "$1"
    WEIR_FAULT=queue.commit.open:1:kill "$faulty" get --append="$2" "$1"
}

# At each step of an append: the next one goes on, and each is there once.
for point in noted intent written length raised; do
    rm -f kept
    seq 6 | weir put --create --close "$point"
    WEIR_FAULT=queue.sink.$point:3:kill "$faulty" get --append=kept "$point"
    is "killed at $point" $? 137
    weir get --append=kept "$point"
    is "$point: each is there once" "$(tr '\n' ' ' <kept)" '1 2 3 4 5 6 '
done

# What others have written meanwhile is theirs: to the file, to one that has its
# inode now, behind what was begun.
weir put --create one </dev/null
seq 11 12 | weir put --create --close two
killed_behind one kept3
weir get --append=kept3 two
echo 2 | weir put one
weir get --append=kept3 -n 1 one
is 'an item of another queue stays' "$(tr '\n' ' ' <kept3)" '1 11 12 2 '
killed_behind one gone
rm gone
seq 1000 >new
echo 2 | weir put one
weir get --append=new -n 1 one
is 'and all of a new file' "$(wc -l <new)" 1001
seq 3 | weir put --close one
seq 11 12 | weir put --create --close three
WEIR_FAULT=queue.sink.written:1:kill "$faulty" get --append=both one
weir get --append=both three
run weir get --append=both one
exits 3 'what is whose cannot be told'
like 'where to look' err 'a part of an item behind byte 0, and somebody else has'
is 'nothing is cut' "$(tr '\n' ' ' <both)" '1 11 12 '
weir get --append=both2 one
is 'nor lost' "$(tr '\n' ' ' <both2)" '1 2 3 '

# Entries of files are not used up by kills: of those that need no cut, and of
# those that are gone; but one that is there and needs it is kept.
weir put --create full </dev/null
for file in a b c d e; do
    killed_behind full $file
done
is 'as many files as there are kills' "$(cat a b c d e | wc -l)" 5
weir queues --remove=full
seq 9 | weir put --create full
for file in a b c d; do
    WEIR_FAULT=queue.sink.written:1:kill "$faulty" get --append=torn$file full
done
run weir get --append=tornless -n 1 full
exits 3 'all are needed'
like 'which is said' err '4 files are appended to already'
rm tornb
WEIR_FAULT=queue.sink.freed:1:kill "$faulty" get --append=other full
is 'killed when it had freed one' $? 137
weir get --append=other -n 1 full
is 'of a file that is gone' "$(cat other)" 1
weir get --append=torna -n 1 full
is 'the others are cut' "$(cat torna)" 2
finish
