#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The rule of judge.awk: what grows is found, by however little at a time; what
# only goes up and down, or is made once, is not; and it does not judge by
# nothing.
. "${0%/*}/../lib/cli.sh"

# Samples of two figures, the second as `value` says, of t from 0 to 1.
judge() {
    awk -v count="$1" -v which="$2" 'BEGIN {
        srand(1)
        print "descriptors", which
        for (i = 0; i < count; i++) {
            t = i / (count - 1)
            print 20, int('"$3"')
        }
    }' | awk -f "$WEIR_SRCDIR/tests/soak/judge.awk" >judged
}
verdict() {
    sed -n "s/^$1 \([a-z]*\) .*/\1/p" judged
}

judge 200 runner '2000 + 3000 * t'
is 'a leak' "$(verdict runner)" grows
is 'and the other one is good' "$(verdict descriptors)" good
judge 720 runner '2000 + 1500 * t + 300 * rand()'
is 'a leak amid noise' "$(verdict runner)" grows
judge 200 runner '2000 + 4000 * (t > 0.2)'
is 'what is made once' "$(verdict runner)" good
judge 200 runner '2000 + 400 * rand() + 20000 * (i % 50 == 49)'
is 'what stands out now and then' "$(verdict runner)" good
judge 200 runner '5000 - 3000 * t'
is 'what gets less' "$(verdict runner)" good
judge 200 maps '100 + 20 * t'
is 'a few maps more' "$(verdict maps)" grows
judge 200 processes '30 + 12 * t'
is 'processes' "$(verdict processes)" grows
judge 200 processes '30 + 8 * (rand() - 0.5)'
is 'processes that come and go' "$(verdict processes)" good
judge 200 shared '40000 + 30000 * t'
is 'shared memory' "$(verdict shared)" grows
judge 12 runner '2000 + 3000 * t'
is 'too few samples' "$(cat judged)" ''
finish
