#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# defects.sh - known defects of Python's multiprocessing: libweir has none of
# them. Where python3 is there, what it does is reported beside (its answer is
# no result of ours: a later one may be better).
. "${0%/*}/../lib/cli.sh"

here=$WEIR_SRCDIR/tests/defects

python_says() {
    timeout -k 1 20 python3 "$here/defects.py" "$1" >python 2>/dev/null
    [ $? -lt 124 ] || echo "hangs" >python
    echo "# multiprocessing, $1: $(head -n 1 python)"
}

set -- apply-killed apply-exits one-kill-of-fifty get-after-terminate \
    reader-killed writer-killed empty-after-put size-and-get \
    put-of-what-cannot-be-sent initializer-fails callback-fails \
    reads-ahead chunk-of-zero
python=no
long && command -v python3 >/dev/null 2>&1 && python=yes
for name; do
    run "$WEIR_BUILDDIR/tests/defects/defects" "$name"
    is "$name" "$(cat out err)" right
    [ "$python" = no ] || python_says "$name"
done
finish
