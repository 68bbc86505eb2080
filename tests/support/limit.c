/* SPDX-License-Identifier: MIT */
/* limit.c - the soft limit becomes the hard one. */
#include "limit.h"
#include <sys/resource.h>

void limit_raise(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}
