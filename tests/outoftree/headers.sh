#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# headers.sh - each public header compiles alone, in strict C11 and in C++.
. "${0%/*}/../lib/cli.sh"

cc=${CC:-cc}
include=$WEIR_SRCDIR/core/include
for header in "$include"/weir/*.h "$WEIR_BUILDDIR/core/include/weir/version.h"; do
    name=weir/${header##*/}
    echo "#include <$name>" >alone.c
    cp alone.c alone.cc
    set -- -I"$include" -I"$WEIR_BUILDDIR/core/include" -fsyntax-only \
        -pedantic -Wall -Wextra -Werror
    # shellcheck disable=SC2086
    ok "$name in C11" $cc -std=c11 "$@" alone.c
    if [ -n "${CXX_FOR_TESTS-}" ]; then
        ok "$name in C++" "$CXX_FOR_TESTS" -std=c++11 "$@" alone.cc
    else
        skip "$name in C++" 'there is no C++ compiler'
    fi
done
finish
