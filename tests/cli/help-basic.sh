#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# help-basic.sh - what weir says of itself, and of words that it does not know.
. "${0%/*}/../lib/cli.sh"

run weir --version
exits 0 '--version'
like 'it names the version' out '^weir [0-9]+\.[0-9]+\.[0-9]+$'
is 'and says nothing else' "$(wc -l <out | tr -d ' ')" 1
run weir --version --verbose
like '--verbose says how it was built' out '^plugins: .*; pcre2: '

run weir --help
exits 0 '--help'
cp out long
run weir help
same 'help is the same' out long
run weir
exits 2 'no command at all'
like 'asks for one' err '^weir: which command'

sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' long >names
ok 'it lists commands' test -s names
while read -r name; do
    run weir "$name" --help
    exits 0 "$name --help"
    cp out long
    like "$name --help shows how to call it" long "^Usage: weir $name "
    run weir help "$name"
    same "help $name is the same" out long
    sed -n '/^Examples:/,/^$/s/^  [^ ].*/example/p' long | uniq -c >examples
    like "$name --help has two or three examples" examples '^ *[23] example$'
    is "$name --help fits 80 columns" "$(grep -E '.{81}' long)" ''
done <names

run weir plguins
exits 2 'a word that is no command'
like 'the nearest is named' err "^weir: unknown command 'plguins'; did you mean 'plugins'\?$"
run weir version
exits 2 'an option without its dashes'
like 'the option is named' err "did you mean '--version'\?$"
run weir -h plugins
cp out got
run weir plugins -h
same '-h before the command is of the command' got out
run weir help plguins
exits 2 'help for a word that is nearly one'
like 'the nearest is named' err "did you mean 'plugins'\?$"
run weir run -j 0 some.yaml
exits 2 '0 workers'
like 'the way to one process is named' err '; --inline runs'
run weir plugins --jsn
exits 2 'an unknown option'
like 'the nearest is named' err "^weir: unknown option '--jsn'; did you mean '--json'\?$"
run weir plugins -x
exits 2 'an unknown letter'
like 'it says where they are listed' err "'weir plugins --help'"
run weir plugins --plugin-path
exits 2 'an option without its value'
like 'what it needs is named' err "option '--plugin-path' needs FOLDER"
run weir plugins --json=yes
exits 2 'a value for a flag'
run weir --color=mauve help
exits 2 'a value that is none of a few'
like 'they are named' err 'auto\|always\|never'
run weir help one two
exits 2 'a word too many'
run weir help nothing-like-it
exits 2 'help for what is not there'
finish
