#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# install.sh - what authors get: `make install`, then plugins and a program
# that see nothing but the installed tree, and a job that uses them.
. "${0%/*}/../lib/cli.sh"

limit=120 # seconds, for each run
export limit
unset MAKEFLAGS MFLAGS MAKELEVEL WEIR_PLUGIN_PATH
cc=${CC:-cc}
root=$work/root
project=$WEIR_SRCDIR/tests/outoftree/part

run make -s -C "$WEIR_BUILDDIR" install "DESTDIR=$root"
exits 0 'make install'
weir=$(find "$root" -name weir -path '*/bin/*' -type f)
plugins=$(find "$root" -name plugins -type d)
aclocal=$(dirname "$(find "$root" -name weir.m4)")
is 'no libtool file and no archive stands beside the plugins' \
    "$(find "$plugins" ! -name '*.so' -type f)" ''

# The folders in the .pc files are those without DESTDIR.
mkdir pc
find "$root" -name '*.pc' >files
while read -r file; do
    sed "s|=/|=$root/|" "$file" >"pc/${file##*/}"
done <files
PKG_CONFIG_PATH=$work/pc
export PKG_CONFIG_PATH
is 'plugindir is where the plugins are' \
    "$(pkg-config --variable=plugindir weir-plugin)" "$plugins"
is 'weir.pc has the same' "$(pkg-config --variable=plugindir weir)" "$plugins"
is 'a plugin links with nothing' "$(pkg-config --libs weir-plugin | tr -d ' ')" ''
is 'abi is that of the header' "$(pkg-config --variable=abi weir-plugin)" \
    "$(sed -n 's/^#define WEIR_ABI //p' "$WEIR_SRCDIR/core/include/weir/plugin.h")"

# A program
cat >program.c <<'END'
#include <stdio.h>
#include <string.h>
#include <weir/version.h>
int main(void)
{
    return puts(weir_version()) < 0 || strcmp(weir_version(), WEIR_VERSION);
}
END
static=
find "$root" -name libweir.so | grep -q . || static=--static
# shellcheck disable=SC2046,SC2086
run $cc ${WEIR_SANITIZE-} program.c -o program \
    $(pkg-config $static --cflags --libs weir) -pthread
exits 0 'a program compiles and links by weir.pc'
run env "LD_LIBRARY_PATH=$(pkg-config --variable=libdir weir)" ./program
exits 0 'and runs'

# A project with a Makefile, and the same by autoconf: children, a queue, a pool
cp -R "$WEIR_SRCDIR/tests/outoftree/sum" sum
chmod -R u+w sum
run make -s -C sum -f plain.mk "CC=$cc ${WEIR_SANITIZE-}" "STATIC=$static"
exits 0 'a project with a Makefile builds'
run env "LD_LIBRARY_PATH=$(pkg-config --variable=libdir weir)" sum/sum
exits 0 'runs'
is 'and gives what it should' "$(cat out)" 1001000
if command -v autoreconf >/dev/null 2>&1; then
    cd sum || exit 1
    ok 'a project with autoconf is made' autoreconf -fi
    ok 'finds weir' ./configure "--prefix=$work/own" \
        "CC=$cc ${WEIR_SANITIZE-}" "PKG_CONFIG=pkg-config $static"
    ok 'builds and installs' make -s install
    cd ..
    run env "LD_LIBRARY_PATH=$(pkg-config --variable=libdir weir)" own/bin/sum
    is 'and gives the same' "$status $(cat out)" '0 1001000'
else
    skip 'a project with autoconf is made' 'autoconf is not installed'
fi

# A plugin by hand
mkdir hand
# shellcheck disable=SC2046
run $cc -shared -fPIC -Wl,-z,defs $(pkg-config --cflags weir-plugin) \
    -o hand/part.so "$project/part.c"
exits 0 'a plugin compiles by weir-plugin.pc'

# The same by autoconf, in its own prefix
made=
if command -v autoreconf >/dev/null 2>&1; then
    cp -R "$project" part
    chmod -R u+w part
    cd part || exit 1
    ok 'autoreconf finds WEIR_CHECK' \
        env "ACLOCAL_PATH=$aclocal" autoreconf -fi
    ok 'configure' ./configure "--prefix=$work/own" "CC=$cc"
    ok 'make install' make -s install
    if long; then
        ok 'make distcheck' make -s distcheck
    fi
    cd ..
    made=$(find own -name part.so)
    ok 'it lies under its own prefix' test -n "$made"
else
    skip 'autoreconf finds WEIR_CHECK' 'autoconf is not installed'
fi

# A job with each
[ -n "$(find "$plugins" -name file.so)" ] || [ -n "$static" ] || {
    skip 'a job with the plugin' 'the plugin file is not built'
    finish
}
printf 'short\na longer line\ntiny\nanother long line\n' >text
printf 'a longer line\nanother long line\n' >want
for folder in hand ${made:+"$(dirname "$made")"}; do
    run env "WEIR_PLUGIN_PATH=$plugins" "$weir" run --quiet \
        --plugin-path "$folder" --set "text=$work/text" "$project/part.yaml"
    exits 0 "a job with the plugin in ${folder%%/*}"
    sort out >sorted
    same 'gives the long lines' sorted want
done
finish
