# SPDX-License-Identifier: MIT
"""worker_parent.py COMMAND... - a parent in Python hands one end of multiprocessing.Pipe() to a worker, in C.

COMMAND is run with one more argument, the number of the worker's descriptor or, on Windows, HANDLE: worker serve."""
import os
import subprocess
import sys
from multiprocessing import Pipe

here, there = Pipe()
if os.name == "nt":
    os.set_handle_inheritable(there.fileno(), True)
    inherit = {"close_fds": False}
else:
    inherit = {"pass_fds": [there.fileno()]}
worker = subprocess.Popen([*sys.argv[1:], str(there.fileno())], **inherit)
there.close()
for line in ("a pipe has two ends", "", "one of them is here"):
    here.send_bytes(line.encode())
    answer = here.recv_bytes().decode()
    print(f"{line} -> {answer}", flush=True)
    if answer != line.upper():
        sys.exit(1)
here.close()  # which ends the worker
sys.exit(worker.wait())
