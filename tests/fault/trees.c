/* SPDX-License-Identifier: MIT */
/* trees.c - temporary directories, trees removed and sweeps, with every call failing. */
#include "calls.h"
#include "each.h"
#include "fault.h"
#include "result.h"
#include "test.h"
#include "tree.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fault_row rows[] = {
    {"malloc", ENOMEM, MAYFLY_ENOMEM},
    {"calloc", ENOMEM, MAYFLY_ENOMEM},
    {"strdup", ENOMEM, MAYFLY_ENOMEM},
    {"strndup", ENOMEM, MAYFLY_ENOMEM},
    {"realloc", ENOMEM, MAYFLY_ENOMEM},
    {"open", EMFILE, MAYFLY_EMFILE},
    {"open", ENFILE, MAYFLY_EMFILE},
    {"open", EACCES, MAYFLY_EACCES},
    {"open", EINTR, 0},
    {"openat", EMFILE, MAYFLY_EMFILE},
    {"openat", EIO, MAYFLY_EIO},
    {"openat", EACCES, MAYFLY_EACCES},
    {"openat", EINTR, 0},
    {"mkdir", ENOSPC, MAYFLY_ENOSPC},
    {"mkdir", EROFS, MAYFLY_EROFS},
    {"fchmod", EPERM, MAYFLY_EPERM},
    {"fchmod", EINTR, 0},
    {"flock", ENOLCK, MAYFLY_EIO},
    {"flock", EINTR, 0},
    {"fstat", EIO, MAYFLY_EIO},
    {"fstatat", EIO, MAYFLY_EIO},
    {"lstat", EACCES, MAYFLY_EACCES},

    {"unlinkat", EROFS, MAYFLY_EROFS},
    {"unlinkat", EBUSY, MAYFLY_EBUSY},
    {"rmdir", EROFS, MAYFLY_EROFS},
    {"rename", EIO, MAYFLY_EIO},
    {"rename", EXDEV, MAYFLY_EXDEV},
    {"renameat2", EIO, MAYFLY_EIO},
    {"renameat2", ENOSYS, 0},
    {"renameat2", EINVAL, 0},
    {"fsync", EIO, MAYFLY_EIO},
    {"fsync", EINTR, 0},
    {"getdents64", EIO, MAYFLY_EIO},
    {"close", EINTR, 0},
    {"getentropy", EIO, MAYFLY_EIO},
    {"getcwd", ENOENT, MAYFLY_ENOENT},
};

static void fail_each(int (*run)(const char *directory), void (*prepare)(const char *directory),
                      const char *directory) {
  const struct scenario scenario = {.run = run, .prepare = prepare, .removes = 1};
  each_call_fails(&scenario, directory, rows, sizeof rows / sizeof rows[0]);
}

static mayfly_temp_options with(const char *directory, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  options.flags = flags;
  return options;
}

/* ---- making ---- */

static int make(const char *directory, unsigned flags) {
  const mayfly_temp_options options = with(directory, flags);
  mayfly_directory *made = (mayfly_directory *)&options;
  int result = mayfly_temporary_directory(&options, &made);
  calls_stop();
  if (result < 0)
    assert_ptr_equal(made, &options);
  else
    assert_ok(mayfly_directory_close(made));
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(directory)); /* whatever failed */
  return result;
}

static int make_plain(const char *directory) {
  return make(directory, 0);
}

static int make_crash_safe(const char *directory) {
  return make(directory, MAYFLY_TEMP_CRASH_SAFE);
}

static void making_a_temporary_directory(void **state) {
  fail_each(make_plain, NULL, *state);
  fail_each(make_crash_safe, NULL, *state);
}

static void making_one_under_a_narrow_umask(void **state) {
  mode_t before = umask(0777);
  fail_each(make_plain, NULL, *state);
  fail_each(make_crash_safe, NULL, *state);
  umask(before);
}

/* ---- cleaning up ---- */

static mayfly_directory *made;

static void make_full(const char *directory) {
  const mayfly_temp_options options = with(directory, 0);
  assert_ok(mayfly_temporary_directory(&options, &made));
  tree_make(mayfly_directory_path(made), "tree", 2, 1);
}

/* What failed can be tried again. */
static int clean_up(const char *directory) {
  int result = mayfly_directory_cleanup(made);
  calls_stop();
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  assert_ok(mayfly_directory_cleanup(made));
  assert_true(scratch_is_empty(directory));
  assert_ok(mayfly_directory_close(made));
  assert_string_equal(mayfly_last_error(), words);
  return result;
}

static void cleaning_up(void **state) {
  fail_each(clean_up, make_full, *state);
}

/* All at once, and what failed once more. */
static int clean_up_all(const char *directory) {
  int result = mayfly_cleanup();
  calls_stop();
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(directory));
  assert_ok(mayfly_directory_close(made));
  assert_string_equal(mayfly_last_error(), words);
  return result;
}

static void cleaning_up_all(void **state) {
  fail_each(clean_up_all, make_full, *state);
}

static int close_it(const char *directory) {
  (void)directory;
  return mayfly_directory_close(made); /* the object is gone whatever fails */
}

static void closing(void **state) {
  fail_each(close_it, make_full, *state);
}

