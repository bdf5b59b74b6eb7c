#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A job's queues with a `name`: other shells fill one and empty another.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"

WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-test.XXXXXX) ||
    skip_all '/dev/shm is not to be had'
export WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"

cat >louder.yaml <<'YAML'
weir: 1
job: louder
queues:
  words: { name: words, capacity: 8, bytes: 4 KiB }
  loud: { name: loud, capacity: 8, bytes: 2 KiB }
stages:
  - { name: upper, task: text.upper, from: words, to: loud, workers: 2 }
YAML

# --- what is said before anything starts
run weir check louder.yaml
exits 0 'it is sound'
run weir graph louder.yaml
like 'the graph shows who fills it' out "^  words  at most 8 items, 4.*KiB, filled through 'words'"
like 'and who empties it' out "^  loud .*, emptied through 'loud'"
run weir graph --dot louder.yaml
like 'in DOT, too' out '"n words" -> "q words";'
run weir run --dry-run louder.yaml
like 'a dry run tells it' out "^  words: from the queue named 'words'"
run weir queues
is 'and makes none' "$(cat out)" ''
run weir run --inline louder.yaml
exits 2 'not inline'
like 'why' err "^weir: queue 'words' has the name 'words', and --inline lets"

# mistake NAME REGEX: of the job on stdin.
mistake() {
    cat >wrong.yaml
    run weir check wrong.yaml
    exits 2 "$1"
    like "$1: told where" err "$2"
}
mistake 'no name' "^wrong.yaml:3:21: queue 'q': 'a/b' cannot be a queue's name" <<'YAML'
weir: 1
job: wrong
queues: { q: {name: a/b}, r: {} }
stages:
  - { name: one, task: text.upper, from: q, to: stdout }
  - { name: two, task: text.upper, from: stdin, to: q }
YAML
mistake 'one name twice' "queue 'q' has the name 'n' already" <<'YAML'
weir: 1
job: wrong
queues: { q: { name: n }, r: { name: n } }
stages: [{ name: one, task: text.upper, from: q, to: r }]
YAML
mistake 'stages at both ends' "^wrong.yaml:3:11: queue 'q' has a name, and stages at both" <<'YAML'
weir: 1
job: wrong
queues: { q: { name: n } }
stages:
  - { name: one, task: text.upper, from: q, to: stdout }
  - { name: two, task: text.upper, from: stdin, to: q }
YAML
mistake 'stages at no end' "no stage uses queue 'q'" <<'YAML'
weir: 1
job: wrong
queues: { q: { name: n } }
stages: [{ name: two, task: text.upper, from: stdin, to: stdout }]
YAML

# --- three shells
weir run --json louder.yaml 2>err &
runner=$!
until_true 20 test -e "$WEIR_QUEUE_DIR/loud"
weir get loud >got &
getter=$!
seq 1000 | sed 's/$/ word/' | weir put --close words
wait $runner
is 'it ends when what comes in has ended' $? 0
wait $getter
is 'and what goes out has ended with it' $? 0
seq 1000 | sed 's/$/ WORD/' | sort >want
sort got >sorted
same 'every item, once' sorted want
like 'the books of both' err '"gates":\[{"queue":"words","name":"words","direction":"in","moved":1000,"failed":0},{"queue":"loud","name":"loud","direction":"out","moved":1000,"failed":0}\]'
is 'made for this user alone' "$(stat -c %a "$WEIR_QUEUE_DIR"/* | uniq)" 600
run weir queues
like 'they stay' out '^loud +0 of 8 items, .*, closed$'
run weir run louder.yaml
exits 3 'what is closed cannot go out'
like 'what to do' err "^weir: queue 'loud': the queue named 'loud' is closed; 'weir queues --remove=loud'"
weir queues --remove=loud --remove=words

