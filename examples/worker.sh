#!/bin/sh
# SPDX-License-Identifier: MIT
# worker.sh WORKER PYTHON - the parent in C has its lines put into capitals by a worker in C and by one in Python.
set -eu
worker=$1 python=$2
expected='a pipe has two ends -> A PIPE HAS TWO ENDS
 -> 
one of them is here -> ONE OF THEM IS HERE'

check() { # check COMMAND...: is such a worker
  said=$("$worker" start "$@")
  echo "$said"
  [ "$said" = "$expected" ]
}

check "$worker" serve
check "$python" "$(dirname "$0")/worker.py"
