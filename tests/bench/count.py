# SPDX-License-Identifier: LGPL-2.1-or-later
# count.py K FILE... - the K most frequent words, with multiprocessing.Pool: as
# one would write it in Python.
import collections
import multiprocessing
import re
import sys

WORD = re.compile(rb"[A-Za-z]+")


def blocks(paths):
    for path in paths:
        with open(path, "rb") as file:
            while lines := file.readlines(1 << 20):
                yield b"".join(lines)


def count(block):
    return collections.Counter(WORD.findall(block.lower()))


if __name__ == "__main__":
    total = collections.Counter()
    with multiprocessing.Pool() as pool:
        for part in pool.imap_unordered(count, blocks(sys.argv[2:])):
            total.update(part)
    rows = sorted(total.items(), key=lambda row: (-row[1], row[0]))
    for word, n in rows[: int(sys.argv[1])]:
        print(f"{n}\t{word.decode()}")
