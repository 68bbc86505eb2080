/* SPDX-License-Identifier: MIT */
/* directory.c - files and directories that are held, at the door: no public function reaches them on Windows yet. */
#include "os.h"
#include "result.h"
#include "test.h"
#include <stdio.h>
#include <string.h>

#include <windows.h>

static void make_file(const char *directory, const char *name) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd;
  scratch_path(path, directory, name);
  assert_ok(mf_os_file_create(path, &fd));
  assert_ok(mf_os_file_write(fd, "content", 7));
  assert_ok(mf_os_fd_close(fd));
}

static void a_held_directory_can_neither_be_removed_nor_renamed(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  mayfly_os_fd held;
  scratch_path(path, *state, "held");
  scratch_path(other, *state, "other");
  assert_ok(mf_os_directory_create(path, 1, &held));
  assert_error(mf_os_directory_create(path, 1, &held), MAYFLY_EEXIST, "held");
  assert_false(RemoveDirectoryA(path));
  assert_false(MoveFileA(path, other));
  assert_int_equal(mf_os_directory_still(path, held), 1);
  assert_ok(mf_os_directory_remove(path, held));
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void a_directory_goes_with_the_files_in_it(void **state) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_os_fd held;
  scratch_path(path, *state, "t\xC3\xA4st");
  assert_ok(mf_os_directory_create(path, 1, &held));
  for (int i = 0; i < 300; i++) { /* more than one listing holds */
    char name[64] = "a name that takes some room in the listing of its directory   ";
    name[sizeof name - 4] = (char)('a' + i / 26);
    name[sizeof name - 3] = (char)('a' + i % 26);
    name[sizeof name - 2] = '\0';
    char file[SCRATCH_PATH_SIZE * 2];
    mayfly_os_fd fd;
    snprintf(file, sizeof file, "%s\\%s", path, name);
    assert_ok(mf_os_file_create(file, &fd));
    assert_ok(mf_os_fd_close(fd));
  }
  assert_ok(mf_os_directory_remove(path, held));
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void a_directory_inside_stays_with_its_parent(void **state) {
  char path[SCRATCH_PATH_SIZE], inside[SCRATCH_PATH_SIZE];
  mayfly_os_fd held;
  scratch_path(path, *state, "held");
  assert_ok(mf_os_directory_create(path, 1, &held));
  scratch_path(inside, path, "inside");
  assert_true(CreateDirectoryA(inside, NULL));
  assert_error(mf_os_directory_remove(path, held), MAYFLY_ENOTEMPTY, "held");
  assert_true(RemoveDirectoryA(inside));
  assert_true(RemoveDirectoryA(path));
}

static void a_stranger_under_the_name_is_left_alone(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  mayfly_os_fd held;
  scratch_path(path, *state, "name");
  scratch_path(other, *state, "moved");
  assert_ok(mf_os_directory_create(path, 0, &held)); /* not locked, so it can be moved */
  assert_true(MoveFileA(path, other));
  assert_true(CreateDirectoryA(path, NULL));
  make_file(path, "the stranger's");
  assert_int_equal(mf_os_directory_still(path, held), 0);
  assert_error(mf_os_directory_remove(path, held), MAYFLY_ESTOLEN, "no longer leads");
  scratch_path(other, path, "the stranger's");
  assert_int_equal(mf_os_path_exists(other), 1);
  assert_true(DeleteFileA(other));
  assert_true(RemoveDirectoryA(path));
  scratch_path(other, *state, "moved");
  assert_true(RemoveDirectoryA(other));
}

static void a_file_that_was_replaced_is_left_alone(void **state) {
  char path[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd;
  scratch_path(path, *state, "file");
  scratch_path(other, *state, "moved");
  assert_ok(mf_os_file_create(path, &fd));
  assert_true(MoveFileA(path, other));
  make_file(*state, "file");
  assert_error(mf_os_file_discard(fd, path), MAYFLY_ESTOLEN, "no longer leads");
  assert_int_equal(mf_os_path_exists(path), 1);
  assert_true(DeleteFileA(path));
  assert_true(DeleteFileA(other));
}

static void paths_longer_than_260_characters_work(void **state) {
  enum { LEVELS = 5 };
  char paths[LEVELS][1024];
  for (int i = 0; i < LEVELS; i++) {
    mayfly_os_fd fd;
    const char *above = i == 0 ? *state : paths[i - 1];
    snprintf(paths[i], sizeof paths[i], "%s\\%0100d", above, i);
    assert_ok(mf_os_directory_create(paths[i], 0, &fd));
    assert_ok(mf_os_fd_close(fd));
  }
  assert_int_equal(mf_os_path_exists(paths[LEVELS - 1]), 1);
  for (int i = LEVELS - 1; i >= 0; i--) {
    mayfly_os_fd fd;
    char again[1100];
    snprintf(again, sizeof again, "%s-", paths[i]);
    assert_ok(mf_os_directory_create(again, 1, &fd));
    assert_ok(mf_os_directory_remove(again, fd));
    wchar_t wide[1200] = L"\\\\?\\";
    MultiByteToWideChar(CP_UTF8, 0, paths[i], -1, wide + 4, 1190);
    assert_true(RemoveDirectoryW(wide));
  }
}

static void a_file_in_the_place_of_a_directory_is_named_so(void **state) {
  char path[SCRATCH_PATH_SIZE], below[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd;
  make_file(*state, "file");
  scratch_path(path, *state, "file");
  scratch_path(below, path, "below");
  assert_error(mf_os_file_create(below, &fd), MAYFLY_ENOTDIR, "below");
  assert_error(mf_os_directory_create(below, 0, &fd), MAYFLY_ENOTDIR, "below");
  scratch_path(below, *state, "absent\\below");
  assert_error(mf_os_file_create(below, &fd), MAYFLY_ENOENT, "below");
  assert_error(mf_os_directory_create(below, 0, &fd), MAYFLY_ENOENT, "below");
  assert_true(DeleteFileA(path));
}

static void names_that_windows_reserves_are_refused(void **state) {
  static const char *const refused[] = {"a\\b", "a/b", "c:", "..", "nul.", "COM1.x", "a*", "a\x01"};
  static const char *const taken[] = {"", "a", "nul", "nullify.", "com0.", ".x", "t\xC3\xA4st"};
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    assert_error(mf_os_name_check(refused[i]), MAYFLY_EINVAL, "");
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    assert_ok(mf_os_name_check(taken[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_held_directory_can_neither_be_removed_nor_renamed),
      test_in_scratch(a_directory_goes_with_the_files_in_it),
      test_in_scratch(a_directory_inside_stays_with_its_parent),
      test_in_scratch(a_stranger_under_the_name_is_left_alone),
      test_in_scratch(a_file_that_was_replaced_is_left_alone),
      test_in_scratch(paths_longer_than_260_characters_work),
      test_in_scratch(a_file_in_the_place_of_a_directory_is_named_so),
      test(names_that_windows_reserves_are_refused),
  };
  return cmocka_run_group_tests_name("windows.directory", tests, NULL, NULL);
}
