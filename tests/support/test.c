/* SPDX-License-Identifier: MIT */
/* test.c - what stands around every test. */
#include "test.h"
#include "child.h"
#include "fault.h"
#include "leaks.h"
#include "watchdog.h"

static const struct test_case *current;

int test_setup(void **state) {
  current = *state;
  *state = current->state;
  watchdog_start(current->name);
  leaks_start();
  return current->setup == NULL ? 0 : current->setup(state);
}

/* All of them, even if one complains: the next test starts clean. */
int test_teardown(void **state) {
  int complaints = 0;
  fault_reset();
  complaints += child_end_all() != 0;
  if (current->teardown != NULL)
    complaints += current->teardown(state) != 0;
  complaints += leaks_found() != 0;
  watchdog_stop();
  return -complaints;
}
