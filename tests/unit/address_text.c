/* SPDX-License-Identifier: MIT */
/* Tests of addresses as text: the table of forms, the way there and back, and every refusal. */
#include "address_text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* needs those before it */

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define ABC_10          "abcdefghij"
#define ABC_50          ABC_10 ABC_10 ABC_10 ABC_10 ABC_10
#define ABC_255         ABC_50 ABC_50 ABC_50 ABC_50 ABC_50 "abcde"

static mayfly_address make(mayfly_family family, const char *name, uint16_t port) {
  mayfly_address address = {.family = family, .port = port};
  assert_true(strlen(name) < sizeof address.name);
  memcpy(address.name, name, strlen(name));
  return address;
}

static void assert_same(const mayfly_address *one, const mayfly_address *other) {
  assert_int_equal(one->family, other->family);
  assert_int_equal(one->port, other->port);
  assert_string_equal(one->name, other->name);
}

static mayfly_address parsed(const char *text) {
  mayfly_address address;
  const char *why = NULL;
  if (mf_address_text_parse(text, &address, &why) != 0)
    fail_msg("\"%s\": %s", text, why);
  return address;
}

/* Also that the address is not touched. */
static void assert_no_parse(const char *text, int error, const char *words) {
  const mayfly_address untouched = make(MAYFLY_AF_UNIX, "untouched", 0);
  mayfly_address address = untouched;
  const char *why = "";
  if (mf_address_text_parse(text, &address, &why) != error || strstr(why, words) == NULL)
    fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, why, words);
  assert_same(&address, &untouched);
}

static void assert_there_and_back(const mayfly_address *address) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  const char *why = NULL;
  if (mf_address_text_format(address, text, sizeof text, &why) != 0)
    fail_msg("\"%s\": %s", address->name, why);
  assert_int_equal(mf_address_text_family(text), address->family);
  const mayfly_address back = parsed(text);
  assert_same(&back, address);
}

/* ---- text to address -------------------------------------------------------------- */

static const struct {
  const char *text;
  mayfly_family family;
  const char *name;
  uint16_t port;
  const char *again; /* as format writes it, if not as `text` */
} forms[] = {
    {"localhost:0", MAYFLY_AF_INET, "localhost", 0, NULL},
    {"localhost:65535", MAYFLY_AF_INET, "localhost", 65535, NULL},
    {"localhost:00080", MAYFLY_AF_INET, "localhost", 80, "localhost:80"},
    {"127.0.0.1:5000", MAYFLY_AF_INET, "127.0.0.1", 5000, NULL},
    {":80", MAYFLY_AF_INET, "", 80, NULL},
    {":0", MAYFLY_AF_INET, "", 0, NULL},
    {"[::1]:443", MAYFLY_AF_INET, "::1", 443, NULL},
    {"[::]:0", MAYFLY_AF_INET, "::", 0, NULL},
    {"[fe80::1%eth0]:1", MAYFLY_AF_INET, "fe80::1%eth0", 1, NULL},
    {"[localhost]:1", MAYFLY_AF_INET, "localhost", 1, "localhost:1"},
    {"[unix]:80", MAYFLY_AF_INET, "unix", 80, NULL},
    {"unixhost:80", MAYFLY_AF_INET, "unixhost", 80, NULL},
    {"m\xc3\xbcnchen:1", MAYFLY_AF_INET, "m\xc3\xbcnchen", 1, NULL},
    {"\\\\.\\pipe\\name", MAYFLY_AF_PIPE, "\\\\.\\pipe\\name", 0, NULL},
    {"\\\\.\\pipe\\name:80", MAYFLY_AF_PIPE, "\\\\.\\pipe\\name:80", 0, NULL},
    {"\\\\.\\pipe\\a/b\\c", MAYFLY_AF_PIPE, "\\\\.\\pipe\\a/b\\c", 0, NULL},
    {"@name", MAYFLY_AF_UNIX, "@name", 0, NULL},
    {"@name:80", MAYFLY_AF_UNIX, "@name:80", 0, NULL},
    {"@@", MAYFLY_AF_UNIX, "@@", 0, NULL},
    {"unix:@name", MAYFLY_AF_UNIX, "@name", 0, "@name"},
    {"/tmp/socket", MAYFLY_AF_UNIX, "/tmp/socket", 0, NULL},
    {"/tmp/socket:80", MAYFLY_AF_UNIX, "/tmp/socket:80", 0, NULL},
    {"socket", MAYFLY_AF_UNIX, "socket", 0, NULL},
    {"./@socket", MAYFLY_AF_UNIX, "./@socket", 0, NULL},
    {" ", MAYFLY_AF_UNIX, " ", 0, NULL},
    {"\\name", MAYFLY_AF_UNIX, "\\name", 0, NULL},
    {"localhost:", MAYFLY_AF_UNIX, "localhost:", 0, NULL},
    {"localhost:http", MAYFLY_AF_UNIX, "localhost:http", 0, NULL},
    {"localhost:80 ", MAYFLY_AF_UNIX, "localhost:80 ", 0, NULL},
    {"localhost:+80", MAYFLY_AF_UNIX, "localhost:+80", 0, NULL},
    {"localhost:-1", MAYFLY_AF_UNIX, "localhost:-1", 0, NULL},
    {"[::1]", MAYFLY_AF_UNIX, "[::1]", 0, NULL},
    {"unix:/tmp/socket", MAYFLY_AF_UNIX, "/tmp/socket", 0, "/tmp/socket"},
    {"unix:80", MAYFLY_AF_UNIX, "80", 0, "80"},
    {"unix:a:80", MAYFLY_AF_UNIX, "a:80", 0, NULL},
    {"unix::80", MAYFLY_AF_UNIX, ":80", 0, NULL},
    {"unix:unix:a", MAYFLY_AF_UNIX, "unix:a", 0, NULL},
    {"unix:\\\\a", MAYFLY_AF_UNIX, "\\\\a", 0, NULL},
    {"unix", MAYFLY_AF_UNIX, "unix", 0, NULL},
    {"Unix:a", MAYFLY_AF_UNIX, "Unix:a", 0, NULL},
};

