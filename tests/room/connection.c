/* SPDX-License-Identifier: MIT */
/* connection.c - whole messages, both ways, in every size, and what a receive hands out. */
#include "background.h"
#include "ends.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sizes ------------------------------------------------------------------ */

static void *patterned(size_t size) {
  void *bytes = malloc(size + 1);
  assert_non_null(bytes);
  pattern_fill(bytes, size);
  return bytes;
}

static void send_across(mayfly_connection *from, mayfly_connection *to, size_t size) {
  struct background_send sending;
  const void *data;
  size_t got;
  void *bytes = patterned(size);
  background_send(&sending, from, bytes, size);
  assert_ok(mayfly_recv_bytes(to, SIZE_MAX, &data, &got));
  background_expect_ok(&sending.background);
  assert_int_equal(got, size);
  assert_true(pattern_is(data, size));
  free(bytes);
}

static void cross_in_every_size(enum ends_kind kind) {
  static const size_t sizes[] = {0,    1,    3,     4,     5,     11,    12,    13,      4095,    4096,
                                 4097, 8192, 16384, 16385, 65535, 65536, 65537, 1048576, 1048577, 3000000};
  struct ends ends;
  ends_open(&ends, kind);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    send_across(ends.one, ends.other, sizes[i]);
    send_across(ends.other, ends.one, sizes[i]);
  }
  ends_close(&ends);
}

static void messages_of_every_size_go_both_ways(void **state) {
  (void)state;
  ends_of_every_kind(cross_in_every_size);
}

static void keep_their_bounds(enum ends_kind kind) {
  struct ends ends;
  const void *data;
  size_t size;
  unsigned char bytes[64];
  pattern_fill(bytes, sizeof bytes);
  ends_open(&ends, kind);
  for (size_t i = 0; i < 64; i++)
    assert_ok(mayfly_send_bytes(ends.one, bytes, i));
  for (size_t i = 0; i < 64; i++) {
    assert_ok(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size));
    assert_int_equal(size, i);
    assert_memory_equal(data, bytes, i);
  }
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  ends_close(&ends);
}

static void messages_keep_their_bounds_and_their_order(void **state) {
  (void)state;
  ends_of_every_kind(keep_their_bounds);
}

static void a_message_is_a_length_and_its_bytes(void **state) {
  (void)state;
  unsigned char wire[16];
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  assert_ok(mayfly_send_bytes(ours, "mayfly", 6));
  assert_ok(mayfly_send_bytes(ours, NULL, 0));
  assert_int_equal(raw_hear(raw, wire, 14), 14);
  assert_memory_equal(wire, "\0\0\0\6mayfly\0\0\0\0", 14);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void a_long_header_is_taken_for_a_short_message(void **state) {
  (void)state;
  const void *data;
  size_t size;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  raw_say_long_length(raw, 3);
  raw_say(raw, "abc", 3);
  raw_say_long_length(raw, 0);
  assert_ok(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size));
  assert_int_equal(size, 3);
  assert_memory_equal(data, "abc", 3);
  assert_ok(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size));
  assert_int_equal(size, 0);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

/* ---- gathering -------------------------------------------------------------- */

static void gather_few(enum ends_kind kind) {
  const mayfly_slice slices[] = {{NULL, 0}, {"may", 3}, {"", 0}, {NULL, 0}, {"fly", 3}, {NULL, 0}};
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_send_gather(ends.one, NULL, 0));
  ends_expect_message(ends.other, "", 0);
  assert_ok(mayfly_send_gather(ends.one, slices, 0));
  ends_expect_message(ends.other, "", 0);
  assert_ok(mayfly_send_gather(ends.one, slices, 1));
  ends_expect_message(ends.other, "", 0);
  assert_ok(mayfly_send_gather(ends.one, slices, 6));
  ends_expect_message(ends.other, "mayfly", 6);
  ends_close(&ends);
}

static void slices_that_are_empty_or_none_add_nothing(void **state) {
  (void)state;
  ends_of_every_kind(gather_few);
}

struct gathering {
  struct background background;
  mayfly_connection *connection;
  const mayfly_slice *slices;
  size_t count;
};

static int gather(void *context) {
  struct gathering *gathering = context;
  return mayfly_send_gather(gathering->connection, gathering->slices, gathering->count);
}

