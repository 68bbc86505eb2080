# SPDX-License-Identifier: MIT
"""answer_call.py ADDRESS TEXT - an unmodified Client of Python's standard library says TEXT and prints the answer.

The key is in MAYFLY_AUTHKEY."""
import os
import sys
from multiprocessing.connection import Client

address, text = sys.argv[1:]
with Client(address, authkey=os.environb[b"MAYFLY_AUTHKEY"]) as connection:
    connection.send_bytes(text.encode())
    print(f'Python Client: was answered "{connection.recv_bytes().decode()}"')
