#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# top-words.sh - jobs/top-words.yaml against coreutils, and against awk.
. "${0%/*}/../lib/cli.sh"

requires awk tr sort uniq
job=$WEIR_SRCDIR/jobs/top-words.yaml

# reference K FILE...: the same by coreutils. A line feed stands behind each
# file: a word does not go on in the next one.
reference() {
    _k=$1
    shift
    for _file; do
        cat "$_file"
        echo
    done | tr -cs 'A-Za-z' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' | sort |
        uniq -c | sort -k1,1nr -k2,2 | sed "${_k}q" |
        awk '{ print $1 "\t" $2 }'
}

# by_awk K FILE...: without the tools that sort by words.
by_awk() {
    _k=$1
    shift
    awk '{
            line = tolower($0)
            while (match(line, /[a-z]+/)) {
                count[substr(line, RSTART, RLENGTH)]++
                line = substr(line, RSTART + RLENGTH)
            }
        }
        END { for (word in count) print count[word] "\t" word }' "$@" |
        sort -k1,1nr -k2,2 | sed "${_k}q"
}

# Words whose counts differ, words with the same count, and what is no word.
mkdir -p corpus/deep/er
awk 'BEGIN {
    srand(7)
    for (i = 0; i < 40000; i++) {
        n = int(exp(rand() * 8))
        word = ""
        for (m = n; m > 0; m = int(m / 26))
            word = word sprintf("%c", 97 + m % 26)
        if (i % 5 == 0) word = toupper(word)
        printf "%s%s", word, i % 9 == 0 ? ".\n" : i % 4 == 0 ? "-" n " " : " "
    }
}' >corpus/many.txt
printf 'no line feed at the end' >corpus/a.txt
printf 'end of one file\r\nCAF\303\211 na\303\257ve don'"'"'t x2y\0z\n' \
    >corpus/deep/odd
: >corpus/deep/empty
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "abcdefghijklmnopqrstuvwxyz "
    print "" }' >corpus/deep/er/one-line

run weir run "$job" --set corpus=corpus
exits 0 'a folder'
reference 20 corpus/*.txt corpus/deep/odd corpus/deep/er/* >want
same 'a folder, as coreutils have it' out want
run weir run --quiet "$job" --set 'corpus=corpus/*.txt' --set k=7 -j 3
exits 0 'a glob'
by_awk 7 corpus/*.txt >want
same 'a glob, as awk has it' out want
run weir run --quiet "$job" --set corpus=corpus --set k=1000000
reference 1000000 corpus/*.txt corpus/deep/odd corpus/deep/er/* >want
same 'all words' out want
is 'nothing is said with --quiet' "$(cat err)" ''

run weir run --quiet "$job" --set corpus=corpus/deep/empty
exits 0 'a corpus without a word'
is 'no word, no line' "$(cat out)" ''
run weir run "$job" --set corpus=gone
exits 2 'a corpus that is not there'
like 'says so' err "no such file: 'gone'"

# What every Debian machine has; all of it takes sort its time.
set -- /usr/share/common-licenses/*
if ! [ -e "$1" ]; then
    skip 'the licences of this machine' "there is no $1"
else
    run weir run "$job" --set "corpus=/usr/share/common-licenses/*"
    reference 20 "$@" >want
    same 'the licences of this machine' out want
fi
if long; then
    run weir run "$job"
    exits 0 'as in the README'
    reference 20 /usr/share/common-licenses/* /usr/share/doc/*/copyright >want
    same 'licences and copyright notices, as in the README' out want
fi
finish
