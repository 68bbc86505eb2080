/* SPDX-License-Identifier: MIT */
/* rooms.c - the temporary directory, names, the process's own directory and cleaning up, with every call failing. */
#include "calls.h"
#include "each.h"
#include "result.h"
#include "test.h"
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
    {"open", EMFILE, MAYFLY_EMFILE},
    {"open", ENFILE, MAYFLY_EMFILE},
    {"open", EACCES, MAYFLY_EACCES},
    {"open", EINTR, 0},
    {"openat", EINTR, 0},
    {"mkdir", ENOSPC, MAYFLY_ENOSPC},
    {"mkdir", EROFS, MAYFLY_EROFS},
    {"fchmod", EPERM, MAYFLY_EPERM},
    {"fchmod", EINTR, 0},
    {"fchmodat", EPERM, MAYFLY_EPERM},
    {"flock", ENOLCK, MAYFLY_EIO},
    {"flock", EINTR, 0},
    {"pwrite", ENOSPC, MAYFLY_ENOSPC},
    {"pwrite", EINTR, 0},
    {"close", EINTR, 0},
    {"close", EIO, MAYFLY_EIO},
    {"getcwd", ENOMEM, MAYFLY_ENOMEM},
    {"getcwd", ENOENT, MAYFLY_ENOENT},
    {"getentropy", EIO, MAYFLY_EIO},
};

/* Those that removing something may come to: it may stay then. */
static const struct fault_row rows_of_removal[] = {
    {"realloc", ENOMEM, MAYFLY_ENOMEM}, {"getdents64", EIO, MAYFLY_EIO},    {"openat", EMFILE, MAYFLY_EMFILE},
    {"fstat", EIO, MAYFLY_EIO},         {"fstatat", EACCES, MAYFLY_EACCES}, {"lstat", EACCES, MAYFLY_EACCES},
    {"lstat", ENOMEM, MAYFLY_ENOMEM},   {"unlink", EROFS, MAYFLY_EROFS},    {"unlinkat", EROFS, MAYFLY_EROFS},
    {"rmdir", EROFS, MAYFLY_EROFS},
};

/* ---- scenarios ---- */

static int make_directory(const char *directory) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char *path;
  options.dir = directory;
  int result = mayfly_mkdtemp(&options, &path);
  calls_stop();
  if (result < 0)
    return result;
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
  return 0;
}

static int find_free_name(const char *directory) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char *path;
  options.dir = directory;
  int result = mayfly_mktemp(&options, &path);
  if (result == 0)
    mayfly_free(path);
  return result;
}

/* TMPDIR and TEMP lead to the same directory: where the first is given up, the second is found. */
static int search_and_make(const char *directory) {
  char *path;
  int result = mayfly_settempdir(NULL);
  if (result == 0)
    result = mayfly_mkdtemp(NULL, &path);
  calls_stop();
  if (result < 0)
    return result;
  assert_memory_equal(path, directory, strlen(directory));
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
  return 0;
}

static int make_in_working_directory(const char *directory) {
  char *path;
  int result = mayfly_settempdir(".");
  if (result == 0)
    result = mayfly_mkdtemp(NULL, &path);
  calls_stop();
  if (result < 0)
    return result;
  assert_memory_equal(path, directory, strlen(directory));
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
  return 0;
}

static int find_addresses(const char *directory) {
  mayfly_address first, second;
  int result = mayfly_settempdir(directory);
  if (result == 0)
    result = mayfly_arbitrary_address(MAYFLY_AF_UNIX, &first);
  if (result == 0)
    result = mayfly_arbitrary_address(MAYFLY_AF_UNIX, &second); /* in the directory that is there */
  calls_stop();
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  assert_ok(mayfly_cleanup());
  assert_string_equal(mayfly_last_error(), words);
  return result;
}

static mayfly_listener *listeners[2];

static void listen_twice(const char *directory) {
  mayfly_address given = {MAYFLY_AF_UNIX, 0, ""};
  scratch_path(given.name, directory, "given");
  assert_ok(mayfly_settempdir(directory));
  assert_ok(mayfly_listen(&given, NULL, &listeners[0]));
  assert_ok(mayfly_listen(NULL, NULL, &listeners[1]));
}

