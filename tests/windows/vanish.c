/* SPDX-License-Identifier: MIT */
/* vanish.c - what becomes of temporary things that somebody has open, and of those of a process that ends or is killed:
 * it is this program once more. */
#include "background.h"
#include "files.h"
#include "program.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wine.h"

enum { SHARE_SOME = FILE_SHARE_READ | FILE_SHARE_WRITE };

/* ---- the other process ---- */

static int make_directory_with_a_tree(const mayfly_temp_options *options) {
  mayfly_directory *directory;
  mayfly_temp_options inside = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_os_fd fd;
  char *path;
  if (mayfly_temporary_directory(options, &directory) < 0)
    return 1;
  inside.dir = mayfly_directory_path(directory);
  if (mayfly_mkdtemp(&inside, &path) < 0)
    return 1;
  inside.dir = path;
  return mayfly_mkstemp(&inside, &fd, &path) < 0 || mayfly_os_fd_close(fd) < 0;
}

/* What is left when it ends is what is looked at, so nothing is closed. */
static int make_one_of_each(const char *directory, unsigned flags) {
  const mayfly_temp_options options = files_with(directory, flags);
  const mayfly_temp_options reopenable = files_with(directory, flags | MAYFLY_TEMP_REOPENABLE);
  const mayfly_temp_options plain = files_in(directory);
  mayfly_file *files[4];
  if (mayfly_named_temporary_file(&options, &files[0]) < 0 || mayfly_named_temporary_file(&reopenable, &files[1]) < 0 ||
      mayfly_named_temporary_file(&reopenable, &files[2]) < 0 || mayfly_file_release(files[2]) < 0 ||
      mayfly_temporary_file(&plain, &files[3]) < 0)
    return 1;
  return make_directory_with_a_tree(&options);
}

static int make_and_end(const char *directory) {
  return make_one_of_each(directory, 0) || make_one_of_each(directory, MAYFLY_TEMP_CRASH_SAFE);
}

static int make_and_wait(const char *directory) {
  if (make_one_of_each(directory, MAYFLY_TEMP_CRASH_SAFE) != 0)
    return 1;
  child_say(PROGRAM_PARENT, 'm');
  return child_hear(PROGRAM_PARENT) == 'e' ? 0 : 1;
}

/* Makes and removes until it is killed. */
static int make_for_ever(const char *directory) {
  const mayfly_temp_options options = files_with(directory, MAYFLY_TEMP_CRASH_SAFE);
  child_say(PROGRAM_PARENT, 'm');
  for (;;) {
    mayfly_file *file;
    mayfly_directory *made;
    if (mayfly_named_temporary_file(&options, &file) < 0 || mayfly_temporary_directory(&options, &made) < 0 ||
        mayfly_file_close(file) < 0 || mayfly_directory_close(made) < 0 || mayfly_cleanup() < 0)
      return 1;
  }
}

static void start(struct child *child, const char *what, const char *directory) {
  char self[MAX_PATH];
  GetModuleFileNameA(NULL, self, sizeof self);
  program_start(child, (const char *[]){self, what, directory, NULL});
}

static void start_and_hear(struct child *child, const char *what, const char *directory) {
  start(child, what, directory);
  assert_int_equal(child_hear(child->fd), 'm');
}

/* ---- its end ---- */

/* Wine keeps the name of a file that the process still had open until it has ended, and so the process's own directory:
 * that is left, with nothing in it. */
static void expect_nothing_left(const char *directory) {
  uint64_t removed;
  if (is_wine())
    assert_ok(mayfly_sweep(directory, &removed));
  assert_true(scratch_is_empty(directory));
}

static void nothing_is_left_at_exit(void **state) {
  struct child child;
  start(&child, "end", *state);
  child_expect_exit(&child, 0);
  expect_nothing_left(*state);
}

static void a_sweep_removes_what_a_killed_process_left_and_nothing_of_a_living_one(void **state) {
  struct child killed, living;
  uint64_t removed = 7;
  assert_ok(mayfly_sweep(*state, &removed));
  assert_int_equal(removed, 0);
  start_and_hear(&killed, "wait", *state);
  start_and_hear(&living, "wait", *state);
  assert_ok(mayfly_sweep(*state, &removed));
  assert_int_equal(removed, 0);
  child_kill(&killed, SIGTERM);
  assert_ok(mayfly_sweep(*state, &removed));
  assert_int_equal(removed, 1);
  assert_ok(mayfly_sweep(*state, &removed));
  assert_int_equal(removed, 0);
  child_say(living.fd, 'e');
  child_expect_exit(&living, 0); /* which it does only if it could remove what it had made */
  expect_nothing_left(*state);
}

