/* SPDX-License-Identifier: MIT */
/* result.c - results by name, in words. */
#include "result.h"
#include <string.h>

int result_check_ok(int64_t result, const char *call, const char *file, int line) {
  if (result < 0) {
    print_error("%s\ngave %s: %s\n", call, mayfly_err_name((int)result), mayfly_last_error());
    _fail(file, line);
  }
  return (int)result;
}

void result_check_error(int64_t result, int error, const char *words, const char *call, const char *file, int line) {
  if (result >= 0) {
    print_error("%s\nsucceeded instead of giving %s\n", call, mayfly_err_name(error));
    _fail(file, line);
  } else if (result != error || strstr(mayfly_last_error(), words) == NULL) {
    print_error("%s\ngave %s: %s\ninstead of %s with the words \"%s\"\n", call, mayfly_err_name((int)result),
                mayfly_last_error(), mayfly_err_name(error), words);
    _fail(file, line);
  }
}
