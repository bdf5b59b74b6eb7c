#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# wraps.list has every function of libc that core calls and that can fail: each
# one that its objects want from elsewhere is there, or in not-wrapped.list, with
# the reason. So a call that is new cannot go untested unseen.
. "${0%/*}/../lib/cli.sh"

nm=${NM:-nm}
command -v "$nm" >/dev/null || skip_all 'there is no nm'
lists=$WEIR_SRCDIR/tests/faults
archive=$WEIR_BUILDDIR/.libs/libweir-internal.a
[ -e "$archive" ] || archive=$WEIR_BUILDDIR/libweir-internal.a
set -- "$archive"
for source in "$WEIR_SRCDIR"/core/cli/*.c; do
    set -- "$@" "$WEIR_BUILDDIR/core/cli/$(basename "$source" .c).o"
done

# names TYPES: of symbols of these types, in all objects, as they stand in the
# source: without what a fortified or a newer libc makes of them.
names() {
    "$nm" "$@" 2>/dev/null | awk 'NF > 1 && $NF !~ /:$/ { print $NF }' |
        sed 's/@.*//; s/^__isoc[0-9]*_//; s/^__\(.*\)_chk$/\1/' | sort -u
}
names -u "$@" >wanted
names -g --defined-only "$@" >own
comm -23 wanted own >outside
is 'core wants something of libc' "$(grep -c '^\(malloc\|read\|fork\)$' outside)" 3

sed 's/^--wrap=//' "$lists/wraps.list" | sort >wrapped
grep -v '^#' "$lists/not-wrapped.list" | grep . >exempt
# As patterns of whole lines.
sed 's/[.]/\\./g; s/\*$/.*/; s/.*/^&$/' exempt >patterns
is 'both lists have nothing in common' "$(grep -f patterns wrapped)" ''
comm -23 outside wrapped | grep -v -f patterns >unknown
is 'each function can fail in a test, or a reason is given' "$(cat unknown)" ''
# A sanitizer and an optimizer put other functions in the place of some.
comm -13 outside wrapped >unused
if [ -z "${WEIR_SANITIZE-}" ]; then
    is 'no function is wrapped in vain' "$(cat unused)" ''
else
    skip 'no function is wrapped in vain' 'a sanitizer changes calls'
fi
finish
