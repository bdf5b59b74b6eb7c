#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# with-python.py - the rows of the suite as a program writes them with Python's
# multiprocessing and concurrent.futures.
#
#   call | executor-call          64 bytes there and back, one worker
#   async | map | executor W      no-op calls, W workers
#   queue SIZE N                  N put, N get
#   start                         a pool of two, one call, all ended
#   idle W                        bytes (Pss) of a worker that waits
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

SECONDS = float(os.environ.get("WEIR_BENCH_SECONDS", "0.5"))


def echo(data):
    return data


def nothing(_):
    return None


def timed(turn, operations=1):
    started = time.monotonic_ns()
    end = started + int(SECONDS * 1e9)
    turns = 0
    while time.monotonic_ns() < end:
        turn()
        turns += operations
    return (time.monotonic_ns() - started) / turns


def call():
    with multiprocessing.Pool(1) as pool:
        data = bytes(64)
        pool.apply(echo, (data,))
        return timed(lambda: pool.apply(echo, (data,)))


def executor_call():
    with ProcessPoolExecutor(1) as pool:
        data = bytes(64)
        pool.submit(echo, data).result()
        return timed(lambda: pool.submit(echo, data).result())


def calls_async(workers):
    with multiprocessing.Pool(workers) as pool:
        def turn():
            for result in [pool.apply_async(nothing, (0,)) for _ in range(1000)]:
                result.get()
        return timed(turn, 1000)


def calls_map(workers):
    with multiprocessing.Pool(workers) as pool:
        inputs = [0] * 20000
        return timed(lambda: pool.map(nothing, inputs), 20000)


def calls_executor(workers):
    with ProcessPoolExecutor(workers) as pool:
        def turn():
            for result in [pool.submit(nothing, 0) for _ in range(1000)]:
                result.result()
        return timed(turn, 1000)


def produce(queue, size, barrier):
    data = bytes(size)
    barrier.wait()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for _ in range(16):
            queue.put(data)


def consume(queue, barrier, counts, index):
    barrier.wait()
    count = 0
    while queue.get() is not None:
        count += 1
    counts[index] = count


def queue(size, each):
    lines = multiprocessing.Queue(1024)
    barrier = multiprocessing.Barrier(2 * each + 1)
    counts = multiprocessing.Array("q", each)
    producers = [multiprocessing.Process(target=produce,
                                         args=(lines, size, barrier))
                 for _ in range(each)]
    consumers = [multiprocessing.Process(target=consume,
                                         args=(lines, barrier, counts, i))
                 for i in range(each)]
    for process in producers + consumers:
        process.start()
    barrier.wait()
    started = time.monotonic_ns()
    for process in producers:
        process.join()
    for _ in consumers:
        lines.put(None)
    for process in consumers:
        process.join()
    return (time.monotonic_ns() - started) / max(1, sum(counts))


def start():
    def turn():
        with multiprocessing.Pool(2) as pool:
            pool.apply(echo, (b"",))
    return timed(turn)


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        for line in lines:
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0


def idle(workers):
    with multiprocessing.Pool(workers) as pool:
        pool.map(nothing, range(workers * 4))
        time.sleep(0.2)
        children = multiprocessing.active_children()
        return sum(pss(child.pid) for child in children) / len(children)


ROWS = {"call": call, "executor-call": executor_call, "async": calls_async,
        "map": calls_map, "executor": calls_executor, "queue": queue,
        "start": start, "idle": idle}

if __name__ == "__main__":
    print(f"{ROWS[sys.argv[1]](*map(int, sys.argv[2:])):.2f}")
