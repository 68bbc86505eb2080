/* SPDX-License-Identifier: MIT */
/* expect.c - says what went wrong, and ends. */
#include "expect.h"
#include <mayfly/base.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Noreturn void expect_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "%s:%d: process %d expected %s\n  mayfly_last_error(): %s\n", file, line, (int)getpid(), condition,
          mayfly_last_error());
  fflush(NULL);
  _exit(99);
}

void expect_result(int64_t result, int expected, const char *words, const char *call, const char *file, int line) {
  int as_expected = expected == 0 ? result >= 0 : result == expected && strstr(mayfly_last_error(), words) != NULL;
  if (as_expected)
    return;
  fprintf(stderr, "%s gave %s instead of %s with the words \"%s\"\n", call, mayfly_err_name((int)result),
          mayfly_err_name(expected), words);
  expect_failed(call, file, line);
}
