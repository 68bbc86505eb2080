/* SPDX-License-Identifier: MIT */
/* tree.c - directories that are held, and the removal of trees, at the door: what Windows has of its own. */
#include "background.h"
#include "os.h"
#include "program.h"
#include "result.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wine.h"

enum { LONG_PATH_SIZE = 8192 };

static void below(char path[LONG_PATH_SIZE], const char *directory, const char *name) {
  assert_in_range(snprintf(path, LONG_PATH_SIZE, "%s\\%s", directory, name), 1, LONG_PATH_SIZE - 1);
}

static void make_file(const char *directory, const char *name) {
  char path[LONG_PATH_SIZE];
  mayfly_os_fd fd;
  below(path, directory, name);
  assert_ok(mf_os_file_create(path, 0, &fd, NULL));
  assert_ok(mf_os_file_write_at(fd, "content", 7, 0));
  assert_ok(mf_os_fd_close(fd));
}

static void make_directory(char path[LONG_PATH_SIZE], const char *directory, const char *name) {
  mayfly_os_fd fd;
  below(path, directory, name);
  assert_ok(mf_os_directory_create(path, 0, &fd));
  assert_ok(mf_os_fd_close(fd));
}

static int exists(const char *directory, const char *name) {
  char path[LONG_PATH_SIZE];
  below(path, directory, name);
  return assert_ok(mf_os_path_exists(path));
}

static void remove_tree(const char *path) {
  mayfly_os_fd held;
  assert_ok(mf_os_directory_open(path, &held));
  assert_ok(mf_os_directory_remove(path, &held, NULL, NULL));
  assert_int_equal(held, MAYFLY_NO_FD);
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void expect_failure(const char *path, int error, const char *words) {
  mayfly_os_fd held;
  assert_ok(mf_os_directory_open(path, &held));
  assert_error(mf_os_directory_remove(path, &held, NULL, NULL), error, words);
  assert_int_equal(mf_os_directory_still(path, held), 1);
  assert_ok(mf_os_fd_close(held));
}

/* ---- what is held ---- */

static void a_held_directory_can_neither_be_removed_nor_renamed(void **state) {
  char path[LONG_PATH_SIZE], other[LONG_PATH_SIZE];
  mayfly_os_fd held;
  below(path, *state, "held");
  below(other, *state, "other");
  assert_ok(mf_os_directory_create(path, 1, &held));
  assert_error(mf_os_directory_create(path, 1, &held), MAYFLY_EEXIST, "held");
  assert_false(RemoveDirectoryA(path));
  assert_false(MoveFileA(path, other));
  assert_int_equal(mf_os_directory_still(path, held), 1);
  assert_true(SetCurrentDirectoryA(path)); /* which shares no deletion */
  assert_true(SetCurrentDirectoryA("\\"));
  assert_ok(mf_os_directory_remove(path, &held, NULL, NULL));
  assert_int_equal(mf_os_path_exists(path), 0);
}

static void a_stranger_under_the_name_is_left_alone(void **state) {
  char path[LONG_PATH_SIZE], other[LONG_PATH_SIZE];
  mayfly_os_fd held;
  below(path, *state, "name");
  below(other, *state, "moved");
  assert_ok(mf_os_directory_create(path, 0, &held)); /* not locked, so it can be moved */
  make_file(path, "ours");
  assert_true(MoveFileA(path, other));
  assert_true(CreateDirectoryA(path, NULL));
  make_file(path, "the stranger's");
  assert_int_equal(mf_os_directory_still(path, held), 0);
  assert_error(mf_os_directory_remove(path, &held, NULL, NULL), MAYFLY_ESTOLEN, "no longer leads");
  assert_int_equal(exists(path, "the stranger's"), 1);
  assert_int_equal(exists(other, "ours"), 1);
  remove_tree(path);
  assert_ok(mf_os_directory_remove(path, &held, NULL, NULL)); /* nothing of that name */
  remove_tree(other);
}

/* ---- a dead process's ---- */

static void what_somebody_holds_is_not_claimed(void **state) {
  char path[LONG_PATH_SIZE], file[LONG_PATH_SIZE];
  mayfly_os_fd held, claimed, second = 7;
  below(path, *state, "held");
  below(file, *state, "file");
  make_file(*state, "file");
  assert_ok(mf_os_directory_create(path, 1, &held));
  assert_int_equal(mf_os_directory_claim(path, &second), MAYFLY_EAGAIN);
  assert_ok(mf_os_fd_close(held));
  assert_ok(mf_os_directory_claim(path, &claimed));
  assert_int_equal(mf_os_directory_claim(path, &second), MAYFLY_EAGAIN);
  assert_int_equal(mf_os_directory_claim(file, &second), MAYFLY_EAGAIN);
  make_file(path, "inside");
  assert_ok(mf_os_directory_remove(path, &claimed, NULL, NULL));
  assert_int_equal(mf_os_directory_claim(path, &second), MAYFLY_EAGAIN);
  assert_int_equal(second, 7);
  assert_true(DeleteFileA(file));
}

/* ---- trees ---- */

static void a_directory_goes_with_all_that_is_in_it(void **state) {
  char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE];
  make_directory(path, *state, "t\xC3\xA4st");
  for (int i = 0; i < 300; i++) { /* more than one listing holds */
    char name[100];
    snprintf(name, sizeof name, "%03d a name that takes some room in the listing of its directory", i);
    if (i % 10 == 0) {
      make_directory(inside, path, name);
      make_file(inside, "file");
      make_directory(inside, inside, ".x");
      make_file(inside, "..file");
    } else
      make_file(path, name);
  }
  remove_tree(path);
}

