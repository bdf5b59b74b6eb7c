#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# plugins-why.sh - each reason why a plugin is not found or cannot be used, and
# the rules of the search path.
. "${0%/*}/../lib/cli.sh"
. "$WEIR_SRCDIR/tests/lib/plugins.sh"

unset WEIR_PLUGIN_PATH
build_plugin try

# why NAME STATUS REGEX WHAT
why() {
    run weir plugins --plugin-path plugins --why "$1"
    exits "$2" "$4"
    like 'the reason is the true one' out "$3"
}
why try 0 "^$work/plugins/try\.so: taken$" 'one that is good'
why nothing 2 "^$work/plugins/nothing\.so: no such file$" 'missing'
like 'the folders are named' err "looked in $work/plugins \(--plugin-path\)"

echo 'this is no shared object' >plugins/corrupt.so
why corrupt 2 'corrupt\.so: .*(ELF|shared object)' 'corrupt'
: >plugins/empty.so
why empty 2 'empty\.so: .*(empty|short|ELF|shared object)' 'empty'
size=$(wc -c <plugins/try.so)
head -c "$((size / 2))" plugins/try.so >plugins/half.so
why half 2 'half\.so: .*(cut|short|truncated|whole)' 'truncated'

sed 's/^#define WEIR_ABI .*/#define WEIR_ABI 99/' \
    "$WEIR_SRCDIR/core/include/weir/plugin.h" >future.h
mkdir -p future/weir
mv future.h future/weir/plugin.h
build_plugin try -Ifuture
mv plugins/try.so plugins/other.so
build_plugin try
why other 2 'other\.so: .*ABI 99' 'another ABI'
compile alien <<'EOF'
int alien_answer(void) { return 42; }
EOF
why alien 2 'alien\.so: .*weir_plugin' 'no plugin of weir'
compile lacking <<'EOF'
extern int nobody_has_this(void);
int weir_plugin(void) { return nobody_has_this(); }
EOF
why lacking 2 'lacking\.so: undefined symbol: nobody_has_this' \
    'an unresolved symbol'
cp plugins/try.so plugins/misnamed.so
why misnamed 2 "misnamed\.so: .*'?try'?" 'named otherwise than its file'
compile boom <<'EOF'
#include <signal.h>
__attribute__((constructor)) static void boom(void) { raise(SIGSEGV); }
EOF
why boom 2 'boom\.so: .*SIGSEGV' 'it crashes while it is loaded'
compile quits <<'EOF'
#include <stdlib.h>
__attribute__((constructor)) static void quits(void) { exit(0); }
EOF
why quits 2 'quits\.so: .*exit' 'it exits while it is loaded'
compile deaf <<'EOF'
#define _GNU_SOURCE
#include <unistd.h>
__attribute__((constructor)) static void deaf(void)
{
    close_range(3, ~0u, 0);
    for (;;)
        pause();
}
EOF
why deaf 2 "deaf\.so: .*closed descriptors that were weir's" \
    'it closes what is not its own while it is loaded, and hangs'
cat >deaf.yaml <<'YAML'
weir: 1
job: deaf
plugins: [plugins]
stages: [{ name: deaf, task: deaf.x, from: stdin, to: stdout }]
YAML
run weir check deaf.yaml
exits 2 'that is a mistake of the job'
like 'at its place' err 'deaf\.yaml:4:.* it closed descriptors'
mkdir plugins/folder.so
why folder 2 'folder\.so: .*regular file' 'a folder'
ln -s nowhere plugins/dangling.so
why dangling 2 'dangling\.so: .*symlink' 'a symlink that leads nowhere'

chmod o+w plugins/try.so
why try 2 'try\.so: .*(write|chmod)' 'others may write the file'
chmod o-w plugins/try.so
chmod o+w plugins
why try 2 'plugins.*(write|chmod)' 'others may write the folder'
chmod o-w plugins

# The path
mkdir first empty
cp plugins/try.so first/
run weir plugins --plugin-path first --plugin-path plugins --why try
is 'the first folder wins' "$(cat out)" "$work/first/try.so: taken"
run weir plugins --plugin-path empty --plugin-path plugins --why try
like 'what was tried before is shown' out "^$work/empty/try\.so: no such file$"
is 'libtool keeps its own places to itself' "$(grep -c libs out)" 0
run env "WEIR_PLUGIN_PATH=$work/plugins" weir plugins --why try
exits 0 'WEIR_PLUGIN_PATH'
run env "WEIR_PLUGIN_PATH=$work/plugins" \
    weir plugins --plugin-path first --why try
is '--plugin-path goes before it' "$(cat out)" "$work/first/try.so: taken"
run env "WEIR_PLUGIN_PATH=:$work/plugins:" weir plugins --why try
exits 0 'empty entries of it mean nothing'
run env WEIR_PLUGIN_PATH=plugins weir plugins --why try
exits 2 'a relative entry is refused'
like 'and named' err "WEIR_PLUGIN_PATH has 'plugins'"
cd plugins || exit 1
run weir plugins --why try
exits 2 'the working directory is not searched by itself'
cd ..
run weir plugins --plugin-path '' --why try
exits 2 'an empty --plugin-path is refused'
run weir plugins --plugin-path plugins --why plugins/try
exits 2 'a slash in a name is refused'
run weir plugins --why
exits 2 '--why without a name'
finish