/* ---- made to last ---- */

static unsigned persist_flags;
static int persist_mode;

/* On failure it is what it was. */
static int persist(const char *directory) {
  char path[TREE_PATH_SIZE], before[TREE_PATH_SIZE];
  struct stat status;
  tree_join(path, directory, "lasting");
  snprintf(before, sizeof before, "%s", mayfly_directory_path(made));
  int result = mayfly_directory_persist(made, path, persist_mode, persist_flags);
  calls_stop();
  assert_return_code(lstat(mayfly_directory_path(made), &status), errno);
  assert_int_equal(status.st_mode & 07777, result == 0 ? 0555 : 0700);
  assert_string_equal(mayfly_directory_path(made), result == 0 ? path : before);
  assert_true(result == 0 || result == MAYFLY_ENOMEM || strstr(mayfly_last_error(), directory) != NULL);
  assert_int_equal(tree_exists(path), result == 0);
  assert_int_equal(tree_exists(before), result < 0);
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  assert_ok(mayfly_directory_close(made));
  assert_string_equal(mayfly_last_error(), words);
  if (result == 0)
    assert_ok(mayfly_rmtree(path, NULL));
  assert_true(scratch_is_empty(directory));
  return result;
}

static void making_it_last(void **state) {
  persist_mode = 0555;
  for (unsigned flags = 0; flags <= (MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC); flags++) {
    persist_flags = flags;
    fail_each(persist, make_full, *state);
  }
}

static void told_so_a_directory_and_its_name_are_put_on_the_disk(void **state) {
  persist_mode = 0555;
  for (unsigned flags = 0; flags <= (MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC); flags++) {
    persist_flags = flags;
    make_full(*state);
    calls_fail("fsync", 1000, 1, EIO); /* none does: they are counted */
    assert_int_equal(persist(*state), 0);
    assert_int_equal(fault_calls("fsync"), (flags & MAYFLY_PERSIST_SYNC) != 0 ? 2 : 0);
  }
}

/* ---- any tree ---- */

enum { DEEP = 20 };

/* Deeper than descriptors are held, with a directory at the top that the way back is needed for. */
static void make_deep(const char *directory) {
  char path[TREE_PATH_SIZE];
  snprintf(path, sizeof path, "%s", directory);
  for (int i = 0; i < DEEP; i++) {
    tree_directory(path, "d");
    strncat(path, "/d", sizeof path - strlen(path) - 1);
    if (i == 0)
      tree_make(path, "beside", 1, 0);
  }
}

static int remove_deep(const char *directory) {
  char path[TREE_PATH_SIZE];
  tree_join(path, directory, "d");
  return mayfly_rmtree(path, NULL);
}

static void removing_a_deep_tree(void **state) {
  static const struct fault_row of_depth[] = {{"openat", EMFILE, MAYFLY_EMFILE},
                                              {"fstat", EIO, MAYFLY_EIO},
                                              {"unlinkat", EROFS, MAYFLY_EROFS},
                                              {"realloc", ENOMEM, MAYFLY_ENOMEM},
                                              {"getdents64", EIO, MAYFLY_EIO}};
  const struct scenario scenario = {.run = remove_deep, .prepare = make_deep, .removes = 1};
  each_call_fails(&scenario, *state, of_depth, sizeof of_depth / sizeof of_depth[0]);
}

static int remove_deep_whatever_fails(const char *directory) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char path[TREE_PATH_SIZE];
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS;
  tree_join(path, directory, "d");
  return mayfly_rmtree(path, &options);
}

static void errors_that_are_ignored_are_none(void **state) {
  static const struct fault_row ignored[] = {{"openat", EMFILE, 0}, {"unlinkat", EROFS, 0}, {"getdents64", EIO, 0}};
  const struct scenario scenario = {.run = remove_deep_whatever_fails, .prepare = make_deep, .removes = 1};
  each_call_fails(&scenario, *state, ignored, sizeof ignored / sizeof ignored[0]);
}

/* ---- the sweep ---- */

static void make_dead(const char *directory) {
  tree_make(directory, ".mayfly-0123456789abcdef", 1, 1);
  tree_directory(directory, ".mayfly-fedcba9876543210");
}

/* What failed is there for the next one. */
static int sweep(const char *directory) {
  uint64_t removed = 77;
  int result = mayfly_sweep(directory, &removed);
  calls_stop();
  if (result < 0)
    assert_int_equal(removed, 77);
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  assert_ok(mayfly_sweep(directory, &removed));
  assert_true(scratch_is_empty(directory));
  assert_string_equal(mayfly_last_error(), words);
  return result;
}

static void sweeping(void **state) {
  fail_each(sweep, make_dead, *state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(making_a_temporary_directory),
      test_in_scratch(making_one_under_a_narrow_umask),
      test_in_scratch(cleaning_up),
      test_in_scratch(cleaning_up_all),
      test_in_scratch(closing),
      test_in_scratch(making_it_last),
      test_in_scratch(told_so_a_directory_and_its_name_are_put_on_the_disk),
      test_in_scratch(removing_a_deep_tree),
      test_in_scratch(errors_that_are_ignored_are_none),
      test_in_scratch(sweeping),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