static void killed_at_any_moment_it_leaves_only_what_a_sweep_removes(void **state) {
  enum { ROUNDS = 40 };
  struct child living;
  uint64_t removed, sum = 0;
  start_and_hear(&living, "for ever", *state);
  for (int i = 0; i < ROUNDS; i++) {
    struct child child;
    start_and_hear(&child, "for ever", *state);
    Sleep((DWORD)i % 7); /* some moment */
    assert_ok(mayfly_sweep(*state, &removed));
    sum += removed;
    child_kill(&child, SIGTERM);
  }
  child_kill(&living, SIGTERM); /* not before: whatever it makes is never taken away from it */
  assert_ok(mayfly_sweep(*state, &removed));
  print_message("  %d killed, %d swept\n", ROUNDS + 1, (int)(sum + removed));
  assert_true(scratch_is_empty(*state));
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 60 };

static int make_and_close(void *directory) {
  static const unsigned flags[] = {0, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_CRASH_SAFE};
  for (int i = 0; i < ROUNDS; i++) {
    const mayfly_temp_options options = files_with(directory, flags[i % 3]);
    const mayfly_temp_options inside = files_with(directory, i % 2 == 0 ? 0 : MAYFLY_TEMP_CRASH_SAFE);
    mayfly_file *file;
    mayfly_directory *made;
    int result = mayfly_named_temporary_file(&options, &file);
    if (result < 0 || (result = mayfly_file_write(file, "content", 7)) < 0 || (result = mayfly_file_close(file)) < 0 ||
        (result = mayfly_temporary_directory(&inside, &made)) < 0 || (result = mayfly_directory_close(made)) < 0)
      return result;
  }
  return 0;
}

/* Where a removed file keeps its name until it is closed, as under Wine, its directory must wait for that. */
static void expect_clean_or_not_yet(int result) {
  if (is_wine() && result < 0)
    assert_error(result, MAYFLY_ENOTEMPTY, ".mayfly-");
  else
    assert_ok(result);
}

static void of_what_four_threads_make_while_a_fifth_cleans_up_nothing_is_left(void **state) {
  struct background others[THREADS];
  for (int i = 0; i < THREADS; i++)
    background_start(&others[i], make_and_close, *state);
  for (int i = 0; i < ROUNDS; i++)
    expect_clean_or_not_yet(mayfly_cleanup());
  for (int i = 0; i < THREADS; i++)
    background_expect_ok(&others[i]);
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(*state));
}

/* ---- what somebody has open ---- */

static void a_crash_safe_file_that_is_open_at_a_cleanup_leaves_nothing_at_the_next(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_CRASH_SAFE | MAYFLY_TEMP_REOPENABLE);
  expect_clean_or_not_yet(mayfly_cleanup());
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(*state));
}

static HANDLE open_as_others(const char *path) {
  HANDLE handle = CreateFileA(path, GENERIC_READ, SHARE_SOME, NULL, OPEN_EXISTING, 0, NULL);
  assert_ptr_not_equal(handle, INVALID_HANDLE_VALUE);
  return handle;
}

static void a_file_that_cannot_go_at_its_close_goes_at_the_cleanup(void **state) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  HANDLE other = open_as_others(path);
  assert_error(mayfly_file_close(file), MAYFLY_EBUSY, path);
  assert_true(files_exists(path));
  assert_error(mayfly_cleanup(), MAYFLY_EBUSY, path);
  CloseHandle(other);
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(*state));
}

static void a_released_file_is_open_to_who_shares_nothing(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  const char *path = mayfly_file_path(file);
  assert_ptr_equal(CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL), INVALID_HANDLE_VALUE);
  assert_ok(mayfly_file_release(file));
  HANDLE other = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
  assert_ptr_not_equal(other, INVALID_HANDLE_VALUE);
  CloseHandle(other);
  assert_ok(mayfly_file_close(file));
}

static void a_directory_with_an_open_file_is_cleaned_up_when_that_is_closed(void **state) {
  const mayfly_temp_options options = files_in(*state);
  char path[SCRATCH_PATH_SIZE];
  mayfly_directory *directory;
  assert_ok(mayfly_temporary_directory(&options, &directory));
  scratch_path(path, mayfly_directory_path(directory), "open");
  files_put(path, "content");
  HANDLE other = open_as_others(path);
  assert_error(mayfly_directory_cleanup(directory), MAYFLY_EBUSY, path);
  assert_true(files_exists(path));
  assert_false(RemoveDirectoryA(mayfly_directory_path(directory))); /* it is still held */
  CloseHandle(other);
  assert_ok(mayfly_directory_cleanup(directory));
  assert_ok(mayfly_directory_close(directory));
}

