#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-hung.sh - a task that never comes back from its first `open` or its last
# `close`, where no item can be blamed: two signals end the run, as ever. Nothing
# of what was done is lost. WEIR_LONG=1: after ten seconds it is told.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

compile hung <<'EOC'
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weir/plugin.h>

struct where {
    const char *where;
};

static int hang(weir_call *call, const char *here)
{
    const struct where *param = weir_params(call);

    if (strcmp(param->where, here) == 0) {
        fprintf(stderr, "it is in %s\n", here);
        for (;;)
            pause();
    }
    return 0;
}

static int hung_open(weir_call *call)
{
    return hang(call, "open");
}

static int hung_close(weir_call *call)
{
    return hang(call, "close");
}

static int hung_run(weir_call *call)
{
    return weir_pass(call, 0);
}

static const weir_param params[] = {
    WEIR_PARAM_TEXT(struct where, where, NULL, "where it hangs"),
    { 0 },
};
static const weir_task tasks[] = {
    { .name = "pass",
      .summary = "Hang",
      .run = hung_run,
      .open = hung_open,
      .close = hung_close,
      .params = params },
    { 0 },
};
WEIR_PLUGIN(.name = "hung", .version = "1", .summary = "Hangs",
            .tasks = tasks);
EOC
cat >job.yaml <<'YAML'
weir: 1
job: hung
plugins: [plugins]
vars: { where: {} }
stages:
  - { name: hang, task: hung.pass, from: stdin, to: stdout, workers: 1,
      with: { where: "${where}" } }
YAML
printf 'one\ntwo\n' >in

for where in open close; do
    rm -f out err
    weir run --set where=$where job.yaml <in >out 2>err &
    runner=$!
    until_true 60 grep -q "it is in $where" err || fail "$where: it hangs" <err
    ! long || ok "$where: it is told" \
        until_true 60 grep -q "worker [0-9]* still ${where}s its task" err
    kill -HUP $runner
    kill -TERM $runner
    wait $runner
    is "$where: two signals end it" "$?" 129
    want=
    [ $where = open ] || want='one,two,'
    is "$where: what came out" "$(tr '\n' , <out)" "$want"
done
finish
