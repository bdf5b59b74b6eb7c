#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# compress-tree-killed.sh - jobs/compress-tree.yaml is killed in the middle, the
# run as a whole: nothing half-written has its final name, and the next run
# leaves the whole tree, and no temporary file.
. "${0%/*}/../lib/cli.sh"

requires awk zstd
weir plugins zstd >plugin.log 2>&1 || skip_all 'weir has no plugin zstd'
job=$WEIR_SRCDIR/jobs/compress-tree.yaml
rounds=3
if long; then
    rounds=50
fi

mkdir tree
awk 'BEGIN {
    for (i = 0; i < 2000; i++) {
        folder = "tree/" i % 20
        if (i < 20) system("mkdir " folder)
        file = folder "/" i
        for (k = 0; k < 200; k++) printf "%d %d\n", i * k, k >file
        close(file)
    }
}'

packed_files() {
    find packed -name '*.zst' 2>/dev/null | wc -l
}

# shellcheck disable=SC2317  # called by until_true
more_than() {
    [ "$(packed_files)" -gt "$1" ]
}

# shellcheck disable=SC2317  # called by ok
whole() {
    find packed -name '*.zst' -exec zstd -tq {} +
}

round=0
early=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    # Each round goes on over what is there: find some that is new.
    rm -rf packed/"$round"
    had=$(packed_files)
    weir run --quiet "$job" --set from=tree --set to=packed \
        --set sync=false >out 2>err &
    runner=$!
    until_true 30 more_than "$had"
    kill -KILL "$runner" && early=$((early + 1))
    wait "$runner" 2>/dev/null
    until_true 5 _none_left
    ok "round $round: what has its name is whole" whole
done
ok 'runs were killed' test "$early" -gt 0

run weir run --quiet "$job" --set from=tree --set to=packed --set sync=false
exits 0 'run again'
is 'all files are there' "$(packed_files)" 2000
is 'no temporary file is left' "$(find packed -name '.weir-*')" ''
cp -a packed unpacked
find unpacked -type f -exec zstd -dq --rm {} +
ok 'it is the same tree' diff -r tree unpacked
finish
