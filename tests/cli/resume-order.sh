#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# resume-order.sh - `order: keep` over kills of the run: what is held behind a
# slow item, what an item has given a part of, and what its workers died with,
# all come in the order of the input, once.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
build_plugin bad -pthread
build_plugin hold
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME

cat >job.yaml <<'YAML'
weir: 1
job: order
vars: { at: { default: none } }
defaults: { order: keep, retries: 3 }
queues:
  a: { capacity: 8 }
  b: { capacity: 8 }
  c: { capacity: 6 }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: do, task: bad.do, from: a, to: b, workers: 3 }
  - { name: mark, task: hold.mark, from: b, to: c, workers: 3,
      with: { file: held, at: "${at}", mark: N } }
  - { name: write, task: file.append, from: c, workers: 1,
      with: { root: ., path: result } }
YAML
awk 'BEGIN {
    print "pass first"
    for (i = 0; i < 60; i++)
        print (i % 20 == 3 ? "die 1 9 " : "pass ") i
    print "emit 40"
    for (i = 0; i < 60; i++)
        print (i % 15 == 3 ? "fail 1 " : "pass ") 100 + i
}' >in
run weir run --quiet --plugin-path plugins job.yaml
exits 0 'a run that nobody disturbs'
mv result want
is 'has all' "$(wc -l <want)" 161
grep -v '^N[0-9]*$' want | sed 's/^N//' >marked
grep -v emit in >given
same 'in the order of the input' marked given
is 'one after the other' "$(grep '^N[0-9]*$' want | tr '\n' ' ')" \
    "$(seq -f N%g 0 39 | tr '\n' ' ')"

# In a checkpoint: so much is done by a stage.
_has_done() {
    weir show --json last 2>/dev/null |
        sed -n "s/.*\"name\":\"$1\"[^}]*\"done\":\([0-9]*\).*/\1/p" |
        grep -Eqx "$2"
}
_is_free() {
    weir resume --explain last >explained 2>err && ! weir runs | head -n 1 |
        grep -q ' running '
}
die() {
    kill -9 $runner 2>/dev/null
    wait $runner 2>/dev/null
    until_true 30 _is_free
}
begin() {
    "$@" &
    runner=$!
}

# held_at LINE STAGE DONE: killed while it waits at that line, and once more.
held_at() {
    rm -rf result state
    : >held
    begin weir run --quiet --journal --checkpoint=20ms --plugin-path plugins \
        --set "at=$1" job.yaml
    ok "it waits at '$1'" until_true 30 _has_done "$2" "$3"
    die
    begin weir resume --quiet --checkpoint=20ms last
    until_true 30 _resumed 1
    ok 'it goes on to where it was' until_true 30 _has_done "$2" "$3"
    die
    rm held
    run weir resume --quiet last
    exits 0 "killed twice at '$1': it ends"
    same 'all in the order of the input, once' result want
}
_resumed() {
    weir show --json last 2>/dev/null | grep -q "\"resumed\":$1"
}

# Six of the others' outputs at most are behind it, and none before.
held_at 'pass first' mark '[2-9]'
# A part of what an item gives is written, and the rest does not fit anywhere;
# some before the one that waits may stand in the same batch.
held_at 20 write '7[0-9]|8[01]'
finish
