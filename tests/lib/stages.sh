# shellcheck shell=sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# stages.sh - a job for the scripts that kill under a run; to be sourced after
# cli.sh and plugins.sh, with plugin `hold` built.
#
#   write_job LINES AT RETRIES   the files `in` (so many lines) and `many/`, and
#                                job.yaml, which makes of them `result/lines`,
#                                `result/top` and `result/files/`; it waits at
#                                line AT as long as there is a file `held`
#   lines_right FILE             `result/lines`, as another tool makes it
#
# Lines go through four stages, with fan-out (`mark`, `up`), fan-in (queues c
# and d), order (`mark`, `up`: the lines come as they were read) and state (the
# totals). Files are renamed beside them.

write_job() {
    seq 1 "$1" | sed 's/$/ a word and another/' >in
    mkdir -p many
    for _i in $(seq 1 60); do
        echo "file $_i" >"many/$_i"
    done
    cat >job.yaml <<YAML
weir: 1
job: work
defaults: { retries: $3 }
queues:
  a: { capacity: 128 }
  b: { capacity: 128 }
  c: { capacity: 64 }
  d: { capacity: 64 }
  e: { capacity: 64 }
  top: {}
  names: { capacity: 16 }
  files: { capacity: 16 }
stages:
  - { name: read, task: file.lines, with: { paths: in }, to: a }
  - { name: mark, task: hold.mark, from: a, to: { copy: [b, c] }, workers: 3,
      order: keep, with: { file: held, at: $2 a word and another,
      mark: line } }
  - { name: up, task: text.upper, from: b, to: { copy: [d, c] }, workers: 2,
      order: keep }
  - { name: write, task: file.append, from: d, workers: 1,
      with: { root: result, path: lines } }
  - { name: count, task: text.count-words, from: c, to: e, workers: 2 }
  - { name: total, task: text.top, from: e, to: top, with: { k: 30 } }
  - { name: keep, task: file.append, from: top, workers: 1,
      with: { root: result, path: top } }
  - { name: list, task: file.names, with: { paths: many }, to: names }
  - { name: open, task: file.read, from: names, to: files }
  - { name: files, task: file.write, from: files, workers: 1,
      with: { root: result/files, path: "\${item.name}" } }
YAML
}

lines_right() {
    sed 's/^/line/' in | tr '[:lower:]' '[:upper:]' >"$1"
}
