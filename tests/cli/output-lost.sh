#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# output-lost.sh - a result that could not be written is never status 0.
. "${0%/*}/../lib/cli.sh"

[ -w /dev/full ] || skip_all 'there is no /dev/full'

# LOST COMMAND...: its standard output is closed, then full.
lost() {
    run sh -c '"$@" >&-' - "$@"
    exits 3 "$* >&-"
    like 'and it is told' err 'standard output: it is closed'
    run sh -c '"$@" >/dev/full' - "$@"
    exits 3 "$* >/dev/full"
    like 'and it is told' err 'standard output: No space left'
}
lost weir --version
lost weir --help
lost weir help plugins
lost weir plugins --json

run sh -c 'weir nothing >&-'
exits 2 'who has no result misses nothing'
run sh -c 'weir --version >&- 2>&-'
exits 3 'also when nobody can be told'
run sh -c 'weir --version <&- 2>&-'
exits 0 'a closed standard input is no matter'
like 'and nothing else lands in the result' out '^weir [0-9.]*$'
weir help | head -n 1 >first
like 'the first line through head' first '^Usage: weir'
finish
