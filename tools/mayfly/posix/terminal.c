/* SPDX-License-Identifier: MIT */
/* terminal.c - whether somebody looks at standard error, on POSIX. */
#include "../tool.h"
#include <unistd.h>

int tool_is_watched(void) {
  return isatty(STDERR_FILENO);
}
