#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# top-words.sh - the 20 most frequent words of a large corpus: jobs/top-words.yaml
# beside the same C function in a plain program of one thread, under GNU
# parallel, and beside Python's Pool; in turn, in one run.
#
#   WEIR_BENCH_MB=1000 WEIR_BENCH_ROUNDS=3 sh tests/bench/top-words.sh
#
# Prints MB/s (median), the ratio to the plain program, and the most memory that
# all processes of the run had at once (Pss, sampled ten times a second).
set -eu

here=$(cd "${0%/*}" && pwd)
top=${WEIR_SRCDIR:-${here%/tests/*}}
build=${WEIR_BUILDDIR:-$top/build}
megabytes=${WEIR_BENCH_MB:-1000}
rounds=${WEIR_BENCH_ROUNDS:-3}
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT

LC_ALL=C
WEIR_PLUGIN_PATH=$build/plugins/.libs
export LC_ALL WEIR_PLUGIN_PATH
count=$build/tests/bench/count

# This machine's own texts, again and again, in files of some 64 MB.
make_corpus() {
    find /usr/share/common-licenses /usr/share/doc /usr/include -type f \
        ! -name '*.gz' -size -1000k -exec cat {} + 2>/dev/null |
        head -c 64000000 >"$work/part"
    # shellcheck disable=SC2046
    set -- $(wc -c <"$work/part")
    left=$((megabytes * 1000000))
    n=0
    while [ "$left" -gt 0 ]; do
        n=$((n + 1))
        head -c "$left" "$work/part" >"$work/text.$n"
        left=$((left - $1))
    done
    rm "$work/part"
    bytes=$(cat "$work"/text.* | wc -c)
}

run_plain() { "$count" --top 20 "$work"/text.*; }
run_weir() {
    "$build/core/cli/weir" run --quiet "$top/jobs/top-words.yaml" \
        --set corpus="$work/text.*"
}
run_parallel() {
    cat "$work"/text.* |
        parallel --pipe --block 4M "$count" --rows | "$count" --sum 20
}
run_python() { python3 "$here/count.py" 20 "$work"/text.*; }

# The Pss of a process and all below it, kB.
memory_of() {
    children=$(cat /proc/"$1"/task/*/children 2>/dev/null) || :
    awk '/^Pss:/ { print $2 }' /proc/"$1"/smaps_rollup 2>/dev/null || :
    for child in $children; do memory_of "$child"; done
}

peak_of() {
    "run_$1" >/dev/null 2>&1 &
    most=0
    while kill -0 $! 2>/dev/null; do
        now=$(memory_of $! | awk '{ sum += $1 } END { print sum + 0 }')
        [ "$now" -le "$most" ] || most=$now
        sleep 0.1
    done
    echo "$most"
}

time_of() {
    started=$(date +%s%N)
    "run_$1" >"$work/out.$1" 2>"$work/err.$1" || { cat "$work/err.$1" >&2; exit 1; }
    echo $((($(date +%s%N) - started) / 1000)) >>"$work/times.$1"
}

median() { sort -n "$1" | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }

peers=
for peer in parallel python3; do
    ! command -v "$peer" >/dev/null || peers="$peers ${peer%3}"
done
make_corpus
echo "top-words: $bytes bytes, $rounds rounds, $(nproc) processors"
round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for who in plain weir $peers; do time_of "$who"; done
done
base=$(median "$work/times.plain")
printf '%-10s %10s %10s %12s\n' '' MB/s 'x plain' 'peak kB'
for who in plain weir $peers; do
    cmp -s "$work/out.plain" "$work/out.$who" ||
        { echo "$who gives another result" >&2; exit 1; }
    us=$(median "$work/times.$who")
    awk -v who="$who" -v bytes="$bytes" -v us="$us" -v base="$base" \
        -v peak="$(peak_of "$who")" 'BEGIN {
            printf "%-10s %10.0f %10.2f %12d\n", who, bytes / us, base / us, peak
        }'
done
