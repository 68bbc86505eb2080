/* SPDX-License-Identifier: MIT */
/* readahead.c - how far the descriptor is read: as far as the message asked for, or further where that was asked for.
 */
#include "ends.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 600, TEXT = 8, WIRE = 4 + TEXT };

static void await_unread(mayfly_connection *connection, int count) {
  while (raw_unread_of(connection) < count)
    assert_int_equal(mayfly_poll(connection, MAYFLY_FOREVER), 1);
}

/* In one piece, since the system counts much more than their bytes for many small ones; and no more than Windows' pipes
 * keep. */
static void say_many(int raw) {
  static char wire[COUNT * WIRE];
  for (int i = 0; i < COUNT; i++)
    memcpy(wire + (size_t)i * WIRE,
           "\0\0\0\10"
           "12345678",
           WIRE);
  raw_say(raw, wire, sizeof wire);
}

/* ---- exactly --------------------------------------------------------------------- */

/* After a larger message, whose memory is still there to be filled. */
static void read_exactly(enum ends_kind kind) {
  static const char larger[300];
  int raw;
  mayfly_connection *ours = ends_with_raw(kind, NULL, &raw);
  raw_say_message(raw, larger, sizeof larger);
  ends_expect_message(ours, larger, sizeof larger);
  say_many(raw);
  await_unread(ours, COUNT * WIRE);
  for (int left = COUNT; left > 0; left--) {
    assert_int_equal(raw_unread_of(ours), left * WIRE);
    ends_expect_message(ours, "12345678", TEXT);
  }
  assert_int_equal(raw_unread_of(ours), 0);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void without_readahead_nothing_beyond_the_message_is_read(void **state) {
  (void)state;
  ends_of_every_socket(read_exactly);
}

static void a_large_message_is_read_exactly_too(void **state) {
  (void)state;
  enum { SIZE = 150000 };
  char *bytes = malloc(SIZE);
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_INET, NULL, &raw);
  assert_non_null(bytes);
  pattern_fill(bytes, SIZE);
  raw_say_message(raw, bytes, SIZE);
  raw_say_message(raw, "behind", 6);
  ends_expect_message(ours, bytes, SIZE);
  await_unread(ours, 10);
  assert_int_equal(raw_unread_of(ours), 10);
  ends_expect_message(ours, "behind", 6);
  free(bytes);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void polling_reads_nothing(void **state) {
  (void)state;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  mayfly_wait_item item = {.connection = ours};
  raw_say_message(raw, "12345678", TEXT);
  assert_int_equal(mayfly_poll(ours, 0), 1);
  assert_int_equal(mayfly_wait(&item, 1, 0), 1);
  assert_int_equal(raw_unread_of(ours), WIRE);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

/* ---- ahead ------------------------------------------------------------------------ */

/* The first receive takes all that is there, and the others find it: one read for hundreds of messages. */
static void read_ahead(enum ends_kind kind) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  int raw;
  options.readahead = 65536;
  mayfly_connection *ours = ends_with_raw(kind, &options, &raw);
  say_many(raw);
  await_unread(ours, COUNT * WIRE);
  for (int left = COUNT; left > 0; left--) {
    mayfly_wait_item item = {.connection = ours};
    assert_int_equal(mayfly_poll(ours, 0), 1);
    assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
    assert_int_equal(item.ready, 1);
    ends_expect_message(ours, "12345678", TEXT);
    assert_int_equal(raw_unread_of(ours), 0);
  }
  assert_int_equal(mayfly_poll(ours, 0), 0);
  close(raw);
  ends_close(&(struct ends){ours, NULL});
}

static void with_readahead_many_small_messages_cost_one_read(void **state) {
  (void)state;
  ends_of_every_socket(read_ahead);
}

static void a_client_reads_ahead_by_its_options_too(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct ends ends;
  options.readahead = 4096;
  ends_open_with(&ends, ENDS_UNIX, &options);
  assert_ok(mayfly_send_bytes(ends.other, "one", 3));
  assert_ok(mayfly_send_bytes(ends.other, "two", 3));
  ends_expect_message(ends.one, "one", 3);
  assert_int_equal(raw_unread_of(ends.one), 0);
  ends_expect_message(ends.one, "two", 3);
  ends_close(&ends);
}

/* Messages that end everywhere, seen through a window of 100 bytes. */
static void a_small_window_loses_nothing(void **state) {
  (void)state;
  unsigned char bytes[400];
  struct ends ends;
  pattern_fill(bytes, sizeof bytes);
  ends_open(&ends, ENDS_UNIX);
  assert_ok(mayfly_connection_set_readahead(ends.other, 100));
  for (size_t begin = 0; begin < sizeof bytes; begin += 20) {
    for (size_t i = begin; i < begin + 20; i++)
      assert_ok(mayfly_send_bytes(ends.one, bytes, i));
    for (size_t i = begin; i < begin + 20; i++)
      ends_expect_message(ends.other, bytes, i);
  }
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  ends_close(&ends);
}

static void half_a_message_is_not_ready(size_t readahead) {
  static const char wire[] = {0, 0, 0, 8, '1', '2', '3', '4', '5', '6', '7', '8'};
  const void *data;
  size_t size;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  mayfly_wait_item item = {.connection = ours};
  assert_ok(mayfly_connection_set_readahead(ours, readahead));
  assert_ok(mayfly_connection_set_timeouts(ours, 0, 0));
  for (int i = 0; i < WIRE; i++) {
    raw_say(raw, wire + i, 1);
    assert_int_equal(mayfly_poll(ours, 0), 1); /* there is something to read */
    if (i + 1 < WIRE) {
      assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
      assert_int_equal(mayfly_poll(ours, 0), 0); /* and now it is in the buffer */
      assert_int_equal(mayfly_wait(&item, 1, 0), 0);
    }
  }
  ends_expect_message(ours, "12345678", TEXT);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void half_a_message_in_the_buffer_is_not_ready(void **state) {
  (void)state;
  half_a_message_is_not_ready(0);
  half_a_message_is_not_ready(65536);
}

/* One that does not fit, and one over the limit, are things a receive would say at once. */
static void what_a_receive_would_refuse_is_ready(void **state) {
  (void)state;
  const void *data;
  size_t size;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  assert_ok(mayfly_connection_set_readahead(ends.other, 4096));
  assert_ok(mayfly_send_bytes(ends.one, "a", 1));
  assert_ok(mayfly_send_bytes(ends.one, "0123456789", 10));
  ends_expect_message(ends.other, "a", 1);
  assert_error(mayfly_recv_bytes(ends.other, 5, &data, &size), MAYFLY_EMSGSIZE, "room for 5");
  assert_int_equal(mayfly_poll(ends.other, 0), 1);
  assert_ok(mayfly_connection_set_message_size_max(ends.other, 5));
  assert_int_equal(mayfly_poll(ends.other, 0), 1);
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "over the limit of 5");
  ends_close(&ends);
}

/* ---- the setter --------------------------------------------------------------------- */

static void it_is_changed_only_while_nothing_is_buffered(void **state) {
  (void)state;
  const void *data;
  size_t size;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  assert_ok(mayfly_connection_set_readahead(ends.other, 4096));
  assert_ok(mayfly_send_bytes(ends.one, "one", 3));
  assert_ok(mayfly_send_bytes(ends.one, "two", 3));
  ends_expect_message(ends.other, "one", 3);
  assert_error(mayfly_connection_set_readahead(ends.other, 0), MAYFLY_EINVAL, "7 bytes are in the buffer");
  ends_expect_message(ends.other, "two", 3);
  assert_ok(mayfly_connection_set_readahead(ends.other, 0));
  assert_ok(mayfly_send_bytes(ends.one, "three", 5));
  assert_ok(mayfly_send_bytes(ends.one, "four", 4));
  ends_expect_message(ends.other, "three", 5);
  assert_int_equal(raw_unread_of(ends.other), 8);
  assert_error(mayfly_recv_bytes(ends.other, 3, &data, &size), MAYFLY_EMSGSIZE, "");
  assert_error(mayfly_connection_set_readahead(ends.other, 9), MAYFLY_EINVAL, "4 bytes are in the buffer");
  ends_expect_message(ends.other, "four", 4);
  assert_error(mayfly_connection_set_readahead(ends.other, SIZE_MAX), MAYFLY_EINVAL, "more than memory");
  ends_close(&ends);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(without_readahead_nothing_beyond_the_message_is_read),
      test(a_large_message_is_read_exactly_too),
      test(polling_reads_nothing),
      test(with_readahead_many_small_messages_cost_one_read),
      test(a_client_reads_ahead_by_its_options_too),
      test(a_small_window_loses_nothing),
      test(half_a_message_in_the_buffer_is_not_ready),
      test(what_a_receive_would_refuse_is_ready),
      test(it_is_changed_only_while_nothing_is_buffered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
