/* SPDX-License-Identifier: MIT */
/* each.c - arms, runs, looks, runs again. */
#include "each.h"
#include "calls.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CALLS_MAX = 1000, DESCRIPTORS_MAX = 256 };

/* All of them: leaks.h leaves out those that the library holds. */
static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
    count += fcntl(fd, F_GETFD, 0) >= 0;
  return count;
}

static int run(const struct scenario *scenario, const char *directory, const struct fault_row *row, int nth,
               int *struck) {
  if (scenario->prepare != NULL)
    scenario->prepare(directory);
  calls_fail(row->call, nth, 1, row->number);
  int result = scenario->run(directory);
  *struck = calls_stop();
  return result;
}

/* The text of the errno, or what the words say instead of it. */
static int words_tell(const struct fault_row *row) {
  const char *words = mayfly_last_error();
  return strstr(words, strerror(row->number)) != NULL || strstr(words, "memory") != NULL ||
         strstr(words, "descriptor") != NULL;
}

static void check_result(const struct scenario *scenario, const struct fault_row *row, int nth, int result) {
  if (result >= 0 || (row->error != 0 && result == row->error && (row->number < 0 || words_tell(row))))
    return;
  if (scenario->also != 0 && row->error != 0 && result == scenario->also)
    return;
  fail_msg("call %d of %s fails with \"%s\": %s: %s", nth, row->call, strerror(row->number), mayfly_err_name(result),
           mayfly_last_error());
}

static int remove_left(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type;
  return walk->level == 0 ? 0 : remove(path);
}

static void check_nothing_left(const struct scenario *scenario, const char *directory, const struct fault_row *row,
                               int nth, int descriptors) {
  if (scenario->removes)
    assert_int_equal(nftw(directory, remove_left, 8, FTW_DEPTH | FTW_PHYS), 0);
  if (!scratch_is_empty(directory) || count_descriptors() != descriptors)
    fail_msg("call %d of %s fails with \"%s\": something is left (%d descriptors more)", nth, row->call,
             strerror(row->number), count_descriptors() - descriptors);
}

static int one_fails(const struct scenario *scenario, const char *directory, const struct fault_row *row, int nth) {
  int descriptors = count_descriptors(), struck;
  check_result(scenario, row, nth, run(scenario, directory, row, nth, &struck));
  check_nothing_left(scenario, directory, row, nth, descriptors);
  if (!struck)
    return 0;
  if (scenario->prepare != NULL)
    scenario->prepare(directory);
  int again = scenario->run(directory);
  if (again < 0)
    fail_msg("after call %d of %s failed: %s: %s", nth, row->call, mayfly_err_name(again), mayfly_last_error());
  check_nothing_left(scenario, directory, row, nth, descriptors);
  return 1;
}

void each_call_fails(const struct scenario *scenario, const char *directory, const struct fault_row *rows,
                     size_t count) {
  for (size_t i = 0; i < count; i++) {
    int nth = 1;
    while (one_fails(scenario, directory, &rows[i], nth))
      assert_in_range(++nth, 1, CALLS_MAX);
  }
}
