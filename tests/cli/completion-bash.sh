#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# completion-bash.sh - what bash offers, word by word.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"
requires bash

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
mkdir -p files/below
: >files/one.yaml
: >files/two.txt

# As bash would call it: the line's words, the last one is being typed. The
# signs '=' and ':' make words of their own.
cat >ask.sh <<END
. "$WEIR_SRCDIR/doc/completion/weir"
compopt() { :; }
COMP_WORDS=("\$@")
COMP_CWORD=\$((\$# - 1))
_weir
printf '%s\n' "\${COMPREPLY[@]}"
END
# offers NAME WANT WORD...: the candidates, in one line
offers() {
    _what=$1
    _want=$2
    shift 2
    run bash ask.sh weir "$@"
    is "$_what" "$(sort out | tr '\n' ' ')" "$_want"
}
# has NAME REGEX WORD...
has() {
    _what=$1
    _want=$2
    shift 2
    run bash ask.sh weir "$@"
    like "$_what" out "$_want"
}

ok 'bash can read it' bash -n "$WEIR_SRCDIR/doc/completion/weir"
offers 'a command' 'plugins ' plu
has 'all commands' '^call$' ''
offers 'an option of weir' '--verbose --version ' --ver
offers 'an option' '--plugin-path= ' plugins --plug
offers 'its values' 'always auto ' plugins --color = a
offers 'all of them, behind the sign' 'always auto never ' plugins --color =
offers 'behind a space' 'never ' plugins --color n
offers 'before the command, too' 'never ' --color n
offers 'a command behind that' 'plugins ' --color never plug
offers 'a task' 'try.all ' call try.a
offers 'all of a plugin' 'try.all try.count try.obey try.part try.ticks ' call try.
has 'a file behind the task' '^files/two.txt$' call try.part files/
offers 'a parameter' 'flag= ' call try.all -p fl
offers 'its values' 'fast slow ' call try.all -p mode =
offers 'of a bool' 'true ' call try.all -p flag = t
has 'of a text: files' '^files/one.yaml$' call try.all -p text = files/o
offers 'a plugin, and its tasks' 'try try.all try.count try.obey try.part try.ticks ' \
    plugins tr
offers 'for help also commands' 'plugins ' help plug
cat >vars.yaml <<"END"
weir: 1
job: vars
vars: { corpus: { default: a }, count: { default: 3 }, k: { default: 1 } }
stages:
  - { name: one, task: try.ticks, with: { count: "${count}" }, to: stdout }
END
offers 'a variable of the job on the line' 'corpus= count= ' \
    check vars.yaml --set co
has 'its value: a file' '^files/two.txt$' check vars.yaml --set corpus = files/t
offers 'job files, and folders' 'files/below files/one.yaml ' check files/
offers 'a folder' 'files/below ' plugins --plugin-path files/
offers 'nothing where nothing can be' ' ' help plugins x
offers 'nothing for a word that is none' ' ' nonsense x

# A run on the line that has kept what failed
if weir --version --verbose | grep -q 'sqlite: yes'; then
    cat >late.yaml <<"END"
weir: 1
job: late
stages:
  - { name: read, task: file.read, from: stdin, to: stdout }
END
    echo late | weir run --quiet --keep-failed=kept late.yaml >out 2>err
    offers 'the id of a failed item' "fff$(printf '%029d' 0) " \
        failed kept --item f
    offers 'its cause' "$(weir failed --json kept |
        sed 's/^{"cause":"\([^"]*\)".*/\1/') " replay kept --cause ''
else
    skip 'failed items' 'built without SQLite'
fi

# Another folder of plugins on the line
mkdir other
mv plugins/try.so other/
offers 'plugins of --plugin-path' 'try.part ' call --plugin-path other try.p

run weir --complete
exits 2 'without a place'
run weir --complete 9 weir
exits 0 'beyond the line'
finish
