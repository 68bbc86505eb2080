#!/bin/sh
# SPDX-License-Identifier: MIT
# supervisor.sh SUPERVISOR MAYFLY - three processes are kept alive, whatever ends one of them, until SIGTERM.
set -eu
folder=$(mktemp -d)
supervisor=
trap 'test -z "$supervisor" || kill "$supervisor" 2>/dev/null || true; rm -rf "$folder"' EXIT

ask() { "$mayfly" send "$address" --reply "which?"; }

mayfly=$2
mkfifo "$folder/out"
"$1" sleep 1000 >"$folder/out" &
supervisor=$!
read -r address <"$folder/out"
before=$(ask)
echo "it listens on $address and runs $before"
kill -KILL "${before%% *}"
after=$(ask)
while [ "$before" = "$after" ]; do after=$(ask); done
echo "one was killed, now it runs $after"
[ "${before#* }" = "${after#* }" ] # the others are the same
kill -TERM "$supervisor"
wait "$supervisor"
supervisor=
[ ! -e "$address" ]
for process in $after; do
  if kill -0 "$process" 2>/dev/null; then exit 1; fi
done
echo "after SIGTERM neither its address nor one of them is there"
