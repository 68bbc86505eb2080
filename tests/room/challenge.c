/* SPDX-License-Identifier: MIT */
/* challenge.c - the two halves of the authentication alone, over any connection. */
#include "background.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <string.h>
#include <unistd.h>

struct half {
  struct background background;
  mayfly_connection *connection;
  const char *key;
  unsigned flags;
};

static int run_answer(void *context) {
  const struct half *half = context;
  return mayfly_answer_challenge(half->connection, half->key, strlen(half->key), half->flags);
}

static int run_both(void *context) {
  const struct half *half = context;
  int result = mayfly_answer_challenge(half->connection, half->key, strlen(half->key), half->flags);
  return result < 0 ? result : mayfly_deliver_challenge(half->connection, half->key, strlen(half->key), half->flags);
}

static void prove_to_each_other(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  for (unsigned flags = 0; flags <= MAYFLY_ENDPOINT_ALLOW_MD5; flags++) {
    struct half half = {.connection = ends.other, .key = "secret", .flags = flags};
    background_start(&half.background, run_both, &half);
    assert_ok(mayfly_deliver_challenge(ends.one, "secret", 6, 0));
    assert_ok(mayfly_answer_challenge(ends.one, "secret", 6, 0));
    background_expect_ok(&half.background);
  }
  assert_ok(mayfly_send_bytes(ends.one, "ping", 4)); /* nothing of it is left on the way */
  ends_expect_message(ends.other, "ping", 4);
  ends_close(&ends);
}

static void two_ends_prove_a_key_to_each_other(void **state) {
  (void)state;
  ends_of_every_kind(prove_to_each_other);
}

static void prove_ahead(enum ends_kind kind) {
  struct ends ends;
  struct half half = {.key = "secret"};
  ends_open(&ends, kind);
  half.connection = ends.other;
  assert_ok(mayfly_connection_set_readahead(ends.one, 4096));
  assert_ok(mayfly_connection_set_readahead(ends.other, 4096));
  background_start(&half.background, run_both, &half);
  assert_ok(mayfly_deliver_challenge(ends.one, "secret", 6, 0));
  assert_ok(mayfly_answer_challenge(ends.one, "secret", 6, 0));
  background_expect_ok(&half.background);
  ends_close(&ends);
}

static void reading_ahead_does_not_disturb_it(void **state) {
  (void)state;
  ends_of_every_kind(prove_ahead);
}

static void prove_another_key(enum ends_kind kind) {
  struct ends ends;
  struct half half = {.key = "Secret"};
  ends_open(&ends, kind);
  half.connection = ends.other;
  background_start(&half.background, run_answer, &half);
  assert_error(mayfly_deliver_challenge(ends.one, "secret", 6, 0), MAYFLY_EAUTH, "does not hold the same key");
  background_expect(&half.background, MAYFLY_EAUTH, "the peer refused our key");
  ends_close(&ends);
}

static void another_key_fails_on_both_sides(void **state) {
  (void)state;
  ends_of_every_kind(prove_another_key);
}

static void the_timeouts_of_the_connection_hold(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_ok(mayfly_connection_set_timeouts(ends.one, 20, 20));
  assert_error(mayfly_answer_challenge(ends.one, "secret", 6, 0), MAYFLY_ETIMEDOUT, "time ran out");
  assert_error(mayfly_deliver_challenge(ends.one, "secret", 6, 0), MAYFLY_ETIMEDOUT, "time ran out");
  ends_close(&ends);
}

static void a_peer_that_is_gone_has_not_proved_anything(void **state) {
  (void)state;
  struct ends ends;
  for (int i = 0; i < 2; i++) {
    ends_open(&ends, ENDS_PIPE);
    assert_ok(mayfly_connection_close(ends.one));
    ends.one = NULL;
    if (i == 0)
      assert_error(mayfly_deliver_challenge(ends.other, "secret", 6, 0), MAYFLY_EAUTH, "the peer closed");
    else
      assert_error(mayfly_answer_challenge(ends.other, "secret", 6, 0), MAYFLY_EAUTH, "the peer closed");
    ends_close(&ends);
  }
}

static void hmac_md5_is_answered_only_where_it_is_allowed(void **state) {
  (void)state;
  static const char legacy[] = "#CHALLENGE#01234567890123456789";
  char answer[64];
  struct ends ends;
  for (unsigned flags = 0; flags <= MAYFLY_ENDPOINT_ALLOW_MD5; flags++) {
    int raw;
    ends.one = ends_with_raw(ENDS_UNIX, NULL, &raw);
    ends.other = NULL;
    raw_say_message(raw, legacy, sizeof legacy - 1);
    raw_say_message(raw, "#WELCOME#", 9);
    if (flags == 0)
      assert_error(mayfly_answer_challenge(ends.one, "secret", 6, flags), MAYFLY_EAUTH,
                   "set MAYFLY_ENDPOINT_ALLOW_MD5 to answer it");
    else {
      assert_ok(mayfly_answer_challenge(ends.one, "secret", 6, flags));
      assert_int_equal(raw_hear_message(raw, answer, sizeof answer), 16);
    }
    ends_close(&ends);
    close(raw);
  }
}

static void what_cannot_be_is_refused_before_anything_is_sent(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_error(mayfly_deliver_challenge(NULL, "key", 3, 0), MAYFLY_EINVAL,
               "mayfly_deliver_challenge: connection is NULL");
  assert_error(mayfly_answer_challenge(NULL, "key", 3, 0), MAYFLY_EINVAL,
               "mayfly_answer_challenge: connection is NULL");
  assert_error(mayfly_deliver_challenge(ends.one, NULL, 3, 0), MAYFLY_EINVAL, "authkey is NULL");
  assert_error(mayfly_answer_challenge(ends.one, NULL, 0, 0), MAYFLY_EINVAL, "authkey is NULL");
  assert_error(mayfly_deliver_challenge(ends.one, "", 0, 0), MAYFLY_EINVAL, "authkey is empty");
  assert_error(mayfly_answer_challenge(ends.one, "", 0, 0), MAYFLY_EINVAL, "authkey is empty");
  assert_error(mayfly_deliver_challenge(ends.one, "key", 3, MAYFLY_ENDPOINT_ANY_USER), MAYFLY_EINVAL,
               "flag 0x2 is of no use here");
  assert_error(mayfly_answer_challenge(ends.one, "key", 3, 1u << 31), MAYFLY_EINVAL, "flag 0x80000000");
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  ends_close(&ends);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(two_ends_prove_a_key_to_each_other),
      test(reading_ahead_does_not_disturb_it),
      test(another_key_fails_on_both_sides),
      test(the_timeouts_of_the_connection_hold),
      test(a_peer_that_is_gone_has_not_proved_anything),
      test(hmac_md5_is_answered_only_where_it_is_allowed),
      test(what_cannot_be_is_refused_before_anything_is_sent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
