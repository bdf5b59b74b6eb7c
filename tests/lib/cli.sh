# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# cli.sh - what the scripts of tests/ share; each starts with
#
#     . "${0%/*}/../lib/cli.sh"
#
# and ends with `finish`. It prints TAP, runs in a folder of its own that is
# removed at the end, has /dev/null as its input and the built command first in
# PATH. A process that the test has left behind is a failure.
#
#   requires PROGRAM...        skips the whole script when one is missing
#   skip_all WHY               skips the whole script
#   skip NAME WHY              skips one result
#   long                       true in `make check-long`
#   run COMMAND...             runs it, bounded by $limit seconds (60); then
#                              $status, and the files `out` and `err`
#   exits STATUS NAME          the last run ended so
#   pass NAME, fail NAME       one result; fail shows what stdin says, from a
#                              file: at the end of a pipe it would not count
#   is NAME GOT WANT           two texts are equal
#   same NAME FILE FILE        two files are equal
#   like NAME FILE REGEX       some line matches (grep -E); unlike: none does
#   ok NAME COMMAND...         the command succeeds
#   until_true SECONDS CMD...  waits for an event, with a bound
#   started                    the processes of this test that still run, without
#                              this shell
#   cleanup COMMAND            a line of shell, run at the end, last one first
#
# Functions and variables that start with _ are the file's own.

set -u
umask 022
LC_ALL=C
export LC_ALL
unset CDPATH
exec </dev/null

# Signals that whoever runs the tests ignores (nohup, a shell's background), all
# that is started here would ignore, too.
if [ -z "${WEIR_SIGNALS-}" ] && env --default-signal true 2>/dev/null; then
    WEIR_SIGNALS=default
    export WEIR_SIGNALS
    exec env --default-signal sh "$0" "$@"
fi

case $0 in
*/*) _here=$(cd "${0%/*}" && pwd) ;;
*) _here=$(pwd) ;;
esac
WEIR_SRCDIR=${WEIR_SRCDIR:-${_here%/tests/*}}
if [ -z "${WEIR_BUILDDIR-}" ]; then
    WEIR_BUILDDIR=$WEIR_SRCDIR/build
    [ -x "$WEIR_BUILDDIR/weir" ] || WEIR_BUILDDIR=$WEIR_SRCDIR
fi
# `make installcheck` says where the installed command is.
_bin=${WEIR_BINDIR:-$WEIR_BUILDDIR}
if ! [ -x "$_bin/weir" ]; then
    echo "Bail out! there is no $_bin/weir; build first"
    exit 1
fi
PATH=$_bin:$PATH
export PATH WEIR_SRCDIR WEIR_BUILDDIR

_count=0
_failed=0
_finished=no
_cleanups=
limit=60
status=

work=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX") || exit 1
# Whatever the test starts inherits this; what still has it at the end was
# left behind.
WEIR_TEST_ID=$work
export WEIR_TEST_ID
trap '_leave' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work" || exit 1

cleanup() {
    _cleanups="$1
$_cleanups"
}

_leave() {
    _code=$?
    trap - EXIT
    trap '' HUP INT TERM
    eval "$_cleanups"
    for _pid in $(started); do
        kill -KILL "$_pid" 2>/dev/null
    done
    cd / && chmod -R u+rwX "$work" 2>/dev/null
    rm -rf "$work"
    if [ "$_finished" = no ]; then
        echo "Bail out! the script ended before finish, with status $_code"
        [ "$_code" -ne 0 ] || _code=1
    fi
    exit "$_code"
}

started() {
    for _file in $(env -u WEIR_TEST_ID grep -lzsxF "WEIR_TEST_ID=$work" \
        /proc/[0-9]*/environ 2>/dev/null); do
        _file=${_file#/proc/}
        echo "${_file%/environ}"
    done
}

_none_left() {
    [ -z "$(started)" ]
}

skip_all() {
    echo "1..0 # SKIP $*"
    _finished=yes
    exit 0
}

requires() {
    for _program; do
        command -v "$_program" >/dev/null 2>&1 ||
            skip_all "$_program is not installed"
    done
}

long() {
    [ "${WEIR_LONG-}" = 1 ]
}

pass() {
    _count=$((_count + 1))
    echo "ok $_count - $*"
}

fail() {
    _count=$((_count + 1))
    _failed=$((_failed + 1))
    echo "not ok $_count - $*"
    sed 's/^/# /'
}

skip() {
    _count=$((_count + 1))
    echo "ok $_count - $1 # SKIP $2"
}

ok() {
    _name=$1
    shift
    if "$@" >ok.log 2>&1 </dev/null; then
        pass "$_name"
    else
        fail "$_name" <ok.log
    fi
}

run() {
    timeout -k 5 "$limit" "$@" >out 2>err
    status=$?
}

exits() {
    if [ "$status" = "$1" ]; then
        pass "$2"
    else
        { echo "exit status $status, not $1"; tail -n 20 err; } >exits.log
        fail "$2" <exits.log
    fi
}

is() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        printf 'got:  %s\nwant: %s\n' "$2" "$3" >is.log
        fail "$1" <is.log
    fi
}

same() {
    if cmp -s "$2" "$3"; then
        pass "$1"
    else
        diff -u "$2" "$3" 2>&1 | head -n 40 >same.log
        fail "$1" <same.log
    fi
}

like() {
    if grep -Eq -e "$3" "$2"; then
        pass "$1"
    else
        { echo "no line matches: $3"; tail -n 20 "$2"; } >like.log 2>&1
        fail "$1" <like.log
    fi
}

unlike() {
    if grep -E -e "$3" "$2" >unlike.log 2>&1; then
        fail "$1" <unlike.log
    else
        pass "$1"
    fi
}

until_true() {
    _end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$_end" ] || return 1
        sleep 0.02
    done
}

finish() {
    if until_true 5 _none_left; then
        pass "no process is left"
    else
        for _pid in $(started); do
            tr '\0' ' ' <"/proc/$_pid/cmdline"
            echo
        done >left.log 2>/dev/null
        fail "no process is left" <left.log
    fi
    echo "1..$_count"
    _finished=yes
    # The harness has counted each failure; the status would be one more.
    [ "$_failed" -eq 0 ] || [ "${WEIR_HARNESS-}" = 1 ]
    exit
}