# --- queues of others: closed by them alone, and as they were made
seq 5 | weir put --create --close words
weir put --create --capacity=100 --bytes='1 MiB' loud </dev/null
run weir run louder.yaml
exits 0 'what is there already'
like 'the books, for people' err "^  words +took 5 from 'words'$"
like 'both' err "^  loud +gave 5 to 'loud'$"
run weir queues
like 'what others have made stays open' out '^loud +5 of 100 items, .*0 members$'
run weir run louder.yaml
exits 0 'closed and drained: the end at once'
weir queues --remove=loud --remove=words

# --- items that never fit: failed, told, counted; the others go on
head -c 5000 /dev/zero | tr '\0' z >large
head -c 3000 /dev/zero | tr '\0' y >medium
weir put --create --close --whole words large medium - <<'TEXT'
small
TEXT
run weir run louder.yaml
exits 1 'some fail'
like 'on the way in' err "^failed in 'words': \"z+.*: an item of 4.*KiB can never fit queue 'words', whose .bytes. are 4"
like 'on the way out' err "^failed in .upper.: .*can never fit queue 'loud'"
run weir get --whole loud
is 'the small one comes' "$(cat out)" 'SMALL'
weir queues --remove=loud --remove=words
weir put --create --bytes='1 KiB' loud </dev/null
weir put --create --close --whole words medium - <<'TEXT'
small
TEXT
sed 's/bytes: 2 KiB/bytes: 64 KiB/' louder.yaml >roomy.yaml
run weir run roomy.yaml
exits 1 'one fails behind all stages'
like 'where' err "^failed in 'loud': .*can never fit the queue named 'loud', whose .bytes. are 1"
is 'the next one goes out' "$(weir get -n 1 loud)" 'SMALL'
weir queues --remove=loud --remove=words

# --- a signal: nothing more comes in, what has come goes out
seq 3 | weir put --create words
weir run louder.yaml 2>err &
runner=$!
until_true 20 test -e "$WEIR_QUEUE_DIR/loud"
weir get -n 3 loud >got
kill -TERM $runner
wait $runner
is 'one signal ends it' $? 143
is 'with all that had come' "$(sort got | tr '\n' ' ')" '1 2 3 '
run weir queues
like 'the way in stays open' out '^words .*0 members$'
like 'the way out is closed' out '^loud .*, closed$'
weir queues --remove=loud

# --- nobody takes what goes out: two of them
seq 100 | weir put --create --timeout=1s words
weir run louder.yaml 2>err &
runner=$!
_is_full() {
    weir queues >state && grep -q '^loud *8 of 8 items' state
}
until_true 20 _is_full
kill -USR1 $runner
until_true 20 grep -q "queue loud: pid [0-9]*, to 'loud', waits for room" err
like 'SIGUSR1 shows it' err "queue loud: pid [0-9]*, to 'loud', waits for room"
kill -TERM $runner
until_true 20 grep -q 'stopping' err
kill -TERM $runner
wait $runner
is 'two end it' $? 143
run weir queues
like 'what went out is there' out '^loud +8 of 8 items, .* 0 members$'
unlike 'nothing is held' out '^words .* [1-9][0-9]* members'
weir queues --remove=loud --remove=words

# --- closed by others while it runs
weir run louder.yaml 2>err &
runner=$!
until_true 20 test -e "$WEIR_QUEUE_DIR/loud"
weir put --close loud </dev/null
seq 3 | weir put words
wait $runner
is 'a way out that others close ends it' $? 3
like 'why' err "queue 'loud': cannot put items into the queue named 'loud': somebody has closed it"
weir queues --remove=loud --remove=words

# --- killed, all of it: what it had taken and not settled is there again
seq 100 | weir put --create --close words
weir run louder.yaml 2>err &
runner=$!
until_true 20 _is_full
kill -KILL $runner
wait $runner
run weir get --timeout=20s words
exits 0 'the next one gets what was left'
# What the run held comes last, where its processes have not all gone yet.
ok 'all of it' test "$(sort -n out | tail -n 1)" = 100
run weir get -n 8 --timeout=20s loud
exits 0 'and what had gone out'
finish
