/* SPDX-License-Identifier: MIT */
/* rounds.h - how often a test of chance is repeated: MAYFLY_TEST_ROUNDS=all is what the documents promise. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "sanitizer.h"
#include <stdlib.h>
#include <string.h>

/* Under Wine a call takes about a millisecond. */
#ifdef _WIN32
enum { ROUNDS_SHARE = 10 };
#else
enum { ROUNDS_SHARE = 1 };
#endif

/* How many there are of `many` on this system. */
static inline int rounds_here(int many) {
  return many / ROUNDS_SHARE;
}

/* `all` of them, or one in `share`. */
static inline int rounds_of(int all, int share) {
  const char *asked = getenv("MAYFLY_TEST_ROUNDS");
  return asked != NULL && strcmp(asked, "all") == 0 ? all : ROUNDS(all / share);
}

#endif
