#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# man-lint.sh - the manual pages are sound mdoc.
. "${0%/*}/../lib/cli.sh"
requires mandoc

for page in "$WEIR_SRCDIR"/doc/man/*.[1-9] "$WEIR_BUILDDIR"/doc/man/*.3; do
    ok "${page##*/} has no warnings" mandoc -T lint -W warning "$page"
    like "${page##*/} says its licence" "$page" 'SPDX-License-Identifier'
done

# Whatever the library exports has its page.
sed -n 's/^\.Nm \(weir_[a-z0-9_]*\).*/\1/p' "$WEIR_BUILDDIR"/doc/man/*.3 |
    sort >told
sed -n 's/^	\(weir_[a-z0-9_]*\);$/\1/p' "$WEIR_SRCDIR/core/libweir.sym" |
    grep -vx weir_version | sort >exported
same 'the pages tell of all that the library exports' exported told

# And each function's comment says which threads may call it.
awk '
/^\/\*/ { text = ""; inside = 1 }
inside { text = text $0; if (/\*\//) inside = 0; next }
match($0, /weir_[a-z0-9_]*\(/) && /^[a-z]/ && !/^typedef|^static/ {
    if (text !~ /Threads:/) print substr($0, RSTART, RLENGTH - 1)
}' "$WEIR_SRCDIR"/core/include/weir/log.h \
    "$WEIR_SRCDIR"/core/include/weir/mutex.h \
    "$WEIR_SRCDIR"/core/include/weir/p[or]*.h \
    "$WEIR_SRCDIR"/core/include/weir/queue.h >unsaid
is 'each says which threads may call it' "$(cat unsaid)" ''
finish
