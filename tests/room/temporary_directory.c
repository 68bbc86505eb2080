/* SPDX-License-Identifier: MIT */
/* temporary_directory.c - a directory that is there for a while: TemporaryDirectory on every system. */
#include "result.h"
#include "test.h"
#include "tree.h"
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mayfly_temp_options in(const char *scratch, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = scratch;
  options.flags = flags;
  return options;
}

static mayfly_directory *make(const char *scratch, unsigned flags) {
  const mayfly_temp_options options = in(scratch, flags);
  mayfly_directory *directory = NULL;
  assert_ok(mayfly_temporary_directory(&options, &directory));
  assert_non_null(directory);
  assert_true(tree_exists(mayfly_directory_path(directory)));
  return directory;
}

/* The path outlives the object. */
static void remember(char path[TREE_PATH_SIZE], const mayfly_directory *directory) {
  snprintf(path, TREE_PATH_SIZE, "%s", mayfly_directory_path(directory));
}

static void gone_with_all_that_is_in_it(mayfly_directory *directory) {
  char path[TREE_PATH_SIZE];
  remember(path, directory);
  tree_make(path, "tree", 3, 3);
  assert_ok(mayfly_directory_close(directory));
  assert_false(tree_exists(path));
}

/* ---- made and closed ---- */

static void close_removes_it_with_all_that_is_in_it(void **state) {
  gone_with_all_that_is_in_it(make(*state, 0));
  gone_with_all_that_is_in_it(make(*state, MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS));
}

static void its_name_is_prefix_random_suffix_in_the_directory_asked_for(void **state) {
  mayfly_temp_options options = in(*state, 0);
  mayfly_directory *directory;
  options.prefix = "before-";
  options.suffix = ".after";
  assert_ok(mayfly_temporary_directory(&options, &directory));
  const char *path = mayfly_directory_path(directory);
  size_t size = strlen(*state);
  assert_memory_equal(path, *state, size);
  assert_memory_equal(path + size + 1, "before-", 7);
  assert_int_equal(strspn(path + size + 8, "abcdefghijklmnopqrstuvwxyz0123456789_"), 8);
  assert_string_equal(path + size + 16, ".after");
  assert_ok(mayfly_directory_close(directory));
}

static void without_options_it_is_in_the_temporary_directory(void **state) {
  mayfly_directory *directory;
  assert_ok(mayfly_settempdir(*state));
  assert_ok(mayfly_temporary_directory(NULL, &directory));
  assert_memory_equal(mayfly_directory_path(directory), *state, strlen(*state));
  gone_with_all_that_is_in_it(directory);
}

static void a_hundred_live_at_once_under_a_hundred_names(void **state) {
  enum { MANY = 100 };
  static mayfly_directory *all[MANY];
  for (int i = 0; i < MANY; i++)
    all[i] = make(*state, i % 2 == 0 ? 0 : MAYFLY_TEMP_CRASH_SAFE);
  for (int i = 0; i < MANY; i++)
    gone_with_all_that_is_in_it(all[(i * 7) % MANY]);
  assert_ok(mayfly_cleanup());
}

static void what_can_not_be_made_is_an_error_and_leaves_nothing(void **state) {
  char missing[TREE_PATH_SIZE];
  mayfly_directory *directory = (mayfly_directory *)missing;
  mayfly_temp_options options = in(*state, MAYFLY_TEMP_REOPENABLE);
  assert_error(mayfly_temporary_directory(&options, &directory), MAYFLY_EINVAL, "flag 0x2");
  options.flags = MAYFLY_TEMP_KEEP | MAYFLY_TEMP_CRASH_SAFE;
  assert_error(mayfly_temporary_directory(&options, &directory), MAYFLY_EINVAL, "exclude each other");
  options.flags = 0;
  options.prefix = "../out";
  assert_error(mayfly_temporary_directory(&options, &directory), MAYFLY_EINVAL, "../out");
  options.prefix = NULL;
  assert_error(mayfly_temporary_directory(&options, NULL), MAYFLY_EINVAL, "directory is NULL");
  tree_join(missing, *state, "missing");
  options.dir = missing;
  assert_error(mayfly_temporary_directory(&options, &directory), MAYFLY_ENOENT, "missing");
  assert_ptr_equal(directory, missing);
}

