#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# symbols.sh - what the public headers declare, what core/libweir.sym lists and
# what libweir.so exports is the same. plugin.h is apart: its functions are
# inlines over a table.
. "${0%/*}/../lib/cli.sh"

requires nm
include=$WEIR_SRCDIR/core/include

# The preprocessor takes the comments away; a declaration is a weir_name that
# a parenthesis follows, without a star, and that stands outside of any other.
for header in "$include"/weir/*.h version.h; do
    name=${header##*/}
    [ "$name" = plugin.h ] || echo "#include <weir/$name>"
done >all.c
${CC:-cc} -E -P -I"$include" -I"$WEIR_BUILDDIR/core/include" all.c |
    grep -v '^#' | tr '\n' ' ' | sed 's/;/;\n/g; s/{/\n/g; s/}/\n/g' |
    grep -v -e typedef -e inline |
    sed -n 's/^[^(]*[ *]\(weir_[a-z0-9_]*\) *([^*].*;$/\1/p' | sort -u >declared
sed -n 's/^[[:space:]]*\(weir_[a-z0-9_]*\);.*/\1/p' \
    "$WEIR_SRCDIR/core/libweir.sym" | sort -u >listed
ok 'the headers declare functions' test -s declared
same 'core/libweir.sym lists what the headers declare' listed declared

library=$WEIR_BUILDDIR/.libs/libweir.so
if [ -e "$library" ]; then
    nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' |
        sed 's/@.*//' | sort -u >exported
    same 'libweir.so exports the same' exported declared
    nm -D --defined-only "$library" | awk '$2 != "A"' | grep -v '@@WEIR_' >bare
    is 'each by its version' "$(cat bare)" ''
else
    skip 'libweir.so exports the same' 'it is not built'
fi
finish
