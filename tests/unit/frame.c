/* SPDX-License-Identifier: MIT */
/* Tests of the frame header: every form, every boundary, every split. */
#include "frame.h"
#include <mayfly/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h> /* needs those before it */

static const struct form {
  uint64_t payload_size;
  size_t header_size;
  uint8_t header[MF_FRAME_HEADER_MAX];
} forms[] = {
    {0, 4, {0, 0, 0, 0}},
    {1, 4, {0, 0, 0, 1}},
    {0x7f, 4, {0, 0, 0, 0x7f}},
    {0x80, 4, {0, 0, 0, 0x80}},
    {0xff, 4, {0, 0, 0, 0xff}},
    {0x100, 4, {0, 0, 1, 0}},
    {0x01020304, 4, {1, 2, 3, 4}},
    {0x7fffff80, 4, {0x7f, 0xff, 0xff, 0x80}},
    {0x7fffffff, 4, {0x7f, 0xff, 0xff, 0xff}},
    {0x80000000, 12, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0}},
    {0xffffffff, 12, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
    {UINT64_C(0x0102030405060708), 12, {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8}},
    {UINT64_C(0x8000000000000000), 12, {0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0}},
    {UINT64_MAX, 12, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

static const struct mf_frame untouched = {77, 77};

static void assert_untouched(struct mf_frame frame) {
  assert_int_equal(frame.header_size, untouched.header_size);
  assert_int_equal(frame.payload_size, untouched.payload_size);
}

static void assert_decodes(const uint8_t *bytes, size_t size, struct mf_frame expected) {
  struct mf_frame frame = untouched;
  assert_int_equal(mf_frame_decode(bytes, size, UINT64_MAX, &frame), 1);
  assert_int_equal(frame.header_size, expected.header_size);
  assert_int_equal(frame.payload_size, expected.payload_size);
}

static void assert_refused(const uint8_t *bytes, size_t size, uint64_t payload_max, int error) {
  struct mf_frame frame = untouched;
  assert_int_equal(mf_frame_decode(bytes, size, payload_max, &frame), error);
  assert_untouched(frame);
}

static void a_header_is_the_shortest_that_can_say_the_size(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    uint8_t header[MF_FRAME_HEADER_MAX];
    assert_int_equal(mf_frame_encode(forms[i].payload_size, header), forms[i].header_size);
    assert_memory_equal(header, forms[i].header, forms[i].header_size);
  }
}

static void a_short_header_writes_four_bytes_and_no_more(void **state) {
  uint8_t header[MF_FRAME_HEADER_MAX];
  (void)state;
  memset(header, 0xaa, sizeof header);
  mf_frame_encode(0x7fffffff, header);
  for (size_t i = 4; i < sizeof header; i++)
    assert_int_equal(header[i], 0xaa);
}

static void a_header_that_was_written_is_read_back(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++)
    assert_decodes(forms[i].header, forms[i].header_size,
                   (struct mf_frame){forms[i].header_size, forms[i].payload_size});
}

static void a_header_cut_anywhere_asks_for_more(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++)
    for (size_t size = 0; size < forms[i].header_size; size++)
      assert_refused(forms[i].header, size, UINT64_MAX, 0);
}

static void no_bytes_at_all_ask_for_more(void **state) {
  (void)state;
  assert_refused(NULL, 0, UINT64_MAX, 0);
}

static void what_follows_a_header_is_left_alone(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    uint8_t stream[MF_FRAME_HEADER_MAX + 8];
    memset(stream, 0xff, sizeof stream);
    memcpy(stream, forms[i].header, forms[i].header_size);
    assert_decodes(stream, sizeof stream, (struct mf_frame){forms[i].header_size, forms[i].payload_size});
  }
}

/* Python's own sender never does this, and its receiver takes it. */
static void the_long_form_is_read_for_a_small_size_too(void **state) {
  uint8_t header[MF_FRAME_HEADER_MAX] = {0xff, 0xff, 0xff, 0xff};
  (void)state;
  assert_decodes(header, sizeof header, (struct mf_frame){12, 0});
  header[11] = 5;
  assert_decodes(header, sizeof header, (struct mf_frame){12, 5});
}

