/* SPDX-License-Identifier: MIT */
/* names.c - names that are taken: the random bytes are not random here. */
#include "calls.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int drawn, repeats;

enum { NAME_SIZE = 8, STORE_MAX = 64 };

/* The bytes of the same name `repeats` times, then others. */
static int draw(void *buffer, size_t size) {
  for (size_t i = 0; i < size; i += NAME_SIZE)
    memset((char *)buffer + i, drawn++ < repeats ? 'a' : 'b', NAME_SIZE);
  return 0;
}

static int fetched;

static int fetch(void *buffer, size_t size) {
  static int number; /* no name twice, or more than one would be tried */
  for (size_t i = 0; i < size; i += NAME_SIZE)
    memcpy((char *)buffer + i, &(int64_t){++number}, NAME_SIZE);
  fetched = (int)(size / NAME_SIZE);
  return 0;
}

static void use_a_name_up(void) {
  const mayfly_temp_options options = {.size = sizeof options, .dir = "/", .prefix = "nothing-is-called-so-"};
  char *path;
  assert_ok(mayfly_mktemp(&options, &path));
  mayfly_free(path);
}

/* Random bytes are fetched for many names at once: those in store are used up, so that the next are fetched. */
static void empty_store(void) {
  calls_hooks.getentropy = fetch;
  for (fetched = 0; fetched == 0;)
    use_a_name_up();
  while (--fetched > 0)
    use_a_name_up();
}

static void draw_again(int times) {
  empty_store();
  drawn = 0;
  repeats = times;
  calls_hooks.getentropy = draw;
}

static int draw_as_usual(void **state) {
  (void)state;
  calls_hooks.getentropy = NULL;
  return 0;
}

static mayfly_temp_options in(const char *directory) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  return options;
}

/* What a name drawn once looks like. */
static void first_name(const char *directory, char path[SCRATCH_PATH_SIZE]) {
  const mayfly_temp_options options = in(directory);
  char *free_path;
  draw_again(1);
  assert_ok(mayfly_mktemp(&options, &free_path));
  snprintf(path, SCRATCH_PATH_SIZE, "%s", free_path);
  mayfly_free(free_path);
}

static int refuse_unnamed(int flags) {
  return (flags & O_TMPFILE) == O_TMPFILE ? EOPNOTSUPP : 0;
}

static void expect_files_of_the_second_name(const char *directory, const char *taken) {
  const mayfly_temp_options options = in(directory);
  mayfly_file *file;
  mayfly_os_fd fd;
  char *path;
  draw_again(2);
  assert_ok(mayfly_mkstemp(&options, &fd, &path));
  assert_string_not_equal(path, taken);
  close((int)fd);
  assert_return_code(unlink(path), errno);
  mayfly_free(path);
  draw_again(2);
  assert_ok(mayfly_named_temporary_file(&options, &file));
  assert_string_not_equal(mayfly_file_path(file), taken);
  assert_ok(mayfly_file_close(file));
  draw_again(2);
  calls_hooks.refuse_open = refuse_unnamed;
  assert_ok(mayfly_temporary_file(&options, &file));
  calls_hooks.refuse_open = NULL;
  assert_ok(mayfly_file_write(file, "content", 7));
  assert_ok(mayfly_file_close(file));
}

static void expect_the_second_name(const char *directory, const char *taken) {
  const mayfly_temp_options options = in(directory);
  char *path;
  draw_again(2);
  assert_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  assert_ok(mayfly_mkdtemp(&options, &path));
  assert_string_not_equal(path, taken);
  assert_non_null(strstr(mayfly_last_error(), "empty")); /* a success does not change the words */
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
  draw_again(2);
  assert_ok(mayfly_mktemp(&options, &path));
  assert_string_not_equal(path, taken);
  mayfly_free(path);
  expect_files_of_the_second_name(directory, taken);
}

