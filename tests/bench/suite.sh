#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# suite.sh - weir beside its peers and beside the bare limit: all variants of a
# row in turn, round after round, in one run; medians, spreads, ratios.
#
#   sh tests/bench/suite.sh                 # all rows
#   sh tests/bench/suite.sh call queue-64   # some; their names: --list
#   WEIR_BENCH_ROUNDS=7       rounds (at least 7 for figures that are passed on)
#   WEIR_BENCH_SECONDS=0.5    length of one measurement
#   WEIR_BENCH_MB=1000        bytes of real text, in millions
#   WEIR_BENCH_FILES=100000   files of the tree
#   WEIR_BENCH_JSON=file      the same as JSON, one object
#   WEIR_BENCH_DOC=file       the same as a table, between the two lines of this
#                             file that say `bench: begin` and `bench: end`
#
# A goal is a bound of weir's median, or of its ratio to another variant's in
# the same run. Only ratios mean anything on another machine. Peers that are not
# installed are left out, and named.
set -eu

here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/bench/common.sh
. "$here/common.sh"
json=${WEIR_BENCH_JSON:-}
doc=${WEIR_BENCH_DOC:-}

# ---- what rows.sh says -------------------------------------------------------
# row NAME WHAT        begins a row; WHAT says what one operation is
# unit ns|bytes|calls  of its numbers (ns); less is better
# moves BYTES          so many with each operation: the rate is told in MB/s
# prepare COMMAND      run once, before the row is measured
# variant NAME COMMAND prints one number; the first variant is weir. One that
#                      fails is left out, and told; without weir the row is
# peer NAME NEEDS COMMAND   the same, when all of NEEDS are there: programs
# goal most N          weir's median is at most N
# goal ratio NAME R    NAME's median is at least R times weir's
# goal extra A B C R   weir takes at most R times so much more than A as B takes
#                      more than C

row() {
    name=$1
    mkdir "$work/$name"
    printf '%s\n' "$name" >>"$work/rows"
    printf '%s\n' "$2" >"$work/$name/what"
    echo ns >"$work/$name/unit"
    echo 0 >"$work/$name/moves"
    : >"$work/$name/prepare"
    : >"$work/$name/variants"
    : >"$work/$name/goals"
}
unit() { echo "$1" >"$work/$name/unit"; }
moves() { echo "$1" >"$work/$name/moves"; }
prepare() { printf '%s\n' "$1" >"$work/$name/prepare"; }
variant() {
    printf '%s\n' "$1" >>"$work/$name/variants"
    printf '%s\n' "$2" >"$work/$name/$1.command"
}
peer() {
    for needed in $2; do
        if ! has "$needed"; then
            printf '%s\n' "$1" >>"$work/absent"
            return 0
        fi
    done
    variant "$1" "$3"
}
goal() { printf '%s\n' "$*" >>"$work/$name/goals"; }

# ---- measuring ---------------------------------------------------------------

# One that fails is not tried again.
measure_variant() { # ROW VARIANT
    if (eval "$(cat "$work/$1/$2.command")") >>"$work/$1/$2.values" \
        2>"$work/err"; then
        return 0
    fi
    echo "$1: $2 failed and is left out:" >&2
    cat "$work/err" >&2
    grep -vxF "$2" "$work/$1/variants" >"$work/left" || :
    cp "$work/left" "$work/$1/variants"
    [ "$2" != weir ]
}

measure() { # ROW
    if ! (eval "$(cat "$work/$1/prepare")") >"$work/err" 2>&1; then
        echo "$1 is left out:" >&2
        cat "$work/err" >&2
        return 1
    fi
    round=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        cp "$work/$1/variants" "$work/turn"
        while read -r variant <&3; do
            measure_variant "$1" "$variant" || return 1
        done 3<"$work/turn"
    done
}

