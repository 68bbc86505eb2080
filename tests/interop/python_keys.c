/* SPDX-License-Identifier: MIT */
/* python_keys.c - right keys, wrong keys and missing keys, between this program and real Pythons. */
#include "meeting.h"
#include "result.h"
#include <stdio.h>
#include <string.h>

enum { SHORT_MS = 300 };

static const char wrong_key_digits[] = "77726f6e67";

static mayfly_listener *listen_with(mayfly_family family, const mayfly_endpoint_options *options) {
  mayfly_address address;
  mayfly_listener *listener = NULL;
  assert_ok(mayfly_arbitrary_address(family, &address));
  assert_ok(mayfly_listen(&address, options, &listener));
  return listener;
}

/* Python comes to the listener with the right key, is let in, and is heard. */
static void serve_a_good_client(struct peer *python, mayfly_listener *listener) {
  mayfly_connection *connection;
  python_connects(python, mayfly_listener_address(listener), meeting_key_digits);
  peer_tell(python, "send_text good");
  assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
  peer_expect(python, "connected");
  peer_expect(python, "sent");
  expect_text(connection, "good");
  assert_ok(mayfly_connection_close(connection));
}

/* We come to Python's listener with the right key, are let in, and are heard. */
static void be_a_good_client(struct stage *stage, const mayfly_address *address) {
  mayfly_endpoint_options options = meeting_options(way_of(address->family, 1, 1), stage);
  mayfly_connection *connection;
  peer_tell(&stage->python, "accept");
  peer_tell(&stage->python, "receive_text");
  assert_ok(mayfly_connect(address, &options, &connection));
  assert_ok(mayfly_send_bytes(connection, "good", 4));
  peer_expect(&stage->python, "accepted");
  peer_expect(&stage->python, "text good");
  assert_ok(mayfly_connection_close(connection));
}

static void for_each_family(struct stage *stage, void (*run)(struct stage *stage, mayfly_family family)) {
  run(stage, LOCAL_FAMILY);
  run(stage, MAYFLY_AF_INET);
}

/* ---- keys of every length -------------------------------------------------------- */

static void digits_of(const unsigned char *key, size_t size, char *digits) {
  for (size_t i = 0; i < size; i++)
    sprintf(digits + 2 * i, "%02x", key[i]);
}

/* Around the block sizes of the digests, 64 and 128, beyond which an HMAC shortens its key first. */
static void keys_of_every_length_are_proved_by_both_sides(struct stage *stage) {
  static const size_t sizes[] = {1, 63, 64, 65, 127, 128, 129, 1000};
  static unsigned char key[1000];
  static char digits[2 * sizeof key + 1];
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 1), stage);
  mayfly_connection *connection;
  options.authkey = key;
  for (size_t i = 0; i < sizeof key; i++)
    key[i] = (unsigned char)(255 - i % 256);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    options.authkey_size = sizes[i];
    memset(digits, 0, sizeof digits);
    digits_of(key, sizes[i], digits);
    mayfly_listener *listener = listen_with(LOCAL_FAMILY, &options);
    python_connects(&stage->python, mayfly_listener_address(listener), digits);
    assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
    peer_expect(&stage->python, "connected");
    assert_ok(mayfly_connection_close(connection));
    assert_ok(mayfly_listener_close(listener));
  }
}

/* ---- the wrong key ---------------------------------------------------------------- */

static void refuse_a_client(struct stage *stage, mayfly_family family) {
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 0), stage);
  mayfly_listener *listener = listen_with(family, &options);
  python_connects(&stage->python, mayfly_listener_address(listener), wrong_key_digits);
  assert_error(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection), MAYFLY_EAUTH, "does not hold the same key");
  assert_null(connection);
  peer_expect(&stage->python, "raised AuthenticationError: digest sent was rejected");
  serve_a_good_client(&stage->python, listener);
  assert_ok(mayfly_listener_close(listener));
}

static void a_python_client_with_the_wrong_key_is_refused_and_the_next_one_served(struct stage *stage) {
  for_each_family(stage, refuse_a_client);
}

static void be_refused(struct stage *stage, mayfly_family family) {
  mayfly_address address;
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 1), stage);
  options.authkey = "wrong";
  options.authkey_size = 5;
  python_listens(stage, family, meeting_key_digits, &address);
  peer_tell(&stage->python, "accept");
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_EAUTH, "refused our key");
  assert_null(connection);
  peer_expect(&stage->python, "raised AuthenticationError: digest received was wrong");
  be_a_good_client(stage, &address);
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void a_python_listener_refuses_our_wrong_key_and_serves_the_right_one(struct stage *stage) {
  for_each_family(stage, be_refused);
}