static void each_form_is_read_as_its_family(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    const mayfly_address expected = make(forms[i].family, forms[i].name, forms[i].port);
    const mayfly_address address = parsed(forms[i].text);
    assert_same(&address, &expected);
    assert_int_equal(mf_address_text_family(forms[i].text), forms[i].family);
  }
}

static void each_form_is_written_in_one_way(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    const mayfly_address address = make(forms[i].family, forms[i].name, forms[i].port);
    char text[MAYFLY_ADDRESS_TEXT_SIZE];
    const char *why;
    assert_int_equal(mf_address_text_format(&address, text, sizeof text, &why), 0);
    assert_string_equal(text, forms[i].again == NULL ? forms[i].text : forms[i].again);
  }
}

static void an_address_that_was_read_has_no_bytes_of_chance(void **state) {
  mayfly_address one, other;
  const char *why;
  (void)state;
  memset(&one, 0x55, sizeof one);
  memset(&other, 0xaa, sizeof other);
  assert_int_equal(mf_address_text_parse("/tmp/socket", &one, &why), 0);
  assert_int_equal(mf_address_text_parse("/tmp/socket", &other, &why), 0);
  assert_memory_equal(one.name, other.name, sizeof one.name);
}

static void the_family_of_no_text_is_none(void **state) {
  (void)state;
  assert_int_equal(mf_address_text_family(NULL), MAYFLY_AF_UNSPEC);
  assert_int_equal(mf_address_text_family(""), MAYFLY_AF_UNSPEC);
}

static void a_family_is_told_by_the_form_alone(void **state) {
  (void)state;
  assert_int_equal(mf_address_text_family("\\\\server\\share"), MAYFLY_AF_PIPE);
  assert_int_equal(mf_address_text_family("localhost:99999"), MAYFLY_AF_INET);
  assert_int_equal(mf_address_text_family("@"), MAYFLY_AF_UNIX);
  assert_int_equal(mf_address_text_family("unix:"), MAYFLY_AF_UNIX);
}

/* ---- there and back --------------------------------------------------------------- */

/* All names of up to four of the pieces that mean something in one form or another. */
static void every_valid_address_comes_back_from_its_text(void **state) {
  static const char *const pieces[] = {"",  "a",  "unix",          ":",     "1", "/",   "\\", "@",   "[", "]",
                                       ".", "::", "\\\\.\\pipe\\", "unix:", " ", ":80", "%",  "\xff"};
  static const uint16_t ports[] = {0, 1, 80, 65535};
  enum { PIECE_COUNT = COUNT_OF(pieces) };
  size_t valid = 0;
  (void)state;
  for (size_t i = 0; i < (size_t)PIECE_COUNT * PIECE_COUNT * PIECE_COUNT * PIECE_COUNT; i++) {
    char name[64] = "";
    for (size_t rest = i, n = 0; n < 4; n++, rest /= PIECE_COUNT)
      strcat(name, pieces[rest % PIECE_COUNT]);
    for (mayfly_family family = MAYFLY_AF_INET; family <= MAYFLY_AF_PIPE; family++) {
      const mayfly_address address = make(family, name, family == MAYFLY_AF_INET ? ports[i % COUNT_OF(ports)] : 0);
      const char *why;
      if (mf_address_check(&address, &why) != 0)
        continue;
      assert_there_and_back(&address);
      valid++;
    }
  }
  print_message("%zu valid addresses\n", valid);
  assert_true(valid > 100000);
}

