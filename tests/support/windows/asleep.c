/* SPDX-License-Identifier: MIT */
/* asleep.c - the system does not tell: a thread is given a moment, in which it mostly falls asleep. */
#include "../asleep.h"

#include <windows.h>

int asleep_self(void) {
  return (int)GetCurrentThreadId();
}

int asleep_is(int thread) {
  (void)thread;
  Sleep(20);
  return 1;
}
