#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# man-options.sh - weir(1), --help and the completion know the same commands
# and options: those of the tables.
. "${0%/*}/../lib/cli.sh"

page=$WEIR_SRCDIR/doc/man/weir.1

# The option table as --help shows it: " -s --set" or " --json", a line each.
help_options() {
    sed -n '/^Options:/,/^$/p' |
        sed -n 's/^ *\(-[a-zA-Z0-9], \)\{0,1\}--\([a-z-]*\).*/\1--\2/p' |
        sed 's/, / /'
}
# The same of the page's section of a command: .It Fl s , Fl -set Ns = ...
man_options() {
    sed -n 's/^\.It Fl \([a-zA-Z0-9]\) , Fl -\([a-z-]*\).*/-\1 --\2/p
            s/^\.It Fl -\([a-z-]*\).*/--\1/p'
}
complete_options() {
    weir --complete "$#" "$@" -- | sed 's/=$//'
}

weir --help >help
help_options <help | sort >want
sed -n '/^\.Sh DESCRIPTION/,/^\.Sh COMMANDS/p' "$page" | man_options |
    sort >got
same 'options of weir itself' got want
sed -n 's/^.*--/--/p' want | sort >want.long
weir --complete 1 weir -- | sed 's/=$//' | sort >got
same 'and in the completion' got want.long
grep -E -e '--(color|plain|help)$' want >common

sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' help | sort >names
sed -n 's/^\.Ss weir \([a-z]*\).*/\1/p' "$page" | sort >got
same 'commands' got names
weir --complete 1 weir '' | sort >got
same 'and in the completion' got names

while read -r name; do
    weir "$name" --help | help_options | sort >all
    sort -m common all | uniq -u >want
    sed -n "/^\.Ss weir $name\( \|\$\)/,/^\.S[sh]/p" "$page" | man_options | sort >got
    same "options of $name" got want
    sed 's/^.*--/--/' all | sort >want
    complete_options weir "$name" | sort >got
    same 'and in the completion' got want
done <names
finish
