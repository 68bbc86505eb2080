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

/* The same bytes `repeats` times, then others. */
static int draw(void *buffer, size_t size) {
  memset(buffer, drawn++ < repeats ? 'a' : 'b', size);
  return 0;
}

static void draw_again(int times) {
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

static void expect_the_second_name(const char *directory, const char *taken) {
  const mayfly_temp_options options = in(directory);
  char *path;
  draw_again(2);
  assert_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  assert_ok(mayfly_mkdtemp(&options, &path));
  assert_string_not_equal(path, taken);
  assert_int_equal(drawn, 3);
  assert_non_null(strstr(mayfly_last_error(), "empty")); /* a success does not change the words */
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
  draw_again(2);
  assert_ok(mayfly_mktemp(&options, &path));
  assert_string_not_equal(path, taken);
  assert_int_equal(drawn, 3);
  mayfly_free(path);
}

static void a_name_that_a_file_has_is_passed_over(void **state) {
  char taken[SCRATCH_PATH_SIZE];
  first_name(*state, taken);
  close(open(taken, O_WRONLY | O_CREAT, 0600));
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

static void after_ten_thousand_names_it_gives_up(void **state) {
  const mayfly_temp_options options = in(*state);
  char taken[SCRATCH_PATH_SIZE], *path = (char *)"untouched";
  first_name(*state, taken);
  assert_return_code(mkdir(taken, 0700), errno);
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_mkdtemp(&options, &path), MAYFLY_EEXIST, "10000");
  assert_int_equal(drawn, MAYFLY_TMP_MAX);
  draw_again(MAYFLY_TMP_MAX + 1);
  assert_error(mayfly_mktemp(&options, &path), MAYFLY_EEXIST, *state);
  assert_int_equal(drawn, MAYFLY_TMP_MAX);
  assert_string_equal(path, "untouched");
  assert_return_code(rmdir(taken), errno);
  draw_as_usual(NULL);
}

/* The probe's names are drawn too: what is there is neither used nor touched. */
static void a_probe_passes_over_a_name_that_is_taken(void **state) {
  char taken[SCRATCH_PATH_SIZE], random[SCRATCH_PATH_SIZE];
  first_name(*state, random);
  const char *name = strrchr(random, '/') + 1 + strlen(mayfly_gettempprefix());
  scratch_path(taken, *state, name);
  assert_return_code(symlink("/etc/passwd", taken), errno);
  setenv("TMPDIR", *state, 1);
  assert_ok(mayfly_settempdir(NULL));
  draw_again(2);
  assert_string_equal(mayfly_gettempdir(), *state);
  assert_int_equal(drawn, 3);
  assert_return_code(unlink(taken), errno);
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
      test_in_scratch(after_ten_thousand_names_it_gives_up),
      test_in_scratch(a_probe_passes_over_a_name_that_is_taken),
      test_in_scratch(an_arbitrary_address_passes_over_a_name_that_is_taken_and_gives_up_in_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, draw_as_usual);
}
