/* SPDX-License-Identifier: MIT */
/* test.h - CMocka, and how a test is registered so that it is watched and leaves nothing behind.
 *
 *   int main(void) {
 *     const struct CMUnitTest tests[] = {
 *         test(an_empty_message_is_a_message),
 *         test_in_scratch(a_closed_listener_unlinks_only_its_own_socket),
 *     };
 *     return cmocka_run_group_tests(tests, NULL, NULL);
 *   }
 *
 * A test fails if it hangs (watchdog.h), leaves a descriptor open (leaks.h), a child alive (child.h), or a file in its
 * scratch directory (scratch.h), whose path is the state of a test_in_scratch. CMocka's assertions belong to the main
 * thread of the main process: in a child or another thread they would jump into a list of tests that is not theirs.
 */
#ifndef TEST_H
#define TEST_H

#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those before it */

struct test_case {
  const char *name;
  CMFixtureFunction setup, teardown;
  void *state; /* the setup's, or, if there is none, the test's own */
};

#define test(function)                              test_with_fixtures(function, NULL, NULL)
#define test_in_scratch(function)                   test_with_fixtures(function, scratch_setup, scratch_teardown)
#define test_with_fixtures(function, before, after) test_of_name(#function, function, before, after)
#define test_of_name(text, function, before, after)                                                                    \
  {                                                                                                                    \
    .name = text, .test_func = function, .setup_func = test_setup, .teardown_func = test_teardown,                     \
    .initial_state = &(struct test_case) {                                                                             \
      .name = text, .setup = before, .teardown = after                                                                 \
    }                                                                                                                  \
  }

/* In a test that Windows, or Wine, can't be put to: it is skipped there, and is in tests/windows-skips. */
#ifdef _WIN32
#define test_not_on_windows(reason) (print_message("skipped: %s\n", (reason)), skip())
#else
#define test_not_on_windows(reason) ((void)0)
#endif

int test_setup(void **state);
int test_teardown(void **state);

#endif
