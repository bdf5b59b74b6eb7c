# SPDX-License-Identifier: LGPL-2.1-or-later
# examples.awk - takes a page of the manual apart, for examples.sh, which says
# how examples are marked. Writes, into the folder `to`:
#
#   list        a line for each example: its number, its place in the page, its
#               kind and, when it has one, the name of its file
#   N           the text of example N
#   N.K.run     of a console: its command K; N.K.want: what it shows
#
# `mdoc` is 1 for a manual page, of which each display is taken for YAML.

function begin(line, words, parts, count) {
    count = split(words, parts, " ")
    number++
    kind = count > 0 ? parts[1] : "unmarked"
    file = to "/" number
    printf "" >file
    print number, FILENAME ":" line, kind, parts[2] >(to "/list")
    commands = 0
    inside = 1
}

function end() {
    inside = 0
    close(file)
}

# A console is commands behind `$ `, gone on with behind `> `, and what they
# show.
function console(line) {
    if (line ~ /^\$ /) {
        commands++
        shown = file "." commands
        printf "" >(shown ".want")
        print substr(line, 3) >(shown ".run")
    } else if (line ~ /^> / && commands > 0) {
        print substr(line, 3) >(shown ".run")
    } else if (commands > 0) {
        print line >(shown ".want")
    } else {
        print line >(file ".lost")
    }
}

function take(line) {
    print line >file
    if (kind == "console")
        console(line)
}

BEGIN { printf "" >(to "/list") }

!mdoc && inside && /^(```|-->)$/ { end(); next }
!mdoc && inside { take($0); next }
!mdoc && /^```/ { begin(FNR, substr($0, 4)); next }
!mdoc && /^<!-- test$/ { begin(FNR, "sh"); next }

mdoc && inside && /^\.Ed/ { end(); next }
mdoc && inside { take($0); next }
mdoc && /^\.Bd .*-literal/ { begin(FNR, "yaml"); next }

END {
    if (inside)
        print number, FILENAME ":" FNR, "unended" >(to "/list")
}
