/* SPDX-License-Identifier: MIT */
/* spool.c - content in memory: what a file of the system's would do, up to a limit. */
#include "spool.h"
#include <mayfly/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int no_memory, grown;
static size_t largest;

void *__wrap_realloc(void *memory, size_t size) {
  grown++;
  largest = size > largest ? size : largest;
  return no_memory ? NULL : __real_realloc(memory, size);
}

static void forget_growth(void) {
  grown = 0;
  largest = 0;
}

static void expect_content(const struct mf_spool *spool, const char *content, size_t size) {
  char buffer[256];
  assert_int_equal(spool->size, size);
  assert_int_equal(mf_spool_read_at(spool, buffer, sizeof buffer, 0), size);
  assert_memory_equal(buffer, content, size);
}

static void what_was_written_is_read(void **state) {
  struct mf_spool spool = {.max = 100};
  char buffer[8];
  (void)state;
  assert_int_equal(mf_spool_write_at(&spool, "hello", 5, 0), 0);
  assert_int_equal(mf_spool_write_at(&spool, "world", 5, 5), 0);
  expect_content(&spool, "helloworld", 10);
  assert_int_equal(mf_spool_write_at(&spool, "W", 1, 5), 0);
  expect_content(&spool, "helloWorld", 10);
  assert_int_equal(mf_spool_read_at(&spool, buffer, 3, 8), 2);
  assert_memory_equal(buffer, "ld", 2);
  mf_spool_clear(&spool);
  assert_int_equal(spool.size, 0);
}

static void there_is_nothing_at_the_end_and_behind_it(void **state) {
  struct mf_spool spool = {.max = 100};
  char byte;
  (void)state;
  assert_int_equal(mf_spool_read_at(&spool, &byte, 1, 0), 0);
  assert_int_equal(mf_spool_write_at(&spool, "ab", 2, 0), 0);
  assert_int_equal(mf_spool_read_at(&spool, &byte, 1, 2), 0);
  assert_int_equal(mf_spool_read_at(&spool, &byte, 1, INT64_MAX), 0);
  assert_int_equal(mf_spool_read_at(&spool, &byte, 0, 0), 0);
  mf_spool_clear(&spool);
}

static void a_gap_is_zeros_even_where_something_was_cut_off(void **state) {
  struct mf_spool spool = {.max = 100};
  (void)state;
  assert_int_equal(mf_spool_write_at(&spool, "abcdefgh", 8, 0), 0);
  assert_int_equal(mf_spool_truncate(&spool, 2), 0);
  assert_int_equal(mf_spool_write_at(&spool, "z", 1, 6), 0);
  expect_content(&spool, "ab\0\0\0\0z", 7);
  assert_int_equal(mf_spool_truncate(&spool, 1), 0);
  assert_int_equal(mf_spool_truncate(&spool, 4), 0);
  expect_content(&spool, "a\0\0\0", 4);
  mf_spool_clear(&spool);
}

static void nothing_written_far_behind_the_end_extends_nothing(void **state) {
  struct mf_spool spool = {.max = 100};
  (void)state;
  assert_true(mf_spool_holds(&spool, INT64_MAX, 0));
  assert_int_equal(mf_spool_write_at(&spool, NULL, 0, INT64_MAX), 0);
  assert_int_equal(spool.size, 0);
}

static void it_holds_exactly_as_much_as_it_may(void **state) {
  const struct mf_spool spool = {.max = 100}, endless = {.max = SIZE_MAX};
  (void)state;
  assert_true(mf_spool_holds(&spool, 0, 100));
  assert_true(mf_spool_holds(&spool, 99, 1));
  assert_false(mf_spool_holds(&spool, 0, 101));
  assert_false(mf_spool_holds(&spool, 100, 1));
  assert_false(mf_spool_holds(&spool, 101, 1));
  assert_false(mf_spool_holds(&spool, INT64_MAX, SIZE_MAX));
  assert_false(mf_spool_holds(&spool, 1, SIZE_MAX));
  assert_true(mf_spool_holds(&endless, 0, SIZE_MAX));
  assert_false(mf_spool_holds(&endless, 1, SIZE_MAX));
}

static void memory_grows_by_doubling_and_never_past_the_limit(void **state) {
  struct mf_spool spool = {.max = 100000};
  (void)state;
  forget_growth();
  for (int64_t i = 0; i < 100000; i++)
    assert_int_equal(mf_spool_write_at(&spool, "x", 1, i), 0);
  assert_in_range(grown, 10, 20);
  assert_int_equal(largest, 100000);
  mf_spool_clear(&spool);
}

static void the_first_write_takes_what_it_needs(void **state) {
  static const char data[4096];
  struct mf_spool spool = {.max = SIZE_MAX};
  (void)state;
  forget_growth();
  assert_int_equal(mf_spool_write_at(&spool, data, sizeof data, 0), 0);
  assert_int_equal(grown, 1);
  assert_int_equal(largest, sizeof data);
  mf_spool_clear(&spool);
}

static void without_memory_all_is_as_it_was(void **state) {
  struct mf_spool spool = {.max = 100};
  (void)state;
  assert_int_equal(mf_spool_write_at(&spool, "abc", 3, 0), 0);
  no_memory = 1;
  assert_int_equal(mf_spool_write_at(&spool, "more", 4, 2), MAYFLY_ENOMEM);
  assert_int_equal(mf_spool_truncate(&spool, 50), MAYFLY_ENOMEM);
  assert_int_equal(mf_spool_truncate(&spool, 3), 0);
  no_memory = 0;
  expect_content(&spool, "abc", 3);
  assert_int_equal(mf_spool_write_at(&spool, "more", 4, 2), 0);
  expect_content(&spool, "abmore", 6);
  mf_spool_clear(&spool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_was_written_is_read),
      cmocka_unit_test(there_is_nothing_at_the_end_and_behind_it),
      cmocka_unit_test(a_gap_is_zeros_even_where_something_was_cut_off),
      cmocka_unit_test(nothing_written_far_behind_the_end_extends_nothing),
      cmocka_unit_test(it_holds_exactly_as_much_as_it_may),
      cmocka_unit_test(memory_grows_by_doubling_and_never_past_the_limit),
      cmocka_unit_test(the_first_write_takes_what_it_needs),
      cmocka_unit_test(without_memory_all_is_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
