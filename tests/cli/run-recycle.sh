#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: workers that are replaced while their stage goes on. Each step waits
# for what a worker has noted in the file `log`.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin heir
build_plugin bad -pthread

cat >job.yaml <<'YAML'
weir: 1
job: job
vars:
  task: { default: sum }
  every: { default: "0", type: uint }
  items: { default: "20", type: uint }
stages:
  - { name: do, task: "heir.${task}", with: { log: log, every: "${every}" },
      from: stdin, to: stdout, workers: 1, recycle: "${items}" }
YAML

noted() { # WHAT COUNT: so many lines, at least
    [ -e log ] && [ "$(grep -c "^$1 " log)" -ge "$2" ]
}

limit=60
# A run whose input is held open by this shell, as descriptor 9.
begin() {
    rm -f log fifo
    mkfifo fifo
    timeout -k 5 $limit weir run --plugin-path plugins "$@" <fifo >out 2>err &
    timer=$!
    exec 9>fifo
}

feed() { # FROM TO
    seq "$1" "$2" >&9
}

end() {
    exec 9>&-
    wait $timer
    status=$?
}

# 20 items each, and then nothing, until the next one has taken over.
begin job.yaml
ok "the first one opens" until_true 20 noted open 1
for round in 1 2 3 4 5; do
    feed $((round * 20 - 19)) $((round * 20))
    ok "round $round: the heir loads the state" until_true 20 noted load $round
done
feed 101 107
end
exits 0 "a total, by six workers"
is "it is right" "$(cat out)" \
    "107 items, $(seq 1 107 | tr -d '\n' | wc -c) bytes"
like "as many were replaced" err 'do .*done 107,.* replaced 5$'
unlike "and none lost" err 'workers lost'
is "each has closed" "$(grep -c '^close ' log)" 6
# Each heir is open before the old one closes, and loads behind its last save.
awk '$1 == "open" { open[++opened] = NR }
    $1 == "load" { load[++loaded] = NR }
    $1 == "save" { save = NR; if (saver != $2) { saver = $2; savers++ } }
    $1 == "close" { if (closed[$2]++) bad = 1 }
    $1 == "load" && (save > NR || open[loaded + 1] > NR) { bad = 1 }
    END { exit bad || savers != 6 }' log && ordered=yes || ordered=no
is "one after the other" "$ordered" yes

# Amid its work: it waits, in its 60th item, for the next one to open. (That it
# has done 20 is seen behind a batch, of at most 32.)
rm -f log
seq 1 300 >in
timeout -k 5 60 weir run --plugin-path plugins --set every=60 job.yaml <in \
    >out 2>err
status=$?
exits 0 "a total under load"
is "it is right" "$(cat out)" \
    "300 items, $(tr -d '\n' <in | wc -c) bytes"
like "some were replaced" err 'done 300,.* replaced [1-9]'
unlike "and none lost" err 'workers lost'

# In order, by three workers, each replaced when it has done ten.
cat >order.yaml <<'YAML'
weir: 1
job: order
queues: { q: { capacity: 16 } }
stages:
  - { name: do, task: heir.pass, with: { log: log, every: 50 }, from: stdin,
      to: q, workers: 3, recycle: 10, order: keep }
  - { name: on, task: flow.pass, from: q, to: stdout, dispatch: sync }
YAML
rm -f log
timeout -k 5 60 weir run --plugin-path plugins order.yaml <in >out 2>err
status=$?
exits 0 "three workers that keep order"
same "all came, in order" out in
like "some were replaced" err 'do .*done 300,.* replaced [1-9]'

# By age, with nothing to do.
cat >age.yaml <<'YAML'
weir: 1
job: age
stages:
  - { name: do, task: heir.pass, from: stdin, to: stdout, workers: 2,
      recycle: { age: 100ms } }
YAML
begin age.yaml
ok "idle workers are replaced" until_true 30 noted open 5
feed 1 3
end
exits 0 "age"
is "all came" "$(sort out | tr '\n' ' ')" '1 2 3 '
like "they were replaced" err 'replaced [1-9]'

# By memory; one that is large from the start is not.
cat >memory.yaml <<'YAML'
weir: 1
job: memory
vars: { size: { default: 0 B } }
stages:
  - { name: do, task: heir.pass, with: { log: log, size: "${size}" },
      from: stdin, to: stdout, workers: 1, recycle: { memory: 200 MiB } }
YAML
begin memory.yaml
ok "it opens" until_true 20 noted open 1
echo eat 300 >&9
ok "one that has grown is replaced" until_true 20 noted close 1
echo x >&9
end
exits 0 "memory"
is "all came" "$(tr '\n' ' ' <out)" 'eat 300 x '
like "it was replaced" err 'replaced 1$'
rm -f log
echo x | timeout -k 5 60 weir run --plugin-path plugins --set 'size=300 MiB' \
    memory.yaml >out 2>err
like "one that is large from the start is told of" err \
    "do: a worker has [0-9]+ MiB when it begins, more than the 'memory' of"
unlike "and not replaced" err 'replaced [0-9]'

# The heir cannot be opened: the old one stays, until one can.
begin job.yaml
ok "it opens" until_true 20 noted open 1
touch bar
feed 1 20
ok "two heirs are tried" until_true 20 noted open 3
feed 21 40
rm bar
ok "the next one opens" until_true 20 noted load 1
feed 41 50
end
exits 0 "heirs that cannot be opened end no run"
like "that is said" err \
    'do: worker [0-9]+ stays: who is to follow it cannot start: it cannot be op'
