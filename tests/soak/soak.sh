#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# One run at full load under faults of all kinds, at random, for a time: tasks
# that fail, hang, crash and eat; processes that are killed, ended, stopped and
# starved; workers that are replaced; a disk that is full; sinks that are slow;
# a journal; failed items that are kept. Nothing of it grows (judge.awk), and in
# the end each item has come once, none twice, and where order is kept, in
# order.
#
# A minute, or WEIR_SOAK_SECONDS; `make soak` takes an hour. SEED: other
# moments. WEIR_SOAK_KEEP: a file for the samples.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

[ -z "${WEIR_SANITIZE-}" ] ||
    skip_all 'what a sanitizer keeps of freed memory grows'
fire=$WEIR_BUILDDIR/tests/soak/fire
[ -x "$fire" ] || skip_all "there is no $fire; make check builds it"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
compile rough <"$WEIR_SRCDIR/tests/soak/rough.c"
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
export WEIR_PLUGIN_PATH
seconds=${WEIR_SOAK_SECONDS:-60}

# A disk of 2 MiB, which a run fills at once.
mkdir disk
full=no
mount -t tmpfs -o size=2m,nr_inodes=300 weir-soak disk 2>/dev/null && full=yes
cleanup "[ $full = no ] || umount disk"

cat >soak.yaml <<'YAML'
weir: 1
job: soak
defaults: { retries: 60000 }
queues:
  made: { capacity: 256 }
  straight: { capacity: 128 }
  ordered: { capacity: 128 }
  keyed: { capacity: 128 }
  words: { capacity: 256 }
  counts: { capacity: 256 }
  passed: { capacity: 64 }
  stored: { capacity: 16, overflow: drop-new }
  watched: { capacity: 16, overflow: drop-old }
stages:
  - { name: make, task: rough.make, with: { until: stop },
      to: { copy: [made, straight] } }
  - { name: risk, task: rough.risk, from: made, workers: 3, timeout: 1s,
      memory: 100 MiB, recycle: 2000,
      to: { word: words, rest: { copy: [passed, watched] } } }
  - { name: count, task: text.count-words, from: words, to: counts, workers: 2 }
  - { name: total, task: text.top, from: counts, to: stdout, with: { k: 500 } }
  - { name: pass, task: flow.pass, from: straight, workers: 3, order: keep,
      recycle: { items: 5000, age: 3s }, to: { copy: [ordered, keyed] } }
  - { name: check, task: rough.check, from: ordered, recycle: { age: 2s } }
  - { name: lanes, task: rough.lane, from: keyed, workers: 3, key: lane,
      recycle: 2000 }
  - { name: thin, task: flow.pass, from: passed, to: stored, workers: 1 }
  - { name: store, task: file.write, from: stored, workers: 2, retries: 2,
      with: { root: disk, path: "${item.id}", sync: false } }
  - { name: watch, task: rough.slow, from: watched, workers: 1 }
YAML

weir run --json --journal=runs --checkpoint=1s --failed-size=1MiB soak.yaml \
    >total 2>err &
runner=$!
_has_begun() {
    weir show --journal=runs --json last | grep -q '"checkpoints":[1-9]'
}
until_true 60 _has_begun
run_folder=$(echo runs/soak-*)

# The disk is full for a second or so at a time.
empty_disk() {
    while [ -e "/proc/$runner/exe" ]; do
        sleep 2
        find disk -type f -delete 2>/dev/null
    done
}
empty_disk &

# Two hundred samples or so; what keeps state has a right to its memory.
every=$((seconds * 5))
[ $every -le 5000 ] || every=5000
"$fire" $runner "$seconds" "${SEED:-1}" $every "$run_folder" \
    'risk,pass,thin,store,watch,' >samples 2>faults
is 'it runs to the end of the time' $? 0
: >stop
wait $runner
status=$?
exits 1 'and comes to its end, with failed items'
[ -z "${WEIR_SOAK_KEEP-}" ] || cp samples "$WEIR_SOAK_KEEP"

# --- each once ---
# What the report says of a stage: its name, the field.
counted() {
    grep '"stages":' err | tail -n 1 | tr '{' '\n' |
        sed -n "s/^\"name\":\"$1\",.*\"$2\":\([0-9]*\).*/\1/p"
}
numbers=$(counted check "done")
is 'each number has been checked, in order' "$(counted make given)" \
    $((numbers * 2))
is 'and each of a lane by one worker, in order' "$(counted lanes "done")" \
    "$numbers"
# Of each word as many as there are numbers below N that come to it, without
# those that are bad.
awk -v n="$numbers" 'BEGIN {
    for (word = 0; word < 500; word++) {
        count = n > word ? int((n - 1 - word) / 500) + 1 : 0
        if (word == 7)
            count -= n > 7 ? int((n - 1 - 7) / 5000) + 1 : 0
        if (count > 0)
            printf "%03d\t%d\n", word, count
    }
}' >sums
cut -f 1 sums | tr 0-9 a-j >names
cut -f 2 sums | paste - names | sort >want
sort total >got
same 'each has been counted once' got want
ok 'workers were replaced' [ "$(counted pass workers_replaced)" -gt 0 ]
ok 'those that have keys, too' [ "$(counted lanes workers_replaced)" -gt 0 ]
is 'and who is bad has failed' "$(counted risk failed)" \
    "$((numbers > 7 ? (numbers - 8) / 5000 + 1 : 0))"

# --- nothing grows ---
awk -f "$WEIR_SRCDIR/tests/soak/judge.awk" samples >judged
[ -s judged ] || fail 'there are samples enough to judge' <samples
while read -r name verdict from to allowed; do
    is "$name: from $from to $to, in the second half" "$verdict" good
    [ "$verdict" = good ] || echo "# $allowed more would be allowed"
done <judged
sed 's/^/# /' faults
echo "# $numbers items in $seconds s, $(counted risk retried) tried again, \
$(counted store failed) not stored, full disk: $full"
finish
