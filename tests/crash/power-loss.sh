#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The power goes, at random moments of a run and of what resumes it: its
# processes are gone, and of its files all that no sync has brought to the disk.
# The disk is a file with a file system in it, and what is in that file at one
# instant, while the run stands still, is what the next one finds, on a disk with
# another number. In the end the run's files are byte for byte those of a run that nobody disturbed.
# Without the syncs of core it is noticed.
# WEIR_LONG: 100 times. SEED: other moments.
# shellcheck disable=SC2034 # `status` is read by `exits`
if [ "${WEIR_MOUNTS-}" != own ] && unshare -m true 2>/dev/null; then
    exec env WEIR_MOUNTS=own unshare -m sh "$0" "$@"
fi
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
. "$WEIR_SRCDIR/tests/lib/stages.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
requires mkfs.ext4 cmp
[ "${WEIR_MOUNTS-}" = own ] || skip_all 'no mount namespace to be had'
lines=50000
rounds=1
long && rounds=50
chance=${SEED:-5}
limit=120

# So that what was not synced is not there, not even its size.
plug_in() {
    mount -o loop,noauto_da_alloc disk.img disk 2>mount.err
}
unplug() {
    umount disk 2>umount.err
}
mkdir disk other
truncate -s 40M disk.img
if ! mkfs.ext4 -q -F -m 0 -J size=4 disk.img >mkfs.log 2>&1 || ! plug_in; then
    skip_all 'no disk can be made of a file'
fi
cleanup 'umount disk 2>/dev/null'
build_plugin hold
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
XDG_STATE_HOME=$work/disk/state
export WEIR_PLUGIN_PATH XDG_STATE_HOME

in_folder() (cd disk && "$@")
in_folder write_job $lines $lines 1000
: >disk/held
until_true 20 unplug
cp disk.img new.img
plug_in
rm disk/held
in_folder timeout $limit weir run --quiet job.yaml 2>err
status=$?
exits 0 'a run that nobody disturbs'
mv disk/result want
until_true 20 unplug

# A moment of less than $1 ms.
moment() {
    chance=$(((chance * 1103515245 + 12345) % 2147483648))
    sleep "0.$(printf %03d $((chance / 65536 % $1)))"
}
signal_all() {
    for pid in $(started); do
        kill -s "$1" "$pid" 2>/dev/null
    done
}
# Nobody writes to the disk while it is copied, if two copies are the same.
_is_still() {
    cp disk.img next.img && cp disk.img again.img && cmp -s next.img again.img
}
lose_power() {
    signal_all STOP
    signal_all STOP # those that were forked meanwhile
    until_true 60 _is_still
    signal_all KILL
    wait "$runner" 2>/dev/null
    until_true 20 unplug
    mv next.img disk.img
    # As after a start of the machine, the disk has another number.
    mount -o loop new.img other 2>mount.err
    plug_in
    umount other
    losses=$((losses + 1))
}
start() {
    LD_PRELOAD=$preload in_folder exec weir "$@" --quiet --checkpoint=20ms 2>err &
    runner=$!
}
# Starts the run, resumes it, or starts it anew when nothing of it had begun;
# and then nothing may have been done.
go_on() {
    if [ -z "$(weir runs 2>runs.err)" ]; then
        ok 'what had not begun has done nothing' test ! -e disk/result
        start run --journal job.yaml
    else
        start resume last
    fi
}
losses=0
found=0  # what was written is in the journal
midway=0 # and it is not all
preload=
# How many lines are written by its last checkpoint.
_written() {
    weir show --json last 2>/dev/null |
        grep -o '"name":"write"[^}]*"done":[0-9]*' | sed 's/.*://' | grep .
}
_has_written() {
    [ "$(_written)" -gt 0 ]
}
round() {
    cp new.img disk.img
    plug_in
    for _loss in 1 2; do
        go_on
        [ $_loss = 2 ] || until_true 60 _has_written
        moment 400
        lose_power
        done=$(_written) || done=0
        [ "$done" = 0 ] || found=$((found + 1))
        [ "$done" = 0 ] || [ "$done" = $((lines - 1)) ] ||
            midway=$((midway + 1))
    done
    rm disk/held
    go_on
    wait $runner
    status=$?
    diff -r want disk/result >diff.log 2>&1
    differs=$?
    until_true 20 unplug
}
for i in $(seq $rounds); do
    round
    exits 0 "round $i: it is resumed to its end"
    is 'all is there, byte for byte, and nothing else' "$(head -n 3 diff.log)" ''
done
echo "# the power was lost $losses times, $midway times midway"

# --- the same, when core syncs nothing: SQLite does, by fdatasync ---
name='without syncs it is noticed'
if [ -n "${WEIR_SANITIZE-}" ]; then
    skip "$name" 'nothing may be loaded before the sanitizer'
    finish
fi
compile nosync <<C
int fsync(int fd) { return fd < 0; }
C
preload=$work/plugins/nosync.so
found=0
round
if [ $found = 0 ]; then
    skip "$name" 'the journal is not on the disk either'
else
    ok "$name" test "$status:$differs" != 0:0
fi
finish
