# SPDX-License-Identifier: MIT
"""The same work by Python's multiprocessing.connection and tempfile, for orientation: median and quartiles of nine
runs, in microseconds an operation; processor time is that of both processes."""
import os
import resource
import shutil
import statistics
import tempfile
import time
from multiprocessing.connection import Client, Listener, Pipe, wait

RUNS = 9
KEY = b"a key for the benchmark"


def processor_time(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def measure(name, count, here, there):
    """here(count) in this process, there(count) in a child that ends with it."""
    processor, wall = [], []
    for _ in range(RUNS):
        before, begin = processor_time(resource.RUSAGE_SELF), time.monotonic()
        children = processor_time(resource.RUSAGE_CHILDREN)
        pid = os.fork() if there else None
        if pid == 0:
            there(count)
            os._exit(0)
        here(count)
        if there:
            os.waitpid(pid, 0)
        wall.append(time.monotonic() - begin)
        processor.append(processor_time(resource.RUSAGE_SELF) - before
                         + processor_time(resource.RUSAGE_CHILDREN) - children)
    low, median, high = statistics.quantiles([t / count * 1e6 for t in processor], n=4)
    cores = len(os.sched_getaffinity(0))
    print(f"| {name} | {cores} | {median:.2f} us | {low:.2f} to {high:.2f} us |"
          f" {statistics.median(wall) / count * 1e6:.2f} us |", flush=True)


def round_trip(name, size, count):
    near, far = Pipe()
    data = bytes(size)

    def here(count):
        for _ in range(count):
            near.send_bytes(data)
            near.recv_bytes()

    def there(count):
        for _ in range(count):
            far.send_bytes(far.recv_bytes())

    measure(f"round trip, {name}", count, here, there)


def connecting(name, key, count):
    with Listener(family="AF_UNIX", backlog=100, authkey=key) as listener:
        def here(count):
            for _ in range(count):
                Client(listener.address, authkey=key).close()

        def there(count):
            for _ in range(count):
                listener.accept().close()

        measure(name, count, here, there)


def waiting(items, count):
    pipes = [Pipe() for _ in range(items)]
    pipes[0][1].send_bytes(b"")

    def here(count):
        for _ in range(count):
            wait([pipe[0] for pipe in pipes])

    measure(f"wait on {items}", count, here, None)


def files(name, make, count):
    data = bytes(100)

    def here(count):
        for _ in range(count):
            with make() as file:
                file.write(data)

    measure(name, count, here, None)


def spooled(count):
    data = bytes(4096)

    def here(count):
        for _ in range(count):
            with tempfile.SpooledTemporaryFile(4096) as file:
                file.write(data)
                file.seek(0)
                file.read()

    measure("spooled, 4 KiB in and out", count, here, None)


def directories(name, directory, count):
    def here(count):
        for _ in range(count):
            with tempfile.TemporaryDirectory(dir=directory) as path:
                for i in range(10):
                    os.close(os.open(f"{path}/file-{i}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    measure(name, count, here, None)


def removal(directory):
    """100,000 files in 1,000 directories; what they cost to make does not count."""
    costs = []
    for _ in range(3):
        tree = tempfile.mkdtemp(dir=directory)
        for i in range(1000):
            os.mkdir(f"{tree}/d-{i}")
            for j in range(100):
                os.close(os.open(f"{tree}/d-{i}/file-{j}", os.O_WRONLY | os.O_CREAT, 0o600))
        start = time.process_time()
        shutil.rmtree(tree)
        costs.append(time.process_time() - start)
    print(f"100,000 files removed by shutil.rmtree, {directory}: {sorted(costs)[1] * 1000:.0f} ms of processor time")


print("| Python's multiprocessing.connection | cores | processor | its quartiles | elapsed |\n"
      "| --- | --- | --- | --- | --- |")
round_trip("16 B", 16, 2000)
round_trip("1 KiB", 1 << 10, 2000)
round_trip("64 KiB", 1 << 16, 500)
round_trip("1 MiB", 1 << 20, 50)
connecting("connect, close", None, 300)
connecting("connect, mutual authentication, close", KEY, 300)
waiting(1, 1000)
waiting(100, 100)
print("\n| Python's tempfile | cores | processor | its quartiles | elapsed |\n"
      "| --- | --- | --- | --- | --- |")
for directory in (tempfile.gettempdir(), "/dev/shm"):
    files(f"file without a name, {directory}", lambda: tempfile.TemporaryFile(dir=directory), 1000)
    files(f"named file, {directory}", lambda: tempfile.NamedTemporaryFile(dir=directory), 1000)
    directories(f"directory of 10 files, {directory}", directory, 200)
spooled(10000)
print()
for directory in (tempfile.gettempdir(), "/dev/shm"):
    removal(directory)
