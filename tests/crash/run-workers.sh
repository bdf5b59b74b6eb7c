#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 of workers, again and again, at random moments, all the way through a
# run of four stages with fan-out, fan-in, order and state; now and then of the
# nursery, with all workers. It ends, and its files are byte for byte those of a
# run that nobody disturbed.
# WEIR_LONG: 10,000 kills over 1,000,000 lines. SEED: other moments.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/fire.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
. "$WEIR_SRCDIR/tests/lib/stages.sh"

build_plugin hold
WEIR_PLUGIN_PATH=$WEIR_BUILDDIR/plugins/.libs:$work/plugins
export WEIR_PLUGIN_PATH
limit=900
kills=60
lines=20000
long && kills=10000 lines=1000000 limit=3600

# The last line waits until all kills are made.
write_job $lines $lines 60000
run timeout $limit weir run --quiet job.yaml
exits 0 'a run that nobody disturbs'
mv result want
lines_right lines
same 'has its lines in order' want/lines lines

: >held
begin weir run job.yaml
"$killer" "$runner" $kills 1000 "${SEED:-1}" result/lines \
    "$(($(wc -c <want/lines) * 9 / 10))" >hits
read -r killed nurseries amid <hits
rm held
wait "$timer"
status=$?
exits 0 "$killed killed ($nurseries of them nurseries, $amid while there was \
work for all): it ends"
diff -r want result >diff.log 2>&1
is 'all is there, byte for byte, and nothing else' "$(head -n 3 diff.log)" ''
is 'as many were killed as should be' "$killed" "$kills"
is 'and most of them at work' "$((amid * 10 >= killed * 9))" 1
finish