static void nothing_is_done_to_no_directory(void **state) {
  (void)state;
  assert_ok(mayfly_directory_close(NULL));
  assert_null(mayfly_directory_path(NULL));
  assert_error(mayfly_directory_cleanup(NULL), MAYFLY_EINVAL, "NULL");
  assert_error(mayfly_directory_persist(NULL, "there", 0, 0), MAYFLY_EINVAL, "NULL");
}

/* ---- cleaned up ---- */

static void cleanup_removes_it_and_may_be_called_again(void **state) {
  mayfly_directory *directory = make(*state, 0);
  tree_make(mayfly_directory_path(directory), "tree", 2, 2);
  assert_ok(mayfly_directory_cleanup(directory));
  assert_false(tree_exists(mayfly_directory_path(directory)));
  assert_ok(mayfly_directory_cleanup(directory));
  assert_ok(mayfly_directory_cleanup(directory));
  assert_ok(mayfly_directory_close(directory));
}

static void one_that_somebody_removed_is_as_good_as_cleaned_up(void **state) {
  test_not_on_windows("nobody can remove a directory that is held");
  mayfly_directory *directory = make(*state, 0);
  assert_ok(mayfly_rmtree(mayfly_directory_path(directory), NULL));
  assert_ok(mayfly_directory_cleanup(directory));
  assert_ok(mayfly_directory_close(directory));
}

static void mayfly_cleanup_removes_those_that_are_open(void **state) {
  mayfly_directory *one = make(*state, 0), *other = make(*state, MAYFLY_TEMP_CRASH_SAFE);
  tree_make(mayfly_directory_path(one), "tree", 2, 2);
  tree_make(mayfly_directory_path(other), "tree", 2, 2);
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(*state));
  assert_ok(mayfly_directory_cleanup(one));
  assert_ok(mayfly_directory_close(one));
  assert_ok(mayfly_directory_close(other));
  gone_with_all_that_is_in_it(make(*state, MAYFLY_TEMP_CRASH_SAFE));
  assert_ok(mayfly_cleanup());
}

/* ---- kept ---- */

static void one_to_be_kept_outlives_close_and_cleanup_of_all(void **state) {
  char path[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, MAYFLY_TEMP_KEEP);
  remember(path, directory);
  tree_make(path, "tree", 2, 1);
  assert_ok(mayfly_cleanup());
  assert_true(tree_exists(path));
  assert_ok(mayfly_directory_close(directory));
  assert_true(tree_exists(path));
  assert_ok(mayfly_rmtree(path, NULL));
}

static void one_to_be_kept_goes_by_an_explicit_cleanup(void **state) {
  mayfly_directory *directory = make(*state, MAYFLY_TEMP_KEEP);
  tree_make(mayfly_directory_path(directory), "tree", 2, 1);
  assert_ok(mayfly_cleanup());
  assert_ok(mayfly_directory_cleanup(directory));
  assert_false(tree_exists(mayfly_directory_path(directory)));
  assert_ok(mayfly_directory_close(directory));
}

/* ---- made to last ---- */

static void persist_gives_it_a_lasting_name(void **state) {
  const unsigned flags[] = {0, MAYFLY_PERSIST_NOREPLACE, MAYFLY_PERSIST_SYNC,
                            MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC};
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    char before[TREE_PATH_SIZE], after[TREE_PATH_SIZE], file[TREE_PATH_SIZE];
    mayfly_directory *directory = make(*state, i % 2 == 0 ? 0 : MAYFLY_TEMP_CRASH_SAFE);
    remember(before, directory);
    tree_file(before, "content");
    tree_join(after, *state, "lasting");
    assert_ok(mayfly_directory_persist(directory, after, MAYFLY_MODE_NEW, flags[i]));
    assert_false(tree_exists(before));
    tree_join(file, after, "content");
    assert_true(tree_exists(file));
    assert_true(tree_exists(mayfly_directory_path(directory)));
    assert_string_not_equal(mayfly_directory_path(directory), before);
    assert_ok(mayfly_directory_cleanup(directory)); /* it is nobody's to clean up any more */
    assert_ok(mayfly_cleanup());
    assert_ok(mayfly_directory_close(directory));
    assert_true(tree_exists(file));
    assert_ok(mayfly_rmtree(after, NULL));
  }
}

