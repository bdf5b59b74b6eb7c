#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# output-colour.sh - colour only where it is wanted, and can be seen.
. "${0%/*}/../lib/cli.sh"

unset NO_COLOR CLICOLOR_FORCE
esc=$(printf '\033')
TERM=xterm
export TERM

run weir help
unlike 'none into a file' out "$esc"
run env CLICOLOR_FORCE=1 weir help
like 'unless it is forced' out "$esc"
run env CLICOLOR_FORCE=0 weir help
unlike 'by more than 0' out "$esc"
run env CLICOLOR_FORCE=1 NO_COLOR=1 weir help
unlike 'NO_COLOR counts for more' out "$esc"
run env NO_COLOR=1 weir help --color=always
like '--color for still more' out "$esc"
run env NO_COLOR=1 weir --color always help
like 'also before the command' out "$esc"
run env CLICOLOR_FORCE=1 weir help --color=never
unlike '--color=never' out "$esc"
run weir help --color=always --plain
unlike '--plain counts most' out "$esc"
run env CLICOLOR_FORCE=1 weir nothing
like 'errors have it, too' err "$esc"

# A terminal
if command -v script >/dev/null 2>&1; then
    run script -qec 'weir help' /dev/null
    like 'colour on a terminal' out "$esc"
    run env TERM=dumb script -qec 'weir help' /dev/null
    unlike 'none on a dumb one' out "$esc"
    run env NO_COLOR=1 script -qec 'weir help' /dev/null
    unlike 'none with NO_COLOR' out "$esc"
else
    skip 'colour on a terminal' 'script is not installed'
fi
finish
