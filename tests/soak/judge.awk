# SPDX-License-Identifier: LGPL-2.1-or-later
# judge.awk - whether something grew. The first line has names, each further one
# a sample, all of them equally far apart.
#
# Of each figure the medians of the third and of the last quarter, when all that
# comes once is there: what it rises from one to the other, twice, is what it
# rises in the second half, and must be less than a part of the mean and some
# more for what is no growth. So samples that stand out do not count, and what
# rises all the time does, in an hour already when it is little.
#
# Prints a line for each figure: NAME good|grows FROM TO ALLOWED. Without four
# samples in a quarter nothing can be said: nothing is printed.
BEGIN {
    # per cent, and so much more
    allow("runner", 5, 512)        # KiB of its own
    allow("journal", 20, 4096)     # the same; it holds a copy of the queues
    allow("all", 10, 16384)        # of all processes together
    allow("shared", 10, 4096)      # KiB of memory that has no name
    allow("descriptors", 0, 4)     # of the runner
    allow("all-descriptors", 20, 400)
    allow("processes", 5, 3)
    allow("maps", 0, 8)            # of the runner
    allow("disk", 10, 2048)        # KiB in the folder of the run
}
function allow(name, part, more) {
    parts[name] = part
    mores[name] = more
}
NR == 1 {
    for (i = 1; i <= NF; i++)
        names[i] = $i
    width = NF
    next
}
NF == width {
    count++
    for (i = 1; i <= NF; i++)
        value[i, count] = $i
}
# Of the samples from..to of a figure.
function median(i, from, to,    n, k, j, v) {
    n = 0
    for (k = from; k <= to; k++) {
        v = value[i, k]
        for (j = n++; j > 0 && sorted[j - 1] > v; j--)
            sorted[j] = sorted[j - 1]
        sorted[j] = v
    }
    return n % 2 ? sorted[int(n / 2)] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2
}
END {
    quarter = int(count / 4)
    if (quarter < 4)
        exit
    for (i = 1; i <= width; i++) {
        third = median(i, count - 2 * quarter + 1, count - quarter)
        last = median(i, count - quarter + 1, count)
        rise = 2 * (last - third)
        allowed = (third + last) / 2 * parts[names[i]] / 100 + mores[names[i]]
        printf "%s %s %d %d %d\n", names[i],
            (rise > allowed ? "grows" : "good"),
            (third + last - rise) / 2, (third + last + rise) / 2, allowed
    }
}