static void a_negative_length_other_than_minus_one_is_none(void **state) {
  static const uint32_t lengths[] = {
      0xfffffffe /* -2 */, 0xfffffffd, 0xffffff00, 0xffff0000,
      0xff000000,          0xfeffffff, 0x80000001, 0x80000000 /* -2^31 */
  };
  (void)state;
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    const uint8_t header[] = {(uint8_t)(lengths[i] >> 24), (uint8_t)(lengths[i] >> 16), (uint8_t)(lengths[i] >> 8),
                              (uint8_t)lengths[i]};
    assert_refused(header, sizeof header, UINT64_MAX, MAYFLY_EPROTO);
    assert_refused(header, sizeof header, 0, MAYFLY_EPROTO);
  }
}

static void each_value_of_the_first_byte_is_a_length_a_long_form_or_none(void **state) {
  (void)state;
  for (unsigned first = 0; first <= 0xff; first++) {
    const uint8_t header[] = {(uint8_t)first, 0xff, 0xff, 0xff};
    if (first < 0x80)
      assert_decodes(header, sizeof header, (struct mf_frame){4, (uint64_t)first << 24 | 0xffffff});
    else
      assert_refused(header, sizeof header, UINT64_MAX, first == 0xff ? 0 : MAYFLY_EPROTO);
  }
}

static void a_payload_of_exactly_the_limit_is_let_through(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    struct mf_frame frame = untouched;
    const uint64_t limit = forms[i].payload_size;
    assert_int_equal(mf_frame_decode(forms[i].header, forms[i].header_size, limit, &frame), 1);
    assert_int_equal(frame.payload_size, limit);
  }
}

static void a_payload_over_the_limit_is_refused_before_any_of_it_has_come(void **state) {
  (void)state;
  for (size_t i = 0; i < FORM_COUNT; i++) {
    const struct form *form = &forms[i];
    if (form->payload_size == 0)
      continue;
    assert_refused(form->header, form->header_size, form->payload_size - 1, MAYFLY_EMSGSIZE);
    assert_refused(form->header, form->header_size, 0, MAYFLY_EMSGSIZE);
  }
}

/* A receiver that gets one byte at a time, of three messages in a row. */
static void messages_are_found_in_a_stream_that_comes_byte_by_byte(void **state) {
  static const size_t sizes[] = {3, 0, 260};
  uint8_t stream[3 * MF_FRAME_HEADER_MAX + 263];
  size_t end = 0;
  (void)state;
  memset(stream, 0xee, sizeof stream);
  for (size_t i = 0; i < 3; i++)
    end += mf_frame_encode(sizes[i], stream + end) + sizes[i];

  size_t start = 0, found = 0;
  for (size_t arrived = 0; arrived <= end; arrived++) {
    struct mf_frame frame = {0, 0};
    const int result = mf_frame_decode(stream + start, arrived - start, 1024, &frame);
    assert_true(result >= 0);
    if (result == 0 || arrived - start < frame.header_size + frame.payload_size)
      continue;
    assert_int_equal(frame.payload_size, sizes[found++]);
    start += frame.header_size + frame.payload_size;
  }
  assert_int_equal(found, 3);
  assert_int_equal(start, end);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_header_is_the_shortest_that_can_say_the_size),
      cmocka_unit_test(a_short_header_writes_four_bytes_and_no_more),
      cmocka_unit_test(a_header_that_was_written_is_read_back),
      cmocka_unit_test(a_header_cut_anywhere_asks_for_more),
      cmocka_unit_test(no_bytes_at_all_ask_for_more),
      cmocka_unit_test(what_follows_a_header_is_left_alone),
      cmocka_unit_test(the_long_form_is_read_for_a_small_size_too),
      cmocka_unit_test(a_negative_length_other_than_minus_one_is_none),
      cmocka_unit_test(each_value_of_the_first_byte_is_a_length_a_long_form_or_none),
      cmocka_unit_test(a_payload_of_exactly_the_limit_is_let_through),
      cmocka_unit_test(a_payload_over_the_limit_is_refused_before_any_of_it_has_come),
      cmocka_unit_test(messages_are_found_in_a_stream_that_comes_byte_by_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
