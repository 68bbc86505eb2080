/* SPDX-License-Identifier: MIT */
/* address.c - addresses that are made up, found by a service's name, and written as text. */
#include "child.h"
#include "result.h"
#include "test.h"
#include <mayfly/address.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 1000 };

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* `text` is `count` characters of those that names are made of. */
static void expect_name(const char *text, size_t count) {
  assert_int_equal(strspn(text, name_characters), count);
  assert_int_equal(strlen(text), count);
}

/* Nothing behind the NUL, so that two addresses can be compared. */
static void expect_clean(const mayfly_address *address) {
  for (size_t i = strlen(address->name); i < sizeof address->name; i++)
    assert_int_equal(address->name[i], 0);
}

static mayfly_address arbitrary(mayfly_family family) {
  mayfly_address address;
  memset(&address, 0xee, sizeof address);
  assert_ok(mayfly_arbitrary_address(family, &address));
  assert_int_equal(address.family, family);
  assert_int_equal(address.port, 0);
  return address;
}

static void expect_to_be_read_back(const mayfly_address *address) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mayfly_address back;
  assert_ok(mayfly_address_format(address, text, sizeof text));
  assert_int_equal(mayfly_address_type(text), address->family);
  assert_ok(mayfly_address_parse(text, &back));
  assert_int_equal(back.family, address->family);
  assert_int_equal(back.port, address->port);
  assert_string_equal(back.name, address->name);
}

/* ---- arbitrary ones -------------------------------------------------------------------- */

static void an_arbitrary_inet_address_is_a_port_of_this_machine(void **state) {
  (void)state;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mayfly_address address = arbitrary(MAYFLY_AF_INET);
  assert_string_equal(address.name, "localhost");
  assert_ok(mayfly_address_format(&address, text, sizeof text));
  assert_string_equal(text, "localhost:0");
}

static void an_arbitrary_path_is_free_and_in_a_private_directory(void **state) {
  (void)state;
  struct stat status;
  mayfly_address address = arbitrary(MAYFLY_AF_UNIX);
  assert_int_equal(address.name[0], '/');
  assert_true(strlen(address.name) <= 107);
  assert_int_equal(lstat(address.name, &status), -1);
  expect_to_be_read_back(&address);
  char *base = strrchr(address.name, '/');
  assert_memory_equal(base, "/sock-", 6);
  expect_name(base + 6, 8);
  *base = '\0';
  assert_int_equal(lstat(address.name, &status), 0);
  assert_true(S_ISDIR(status.st_mode));
  assert_int_equal(status.st_mode & 07777, 0700);
  assert_int_equal(status.st_uid, geteuid());
  base = strrchr(address.name, '/');
  assert_memory_equal(base, "/.mayfly-", 9);
  expect_name(base + 9, 16);
}

static void an_arbitrary_pipe_is_named_as_python_does(void **state) {
  (void)state;
  char prefix[64];
  int length = snprintf(prefix, sizeof prefix, "\\\\.\\pipe\\pyc-%d-", (int)getpid());
  mayfly_address address = arbitrary(MAYFLY_AF_PIPE), next = arbitrary(MAYFLY_AF_PIPE);
  unsigned long count;
  char *end;
  assert_memory_equal(address.name, prefix, (size_t)length);
  count = strtoul(address.name + length, &end, 10);
  assert_int_equal(*end, '-');
  expect_name(end + 1, 16);
  assert_int_equal(strtoul(next.name + length, &end, 10), count + 1);
  expect_to_be_read_back(&address);
}

static int compare(const void *one, const void *other) {
  return strcmp(((const mayfly_address *)one)->name, ((const mayfly_address *)other)->name);
}

static void expect_no_name_twice(mayfly_family family) {
  static mayfly_address addresses[MANY];
  for (int i = 0; i < MANY; i++)
    addresses[i] = arbitrary(family);
  qsort(addresses, MANY, sizeof addresses[0], compare);
  for (int i = 1; i < MANY; i++)
    assert_string_not_equal(addresses[i - 1].name, addresses[i].name);
}

static void no_name_comes_twice(void **state) {
  (void)state;
  expect_no_name_twice(MAYFLY_AF_UNIX);
  expect_no_name_twice(MAYFLY_AF_PIPE);
}

static int tell_one(int parent, void *context) {
  mayfly_address address;
  (void)context;
  if (mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address) < 0)
    return 1;
  for (const char *text = strrchr(address.name, '-'); *text != '\0'; text++)
    child_say(parent, *text);
  return 0;
}

/* Its random part: that the process's number differs would be no secret. */
static void a_forked_child_draws_other_names(void **state) {
  (void)state;
  struct child children[2];
  char names[2][32];
  arbitrary(MAYFLY_AF_PIPE); /* whatever was drawn in advance is there now */
  for (int i = 0; i < 2; i++) {
    int heard;
    size_t length = 0;
    child_start(&children[i], tell_one, NULL);
    while ((heard = child_hear(children[i].fd)) != -1 && length < sizeof names[i] - 1)
      names[i][length++] = (char)heard;
    names[i][length] = '\0';
    assert_int_equal(length, 17);
    child_expect_exit(&children[i], 0);
  }
  assert_string_not_equal(names[0], names[1]);
}

