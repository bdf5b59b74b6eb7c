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

# At each step of an append: the next one goes on, and each is there once.
for point in noted written length raised; do
    rm -f kept
    seq 6 | weir put --create --close "$point"
    WEIR_FAULT=queue.sink.$point:3:kill "$faulty" get --append=kept "$point"
    is "killed at $point" $? 137
    weir get --append=kept "$point"
    is "$point: each is there once" "$(tr '\n' ' ' <kept)" '1 2 3 4 5 6 '
done
finish
