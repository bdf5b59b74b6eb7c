# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugins.sh - plugins for the scripts of tests, which are made with the
# compiler of the build. To be sourced after cli.sh.
#
#   build_plugin NAME [FLAG...]   tests/cli/plugins/NAME.c to ./plugins/NAME.so
#   compile NAME [FLAG...]        the same from stdin, for one of a few lines

_compile() {
    _from=$1
    _to=$2
    shift 2
    mkdir -p plugins
    # shellcheck disable=SC2086
    ${CC:-cc} -shared -fPIC "$@" "-I$WEIR_SRCDIR/core/include" \
        "-I$WEIR_BUILDDIR/core/include" -o "plugins/$_to.so" "$_from" ||
        skip_all "no compiler that makes a plugin (CC=${CC:-cc})"
}

build_plugin() {
    _name=$1
    shift
    _compile "$WEIR_SRCDIR/tests/cli/plugins/$_name.c" "$_name" "$@"
}

compile() {
    _name=$1
    shift
    cat >"$_name.c"
    _compile "$_name.c" "$_name" "$@"
}
