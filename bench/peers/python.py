# SPDX-License-Identifier: MIT
"""The same work by Python's tempfile and multiprocessing.connection, when it is asked: see peers.h."""
import os
import shutil
import sys
import tempfile
import time
from multiprocessing.connection import Client, Listener, Pipe, wait

KEY = b"a key for the benchmark"
CONTENT = bytes(100)
SPOOLED = bytes(4096)
WARM_UP = 20


class Clock:
    """Processor time of this process and of the other, if there is one, and elapsed time."""

    def __init__(self, peer=None):
        self.clocks = [time.CLOCK_PROCESS_CPUTIME_ID]
        if peer:
            self.clocks.append(~peer << 3 | 2)  # what clock_getcpuclockid(3) makes of it on Linux
        self.start = self.now()

    def now(self):
        return sum(map(time.clock_gettime_ns, self.clocks)), time.monotonic_ns()

    def spent(self):
        return [now - start for now, start in zip(self.now(), self.start)]


def unnamed(directory, count):
    clock = Clock()
    for _ in range(count):
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(CONTENT)
    return clock.spent()


def memory(_, count):
    clock = Clock()
    for _ in range(count):
        with open(os.memfd_create("python"), "w+b") as file:  # tempfile has none
            file.write(CONTENT)
    return clock.spent()


def named(directory, count):
    clock = Clock()
    for _ in range(count):
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            file.write(CONTENT)
    return clock.spent()


def spooled(_, count):
    clock = Clock()
    for _ in range(count):
        with tempfile.SpooledTemporaryFile(len(SPOOLED)) as file:
            file.write(SPOOLED)
            file.seek(0)
            file.read()
    return clock.spent()


def directory_of_few(directory, count):
    clock = Clock()
    for _ in range(count):
        with tempfile.TemporaryDirectory(dir=directory) as path:
            for i in range(10):
                os.close(os.open(f"{path}/file-{i}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return clock.spent()


def remove(directory, count):
    clock = Clock()
    for i in range(count):
        shutil.rmtree(f"{directory}/tree-{i}")
    return clock.spent()


def beside(peer, here, count):
    """What here(count) costs, after warming up, beside peer(), which another process runs until it ends."""
    pid = os.fork()
    if pid == 0:
        peer()
        os._exit(0)
    here(WARM_UP)
    clock = Clock(pid)
    here(count)
    spent = clock.spent()
    return pid, spent


def round_trip(size, count):
    near, far = Pipe()
    data = bytes(int(size))

    def echo():
        near.close()
        try:
            while True:
                far.send_bytes(far.recv_bytes())
        except EOFError:
            pass

    def trips(count):
        for _ in range(count):
            near.send_bytes(data)
            near.recv_bytes()

    pid, spent = beside(echo, trips, count)
    near.close()
    far.close()
    os.waitpid(pid, 0)
    return spent


def connecting(key, count):
    with Listener(family="AF_UNIX", backlog=100, authkey=key) as listener:
        def serve():
            for _ in range(WARM_UP + count):
                listener.accept().close()

        def connect(count):
            for _ in range(count):
                Client(listener.address, authkey=key).close()

        pid, spent = beside(serve, connect, count)
        os.waitpid(pid, 0)
        return spent


def waiting(items, count):
    pipes = [Pipe() for _ in range(-(-int(items) // 2))]
    ends = [end for pipe in pipes for end in pipe][:int(items)]
    pipes[0][1].send_bytes(b"")
    clock = Clock()
    for _ in range(count):
        wait(ends)
    return clock.spent()


WORKS = {
    "unnamed": unnamed,
    "memory": memory,
    "named": named,
    "spooled": spooled,
    "directory": directory_of_few,
    "remove": remove,
    "round_trip": round_trip,
    "connect": lambda _, count: connecting(None, count),
    "connect_keyed": lambda _, count: connecting(KEY, count),
    "wait": waiting,
}

print("", *WORKS, "", flush=True)
for question in sys.stdin:
    kind, argument, count = question.split()
    print(*(spent / int(count) for spent in WORKS[kind](argument, int(count))), flush=True)
