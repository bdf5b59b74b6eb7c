#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# weir run: tasks that fail, crash and misbehave: each costs its own item, and
# the words say why.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin bad -pthread
cat >bad.yaml <<'YAML'
weir: 1
job: bad
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, workers: 2, retries: 2 }
YAML

# An order, what comes out besides the good item, the status, the words.
try() {
    printf '%s\nx\n' "$1" |
        timeout -k 5 60 weir run --plugin-path plugins bad.yaml >out 2>err
    status=$?
    exits "$3" "$1: status $3"
    is "$1: what comes out" "$(sort out | tr '\n' ,)" "$2"
    [ -z "$4" ] || like "$1: the words" err "$4"
}

try 'pass' 'pass,x,' 0 ''
try 'fail 2' 'fail 2,x,' 0 'tried again 2'
try 'fail 3' 'x,' 1 \
    'failed in .do.: "fail 3": attempt 3 of 3 that fail \(3 attempts, id f'
try 'die 2' 'die 2,x,' 0 'tried again 2, workers lost 2'
try 'die 3' 'x,' 1 \
    '"die 3": worker was killed by SIGKILL, which weir did not send.* \(3 att'
like "each death is told, with the item and the attempt" err \
    '^weir: do\.[12]: worker [0-9]+ was killed by SIGKILL, .*, with item f[0-9a-f]{31} in hand, in attempt 1 of 3$'
like "also the last" err 'in hand, in attempt 3 of 3$'
try 'die 3 11' 'x,' 1 'worker was killed by SIGSEGV \(3 attempts'
try 'die 3 15' 'x,' 1 'worker was killed by SIGTERM, which weir did not send'
try 'exit 0' 'x,' 1 'task called exit\(0\)'
try 'exit 3' 'x,' 1 'task called exit\(3\)'
like "this, too, is a death" err \
    'worker [0-9]+ ended with exit status 3, with item f.* attempt 1 of 3$'
try 'abort' 'x,' 1 'worker was killed by SIGABRT'
try 'permanent' 'x,' 1 '"permanent": it is not wanted \(1 attempt,'
try 'skip' 'x,' 0 'left out 1'
try 'nonsense' 'x,' 1 'the task returned 5, which is no verdict'
try 'end' 'x,' 1 'the task returned 1, which is no verdict'
try 'twins' 'x,' 0 ''
try 'orphan' 'orphan,x,' 0 ''
try 'print' 'print,x,' 0 '^a task prints$'

printf 'fatal\n' | timeout 60 weir run --plugin-path plugins bad.yaml >out 2>err
status=$?
exits 3 "fatal ends the run"
like "and says whose word that was" err "^weir: stage 'do': nothing can go on$"

# Each signal that kills, one by one, with no attempt to spare.
sed 's/retries: 2/retries: 0/' bad.yaml >once.yaml
kill -l | tr ' ' '\n' >names
for signal in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 24 26 27 29 30 31; do
    echo "die 1 $signal"
done >in
timeout -k 5 60 weir run --json --plugin-path plugins once.yaml <in >out 2>err
status=$?
exits 1 "each signal costs one item"
is "none came through" "$(cat out)" ""
is "each is told" "$(grep -o 'worker was killed by SIG' err | wc -l)" \
    "$(wc -l <in)"

cat >failed.yaml <<'YAML'
weir: 1
job: failed
queues: { bad: { capacity: 4 } }
stages:
  - { name: do, task: bad.do, from: stdin, to: stdout, retries: 1, failed: bad }
  - { name: keep, task: file.write, from: bad,
      with: { root: ".", path: "${item.failed-stage}.${item.failed-attempts}.${item.failed-class}" } }
YAML
printf 'pass\npermanent\nfail 2\n' |
    timeout 60 weir run --plugin-path plugins failed.yaml >out 2>err
status=$?
exits 1 "failed: a queue; it is still no success"
is "the item as it was, its cause in the attributes" \
    "$(cat do.1.error) $(cat do.2.again) $(cat out)" "permanent fail 2 pass"
unlike "the report does not list it" err 'failed in'

cat >source.yaml <<'YAML'
weir: 1
job: source
vars: { how: { default: once } }
stages:
  - { name: one, task: bad.source, with: { how: "${how}" }, to: stdout }
YAML
run weir run --plugin-path plugins source.yaml
exits 0 "a source that ends"
run weir run --plugin-path plugins --set how=die source.yaml
exits 3 "a source that dies again and again ends the run"
is "what it had given counts once" "$(cat out)" "one"
like "and it is said" err \
    "stage 'one': its worker was killed by SIGSEGV 3 times without getting on"
run weir run --plugin-path plugins --set how=fail source.yaml
exits 3 "a source that fails for good"
like "says why" err "stage 'one': there is no such thing"

cat >opens.yaml <<'YAML'
weir: 1
job: opens
vars: { how: { default: fail } }
stages:
  - { name: one, task: bad.opens, with: { how: "${how}" }, from: stdin,
      to: stdout, workers: 2 }
YAML
run weir run --plugin-path plugins opens.yaml
exits 3 "a task that cannot be opened"
like "says why" err \
    "stage 'one' cannot start: it cannot be opened: there is no such thing"
run weir run --plugin-path plugins --set how=die opens.yaml
exits 3 "a task that dies when it is opened"
like "says how" err \
    "its worker was killed by SIGSEGV while it was opened, 3 times in a row"
run weir run --plugin-path plugins --set how=exit opens.yaml
exits 3 "a task that exits when it is opened"

# Nobody gives it an item, and nobody ends its input.
mkfifo quiet
exec 9<>quiet
timeout -k 5 60 weir run --plugin-path plugins --set how=later opens.yaml \
    <&9 >out 2>err
status=$?
exec 9>&-
exits 3 "a task that dies between items, again and again"
like "says so" err "^weir: stage 'one': its workers died 11 times in .* with no item in hand, .* was killed by SIGSEGV$"

# Whoever ends them from outside may do so as often as he likes.
: >dies
: >opened
timeout -k 5 60 weir run --plugin-path plugins --set how=ended opens.yaml \
    <quiet >out 2>err &
runner=$!
exec 9>quiet
many_were_opened() {
    [ "$(wc -c <opened)" -ge 16 ] || ! kill -0 $runner 2>/dev/null
}
ok "workers that are ended are replaced" until_true 50 many_were_opened
rm dies
exec 9>&-
wait $runner
status=$?
exits 0 "workers that were ended while they waited"

# The same in an `open` that takes long: four of them are not the stage's fault.
build_plugin heir
cat >slow.yaml <<'YAML'
weir: 1
job: slow
stages:
  - { name: one, task: heir.pass, with: { log: log }, from: stdin, to: stdout,
      workers: 1 }
YAML
opens() { # so many have begun to
    [ -e log ] && [ "$(grep -c '^open ' log)" -ge "$1" ]
}
touch hold
echo x | timeout -k 5 60 weir run --plugin-path plugins slow.yaml >out 2>err &
runner=$!
for nth in 1 2 3 4; do
    ok "the ${nth}. worker opens" until_true 20 opens $nth
    kill -TERM "$(sed -n "s/^open //p" log | sed -n ${nth}p)"
done
ok "another one opens" until_true 20 opens 5
rm hold
wait $runner
status=$?
exits 0 "workers that were ended while they opened"
is "the item came" "$(cat out)" x

finish