/* ---- HMAC-MD5 ---------------------------------------------------------------------- */

static void refuse_md5_as_a_listener(struct stage *stage, mayfly_family family) {
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 0), stage);
  options.flags &= ~MAYFLY_ENDPOINT_ALLOW_MD5;
  mayfly_listener *listener = listen_with(family, &options);
  python_connects(&stage->python, mayfly_listener_address(listener), meeting_key_digits);
  assert_error(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection), MAYFLY_EAUTH,
               "set MAYFLY_ENDPOINT_ALLOW_MD5");
  assert_null(connection);
  peer_expect(&stage->python, "raised AuthenticationError: digest sent was rejected");
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  assert_ok(mayfly_listener_close(listener));
}

static void a_legacy_python_client_is_refused_with_words_that_name_the_flag(struct stage *stage) {
  for_each_family(stage, refuse_md5_as_a_listener);
}

static void refuse_md5_as_a_client(struct stage *stage, mayfly_family family) {
  mayfly_address address;
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 1), stage);
  options.flags &= ~MAYFLY_ENDPOINT_ALLOW_MD5;
  python_listens(stage, family, meeting_key_digits, &address);
  peer_tell(&stage->python, "accept");
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_EAUTH, "set MAYFLY_ENDPOINT_ALLOW_MD5");
  assert_null(connection);
  peer_expect(&stage->python, "raised EOFError: ");
  be_a_good_client(stage, &address);
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void a_legacy_python_listener_is_refused_with_words_that_name_the_flag(struct stage *stage) {
  for_each_family(stage, refuse_md5_as_a_client);
}

static void a_modern_python_needs_no_md5_and_is_not_disturbed_by_it(struct stage *stage) {
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 1), stage);
  mayfly_address address;
  mayfly_connection *connection;
  assert_int_equal(options.flags & MAYFLY_ENDPOINT_ALLOW_MD5, 0);
  python_listens(stage, LOCAL_FAMILY, meeting_key_digits, &address);
  be_a_good_client(stage, &address);

  options.flags |= MAYFLY_ENDPOINT_ALLOW_MD5;
  peer_tell(&stage->python, "accept");
  assert_ok(mayfly_connect(&address, &options, &connection));
  peer_expect(&stage->python, "accepted");
  assert_ok(mayfly_connection_close(connection));
  peer_ask(&stage->python, "stop_listening", "stopped");

  mayfly_listener *listener = listen_with(LOCAL_FAMILY, &options);
  serve_a_good_client(&stage->python, listener);
  assert_ok(mayfly_listener_close(listener));
}

/* ---- a key on one side only --------------------------------------------------------- */

/* Python takes our challenge for a message and waits for another. */
static void time_out_a_client(struct stage *stage, mayfly_family family) {
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 0), stage);
  options.open_timeout_ms = SHORT_MS;
  mayfly_listener *listener = listen_with(family, &options);
  python_connects(&stage->python, mayfly_listener_address(listener), "-");
  peer_expect(&stage->python, "connected");
  peer_tell(&stage->python, "receive");
  peer_tell(&stage->python, "receive");
  assert_error(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection), MAYFLY_EAUTH, "300 ms");
  assert_null(connection);
  peer_expect(&stage->python, "message 59 of other content");
  peer_expect(&stage->python, "raised EOFError: ");
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  assert_ok(mayfly_listener_close(listener));
}

static void a_python_client_without_a_key_is_dropped_at_our_deadline(struct stage *stage) {
  for_each_family(stage, time_out_a_client);
}

static void pass_a_silent_client(struct stage *stage, mayfly_family family) {
  static struct peer silent;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 0), stage);
  mayfly_listener *listener = listen_with(family, &options);
  peer_start(&silent, stage->interpreter, "peer.py", (const char *[]){NULL}, -1);
  python_connects(&silent, mayfly_listener_address(listener), "-");
  peer_expect(&silent, "connected");
  serve_a_good_client(&stage->python, listener);
  assert_ok(mayfly_listener_close(listener));
  peer_ask(&silent, "receive", "message 59 of other content");
  peer_ask(&silent, "receive", "raised EOFError: ");
  peer_end(&silent);
}

static void a_python_client_without_a_key_holds_up_nobody(struct stage *stage) {
  for_each_family(stage, pass_a_silent_client);
}

