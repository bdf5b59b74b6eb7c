#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 at each step by which a worker is replaced: of the old one, of its
# heir, of both, of the supervisor, of the nursery; and at random. The total is
# right. WEIR_LONG: 300 random kills.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

weir=$WEIR_BUILDDIR/tests/crash/weir
[ -x "$weir" ] || skip_all "there is no $weir; make check builds it"
build_plugin heir
limit=100
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
XDG_STATE_HOME=$work/state
export WEIR_PLUGIN_PATH XDG_STATE_HOME

# A worker that has done 60 items waits, amid the last one, until another has
# opened: so each worker but the last comes to be replaced. (That it has done 20
# is seen behind a batch, of at most 32.)
cat >job.yaml <<'YAML'
weir: 1
job: job
vars: { every: { default: "60", type: uint } }
defaults: { retries: 100 }
queues: { q: { capacity: 32 } }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: q }
  - { name: do, task: heir.sum, with: { log: log, every: "${every}" }, from: q,
      to: stdout, recycle: 20 }
YAML
seq 1 400 >in
echo "400 items, $(tr -d '\n' <in | wc -c) bytes" >want

go() { # FAULT [OPTION...]
    fault=$1
    shift
    rm -f log
    WEIR_FAULT=$fault timeout -k 5 100 \
        "$weir" run "$@" job.yaml >out 2>err
    status=$?
}

# Each process counts for itself: so every heir, or every old one, dies there.
killed_at() { # WHO POINT
    go "$2:1:kill"
    exits 0 "$1 is killed at $2"
    same "the total is right" out want
    like "$1 was" err 'do .*workers lost [1-9]'
}
for point in follow.opened follow.waits follow.turn follow.entered \
    follow.loaded; do
    killed_at "the heir" $point
done
for point in follow.saved follow.gone follow.left follow.told; do
    killed_at "the old one" $point
done
# One right after the other.
for pair in follow.saved:1:kill,follow.turn:1:kill \
    follow.left:1:kill,follow.entered:1:kill \
    follow.gone:1:kill,follow.loaded:1:kill; do
    go $pair
    exits 0 "both are killed: $pair"
    same "the total is right" out want
done

# As soon as nobody has the run any more.
resumed() {
    run "$weir" resume last
    ! grep -q 'is under way' err
}

# The supervisor takes all with it; who resumes comes to the right total.
if ! "$weir" --version --verbose | grep -q 'sqlite: yes'; then
    skip "the supervisor is killed" "built without SQLite"
else
    for point in recycle.left recycle.seated; do
        go $point:1:kill --journal
        exits 137 "the supervisor is killed at $point"
        rm -f log
        until_true 60 resumed
        exits 0 "who resumes goes on"
        same "the total is right" out want
    done
fi

begin_job() { # [OPTION...]
    rm -f log
    begin "$weir" run "$@" job.yaml
}

# Who forks is killed while the heir opens, and while it waits for its turn.
nursery() {
    tr ' ' '\n' <"/proc/$runner/task/$runner/children" |
        while read -r child; do
            [ "$(cat "/proc/$child/comm")" != weir-nursery ] || echo "$child"
        done
}
opened() {
    [ -e log ] && [ "$(grep -c '^open ' log)" -ge "$1" ]
}
touch hold
begin_job
ok "the first one opens" until_true 20 opened 1
kill -KILL "$(nursery)"
ok "another one opens" until_true 20 opened 2
rm hold
wait "$timer"
status=$?
exits 0 "the nursery is killed while a worker opens"
same "the total is right" out want

begin_job --set every=70
ok "an heir is there" until_true 20 opened 2
kill -KILL "$(nursery)"
wait "$timer"
status=$?
exits 0 "the nursery is killed while an heir is there"
same "the total is right" out want

# One that takes long to open, or to close, is told of, since meanwhile no other
# is replaced.
if long; then
    touch late
    begin_job
    ok "one closes, and does not end" until_true 20 grep -q '^close ' log
    ok "that is told" until_true 40 grep -q 'still closes its task; until' err
    rm late
    wait "$timer"
    status=$?
    exits 0 "it goes on"
    same "the total is right" out want

    sed '/name: read/d; /^queues/d; s/from: q,/from: stdin,/' job.yaml >held.yaml
    echo 2 >hold
    rm -f log
    mkfifo feed
    echo "exec '$weir' run --set every=70 held.yaml <feed" >held
    begin sh held
    exec 7>feed
    cat in >&7
    ok "its heir opens, and does not end" until_true 20 opened 2
    ok "that is told" until_true 40 grep -q 'still opens its task; until' err
    rm hold
    exec 7>&-
    wait "$timer"
    status=$?
    exits 0 "it goes on"
    same "the total is right" out want
fi

# At random.
kills=10
long && kills=300
round() {
    rm -f log
    under_fire "$1" 12000 "$2" "$weir" run job.yaml
    exits 0 "it ends ($killed killed at random)"
    same "the total is right" out want
}
until_killed 1000

finish
