#!/bin/sh
# SPDX-License-Identifier: MIT
# worker.sh WORKER PYTHON - a parent in C has its lines put into capitals by a worker in C and by one in Python; and a
# parent in Python by one in C.
set -eu
worker=$1 python=$2
here=$(dirname "$0")
expected='a pipe has two ends -> A PIPE HAS TWO ENDS
 -> 
one of them is here -> ONE OF THEM IS HERE'

check() { # check COMMAND...: what a parent prints
  said=$("$@")
  echo "$said"
  [ "$said" = "$expected" ]
}

check "$worker" start "$worker" serve
check "$worker" start "$python" "$here/worker.py"
check "$python" "$here/worker_parent.py" "$worker" serve
