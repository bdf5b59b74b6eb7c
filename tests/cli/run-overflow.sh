#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: `overflow` of a queue. A branch that stands still does not stall its
# sister; what is dropped, or fails, is counted and shown, also after a resume.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin hold
cat >job.yaml <<'YAML'
weir: 1
job: branches
plugins: [plugins]
vars: { overflow: { default: block } }
queues:
  slow: { capacity: 8, overflow: "${overflow}" }
  fast: { capacity: 8 }
  late: { capacity: 8 }
  lost: { capacity: 8 }
stages:
  - { name: split, task: flow.pass, from: stdin, workers: 1,
      to: { copy: [slow, fast] }, failed: lost }
  - { name: hold, task: hold.mark, from: slow, to: late, workers: 1,
      with: { file: hold, at: "1" } }
  - { name: keep, task: file.append, from: late, workers: 1,
      with: { root: ., path: kept } }
  - { name: leave, task: file.append, from: lost, workers: 1,
      with: { root: ., path: left } }
  - { name: give, task: flow.pass, from: fast, to: stdout, workers: 1 }
YAML
seq 1 1000 >want
mkfifo way

# Item 1 stands still in the slow branch before the others come.
begin() {
    rm -f kept left
    : >hold
    : >out
    : >err
    : >given
    weir run "$@" job.yaml <way >out 2>err &
    runner=$!
    exec 7>way
    echo 1 >&7
    until_true 50 has out 1 # before that USR1 would kill it
    until_true 50 is_held || fail 'the slow branch stands' err
}
is_held() {
    kill -USR1 $runner
    sleep 0.05
    grep -q 'hold.1: pid.* item' err
}
# The file has so many lines, or the run is over.
has() {
    [ "$(wc -l <"$1")" -ge "$2" ] || ! kill -0 $runner 2>/dev/null
}
end() {
    rm -f hold
    wait $runner
    status=$?
}

begin --set overflow=drop-new
seq 2 1000 >&7
exec 7>&-
ok 'drop-new: its sister goes on' until_true 50 has out 1000
kill -USR1 $runner
ok 'told amid the run' until_true 50 grep -q 'hold in.*dropped 992' err
end
exits 0 'drop-new'
same 'the sister has all' out want
seq 1 8 >first
same 'the first are kept' kept first
like 'the count is shown' err '^  slow +drop-new: dropped 992$'

begin --set overflow=drop-old
seq 2 1000 >&7
exec 7>&-
ok 'drop-old: its sister goes on' until_true 50 has out 1000
end
exits 0 'drop-old'
same 'the sister has all' out want
{ echo 1 && seq 994 1000; } >last
same 'the last are kept, and what is worked on' kept last
like 'the count is shown' err '^  slow +drop-old: dropped 992$'
like 'and what the stage missed' err '^  hold +took 1 k, done 8, .*missed 992'

begin --set overflow=fail
seq 2 1000 >&7
exec 7>&-
touch left
ok 'fail: the run goes on' until_true 50 has left 992
end
exits 1 'fail'
same 'those that found room went everywhere' out first
same 'also there' kept first
seq 9 1000 >rest
same 'the others failed' left rest
like 'the count is shown' err '^  slow +fail: failed 992$'

# As JSON, and inline, where there is room for all.
run weir run --inline --json --set overflow=drop-old job.yaml </dev/null
exits 0 'inline'
like 'as JSON' err '"queues":\[{"name":"slow","overflow":"drop-old","dropped":0,"failed":0}\]'
run weir graph --set overflow=fail job.yaml
like 'the graph tells' out '^  slow .*when full: fail'
run weir torture --effects --set overflow=drop-new job.yaml
exits 2 'runs that drop are not compared'
like 'says so' err "what queue 'slow' does when it is full"
unlike 'and does not say that --effects helps' err 'effects runs it'

# The count goes on where the journal has it.
if weir --version --verbose | grep -q 'sqlite: yes'; then
    XDG_STATE_HOME=$work/state
    export XDG_STATE_HOME
    # A checkpoint has something; nobody has the run's folder any more.
    has_begun() {
        weir show --json last 2>/dev/null |
            grep -q '"name":"give"[^}]*"done":[1-9]'
    }
    is_free() {
        weir resume --explain last >explained 2>&1
    }
    rm -f kept left
    : >hold
    : >out
    : >err
    : >given
    weir run --journal --checkpoint=20ms --set overflow=drop-new job.yaml \
        <want >given 2>err &
    runner=$!
    ok 'all but the slow branch' until_true 50 has given 1000
    until_true 30 has_begun
    kill -9 $runner
    wait $runner 2>/dev/null
    until_true 30 is_free
    rm -f hold
    cp job.yaml was.yaml
    sed 's/fast: { capacity: 8 }/fast: { capacity: 8, overflow: drop-new }/' \
        was.yaml >job.yaml
    run weir resume --accept-changes last
    exits 2 'another overflow'
    like 'is refused' err 'what the queues of .* do when they are full'
    cp was.yaml job.yaml
    weir resume --json last <want >>given 2>err
    status=$?
    exits 0 'resumed'
    same 'the sister has all' given want
    dropped=$(sed -n 's/.*"name":"slow","overflow":"drop-new","dropped":\([0-9]*\).*/\1/p' err)
    is 'each is kept, or counted' "$((dropped + $(wc -l <kept)))" 1000
fi

# Where it cannot be.
refused() {
    printf 'weir: 1\njob: j\n%s\n' "$1" >bad.yaml
    run weir check bad.yaml
    exits 2 "$2"
    like 'says why' err "$3"
}
refused 'queues: { q: { overflow: drop } }
stages:
  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: stdout }' \
    'another word' "bad.yaml:3:26: queue 'q': 'overflow'.*'drop'"
refused 'queues: { q: { overflow: drop-new } }
stages:
  - { name: a, task: flow.pass, from: stdin, to: q, order: keep }
  - { name: b, task: flow.pass, from: q, to: stdout }' \
    'filled in order' "bad.yaml:3:26: queue 'q': stage 'a' fills it in the order"
refused 'queues: { q: { overflow: drop-old } }
stages:
  - { name: a, task: flow.pass, from: stdin, to: q }
  - { name: b, task: flow.pass, from: q, to: stdout, order: keep }' \
    'taken in order' "queue 'q': stage 'b' takes from it in order"
refused 'queues: { q: { overflow: fail } }
stages:
  - { name: a, task: flow.generate, with: { count: 9 }, to: q }
  - { name: b, task: flow.pass, from: q, to: stdout }' \
    'a source does not fail' "queue 'q': stage 'a' is a source"
refused 'queues: { q: { overflow: drop-new, name: way-in } }
stages:
  - { name: b, task: flow.pass, from: q, to: stdout }' \
    'a way in' "queue 'q': other programs fill it by the name 'way-in'"

# One stage for many such queues: eight, each however often.
fills() { # N
    seq 1 "$1" | awk 'BEGIN { print "weir: 1\njob: j\nqueues:" }
        { print "  q" $1 ": { overflow: drop-new }"; all = all ", q" $1 }
        END { print "stages:\n  - name: a\n    task: flow.pass\n" \
                    "    from: stdin\n    to: { copy: [" substr(all, 3) "] }\n" \
                    "    failed: q1"
              for (i = 1; i <= NR; i++)
                  print "  - { name: b" i ", task: flow.discard, from: q" i " }"
        }' >many.yaml
    run weir check many.yaml
}
fills 8
exits 0 'eight'
fills 9
exits 2 'nine'
like 'says why' err "stage 'a' fills more than 8 queues whose 'overflow' is not"
finish
