/* SPDX-License-Identifier: MIT */
/* rmtree.c - any tree removed: shutil.rmtree on every system. */
#include "result.h"
#include "test.h"
#include "tree.h"
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_tree_goes_with_all_that_is_in_it(void **state) {
  char path[TREE_PATH_SIZE];
  tree_join(path, *state, "tree");
  tree_make(*state, "tree", 4, 4);
  assert_ok(mayfly_rmtree(path, NULL));
  assert_false(tree_exists(path));
}

static void an_empty_directory_goes(void **state) {
  char path[TREE_PATH_SIZE];
  tree_join(path, *state, "empty");
  tree_directory(*state, "empty");
  assert_ok(mayfly_rmtree(path, NULL));
  assert_false(tree_exists(path));
}

static void slashes_at_the_end_do_not_count(void **state) {
  const char *const ends[] = {"tree/", "tree//", "tree/.", "tree/./", "tree/.//./"};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    char path[TREE_PATH_SIZE];
    tree_make(*state, "tree", 2, 1);
    tree_join(path, *state, ends[i]);
    assert_ok(mayfly_rmtree(path, NULL));
    assert_true(scratch_is_empty(*state));
  }
}

static void what_is_not_there_or_no_directory_is_an_error(void **state) {
  char path[TREE_PATH_SIZE];
  tree_join(path, *state, "missing");
  assert_error(mayfly_rmtree(path, NULL), MAYFLY_ENOENT, path);
  tree_join(path, *state, "missing/inner");
  assert_error(mayfly_rmtree(path, NULL), MAYFLY_ENOENT, path);
  tree_file(*state, "file");
  tree_join(path, *state, "file");
  assert_error(mayfly_rmtree(path, NULL), MAYFLY_ENOTDIR, path);
  assert_true(tree_exists(path));
  assert_int_equal(remove(path), 0);
}

static void errors_can_be_ignored(void **state) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char path[TREE_PATH_SIZE];
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS;
  tree_join(path, *state, "missing");
  assert_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  assert_ok(mayfly_rmtree(path, &options));
  assert_non_null(strstr(mayfly_last_error(), "empty")); /* a success does not change the words */
}

static void arguments_that_can_not_be_are_refused(void **state) {
  const char *const ends[] = {"tree/..", "tree/../", "tree/../."};
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char path[TREE_PATH_SIZE];
  tree_make(*state, "tree", 1, 0);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    tree_join(path, *state, ends[i]);
    assert_error(mayfly_rmtree(path, NULL), MAYFLY_EINVAL, "remove");
  }
  assert_error(mayfly_rmtree("", NULL), MAYFLY_EINVAL, "remove");
  assert_error(mayfly_rmtree(NULL, NULL), MAYFLY_EINVAL, "path is NULL");
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS;
  assert_error(mayfly_rmtree("", &options), MAYFLY_EINVAL, "remove");
  tree_join(path, *state, "tree");
  options.flags = 1u << 7;
  assert_error(mayfly_rmtree(path, &options), MAYFLY_EINVAL, "0x80");
  options.flags = 0;
  options.size = 0;
  assert_error(mayfly_rmtree(path, &options), MAYFLY_EINVAL, "size");
  assert_ok(mayfly_rmtree(path, NULL));
}

/* ---- progress ---- */

struct watched {
  uint64_t last, stop_at;
};

static int watch(void *context, uint64_t removed) {
  struct watched *watched = context;
  if (removed != watched->last + 1)
    return -1;
  watched->last = removed;
  return removed == watched->stop_at;
}

static void progress_hears_of_each_thing_removed(void **state) {
  struct watched watched = {0, 0};
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char path[TREE_PATH_SIZE];
  options.progress = watch;
  options.context = &watched;
  tree_join(path, *state, "tree");
  int made = tree_make(*state, "tree", 3, 3);
  assert_ok(mayfly_rmtree(path, &options));
  assert_int_equal(watched.last, made);
}

static void progress_stops_the_removal_which_can_go_on_later(void **state) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char path[TREE_PATH_SIZE];
  options.progress = watch;
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS; /* that is none */
  tree_join(path, *state, "tree");
  int made = tree_make(*state, "tree", 3, 2), removed = 0;
  for (int i = 1; i < made - removed; i++) {
    struct watched watched = {0, (uint64_t)i};
    options.context = &watched;
    assert_error(mayfly_rmtree(path, &options), MAYFLY_ECANCELED, path);
    assert_int_equal(watched.last, i);
    removed += i;
  }
  assert_true(tree_exists(path));
  assert_ok(mayfly_rmtree(path, NULL));
}

/* ---- wide and deep ---- */

static void a_directory_of_ten_thousand_entries_goes(void **state) {
  char path[TREE_PATH_SIZE], name[32];
  tree_directory(*state, "wide");
  tree_join(path, *state, "wide");
  for (int i = 0; i < 10000; i++) {
    snprintf(name, sizeof name, "%d", i);
    if (i % 10 == 0)
      tree_directory(path, name);
    else
      tree_file(path, name);
  }
  assert_ok(mayfly_rmtree(path, NULL));
  assert_false(tree_exists(path));
}

/* Longer in all than a path may be there, unless it is taken step by step. */
static void long_names_sixty_levels_deep_go(void **state) {
  char path[TREE_PATH_SIZE];
  snprintf(path, sizeof path, "%s", (const char *)*state);
  for (int i = 0; i < 60; i++) {
    tree_directory(path, "하루살이는 하루를 산다");
    strncat(path, "/하루살이는 하루를 산다", sizeof path - strlen(path) - 1);
    tree_file(path, "🦟");
  }
  assert_true(strlen(path) > 1000);
  tree_join(path, *state, "하루살이는 하루를 산다");
  assert_ok(mayfly_rmtree(path, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_tree_goes_with_all_that_is_in_it),
      test_in_scratch(an_empty_directory_goes),
      test_in_scratch(slashes_at_the_end_do_not_count),
      test_in_scratch(what_is_not_there_or_no_directory_is_an_error),
      test_in_scratch(errors_can_be_ignored),
      test_in_scratch(arguments_that_can_not_be_are_refused),
      test_in_scratch(progress_hears_of_each_thing_removed),
      test_in_scratch(progress_stops_the_removal_which_can_go_on_later),
      test_in_scratch(a_directory_of_ten_thousand_entries_goes),
      test_in_scratch(long_names_sixty_levels_deep_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