/* The process's own directory, where it could not go, goes now. */
static int clean_up(const char *directory) {
  (void)directory;
  int result = mayfly_cleanup();
  calls_stop();
  assert_ok(mayfly_cleanup());
  for (int i = 0; i < 2; i++)
    assert_ok(mayfly_listener_close(listeners[i]));
  return result;
}

static void listen_once(const char *directory) {
  mayfly_address given = {MAYFLY_AF_UNIX, 0, ""};
  scratch_path(given.name, directory, "given");
  assert_ok(mayfly_listen(&given, NULL, &listeners[0]));
}

static int close_listener(const char *directory) {
  (void)directory;
  return mayfly_listener_close(listeners[0]);
}

/* ---- tests ---- */

static void fail_each(const struct scenario *scenario, const char *directory) {
  struct scenario strict = *scenario;
  strict.removes = 0;
  each_call_fails(&strict, directory, rows, sizeof rows / sizeof rows[0]);
  each_call_fails(scenario, directory, rows_of_removal, sizeof rows_of_removal / sizeof rows_of_removal[0]);
}

static void making_a_directory(void **state) {
  fail_each(&(struct scenario){.run = make_directory}, *state);
}

/* Then its mode is to be put right. */
static void making_a_directory_under_a_narrow_umask(void **state) {
  mode_t before = umask(0777);
  fail_each(&(struct scenario){.run = make_directory}, *state);
  umask(before);
}

static void finding_a_free_name(void **state) {
  fail_each(&(struct scenario){.run = find_free_name}, *state);
}

static void searching_the_temporary_directory(void **state) {
  setenv("TMPDIR", *state, 1);
  setenv("TEMP", *state, 1);
  fail_each(&(struct scenario){.run = search_and_make, .removes = 1}, *state);
  mode_t before = umask(0777);
  fail_each(&(struct scenario){.run = search_and_make, .removes = 1}, *state);
  umask(before);
  unsetenv("TEMP");
  unsetenv("TMPDIR");
}

static void making_a_directory_in_the_working_directory(void **state) {
  char *before = getcwd(NULL, 0);
  assert_return_code(chdir(*state), errno);
  fail_each(&(struct scenario){.run = make_in_working_directory}, *state);
  assert_return_code(chdir(before), errno);
  free(before);
}

static void finding_arbitrary_addresses(void **state) {
  fail_each(&(struct scenario){.run = find_addresses}, *state);
}

static void cleaning_up(void **state) {
  fail_each(&(struct scenario){.run = clean_up, .prepare = listen_twice, .removes = 1}, *state);
}

static void closing_a_listener(void **state) {
  fail_each(&(struct scenario){.run = close_listener, .prepare = listen_once, .removes = 1}, *state);
}

/* ---- modes ---- */

static int made;

static void expect_private(mode_t mode) {
  assert_int_equal(mode & 077, 0);
  made++;
}

/* Not made for all and then closed to them: somebody might be in by then. */
static void what_is_made_is_private_from_its_first_moment(void **state) {
  mode_t before = umask(0);
  made = 0;
  setenv("TMPDIR", *state, 1);
  calls_hooks.mkdir = calls_hooks.open = expect_private;
  assert_int_equal(search_and_make(*state), 0);
  assert_int_equal(find_addresses(*state), 0);
  calls_hooks.mkdir = calls_hooks.open = NULL;
  unsetenv("TMPDIR");
  assert_int_equal(made, 3); /* the probe's file, a directory, the process's own */
  umask(before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(making_a_directory),
      test_in_scratch(making_a_directory_under_a_narrow_umask),
      test_in_scratch(finding_a_free_name),
      test_in_scratch(searching_the_temporary_directory),
      test_in_scratch(making_a_directory_in_the_working_directory),
      test_in_scratch(finding_arbitrary_addresses),
      test_in_scratch(cleaning_up),
      test_in_scratch(closing_a_listener),
      test_in_scratch(what_is_made_is_private_from_its_first_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
