#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugin-pages.sh - the jobs that stand in the pages of the plugins run as they
# stand there.
. "${0%/*}/../lib/cli.sh"

requires awk
mkdir pages
for page in "$WEIR_SRCDIR"/plugins/*/*.md; do
    plugin=${page##*/}
    # shellcheck disable=SC2016  # the fence of Markdown, no command
    awk -v to="pages/${plugin%.md}" '
        /^```yaml$/ { file = to "-" ++n ".yaml"; next }
        /^```$/ { file = "" }
        file != "" { print >file }' "$page"
done

# What the examples read.
mkdir -p logs notes/sub src packed-notes
printf 'Ada Lovelace\nGrace Hopper\n' | tee names.txt >logs/a.log
printf 'an error\nall is well\n' >logs/b.log
printf '# a comment\nMonday 1\n\nMonday 2\n' >monday.log
printf 'Tuesday\n' >tuesday.log
printf 'one two two\n' >notes/a.txt
printf 'Three\n' >notes/sub/b.md
printf 'int main(void);\n' >src/main.c
zstd=yes
weir plugins zstd >plugin.log 2>&1 || zstd=no
pcre2=yes
echo weir | weir call text.grep --param pattern=weir >plugin.log 2>&1 ||
    pcre2=no
[ "$zstd" = no ] ||
    weir call zstd.compress notes/a.txt >packed-notes/a.txt.zst

for job in pages/*.yaml; do
    name=${job#pages/}
    if [ "$zstd" = no ] && grep -q 'task: zstd' "$job"; then
        skip "$name" 'weir has no plugin zstd'
        continue
    fi
    if [ "$pcre2" = no ] && grep -Eq 'task: text\.(grep|replace)' "$job"; then
        skip "$name" 'weir was built without PCRE2'
        continue
    fi
    run weir run "$job"
    exits 0 "$name"
done

# Several workers give their lines in any order.
is 'file.lines' "$(cat complaints.txt)" 'an error'
is 'file.blocks' "$(cat loud/a.txt loud/b.md)" 'ONE TWO TWO
THREE'
is 'file.names' "$(cat c-files.txt)" 'src/main.c'
ok 'file.read' diff -r notes copy
is 'file.write' "$(cat parts/names/2.txt)" \
    'Grace Hopper'
is 'file.append' "$(sort days/monday.txt days/tuesday.txt)" "$(
    sort monday.log tuesday.log
)"
is 'text.upper' "$(sort loud.txt)" 'ADA LOVELACE
GRACE HOPPER'
[ "$pcre2" = no ] || is 'text.grep' "$(sort code.txt)" 'Monday 1
Monday 2'
[ "$pcre2" = no ] || is 'text.replace' "$(sort swapped.txt)" \
    'Hopper, Grace
Lovelace, Ada'
is 'text.count-words' "$(cat words/a.txt.words)" "$(printf 'one\t1\ntwo\t2')"
[ "$zstd" = no ] || ok 'zstd.decompress' cmp plain/a.txt notes/a.txt
finish
