/* SPDX-License-Identifier: MIT */
/* user.c - the effective ones. */
#include "user.h"
#include <unistd.h>

int64_t user_id(void) {
  return geteuid();
}

int64_t user_group(void) {
  return getegid();
}