static void cleanup_errors_are_ignored_on_request(void **state) {
  const mayfly_temp_options options = files_with(*state, MAYFLY_TEMP_IGNORE_CLEANUP_ERRORS);
  char path[SCRATCH_PATH_SIZE];
  mayfly_directory *directory;
  assert_ok(mayfly_temporary_directory(&options, &directory));
  scratch_path(path, mayfly_directory_path(directory), "open");
  files_put(path, "content");
  HANDLE other = open_as_others(path);
  assert_ok(mayfly_directory_cleanup(directory));
  assert_true(files_exists(path));
  CloseHandle(other);
  assert_ok(mayfly_directory_cleanup(directory));
  assert_false(files_exists(path));
  assert_ok(mayfly_directory_close(directory));
}

static void the_working_directory_of_a_process_is_emptied_and_left(void **state) {
  const mayfly_temp_options options = files_in(*state);
  char path[SCRATCH_PATH_SIZE];
  mayfly_directory *directory;
  assert_ok(mayfly_temporary_directory(&options, &directory));
  scratch_path(path, mayfly_directory_path(directory), "file");
  files_put(path, "content");
  assert_true(SetCurrentDirectoryA(mayfly_directory_path(directory)));
  assert_error(mayfly_directory_cleanup(directory), MAYFLY_EBUSY, mayfly_directory_path(directory));
  assert_false(files_exists(path));
  assert_true(SetCurrentDirectoryA("\\"));
  assert_ok(mayfly_directory_cleanup(directory));
  assert_ok(mayfly_directory_close(directory));
}

/* ---- what is made to last ---- */

static void a_published_file_replaces_another_and_is_no_temporary_one(void **state) {
  static const unsigned flags[] = {0, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_KEEP};
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "target");
  for (int i = 0; i < 3; i++) {
    mayfly_file *file = files_named(*state, flags[i]);
    files_put(target, "before");
    files_write(file, "published");
    assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, MAYFLY_PERSIST_SYNC));
    assert_true((GetFileAttributesA(target) & FILE_ATTRIBUTE_TEMPORARY) == 0);
    files_expect_at(target, "published");
    assert_ok(mayfly_file_close(file));
    files_expect_at(target, "published");
    files_remove(target);
  }
}

static void a_file_is_published_over_one_that_is_read(void **state) {
  char target[SCRATCH_PATH_SIZE];
  skip_under_wine("a file that is open is not replaced");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  scratch_path(target, *state, "target");
  files_put(target, "before");
  HANDLE reader = CreateFileA(target, GENERIC_READ, SHARE_SOME | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
  files_write(file, "published");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  CloseHandle(reader);
  files_expect_at(target, "published");
  assert_ok(mayfly_file_close(file));
  files_remove(target);
}

int main(int count, char **arguments) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(nothing_is_left_at_exit),
      test_in_scratch(a_sweep_removes_what_a_killed_process_left_and_nothing_of_a_living_one),
      test_in_scratch(killed_at_any_moment_it_leaves_only_what_a_sweep_removes),
      test_in_scratch(of_what_four_threads_make_while_a_fifth_cleans_up_nothing_is_left),
      test_in_scratch(a_crash_safe_file_that_is_open_at_a_cleanup_leaves_nothing_at_the_next),
      test_in_scratch(a_file_that_cannot_go_at_its_close_goes_at_the_cleanup),
      test_in_scratch(a_released_file_is_open_to_who_shares_nothing),
      test_in_scratch(a_directory_with_an_open_file_is_cleaned_up_when_that_is_closed),
      test_in_scratch(cleanup_errors_are_ignored_on_request),
      test_in_scratch(the_working_directory_of_a_process_is_emptied_and_left),
      test_in_scratch(a_published_file_replaces_another_and_is_no_temporary_one),
      test_in_scratch(a_file_is_published_over_one_that_is_read),
  };
  if (count == 3)
    return strcmp(arguments[1], "end") == 0    ? make_and_end(arguments[2])
           : strcmp(arguments[1], "wait") == 0 ? make_and_wait(arguments[2])
                                               : make_for_ever(arguments[2]);
  return cmocka_run_group_tests_name("windows.vanish", tests, NULL, NULL);
}
