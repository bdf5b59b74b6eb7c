#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# dist.sh - what git has and what the tarball has is the same, but for what
# the autotools generate.
. "${0%/*}/../lib/cli.sh"

requires git make
git -C "$WEIR_SRCDIR" rev-parse --git-dir >git.log 2>&1 ||
    skip_all 'this is no clone'
[ "$(git -C "$WEIR_SRCDIR" rev-parse --show-prefix)" = '' ] ||
    skip_all 'this is no clone'

unset MAKEFLAGS MFLAGS MAKELEVEL
run make -s -C "$WEIR_BUILDDIR" distdir "distdir=$work/tree" \
    "top_distdir=$work/tree"
exits 0 'make distdir'
# What is deleted but not yet committed is no file.
git -C "$WEIR_SRCDIR" ls-files | while read -r file; do
    [ ! -e "$WEIR_SRCDIR/$file" ] || echo "$file"
done | sort >tracked
(cd tree && find . -type f) | sed 's|^\./||' | grep -Ev \
    '^(build-aux/.*|m4/(libtool|lt.*)\.m4|aclocal\.m4|configure|config\.h\.in|Makefile\.in)$' |
    sort >packed
comm -23 tracked packed >missing
comm -13 tracked packed >surplus
is 'git has nothing that the tarball lacks' "$(cat missing)" ''
is 'the tarball has nothing that git lacks' "$(cat surplus)" ''
finish