static void read_only_is_not_in_the_way(void **state) {
  char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE], file[LONG_PATH_SIZE];
  make_directory(path, *state, "top");
  make_directory(inside, path, "inside");
  make_file(inside, "file");
  below(file, inside, "file");
  assert_true(SetFileAttributesA(file, FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM));
  assert_true(SetFileAttributesA(inside, FILE_ATTRIBUTE_READONLY));
  assert_true(SetFileAttributesA(path, FILE_ATTRIBUTE_READONLY));
  remove_tree(path);
}

static void a_tree_deeper_than_what_is_kept_open_goes(void **state) {
  enum { LEVELS = 150 };
  char path[LONG_PATH_SIZE], level[LONG_PATH_SIZE];
  make_directory(path, *state, "top");
  strcpy(level, path);
  for (int i = 0; i < LEVELS; i++) {
    char beside[LONG_PATH_SIZE];
    make_file(level, "file");
    make_directory(beside, level, "beside");
    make_file(beside, "file");
    strcat(level, "\\a deep directory");
    mayfly_os_fd fd;
    assert_ok(mf_os_directory_create(level, 0, &fd));
    assert_ok(mf_os_fd_close(fd));
  }
  remove_tree(path);
}

static void a_tree_of_long_korean_names_goes(void **state) {
  static const char name[] = "\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4 \xEC\x9D\xB4\xEB\xA6\x84\xEC\x9D\xB4 "
                             "\xEA\xB8\xB8\xEB\x8B\xA4"; /* 10 characters, 26 bytes */
  char path[LONG_PATH_SIZE], level[LONG_PATH_SIZE];
  make_directory(path, *state, name);
  strcpy(level, path);
  for (int i = 0; i < 60; i++) {
    char next[LONG_PATH_SIZE];
    make_directory(next, level, name);
    make_file(next, "\xED\x8C\x8C\xEC\x9D\xBC");
    strcpy(level, next);
  }
  assert_true(strlen(level) > 1600);
  remove_tree(path);
}

static int tell(void *context, uint64_t removed) {
  *(uint64_t *)context = removed;
  return 0;
}

static int stop_at_five(void *context, uint64_t removed) {
  tell(context, removed);
  return removed == 5;
}

