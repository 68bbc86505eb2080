/* SPDX-License-Identifier: MIT */
/* address_paths.c - AF_UNIX addresses that are made up, and those of services. */
#include "result.h"
#include "test.h"
#include <mayfly/address.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* Nothing behind the NUL, so that two addresses can be compared. */
static void expect_clean(const mayfly_address *address) {
  for (size_t i = strlen(address->name); i < sizeof address->name; i++)
    assert_int_equal(address->name[i], 0);
}

static void an_arbitrary_path_is_free_and_in_a_private_directory(void **state) {
  (void)state;
  struct stat status;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  assert_int_equal(address.family, MAYFLY_AF_UNIX);
  assert_int_equal(address.name[0], '/');
  assert_true(strlen(address.name) <= 107);
  assert_int_equal(lstat(address.name, &status), -1);
  char *base = strrchr(address.name, '/');
  assert_memory_equal(base, "/sock-", 6);
  assert_int_equal(strspn(base + 6, name_characters), 8);
  assert_int_equal(strlen(base + 6), 8);
  *base = '\0';
  assert_int_equal(lstat(address.name, &status), 0);
  assert_true(S_ISDIR(status.st_mode));
  assert_int_equal(status.st_mode & 07777, 0700);
  assert_int_equal(status.st_uid, geteuid());
  base = strrchr(address.name, '/');
  assert_memory_equal(base, "/.mayfly-", 9);
  assert_int_equal(strspn(base + 9, name_characters), 16);
  assert_int_equal(strlen(base + 9), 16);
}

/* ---- services ----------------------------------------------------------------------------- */

static char *runtime_directory; /* as it was before the test */

static int remember_runtime_directory(void **state) {
  const char *value = getenv("XDG_RUNTIME_DIR");
  (void)state;
  runtime_directory = value != NULL ? strdup(value) : NULL;
  return 0;
}

static int restore_runtime_directory(void **state) {
  (void)state;
  if (runtime_directory == NULL)
    return unsetenv("XDG_RUNTIME_DIR");
  int result = setenv("XDG_RUNTIME_DIR", runtime_directory, 1);
  free(runtime_directory);
  return result;
}

static void set_runtime_directory(const char *path) {
  assert_int_equal(path != NULL ? setenv("XDG_RUNTIME_DIR", path, 1) : unsetenv("XDG_RUNTIME_DIR"), 0);
}

static mayfly_address service(const char *name, mayfly_scope scope) {
  mayfly_address address;
  memset(&address, 0xee, sizeof address);
  assert_ok(mayfly_service_address(name, scope, &address));
  assert_int_equal(address.family, MAYFLY_AF_UNIX);
  assert_int_equal(address.port, 0);
  expect_clean(&address);
  return address;
}

static void a_users_service_is_in_the_users_runtime_directory(void **state) {
  (void)state;
  set_runtime_directory("/run/user/1000");
  assert_string_equal(service("echo", MAYFLY_SCOPE_USER).name, "/run/user/1000/echo.sock");
  assert_string_equal(service("a.b-c d", MAYFLY_SCOPE_USER).name, "/run/user/1000/a.b-c d.sock");
  set_runtime_directory("/nowhere"); /* nothing is looked at, nothing is made */
  assert_string_equal(service("echo", MAYFLY_SCOPE_USER).name, "/nowhere/echo.sock");
}

static void a_system_service_is_in_run_whatever_the_environment(void **state) {
  (void)state;
  set_runtime_directory("/run/user/1000");
  assert_string_equal(service("echo", MAYFLY_SCOPE_SYSTEM).name, "/run/echo.sock");
  set_runtime_directory(NULL);
  assert_string_equal(service("echo", MAYFLY_SCOPE_SYSTEM).name, "/run/echo.sock");
}

static void expect_none(const char *name, mayfly_scope scope, int error, const char *words) {
  mayfly_address address, before;
  memset(&address, 0xee, sizeof address);
  before = address;
  assert_error(mayfly_service_address(name, scope, &address), error, words);
  assert_memory_equal(&address, &before, sizeof address);
}

static void without_a_runtime_directory_no_name_is_guessed(void **state) {
  (void)state;
  set_runtime_directory(NULL);
  expect_none("echo", MAYFLY_SCOPE_USER, MAYFLY_ENOENT, "XDG_RUNTIME_DIR is not set");
  set_runtime_directory("");
  expect_none("echo", MAYFLY_SCOPE_USER, MAYFLY_ENOENT, "XDG_RUNTIME_DIR is no absolute path");
  set_runtime_directory("run/user");
  expect_none("echo", MAYFLY_SCOPE_USER, MAYFLY_ENOENT, "XDG_RUNTIME_DIR is no absolute path");
}

static void a_services_name_is_one_part_of_a_path(void **state) {
  (void)state;
  set_runtime_directory("/run/user/1000");
  expect_none("", MAYFLY_SCOPE_USER, MAYFLY_EINVAL, "its name is empty");
  expect_none("a/b", MAYFLY_SCOPE_USER, MAYFLY_EINVAL, "has a separator in it");
  expect_none("/", MAYFLY_SCOPE_SYSTEM, MAYFLY_EINVAL, "has a separator in it");
  expect_none("..", MAYFLY_SCOPE_USER, MAYFLY_EINVAL, "\"..\"");
  expect_none("echo", (mayfly_scope)9, MAYFLY_EINVAL, "9 is no scope");
  expect_none(NULL, MAYFLY_SCOPE_USER, MAYFLY_EINVAL, "service is NULL");
  assert_error(mayfly_service_address("echo", MAYFLY_SCOPE_USER, NULL), MAYFLY_EINVAL, "address is NULL");
}

/* Of 107 bytes five are "/run/" and five ".sock". */
static void a_services_path_fits_into_a_socket(void **state) {
  (void)state;
  char name[300];
  memset(name, 'x', sizeof name);
  name[97] = '\0';
  assert_int_equal(strlen(service(name, MAYFLY_SCOPE_SYSTEM).name), 107);
  name[97] = 'x';
  name[98] = '\0';
  expect_none(name, MAYFLY_SCOPE_SYSTEM, MAYFLY_ENAMETOOLONG, "108 bytes, and it may have 107");
  name[98] = 'x';
  name[299] = '\0';
  expect_none(name, MAYFLY_SCOPE_SYSTEM, MAYFLY_ENAMETOOLONG, "309 bytes");
}

#define test_of_service(function) test_with_fixtures(function, remember_runtime_directory, restore_runtime_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(an_arbitrary_path_is_free_and_in_a_private_directory),
      test_of_service(a_users_service_is_in_the_users_runtime_directory),
      test_of_service(a_system_service_is_in_run_whatever_the_environment),
      test_of_service(without_a_runtime_directory_no_name_is_guessed),
      test_of_service(a_services_name_is_one_part_of_a_path),
      test_of_service(a_services_path_fits_into_a_socket),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
