/* SPDX-License-Identifier: MIT */
/* timeouts.c - receives and sends that run out of time, and what is left afterwards. */
#include "background.h"
#include "ends.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- receiving ------------------------------------------------------------------ */

/* Messages of 5, 0 and 300 bytes, the last in the long form, and where each one ends. */
static size_t make_stream(unsigned char stream[400], size_t ends[3]) {
  size_t size = 0;
  memcpy(stream, "\0\0\0\5hello", 9);
  ends[0] = size += 9;
  memset(stream + size, 0, 4);
  ends[1] = size += 4;
  memcpy(stream + size, "\xff\xff\xff\xff\0\0\0\0\0\0\x01\x2c", 12);
  pattern_fill(stream + size + 12, 300);
  ends[2] = size += 312;
  return size;
}

static void trickle(enum ends_kind kind, int receive_ms, size_t readahead) {
  unsigned char stream[400];
  size_t bounds[3];
  size_t message = 0, size = make_stream(stream, bounds);
  const void *data = NULL;
  size_t got = 77;
  mayfly_os_fd fd;
  int raw;
  mayfly_connection *ours = ends_with_raw(kind, NULL, &raw);
  assert_ok(mayfly_connection_os_fd(ours, &fd));
  assert_ok(mayfly_connection_set_readahead(ours, readahead));
  assert_ok(mayfly_connection_set_timeouts(ours, receive_ms, 0));
  for (size_t i = 0; i < size; i++) {
    assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &got), MAYFLY_ETIMEDOUT, "time ran out");
    assert_null(data);
    assert_int_equal(got, 77);
    raw_say(raw, stream + i, 1);
    raw_await((int)fd);
    if (i + 1 < bounds[message])
      continue;
    assert_ok(mayfly_recv_bytes(ours, SIZE_MAX, &data, &got));
    size_t payload = message == 0 ? 5 : message == 1 ? 0 : 300;
    assert_int_equal(got, payload);
    assert_memory_equal(data, stream + bounds[message] - payload, payload);
    message++;
    data = NULL;
    got = 77;
  }
  assert_int_equal(message, 3);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void trickle_in_every_way(enum ends_kind kind) {
  trickle(kind, 0, 0);
  trickle(kind, 1, 0);
  trickle(kind, 0, 4096);
  trickle(kind, 1, 4096);
}

static void a_receive_that_ran_out_of_time_has_lost_nothing(void **state) {
  (void)state;
  ends_of_every_socket(trickle_in_every_way);
}

static void a_receive_takes_the_time_it_was_given(void **state) {
  (void)state;
  struct ends ends;
  const void *data;
  size_t size;
  ends_open(&ends, ENDS_PIPE);
  assert_ok(mayfly_connection_set_timeouts(ends.one, 60, MAYFLY_FOREVER));
  int64_t begin = now_ms();
  assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "receive on descriptor");
  assert_true(now_ms() - begin >= 59);
  begin = now_ms();
  assert_int_equal(mayfly_poll(ends.one, 40), 0);
  assert_true(now_ms() - begin >= 39);
  ends_close(&ends);
}

struct drip {
  struct background background;
  int raw;
  atomic_int *stop;
};

static int drip(void *context) {
  struct drip *drip = context;
  const struct timespec pause = {0, 5000000};
  while (!atomic_load(drip->stop)) {
    if (write(drip->raw, "x", 1) != 1)
      return MAYFLY_EIO;
    nanosleep(&pause, NULL);
  }
  return 0;
}

/* The time counts from the call to its end, however often something comes. */
static void bytes_that_keep_coming_do_not_extend_a_timeout(void **state) {
  (void)state;
  atomic_int stop = 0;
  const void *data;
  size_t size;
  struct drip dripping = {.stop = &stop};
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &dripping.raw);
  raw_say_length(dripping.raw, 100000000);
  background_start(&dripping.background, drip, &dripping);
  assert_ok(mayfly_connection_set_timeouts(ours, 100, MAYFLY_FOREVER));
  assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "time ran out");
  atomic_store(&stop, 1);
  background_expect_ok(&dripping.background);
  close(dripping.raw);
  assert_ok(mayfly_connection_close(ours));
}

static void a_timeout_of_0_receives_what_is_there(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_ok(mayfly_connection_set_timeouts(ends.one, 0, 0));
  assert_ok(mayfly_connection_set_timeouts(ends.other, 0, 0));
  assert_ok(mayfly_send_bytes(ends.other, "there", 5));
  ends_expect_message(ends.one, "there", 5);
  ends_close(&ends);
}

/* ---- sending -------------------------------------------------------------------- */

