#!/bin/sh
# SPDX-License-Identifier: MIT
# answer.sh ANSWER PYTHON - the conversation of ci/demo: the program ANSWER (answer.c) and PYTHON, both ways round.
set -eu
exec 2>&1
answer=$1 python=$2
here=$(dirname "$0")
folder=$(mktemp -d)
listener=
trap 'test -z "$listener" || kill "$listener" 2>/dev/null || true; rm -rf "$folder"' EXIT

say() { printf '\n%s\n' "$*"; }

# start COMMAND...: a listener in the background; its first line, the address, comes back in $address.
start() {
  mkfifo "$folder/out"
  "$@" >"$folder/out" &
  listener=$!
  exec 3<"$folder/out"
  rm "$folder/out"
  read -r address <&3
  echo "It listens on $address"
}

# finish: what the listener said meanwhile, and how it ended.
finish() {
  cat <&3
  wait "$listener"
  listener=
}

MAYFLY_AUTHKEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export MAYFLY_AUTHKEY
echo "Both sides are given the same random key in the environment. Neither sends it: each proves that it has it."
if "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))'; then
  export MAYFLY_ALLOW_MD5=1
  echo "$("$python" --version) proves it by HMAC-MD5, the only way it knows, so the C side is told to allow that."
  echo "From Python 3.12 on both use HMAC-SHA256, and nothing need be allowed."
fi

say "1. A C program listens; an unmodified Python multiprocessing.connection.Client calls it."
start "$answer" listen 1
"$python" "$here/answer_call.py" "$address" "hello from Python"
finish

say "2. The other way round: an unmodified Python Listener; the C program calls it."
start "$python" "$here/answer_listen.py"
"$answer" call "$address" "hello from C"
finish

say "3. And a C client whose key is wrong is turned away by the C listener:"
start "$answer" listen 1
if MAYFLY_AUTHKEY=wrong "$answer" call "$address" "let me in"; then
  echo "but it was let in" >&2
  exit 1
fi
finish || true
