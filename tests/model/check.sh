#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The models of lease and commit (turn.pml) and of order: keep (order.pml): spin
# goes through all states of small instances, and finds what is wrong with each
# of the mutations.
# shellcheck disable=SC2086 # options are words
. "${0%/*}/../lib/cli.sh"

requires spin
CC=${CC:-cc}
model=$WEIR_SRCDIR/tests/model/turn.pml

# check_model OPTIONS: `out` is what the checker says; 5 GiB at most.
check_model() {
    rm -f pan pan.*
    spin -a $1 "$model" >spin.log 2>&1 &&
        $CC -O1 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c ||
        return 1
    # shellcheck disable=SC3045
    (ulimit -v 5000000 && exec timeout 300 ./pan -m1000000) >out 2>&1
}

# holds NAME OPTIONS
holds() {
    check_model "$2"
    if grep -q 'errors: 0$' out && ! grep -qi 'not completed\|too small' out; then
        pass "$1:$(sed -n 's/^ *\([0-9]*\) states, stored.*/ \1 states/p' out)"
    else
        fail "$1" <out
    fi
}

# found NAME WHAT OPTIONS
found() {
    check_model "$3"
    if grep -q 'errors: 1$' out && grep -q "$2" out; then
        pass "$1 is found: $(sed -n 's/^pan:[0-9]*: //p' out | head -n 1)"
    else
        fail "$1 is found" <out
    fi
}

holds 'two workers, one item, a kill' '-DKILLS=1'
holds 'one worker, one item, two kills' '-DWORKERS=1 -DKILLS=2'
holds 'two workers, two items of two outputs, room for two' \
    '-DKILLS=0 -DITEMS=2 -DOUTPUTS=2'
! long || holds 'one worker, two items, two kills' \
    '-DWORKERS=1 -DITEMS=2 -DKILLS=2'
! long || holds 'answers: two workers, one item, a kill' '-DKILLS=1 -DANSWERS'
! long || holds 'answers: one worker, one item, two kills' \
    '-DWORKERS=1 -DKILLS=2 -DANSWERS'
! long || holds 'never leased: two workers, one item, a kill' \
    '-DKILLS=1 -DDIRECT'

found 'publishing before the commit' assert '-DKILLS=1 -DPUBLISH_BEFORE_COMMIT'
found 'an input freed before the commit' 'assert\|end state' \
    '-DKILLS=1 -DFREE_BEFORE_COMMIT'
found 'idle before publishing' assert '-DKILLS=1 -DIDLE_BEFORE_PUBLISH'
found 'leased before its reference' 'end state' '-DKILLS=1 -DLEASED_BEFORE_REF'
found 'staged before its reference' assert '-DKILLS=1 -DSTAGED_BEFORE_REF'
found 'a redo that does not look at the word' assert '-DKILLS=1 -DBLIND_REDO'
found 'spent, and forgotten in recovery' 'end state' \
    '-DKILLS=1 -DANSWERS -DSPENT_FORGOTTEN'
found 'no wake in recovery' 'end state' '-DKILLS=1 -DNO_RECOVERY_WAKE'
found 'waiting for room with staged items' 'end state' \
    '-DKILLS=0 -DITEMS=2 -DOUTPUTS=2 -DWAIT_WITH_STAGED'

model=$WEIR_SRCDIR/tests/model/order.pml
holds 'in order: two workers, three items, room for two' '-DKILLS=0'
holds 'in order: two items, room for two, a kill' '-DITEMS=2 -DKILLS=1'
holds 'in order: two items, room for one, a kill' '-DITEMS=2 -DROOM=1 -DKILLS=1'
! long || holds 'in order: three items, room for two, a kill' '-DKILLS=1'
! long || holds 'in order: three items, room for one, a kill' \
    '-DROOM=1 -DKILLS=1'

found 'published without being held' assert '-DKILLS=0 -DNOT_HELD'
found 'what is held published whatever is next' assert \
    '-DKILLS=0 -DNEXT_IGNORED'
found 'an input freed before its output is held' assert \
    '-DKILLS=0 -DFREE_BEFORE_HOLD'
found 'advance before the input is free' 'end state' \
    '-DKILLS=0 -DADVANCE_BEFORE_FREE'
found 'the last slot taken by any' 'end state' '-DKILLS=0 -DLAST_SLOT'
found 'no wake for whose turn it is' 'end state' '-DKILLS=0 -DNO_TURN_WAKE'
found 'the last item leased first' 'end state' \
    '-DKILLS=0 -DROOM=1 -DLEASED_LAST_FIRST'
found 'no advance in recovery' 'end state' \
    '-DITEMS=2 -DKILLS=1 -DNO_RECOVERY_ADVANCE'
finish
