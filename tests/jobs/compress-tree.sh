#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# compress-tree.sh - jobs/compress-tree.yaml against the tool zstd.
. "${0%/*}/../lib/cli.sh"

requires zstd
weir plugins zstd >plugin.log 2>&1 || skip_all 'weir has no plugin zstd'
job=$WEIR_SRCDIR/jobs/compress-tree.yaml

# unpack FROM TO: by the tool alone; what is no frame is an error.
# shellcheck disable=SC2317  # called by ok
unpack() {
    rm -rf "$2" && cp -a "$1" "$2" &&
        find "$2" -type f ! -name '*.zst' >strange &&
        [ ! -s strange ] &&
        find "$2" -type f -exec zstd -dq --rm {} +
}

mkdir -p 'tree/a/b c/deep' tree/empty-folder
printf 'text\n' >tree/a/file
: >'tree/a/b c/empty'
printf 'x' >'tree/a/b c/deep/.hidden'
printf 'odd\n' >"tree/a/caf$(printf '\303\251') *?[\$\$"
printf 'line feed\n' >"tree/a/with
line feed"
printf 'zst\n' >tree/already.zst
head -c 3000000 /dev/zero >tree/zeroes
head -c 1000000 /dev/urandom >tree/random
ln -s file tree/a/link
ln -s / tree/root

run weir run "$job" --set from=tree --set to=packed
exits 0 'a tree'
ok 'zstd takes all of it' unpack packed unpacked
rm tree/a/link tree/root
rmdir tree/empty-folder
ok 'it is the same tree' diff -r tree unpacked
is 'no temporary file is left' "$(find packed -name '.weir-*')" ''
ok 'zeroes are smaller' test "$(wc -c <packed/zeroes.zst)" -lt 3000

# Again, over what is there, at another level.
run weir run "$job" --set from=tree --set to=packed --set level=19 \
    --set sync=false
exits 0 'again, over what is there'
ok 'zstd takes that, too' unpack packed unpacked
ok 'it is the same tree again' diff -r tree unpacked

# What does not fit is told, and the others are written.
run weir run "$job" --set from=tree --set to=less --set size=2MiB
exits 1 'a file above the size'
like 'which and why' err "zeroes.*3000000.*'size'"
ok 'it is not there' test ! -e less/zeroes.zst
ok 'the others are' test -s less/random.zst

# The folder for the results leads nowhere else.
mkdir -p outside evil
ln -s ../outside evil/a
run weir run "$job" --set from=tree --set to=evil
exits 1 'a link below the folder for the results'
like 'says so' err 'symbolic link'
is 'nothing is written through it' "$(ls outside)" ''

run weir run "$job" --set to=packed
exits 2 'without from'
run weir run "$job" --set from=tree --set to=packed --set level=99
exits 2 'a level that is none'
finish