is "the total is right" "$(cat out)" \
    "50 items, $(seq 1 50 | tr -d '\n' | wc -c) bytes"

# The heir is killed while it opens; the old one, while the next one opens.
begin job.yaml
ok "it opens" until_true 20 noted open 1
touch hold
feed 1 20
ok "the heir opens" until_true 20 noted open 2
kill -KILL "$(sed -n 's/^open //p' log | sed -n 2p)"
ok "another is tried" until_true 20 noted open 3
kill -KILL "$(sed -n 's/^open //p' log | sed -n 1p)"
rm hold
ok "it follows the one that died" until_true 20 noted load 1
feed 21 30
end
exits 0 "deaths amid it"
is "the total is right" "$(cat out)" \
    "30 items, $(seq 1 30 | tr -d '\n' | wc -c) bytes"
like "they are told" err 'killed by SIGKILL.*, before it came to replace another'
like "and counted" err 'workers lost 2'

# One that hangs is killed: who has been replaced, in its `close`; an heir, in
# its `open`. The others are replaced as before.
sed 's/recycle: /timeout: 1s, retries: 100, &/' job.yaml >hung.yaml
limit=300
begin hung.yaml
ok "it opens" until_true 100 noted open 1
touch late
feed 1 20
ok "one hangs in its close, and is killed" until_true 100 grep -q \
    'do: worker [0-9]* .*at its time limit, after it had been replaced' err
rm late
feed 21 40
ok "the next one is replaced, too" until_true 100 noted load 2
echo 4 >hold
feed 41 60
ok "an heir hangs in its open, and is killed" until_true 100 grep -q \
    'at its time limit, before it came to replace another' err
ok "another is tried" until_true 100 noted open 5
rm hold
ok "it loads the state" until_true 100 noted load 3
feed 61 70
end
limit=60
exits 0 "hung ones end no run"
is "the total is right" "$(cat out)" \
    "70 items, $(seq 1 70 | tr -d '\n' | wc -c) bytes"
like "both are counted" err 'workers lost [2-9]'

# SIGUSR1 shows the heir; the end of the input does not wait for it.
begin job.yaml
ok "it opens" until_true 20 noted open 1
touch hold
feed 1 20
ok "the heir opens" until_true 20 noted open 2
shows() {
    read -r supervisor _ <"/proc/$timer/task/$timer/children"
    kill -USR1 "$supervisor"
    grep -q 'do.1: pid [0-9]*, opens, to follow' err
}
ok "it is shown" until_true 20 shows
end
exits 0 "the run ends, though the heir still opens"
rm hold
is "the total is right" "$(cat out)" \
    "20 items, $(seq 1 20 | tr -d '\n' | wc -c) bytes"
unlike "and nobody was lost" err 'workers lost'

# One that is forked when the stream has just ended (the nursery was stopped
# meanwhile) is not lost. An heir that was ordered has a second eventfd here.
supervisor_has() { # EVENTFDS
    read -r supervisor _ <"/proc/$timer/task/$timer/children"
    eventfds=0
    for fd in "/proc/$supervisor/fd"/*; do
        case $(readlink "$fd") in
        *eventfd*) eventfds=$((eventfds + 1)) ;;
        esac
    done
    [ $eventfds -eq "$1" ]
}
nursery() {
    tr ' ' '\n' <"/proc/$supervisor/task/$supervisor/children" |
        while read -r child; do
            [ "$(cat "/proc/$child/comm")" != weir-nursery ] || echo "$child"
        done
}
begin job.yaml
ok "it opens" until_true 20 noted open 1
ok "nobody is to follow yet" until_true 20 supervisor_has 1
nursery=$(nursery)
kill -STOP "$nursery"
touch late
feed 1 20
ok "another one is ordered" until_true 20 supervisor_has 2
exec 9>&-
ok "the stream ends, and the worker closes" until_true 20 noted close 1
kill -CONT "$nursery"
ok "the other one comes, and goes" until_true 20 supervisor_has 1
rm late
end
exits 0 "one that comes too late"
unlike "is not told as a death" err 'before it came|workers lost'

# What cannot be.
cat >gathers.yaml <<'YAML'
weir: 1
job: gathers
defaults: { recycle: 5 }
queues: { q: {} }
stages:
  - { name: make, task: flow.generate, with: { count: 1 }, to: q }
  - { name: sum, task: bad.forgetful, from: q, to: stdout, recycle: { age: 1h } }
YAML
run weir check --plugin-path plugins gathers.yaml
exits 2 "a task that gathers and does not save"
like "is told where it stands" err \
    "gathers.yaml:7:60: stage 'sum': task 'bad.forgetful' gathers over its"
sed 's/count: 1 }, to: q/count: 1 }, to: q, recycle: 1/; s/, recycle: {.*}/ }/' \
    gathers.yaml >source.yaml
run weir check --plugin-path plugins source.yaml
like "and so is a source" err \
    "source.yaml:6:67: stage 'make': task 'flow.generate' is a source"
sed 's/, recycle: {.*}/ }/' gathers.yaml >default.yaml
run weir check --plugin-path plugins default.yaml
exits 0 "a default is for stages that can"

run weir run --dry-run --plugin-path plugins job.yaml
like "a dry run tells of it" out "^  do: heir.sum, 1 worker, replaced after 20 i"

rm -f log
run weir run --inline --plugin-path plugins job.yaml
exits 0 "--inline has no workers to replace"

finish
