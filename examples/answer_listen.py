# SPDX-License-Identifier: MIT
"""answer_listen.py - an unmodified Listener of Python's standard library answers one caller, and says what it heard.

The key is in MAYFLY_AUTHKEY. The address, which Python chooses, is the first line printed."""
import os
from multiprocessing.connection import Listener

with Listener(family="AF_UNIX", authkey=os.environb[b"MAYFLY_AUTHKEY"]) as listener:
    print(listener.address, flush=True)
    with listener.accept() as connection:
        message = connection.recv_bytes()
        print(f'Python Listener: heard "{message.decode()}"', flush=True)
        connection.send_bytes(b"Python heard your %d bytes" % len(message))
