#!/bin/sh
# SPDX-License-Identifier: MIT
# uv_echo.sh UV_ECHO PYTHON - ten Pythons talk to the daemon UV_ECHO (uv_echo.c) at once; then it is ended by a signal.
set -eu
echo=$1 python=$2
folder=$(mktemp -d)
daemon=
trap 'test -z "$daemon" || kill "$daemon" 2>/dev/null || true; rm -rf "$folder"' EXIT

MAYFLY_AUTHKEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
MAYFLY_ALLOW_MD5=1
export MAYFLY_AUTHKEY MAYFLY_ALLOW_MD5
mkfifo "$folder/out"
"$echo" "$folder/socket" >"$folder/out" &
daemon=$!
exec 3<"$folder/out"
read -r address <&3
"$python" - "$address" <<'EOF'
import os, sys, threading
from multiprocessing.connection import Client

def talk(number):
    with Client(sys.argv[1], authkey=os.environb[b"MAYFLY_AUTHKEY"]) as connection:
        for size in 0, 10, 100000, number:
            connection.send_bytes(bytes(size))
            assert connection.recv_bytes() == bytes(size)
    talked.append(number)

talked = []
threads = [threading.Thread(target=talk, args=(number,)) for number in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(talked) == 10
EOF
kill "$daemon"
read -r line <&3
wait "$daemon"
daemon=
echo "$line"
[ "$line" = "10 clients sent 40 messages" ]
[ ! -e "$folder/socket" ]
