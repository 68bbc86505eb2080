/* SPDX-License-Identifier: MIT */
/* limit.c - the soft limit becomes the hard one. */
#include "limit.h"
#include <assert.h>
#include <sys/resource.h>

size_t limit_raise(void) {
  struct rlimit limit;
  int result = getrlimit(RLIMIT_NOFILE, &limit);
  assert(result == 0);
  limit.rlim_cur = limit.rlim_max;
  result = setrlimit(RLIMIT_NOFILE, &limit);
  assert(result == 0);
  (void)result;
  return limit.rlim_cur;
}
