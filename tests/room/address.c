/* SPDX-License-Identifier: MIT */
/* address.c - addresses that are made up, and written as text; those of AF_UNIX, and of services, in address_paths.c.
 */
#include "child.h"
#include "result.h"
#include "test.h"
#include <mayfly/address.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 1000 };

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* `text` is `count` characters of those that names are made of. */
static void expect_name(const char *text, size_t count) {
  assert_int_equal(strspn(text, name_characters), count);
  assert_int_equal(strlen(text), count);
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

static void an_arbitrary_address_of_this_system_is_read_back(void **state) {
  (void)state;
  mayfly_address address = arbitrary(mayfly_default_family());
  expect_to_be_read_back(&address);
}

static void no_name_comes_twice(void **state) {
  (void)state;
  expect_no_name_twice(mayfly_default_family());
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
static void another_process_draws_other_names(void **state) {
  (void)state;
  struct child children[2];
  char names[2][32];
  arbitrary(MAYFLY_AF_PIPE); /* whatever was drawn in advance is there now */
  for (int i = 0; i < 2; i++) {
    int heard;
    size_t length = 0;
    child_start_apart(&children[i], tell_one, NULL, 0);
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
  assert_int_equal(mayfly_default_family(), mayfly_address_type(arbitrary(mayfly_default_family()).name));
  assert_string_equal(mayfly_last_error(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(an_arbitrary_inet_address_is_a_port_of_this_machine),
      test(an_arbitrary_pipe_is_named_as_python_does),
      test(an_arbitrary_address_of_this_system_is_read_back),
      test(no_name_comes_twice),
      test(another_process_draws_other_names),
      test(what_is_no_family_has_no_address),
      test(a_text_that_is_no_address_is_quoted),
      test(an_address_that_is_none_is_not_written),
      test(a_types_question_sets_no_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
