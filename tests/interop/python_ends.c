/* SPDX-License-Identifier: MIT */
/* python_ends.c - how connections with real Pythons end: well, in the middle, or for what was said. */
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Twice, since an end stays one. */
static void expect_end(mayfly_connection *connection, int error, const char *words) {
  const void *data = NULL;
  size_t size = 1234;
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), error, words);
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), error, words);
  assert_null(data);
  assert_int_equal(size, 1234);
}

/* ---- a good end --------------------------------------------------------------------- */

static void talk_until_python_closes(struct meeting *meeting) {
  peer_ask(meeting->python, "send_text one", "sent");
  peer_ask(meeting->python, "send 0", "sent");
  peer_ask(meeting->python, "send_text three", "sent");
  peer_ask(meeting->python, "close", "closed");
  expect_text(meeting->ours, "one");
  expect_text(meeting->ours, "");
  expect_text(meeting->ours, "three");
  expect_end(meeting->ours, MAYFLY_EOF, "");
  part(meeting, NULL);
}

static void what_python_sent_before_it_closed_is_received_and_then_the_end(struct stage *stage) {
  meet_in_every_way(stage, talk_until_python_closes);
}

static void talk_until_we_close(struct meeting *meeting) {
  assert_ok(mayfly_send_bytes(meeting->ours, "one", 3));
  assert_ok(mayfly_send_bytes(meeting->ours, "", 0));
  assert_ok(mayfly_connection_close(meeting->ours));
  meeting->ours = NULL;
  peer_ask(meeting->python, "receive_text", "text one");
  peer_ask(meeting->python, "poll 60", "poll True");
  peer_ask(meeting->python, "receive_text", "text ");
  peer_ask(meeting->python, "wait 60", "ready");
  peer_ask(meeting->python, "receive_text", "raised EOFError: ");
  part(meeting, NULL);
}

static void what_we_sent_before_we_closed_is_received_by_python_and_then_the_end(struct stage *stage) {
  meet_in_every_way(stage, talk_until_we_close);
}

static void talk_to_nobody(struct meeting *meeting) {
  peer_ask(meeting->python, "close", "closed");
  int result = 0;
  for (int i = 0; i < 1000 && result == 0; i++) /* over AF_INET only the answer to a first message tells */
    result = mayfly_send_bytes(meeting->ours, "to nobody", 9);
  assert_error(result, MAYFLY_EPIPE, "");
  assert_error(mayfly_send_bytes(meeting->ours, "to nobody", 9), MAYFLY_EPIPE, "");
  part(meeting, NULL);
}

static void sending_to_a_python_that_has_closed_is_an_error_and_no_signal(struct stage *stage) {
  meet_in_every_way(stage, talk_to_nobody);
}

/* ---- in the middle of a message -------------------------------------------------------- */

static void cut_off(struct stage *stage, const struct way *way, const char *bytes) {
  struct meeting meeting = meet(stage, way);
  peer_ask(meeting.python, "send_text whole", "sent");
  peer_tell(meeting.python, "write %s", bytes);
  peer_expect(meeting.python, "written");
  peer_ask(meeting.python, "close", "closed");
  expect_text(meeting.ours, "whole");
  expect_end(meeting.ours, MAYFLY_EPROTO, "");
  part(&meeting, NULL);
}

static void a_message_that_python_cuts_off_is_never_delivered(struct stage *stage) {
  static const char *const pieces[] = {
      "00", "000000", "00000005", "0000000568616c66", "ffffffff", "ffffffff0000000000"};
  for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
    cut_off(stage, way_of(STREAM_FAMILY, 0, 0), pieces[i]);
    cut_off(stage, way_of(MAYFLY_AF_INET, 1, 1), pieces[i]);
  }
}

