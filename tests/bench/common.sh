# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# common.sh - what suite.sh and growth.sh share, which say in `here` where it
# stands.
# shellcheck disable=SC2034,SC2154

top=${WEIR_SRCDIR:-${here%/tests/*}}
build=${WEIR_BUILDDIR:-$top/build}
rounds=${WEIR_BENCH_ROUNDS:-7}
work=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX")
half=
trap 'rm -rf "$work"; [ -z "$half" ] || rmdir "$half"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

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
with_gearman=$build/tests/bench/with-gearman
limit=$build/tests/bench/limit
has() { command -v "$1" >/dev/null 2>&1; }

median() { # FILE: median, least, most
    sort -g "$1" | awk '{ at[NR] = $1 }
        END { print at[int((NR + 1) / 2)], at[1], at[NR] }'
}

# A cgroup that may use half a processor, v1 or v2; false: none can be made.
make_half() {
    [ -z "$half" ] || return 0
    for root in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
        half=$root/weir-bench.$$
        mkdir "$half" 2>/dev/null || continue
        if { echo 50000 >"$half/cpu.cfs_quota_us"; } 2>/dev/null ||
            { echo '50000 100000' >"$half/cpu.max"; } 2>/dev/null; then
            return 0
        fi
        rmdir "$half"
    done
    half=
    return 1
}
in_half() { # COMMAND...
    sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$half" "$@"
}

# ns for one item of a job: the time of `weir run` over the number of items.
job_ns() { # ITEMS [OPTION]... FILE
    items=$1
    shift
    started=$(date +%s%N)
    "$weir" run --quiet "$@" >/dev/null || return 1
    echo $((($(date +%s%N) - started) / items))
}

# generate -> N times pass -> discard
write_chain() { # FILE ITEMS SIZE STAGES [WORKERS [CAPACITY]]
    {
        printf 'weir: 1\njob: chain\nqueues:\n'
        n=0
        while [ "$n" -le "$4" ]; do
            printf '  q%d: { capacity: %d, bytes: %d MiB }\n' "$n" \
                "${6:-1024}" $((8 + ${6:-1024} * $3 / 500000))
            n=$((n + 1))
        done
        printf 'stages:\n  - { name: make, task: flow.generate, with: { count: %d, size: %d B }, to: q0 }\n' "$2" "$3"
        n=0
        while [ "$n" -lt "$4" ]; do
            printf '  - { name: s%d, task: flow.pass, from: q%d, to: q%d, workers: %d }\n' \
                "$n" "$n" $((n + 1)) "${5:-1}"
            n=$((n + 1))
        done
        printf '  - { name: end, task: flow.discard, from: q%d, workers: 1 }\n' "$n"
    } >"$1"
}

# What stands in a file between `<!-- WHAT: begin -->` and its end is replaced.
fill_in() { # FILE WHAT TEXT-FILE
    awk -v what="$2" -v text="$3" '
        $0 == "<!-- " what ": end -->" { inside = 0; seen++ }
        !inside { print }
        $0 == "<!-- " what ": begin -->" {
            inside = 1
            seen++
            print ""
            while ((getline line <text) > 0) print line
            print ""
        }
        END { exit seen != 2 }' "$1" >"$3.filled" ||
        { echo "$1 has no lines for '$2'" >&2; return 1; }
    cat "$3.filled" >"$1"
}
