/* SPDX-License-Identifier: MIT */
/* python_handshake.c - the halves of the handshake alone, every digest of Python's, and peers that answer nonsense,
 * after CPython's own tests of deliver_challenge and answer_challenge. */
#include "meeting.h"
#include "result.h"
#include <string.h>

static struct meeting meet_without_a_key(struct stage *stage) {
  return meet(stage, way_of(LOCAL_FAMILY, 0, 0));
}

static unsigned allow_md5(const struct stage *stage) {
  return peer_is_legacy(stage->interpreter) ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
}

static int deliver(struct meeting *meeting, unsigned flags) {
  return mayfly_deliver_challenge(meeting->ours, meeting_key, sizeof meeting_key, flags);
}

static int answer(struct meeting *meeting, unsigned flags) {
  return mayfly_answer_challenge(meeting->ours, meeting_key, sizeof meeting_key, flags);
}

static void each_half_meets_its_other_half_in_python(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "answer_challenge %s", meeting_key_digits);
  assert_ok(deliver(&meeting, allow_md5(stage)));
  peer_expect(meeting.python, "answered");
  peer_tell(meeting.python, "deliver_challenge %s", meeting_key_digits);
  assert_ok(answer(&meeting, allow_md5(stage)));
  peer_expect(meeting.python, "delivered");

  peer_tell(meeting.python, "receive_text");
  assert_ok(mayfly_send_bytes(meeting.ours, "afterwards", 10));
  peer_expect(meeting.python, "text afterwards");
  part(&meeting, NULL);
}

static void each_half_refuses_the_wrong_key(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "answer_challenge 77726f6e67");
  assert_error(deliver(&meeting, allow_md5(stage)), MAYFLY_EAUTH, "does not hold the same key");
  peer_expect(meeting.python, "raised AuthenticationError: digest sent was rejected");
  part(&meeting, NULL);

  meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "deliver_challenge 77726f6e67");
  assert_error(answer(&meeting, allow_md5(stage)), MAYFLY_EAUTH, "refused our key");
  peer_expect(meeting.python, "raised AuthenticationError: digest received was wrong");
  part(&meeting, NULL);
}

static void each_half_refuses_md5_unless_it_is_allowed(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "answer_challenge %s", meeting_key_digits);
  assert_error(deliver(&meeting, 0), MAYFLY_EAUTH, "MAYFLY_ENDPOINT_ALLOW_MD5");
  peer_expect(meeting.python, "raised AuthenticationError: digest sent was rejected");
  part(&meeting, NULL);

  meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "deliver_challenge %s", meeting_key_digits);
  assert_error(answer(&meeting, 0), MAYFLY_EAUTH, "MAYFLY_ENDPOINT_ALLOW_MD5");
  part(&meeting, "raised EOFError: ");
}

/* ---- the digests that a modern Python can ask for ---------------------------------- */

static struct meeting python_asks_for(struct stage *stage, const char *digest) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_tell(meeting.python, "deliver_challenge %s %s", meeting_key_digits, digest);
  return meeting;
}

static void sha256_and_sha384_are_proved_to_python(struct stage *stage) {
  static const char *const digests[] = {"sha256", "sha384"};
  for (size_t i = 0; i < 2; i++) {
    struct meeting meeting = python_asks_for(stage, digests[i]);
    assert_ok(answer(&meeting, 0));
    peer_expect(meeting.python, "delivered");
    part(&meeting, NULL);
  }
}

static void md5_by_name_is_proved_to_python_only_if_allowed(struct stage *stage) {
  struct meeting meeting = python_asks_for(stage, "md5");
  assert_ok(answer(&meeting, MAYFLY_ENDPOINT_ALLOW_MD5));
  peer_expect(meeting.python, "delivered");
  part(&meeting, NULL);

  meeting = python_asks_for(stage, "md5");
  assert_error(answer(&meeting, 0), MAYFLY_EAUTH, "MAYFLY_ENDPOINT_ALLOW_MD5");
  part(&meeting, "raised EOFError: ");
}

static void sha3_is_refused_in_words(struct stage *stage) {
  static const char *const digests[] = {"sha3_256", "sha3_384"};
  for (size_t i = 0; i < 2; i++) {
    struct meeting meeting = python_asks_for(stage, digests[i]);
    assert_error(answer(&meeting, 0), MAYFLY_EAUTH, "no digest that is known");
    part(&meeting, "raised EOFError: ");
  }
}

/* ---- peers that answer nonsense ----------------------------------------------------- */

/* CPython: test_deliver_challenge_auth_failure. */
static void a_bogus_answer_is_refused_and_told_so(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_ask(meeting.python, "send_text something bogus", "sent");
  assert_error(deliver(&meeting, MAYFLY_ENDPOINT_ALLOW_MD5), MAYFLY_EAUTH, "names no digest");
  peer_ask(meeting.python, "receive", "message 59 of other content");
  peer_ask(meeting.python, "receive_text", "text #FAILURE#");
  part(&meeting, NULL);
}

