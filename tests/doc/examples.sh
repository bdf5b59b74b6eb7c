#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples.sh - every example of the manual is run, as it stands there, against
# the installed tree alone: weir, its headers and its plugins.
#
#     sh tests/doc/examples.sh [PAGE...]      # doc/tutorial.md
#
# An example is a fence; its first word says what it is:
#
#   ```c FILE, ```yaml FILE, ```make FILE ...   a file; the C of it compiles
#                without a warning, a job that no command of the page names is
#                given to `weir check`
#   ```yaml      with a line `weir: 1`, a whole job: given to `weir check`;
#                without, a piece of one, which is only shown
#   ```console   commands behind `$ `, and what they show, both channels; `...`
#                is any text, on a line of its own any lines. A command that
#                fails is a mistake, unless the next one is `echo $?`
#   ```sh        commands; none may fail
#   ```text      is only shown
#
# All of a page are run in one folder and one shell, from top to bottom. A
# comment `<!-- test`, lines of shell, `-->` is run and not shown; one like
# `<!-- requires pkill -->` skips the page when there is no such program. Text
# that is indented instead is no example.
#
# Of manual pages it takes the jobs; their commands have help-examples.sh. The
# page of the library has library.sh, those of the plugins have
# tests/jobs/plugin-pages.sh.
. "${0%/*}/../lib/cli.sh"

requires awk pkg-config
lib=$WEIR_SRCDIR/tests/doc
unset MAKEFLAGS MFLAGS MAKELEVEL WEIR_PLUGIN_PATH NO_COLOR CLICOLOR_FORCE
# shellcheck disable=SC3045
ulimit -c 0 # what crashes on purpose leaves no memory behind
limit=240

# ----------------------------------------------------- the installed tree ----

root=$work/root
run make -s -C "$WEIR_BUILDDIR" install "DESTDIR=$root"
exits 0 'make install'
[ "$status" = 0 ] || finish
plugins=$(find "$root" -name plugins -type d)
bin=$(dirname "$(find "$root" -name weir -path '*/bin/*' -type f)")
aclocal=$(dirname "$(find "$root" -name weir.m4)")
mkdir pc tools home pages
# The folders in the .pc files are those without DESTDIR.
find "$root" -name '*.pc' >files
while read -r file; do
    sed "s|=/|=$root/|" "$file" >"pc/${file##*/}"
done <files

# The compiler that weir was built with, under the name that the pages use; a
# program that is linked with a sanitized libweir needs the same switches, and
# with a static one all that it needs.
find "$root" -name libweir.so | grep -q . || static=--static
cat >tools/cc <<END
#!/bin/sh
PATH=$PATH
case " \$* " in
*' -shared '* | *' -fsyntax-only '*) exec ${CC:-cc} "\$@" ;;
*) exec ${CC:-cc} ${WEIR_SANITIZE-} "\$@" ;;
esac
END
cat >tools/pkg-config <<END
#!/bin/sh
exec $(command -v pkg-config) ${static-} "\$@"
END
chmod +x tools/cc tools/pkg-config

ACLOCAL_PATH=$aclocal
# An example that crashes dies of its signal, also in a sanitized weir.
ASAN_OPTIONS=${ASAN_OPTIONS+$ASAN_OPTIONS:}handle_segv=0
UBSAN_OPTIONS=${UBSAN_OPTIONS+$UBSAN_OPTIONS:}handle_segv=0
CC=$work/tools/cc
HOME=$work/home
LD_LIBRARY_PATH=$root$(pkg-config --variable=libdir "$WEIR_BUILDDIR/core/weir.pc")
PATH=$work/tools:$bin:$PATH
PKG_CONFIG_PATH=$work/pc
# What is installed is found by the name that it will have without DESTDIR.
WEIR_PLUGIN_PATH=$plugins
export ACLOCAL_PATH ASAN_OPTIONS UBSAN_OPTIONS CC HOME LD_LIBRARY_PATH PATH PKG_CONFIG_PATH \
    WEIR_PLUGIN_PATH

# ------------------------------------------------------------------ a page ----

# The commands of a page, as one script. Each is noted when it has begun, with
# its status when it has ended; so one that takes the shell with it is known.
begin_script() {
    cat <<'END'
_status=0
_begin() {
    echo "$1" >"$_told.now"
}
_end() {
    echo "$1 $2" >>"$_told"
    _status=$2
}
END
    echo "_told='$1'; : >\"\$_told\""
}

add_console() {
    command=1
    while [ -e "$1/$2.$command.run" ]; do
        echo "_begin $2.$command"
        echo "(exit \$_status)"
        echo "eval \"\$(cat '$1/$2.$command.run')\" >'$1/$2.$command.got' 2>&1"
        echo "_end $2.$command \$?"
        command=$((command + 1))
    done
}

add_sh() {
    echo "_begin $2"
    echo "set -e; . '$1/$2' >'$1/$2.got' 2>&1; set +e"
    echo "_end $2 0"
}

add_file() {
    echo "_begin $2"
    echo "mkdir -p \"\$(dirname '$3')\" && cp '$1/$2' '$3'"
    echo "_end $2 \$?"
}

write_script() {
    begin_script "$1/told"
    while read -r number place kind file; do
        : "$place"
        case $kind:$file in
        console:) add_console "$1" "$number" ;;
        sh:) add_sh "$1" "$number" ;;
        unmarked:* | text:* | unended:*) ;;
        *:?*) add_file "$1" "$number" "$file" ;;
        esac
    done <"$1/list"
}

