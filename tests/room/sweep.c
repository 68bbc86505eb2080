/* SPDX-License-Identifier: MIT */
/* sweep.c - what a sweep takes for a dead process's, and what it leaves alone. */
#include "result.h"
#include "test.h"
#include "tree.h"
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nobody has it locked. */
static const char dead[] = ".mayfly-0123456789_abcde", other_dead[] = ".mayfly-zzzzzzzzzzzzzzzz";

static void expect_swept(const char *scratch, uint64_t expected) {
  uint64_t removed = 77;
  assert_ok(mayfly_sweep(scratch, &removed));
  assert_int_equal(removed, expected);
}

static mayfly_directory *make_crash_safe(const char *scratch) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_directory *directory;
  options.dir = scratch;
  options.flags = MAYFLY_TEMP_CRASH_SAFE;
  assert_ok(mayfly_temporary_directory(&options, &directory));
  return directory;
}

static void it_removes_what_the_dead_have_left_and_counts_it(void **state) {
  expect_swept(*state, 0);
  tree_make(*state, dead, 3, 3);
  expect_swept(*state, 1);
  assert_true(scratch_is_empty(*state));
  tree_make(*state, dead, 1, 1);
  tree_directory(*state, other_dead);
  expect_swept(*state, 2);
  assert_true(scratch_is_empty(*state));
  tree_directory(*state, dead);
  assert_ok(mayfly_sweep(*state, NULL));
  assert_true(scratch_is_empty(*state));
}

static void it_leaves_what_a_living_process_uses(void **state) {
  mayfly_directory *directory = make_crash_safe(*state);
  char inner[TREE_PATH_SIZE];
  tree_file(mayfly_directory_path(directory), "file");
  tree_join(inner, mayfly_directory_path(directory), "file");
  tree_directory(*state, dead);
  expect_swept(*state, 1);
  assert_true(tree_exists(inner));
  assert_ok(mayfly_directory_close(directory));
  expect_swept(*state, 0); /* the process's own is still there, and empty */
  assert_ok(mayfly_cleanup());
}

static void it_leaves_what_has_another_name(void **state) {
  const char *const names[] = {"mayfly-0123456789abcdef",
                               ".mayfly-0123456789abcde",
                               ".mayfly-0123456789abcdefg",
                               ".mayfly-0123456789abcdeF",
                               ".mayfly-0123456789abcde.",
                               ".mayfly-",
                               ".mayfly",
                               "tmp01234567"};
  char path[TREE_PATH_SIZE];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i][strlen(names[i]) - 1] != '.') /* Windows would cut it off */
      tree_directory(*state, names[i]);
  expect_swept(*state, 0);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    tree_join(path, *state, names[i]);
    if (names[i][strlen(names[i]) - 1] != '.')
      assert_ok(mayfly_rmtree(path, NULL));
  }
}

static void it_leaves_a_file_of_such_a_name(void **state) {
  char path[TREE_PATH_SIZE];
  tree_file(*state, dead);
  expect_swept(*state, 0);
  tree_join(path, *state, dead);
  assert_int_equal(remove(path), 0);
}

static void without_a_directory_it_sweeps_the_temporary_one(void **state) {
  assert_ok(mayfly_settempdir(*state));
  tree_directory(*state, dead);
  expect_swept(NULL, 1);
  assert_true(scratch_is_empty(*state));
}

static void what_can_not_be_listed_is_an_error(void **state) {
  char path[TREE_PATH_SIZE];
  uint64_t removed = 77;
  tree_join(path, *state, "missing");
  assert_error(mayfly_sweep(path, &removed), MAYFLY_ENOENT, "missing");
  tree_file(*state, "file");
  tree_join(path, *state, "file");
  assert_error(mayfly_sweep(path, &removed), MAYFLY_ENOTDIR, "file");
  assert_int_equal(removed, 77);
  assert_int_equal(remove(path), 0);
}

static void a_success_does_not_change_the_words(void **state) {
  assert_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  tree_file(*state, "file");
  tree_directory(*state, dead);
  expect_swept(*state, 1);
  assert_non_null(strstr(mayfly_last_error(), "empty"));
  char path[TREE_PATH_SIZE];
  tree_join(path, *state, "file");
  assert_int_equal(remove(path), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(it_removes_what_the_dead_have_left_and_counts_it),
      test_in_scratch(it_leaves_what_a_living_process_uses),
      test_in_scratch(it_leaves_what_has_another_name),
      test_in_scratch(it_leaves_a_file_of_such_a_name),
      test_in_scratch(without_a_directory_it_sweeps_the_temporary_one),
      test_in_scratch(what_can_not_be_listed_is_an_error),
      test_in_scratch(a_success_does_not_change_the_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
