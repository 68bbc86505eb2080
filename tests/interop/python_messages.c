/* SPDX-License-Identifier: MIT */
/* python_messages.c - messages of every size, number and shape, to and from real Pythons. */
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include "watchdog.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *pattern_of(size_t size) {
  unsigned char *message = malloc(size + 1);
  assert_non_null(message);
  pattern_fill(message, size);
  return message;
}

/* To Python, which looks at it, and back. */
static void exchange(mayfly_connection *connection, size_t size) {
  unsigned char *message = pattern_of(size);
  assert_ok(mayfly_send_bytes(connection, message, size));
  free(message);
  expect_pattern(connection, size);
}

static void talk_in_every_size(struct meeting *meeting) {
  static const size_t sizes[] = {0, 1, 16384, 16385, 65536, 1 << 20};
  peer_tell(meeting->python, "echo");
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    exchange(meeting->ours, sizes[i]);
  part(meeting, "echoed 6 whole");
}

static void messages_of_every_size_come_back_whole(struct stage *stage) {
  meet_in_every_way(stage, talk_in_every_size);
}

static void talk_big(struct meeting *meeting) {
  peer_tell(meeting->python, "echo");
  exchange(meeting->ours, 64u << 20);
  part(meeting, "echoed 1 whole");
}

static void a_message_of_64_mib_comes_back_whole(struct stage *stage) {
  watchdog_grow_patient();
  meet_in_every_way(stage, talk_big);
}

enum { NUMBERED = 10000 };

static void send_numbered(mayfly_connection *connection) {
  for (int i = 0; i < NUMBERED; i++) {
    char text[16];
    int length = snprintf(text, sizeof text, "%d", i);
    assert_ok(mayfly_send_bytes(connection, text, (size_t)length));
  }
}

static void receive_numbered(mayfly_connection *connection) {
  for (int i = 0; i < NUMBERED; i++) {
    char expected[16], text[16];
    size_t size;
    int length = snprintf(expected, sizeof expected, "%d", i);
    assert_ok(mayfly_recv_bytes_into(connection, text, sizeof text, &size));
    assert_int_equal(size, length);
    assert_memory_equal(text, expected, size);
  }
}

static void talk_in_a_row(struct meeting *meeting) {
  peer_tell(meeting->python, "receive_numbered %d", NUMBERED);
  send_numbered(meeting->ours);
  peer_expect(meeting->python, "10000 in order");

  peer_tell(meeting->python, "send_numbered %d", NUMBERED);
  receive_numbered(meeting->ours);
  peer_expect(meeting->python, "sent");

  assert_ok(mayfly_connection_set_readahead(meeting->ours, 65536));
  peer_tell(meeting->python, "send_numbered %d", NUMBERED);
  receive_numbered(meeting->ours);
  peer_expect(meeting->python, "sent");
  part(meeting, NULL);
}

static void ten_thousand_small_messages_arrive_in_order(struct stage *stage) {
  stage_not_on_windows(stage, "Wine takes a millisecond for each; tests/windows/python.c sends a thousand");
  meet_in_every_way(stage, talk_in_a_row);
}

/* More slices than one system call takes, empty ones among them, and some larger than a socket's buffer. */
static void talk_in_slices(struct meeting *meeting) {
  enum { COUNT = 3 * IOV_MAX + 1, LARGE = PATTERN_BLOCK };
  static mayfly_slice slices[COUNT];
  static unsigned char blocks[2 * LARGE];
  pattern_fill(blocks, sizeof blocks);
  size_t size = 0;
  for (size_t i = 0; i < COUNT; i++) {
    slices[i].data = blocks + size % 251;
    slices[i].size = i % 1000 == 999 ? LARGE : i % 7;
    size += slices[i].size;
  }
  peer_tell(meeting->python, "receive");
  assert_ok(mayfly_send_gather(meeting->ours, slices, COUNT));
  char expected[64];
  snprintf(expected, sizeof expected, "message %zu whole", size);
  peer_expect(meeting->python, expected);
  part(meeting, NULL);
}

static void a_message_of_thousands_of_slices_is_received_whole(struct stage *stage) {
  meet_in_every_way(stage, talk_in_slices);
}

/* "sent 8004..." -> the bytes; how many they are. */
static size_t bytes_of(const char *line, unsigned char *bytes, size_t capacity) {
  size_t size = 0;
  unsigned byte;
  for (const char *digits = line + strlen("sent "); sscanf(digits, "%2x", &byte) == 1; digits += 2) {
    assert_true(size < capacity);
    bytes[size++] = (unsigned char)byte;
  }
  return size;
}