show() { # ROW
    while read -r variant; do
        echo "$variant $(median "$work/$1/$variant.values")"
    done <"$work/$1/variants" >"$work/$1/medians"
    awk -v row="$1" -v what="$(cat "$work/$1/what")" \
        -v unit="$(cat "$work/$1/unit")" -v goals="$work/$1/goals" \
        -v moves="$(cat "$work/$1/moves")" \
        -v json="$work/$1/json" -v table="$work/$1/table" '
        function words(value) {
            if (unit == "calls") return value + 0
            if (unit == "bytes")
                return value < 1048576 ? sprintf("%.0f KiB", value / 1024) \
                                       : sprintf("%.1f MiB", value / 1048576)
            if (value < 1e3) return sprintf("%.0f ns", value)
            if (value < 1e6) return sprintf("%.2f us", value / 1e3)
            if (value < 1e9) return sprintf("%.2f ms", value / 1e6)
            return sprintf("%.2f s", value / 1e9)
        }
        function rate(value) {
            if (unit != "ns" || value <= 0) return ""
            if (moves > 0) return sprintf("%.0f MB/s", moves * 1e3 / value)
            if (value > 1e5) return sprintf("%.0f /s", 1e9 / value)
            return sprintf("%.3f M/s", 1e3 / value)
        }
        BEGIN {
            printf "%s: %s\n", row, what
            printf "| `%s` | %s |", row, what >table
            printf "{\"row\":\"%s\",\"what\":\"%s\",\"unit\":\"%s\",\"variants\":[", row, what, unit >json
        }
        {
            if (NR == 1) first = $2
            median[$1] = $2
            ratio = first > 0 ? $2 / first : 0
            printf "  %-16s %12s  (%s .. %s)", $1, words($2), words($3), words($4)
            printf "  %13s  x %.2f\n", rate($2), ratio
            if (NR == 1)
                printf " %s (%s to %s)%s |", words($2), words($3), words($4), \
                    (rate($2) == "" ? "" : ", " rate($2)) >table
            else
                printf "%s %s %s (%.2f)", (NR > 2 ? "," : ""), $1, words($2), \
                    ratio >table
            printf "%s{\"name\":\"%s\",\"median\":%s,\"least\":%s,\"most\":%s,\"ratio\":%.4f}", \
                (NR > 1 ? "," : ""), $1, $2, $3, $4, ratio >json
        }
        END {
            printf "],\"goals\":[" >json
            printf " | " >table
            while ((getline line <goals) > 0) {
                split(line, g, " ")
                if (g[1] == "most") {
                    met = first <= g[2] + 0
                    text = "at most " words(g[2])
                } else if (!(g[2] in median)) {
                    continue
                } else if (g[1] == "extra") {
                    more = median[g[3]] - median[g[4]]
                    met = first - median[g[2]] <= g[5] * more
                    text = sprintf("at most %s times %s more than %s: %s", \
                        g[5], words(more), g[2], words(first - median[g[2]]))
                } else {
                    met = median[g[2]] >= g[3] * first
                    text = sprintf("%s at least %s times weir: %.2f", g[2], g[3], \
                        median[g[2]] / (first > 0 ? first : 1))
                }
                printf "  goal %-6s %s\n", met ? "met" : "MISSED", text
                printf "%s%s: %s", (n ? "; " : ""), \
                    (met ? "met" : "**missed**"), text >table
                printf "%s{\"goal\":\"%s\",\"met\":%s}", (n++ ? "," : ""), \
                    text, met ? "true" : "false" >json
            }
            print " |" >table
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
if [ -n "$doc" ]; then
    {
        echo "Measured on $(date -u +%Y-%m-%d) with $(nproc) processors," \
            "$(uname -srm): medians (least to most) of $rounds rounds."
        echo
        echo '| row | one operation | weir | the others (times weir) | goals |'
        echo '| --- | --- | --- | --- | --- |'
        for name; do
            [ ! -s "$work/$name/table" ] || cat "$work/$name/table"
        done
    } >"$work/doc"
    fill_in "$doc" bench "$work/doc"
fi
exit "$failed"
