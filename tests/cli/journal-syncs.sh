#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# journal-syncs.sh - what a checkpoint says of files is on the disk before the
# checkpoint is, in the order in which the kernel was asked: a file that is
# appended to, the folder it is in, a file before it gets its name, the folder
# of that name, the note of a file before its first byte.
# shellcheck disable=SC2034 # `status` is read by `exits`
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

requires strace
strace -o traced true 2>/dev/null || skip_all "strace may not trace here"
weir --version --verbose | grep -q 'sqlite: yes' ||
    skip_all 'built without SQLite'
XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
build_plugin hold
# The sanitizer of leaks traces itself.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

# Two checkpoints: of its start and of its end.
seq 1 20 >in
mkdir result names
cat >job.yaml <<'YAML'
weir: 1
job: syncs
queues: { a: {}, b: {} }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: { copy: [a, b] } }
  - { name: write, task: file.append, from: a, workers: 1,
      with: { root: result, path: lines } }
  - { name: files, task: file.write, from: b, workers: 1,
      with: { root: names, path: "of-${item.id}" } }
YAML
run strace -q -f -y -o trace -e trace=fsync,fdatasync,pwritev,rename \
    "$(command -v weir)" run --quiet --journal --checkpoint=1h job.yaml
exits 0 'a run that is traced'

# A call that another process's has come between is in two lines; it counts as
# begun by the first, and as done by the second.
awk '
    function path(line) {
        if (!match(line, /<\/[^>]*>/))
            return ""
        return substr(line, RSTART + 1, RLENGTH - 2)
    }
    /unfinished/ { begun[$1] = $0; if ($0 ~ /pwritev|rename/) order($1, $0); next }
    /resumed/ { if (begun[$1] !~ /pwritev|rename/) order($1, begun[$1]); next }
    { order($1, $0) }
    function order(pid, line,   at) {
        at = path(line)
        if (line ~ /pwritev/ && at ~ /\/result\/lines$/) {
            if (!noted[pid])
                print "a byte before the note of its file"
            lines_synced = folder_synced = 0
            written++
        } else if (line ~ /rename\(/) {
            match(line, /"[^"]*"/)
            if (!synced[substr(line, RSTART + 1, RLENGTH - 2)])
                print "a name before its file was synced"
            names_synced = 0
            named++
        } else if (at ~ /\/files$/) {
            noted[pid] = 1
        } else if (at ~ /\/journal\.db-wal$/) {
            if (written == 20 && named == 20 && !(lines_synced && folder_synced && names_synced))
                print "a checkpoint before its files", lines_synced, folder_synced, names_synced
            if (written == 20 && named == 20)
                ends++
        } else if (at ~ /\/result\/lines$/) {
            lines_synced = 1
        } else if (at ~ /\/result$/) {
            folder_synced = lines_synced
        } else if (at ~ /\/names$/) {
            names_synced = 1
        }
        synced[at] = 1
    }
    END {
        print written + 0, "lines,", named + 0, "names,", (ends > 0) + 0, "end"
    }' trace >order
is 'all in its order' "$(cat order)" '20 lines, 20 names, 1 end'

# --- it may not read what it is to sync ---
cat >held.yaml <<'YAML'
weir: 1
job: held
plugins: [plugins]
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: mark, task: hold.mark, from: a, to: b, workers: 1,
      with: { file: held, at: "10" } }
  - { name: write, task: file.append, from: b, workers: 1,
      with: { root: result, path: more } }
queues: { a: {}, b: {} }
YAML
: >held
weir run --quiet --journal --checkpoint=20ms held.yaml 2>err &
runner=$!
_recorder() {
    recorder=$(grep -l '^weir:journal$' /proc/[0-9]*/task/*/comm 2>/dev/null |
        cut -d / -f 3 | while read -r pid; do
            grep -q "^PPid:[[:space:]]*$runner\$" "/proc/$pid/status" \
                2>/dev/null && echo "$pid"
        done)
    [ -n "$recorder" ] && weir show last >shown 2>&1
}
until_true 60 _recorder || fail 'it begins' <err
strace -q -y -o trace -e trace=openat,fdatasync,sync \
    -e inject=openat:error=EACCES -p "$recorder" 2>strace.err &
tracer=$!
until_true 60 grep -q "^TracerPid:[[:space:]]*$tracer\$" "/proc/$recorder/status" ||
    fail 'it is traced' <strace.err
rm held
wait $runner
is 'what is to be synced may not be read: it goes on' "$?" 0
wait $tracer 2>/dev/null
awk '/openat\(.*\/result\/more".* EACCES/ { missed = 1; tries++ }
    /^sync\(/ { missed = 0 }
    /journal\.db-wal/ && missed { print "a checkpoint before its files" }
    END { print (tries > 0) + 0 }' trace >order
is 'and syncs all' "$(cat order)" 1
finish