static void persist_replaces_an_empty_directory_unless_told_not_to(void **state) {
  char there[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_directory(*state, "there");
  tree_join(there, *state, "there");
  tree_file(mayfly_directory_path(directory), "content");
  assert_error(mayfly_directory_persist(directory, there, 0, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, "there");
  assert_true(tree_exists(mayfly_directory_path(directory)));
  assert_ok(mayfly_directory_persist(directory, there, 0, 0));
  assert_ok(mayfly_directory_close(directory));
  assert_ok(mayfly_rmtree(there, NULL));
}

static void a_persist_that_fails_leaves_it_temporary(void **state) {
  char full[TREE_PATH_SIZE], file[TREE_PATH_SIZE], nowhere[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_make(*state, "full", 1, 0);
  tree_file(*state, "file");
  tree_join(full, *state, "full");
  tree_join(file, *state, "file");
  tree_join(nowhere, *state, "missing/name");
  assert_error(mayfly_directory_persist(directory, full, 0, 0), MAYFLY_ENOTEMPTY, "full");
  assert_error(mayfly_directory_persist(directory, file, 0, 0), MAYFLY_ENOTDIR, "file");
  assert_error(mayfly_directory_persist(directory, file, 0, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, "file");
  assert_error(mayfly_directory_persist(directory, nowhere, 0, 0), MAYFLY_ENOENT, "missing");
  assert_error(mayfly_directory_persist(directory, full, 0, 1u << 9), MAYFLY_EINVAL, "0x200");
  assert_error(mayfly_directory_persist(directory, full, -2, 0), MAYFLY_EINVAL, "-2");
  assert_error(mayfly_directory_persist(directory, NULL, 0, 0), MAYFLY_EINVAL, "path is NULL");
  assert_error(mayfly_directory_persist(directory, "", 0, 0), MAYFLY_EINVAL, "path is empty"); /* not the working one */
  gone_with_all_that_is_in_it(directory);
  assert_ok(mayfly_rmtree(full, NULL));
  assert_int_equal(remove(file), 0);
}

static void what_is_gone_or_given_away_can_not_persist(void **state) {
  char there[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(there, *state, "there");
  assert_ok(mayfly_directory_persist(directory, there, 0, 0));
  assert_error(mayfly_directory_persist(directory, there, 0, 0), MAYFLY_EINVAL, "made to last");
  assert_ok(mayfly_directory_close(directory));
  assert_ok(mayfly_rmtree(there, NULL));
  directory = make(*state, 0);
  assert_ok(mayfly_directory_cleanup(directory));
  assert_error(mayfly_directory_persist(directory, there, 0, 0), MAYFLY_EINVAL, "removed");
  assert_ok(mayfly_directory_close(directory));
}

/* ---- names ---- */

static void names_in_every_script_go_with_it(void **state) {
  char inner[TREE_PATH_SIZE];
  mayfly_temp_options options = in(*state, 0);
  mayfly_directory *directory;
  options.prefix = "임시-";
  options.suffix = "-🦟";
  assert_ok(mayfly_temporary_directory(&options, &directory));
  assert_non_null(strstr(mayfly_directory_path(directory), "임시-"));
  tree_directory(mayfly_directory_path(directory), "하루살이");
  tree_join(inner, mayfly_directory_path(directory), "하루살이");
  tree_file(inner, "🦟🦟🦟.txt");
  tree_file(inner, "mit Leerzeichen, und Ümläuten");
  gone_with_all_that_is_in_it(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(close_removes_it_with_all_that_is_in_it),
      test_in_scratch(its_name_is_prefix_random_suffix_in_the_directory_asked_for),
      test_in_scratch(without_options_it_is_in_the_temporary_directory),
      test_in_scratch(a_hundred_live_at_once_under_a_hundred_names),
      test_in_scratch(what_can_not_be_made_is_an_error_and_leaves_nothing),
      test_in_scratch(nothing_is_done_to_no_directory),
      test_in_scratch(cleanup_removes_it_and_may_be_called_again),
      test_in_scratch(one_that_somebody_removed_is_as_good_as_cleaned_up),
      test_in_scratch(mayfly_cleanup_removes_those_that_are_open),
      test_in_scratch(one_to_be_kept_outlives_close_and_cleanup_of_all),
      test_in_scratch(one_to_be_kept_goes_by_an_explicit_cleanup),
      test_in_scratch(persist_gives_it_a_lasting_name),
      test_in_scratch(persist_replaces_an_empty_directory_unless_told_not_to),
      test_in_scratch(a_persist_that_fails_leaves_it_temporary),
      test_in_scratch(what_is_gone_or_given_away_can_not_persist),
      test_in_scratch(names_in_every_script_go_with_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