/* `count` slices of `size` bytes, each with an empty one behind it, more and more empty ones towards the end. */
static void gather_many(enum ends_kind kind, size_t count, size_t size) {
  struct ends ends;
  unsigned char *bytes = patterned(count * size);
  mayfly_slice *slices = calloc(count * 4, sizeof *slices);
  assert_non_null(slices);
  for (size_t i = 0; i < count; i++)
    slices[2 * i] = (mayfly_slice){bytes + i * size, size};
  ends_open(&ends, kind);
  struct gathering gathering = {.connection = ends.one, .slices = slices, .count = count * 4};
  background_start(&gathering.background, gather, &gathering);
  ends_expect_message(ends.other, bytes, count * size);
  background_expect_ok(&gathering.background);
  ends_close(&ends);
  free(slices);
  free(bytes);
}

static void gather_more_than_one_call_takes(enum ends_kind kind) {
  gather_many(kind, 8, 1000);    /* as many slices as need no memory */
  gather_many(kind, 2000, 2);    /* few bytes, which are copied together */
  gather_many(kind, 2048, 3);    /* exactly twice what one system call takes, headers aside */
  gather_many(kind, 5000, 1000); /* more than any socket takes at once */
}

static void thousands_of_slices_are_one_message(void **state) {
  (void)state;
  ends_of_every_kind(gather_more_than_one_call_takes);
}

static void slices_larger_than_memory_are_refused(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  const mayfly_slice huge[] = {{"a", SIZE_MAX / 2}, {"b", SIZE_MAX / 2}, {"c", 2}};
  assert_error(mayfly_send_gather(ends.one, huge, 3), MAYFLY_EINVAL, "larger than memory");
  assert_error(mayfly_send_gather(ends.one, huge, 1), MAYFLY_EINVAL, "larger than memory");
  assert_error(mayfly_send_bytes(ends.one, "a", SIZE_MAX), MAYFLY_EINVAL, "larger than memory");
  const mayfly_slice missing[] = {{"a", 1}, {NULL, 1}};
  assert_error(mayfly_send_gather(ends.one, missing, 2), MAYFLY_EINVAL, "slice 1 is NULL");
  assert_ok(mayfly_send_bytes(ends.one, "fine", 4)); /* nothing of those has left */
  ends_expect_message(ends.other, "fine", 4);
  ends_close(&ends);
}

/* ---- what a receive hands out ------------------------------------------------- */

static void look_at_view(enum ends_kind kind, size_t readahead) {
  struct ends ends;
  const void *data, *next;
  size_t size, next_size;
  unsigned char bytes[1000];
  pattern_fill(bytes, sizeof bytes);
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_set_readahead(ends.other, readahead));
  assert_ok(mayfly_send_bytes(ends.one, bytes, sizeof bytes));
  assert_ok(mayfly_send_bytes(ends.one, "next", 4));
  assert_ok(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size));
  assert_int_equal(mayfly_poll(ends.other, 0), 1);
  mayfly_wait_item item = {.connection = ends.other};
  assert_int_equal(mayfly_wait(&item, 1, 0), 1);
  assert_ok(mayfly_send_bytes(ends.other, data, size)); /* an echo sends from the view */
  assert_memory_equal(data, bytes, sizeof bytes);
  assert_int_equal(size, sizeof bytes);
  assert_ok(mayfly_recv_bytes(ends.other, SIZE_MAX, &next, &next_size));
  assert_int_equal(next_size, 4);
  assert_memory_equal(next, "next", 4);
  ends_expect_message(ends.one, bytes, sizeof bytes);
  ends_close(&ends);
}

static void view_in_every_way(enum ends_kind kind) {
  look_at_view(kind, 0);
  look_at_view(kind, 65536);
}

static void a_view_stays_until_the_next_receive(void **state) {
  (void)state;
  ends_of_every_kind(view_in_every_way);
}

