# SPDX-License-Identifier: MIT
"""worker.py FD - a worker whose parent, in C, gave it one end of a pipe: it puts lines into capitals.

FD is the number of the descriptor; on Windows it is that of the HANDLE."""
import sys
from multiprocessing import connection

End = getattr(connection, "PipeConnection", connection.Connection)
with End(int(sys.argv[1])) as parent:
    try:
        while True:
            parent.send_bytes(parent.recv_bytes().upper())
    except EOFError:
        pass  # the parent has closed its end