static void what_is_no_family_has_no_address(void **state) {
  (void)state;
  mayfly_address address, before;
  memset(&address, 0xee, sizeof address);
  before = address;
  assert_error(mayfly_arbitrary_address(MAYFLY_AF_UNSPEC, &address), MAYFLY_EAFNOSUPPORT, "0 is no family");
  assert_error(mayfly_arbitrary_address((mayfly_family)77, &address), MAYFLY_EAFNOSUPPORT, "77 is no family");
  assert_error(mayfly_arbitrary_address(MAYFLY_AF_UNIX, NULL), MAYFLY_EINVAL,
               "mayfly_arbitrary_address: address is NULL");
  assert_memory_equal(&address, &before, sizeof address);
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

/* ---- text ----------------------------------------------------------------------------------- */

static void expect_no_address(const char *text, int error, const char *words) {
  mayfly_address address, before;
  memset(&address, 0xee, sizeof address);
  before = address;
  assert_error(mayfly_address_parse(text, &address), error, words);
  assert_memory_equal(&address, &before, sizeof address);
}

static void a_text_that_is_no_address_is_quoted(void **state) {
  (void)state;
  expect_no_address("", MAYFLY_EINVAL, "the address \"\": ");
  expect_no_address("::1:80", MAYFLY_EINVAL, "the address \"::1:80\": brackets");
  expect_no_address("host:65536", MAYFLY_EINVAL, "the address \"host:65536\": ");
  expect_no_address("@", MAYFLY_EINVAL, "the address \"@\": ");
  expect_no_address("unix:", MAYFLY_EINVAL, "the address \"unix:\": ");
  expect_no_address("\\\\host\\pipe\\x", MAYFLY_EINVAL, "AF_PIPE");
  expect_no_address(NULL, MAYFLY_EINVAL, "mayfly_address_parse: text is NULL");
  assert_error(mayfly_address_parse("x", NULL), MAYFLY_EINVAL, "mayfly_address_parse: address is NULL");
  char text[300];
  memset(text, 'x', sizeof text);
  text[256] = '\0';
  expect_no_address(text, MAYFLY_ENAMETOOLONG, "at most 255 bytes");
}

static void an_address_that_is_none_is_not_written(void **state) {
  (void)state;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mayfly_address address = {.family = MAYFLY_AF_INET, .port = 80, .name = "host"};
  memset(text, 0xee, sizeof text);
  assert_error(mayfly_address_format(NULL, text, sizeof text), MAYFLY_EINVAL, "address is NULL");
  assert_error(mayfly_address_format(&address, NULL, 8), MAYFLY_EINVAL, "buffer is NULL");
  assert_error(mayfly_address_format(&address, text, 7), MAYFLY_ERANGE, "the buffer is too small");
  assert_error(mayfly_address_format(&address, text, 0), MAYFLY_ERANGE, "the buffer is too small");
  address.family = MAYFLY_AF_UNIX;
  assert_error(mayfly_address_format(&address, text, sizeof text), MAYFLY_EINVAL, "only an AF_INET address has a port");
  address.family = MAYFLY_AF_UNSPEC;
  address.port = 0;
  assert_error(mayfly_address_format(&address, text, sizeof text), MAYFLY_EINVAL, "is of no family");
  for (size_t i = 0; i < sizeof text; i++)
    assert_int_equal((unsigned char)text[i], 0xee);
  address = (mayfly_address){.family = MAYFLY_AF_INET, .port = 80, .name = "host"};
  assert_ok(mayfly_address_format(&address, text, 8));
  assert_string_equal(text, "host:80");
}

static void a_types_question_sets_no_words(void **state) {
  (void)state;
  assert_error(mayfly_address_parse("", &(mayfly_address){0}), MAYFLY_EINVAL, "");
  char before[600];
  snprintf(before, sizeof before, "%s", mayfly_last_error());
  assert_int_equal(mayfly_address_type(NULL), MAYFLY_AF_UNSPEC);
  assert_int_equal(mayfly_address_type(""), MAYFLY_AF_UNSPEC);
  assert_int_equal(mayfly_address_type("host:80"), MAYFLY_AF_INET);
  assert_int_equal(mayfly_address_type("/host:80"), MAYFLY_AF_UNIX);
  assert_int_equal(mayfly_address_type("\\\\.\\pipe\\x"), MAYFLY_AF_PIPE);
  assert_int_equal(mayfly_default_family(), MAYFLY_AF_UNIX);
  assert_string_equal(mayfly_last_error(), before);
}

#define test_of_service(function) test_with_fixtures(function, remember_runtime_directory, restore_runtime_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(an_arbitrary_inet_address_is_a_port_of_this_machine),
      test(an_arbitrary_path_is_free_and_in_a_private_directory),
      test(an_arbitrary_pipe_is_named_as_python_does),
      test(no_name_comes_twice),
      test(a_forked_child_draws_other_names),
      test(what_is_no_family_has_no_address),
      test_of_service(a_users_service_is_in_the_users_runtime_directory),
      test_of_service(a_system_service_is_in_run_whatever_the_environment),
      test_of_service(without_a_runtime_directory_no_name_is_guessed),
      test_of_service(a_services_name_is_one_part_of_a_path),
      test_of_service(a_services_path_fits_into_a_socket),
      test(a_text_that_is_no_address_is_quoted),
      test(an_address_that_is_none_is_not_written),
      test(a_types_question_sets_no_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