static void every_port_comes_back_from_its_text(void **state) {
  (void)state;
  for (unsigned port = 0; port <= UINT16_MAX; port++) {
    const mayfly_address address = make(MAYFLY_AF_INET, "::1", (uint16_t)port);
    assert_there_and_back(&address);
  }
}

static void the_longest_names_come_back_from_their_text(void **state) {
  mayfly_address address = make(MAYFLY_AF_UNIX, ABC_255, 0);
  (void)state;
  assert_there_and_back(&address);
  memcpy(address.name, "unix:", 5);
  assert_there_and_back(&address);
  memcpy(address.name, "\\\\.\\pipe\\", 9);
  assert_there_and_back(&address);
  address.family = MAYFLY_AF_PIPE;
  assert_there_and_back(&address);
  address = make(MAYFLY_AF_INET, ABC_255, 65535);
  assert_there_and_back(&address);
  address.name[0] = ':';
  assert_there_and_back(&address);
}

/* ---- refusals ---------------------------------------------------------------------- */

static void text_that_is_no_address_is_refused_in_words(void **state) {
  static const struct {
    const char *text, *words;
  } cases[] = {
      {NULL, "empty"},
      {"", "empty"},
      {"unix:", "empty"},
      {"@", "after its @"},
      {"unix:@", "after its @"},
      {"localhost:65536", "at most 65535"},
      {"localhost:4294967296", "at most 65535"},
      {"localhost:18446744073709551616", "at most 65535"},
      {"localhost:99999999999999999999999999999999999999999", "at most 65535"},
      {"::1", "brackets"},
      {"::1:80", "brackets"},
      {"a:b:80", "unix:"},
      {"[::1:80", "brackets"},
      {"::1]:80", "brackets"},
      {"[]:80", "brackets"},
      {"[:80", "brackets"},
      {"]:80", "brackets"},
      {"[[::1]]:80", "brackets"},
      {"[::1]x:80", "brackets"},
      {"x[::1]:80", "brackets"},
      {" localhost:80", "blanks"},
      {"local host:80", "blanks"},
      {"localhost :80", "blanks"},
      {"localhost\t:80", "blanks"},
      {"localhost\n:80", "blanks"},
      {"local\x7fhost:80", "blanks"},
      {"user@localhost:80", "at signs"},
      {"C:\\socket:80", "unix:"},
      {"\\socket:80", "slashes"},
      {"\\\\", "\\\\.\\pipe\\NAME"},
      {"\\\\.\\pipe\\", "\\\\.\\pipe\\NAME"},
      {"\\\\.\\pipe", "\\\\.\\pipe\\NAME"},
      {"\\\\.\\PIPE\\name", "\\\\.\\pipe\\NAME"},
      {"\\\\server\\pipe\\name", "\\\\.\\pipe\\NAME"},
      {"\\\\?\\pipe\\name", "\\\\.\\pipe\\NAME"},
      {"\\\\.\\pipe/name", "\\\\.\\pipe\\NAME"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_no_parse(cases[i].text, MAYFLY_EINVAL, cases[i].words);
}

static void a_name_that_does_not_fit_is_refused_and_not_cut(void **state) {
  static const char *const texts[] = {ABC_255 "f",    "unix:" ABC_255 "f", "@" ABC_255,
                                      ABC_255 "f:80", "[" ABC_255 "f]:80", "\\\\.\\pipe\\" ABC_255};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    assert_no_parse(texts[i], MAYFLY_ENAMETOOLONG, "at most 255 bytes");
}

static void no_place_for_the_result_is_refused(void **state) {
  const mayfly_address address = make(MAYFLY_AF_UNIX, "socket", 0);
  const char *why = "";
  (void)state;
  assert_int_equal(mf_address_text_parse("socket", NULL, &why), MAYFLY_EINVAL);
  assert_non_null(strstr(why, "NULL"));
  why = "";
  assert_int_equal(mf_address_text_format(&address, NULL, 100, &why), MAYFLY_EINVAL);
  assert_non_null(strstr(why, "NULL"));
}

/* Also that format does not write one, for the same reason. */
static void assert_no_address(const mayfly_address *address, const char *words) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE] = "untouched";
  const char *why = "", *why_not_written = "";
  assert_int_equal(mf_address_check(address, &why), MAYFLY_EINVAL);
  if (strstr(why, words) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", why, words);
  assert_int_equal(mf_address_text_format(address, text, sizeof text, &why_not_written), MAYFLY_EINVAL);
  assert_string_equal(why_not_written, why);
  assert_string_equal(text, "untouched");
}

static void an_address_that_a_caller_filled_in_wrongly_is_refused_in_words(void **state) {
  static const struct {
    int family;
    const char *name;
    uint16_t port;
    const char *words;
  } cases[] = {
      {MAYFLY_AF_UNSPEC, "", 0, "no family"},
      {MAYFLY_AF_UNSPEC, "socket", 0, "no family"},
      {MAYFLY_AF_PIPE + 1, "socket", 0, "no family"},
      {-1, "socket", 0, "no family"},
      {MAYFLY_AF_UNIX, "", 0, "empty"},
      {MAYFLY_AF_UNIX, "@", 0, "after its @"},
      {MAYFLY_AF_UNIX, "socket", 1, "port"},
      {MAYFLY_AF_PIPE, "\\\\.\\pipe\\name", 1, "port"},
      {MAYFLY_AF_PIPE, "", 0, "\\\\.\\pipe\\NAME"},
      {MAYFLY_AF_PIPE, "name", 0, "\\\\.\\pipe\\NAME"},
      {MAYFLY_AF_PIPE, "\\\\.\\pipe\\", 0, "\\\\.\\pipe\\NAME"},
      {MAYFLY_AF_INET, "[::1]", 0, "brackets"},
      {MAYFLY_AF_INET, "a]", 0, "brackets"},
      {MAYFLY_AF_INET, "a/b", 0, "slashes"},
      {MAYFLY_AF_INET, "a\\b", 0, "slashes"},
      {MAYFLY_AF_INET, "@a", 0, "at signs"},
      {MAYFLY_AF_INET, " ", 0, "blanks"},
      {MAYFLY_AF_INET, "a\x01", 0, "blanks"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const mayfly_address address = make((mayfly_family)cases[i].family, cases[i].name, cases[i].port);
    assert_no_address(&address, cases[i].words);
  }
  assert_no_address(NULL, "NULL");
}

static void a_name_without_its_nul_is_refused(void **state) {
  (void)state;
  for (mayfly_family family = MAYFLY_AF_INET; family <= MAYFLY_AF_PIPE; family++) {
    mayfly_address address = make(family, "\\\\.\\pipe\\", 0);
    memset(address.name + 9, 'a', sizeof address.name - 9);
    assert_no_address(&address, "does not end");
  }
}

static void an_address_that_is_one_is_let_through(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    const mayfly_address address = make(forms[i].family, forms[i].name, forms[i].port);
    const char *why;
    assert_int_equal(mf_address_check(&address, &why), 0);
  }
}

static void a_buffer_that_is_too_small_is_left_alone(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    const mayfly_address address = make(forms[i].family, forms[i].name, forms[i].port);
    char text[MAYFLY_ADDRESS_TEXT_SIZE], buffer[MAYFLY_ADDRESS_TEXT_SIZE];
    const char *why = "";
    assert_int_equal(mf_address_text_format(&address, text, sizeof text, &why), 0);
    for (size_t size = 0; size <= strlen(text); size++) {
      memset(buffer, '!', sizeof buffer);
      assert_int_equal(mf_address_text_format(&address, buffer, size, &why), MAYFLY_ERANGE);
      assert_non_null(strstr(why, "MAYFLY_ADDRESS_TEXT_SIZE"));
      for (size_t n = 0; n < sizeof buffer; n++)
        assert_int_equal(buffer[n], '!');
    }
    assert_int_equal(mf_address_text_format(&address, buffer, strlen(text) + 1, &why), 0);
    assert_string_equal(buffer, text);
    assert_int_equal(buffer[strlen(text) + 1], '!');
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_form_is_read_as_its_family),
      cmocka_unit_test(each_form_is_written_in_one_way),
      cmocka_unit_test(an_address_that_was_read_has_no_bytes_of_chance),
      cmocka_unit_test(the_family_of_no_text_is_none),
      cmocka_unit_test(a_family_is_told_by_the_form_alone),
      cmocka_unit_test(every_valid_address_comes_back_from_its_text),
      cmocka_unit_test(every_port_comes_back_from_its_text),
      cmocka_unit_test(the_longest_names_come_back_from_their_text),
      cmocka_unit_test(text_that_is_no_address_is_refused_in_words),
      cmocka_unit_test(a_name_that_does_not_fit_is_refused_and_not_cut),
      cmocka_unit_test(no_place_for_the_result_is_refused),
      cmocka_unit_test(an_address_that_a_caller_filled_in_wrongly_is_refused_in_words),
      cmocka_unit_test(a_name_without_its_nul_is_refused),
      cmocka_unit_test(an_address_that_is_one_is_let_through),
      cmocka_unit_test(a_buffer_that_is_too_small_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
