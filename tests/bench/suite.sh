#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# suite.sh - weir beside its peers and beside the bare limit: all variants of a
# row in turn, round after round, in one run; medians, spreads, ratios.
#
#   sh tests/bench/suite.sh                 # all rows
#   sh tests/bench/suite.sh call queue-64   # some; their names: --list
#   WEIR_BENCH_ROUNDS=7       rounds (at least 7 for figures that are passed on)
#   WEIR_BENCH_SECONDS=0.5    length of one measurement
#   WEIR_BENCH_JSON=file      the same as JSON, one object
#
# A goal is a bound of weir's median, or of its ratio to another variant's in
# the same run. Only ratios mean anything on another machine. Peers that are not
# installed are left out, and named.
set -eu

here=$(cd "${0%/*}" && pwd)
top=${WEIR_SRCDIR:-${here%/tests/*}}
build=${WEIR_BUILDDIR:-$top/build}
rounds=${WEIR_BENCH_ROUNDS:-7}
json=${WEIR_BENCH_JSON:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT

LC_ALL=C
WEIR_PLUGIN_PATH=$build/plugins/.libs
# The programs themselves, not libtool's wrappers, which cost a shell.
LD_LIBRARY_PATH=$build/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LC_ALL WEIR_PLUGIN_PATH LD_LIBRARY_PATH

program() {
    if [ -x "$build/$1/.libs/$2" ]; then
        echo "$build/$1/.libs/$2"
    else
        echo "$build/$1/$2"
    fi
}
weir=$(program core/cli weir)
with_weir=$(program tests/bench with-weir)
with_zeromq=$build/tests/bench/with-zeromq
limit=$build/tests/bench/limit
has() { command -v "$1" >/dev/null 2>&1; }

# ---- what rows.sh says -------------------------------------------------------
# row NAME WHAT        begins a row; WHAT says what one operation is
# unit ns|bytes        of its numbers (ns); less is better
# variant NAME COMMAND prints one number; the first variant is weir
# peer NAME NEEDS COMMAND   the same, when NEEDS is there: a program
# goal most N          weir's median is at most N
# goal ratio NAME R    NAME's median is at least R times weir's

row() {
    name=$1
    mkdir "$work/$name"
    printf '%s\n' "$name" >>"$work/rows"
    printf '%s\n' "$2" >"$work/$name/what"
    echo ns >"$work/$name/unit"
    : >"$work/$name/variants"
    : >"$work/$name/goals"
}
unit() { echo "$1" >"$work/$name/unit"; }
variant() {
    printf '%s\n' "$1" >>"$work/$name/variants"
    printf '%s\n' "$2" >"$work/$name/$1.command"
}
peer() {
    if has "$2"; then
        variant "$1" "$3"
    else
        printf '%s\n' "$1" >>"$work/absent"
    fi
}
goal() { printf '%s\n' "$*" >>"$work/$name/goals"; }

# ---- measuring ---------------------------------------------------------------

measure() { # ROW
    round=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        while read -r variant; do
            if ! (eval "$(cat "$work/$1/$variant.command")") \
                >>"$work/$1/$variant.values" 2>"$work/err"; then
                echo "$1: $variant failed:" >&2
                cat "$work/err" >&2
                return 1
            fi
        done <"$work/$1/variants"
    done
}

median() { # FILE: median, least, most
    sort -g "$1" | awk '{ at[NR] = $1 }
        END { print at[int((NR + 1) / 2)], at[1], at[NR] }'
}

show() { # ROW
    while read -r variant; do
        echo "$variant $(median "$work/$1/$variant.values")"
    done <"$work/$1/variants" >"$work/$1/medians"
    awk -v row="$1" -v what="$(cat "$work/$1/what")" \
        -v unit="$(cat "$work/$1/unit")" -v goals="$work/$1/goals" \
        -v json="$work/$1/json" '
        function words(value) {
            if (unit == "bytes")
                return value < 1048576 ? sprintf("%.0f KiB", value / 1024) \
                                       : sprintf("%.1f MiB", value / 1048576)
            if (value < 1e3) return sprintf("%.0f ns", value)
            if (value < 1e6) return sprintf("%.2f us", value / 1e3)
            if (value < 1e9) return sprintf("%.2f ms", value / 1e6)
            return sprintf("%.2f s", value / 1e9)
        }
        BEGIN {
            printf "%s: %s\n", row, what
            printf "{\"row\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\",\"variants\":[", row, what, unit >json
        }
        {
            if (NR == 1) first = $2
            median[$1] = $2
            ratio = first > 0 ? $2 / first : 0
            printf "  %-16s %12s  (%s .. %s)", $1, words($2), words($3), words($4)
            if (unit == "ns") printf "  %9.3f M/s", 1e3 / ($2 > 0 ? $2 : 1)
            printf "  x %.2f\n", ratio
            printf "%s{\"name\":\"%s\",\"median\":%s,\"least\":%s,\"most\":%s,\"ratio\":%.4f}", \
                (NR > 1 ? "," : ""), $1, $2, $3, $4, ratio >json
        }
        END {
            printf "],\"goals\":[" >json
            while ((getline line <goals) > 0) {
                split(line, g, " ")
                if (g[1] == "most") {
                    met = first <= g[2] + 0
                    text = "at most " words(g[2])
                } else if (!(g[2] in median)) {
                    continue
                } else {
                    met = median[g[2]] >= g[3] * first
                    text = sprintf("%s at least %s times weir: %.2f", g[2], g[3], \
                        median[g[2]] / (first > 0 ? first : 1))
                }
                printf "  goal %-6s %s\n", met ? "met" : "MISSED", text
                printf "%s{\"goal\":\"%s\",\"met\":%s}", (n++ ? "," : ""), \
                    text, met ? "true" : "false" >json
            }
            printf "]}" >json
        }' "$work/$1/medians"
}

# shellcheck source=tests/bench/rows.sh
. "$here/rows.sh"

if [ "${1:-}" = --list ]; then
    while read -r name; do
        printf '%-18s %s\n' "$name" "$(cat "$work/$name/what")"
    done <"$work/rows"
    exit 0
fi
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cat "$work/rows")
for name; do
    [ -d "$work/$name" ] || { echo "no row '$name'; see --list" >&2; exit 2; }
done
echo "rounds: $rounds, processors: $(nproc), $(uname -srm)"
[ ! -s "$work/absent" ] ||
    echo "not installed: $(sort -u "$work/absent" | tr '\n' ' ')"
failed=0
for name; do
    if measure "$name"; then
        show "$name"
    else
        failed=1
    fi
done
if [ -n "$json" ]; then
    {
        printf '{"rounds":%d,"processors":%d,"system":"%s","rows":[' \
            "$rounds" "$(nproc)" "$(uname -srm)"
        comma=
        for name; do
            [ -s "$work/$name/json" ] || continue
            printf '%s' "$comma"
            cat "$work/$name/json"
            comma=,
        done
        echo ']}'
    } >"$json"
fi
exit "$failed"
