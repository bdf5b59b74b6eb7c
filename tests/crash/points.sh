#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each named point of core has a test that kills there: points.list says which,
# and is compared with the source. So who adds a point adds its test. (Those for
# a mutation, which is wrong there, belong to it.)
. "${0%/*}/../lib/cli.sh"

list=$WEIR_SRCDIR/tests/crash/points.list
grep -rhoE 'WEIR_POINT\("[^"]+"\)' "$WEIR_SRCDIR/core" "$WEIR_SRCDIR/plugins" |
    cut -d '"' -f 2 | grep -v '\.mutant$' | sort -u >points
sed -n 's/^\([a-z][^ ]*\) .*/\1/p' "$list" | sort -u >listed
same 'all points, and no others, are listed' listed points

# The name stands in the test; or the test learns names and is held to the list,
# or it takes them from there.
while read -r point test _; do
    case $point in '#'* | '') continue ;; esac
    grep -qF "$point" "$WEIR_SRCDIR/$test" ||
        grep -qE "points_(expect|listed)\(&points, \"$test\"\)" \
            "$WEIR_SRCDIR/$test" ||
        echo "$point $test"
done <"$list" >missing
is 'each is killed at by its test' "$(cat missing)" ''

# In each way, by a matrix; or it is said what there is instead.
awk '/^[a-z]/ { all[$1]; if ($2 ~ /crash\/(matrix|runs)\.c$/) by[$1]; if (NF > 2) said[$1] }
    END { for (at in all) if ((at in by) == (at in said)) print at }' "$list" >odd
is 'each is in a matrix, or it is said why not' "$(sort odd)" ''
finish
