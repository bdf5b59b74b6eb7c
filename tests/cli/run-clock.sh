#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-clock.sh - clocks that jump under a run. The wall clock is set by years,
# there and back, and moves no limit; and a run that was stopped or frozen as a
# whole, so that an hour passes between two looks of the supervisor, blames no
# item for that time.
#
# A library that is loaded before libc gives other times: `jump WALL [PID
# MONOTONIC]`, in seconds, the latter to one process alone.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin hold
build_plugin gate
mkdir preload
compile clock <<'EOC'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void jump(clockid_t clock, struct timespec *now)
{
    const char *path = getenv("WEIR_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    long wall = 0, pid = 0, monotonic = 0;
    char text[64] = "";

    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        sscanf(text, "%ld %ld %ld", &wall, &pid, &monotonic);
    if (fd >= 0)
        close(fd);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += wall;
    else if (clock == CLOCK_MONOTONIC && pid == getpid())
        now->tv_sec += monotonic;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int code = (int)syscall(SYS_clock_gettime, clock, now);

    if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC))
        jump(clock, now);
    return code;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
EOC
mv plugins/clock.so preload/
jump() {
    echo "$*" >clock.new
    mv clock.new clock
}
jump 0
WEIR_TEST_CLOCK=$work/clock
export WEIR_TEST_CLOCK
LD_PRELOAD=$work/preload/clock.so weir --version >ok.log 2>&1 ||
    skip_all 'nothing can be loaded before libc here'

# start ARGUMENT...: with what is written to fd 9 as its input.
mkfifo pipe
start() {
    rm -f out err
    LD_PRELOAD=$work/preload/clock.so weir "$@" <pipe >out 2>err &
    runner=$!
    exec 9>pipe
}
has() {
    grep -Eq "$1" "$2" 2>/dev/null
}
# Asks for its status until that says so.
says() {
    kill -USR1 $runner
    has "$1" err
}

# --- between two looks of the supervisor an hour passes ---
cat >held.yaml <<'YAML'
weir: 1
job: held
plugins: [plugins]
deadline: 30m
stages:
  - { name: mark, task: hold.mark, from: stdin, to: a, workers: 1, retries: 0,
      timeout: 20m, with: { file: held, at: wait } }
  - { name: beat, task: hold.mark, from: a, to: b, workers: 1, retries: 0,
      timeout: { soft: 1m, hard: 40m }, with: { file: held, at: never } }
  - { name: age, task: hold.mark, from: b, to: stdout, workers: 1, retries: 0,
      recycle: { age: 30m }, with: { file: held, at: never } }
queues: { a: {}, b: {} }
YAML
: >held
start run held.yaml
printf 'one\nwait\n' >&9
until_true 60 has '^one$' out # and it hears signals
until_true 60 says 'mark\.1: .*item [0-9a-f]+, for' || fail 'it waits' <err
jump 0 $runner 3600
lines=$(grep -c 'mark\.1: ' err)
# Its second status is of one that has looked at all limits before.
_looked_twice() {
    kill -USR1 $runner
    [ "$(grep -c 'mark\.1: ' err)" -gt $((lines + 2)) ]
}
until_true 60 _looked_twice || fail 'it looks' <err
rm held
echo two >&9
exec 9>&-
wait $runner
status=$?
exits 0 'frozen for an hour: it goes on'
is 'all is there' "$(tr '\n' , <out)" 'one,wait,two,'
unlike 'nobody is blamed' err 'longer than|killed'

# --- the wall clock is set ten years forward, twenty back ---
weir --version --verbose | grep -q 'sqlite: yes' || finish
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
cat >wall.yaml <<'YAML'
weir: 1
job: wall
plugins: [plugins]
deadline: 30m
stages:
  - { name: gate, task: gate.pass, from: stdin, to: a, workers: 2, retries: 1,
      timeout: 20m, backoff: 10ms, with: { file: open } }
  - { name: mark, task: hold.mark, from: a, to: stdout, workers: 1,
      heartbeat: 20m, with: { file: held, at: never } }
queues: { a: {} }
YAML
jump 0
start run --journal --checkpoint=20ms --failed-size=64KiB --failed-age=1h \
    wall.yaml
_checkpoints() {
    weir show --json last 2>/dev/null | sed -n 's/.*"checkpoints":\([0-9]*\).*/\1/p'
}
_goes_on() {
    [ "$(_checkpoints)" -gt "$((had + 1))" ]
}
_failed() {
    [ "$(weir failed --list last 2>/dev/null | wc -l)" = "$1" ]
}
count=0
for seconds in 0 315360000 -315360000 0; do
    jump $seconds
    count=$((count + 1))
    { printf 'bad ' && head -c 9000 /dev/zero | tr '\0' x && echo; } >&9
    echo die >&9
    echo "good $count" >&9
    until_true 60 has "good $count" out || fail "at $seconds it works" <err
    ok "at $seconds: what has failed is kept" until_true 60 _failed $((2 * count))
    had=$(_checkpoints)
    ok "at $seconds: checkpoints go on" until_true 60 _goes_on
    ok "at $seconds: it is shown" weir show last
    ok "at $seconds: it is listed" weir runs
done
exec 9>&-
wait $runner
status=$?
exits 1 'it ends'
is 'all is there' "$(tr '\n' , <out)" 'good 1,good 2,good 3,good 4,'
is 'none is let go of' "$(weir failed --list last | wc -l)" 8
unlike 'no limit has struck' err 'longer than|heartbeat'
finish