static void a_removal_tells_how_far_it_is_and_is_stopped(void **state) {
  char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE];
  uint64_t told = 0;
  mayfly_os_fd held;
  make_directory(path, *state, "top");
  make_directory(inside, path, "inside");
  for (int i = 0; i < 9; i++) {
    char name[2] = {(char)('a' + i), '\0'};
    make_file(i < 3 ? path : inside, name);
  }
  assert_ok(mf_os_directory_open(path, &held));
  assert_error(mf_os_directory_remove(path, &held, stop_at_five, &told), MAYFLY_ECANCELED, "top");
  assert_int_equal(told, 5);
  assert_ok(mf_os_directory_remove(path, &held, tell, &told));
  assert_int_equal(told, 6);
}

/* ---- what is open ---- */

static HANDLE open_file(const char *directory, const char *name, DWORD share) {
  char path[LONG_PATH_SIZE];
  below(path, directory, name);
  HANDLE handle = CreateFileA(path, GENERIC_READ, share, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  assert_ptr_not_equal(handle, INVALID_HANDLE_VALUE);
  return handle;
}

static void a_file_that_is_open_stays_and_the_rest_goes(void **state) {
  char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE];
  make_directory(path, *state, "top");
  make_directory(inside, path, "inside");
  make_file(inside, "a");
  make_file(inside, "open");
  make_file(inside, "z");
  make_file(path, "z");
  HANDLE handle = open_file(inside, "open", FILE_SHARE_READ | FILE_SHARE_WRITE);
  expect_failure(path, MAYFLY_EBUSY, "top\\inside\\open");
  assert_int_equal(exists(inside, "a") + exists(inside, "z") + exists(path, "z"), 0);
  assert_int_equal(exists(inside, "open"), 1);
  CloseHandle(handle);
  remove_tree(path);
}

/* Older systems, and Wine, keep its name until it is closed. */
static void a_file_that_is_open_for_deletion_too_goes_at_once_or_at_its_close(void **state) {
  char path[LONG_PATH_SIZE];
  mayfly_os_fd held;
  make_directory(path, *state, "top");
  make_file(path, "open");
  HANDLE handle = open_file(path, "open", FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
  assert_ok(mf_os_directory_open(path, &held));
  if (!is_wine()) {
    assert_ok(mf_os_directory_remove(path, &held, NULL, NULL));
    CloseHandle(handle);
    return;
  }
  assert_error(mf_os_directory_remove(path, &held, NULL, NULL), MAYFLY_ENOTEMPTY, "top");
  CloseHandle(handle);
  assert_int_equal(exists(path, "open"), 0);
  assert_ok(mf_os_directory_remove(path, &held, NULL, NULL));
}

static int close_in_a_moment(void *handle) {
  Sleep(100);
  return CloseHandle(handle) ? 0 : MAYFLY_EIO;
}

static void what_is_open_for_a_moment_is_waited_for(void **state) {
  static const char *const names[] = {"file", "inside"};
  for (int i = 0; i < 2; i++) {
    char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE];
    struct background other;
    make_directory(path, *state, "top");
    make_directory(inside, path, "inside");
    make_file(path, "file");
    HANDLE handle = open_file(path, names[i], FILE_SHARE_READ | FILE_SHARE_WRITE);
    background_start(&other, close_in_a_moment, handle);
    remove_tree(path);
    background_expect_ok(&other);
  }
}

/* As the working directory of some process is. */
static void a_directory_that_is_open_is_emptied(void **state) {
  char path[LONG_PATH_SIZE], inside[LONG_PATH_SIZE];
  make_directory(path, *state, "top");
  make_directory(inside, path, "inside");
  make_file(inside, "file");
  HANDLE handle = open_file(path, "inside", FILE_SHARE_READ | FILE_SHARE_WRITE);
  expect_failure(path, MAYFLY_EBUSY, "top\\inside");
  assert_int_equal(exists(inside, "file"), 0);
  CloseHandle(handle);
  remove_tree(path);
}