static void talk_in_objects(struct meeting *meeting) {
  unsigned char pickle[1024];
  const void *data;
  size_t size;
  peer_tell(meeting->python, "send_object");
  size_t expected = bytes_of(peer_hear(meeting->python), pickle, sizeof pickle);
  assert_ok(mayfly_recv_bytes(meeting->ours, SIZE_MAX, &data, &size));
  assert_int_equal(size, expected);
  assert_memory_equal(data, pickle, size);

  peer_tell(meeting->python, "receive_object");
  assert_ok(mayfly_send_bytes(meeting->ours, pickle, expected));
  peer_expect(meeting->python, "the object");
  part(meeting, NULL);
}

static void an_object_that_python_sends_is_one_message_and_an_object_again_when_sent_back(struct stage *stage) {
  meet_in_every_way(stage, talk_in_objects);
}

static void talk_without_room(struct meeting *meeting) {
  static unsigned char buffer[20000];
  size_t size = 0;
  peer_tell(meeting->python, "send 20000"); /* which waits for us where it is more than the system buffers */
  assert_error(mayfly_recv_bytes_into(meeting->ours, buffer, 19999, &size), MAYFLY_EMSGSIZE, "20000");
  assert_int_equal(size, 20000);
  assert_ok(mayfly_recv_bytes_into(meeting->ours, buffer, sizeof buffer, &size));
  assert_true(size == 20000 && pattern_is(buffer, size));
  peer_expect(meeting->python, "sent");

  peer_tell(meeting->python, "receive_into 19999");
  assert_ok(mayfly_send_bytes(meeting->ours, buffer, 20000));
  peer_expect(meeting->python, "too short for message 20000 whole");
  peer_tell(meeting->python, "receive_into 30000");
  assert_ok(mayfly_send_bytes(meeting->ours, buffer, 20000));
  peer_expect(meeting->python, "message 20000 whole");
  part(meeting, NULL);
}

static void a_message_larger_than_the_buffer_is_told_apart_on_both_sides(struct stage *stage) {
  meet_in_every_way(stage, talk_without_room);
}

static void talk_when_ready(struct meeting *meeting) {
  peer_ask(meeting->python, "poll 0", "poll False");
  peer_ask(meeting->python, "wait 0", "not ready");
  assert_ok(mayfly_send_bytes(meeting->ours, "", 0));
  /* In this order: on Windows Python's wait() does not see what its poll() has consumed. */
  peer_ask(meeting->python, "wait 60", "ready");
  peer_ask(meeting->python, "poll 60", "poll True");
  peer_ask(meeting->python, "receive", "message 0 whole");
  peer_ask(meeting->python, "poll 0", "poll False");

  assert_int_equal(assert_ok(mayfly_poll(meeting->ours, 0)), 0);
  peer_tell(meeting->python, "send 0");
  mayfly_wait_item item = {.connection = meeting->ours};
  assert_int_equal(assert_ok(mayfly_wait(&item, 1, MAYFLY_FOREVER)), 1);
  assert_int_equal(item.ready, 1);
  assert_int_equal(assert_ok(mayfly_poll(meeting->ours, 0)), 1);
  peer_expect(meeting->python, "sent");
  expect_pattern(meeting->ours, 0);
  assert_int_equal(assert_ok(mayfly_poll(meeting->ours, 0)), 0);
  part(meeting, NULL);
}

static void an_empty_message_makes_the_other_side_ready(struct stage *stage) {
  meet_in_every_way(stage, talk_when_ready);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(messages_of_every_size_come_back_whole, EVERY_PYTHON),
      stage_test(a_message_of_64_mib_comes_back_whole, ONE_OF_EACH_ERA),
      stage_test(ten_thousand_small_messages_arrive_in_order, ONE_OF_EACH_ERA),
      stage_test(a_message_of_thousands_of_slices_is_received_whole, ONE_OF_EACH_ERA),
      stage_test(an_object_that_python_sends_is_one_message_and_an_object_again_when_sent_back, EVERY_PYTHON),
      stage_test(a_message_larger_than_the_buffer_is_told_apart_on_both_sides, ONE_OF_EACH_ERA),
      stage_test(an_empty_message_makes_the_other_side_ready, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_messages", tests, sizeof tests / sizeof tests[0]);
}