static void copy_into(enum ends_kind kind) {
  struct ends ends;
  unsigned char buffer[8];
  size_t size = 99;
  ends_open(&ends, kind);
  memset(buffer, 0xee, sizeof buffer);
  assert_ok(mayfly_send_bytes(ends.one, "abc", 3));
  assert_ok(mayfly_recv_bytes_into(ends.other, buffer, sizeof buffer, &size));
  assert_int_equal(size, 3);
  assert_memory_equal(buffer, "abc\xee\xee\xee\xee\xee", 8);
  assert_ok(mayfly_send_bytes(ends.one, "12345678", 8));
  assert_ok(mayfly_recv_bytes_into(ends.other, buffer, sizeof buffer, &size));
  assert_int_equal(size, 8);
  assert_memory_equal(buffer, "12345678", 8);
  assert_ok(mayfly_send_bytes(ends.one, NULL, 0));
  assert_ok(mayfly_recv_bytes_into(ends.other, NULL, 0, &size));
  assert_int_equal(size, 0);
  ends_close(&ends);
}

static void a_message_is_copied_into_a_buffer_of_the_caller(void **state) {
  (void)state;
  ends_of_every_kind(copy_into);
}

/* ---- limits ------------------------------------------------------------------- */

static void leave_what_does_not_fit(enum ends_kind kind) {
  struct ends ends;
  unsigned char buffer[10] = {0};
  const void *data = NULL;
  size_t size = 0;
  ends_open(&ends, kind);
  assert_ok(mayfly_send_bytes(ends.one, "0123456789", 10));
  assert_ok(mayfly_send_bytes(ends.one, NULL, 0));
  assert_error(mayfly_recv_bytes(ends.other, 9, &data, &size), MAYFLY_EMSGSIZE, "10 bytes, there is room for 9");
  assert_int_equal(size, 10);
  assert_null(data);
  size = 0;
  assert_error(mayfly_recv_bytes(ends.other, 0, &data, &size), MAYFLY_EMSGSIZE, "room for 0");
  assert_int_equal(size, 10);
  size = 0;
  assert_error(mayfly_recv_bytes_into(ends.other, buffer, 9, &size), MAYFLY_EMSGSIZE, "room for 9");
  assert_int_equal(size, 10);
  assert_int_equal(buffer[0], 0);
  assert_int_equal(mayfly_poll(ends.other, 0), 1);
  assert_ok(mayfly_recv_bytes_into(ends.other, buffer, 10, &size));
  assert_int_equal(size, 10);
  assert_memory_equal(buffer, "0123456789", 10);
  assert_ok(mayfly_recv_bytes(ends.other, 0, &data, &size));
  assert_int_equal(size, 0);
  ends_close(&ends);
}

static void a_message_that_does_not_fit_stays_and_tells_its_size(void **state) {
  (void)state;
  ends_of_every_kind(leave_what_does_not_fit);
}

static void a_size_is_told_before_the_message_has_come(void **state) {
  (void)state;
  const void *data = NULL;
  size_t size = 0;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  raw_say_length(raw, 1 << 20);
  assert_error(mayfly_recv_bytes(ours, 1000, &data, &size), MAYFLY_EMSGSIZE, "1048576 bytes");
  assert_int_equal(size, 1 << 20);
  assert_null(data);
  assert_ok(mayfly_connection_set_timeouts(ours, 0, 0));
  assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void refuse_what_is_over_the_limit(enum ends_kind kind) {
  struct ends ends;
  const void *data = NULL;
  size_t size = 77;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_set_message_size_max(ends.other, 5));
  assert_ok(mayfly_send_bytes(ends.one, "12345", 5));
  assert_ok(mayfly_send_bytes(ends.one, "123456", 6));
  assert_ok(mayfly_send_bytes(ends.one, "1", 1));
  ends_expect_message(ends.other, "12345", 5);
  for (int i = 0; i < 3; i++) {
    assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE,
                 i == 0 ? "over the limit of 5 bytes" : "an earlier message");
    assert_null(data);
    assert_int_equal(size, 77);
    assert_int_equal(mayfly_poll(ends.other, 0), 1);
  }
  assert_ok(mayfly_send_bytes(ends.other, "still", 5));
  ends_expect_message(ends.one, "still", 5);
  ends_close(&ends);
}

static void a_message_over_the_limit_ends_reading_but_not_sending(void **state) {
  (void)state;
  ends_of_every_kind(refuse_what_is_over_the_limit);
}