/* CPython: test_answer_challenge_auth_failure. */
static void a_bogus_verdict_is_refused(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_ask(meeting.python, "send_text #CHALLENGE#{sha256}of-twenty-bytes-or-more", "sent");
  peer_ask(meeting.python, "send_text something bogus", "sent");
  assert_error(answer(&meeting, 0), MAYFLY_EAUTH, "neither #WELCOME# nor #FAILURE#");
  peer_ask(meeting.python, "receive", "message 40 of other content");
  part(&meeting, NULL);
}

static void bogus_challenges_are_refused_without_a_word(struct stage *stage) {
  static const struct {
    const char *challenge, *words;
  } bogus[] = {
      {"something bogus", "is no challenge"},
      {"#WELCOME#", "is no challenge"},
      {"#CHALLENGE#", "shorter than 20 bytes"},
      {"#CHALLENGE#of-nineteen-bytes--", "shorter than 20 bytes"},
      {"#CHALLENGE#more-than-20-bytes-of-no-digest", "no digest that is known"},
      {"#CHALLENGE#{sha1}of-twenty-bytes-or-more", "no digest that is known"},
  };
  for (size_t i = 0; i < sizeof bogus / sizeof bogus[0]; i++) {
    struct meeting meeting = meet_without_a_key(stage);
    peer_tell(meeting.python, "send_text %s", bogus[i].challenge);
    peer_expect(meeting.python, "sent");
    peer_tell(meeting.python, "receive");
    assert_error(answer(&meeting, MAYFLY_ENDPOINT_ALLOW_MD5), MAYFLY_EAUTH, bogus[i].words);
    part(&meeting, "raised EOFError: ");
  }
}

static void a_step_of_more_than_256_bytes_is_refused(struct stage *stage) {
  struct meeting meeting = meet_without_a_key(stage);
  peer_ask(meeting.python, "send 257", "sent");
  assert_error(answer(&meeting, 0), MAYFLY_EAUTH, "256");
  part(&meeting, NULL);
}

/* In a handshake a header of -2 is a step that is none, and an end in the middle a peer that left. */
static void a_broken_stream_inside_the_handshake_is_no_proof(struct stage *stage) {
  static const char *const broken[] = {"fffffffe", "0000003b23434841", "0000"};
  mayfly_endpoint_options options = meeting_options(way_of(STREAM_FAMILY, 1, 1), stage);
  mayfly_connection *connection = NULL;
  mayfly_address address;
  python_listens(stage, STREAM_FAMILY, "-", &address);
  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    peer_tell(&stage->python, "accept");
    peer_tell(&stage->python, "write %s", broken[i]);
    peer_tell(&stage->python, "close");
    assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_EAUTH, "authentication");
    assert_null(connection);
    peer_expect(&stage->python, "accepted");
    peer_expect(&stage->python, "written");
    peer_expect(&stage->python, "closed");
  }
  peer_ask(&stage->python, "stop_listening", "stopped");
}

/* Its challenge may come along with its answer, and its first message with its verdict. */
static void a_client_that_awaits_no_verdict_is_let_in(struct stage *stage) {
  mayfly_endpoint_options options = meeting_options(way_of(MAYFLY_AF_INET, 1, 0), stage);
  mayfly_address address = {.family = MAYFLY_AF_INET, .name = "localhost"};
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  struct meeting meeting = {.way = way_of(MAYFLY_AF_INET, 1, 0), .python = &stage->python};
  assert_ok(mayfly_listen(&address, &options, &meeting.listener));
  assert_ok(mayfly_address_format(mayfly_listener_address(meeting.listener), text, sizeof text));
  peer_tell(&stage->python, "connect_hastily %s %s", text, meeting_key_digits);
  assert_ok(mayfly_accept(meeting.listener, MEETING_PATIENCE_MS, &meeting.ours));
  peer_expect(&stage->python, "#WELCOME#");
  assert_ok(mayfly_connection_set_readahead(meeting.ours, 0)); /* of the message nothing was read */
  expect_text(meeting.ours, "in haste");
  part(&meeting, NULL);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(each_half_meets_its_other_half_in_python, EVERY_PYTHON),
      stage_test(each_half_refuses_the_wrong_key, ONE_OF_EACH_ERA),
      stage_test(each_half_refuses_md5_unless_it_is_allowed, EVERY_LEGACY),
      stage_test(sha256_and_sha384_are_proved_to_python, EVERY_MODERN),
      stage_test(md5_by_name_is_proved_to_python_only_if_allowed, EVERY_MODERN),
      stage_test(sha3_is_refused_in_words, EVERY_MODERN),
      stage_test(a_bogus_answer_is_refused_and_told_so, NEWEST_PYTHON),
      stage_test(a_bogus_verdict_is_refused, NEWEST_PYTHON),
      stage_test(bogus_challenges_are_refused_without_a_word, NEWEST_PYTHON),
      stage_test(a_step_of_more_than_256_bytes_is_refused, NEWEST_PYTHON),
      stage_test(a_client_that_awaits_no_verdict_is_let_in, NEWEST_PYTHON),
      stage_test(a_broken_stream_inside_the_handshake_is_no_proof, NEWEST_PYTHON),
  };
  return stage_run_tests("python_handshake", tests, sizeof tests / sizeof tests[0]);
}
