#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# growth.sh - what an item costs as there are more items, stages, workers, or a
# larger queue: tables and plots (gnuplot).
#
#   sh tests/bench/growth.sh                 # all four; or: items stages
#                                            # capacity workers
#   WEIR_BENCH_ROUNDS=7       rounds; the medians are drawn
#   WEIR_BENCH_SECONDS=0.5    length of one measurement, where it has one
#   WEIR_BENCH_ITEMS=10000000 most items; 100000000 takes some minutes a round
#   WEIR_BENCH_INTO=folder    where the tables (.tsv) and plots (.svg) go:
#                             build/growth
#   WEIR_BENCH_DOC=file       a page beside that folder: what was measured is put
#                             between its lines `growth: begin`, `growth: end`
#
# The page and the plots of doc/ are made so, on a machine that does nothing
# else:
#
#   WEIR_BENCH_ITEMS=100000000 WEIR_BENCH_INTO=doc/performance \
#       WEIR_BENCH_DOC=doc/performance.md ./bootstrap bench growth
# shellcheck disable=SC2034 # value_of finds what stands here
set -eu

here=$(cd "${0%/*}" && pwd)
# shellcheck source=tests/bench/common.sh
. "$here/common.sh"
into=${WEIR_BENCH_INTO:-$build/growth}
doc=${WEIR_BENCH_DOC:-}
most=${WEIR_BENCH_ITEMS:-10000000}
mkdir -p "$into"

# What is measured for N: a function for each line of a plot, its first is weir.
# Each prints ns for one item or call.

# With fewer, the start of the run would be most of it.
items_steps() {
    n=100000
    while [ "$n" -le "$most" ]; do
        echo "$n"
        n=$((n * 10))
    done
}
items_title='cost of an item, by the items of a job of one stage'
items_axis='items'
items_lines='job'
items_job() {
    write_chain "$work/chain.yaml" "$1" 64 1
    job_ns "$1" "$work/chain.yaml"
}

stages_steps() { printf '%s\n' 1 2 4 8 16 32 64; }
stages_title='cost of an item for each queue that it goes through, by stages'
stages_axis='stages'
stages_lines='job robust-rings'
# Queues: one more than stages.
stages_job() {
    write_chain "$work/chain.yaml" $((2000000 / ($1 + 2))) 64 "$1"
    per_queue "$1" job_ns $((2000000 / ($1 + 2))) "$work/chain.yaml"
}
stages_robust_rings() { per_queue "$1" "$limit" chain 64 "$1" 32; }
per_queue() { # STAGES COMMAND...
    stages=$1
    shift
    "$@" | awk -v n="$stages" '{ printf "%.2f\n", $1 / (n + 1) }'
}

capacity_steps() { printf '%s\n' 10 100 1000 10000 100000 1000000; }
capacity_title='cost of an item in a queue filled, then emptied, by capacity'
capacity_axis='items that the queue holds'
capacity_lines='queue bare-memory'
capacity_queue() { "$with_weir" fill "$1"; }
capacity_bare_memory() { "$limit" fill "$1"; }

workers_steps() { printf '%s\n' 1 2 4 8 16 32 64 128 256; }
workers_title='cost of a call or an item, by workers'
workers_axis='workers'
workers_lines='map async job'
workers_map() { "$with_weir" map "$1"; }
workers_async() { "$with_weir" async "$1"; }
workers_job() {
    write_chain "$work/chain.yaml" 1000000 64 1 "$1"
    job_ns 1000000 "$work/chain.yaml"
}

value_of() { eval "echo \"\$$1_$2\""; }

# Round after round, all steps and lines in turn.
measure() { # SUBJECT
    round=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        for step in $("$1_steps"); do
            for line in $(value_of "$1" lines); do
                "$1_$(echo "$line" | tr - _)" "$step" \
                    >>"$work/$1.$step.$line"
            done
        done
    done
}

tabulate() { # SUBJECT
    {
        printf '# %s: ns; median, least and most of %d rounds each\n' \
            "$(value_of "$1" title)" "$rounds"
        printf '%s' "$1"
        for line in $(value_of "$1" lines); do
            printf '\t%s\tleast\tmost' "$line"
        done
        echo
        for step in $("$1_steps"); do
            printf '%d' "$step"
            for line in $(value_of "$1" lines); do
                median "$work/$1.$step.$line" | tr ' ' '\t' |
                    awk '{ printf "\t%s", $0 }'
            done
            echo
        done
    } >"$into/$1.tsv"
    grep -v '^#' "$into/$1.tsv"
}

draw() { # SUBJECT
    {
        echo "set terminal svg size 640,360 font 'sans-serif,11' background 'white'"
        echo "set output '$into/$1.svg'"
        echo "set title '$(value_of "$1" title)'"
        echo "set xlabel '$(value_of "$1" axis)'; set ylabel 'ns'"
        echo "set logscale x; set logscale y; set grid; set key outside right"
        printf 'plot '
        column=2
        for line in $(value_of "$1" lines); do
            [ "$column" -eq 2 ] || printf ', '
            printf "'%s' every ::1 using 1:%d:%d:%d with yerrorlines title '%s'" \
                "$into/$1.tsv" "$column" $((column + 1)) $((column + 2)) "$line"
            column=$((column + 3))
        done
        echo
    } >"$work/plot"
    gnuplot "$work/plot"
}

describe() { # SUBJECT: for the page
    printf '### By %s\n\n![%s](%s/%s.svg)\n\n' "$1" "$(value_of "$1" title)" \
        "$(basename "$into")" "$1"
    printf '| %s |' "$(value_of "$1" axis)"
    rule='| --- |'
    for line in $(value_of "$1" lines); do
        printf ' %s, ns (least to most) |' "$line"
        rule="$rule --- |"
    done
    printf '\n%s\n' "$rule"
    grep -v '^#' "$into/$1.tsv" | awk -F '\t' 'NR > 1 {
        printf "| %s |", $1
        for (i = 2; i < NF; i += 3)
            printf " %.0f (%.0f to %.0f) |", $i, $(i + 1), $(i + 2)
        print ""
    }'
}

[ $# -gt 0 ] || set -- items stages capacity workers
for subject; do
    case $subject in
    items | stages | capacity | workers) ;;
    *) echo "growth by '$subject' is not measured" >&2; exit 2 ;;
    esac
done
echo "rounds: $rounds, processors: $(nproc), $(uname -srm), into $into"
for subject; do
    echo "$(value_of "$subject" title):"
    measure "$subject"
    tabulate "$subject"
    if has gnuplot; then
        draw "$subject"
    else
        echo 'gnuplot is not installed: no plot'
    fi
done
if [ -n "$doc" ]; then
    {
        echo "Measured on $(date -u +%Y-%m-%d) with $(nproc) processors," \
            "$(uname -srm): medians of $rounds rounds, with least and most."
        for subject; do
            echo
            describe "$subject"
        done
    } >"$work/doc"
    fill_in "$doc" growth "$work/doc"
fi
