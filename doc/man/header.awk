# SPDX-License-Identifier: LGPL-2.1-or-later
# header.awk - a public header as a page of section 3, so that the two are one:
#
#     awk -v page=weir-queue -v date='January 1, 2026' -f header.awk queue.h
#
# What it knows of a header: the first comment is the description; a comment
# that begins with `weir_name - ` (or `weir_a, weir_b - `) belongs to the
# functions that follow it up to a blank line; every other declaration is shown
# as it stands, with its comment. In a comment, lines that are indented further
# than the text are shown as they stand, and `@name: ` begins a list entry.

function escape(text)
{
    gsub(/\\/, "\\e", text)
    if (text ~ /^[.']/)
        text = "\\&" text
    return text
}

# A new sentence, a new line: as mdoc has it.
function say(text,    parts, count, i)
{
    count = split(text, parts, /[.] +/)
    for (i = 1; i <= count; i++)
        body = body escape(parts[i] (i < count ? "." : "")) "\n"
}

function close_list()
{
    if (in_list)
        body = body ".El\n"
    in_list = 0
}

function close_display()
{
    if (in_display)
        body = body ".Ed\n"
    in_display = 0
}

function open_display()
{
    if (!in_display)
        body = body ".Bd -literal -compact\n"
    in_display = 1
}

function paragraph()
{
    close_list()
    close_display()
    if (need_break)
        body = body ".Pp\n"
    need_break = 0
}

# One line of a comment, without its frame.
function comment_line(line,    at)
{
    if (line ~ /^[ \t]*$/) {
        blank = 1
        return
    }
    if (line ~ /^@[a-z_]+:/) {
        close_display()
        if (!in_list) {
            if (need_break)
                body = body ".Pp\n"
            body = body ".Bl -tag -width Ds -compact\n"
        }
        in_list = 1
        at = index(line, ":")
        body = body ".It Fa " substr(line, 2, at - 2) "\n"
        line = substr(line, at + 1)
        sub(/^ +/, "", line)
        say(line)
        blank = 0
        need_break = 1
        return
    }
    if (in_list && !blank) {
        sub(/^ +/, "", line)
        say(line)
        return
    }
    if (line ~ /^  / && !in_list) {
        if (blank && !in_display && need_break)
            body = body ".Pp\n"
        else if (blank && in_display)
            body = body "\n"
        open_display()
        body = body escape(line) "\n"
        blank = 0
        need_break = 1
        return
    }
    if (blank || in_display)
        paragraph()
    blank = 0
    sub(/^ +/, "", line)
    say(line)
    need_break = 1
}

function comment_end()
{
    close_list()
    close_display()
    blank = 0
}

function strip(line)
{
    sub(/ *\*\/ *$/, "", line)
    sub(/^ *\/\*\*? ?/, "", line)
    sub(/^ \* ?/, "", line)
    return line
}

# The comment that was read, as text; the first line less what @skip says.
function show_comment(skip,    i, line)
{
    need_break = blank = 0
    for (i = 1; i <= comment_count; i++) {
        line = strip(comment[i])
        if (i == 1 && skip != "")
            line = substr(line, index(line, skip) + length(skip))
        if (line == "" && (i == 1 || i == comment_count))
            continue
        comment_line(line)
    }
    comment_end()
}

function show_function(    i, line, words, count)
{
    line = strip(comment[named])
    sub(/ - .*/, "", line)
    count = split(line, words, /, */)
    body = body ".Ss " line "\n.Bd -literal -compact\n"
    for (i = 1; i <= declared_count; i++)
        body = body escape(declared[i]) "\n"
    body = body ".Ed\n.Pp\n"
    for (i = 1; i <= count; i++)
        names[++name_count] = words[i]
    if (named > 1) { # the frame stands on a line of its own
        for (i = named; i <= comment_count; i++)
            comment[i - named + 1] = comment[i]
        comment_count -= named - 1
    }
    show_comment(" - ")
}

function show_other(    i)
{
    body = body ".Bd -literal\n"
    for (i = 1; i <= comment_count; i++)
        body = body escape(comment[i]) "\n"
    for (i = 1; i <= declared_count; i++)
        body = body escape(declared[i]) "\n"
    body = body ".Ed\n"
}

function flush_block()
{
    if (declared_count > 0 && named)
        show_function()
    else if (declared_count > 0)
        show_other()
    declared_count = comment_count = named = 0
}

BEGIN { page_name = toupper(page) }

/SPDX-License-Identifier/ { next }

# Of interest to the compiler only.
/^#if|^#endif|^#else|^#pragma|^extern "C"|^#include|^#define WEIR_[A-Z]+_H$/ {
    if (/^#if/)
        conditions++
    skipping = /^#if.*(defined __GNUC__|__cplusplus)/ ? conditions : skipping
    if (/^#endif/) {
        if (skipping == conditions)
            skipping = 0
        conditions--
    }
    next
}
skipping { next }

/^[ \t]*$/ && !in_comment { flush_block(); next }

/^\/\*/ && !in_comment {
    if (declared_count > 0 && !in_braces)
        flush_block()
    if (!in_braces) {
        comment_count = named = 0
        in_comment = 1
    }
}

in_comment {
    comment[++comment_count] = $0
    if (comment_count <= 2 && strip($0) ~ /^weir_[a-z_0-9]+(, weir_[a-z_0-9]+)* - /)
        named = comment_count
    if (/\*\/ *$/) {
        in_comment = 0
        if (comment[1] ~ /^\/\* -+ /)
            comment_count = 0
        else if (head == "") {
            head = strip(comment[2])
            sub(/^[^ ]+ - /, "", head)
            sub(/[.]$/, "", head)
            for (i = 3; i <= comment_count; i++)
                comment[i - 2] = comment[i]
            comment_count -= 2
            show_comment("")
            comment_count = 0
            intro = body
            body = ""
        }
    }
    next
}

{
    declared[++declared_count] = $0
    if (/\{[^}]*$/)
        in_braces = 1
    if (/^ *\}/)
        in_braces = 0
}

END {
    flush_block()
    print ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later"
    print ".\\\" Made of a public header of weir."
    print ".Dd " date "\n.Dt " page_name " 3\n.Os"
    print ".Sh NAME\n.Nm " page (name_count > 0 ? " ," : "")
    for (i = 1; i <= name_count; i++)
        print ".Nm " names[i] (i < name_count ? " ," : "")
    print ".Nd " head
    print ".Sh SYNOPSIS\n.In weir/" substr(page, 6) ".h\n.Pp"
    print ".Li cc $(pkg-config --cflags --libs weir)"
    printf ".Sh DESCRIPTION\n%s%s", intro, body
    print ".Sh SEE ALSO\n.Xr weir 1"
}
