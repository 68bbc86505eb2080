/* SPDX-License-Identifier: MIT */
/* python_pipe.c - ends of mayfly_pipe() that a Python is born with, as it is with those of its own Pipe(). */
#include "meeting.h"
#include "result.h"
#include <stdio.h>
#include <string.h>

/* The end goes to Python alone: ours is closed, so that the end of either side is seen by the other. */
static void give_to_python(struct peer *python, const struct stage *stage, mayfly_connection *end, const char *mode) {
  mayfly_os_fd fd;
  char number[16];
  assert_ok(mayfly_connection_os_fd(end, &fd));
  snprintf(number, sizeof number, "%d", (int)fd);
  peer_start(python, stage->interpreter, "peer.py", (const char *[]){number, mode, NULL}, (int)fd);
  assert_ok(mayfly_connection_close(end));
}

static void a_duplex_end_works_both_ways_in_python(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  give_to_python(&python, stage, ends[1], "rw");
  peer_ask(&python, "poll 0", "poll False");
  assert_ok(mayfly_send_bytes(ends[0], "to the child", 12));
  peer_ask(&python, "wait 60", "ready");
  peer_ask(&python, "receive_text", "text to the child");
  peer_ask(&python, "send_text to the parent", "sent");
  expect_text(ends[0], "to the parent");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_ask(&python, "receive", "raised EOFError: ");
  peer_end(&python);
}

static void python_reads_from_the_reading_end(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  give_to_python(&python, stage, ends[0], "r");
  peer_tell(&python, "receive_numbered 1000");
  for (int i = 0; i < 1000; i++) {
    char text[16];
    assert_ok(mayfly_send_bytes(ends[1], text, (size_t)snprintf(text, sizeof text, "%d", i)));
  }
  peer_expect(&python, "1000 in order");
  peer_ask(&python, "wait 0", "not ready");
  assert_ok(mayfly_connection_close(ends[1]));
  peer_ask(&python, "poll 60", "poll True");
  peer_ask(&python, "receive", "raised EOFError: ");
  peer_end(&python);
}

static void python_writes_into_the_writing_end(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  give_to_python(&python, stage, ends[1], "w");
  peer_ask(&python, "send_text from the child", "sent");
  expect_text(ends[0], "from the child");
  peer_ask(&python, "write 0000000568616c66", "written");
  peer_ask(&python, "close", "closed");
  const void *data;
  size_t size;
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EPROTO, "");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_end(&python);
}

/* Nothing is read ahead of the message that was asked for. */
static void an_inherited_end_has_all_that_was_not_received_before(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_send_bytes(ends[0], "one", 3));
  assert_ok(mayfly_send_bytes(ends[0], "two", 3));
  expect_text(ends[1], "one");
  give_to_python(&python, stage, ends[1], "rw");
  peer_ask(&python, "receive_text", "text two");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_end(&python);
}

/* As a write into a pipe without a reader; Python ignores SIGPIPE from the start. */
static void python_cannot_write_when_the_reading_end_is_gone(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  give_to_python(&python, stage, ends[1], "w");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_ask(&python, "send_text to nobody", "raised BrokenPipeError: [Errno 32] Broken pipe");
  peer_end(&python);
}

static void we_cannot_write_when_pythons_reading_end_is_gone(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  give_to_python(&python, stage, ends[0], "r");
  peer_ask(&python, "close", "closed");
  assert_error(mayfly_send_bytes(ends[1], "to nobody", 9), MAYFLY_EPIPE, "");
  assert_ok(mayfly_connection_close(ends[1]));
  peer_end(&python);
}

/* One direction of a socket is shut, which the system must say like a pipe does. */
static void the_shut_direction_of_an_end_is_an_end_in_python_too(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  give_to_python(&python, stage, ends[0], "rw");
  peer_ask(&python, "send_text the wrong way", "raised BrokenPipeError: [Errno 32] Broken pipe");
  assert_ok(mayfly_connection_close(ends[1]));
  peer_end(&python);
}

static void challenges_are_met_over_a_pipe(struct stage *stage) {
  static struct peer python;
  unsigned flags = peer_is_legacy(stage->interpreter) ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  give_to_python(&python, stage, ends[1], "rw");
  peer_tell(&python, "answer_challenge %s", meeting_key_digits);
  assert_ok(mayfly_deliver_challenge(ends[0], meeting_key, sizeof meeting_key, flags));
  peer_expect(&python, "answered");
  peer_tell(&python, "deliver_challenge %s", meeting_key_digits);
  assert_ok(mayfly_answer_challenge(ends[0], meeting_key, sizeof meeting_key, flags));
  peer_expect(&python, "delivered");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_end(&python);
}

/* Close-on-exec: what is not handed on is closed in every program that we execute. */
static void python_has_no_end_that_was_not_given_to_it(struct stage *stage) {
  static struct peer python;
  mayfly_connection *ends[2], *others[2];
  assert_ok(mayfly_pipe(1, others));
  assert_ok(mayfly_pipe(1, ends));
  give_to_python(&python, stage, ends[1], "rw");
  peer_ask(&python, "poll 0", "poll False");
  assert_ok(mayfly_connection_close(others[0]));
  const void *data;
  size_t size;
  assert_ok(mayfly_connection_set_timeouts(others[1], 0, 0));
  assert_error(mayfly_recv_bytes(others[1], SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(others[1]));
  assert_ok(mayfly_connection_close(ends[0]));
  peer_end(&python);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(a_duplex_end_works_both_ways_in_python, EVERY_PYTHON),
      stage_test(python_reads_from_the_reading_end, EVERY_PYTHON),
      stage_test(python_writes_into_the_writing_end, EVERY_PYTHON),
      stage_test(an_inherited_end_has_all_that_was_not_received_before, ONE_OF_EACH_ERA),
      stage_test(python_cannot_write_when_the_reading_end_is_gone, ONE_OF_EACH_ERA),
      stage_test(we_cannot_write_when_pythons_reading_end_is_gone, ONE_OF_EACH_ERA),
      stage_test(the_shut_direction_of_an_end_is_an_end_in_python_too, ONE_OF_EACH_ERA),
      stage_test(challenges_are_met_over_a_pipe, ONE_OF_EACH_ERA),
      stage_test(python_has_no_end_that_was_not_given_to_it, NEWEST_PYTHON),
  };
  return stage_run_tests("python_pipe", tests, sizeof tests / sizeof tests[0]);
}
