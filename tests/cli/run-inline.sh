#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-inline.sh - a whole job in one process gives what a run gives.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH

# both NAME STATUS FILE [INPUT]: inline and in workers, the same result
both() {
    for how in --inline -j2; do
        run sh -c 'exec weir run --quiet "$1" "$2" <"$3"' - "$how" "$3" \
            "${4:-/dev/null}"
        exits "$2" "$1, $how"
        sort out >"result$how"
        cp err "told$how"
    done
    same "$1: the same result" result--inline result-j2
}

cat >words.yaml <<'END'
weir: 1
job: words
queues: { all: { capacity: 2 }, letters: {}, others: {}, bad: {} }
stages:
  - { name: part, task: try.part, from: stdin, to: { letters: all, others: others } }
  - { name: obey, task: try.obey, from: all, to: letters, failed: bad, retries: 1 }
  - { name: count, task: try.count, from: letters, to: stdout }
  - { name: more, task: try.count, from: others, to: stdout }
  - { name: show, task: try.part, from: bad, to: { letters: stdout, others: drop } }
END
printf 'one\nfail\n3\nagain\n\nskip\nwrong\ntwo' >input
both 'failures to a queue' 1 words.yaml input
printf '2 items\n2 items\nagain\nfail\nwrong\n' | sort >want
same 'it is right' result--inline want
run sh -c 'weir run --inline --json words.yaml <input'
ok 'the books balance' grep -q '"taken":6.*"done":2.*"failed":3' err

cat >report.yaml <<'END'
weir: 1
job: report
queues: { all: {} }
stages:
  - { name: part, task: try.part, from: stdin, to: { letters: all, others: drop } }
  - { name: obey, task: try.obey, from: all, to: stdout }
END
both 'failures in the report' 1 report.yaml input
for how in --inline -j2; do
    like "$how tells which" "told$how" "failed in 'obey'.*fail.*told to fail"
    like "$how tried it again" "told$how" 'told to try again.*3 attempts'
done
printf 'fine\nfatal\nfine\n' >fatal
# What the other worker has finished by then is a matter of luck.
for how in --inline -j2; do
    run sh -c 'exec weir run --quiet "$1" report.yaml <fatal' - "$how"
    exits 3 "a task that ends the run, $how"
done

cat >ticks.yaml <<'END'
weir: 1
job: ticks
queues: { a: {}, b: {}, all: {} }
stages:
  - { name: first, task: try.ticks, with: { count: 5, hole: 2 }, to: a }
  - { name: second, task: try.ticks, with: { count: 100 }, to: b, after: pass }
  - { name: pass, task: try.part, from: a, to: { letters: all, others: drop } }
  - { name: copy, task: try.part, from: b,
      to: { letters: { copy: [all, stdout] }, others: drop } }
  - { name: count, task: try.count, from: all, to: stdout }
END
both 'sources, copies, after' 1 ticks.yaml
is '100 of the second, and 104 counted' "$(wc -l <result--inline | tr -d ' ')" 101
like 'all of them' result--inline '^104 items$'

# Ends
cat >ends.yaml <<'END'
weir: 1
job: ends
vars: { as: { default: lines }, frame: { default: line } }
stages:
  - { name: part, task: try.part, from: { stdin: { as: "${as}" } },
      to: { letters: { stdout: { frame: "${frame}" } }, others: drop } }
END
printf 'a\nb\nc' >abc
for as in lines whole blocks; do
    for frame in line nul raw; do
        for how in --inline -j1; do
            run sh -c 'exec weir run -q "$@" ends.yaml <abc' - "$how" \
                --set "as=$as" --set "frame=$frame"
            cp out "got$how"
            [ "$status" = 0 ] || exits 0 "$how $as $frame"
        done
        same "standard input as $as, output as $frame" got--inline got-j1
    done
done
run sh -c 'weir run -q --inline ends.yaml </dev/null'
exits 0 'no input at all'
is 'gives nothing' "$(cat out)" ''
if [ -w /dev/full ]; then
    run sh -c 'weir run -q --inline ends.yaml <abc >/dev/full'
    exits 3 'a full standard output'
    like 'is told' err 'standard output: No space left'
fi
run sh -c '{ yes a | head -n 100000 | weir run -q --inline ends.yaml
    echo $? >status; } | head -n 1'
is 'nobody reads any more' "$(cat status)" 141

run weir run --inline nowhere.yaml
exits 2 'a job file that is not there'
echo crash >crash
# shellcheck disable=SC3045
ulimit -c 0
run sh -c 'weir run -q --inline report.yaml <crash; exit $?'
exits 134 'a crash is a crash'
finish