/* ---- links ---- */

/* Wine makes no links, so ci/windows made this one: MAYFLY_TEST_LINKED\top\link leads to ...\target. */
static void make_link(const char *scratch, char parent[LONG_PATH_SIZE]) {
  const char *made = getenv("MAYFLY_TEST_LINKED");
  char path[LONG_PATH_SIZE], target[LONG_PATH_SIZE], link[LONG_PATH_SIZE];
  struct child child;
  if (is_wine() && made == NULL) {
    print_message("skipped: MAYFLY_TEST_LINKED names no directory with a link\n");
    skip();
  }
  snprintf(parent, LONG_PATH_SIZE, "%s", is_wine() ? made : scratch);
  if (is_wine())
    return;
  make_directory(path, parent, "top");
  make_directory(target, parent, "target");
  make_file(target, "file");
  below(link, path, "link");
  program_start(&child, (const char *[]){"cmd", "/c", "mklink", "/J", link, target, NULL});
  child_expect_exit(&child, 0);
}

static void a_link_to_a_directory_is_not_followed(void **state) {
  char parent[LONG_PATH_SIZE], path[LONG_PATH_SIZE], link[LONG_PATH_SIZE];
  mayfly_os_fd held;
  make_link(*state, parent);
  below(path, parent, "top");
  below(link, path, "link");
  assert_error(mf_os_directory_open(link, &held), MAYFLY_ENOTDIR, "a link");
  strcat(link, "\\");
  assert_error(mf_os_directory_open(link, &held), MAYFLY_ENOTDIR, "a link");
  make_file(path, "beside");
  if (is_wine()) {
    expect_failure(path, MAYFLY_ELOOP, "top\\link");
    assert_int_equal(exists(path, "beside"), 0);
    assert_int_equal(exists(path, "link"), 1);
  } else
    remove_tree(path);
  below(path, parent, "target");
  assert_int_equal(exists(path, "file"), 1);
  if (!is_wine())
    remove_tree(path);
}

/* ---- another name ---- */

static void expect_rename(mayfly_os_fd *held, const char *from, const char *to, unsigned flags, int error,
                          const char *words) {
  assert_error(mf_os_directory_rename(held, from, to, MAYFLY_MODE_PRIVATE, flags), error, words);
  assert_int_equal(mf_os_directory_still(from, *held), 1);
}

static void a_directory_replaces_an_empty_one_and_nothing_else(void **state) {
  char from[LONG_PATH_SIZE], to[LONG_PATH_SIZE];
  mayfly_os_fd held;
  below(from, *state, "from");
  assert_ok(mf_os_directory_create(from, 1, &held));
  make_file(from, "file");
  make_directory(to, *state, "full");
  make_file(to, "file");
  expect_rename(&held, from, to, 0, MAYFLY_ENOTEMPTY, "full");
  remove_tree(to);
  below(to, *state, "file");
  make_file(*state, "file");
  expect_rename(&held, from, to, 0, MAYFLY_ENOTDIR, "file");
  expect_rename(&held, from, to, MAYFLY_PERSIST_NOREPLACE, MAYFLY_EEXIST, "file");
  assert_true(DeleteFileA(to));
  below(to, *state, "absent\\name");
  expect_rename(&held, from, to, 0, MAYFLY_ENOENT, "absent");
  make_directory(to, *state, "empty");
  expect_rename(&held, from, to, MAYFLY_PERSIST_NOREPLACE, MAYFLY_EEXIST, "empty");
  assert_false(MoveFileA(from, "other")); /* it is held as before */
  assert_ok(mf_os_directory_rename(&held, from, to, MAYFLY_MODE_NEW, MAYFLY_PERSIST_SYNC));
  assert_int_equal(held, MAYFLY_NO_FD);
  assert_int_equal(mf_os_path_exists(from), 0);
  assert_int_equal(exists(to, "file"), 1);
  remove_tree(to);
}

