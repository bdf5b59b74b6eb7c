#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# call-failed.sh - a task that fails, in each way: its status, and no output.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
# shellcheck disable=SC3045
ulimit -c 0

# obey WORD STATUS REGEX
obey() {
    echo "$1" >item
    run weir call try.obey item
    exits "$2" "told to $1"
    like 'why' err "$3"
    [ "$2" = 0 ] || is 'what it gave does not count' "$(cat out)" ''
}
obey fail 1 '^weir: try\.obey failed: told to fail$'
obey again 1 'told to try again \(in a run it would be tried again\)'
obey fatal 1 'told to end all \(a run would end here\)'
obey wrong 1 'the task returned 42'
echo skip >item
run weir call try.obey item
exits 0 'an item that is left out is no failure'
like 'it is told' err 'left the item out: told to skip'
is 'and gives nothing' "$(cat out)" ''
obey log 0 '^weir: try\.obey: told to say so$'
is 'and what it gave is there' "$(cat out)" lost

echo crash >item
run sh -c 'weir call try.obey item; exit $?'
exits 134 'a crash is a crash: SIGABRT'
finish
