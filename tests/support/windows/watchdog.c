/* SPDX-License-Identifier: MIT */
/* watchdog.c - a thread that ends the program, unless it is told in time that the test is over. */
#include "../watchdog.h"
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

static const char *volatile watched;
static HANDLE over, thread;
static volatile LONG times; /* that its patience is waited for */

static DWORD patience_ms(void) {
  const char *seconds = getenv("MAYFLY_TEST_PATIENCE");
  return 1000 * (seconds == NULL ? 120 : (DWORD)strtoul(seconds, NULL, 10));
}

static DWORD WINAPI watch(LPVOID context) {
  (void)context;
  for (LONG waited = 0; waited < times; waited++)
    if (WaitForSingleObject(over, patience_ms()) != WAIT_TIMEOUT)
      return 0;
  fprintf(stderr, "\nwatchdog: this test hangs: %s\n", watched);
  fflush(NULL);
  TerminateProcess(GetCurrentProcess(), 3);
  return 0;
}

void watchdog_start(const char *name) {
  watched = name;
  times = 1;
  over = CreateEventW(NULL, TRUE, FALSE, NULL);
  thread = CreateThread(NULL, 0, watch, NULL, 0, NULL);
}

void watchdog_grow_patient(void) {
  times = 10;
}

void watchdog_stop(void) {
  SetEvent(over);
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  CloseHandle(over);
}
