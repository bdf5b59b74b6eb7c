#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# help-examples.sh - every example of --help and of the manual pages, run where
# the files that they name are.
. "${0%/*}/../lib/cli.sh"

weir plugins >list 2>/dev/null
for plugin in file text; do
    grep -q "^$plugin " list || skip_all "the plugin $plugin is not built"
done
grep -q '^  text\.grep ' list || skip_all 'text.grep is not built'

XDG_STATE_HOME=$work/state
export XDG_STATE_HOME
WEIR_QUEUE_DIR=$(mktemp -d /dev/shm/weir-test.XXXXXX) ||
    skip_all '/dev/shm is not to be had'
export WEIR_QUEUE_DIR
cleanup "rm -rf '$WEIR_QUEUE_DIR'"

cp "$WEIR_SRCDIR/README.md" "$WEIR_SRCDIR/jobs/top-words.yaml" .
cat >numbers.yaml <<'END'
weir: 1
job: numbers
stages:
  - { name: pass, task: flow.pass, from: stdin, to: stdout }
END

# A run that has kept a failed item, which would go well now.
cat >late.yaml <<'END'
weir: 1
job: late
stages:
  - { name: read, task: file.read, from: stdin, to: stdout }
END
if weir --version --verbose | grep -q 'sqlite: yes'; then
    echo late | weir run --quiet --keep-failed=kept late.yaml 2>late.err
    echo text >late
fi

# What the pages use besides, where it is not installed.
mkdir bin
for program in dot pkg-config; do
    command -v "$program" >/dev/null 2>&1 && [ "$program" = dot ] && continue
    echo '#!/bin/sh' >"bin/$program"
done
cat >>bin/pkg-config <<END
echo "-I$WEIR_SRCDIR/core/include" "-I$WEIR_BUILDDIR/core/include"
END
[ ! -f bin/dot ] || echo 'cat >/dev/null' >>bin/dot
cat >bin/cc <<END
#!/bin/sh
PATH=$PATH
exec ${CC:-cc} "\$@"
END
# A debugger waits for a person.
for program in gdb valgrind; do
    printf '#!/bin/sh\n:\n' >"bin/$program"
done
chmod +x bin/*
PATH=$work/bin:$PATH
export PATH

# Each line of the file `lines` is a command. Its last program may close the
# pipe of the one before.
run_lines() {
    [ -s lines ] || { fail "$1: there are examples" <lines; return; }
    while read -r line; do
        run sh -c "$line"
        exits 0 "$1: $line"
    done <lines
}

for name in '' $(weir --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
do
    case $name in
    failed | replay | resume | runs | show) [ -d kept ] || continue ;;
    esac
    # shellcheck disable=SC2086
    weir $name --help |
        sed -n '/^Examples:/,/^$/s/^  \([^ ].*\)/\1/p' >lines
    run_lines "${name:-weir} --help"
done

# A page's literal displays: its programs, and its commands.
page=$WEIR_SRCDIR/doc/man/weir-plugin.7
sed -n '/^\.Bd -literal/,/^\.Ed/p' "$page" | grep -v '^\.' |
    sed -n '/^#include/,/^WEIR_PLUGIN/p' | sed 's/\\e/\\/g' >part.c
sed -n '/^\.Bd -literal/,/^\.Ed/p' "$page" | grep -E '^(cc|weir) ' >lines
run_lines weir-plugin.7
is 'and a task that does what it says' \
    "$(weir call --plugin-path . part.longer -p limit=10B README.md 2>&1 >/dev/null |
        sed 's/,.*//')" "weir: to 'long'"

mkdir build
cp part.so build/
sed -n '/^\.Sh EXAMPLES/,/^\.Sh/p' "$WEIR_SRCDIR/doc/man/weir.1" |
    grep '^weir ' >lines
run_lines weir.1
finish
