/* SPDX-License-Identifier: MIT */
/* endpoint_paths.c - AF_UNIX paths that can't be listened on or connected to. */
#include "result.h"
#include "test.h"
#include <errno.h>
#include <mayfly/connection.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mayfly_address in_scratch(const char *directory, const char *name) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, directory, name);
  return address;
}

static void expect_neither(const mayfly_address *address, int error, const char *words) {
  mayfly_listener *listener = NULL;
  mayfly_connection *connection = NULL;
  assert_error(mayfly_listen(address, NULL, &listener), error, words);
  assert_error(mayfly_connect(address, NULL, &connection), error, words);
  assert_null(listener);
  assert_null(connection);
}

static void a_path_that_no_socket_can_have_says_how_long_it_may_be(void **state) {
  mayfly_address address = in_scratch(*state, "");
  size_t length = strlen(address.name);
  memset(address.name + length, 'x', sizeof address.name - length);
  address.name[108] = '\0';
  expect_neither(&address, MAYFLY_ENAMETOOLONG, "108 bytes, and a socket's path may have 107");
  address.name[108] = 'x';
  address.name[255] = '\0';
  expect_neither(&address, MAYFLY_ENAMETOOLONG, "255 bytes, and a socket's path may have 107");
  address.name[0] = '@';
  expect_neither(&address, MAYFLY_ENAMETOOLONG, "may have 107");
}

static void a_directory_that_is_not_there_is_an_error_of_the_system(void **state) {
  char file[SCRATCH_PATH_SIZE];
  mayfly_address absent = in_scratch(*state, "absent/socket"), below = in_scratch(*state, "file/socket"),
                 loop = in_scratch(*state, "loop/socket");
  expect_neither(&absent, MAYFLY_ENOENT, absent.name);
  scratch_path(file, *state, "file");
  FILE *made = fopen(file, "w");
  assert_non_null(made);
  assert_int_equal(fclose(made), 0);
  expect_neither(&below, MAYFLY_ENOTDIR, below.name);
  assert_return_code(unlink(file), errno);
  scratch_path(file, *state, "loop");
  assert_return_code(symlink("loop", file), errno);
  expect_neither(&loop, MAYFLY_ELOOP, loop.name);
  assert_return_code(unlink(file), errno);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_path_that_no_socket_can_have_says_how_long_it_may_be),
      test_in_scratch(a_directory_that_is_not_there_is_an_error_of_the_system),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
