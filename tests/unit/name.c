/* SPDX-License-Identifier: MIT */
/* Tests of names: the alphabet, and that every name is as likely as any other. */
#include "name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs those before it */

static const char python_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_"; /* tempfile._RandomNameSequence */
enum { CHARACTER_COUNT = sizeof python_characters - 1 };
#define NAME_COUNT UINT64_C(3512479453921) /* 37^8 */

static void encode_number(uint64_t number, char name[MF_NAME_SIZE + 1]) {
  uint8_t random[8];
  for (size_t i = 0; i < 8; i++)
    random[i] = (uint8_t)(number >> (56 - 8 * i));
  mf_name_encode(random, sizeof random, name);
}

static size_t position_of(char character) {
  const char *found = strchr(python_characters, character);
  assert_true(character != '\0' && found != NULL);
  return (size_t)(found - python_characters);
}

static void a_name_ends_in_a_nul_and_touches_nothing_behind_it(void **state) {
  static const uint8_t random[MF_NAME_SECRET_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  char name[MF_NAME_SECRET_SIZE + 2];
  (void)state;
  for (size_t size = 0; size <= MF_NAME_SECRET_SIZE; size += MF_NAME_SIZE) {
    memset(name, '!', sizeof name);
    mf_name_encode(random, size, name);
    assert_int_equal(strlen(name), size);
    assert_int_equal(name[size + 1], '!');
  }
}

/* 37^3 numbers in a row give every three characters exactly once: no character is preferred, anywhere. */
static void every_name_comes_of_equally_many_numbers(void **state) {
  enum { COUNT = CHARACTER_COUNT * CHARACTER_COUNT * CHARACTER_COUNT };
  unsigned char *seen = calloc(COUNT, 1);
  (void)state;
  assert_non_null(seen);
  for (uint64_t number = 0; number < COUNT; number++) {
    char name[MF_NAME_SIZE + 1];
    encode_number(number, name);
    seen[(position_of(name[0]) * CHARACTER_COUNT + position_of(name[1])) * CHARACTER_COUNT + position_of(name[2])]++;
    for (size_t i = 3; i < MF_NAME_SIZE; i++)
      assert_int_equal(name[i], 'a');
  }
  for (size_t i = 0; i < COUNT; i++)
    assert_int_equal(seen[i], 1);
  free(seen);
}

static void all_eight_characters_count_up_to_the_last_name_and_then_begin_anew(void **state) {
  char name[MF_NAME_SIZE + 1];
  (void)state;
  encode_number(NAME_COUNT - 1, name);
  assert_string_equal(name, "________");
  encode_number(NAME_COUNT, name);
  assert_string_equal(name, "aaaaaaaa");
  encode_number(NAME_COUNT / CHARACTER_COUNT, name);
  assert_string_equal(name, "aaaaaaab");
}

static void each_of_the_eight_random_bytes_changes_the_name(void **state) {
  (void)state;
  for (size_t i = 0; i < 8; i++) {
    uint8_t random[8] = {0};
    char name[MF_NAME_SIZE + 1];
    random[i] = 1;
    mf_name_encode(random, sizeof random, name);
    assert_string_not_equal(name, "aaaaaaaa");
  }
}

static void sixteen_characters_are_two_groups_of_their_own_bytes(void **state) {
  static const uint8_t random[MF_NAME_SECRET_SIZE] = {0, 0, 0, 0, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 1};
  char name[MF_NAME_SECRET_SIZE + 1];
  (void)state;
  mf_name_encode(random, sizeof random, name);
  assert_string_equal(name, "_aaaaaaabaaaaaaa");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_name_ends_in_a_nul_and_touches_nothing_behind_it),
      cmocka_unit_test(every_name_comes_of_equally_many_numbers),
      cmocka_unit_test(all_eight_characters_count_up_to_the_last_name_and_then_begin_anew),
      cmocka_unit_test(each_of_the_eight_random_bytes_changes_the_name),
      cmocka_unit_test(sixteen_characters_are_two_groups_of_their_own_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