static void a_name_that_a_file_has_is_passed_over(void **state) {
  char taken[SCRATCH_PATH_SIZE];
  first_name(*state, taken);
  close(open(taken, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  expect_the_second_name(*state, taken);
  assert_return_code(unlink(taken), errno);
  draw_as_usual(NULL);
}

static void a_name_that_a_directory_has_is_passed_over(void **state) {
  char taken[SCRATCH_PATH_SIZE];
  first_name(*state, taken);
  assert_return_code(mkdir(taken, 0700), errno);
  expect_the_second_name(*state, taken);
  assert_return_code(rmdir(taken), errno);
  draw_as_usual(NULL);
}

static void a_name_that_a_link_has_is_passed_over_wherever_it_leads(void **state) {
  char taken[SCRATCH_PATH_SIZE];
  first_name(*state, taken);
  assert_return_code(symlink("/nowhere", taken), errno);
  expect_the_second_name(*state, taken);
  assert_return_code(unlink(taken), errno);
  assert_return_code(symlink("/", taken), errno);
  expect_the_second_name(*state, taken);
  assert_return_code(unlink(taken), errno);
  draw_as_usual(NULL);
}

/* What a file is written to is never what somebody has put in its way. */
static void the_target_of_a_link_of_that_name_is_untouched(void **state) {
  char taken[SCRATCH_PATH_SIZE], victim[SCRATCH_PATH_SIZE];
  struct stat before, after;
  scratch_path(victim, *state, "victim");
  first_name(*state, taken);
  assert_return_code(close(open(victim, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)), errno);
  assert_return_code(symlink(victim, taken), errno);
  assert_return_code(stat(victim, &before), errno);
  expect_the_second_name(*state, taken);
  assert_return_code(stat(victim, &after), errno);
  assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
  assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof before.st_ctim);
  assert_int_equal(after.st_size, 0);
  assert_return_code(unlink(taken), errno);
  assert_return_code(unlink(victim), errno);
  draw_as_usual(NULL);
}

static void without_random_bytes_nothing_is_made(void **state) {
  const mayfly_temp_options options = in(*state);
  mayfly_file *file;
  mayfly_os_fd fd;
  char *path;
  empty_store();
  calls_fail("getentropy", 1, 100, EIO);
  assert_error(mayfly_mkstemp(&options, &fd, &path), MAYFLY_EIO, "random bytes");
  assert_error(mayfly_named_temporary_file(&options, &file), MAYFLY_EIO, "random bytes");
  assert_error(mayfly_mkdtemp(&options, &path), MAYFLY_EIO, "random bytes");
  assert_error(mayfly_mktemp(&options, &path), MAYFLY_EIO, "random bytes");
  assert_int_equal(calls_stop(), 1);
  draw_as_usual(NULL);
  assert_ok(mayfly_mktemp(&options, &path));
  mayfly_free(path);
}

static void after_ten_thousand_names_it_gives_up(void **state) {
  const mayfly_temp_options options = in(*state);
  char taken[SCRATCH_PATH_SIZE], *path = (char *)"untouched";
  first_name(*state, taken);
  assert_return_code(mkdir(taken, 0700), errno);
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_mkdtemp(&options, &path), MAYFLY_EEXIST, "10000");
  assert_in_range(drawn, MAYFLY_TMP_MAX, MAYFLY_TMP_MAX + STORE_MAX);
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_mktemp(&options, &path), MAYFLY_EEXIST, *state);
  assert_in_range(drawn, MAYFLY_TMP_MAX, MAYFLY_TMP_MAX + STORE_MAX);
  assert_string_equal(path, "untouched");
  mayfly_file *file = NULL;
  mayfly_os_fd fd;
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_mkstemp(&options, &fd, &path), MAYFLY_EEXIST, "10000");
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_named_temporary_file(&options, &file), MAYFLY_EEXIST, "10000");
  assert_null(file);
  assert_return_code(rmdir(taken), errno);
  draw_as_usual(NULL);
}

/* The probe's names are drawn too: what is there is neither used nor touched. */
static void a_probe_passes_over_a_name_that_is_taken(void **state) {
  char taken[SCRATCH_PATH_SIZE], random[SCRATCH_PATH_SIZE], victim[SCRATCH_PATH_SIZE];
  struct stat status;
  first_name(*state, random);
  const char *name = strrchr(random, '/') + 1 + strlen(mayfly_gettempprefix());
  scratch_path(taken, *state, name);
  scratch_path(victim, *state, "victim");
  assert_return_code(close(open(victim, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)), errno);
  assert_return_code(symlink(victim, taken), errno);
  setenv("TMPDIR", *state, 1);
  assert_ok(mayfly_settempdir(NULL));
  draw_again(2);
  assert_string_equal(mayfly_gettempdir(), *state);
  assert_return_code(stat(victim, &status), errno);
  assert_int_equal(status.st_size, 0);
  assert_return_code(unlink(taken), errno);
  assert_return_code(unlink(victim), errno);
  unsetenv("TMPDIR");
  draw_as_usual(NULL);
}

static void an_arbitrary_address_passes_over_a_name_that_is_taken_and_gives_up_in_the_end(void **state) {
  mayfly_address first, second = {MAYFLY_AF_UNSPEC, 0, "untouched"};
  mayfly_listener *listener;
  assert_ok(mayfly_settempdir(*state));
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &first)); /* now the directory is there */
  draw_again(1);
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &first));
  assert_ok(mayfly_listen(&first, NULL, &listener));
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &second), MAYFLY_EEXIST, "10000");
  assert_string_equal(second.name, "untouched");
  draw_again(2);
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &second));
  assert_string_not_equal(first.name, second.name);
  draw_as_usual(NULL);
  assert_ok(mayfly_listener_close(listener));
  assert_ok(mayfly_cleanup());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_name_that_a_file_has_is_passed_over),
      test_in_scratch(a_name_that_a_directory_has_is_passed_over),
      test_in_scratch(a_name_that_a_link_has_is_passed_over_wherever_it_leads),
      test_in_scratch(the_target_of_a_link_of_that_name_is_untouched),
      test_in_scratch(after_ten_thousand_names_it_gives_up),
      test_in_scratch(without_random_bytes_nothing_is_made),
      test_in_scratch(a_probe_passes_over_a_name_that_is_taken),
      test_in_scratch(an_arbitrary_address_passes_over_a_name_that_is_taken_and_gives_up_in_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, draw_as_usual);
}