/* ---- names ---- */

static int count_names(void *context, const char *name) {
  int *counts = context;
  counts[strcmp(name, "\xED\x8C\x8C\xEC\x9D\xBC") == 0]++;
  return counts[0] == 100 ? 7 : 0;
}

static void the_names_in_a_directory_are_listed(void **state) {
  char path[LONG_PATH_SIZE];
  int counts[2] = {0};
  make_directory(path, *state, "top");
  assert_ok(mf_os_directory_list(path, count_names, counts));
  assert_int_equal(counts[0] + counts[1], 0);
  make_file(path, "\xED\x8C\x8C\xEC\x9D\xBC");
  for (int i = 0; i < 200; i++) {
    char name[100];
    snprintf(name, sizeof name, "%03d a name that takes some room in the listing of its directory", i);
    make_file(path, name);
  }
  assert_int_equal(mf_os_directory_list(path, count_names, counts), 7);
  assert_in_range(counts[0], 100, 100);
  counts[0] = -1000;
  counts[1] = 0;
  assert_ok(mf_os_directory_list(path, count_names, counts));
  assert_int_equal(counts[0], -800);
  assert_int_equal(counts[1], 1);
  remove_tree(path);
  assert_error(mf_os_directory_list(path, count_names, counts), MAYFLY_ENOENT, "top");
}

static void what_is_the_name_of_no_directory_is_not_opened(void **state) {
  static const char *const refused[] = {"",
                                        ".",
                                        "..",
                                        "./",
                                        ".\\.",
                                        "a/..",
                                        "a\\..\\",
                                        "/",
                                        "\\",
                                        "c:",
                                        "c:\\",
                                        "c:/.",
                                        "c:.",
                                        "c:..",
                                        "c:.\\..\\",
                                        "...",
                                        ".. ",
                                        " ",
                                        "a\\. .",
                                        "\\\\server\\share",
                                        "//server/share/"};
  mayfly_os_fd fd;
  char path[LONG_PATH_SIZE];
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    assert_error(mf_os_directory_open(refused[i], &fd), MAYFLY_EINVAL, "no directory");
  make_file(*state, "file");
  below(path, *state, "file");
  assert_error(mf_os_directory_open(path, &fd), MAYFLY_ENOTDIR, "a file");
  assert_true(DeleteFileA(path));
  assert_error(mf_os_directory_open(path, &fd), MAYFLY_ENOENT, "file");
  make_directory(path, *state, "top");
  strcat(path, "\\.\\/./");
  remove_tree(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_held_directory_can_neither_be_removed_nor_renamed),
      test_in_scratch(a_stranger_under_the_name_is_left_alone),
      test_in_scratch(what_somebody_holds_is_not_claimed),
      test_in_scratch(a_directory_goes_with_all_that_is_in_it),
      test_in_scratch(read_only_is_not_in_the_way),
      test_in_scratch(a_tree_deeper_than_what_is_kept_open_goes),
      test_in_scratch(a_tree_of_long_korean_names_goes),
      test_in_scratch(a_removal_tells_how_far_it_is_and_is_stopped),
      test_in_scratch(a_file_that_is_open_stays_and_the_rest_goes),
      test_in_scratch(a_file_that_is_open_for_deletion_too_goes_at_once_or_at_its_close),
      test_in_scratch(what_is_open_for_a_moment_is_waited_for),
      test_in_scratch(a_directory_that_is_open_is_emptied),
      test_in_scratch(a_link_to_a_directory_is_not_followed),
      test_in_scratch(a_directory_replaces_an_empty_one_and_nothing_else),
      test_in_scratch(the_names_in_a_directory_are_listed),
      test_in_scratch(what_is_the_name_of_no_directory_is_not_opened),
  };
  return cmocka_run_group_tests_name("windows.tree", tests, NULL, NULL);
}
