/* SPDX-License-Identifier: MIT */
/* stage.h - tests that are run once for each of several Pythons, with one of them waiting to be told what to do. */
#ifndef STAGE_H
#define STAGE_H

#include "peer.h"

/* What such a test gets: a scratch directory, and a Python that runs peer.py and must have nothing more to say when
 * the test is done. */
struct stage {
  const struct python *interpreter;
  const char *directory;
  struct peer python;
};

enum stage_pythons { EVERY_PYTHON, ONE_OF_EACH_ERA, EVERY_LEGACY, EVERY_MODERN, NEWEST_PYTHON };

struct stage_test {
  const char *name;
  void (*run)(struct stage *stage);
  enum stage_pythons pythons;
};
#define stage_test(function, pythons)                                                                                  \
  { #function, function, pythons }

/* test_not_on_windows() of such a test, whose Python has nothing to do. */
#ifdef _WIN32
#define stage_not_on_windows(stage, reason) (peer_end(&(stage)->python), test_not_on_windows(reason))
#else
#define stage_not_on_windows(stage, reason) ((void)0)
#endif

int stage_run_tests(const char *group, const struct stage_test *tests, size_t count); /* what main returns */

#endif
