# SPDX-License-Identifier: MIT
"""uv_chat.py CHAT - runs the program CHAT (uv_chat.c) and talks there: one client says a lot, two hear all of it, one
of them late. What the slow one has not heard yet waits with the talker, not in the server's memory."""
import subprocess
import sys
import threading
from multiprocessing.connection import Client

COUNT, TEXT = 2000, b"x" * 1000

server = subprocess.Popen(sys.argv[1], stdout=subprocess.PIPE, text=True)
address = server.stdout.readline().strip()
talker, quick, slow = (Client(address) for _ in range(3))
for connection in talker, quick, slow:  # who is welcomed hears the others from then on
    assert connection.recv_bytes() == b"welcome"

said = threading.Thread(target=lambda: [talker.send_bytes(TEXT) for _ in range(COUNT)])
said.start()
hearing = threading.Thread(target=lambda: [quick.recv_bytes() for _ in range(COUNT)])
hearing.start()
assert all(slow.recv_bytes() == TEXT for _ in range(COUNT))
hearing.join()
said.join()
for connection in talker, quick, slow:
    connection.close()
last = server.stdout.readline().strip()
print(last)
assert server.wait() == 0
assert int(last.split()[-7]) < 110000, "more waited than the mark allows"
