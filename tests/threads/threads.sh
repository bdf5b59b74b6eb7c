#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# threads.sh - the program's side of a pool of 64 workers under 16 threads, with
# the thread sanitizer. The workers are those of the build, without it.
. "${0%/*}/../lib/cli.sh"

cc=${CC:-cc}
plugins=$WEIR_BUILDDIR/plugins/.libs
helper=$WEIR_BUILDDIR/core/helper/weir-helper
limit=300 # seconds, for each run
export limit
rounds=3
long && rounds=50

[ -z "${WEIR_SANITIZE-}" ] || skip_all 'another sanitizer is in the build'
for name in text flow; do
    [ -e "$plugins/$name.so" ] || skip_all "the plugin $name is not built"
done
echo 'int main(void) { return 0; }' >none.c
# shellcheck disable=SC2086
{ $cc -fsanitize=thread none.c -o none && ./none; } >/dev/null 2>&1 ||
    skip_all "there is no thread sanitizer for $cc here"

# All of the library, less the rooms above the pool but plugins.
for room in base shm queue process pool plugin; do
    for file in "$WEIR_SRCDIR/core/$room"/*.c; do
        echo "$file"
    done
done >files
mkdir objects
cat >compile <<END
exec $cc -std=gnu11 -fsanitize=thread -g -O1 -DHAVE_CONFIG_H \
    -Dpthread_mutex_clocklock=watched_clocklock -DWEIR_FAULTS=0 \
    -DPLUGINDIR='"/nowhere"' -DPKGLIBEXECDIR='"/nowhere"' \
    -I"$WEIR_BUILDDIR" -I"$WEIR_SRCDIR/core/include" \
    -I"$WEIR_BUILDDIR/core/include" -I"$WEIR_SRCDIR/core" \
    -c "\$1" -o "objects/\$(echo "\$1" | tr / _).o"
END
run xargs -P 2 -n 1 sh compile <files
exits 0 'the library compiles'
# shellcheck disable=SC2046,SC2086
run $cc -std=gnu11 -Wall -Wextra -fsanitize=thread -g -O1 \
    -I"$WEIR_SRCDIR/core/include" -I"$WEIR_BUILDDIR/core/include" \
    "$WEIR_SRCDIR/tests/threads/threads.c" objects/*.o -o threads -lltdl \
    -pthread
exits 0 'the program links'

WEIR_PLUGIN_PATH=$plugins
WEIR_HELPER=$helper
# A result may lie in the chunk in which an argument lay before. That the one was
# written and done with before the other came, a worker has seen to, whom the
# sanitizer does not see.
echo 'race:^copy_of$' >suppressions
TSAN_OPTIONS="history_size=4 exitcode=66 suppressions=$work/suppressions"
export WEIR_PLUGIN_PATH WEIR_HELPER TSAN_OPTIONS
run ./threads 64 $rounds
exits 0 'each call has its one answer, and no two threads race'
cat out
finish
