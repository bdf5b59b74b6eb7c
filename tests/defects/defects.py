# SPDX-License-Identifier: LGPL-2.1-or-later
"""defects.py - known defects of multiprocessing: defects.py NAME

Prints "right", or what is wrong; the caller stops one that hangs. defects.c
has the same names."""
import concurrent.futures
import multiprocessing as mp
import multiprocessing.pool
import os
import queue as queues
import signal
import sys
import time

mp.set_start_method("fork")
opened = mp.Value("i", 0)


def echo(x):
    return x


def killed(x):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at_seven(x):
    return killed(x) if x == 7 else x


def exits(x):
    sys.exit(3)


def opens_badly():
    sys.stderr = open(os.devnull, "w")
    with opened.get_lock():
        opened.value += 1
    raise RuntimeError("there is no licence")


def get_all(queue):
    while True:
        queue.get()


def put_all(queue):
    while True:
        queue.put(b"x" * (1 << 20))


def apply_killed():
    with mp.Pool(2) as pool:
        pool.apply(killed, (1,))


def apply_exits():
    with mp.Pool(2) as pool:
        pool.apply(exits, (1,))


def one_kill_of_fifty():
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        results = [pool.submit(killed_at_seven, i) for i in range(50)]
        lost = sum(1 for r in results if r.exception() is not None)
    return f"{lost} of 50 are lost by one kill" if lost != 1 else None


def get_after_terminate():
    pool = mp.Pool(1)
    result = pool.apply_async(time.sleep, (1000,))
    pool.terminate()
    result.get()


def reader_killed():
    queue = mp.Queue()
    reader = mp.Process(target=get_all, args=(queue,))
    reader.start()
    time.sleep(0.5)
    reader.kill()
    reader.join()
    queue.put(1)
    try:
        queue.get(timeout=3)
    except queues.Empty:
        return f"get says empty, of a queue of {queue.qsize()}"


def writer_killed():
    for i in range(20):
        queue = mp.Queue(4)
        writer = mp.Process(target=put_all, args=(queue,))
        writer.start()
        for _ in range(3):
            queue.get()
        time.sleep(i * 0.0005)
        writer.kill()
        writer.join()
        while True:
            try:
                queue.get(timeout=0.2)
            except queues.Empty:
                break
            except Exception as error:
                return f"get raises {error!r}"
        if queue.qsize() != 0:
            return f"empty, and of size {queue.qsize()}"


def empty_after_put():
    queue = mp.Queue()
    for _ in range(1000):
        queue.put(1)
        if queue.empty():
            return "empty right after a put"
        queue.get()


def size_and_get():
    queue = mp.Queue()
    for i in range(100):
        queue.put(i)
        size = queue.qsize()
        try:
            queue.get_nowait()
        except queues.Empty:
            return f"of size {size}, and get_nowait finds nothing"


def put_of_what_cannot_be_sent():
    sys.stderr = open(os.devnull, "w")
    queue = mp.Queue()
    queue.put(lambda: 1)
    time.sleep(0.5)
    if queue.qsize() == 0:
        return "put went well, and the item is gone"


def initializer_fails():
    pool = mp.Pool(2, initializer=opens_badly)
    time.sleep(2)
    forks = opened.value
    pool.terminate()
    if forks > 6:
        return f"{forks} workers forked in 2 s, and no end"


def callback_fails():
    sys.stderr = open(os.devnull, "w")
    with mp.Pool(2) as pool:
        pool.apply_async(echo, (1,), callback=lambda x: 1 // 0)
        time.sleep(0.5)
        pool.apply_async(echo, (2,)).get()


def reads_ahead():
    taken = 0

    def inputs():
        nonlocal taken
        for i in range(10000):
            taken += 1
            yield i

    with mp.Pool(2) as pool:
        results = pool.imap(echo, inputs())
        next(results)
        time.sleep(1)
    if taken > 100:
        return f"{taken} inputs read for one result"


def chunk_of_zero():
    with mp.Pool(2) as pool:
        got = pool.map(echo, range(4), chunksize=0)
    if got != [0, 1, 2, 3]:
        return f"map says {got}"


wrong = globals()[sys.argv[1].replace("-", "_")]()
print(wrong or "right", flush=True)
os._exit(0 if wrong is None else 1)
