#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# call-debugger.sh - the same call under gdb and valgrind, in one word.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

build_plugin try
WEIR_PLUGIN_PATH=$work/plugins
export WEIR_PLUGIN_PATH
echo abc >item

# A debugger that shows what it was started with.
mkdir bin
for name in gdb valgrind; do
    cat >"bin/$name" <<'END'
#!/bin/sh
for word; do echo "$word"; done
END
    chmod +x "bin/$name"
done
run env "PATH=$work/bin:$PATH" weir call try.all --gdb -p "text=it's" \
    -p number=4 --json item
exits 0 '--gdb'
like 'the program is this one' out '/weir$'
like 'the parameters are there' out "^--param=text=it's$"
like 'all of them' out '^--param=number=4$'
like 'the other options are' out '^--json$'
like 'the item is' out '^item$'
unlike 'and --gdb is not, or it would never end' out '^--gdb$'
like 'the command is shown, to be copied' err "^WEIR_PLUGIN_PATH=[^ ]* gdb .* '--param=text=it'\\\\''s'"
run env "PATH=$work/bin:$PATH" weir call try.part --valgrind item
exits 0 '--valgrind'
like 'the item is there' out '^item$'
unlike 'and --valgrind is not' out '^--valgrind$'
run sh -c 'weir call try.part --gdb <item'
exits 2 '--gdb with the item on standard input'
run weir call try.part --gdb --valgrind item
exits 2 'both'
run weir call try.prat --gdb item
exits 2 'what is wrong is told before'

PATH_OF_WEIR=$(command -v weir)
mkdir none
run env "PATH=$work/none" "$PATH_OF_WEIR" call try.part --valgrind item
[ "$status" = 127 ] || exits 3 'a debugger that is not installed'
[ "$status" = 127 ] || like 'is told' err 'valgrind: it is not installed'

if ! command -v gdb >/dev/null 2>&1; then
    skip 'in a real gdb' 'gdb is not installed'
elif [ -n "${WEIR_SANITIZE-}" ]; then
    skip 'in a real gdb' 'built with sanitizers'
else
    printf 'run\nbt 1\ncontinue\n' >commands
    run sh -c 'weir call try.part --gdb item <commands'
    like 'it stops where the task begins' out '^Breakpoint 1, inline_task_enter'
    like 'and goes on to the end' out '^abc$'
fi
finish