# as_shown WANT GOT: equal, but for `...`.
as_shown() {
    awk -v want="$1" '
        function escaped(text) {
            gsub(/[][\\.^$*+?(){}|\/]/, "\\\\&", text)
            gsub(/\\\.\\\.\\\./, "[^\n]*", text)
            return text
        }
        BEGIN {
            while ((getline line <want) > 0)
                regex = regex (line == "..." ? "(.*\n)?" : escaped(line) "\n")
        }
        { got = got $0 "\n" }
        END { exit got !~ "^" regex "$" }' "$2"
}

judge_command() {
    case $1 in
    0) ;;
    none)
        echo 'it was not come to'
        return 1
        ;;
    *)
        if ! [ "$(cat "$2.$(($3 + 1)).run" 2>&1)" = 'echo $?' ]; then
            echo "it ended with status $1"
            cat "$2.$3.got"
            return 1
        fi
        ;;
    esac
    as_shown "$2.$3.want" "$2.$3.got" || {
        diff -u "$2.$3.want" "$2.$3.got"
        return 1
    }
}

status_of() {
    awk -v which="$2" '$1 == which { found = $2 }
        END { print found == "" ? "none" : found }' "$1/told"
}

# Its first line, as `echo` must have it.
first_line() {
    sed -e 's/\\/\\\\/g' -e q "$1"
}

judge_console() {
    command=1
    while [ -e "$1/$2.$command.run" ]; do
        name=$3:\ $(first_line "$1/$2.$command.run")
        if judge_command "$(status_of "$1" "$2.$command")" "$1/$2" \
            "$command" >"$work/judge.log" 2>&1; then
            pass "$name"
        else
            fail "$name" <"$work/judge.log"
        fi
        command=$((command + 1))
    done
    [ ! -e "$1/$2.lost" ] || fail "$3: it starts with a command" <"$1/$2.lost"
}

judge_sh() {
    if [ "$(status_of "$1" "$2")" = 0 ]; then
        pass "$3: $(first_line "$1/$2")"
    else
        fail "$3: $(first_line "$1/$2")" <"$1/$2.got"
    fi
}

# judge_file PAGE NUMBER PLACE KIND FILE
judge_file() {
    case $5 in
    *.c)
        # shellcheck disable=SC2046
        ok "$3: $5 compiles without a warning" cc -std=gnu11 -Wall -Wextra \
            -Werror -fsyntax-only $(pkg-config --cflags weir-plugin weir) \
            -x c "$1/$2"
        ;;
    *)
        if ! grep -q '^weir: 1' "$1/$2" ||
            cat "$1"/*.run "$1/runs" 2>/dev/null | grep -qF -e "$5"; then
            pass "$3: $5"
        else
            ok "$3: $5 is sound" weir check "$1/run/$5"
        fi
        ;;
    esac
}

judge_yaml() {
    if [ "$pcre2" = no ] && grep -Eq 'task: text\.(grep|replace)' "$1/$2"; then
        skip "$3: the job is sound" 'weir was built without PCRE2'
    elif grep -q '^weir: 1' "$1/$2"; then
        cp "$1/$2" "$1/run/example-$2.yaml"
        ok "$3: the job is sound" weir check "$1/run/example-$2.yaml"
    fi
}

walk() {
    sed -n 's/^<!-- requires \(.*\) -->$/\1/p' "$WEIR_SRCDIR/$1" |
        tr ' ' '\n' >programs
    while read -r program; do
        command -v "$program" >/dev/null 2>&1 && continue
        skip "$1" "$program is not installed"
        return
    done <programs
    page=$work/pages/$(echo "$1" | tr / -)
    mkdir "$page" "$page/run"
    mdoc=0
    case $1 in *.[1-9]) mdoc=1 ;; esac
    (cd "$WEIR_SRCDIR" &&
        awk -v to="$page" -v mdoc="$mdoc" -f "$lib/examples.awk" "$1")
    write_script "$page" >"$page/script"
    # What the sh examples name counts as used, too.
    while read -r number place kind file; do
        case $kind in sh) cat "$page/$number" ;; esac
    done <"$page/list" >"$page/runs"
    (cd "$page/run" && timeout -k 5 "$limit" sh "$page/script") \
        >"$page/log" 2>&1
    [ $? -ne 124 ] || fail "$1 ends within $limit s" <"$page/told.now"
    while read -r number place kind file; do
        case $kind:$file in
        console:) judge_console "$page" "$number" "$place" ;;
        sh:) judge_sh "$page" "$number" "$place" ;;
        yaml:) judge_yaml "$page" "$number" "$place" ;;
        text:*) ;;
        *:?*) judge_file "$page" "$number" "$place" "$kind" "$file" ;;
        *) fail "$place: $kind says how it is to be run" <"$page/$number" ;;
        esac
    done <"$page/list"
}

pcre2=yes
weir call text.grep --param pattern=weir </dev/null >pcre2.log 2>&1 || pcre2=no
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046
    set -- README.md $(cd "$WEIR_SRCDIR" &&
        echo doc/*.md doc/man/*.[1-9] | sed 's|doc/library\.md ||')
fi
for name; do
    walk "$name"
done
finish