static void fill_with_small_ones(enum ends_kind kind, int send_ms) {
  struct ends ends;
  uint32_t sent = 0;
  int result;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_set_timeouts(ends.one, MAYFLY_FOREVER, send_ms));
  while ((result = mayfly_send_bytes(ends.one, &sent, sizeof sent)) == 0)
    sent++;
  assert_error(result, MAYFLY_ETIMEDOUT, "send on descriptor");
  for (int i = 0; i < 3; i++)
    assert_error(mayfly_send_bytes(ends.one, &sent, sizeof sent), MAYFLY_ETIMEDOUT, "time ran out");
  for (uint32_t i = 0; i < sent; i++)
    ends_expect_message(ends.other, &i, sizeof i);
  assert_ok(mayfly_connection_set_timeouts(ends.one, MAYFLY_FOREVER, MAYFLY_FOREVER));
  assert_ok(mayfly_send_bytes(ends.one, &sent, sizeof sent));
  ends_expect_message(ends.other, &sent, sizeof sent);
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  ends_close(&ends);
}

/* AF_UNIX takes a small message whole or not at all; over AF_INET one may stop in its middle. */
static void a_send_of_which_nothing_left_may_be_repeated(void **state) {
  test_not_on_windows("the system does not say how much of a cancelled send has left");
  (void)state;
  fill_with_small_ones(ENDS_PIPE, 0);
  fill_with_small_ones(ENDS_PIPE, 1);
  fill_with_small_ones(ENDS_UNIX, 0);
}

static void stop_in_the_middle(enum ends_kind kind) {
  enum { SIZE = 64 << 20 }; /* more than sockets ever hold */
  struct ends ends;
  char *bytes = calloc(1, SIZE);
  assert_non_null(bytes);
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_set_timeouts(ends.one, MAYFLY_FOREVER, 10));
  assert_error(mayfly_send_bytes(ends.one, bytes, SIZE), MAYFLY_EPIPE, "in the middle of a message");
  assert_ok(mayfly_connection_set_timeouts(ends.one, MAYFLY_FOREVER, MAYFLY_FOREVER));
  for (int i = 0; i < 2; i++) {
    assert_error(mayfly_send_bytes(ends.one, "small", 5), MAYFLY_EPIPE, "an earlier message was cut off");
    assert_error(mayfly_send_gather(ends.one, NULL, 0), MAYFLY_EPIPE, "an earlier message was cut off");
  }
  assert_ok(mayfly_send_bytes(ends.other, "back", 4));
  ends_expect_message(ends.one, "back", 4);
  ends_close(&ends);
  free(bytes);
}

static void a_send_that_stops_in_the_middle_is_the_last(void **state) {
  (void)state;
  ends_of_every_kind(stop_in_the_middle);
}

struct reading {
  struct background background;
  int raw;
  size_t size, total;
};

static int read_slowly(void *context) {
  struct reading *reading = context;
  char *bytes = malloc(4096);
  if (bytes == NULL)
    return MAYFLY_ENOMEM;
  while (reading->total < reading->size) {
    ssize_t got = read(reading->raw, bytes, 4096);
    if (got <= 0)
      break;
    reading->total += (size_t)got;
  }
  free(bytes);
  return 0;
}

static void a_large_message_leaves_piece_by_piece_within_its_time(void **state) {
  (void)state;
  enum { SIZE = 8 << 20 };
  char *bytes = calloc(1, SIZE);
  assert_non_null(bytes);
  struct reading reading = {.size = SIZE + 4};
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &reading.raw);
  assert_ok(mayfly_connection_set_timeouts(ours, MAYFLY_FOREVER, 60000));
  background_start(&reading.background, read_slowly, &reading);
  assert_ok(mayfly_send_bytes(ours, bytes, SIZE));
  background_expect_ok(&reading.background);
  assert_int_equal(reading.total, SIZE + 4);
  close(reading.raw);
  assert_ok(mayfly_connection_close(ours));
  free(bytes);
}

static void timeouts_that_are_none_are_refused(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_error(mayfly_connection_set_timeouts(ends.one, -2, 0), MAYFLY_EINVAL, "a timeout of -2 ms");
  assert_error(mayfly_connection_set_timeouts(ends.one, 0, -3), MAYFLY_EINVAL, "a timeout of -3 ms");
  assert_error(mayfly_poll(ends.one, -2), MAYFLY_EINVAL, "mayfly_poll: a timeout of -2 ms");
  assert_ok(mayfly_connection_set_timeouts(ends.one, INT_MAX, INT_MAX));
  assert_ok(mayfly_send_bytes(ends.other, "x", 1));
  assert_int_equal(mayfly_poll(ends.one, INT_MAX), 1);
  ends_expect_message(ends.one, "x", 1);
  ends_close(&ends);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_receive_that_ran_out_of_time_has_lost_nothing),       test(a_receive_takes_the_time_it_was_given),
      test(bytes_that_keep_coming_do_not_extend_a_timeout),        test(a_timeout_of_0_receives_what_is_there),
      test(a_send_of_which_nothing_left_may_be_repeated),          test(a_send_that_stops_in_the_middle_is_the_last),
      test(a_large_message_leaves_piece_by_piece_within_its_time), test(timeouts_that_are_none_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
