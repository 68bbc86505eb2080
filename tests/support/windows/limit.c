/* SPDX-License-Identifier: MIT */
/* limit.c - handles are not counted here. */
#include "../limit.h"

size_t limit_raise(void) {
  return 4000;
}