static void a_python_that_is_killed_in_the_middle_of_a_message_has_cut_it_off(struct stage *stage) {
  static struct peer victim;
  mayfly_endpoint_options options = meeting_options(way_of(STREAM_FAMILY, 0, 0), stage);
  mayfly_address address;
  mayfly_listener *listener;
  mayfly_connection *connection;
  assert_ok(mayfly_arbitrary_address(STREAM_FAMILY, &address));
  assert_ok(mayfly_listen(&address, &options, &listener));
  peer_start(&victim, stage->interpreter, "peer.py", (const char *[]){NULL}, -1);
  python_connects(&victim, mayfly_listener_address(listener), "-");
  assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
  peer_expect(&victim, "connected");
  peer_ask(&victim, "send_text whole", "sent");
  peer_ask(&victim, "write 0000000568616c66", "written");
  expect_text(connection, "whole");
  child_kill(&victim.child, SIGKILL);
  expect_end(connection, MAYFLY_EPROTO, "");
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* More than the buffers of both sockets take, so that our send stops inside it. */
static void talk_until_we_stop(struct meeting *meeting) {
  enum { SIZE = 32 << 20 };
  unsigned char *message = malloc(SIZE);
  assert_non_null(message);
  pattern_fill(message, SIZE);
  assert_ok(mayfly_connection_set_timeouts(meeting->ours, MAYFLY_FOREVER, 0));
  assert_error(mayfly_send_bytes(meeting->ours, message, SIZE), MAYFLY_EPIPE, "");
  assert_error(mayfly_send_bytes(meeting->ours, "", 0), MAYFLY_EPIPE, "");
  free(message);
  peer_tell(meeting->python, "receive");
  part(meeting, "raised OSError: got end of file during message");
}

static void a_message_that_we_cut_off_is_an_error_in_python(struct stage *stage) {
  meet_in_every_way_of_bytes(stage, talk_until_we_stop);
}

/* ---- for what was said ------------------------------------------------------------------ */

static void talk_nonsense(struct meeting *meeting) {
  peer_ask(meeting->python, "send_text before", "sent");
  peer_ask(meeting->python, meeting->way->keyed ? "write fffffffe" : "write 80000000", "written");
  expect_text(meeting->ours, "before");
  expect_end(meeting->ours, MAYFLY_EPROTO, "");
  assert_ok(mayfly_send_bytes(meeting->ours, "still sent", 10));
  peer_ask(meeting->python, "receive_text", "text still sent");
  part(meeting, NULL);
}

static void a_length_that_is_none_ends_the_reading_and_not_the_sending(struct stage *stage) {
  meet_in_every_way_of_bytes(stage, talk_nonsense);
}

static void talk_at_length(struct meeting *meeting) {
  const void *data;
  size_t size;
  assert_ok(mayfly_connection_set_message_size_max(meeting->ours, 1000));
  peer_ask(meeting->python, "send 1000", "sent");
  peer_ask(meeting->python, "send 1001", "sent");
  assert_ok(mayfly_recv_bytes(meeting->ours, SIZE_MAX, &data, &size));
  assert_true(size == 1000 && pattern_is(data, size));
  expect_end(meeting->ours, MAYFLY_EMSGSIZE, "over the limit");
  assert_ok(mayfly_send_bytes(meeting->ours, "still sent", 10));
  peer_ask(meeting->python, "receive_text", "text still sent");
  part(meeting, NULL);
}

static void a_message_over_the_limit_ends_the_reading_and_not_the_sending(struct stage *stage) {
  meet_in_every_way(stage, talk_at_length);
}

static void a_length_of_exabytes_is_refused_before_any_of_it_has_arrived(struct stage *stage) {
  struct meeting meeting = meet(stage, way_of(STREAM_FAMILY, 0, 0));
  peer_ask(meeting.python, "write ffffffff7fffffffffffffff", "written");
  expect_end(meeting.ours, MAYFLY_EMSGSIZE, "over the limit");
  part(&meeting, NULL);
}

static void a_message_over_pythons_limit_is_a_bad_message_length_there(struct stage *stage) {
  unsigned char message[1000];
  pattern_fill(message, sizeof message);
  struct meeting meeting = meet(stage, way_of(LOCAL_FAMILY, 0, 0));
  assert_ok(mayfly_send_bytes(meeting.ours, message, sizeof message));
  peer_ask(meeting.python, "receive_at_most 1000", "message 1000 whole");
  assert_ok(mayfly_send_bytes(meeting.ours, message, sizeof message));
  peer_ask(meeting.python, "receive_at_most 999", "raised OSError: bad message length");
  part(&meeting, NULL);
}

/* ---- in the handshake ------------------------------------------------------------------- */

static void a_python_that_is_killed_in_its_handshake_harms_only_itself(struct stage *stage) {
  static struct peer victim;
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 0), stage);
  mayfly_listener *listener;
  mayfly_connection *connection = NULL;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  peer_start(&victim, stage->interpreter, "peer.py", (const char *[]){NULL}, -1);
  python_connects(&victim, mayfly_listener_address(listener), "-");
  peer_expect(&victim, "connected");
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  child_kill(&victim.child, SIGKILL);
  assert_error(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection), MAYFLY_EAUTH, "");
  assert_null(connection);

  python_connects(&stage->python, mayfly_listener_address(listener), meeting_key_digits);
  assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
  peer_expect(&stage->python, "connected");
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(what_python_sent_before_it_closed_is_received_and_then_the_end, EVERY_PYTHON),
      stage_test(what_we_sent_before_we_closed_is_received_by_python_and_then_the_end, EVERY_PYTHON),
      stage_test(sending_to_a_python_that_has_closed_is_an_error_and_no_signal, ONE_OF_EACH_ERA),
      stage_test(a_message_that_python_cuts_off_is_never_delivered, ONE_OF_EACH_ERA),
      stage_test(a_python_that_is_killed_in_the_middle_of_a_message_has_cut_it_off, ONE_OF_EACH_ERA),
      stage_test(a_message_that_we_cut_off_is_an_error_in_python, ONE_OF_EACH_ERA),
      stage_test(a_length_that_is_none_ends_the_reading_and_not_the_sending, ONE_OF_EACH_ERA),
      stage_test(a_message_over_the_limit_ends_the_reading_and_not_the_sending, ONE_OF_EACH_ERA),
      stage_test(a_length_of_exabytes_is_refused_before_any_of_it_has_arrived, ONE_OF_EACH_ERA),
      stage_test(a_message_over_pythons_limit_is_a_bad_message_length_there, ONE_OF_EACH_ERA),
      stage_test(a_python_that_is_killed_in_its_handshake_harms_only_itself, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_ends", tests, sizeof tests / sizeof tests[0]);
}
