#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# course.sh - the programs of a course on multiprocessing, in C: each prints
# what stands beside it.
. "${0%/*}/../lib/cli.sh"

course=$WEIR_SRCDIR/tests/course
built=$WEIR_BUILDDIR/tests/course

for want in "$course"/*.want; do
    name=${want##*/}
    name=${name%.want}
    if [ "$name" = input ]; then
        run "$built/on-terminal" "$built/input" Ada Grace
    else
        run "$built/$name"
    fi
    exits 0 "$name runs"
    same "$name prints what it should" out "$want"
    is "$name says nothing else" "$(cat err)" ''
done
finish
