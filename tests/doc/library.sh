#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# library.sh - the programs of doc/library.md compile without a warning, run,
# and print what the page says.
. "${0%/*}/../lib/cli.sh"

page=$WEIR_SRCDIR/doc/library.md
cc=${CC:-cc}
# shellcheck disable=SC3045
ulimit -c 0 # a dump would be told

# A block of C that begins with its file's name; the next block of text is what
# it prints.
awk '
/^```c$/ { getline; if ($1 == "/*") { name = $2; file = name } }
/^```text$/ { file = name; sub(/\.c$/, ".want", file); printf "" >file; next }
/^```$/ { file = "" }
file != "" { print >file }
' "$page"
ls -- *.c >programs 2>/dev/null
is 'the page has its programs' "$(tr '\n' ' ' <programs)" \
    'imap.c lease.c loop.c mutex.c options.c pool.c process.c queue.c tasks.c told.c '

WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs # for tasks.c
export WEIR_PLUGIN_PATH
while read -r program; do
    name=${program%.c}
    # shellcheck disable=SC2086
    run $cc -std=gnu11 -Wall -Wextra -Werror ${WEIR_SANITIZE-} \
        -I"$WEIR_SRCDIR/core/include" -I"$WEIR_BUILDDIR/core/include" \
        -c "$program" -o "$name.o"
    exits 0 "$program compiles"
    # shellcheck disable=SC2086
    run "$WEIR_BUILDDIR/libtool" --silent --tag=CC --mode=link $cc \
        ${WEIR_SANITIZE-} "$name.o" -o "$name" "$WEIR_BUILDDIR/libweir.la" \
        -pthread
    exits 0 "$program links"
    run "./$name"
    exits 0 "$program runs"
    same "and prints what the page says" out "$name.want"
done <programs
finish
