/* SPDX-License-Identifier: MIT */
/* watchdog.c - an alarm whose handler tells where the program stands. */
#include "watchdog.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *volatile watched;

static void print(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0)
    abort();
}

#ifdef __GLIBC__
#include <execinfo.h>

static void print_backtrace(void) {
  void *frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
}
#else
static void print_backtrace(void) {
  print("(no backtrace on this system)\n");
}
#endif

static void bark(int number) {
  (void)number;
  print("\nwatchdog: this test hangs: ");
  print(watched);
  print("\n");
  print_backtrace();
  abort();
}

static unsigned patience(void) {
  const char *seconds = getenv("MAYFLY_TEST_PATIENCE");
  return seconds == NULL ? 120 : (unsigned)strtoul(seconds, NULL, 10);
}

void watchdog_start(const char *name) {
  watched = name;
  struct sigaction action = {.sa_handler = bark};
  sigaction(SIGALRM, &action, NULL);
  alarm(patience());
}

void watchdog_grow_patient(void) {
  alarm(10 * patience());
}

void watchdog_stop(void) {
  alarm(0);
}