static void a_python_client_without_a_key_that_talks_is_refused_at_once(struct stage *stage) {
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 0), stage);
  mayfly_listener *listener = listen_with(LOCAL_FAMILY, &options);
  python_connects(&stage->python, mayfly_listener_address(listener), "-");
  peer_tell(&stage->python, "send_text hello");
  assert_error(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection), MAYFLY_EAUTH, "names no digest");
  assert_null(connection);
  peer_expect(&stage->python, "connected");
  peer_expect(&stage->python, "sent");
  peer_ask(&stage->python, "receive", "message 59 of other content");
  peer_ask(&stage->python, "receive_text", "text #FAILURE#");
  peer_ask(&stage->python, "receive", "raised EOFError: ");
  serve_a_good_client(&stage->python, listener);
  assert_ok(mayfly_listener_close(listener));
}

static void time_out_at_a_listener(struct stage *stage, mayfly_family family) {
  mayfly_address address;
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(family, 1, 1), stage);
  options.open_timeout_ms = SHORT_MS;
  python_listens(stage, family, "-", &address);
  peer_tell(&stage->python, "accept");
  peer_tell(&stage->python, "receive");
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_ETIMEDOUT, "silent until the time ran out");
  assert_null(connection);
  peer_expect(&stage->python, "accepted");
  peer_expect(&stage->python, "raised EOFError: ");
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void a_python_listener_without_a_key_is_left_at_our_deadline(struct stage *stage) {
  for_each_family(stage, time_out_at_a_listener);
}

static void a_python_listener_without_a_key_that_talks_is_left_at_once(struct stage *stage) {
  mayfly_address address;
  mayfly_connection *connection = NULL;
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 1), stage);
  python_listens(stage, LOCAL_FAMILY, "-", &address);
  peer_tell(&stage->python, "accept");
  peer_tell(&stage->python, "send_text hello");
  peer_tell(&stage->python, "receive");
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_EAUTH, "is no challenge");
  assert_null(connection);
  peer_expect(&stage->python, "accepted");
  peer_expect(&stage->python, "sent");
  peer_expect(&stage->python, "raised EOFError: ");
  peer_ask(&stage->python, "stop_listening", "stopped");
}

/* Without a key there is no handshake, so the challenge is a message like any other. */
static void our_client_without_a_key_receives_pythons_challenge(struct stage *stage) {
  mayfly_address address;
  mayfly_connection *connection;
  const void *data;
  size_t size;
  python_listens(stage, LOCAL_FAMILY, meeting_key_digits, &address);
  peer_tell(&stage->python, "accept");
  assert_ok(mayfly_connect(&address, NULL, &connection));
  assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size));
  assert_memory_equal(data, "#CHALLENGE#", strlen("#CHALLENGE#"));
  assert_ok(mayfly_connection_close(connection));
  peer_expect(&stage->python, "raised EOFError: ");
  be_a_good_client(stage, &address);
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void our_listener_without_a_key_leaves_a_keyed_python_waiting_until_it_closes(struct stage *stage) {
  mayfly_connection *connection;
  mayfly_listener *listener = listen_with(LOCAL_FAMILY, NULL);
  python_connects(&stage->python, mayfly_listener_address(listener), meeting_key_digits);
  assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
  assert_ok(mayfly_connection_close(connection));
  peer_expect(&stage->python, "raised EOFError: ");
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(keys_of_every_length_are_proved_by_both_sides, ONE_OF_EACH_ERA),
      stage_test(a_python_client_with_the_wrong_key_is_refused_and_the_next_one_served, EVERY_PYTHON),
      stage_test(a_python_listener_refuses_our_wrong_key_and_serves_the_right_one, EVERY_PYTHON),
      stage_test(a_legacy_python_client_is_refused_with_words_that_name_the_flag, EVERY_LEGACY),
      stage_test(a_legacy_python_listener_is_refused_with_words_that_name_the_flag, EVERY_LEGACY),
      stage_test(a_modern_python_needs_no_md5_and_is_not_disturbed_by_it, EVERY_MODERN),
      stage_test(a_python_client_without_a_key_is_dropped_at_our_deadline, ONE_OF_EACH_ERA),
      stage_test(a_python_client_without_a_key_holds_up_nobody, ONE_OF_EACH_ERA),
      stage_test(a_python_client_without_a_key_that_talks_is_refused_at_once, ONE_OF_EACH_ERA),
      stage_test(a_python_listener_without_a_key_is_left_at_our_deadline, ONE_OF_EACH_ERA),
      stage_test(a_python_listener_without_a_key_that_talks_is_left_at_once, ONE_OF_EACH_ERA),
      stage_test(our_client_without_a_key_receives_pythons_challenge, ONE_OF_EACH_ERA),
      stage_test(our_listener_without_a_key_leaves_a_keyed_python_waiting_until_it_closes, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_keys", tests, sizeof tests / sizeof tests[0]);
}