static void a_limit_of_0_leaves_empty_messages_only(void **state) {
  (void)state;
  struct ends ends;
  const void *data;
  size_t size;
  ends_open(&ends, ENDS_PIPE);
  assert_ok(mayfly_connection_set_message_size_max(ends.other, 0));
  assert_ok(mayfly_send_bytes(ends.one, NULL, 0));
  assert_ok(mayfly_send_bytes(ends.one, "1", 1));
  ends_expect_message(ends.other, "", 0);
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "over the limit of 0 bytes");
  ends_close(&ends);
}

static void limit_from_options(enum ends_kind kind) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct ends ends;
  const void *data;
  size_t size;
  options.message_size_max = 3;
  ends_open_with(&ends, kind, &options);
  assert_ok(mayfly_send_bytes(ends.one, "1234", 4));
  assert_ok(mayfly_send_bytes(ends.other, "1234", 4));
  assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "limit of 3 bytes");
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "limit of 3 bytes");
  ends_close(&ends);
}

static void the_limit_of_the_options_holds_on_both_sides(void **state) {
  (void)state;
  ends_of_every_socket(limit_from_options);
}

static void announce_to_a_limitless_one(uint64_t announced) {
  const void *data = NULL;
  size_t size = 77;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  assert_ok(mayfly_connection_set_message_size_max(ours, UINT64_MAX));
  raw_say_long_length(raw, announced);
  assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "over the limit");
  assert_null(data);
  assert_int_equal(size, 77);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

/* A length near 2^64 must not wrap around to a small one, though the caller wished for no limit. */
static void no_limit_is_none_beyond_what_memory_can_be(void **state) {
  (void)state;
  announce_to_a_limitless_one(UINT64_MAX);
  announce_to_a_limitless_one(UINT64_MAX - 11);
  announce_to_a_limitless_one(UINT64_C(1) << 63);
}

/* ---- both at once -------------------------------------------------------------- */

struct flood {
  struct background background;
  mayfly_connection *connection;
  int (*step)(struct flood *flood, uint32_t number);
};

enum { FLOOD_COUNT = 20000 };

static int run_flood(void *context) {
  struct flood *flood = context;
  int result = 0;
  for (uint32_t i = 0; i < FLOOD_COUNT && result == 0; i++)
    result = flood->step(flood, i);
  return result;
}

static int send_number(struct flood *flood, uint32_t number) {
  return mayfly_send_bytes(flood->connection, &number, sizeof number);
}

static int receive_number(struct flood *flood, uint32_t number) {
  uint32_t got;
  size_t size;
  int result = mayfly_recv_bytes_into(flood->connection, &got, sizeof got, &size);
  return result < 0 ? result : size == sizeof got && got == number ? 0 : MAYFLY_ETYPE;
}

static void flood_both_ways(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_set_readahead(ends.other, 65536));
  struct flood floods[] = {{.connection = ends.one, .step = send_number},
                           {.connection = ends.one, .step = receive_number},
                           {.connection = ends.other, .step = send_number},
                           {.connection = ends.other, .step = receive_number}};
  for (int i = 0; i < 4; i++)
    background_start(&floods[i].background, run_flood, &floods[i]);
  for (int i = 0; i < 4; i++)
    background_expect_ok(&floods[i].background);
  ends_close(&ends);
}

static void one_thread_may_send_while_another_receives(void **state) {
  (void)state;
  ends_of_every_kind(flood_both_ways);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(messages_of_every_size_go_both_ways),
      test(messages_keep_their_bounds_and_their_order),
      test(a_message_is_a_length_and_its_bytes),
      test(a_long_header_is_taken_for_a_short_message),
      test(slices_that_are_empty_or_none_add_nothing),
      test(thousands_of_slices_are_one_message),
      test(slices_larger_than_memory_are_refused),
      test(a_view_stays_until_the_next_receive),
      test(a_message_is_copied_into_a_buffer_of_the_caller),
      test(a_message_that_does_not_fit_stays_and_tells_its_size),
      test(a_size_is_told_before_the_message_has_come),
      test(a_message_over_the_limit_ends_reading_but_not_sending),
      test(a_limit_of_0_leaves_empty_messages_only),
      test(the_limit_of_the_options_holds_on_both_sides),
      test(no_limit_is_none_beyond_what_memory_can_be),
      test(one_thread_may_send_while_another_receives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
