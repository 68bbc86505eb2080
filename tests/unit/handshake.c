/* SPDX-License-Identifier: MIT */
/* Tests of the handshake: against recordings of real Pythons, and between two of ours with whatever goes wrong on the
 * way. */
#include "handshake.h"
#include "toy_hmac.h"
#include <mayfly/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* needs those before it */

#include "handshake_vectors.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

struct message {
  uint8_t bytes[MF_HANDSHAKE_MESSAGE_MAX + 44];
  size_t size;
};

static const char key[] = "a key";
static const uint8_t server_nonce[MF_HANDSHAKE_NONCE_SIZE] = {1}, client_nonce[MF_HANDSHAKE_NONCE_SIZE] = {2};

static struct mf_handshake start(enum mf_handshake_role role, const char *with_key, int allow_md5) {
  const int challenges_first = role == MF_HANDSHAKE_SERVER || role == MF_HANDSHAKE_DELIVER;
  struct mf_handshake handshake;
  assert_int_equal(mf_handshake_init(&handshake, role, with_key, strlen(with_key), allow_md5,
                                     challenges_first ? server_nonce : client_nonce, toy_hmac),
                   0);
  return handshake;
}

static struct message text(const char *characters) {
  struct message message = {.size = strlen(characters)};
  memcpy(message.bytes, characters, message.size);
  return message;
}

static void append(struct message *message, const void *bytes, size_t size) {
  assert_true(message->size + size <= sizeof message->bytes);
  memcpy(message->bytes + message->size, bytes, size);
  message->size += size;
}

static void append_mac(struct message *answer, enum mf_digest digest, struct message challenge) {
  uint8_t mac[MF_DIGEST_SIZE_MAX];
  size_t size;
  toy_hmac(digest, key, strlen(key), challenge.bytes + 11, challenge.size - 11, mac, &size);
  append(answer, mac, size);
}

static struct message take(struct mf_handshake *handshake) {
  struct message message = {.size = 0};
  size_t size;
  assert_int_equal(mf_handshake_state(handshake), MF_HANDSHAKE_SEND);
  const void *bytes = mf_handshake_outgoing(handshake, &size);
  append(&message, bytes, size);
  mf_handshake_sent(handshake);
  return message;
}

static void give(struct mf_handshake *handshake, struct message message) {
  assert_int_equal(mf_handshake_state(handshake), MF_HANDSHAKE_RECEIVE);
  mf_handshake_received(handshake, message.bytes, message.size);
}

static void assert_message(struct message message, const char *expected) {
  assert_int_equal(message.size, strlen(expected));
  assert_memory_equal(message.bytes, expected, message.size);
}

static void assert_done(const struct mf_handshake *handshake) {
  const char *why = "untouched";
  assert_int_equal(mf_handshake_state(handshake), MF_HANDSHAKE_DONE);
  assert_int_equal(mf_handshake_error(handshake, &why), 0);
  assert_null(why);
}

static void assert_failed(const struct mf_handshake *handshake, const char *words) {
  const char *why = NULL;
  assert_int_equal(mf_handshake_state(handshake), MF_HANDSHAKE_FAILED);
  assert_int_equal(mf_handshake_error(handshake, &why), MAYFLY_EAUTH);
  assert_non_null(why);
  if (strstr(why, words) == NULL)
    fail_msg("\"%s\" does not say \"%s\"", why, words);
}

/* An answerer says nothing more, a challenger says #FAILURE#. */
static void assert_says_failure(struct mf_handshake *handshake, const char *words) {
  assert_message(take(handshake), "#FAILURE#");
  assert_failed(handshake, words);
}

/* ---- two of ours ----------------------------------------------------------------- */

typedef void change_fn(struct message *message, const void *context);

/* Carries messages between the two until neither has one to send. The one that is number `at` is changed. */
static void carry(struct mf_handshake *one, struct mf_handshake *other, int at, change_fn *change,
                  const void *context) {
  for (int number = 0;; number++) {
    const int one_sends = mf_handshake_state(one) == MF_HANDSHAKE_SEND;
    struct mf_handshake *sender = one_sends ? one : other, *receiver = one_sends ? other : one;
    if (mf_handshake_state(sender) != MF_HANDSHAKE_SEND)
      return;
    struct message message = take(sender);
    if (number == at)
      change(&message, context);
    if (mf_handshake_state(receiver) == MF_HANDSHAKE_RECEIVE)
      give(receiver, message);
  }
}

static void carry_unchanged(struct mf_handshake *one, struct mf_handshake *other) {
  carry(one, other, -1, NULL, NULL);
}

static void both_sides_of_one_key_are_done_after_six_messages(void **state) {
  (void)state;
  for (int allow_md5 = 0; allow_md5 <= 1; allow_md5++) {
    struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, allow_md5);
    struct mf_handshake client = start(MF_HANDSHAKE_CLIENT, key, allow_md5);
    for (int half = 0; half < 2; half++) {
      struct mf_handshake *challenger = half == 0 ? &server : &client, *answerer = half == 0 ? &client : &server;
      give(answerer, take(challenger));
      give(challenger, take(answerer));
      give(answerer, take(challenger));
    }
    assert_done(&server);
    assert_done(&client);
  }
}

static void each_half_alone_is_three_messages(void **state) {
  struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 0), answer = start(MF_HANDSHAKE_ANSWER, key, 0);
  (void)state;
  give(&answer, take(&deliver));
  give(&deliver, take(&answer));
  give(&answer, take(&deliver));
  assert_done(&deliver);
  assert_done(&answer);
}

static void two_halves_in_a_row_meet_a_whole_handshake(void **state) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 0);
  struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 0), deliver = start(MF_HANDSHAKE_DELIVER, key, 0);
  (void)state;
  carry_unchanged(&server, &answer);
  assert_done(&answer);
  carry_unchanged(&server, &deliver);
  assert_done(&deliver);
  assert_done(&server);
}

static void messages_look_as_pythons_do(void **state) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 0), client = start(MF_HANDSHAKE_CLIENT, key, 0);
  struct message expected = text("#CHALLENGE#{sha256}");
  (void)state;
  append(&expected, server_nonce, sizeof server_nonce);

  struct message challenge = take(&server);
  assert_int_equal(challenge.size, expected.size);
  assert_memory_equal(challenge.bytes, expected.bytes, expected.size);

  give(&client, challenge);
  struct message answer = take(&client);
  assert_int_equal(answer.size, 8 + 32);
  assert_memory_equal(answer.bytes, "{sha256}", 8);

  give(&server, answer);
  assert_message(take(&server), "#WELCOME#");
}

static void asking_for_the_outgoing_message_again_gives_the_same(void **state) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 0);
  size_t size, again;
  (void)state;
  const void *message = mf_handshake_outgoing(&server, &size);
  assert_ptr_equal(mf_handshake_outgoing(&server, &again), message);
  assert_int_equal(again, size);
}

static void another_key_is_refused_and_both_sides_know_it(void **state) {
  static const char *const others[] = {"b key", "a kez", "a ke", "a key ", "A key"};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 0);
    struct mf_handshake client = start(MF_HANDSHAKE_CLIENT, others[i], 0);
    carry_unchanged(&server, &client);
    assert_failed(&server, "does not hold the same key");
    assert_failed(&client, "refused our key");
  }
}

static void a_key_is_bytes_and_may_hold_a_nul(void **state) {
  static const char one[] = "a\0b", other[] = "a\0c";
  (void)state;
  for (int same = 0; same <= 1; same++) {
    struct mf_handshake server, client;
    mf_handshake_init(&server, MF_HANDSHAKE_SERVER, one, 3, 0, server_nonce, toy_hmac);
    mf_handshake_init(&client, MF_HANDSHAKE_CLIENT, same ? one : other, 3, 0, client_nonce, toy_hmac);
    carry_unchanged(&server, &client);
    assert_int_equal(mf_handshake_state(&client), same ? MF_HANDSHAKE_DONE : MF_HANDSHAKE_FAILED);
  }
}

static void an_empty_key_is_refused_before_anything_is_sent(void **state) {
  struct mf_handshake handshake;
  (void)state;
  for (enum mf_handshake_role role = MF_HANDSHAKE_SERVER; role <= MF_HANDSHAKE_ANSWER; role++) {
    assert_int_equal(mf_handshake_init(&handshake, role, "", 0, 0, server_nonce, toy_hmac), MAYFLY_EINVAL);
    assert_int_equal(mf_handshake_init(&handshake, role, NULL, 0, 0, server_nonce, toy_hmac), MAYFLY_EINVAL);
    assert_int_equal(mf_handshake_init(&handshake, role, NULL, 5, 0, server_nonce, toy_hmac), MAYFLY_EINVAL);
  }
}

/* ---- whatever goes wrong on the way ---------------------------------------------- */

/* In a handshake in which message `at` is changed, its receiver fails. Its sender does not get through either, unless
 * it was the last message: nothing that could tell it follows. */
static void assert_noticed(int at, int allow_md5, change_fn *change, const void *context) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, allow_md5);
  struct mf_handshake client = start(MF_HANDSHAKE_CLIENT, key, allow_md5);
  const int server_sent = at == 0 || at == 2 || at == 4;
  const struct mf_handshake *sender = server_sent ? &server : &client, *receiver = server_sent ? &client : &server;
  carry(&server, &client, at, change, context);
  assert_failed(receiver, "");
  if (at == 5)
    assert_done(sender);
  else
    assert_int_not_equal(mf_handshake_state(sender), MF_HANDSHAKE_DONE);
}

static struct message good_message(int number, int allow_md5) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, allow_md5);
  struct mf_handshake client = start(MF_HANDSHAKE_CLIENT, key, allow_md5);
  for (int i = 0;; i++) {
    const int server_sends = i == 0 || i == 2 || i == 4;
    struct message message = take(server_sends ? &server : &client);
    if (i == number)
      return message;
    give(server_sends ? &client : &server, message);
  }
}

struct corruption {
  size_t position;
  uint8_t bits;
};

static void corrupt(struct message *message, const void *context) {
  const struct corruption *corruption = context;
  message->bytes[corruption->position] ^= corruption->bits;
}

static void every_corruption_of_a_single_byte_is_noticed(void **state) {
  (void)state;
  for (int allow_md5 = 0; allow_md5 <= 1; allow_md5++)
    for (int at = 0; at < 6; at++)
      for (size_t position = 0; position < good_message(at, allow_md5).size; position++)
        for (unsigned bits = 1; bits <= 0xff; bits++)
          assert_noticed(at, allow_md5, corrupt, &(struct corruption){position, (uint8_t)bits});
}

static void resize(struct message *message, const void *size) {
  message->size = *(const size_t *)size;
}

static void every_message_that_is_cut_or_too_long_is_noticed(void **state) {
  (void)state;
  for (int allow_md5 = 0; allow_md5 <= 1; allow_md5++)
    for (int at = 0; at < 6; at++) {
      const size_t good_size = good_message(at, allow_md5).size;
      for (size_t size = 0; size <= MF_HANDSHAKE_MESSAGE_MAX + 1; size++)
        if (size != good_size)
          assert_noticed(at, allow_md5, resize, &size);
    }
}

static void replace(struct message *message, const void *other) {
  *message = *(const struct message *)other;
}

static void a_message_of_another_step_is_noticed(void **state) {
  (void)state;
  for (int at = 0; at < 6; at++)
    for (int other = 0; other < 6; other++) {
      const struct message replayed = good_message(other, 0);
      const int is_same = other == at || (at % 3 == 2 && other % 3 == 2); /* the one verdict is as good as the other */
      if (!is_same)
        assert_noticed(at, 0, replace, &replayed);
    }
}

static void nobody_is_done_before_the_last_message(void **state) {
  (void)state;
  for (int sent = 0; sent < 6; sent++) {
    struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 0), client = start(MF_HANDSHAKE_CLIENT, key, 0);
    for (int number = 0; number < sent; number++) {
      const int server_sends = number == 0 || number == 2 || number == 4;
      give(server_sends ? &client : &server, take(server_sends ? &server : &client));
    }
    assert_int_not_equal(mf_handshake_state(&server), MF_HANDSHAKE_DONE);
    assert_int_not_equal(mf_handshake_state(&client), MF_HANDSHAKE_DONE);
  }
}

static void a_message_over_256_bytes_is_refused_in_words(void **state) {
  struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 1), answer = start(MF_HANDSHAKE_ANSWER, key, 1);
  struct message challenge = take(&deliver), long_answer = {.size = MF_HANDSHAKE_MESSAGE_MAX + 1};
  (void)state;
  give(&deliver, long_answer);
  assert_says_failure(&deliver, "256 bytes");
  challenge.size = MF_HANDSHAKE_MESSAGE_MAX + 1;
  give(&answer, challenge);
  assert_failed(&answer, "256 bytes");
}

static void a_challenge_of_256_bytes_is_answered(void **state) {
  struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 0);
  struct message challenge = text("#CHALLENGE#{sha256}"), expected = text("{sha256}");
  (void)state;
  challenge.size = MF_HANDSHAKE_MESSAGE_MAX;
  append_mac(&expected, MF_SHA256, challenge);
  give(&answer, challenge);
  assert_memory_equal(take(&answer).bytes, expected.bytes, expected.size);
}

/* ---- replay and reflection -------------------------------------------------------- */

static void an_answer_to_another_challenge_is_refused(void **state) {
  struct mf_handshake deliver;
  (void)state;
  mf_handshake_init(&deliver, MF_HANDSHAKE_DELIVER, key, strlen(key), 0, client_nonce, toy_hmac);
  take(&deliver);
  give(&deliver, good_message(1, 0));
  assert_says_failure(&deliver, "does not hold the same key");
}

static void a_server_that_gets_its_own_challenge_back_is_not_satisfied(void **state) {
  struct mf_handshake server = start(MF_HANDSHAKE_SERVER, key, 1);
  (void)state;
  give(&server, take(&server));
  assert_says_failure(&server, "names no digest");
}

static void a_server_answers_nothing_before_it_is_satisfied(void **state) {
  struct mf_handshake one = start(MF_HANDSHAKE_SERVER, key, 1), other = start(MF_HANDSHAKE_SERVER, key, 1);
  (void)state;
  const struct message challenge = take(&one);
  take(&other);
  give(&other, challenge);
  assert_says_failure(&other, "names no digest");
}

/* As with Python: an answer says neither by whom nor on which connection it was given. Who can't trust the address it
 * connects to asks who the server is (`admit`). */
static void whoever_owns_an_address_can_have_one_client_answer_another(void **state) {
  struct mf_handshake victim = start(MF_HANDSHAKE_CLIENT, key, 0), other = start(MF_HANDSHAKE_CLIENT, key, 0);
  (void)state;
  give(&victim, text("#CHALLENGE#{sha256}any bytes will do"));
  take(&victim);
  give(&victim, text("#WELCOME#"));
  give(&other, take(&victim));
  give(&victim, take(&other));
  assert_message(take(&victim), "#WELCOME#");
  assert_done(&victim);
}

/* ---- digests ---------------------------------------------------------------------- */

static struct message answer_in(enum mf_digest digest, const char *prefix, struct message challenge) {
  struct message answer = text(prefix);
  append_mac(&answer, digest, challenge);
  return answer;
}

static void an_answer_with_md5_passes_only_where_it_is_allowed(void **state) {
  static const struct { const char *prefix, *words; } answers[] = {{"", "Python before 3.12"}, {"{md5}", "HMAC-MD5"}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(answers); i++) {
    struct mf_handshake allowing = start(MF_HANDSHAKE_DELIVER, key, 1), refusing = start(MF_HANDSHAKE_DELIVER, key, 0);
    give(&allowing, answer_in(MF_MD5, answers[i].prefix, take(&allowing)));
    assert_message(take(&allowing), "#WELCOME#");
    assert_done(&allowing);

    struct mf_handshake copy = refusing;
    give(&refusing, answer_in(MF_MD5, answers[i].prefix, take(&refusing)));
    assert_says_failure(&refusing, answers[i].words);
    give(&copy, answer_in(MF_MD5, answers[i].prefix, take(&copy)));
    assert_says_failure(&copy, "MAYFLY_ENDPOINT_ALLOW_MD5");
  }
}

static void a_wrong_answer_with_md5_is_refused_where_md5_is_allowed(void **state) {
  struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 1);
  (void)state;
  struct message answer = answer_in(MF_MD5, "", take(&deliver));
  answer.bytes[15] ^= 1;
  give(&deliver, answer);
  assert_says_failure(&deliver, "does not hold the same key");
}

static void an_answer_in_a_digest_that_was_not_asked_for_is_refused(void **state) {
  struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 1);
  (void)state;
  give(&deliver, answer_in(MF_SHA384, "{sha384}", take(&deliver)));
  assert_says_failure(&deliver, "SHA-256");
}

static void an_answer_without_a_known_digest_is_refused(void **state) {
  static const char *const prefixes[] = {"", "{sha3_256}", "{sha1}", "{SHA256}", "sha256", "{sha256]", " {sha256}"};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
    struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 1);
    give(&deliver, answer_in(MF_SHA256, prefixes[i], take(&deliver)));
    assert_says_failure(&deliver, "names no digest");
  }
}

static void a_mac_of_the_wrong_length_is_refused(void **state) {
  static const size_t sizes[] = {8, 9, 24, 39, 41, 56, 256};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    struct mf_handshake deliver = start(MF_HANDSHAKE_DELIVER, key, 1);
    struct message answer = answer_in(MF_SHA256, "{sha256}", take(&deliver));
    answer.size = sizes[i];
    give(&deliver, answer);
    assert_says_failure(&deliver, "wrong length");
  }
}

static void a_challenge_is_answered_in_the_digest_that_it_names(void **state) {
  static const struct {
    enum mf_digest digest;
    const char *challenge, *prefix;
  } cases[] = {
      {MF_SHA256, "#CHALLENGE#{sha256}a challenge of some bytes", "{sha256}"},
      {MF_SHA384, "#CHALLENGE#{sha384}a challenge of some bytes", "{sha384}"},
      {MF_MD5, "#CHALLENGE#{md5}a challenge of some bytes", "{md5}"},
      {MF_MD5, "#CHALLENGE#exactly twenty bytes", ""},
      {MF_MD5, "#CHALLENGE#{sha256}twelve bytes", ""}, /* 20 bytes with its prefix: the size decides, as in Python */
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 1);
    const struct message challenge = text(cases[i].challenge);
    const struct message expected = answer_in(cases[i].digest, cases[i].prefix, challenge);
    give(&answer, challenge);
    const struct message given = take(&answer);
    assert_int_equal(given.size, expected.size);
    assert_memory_equal(given.bytes, expected.bytes, expected.size);
  }
}

static void a_challenge_for_md5_is_answered_only_where_it_is_allowed(void **state) {
  static const struct {
    const char *challenge, *words;
  } cases[] = {
      {"#CHALLENGE#{md5}a challenge of some bytes", "HMAC-MD5"},
      {"#CHALLENGE#exactly twenty bytes", "Python before 3.12"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 0);
    give(&answer, text(cases[i].challenge));
    assert_failed(&answer, cases[i].words);
    assert_failed(&answer, "MAYFLY_ENDPOINT_ALLOW_MD5");
  }
}

static void what_is_no_challenge_is_not_answered(void **state) {
  static const struct {
    const char *message, *words;
  } cases[] = {
      {"", "no challenge"},
      {"#CHALLENGE", "no challenge"},
      {"hello", "no challenge"},
      {"#WELCOME#", "no challenge"},
      {" #CHALLENGE#{sha256}a challenge of some bytes", "no challenge"},
      {"#CHALLENGE#", "shorter than 20"},
      {"#CHALLENGE#nineteen bytes only", "shorter than 20"},
      {"#CHALLENGE#{sha256}short", "shorter than 20"},
      {"#CHALLENGE#twenty-one bytes here", "no digest"},
      {"#CHALLENGE#{sha3_256}a challenge of some bytes", "no digest"},
      {"#CHALLENGE#{sha3_384}a challenge of some bytes", "no digest"},
      {"#CHALLENGE#{sha512}a challenge of some bytes", "no digest"},
      {"#CHALLENGE#{sha256 a challenge of some bytes", "no digest"},
      {"#CHALLENGE#{}a challenge of some bytes", "no digest"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 1);
    give(&answer, text(cases[i].message));
    assert_failed(&answer, cases[i].words);
  }
}

static void a_verdict_is_welcome_or_the_end(void **state) {
  static const struct {
    const char *verdict, *words;
  } cases[] = {
      {"#FAILURE#", "refused our key"}, {"", "neither"},          {"#WELCOME", "neither"},
      {"#WELCOME# ", "neither"},        {"#welcome#", "neither"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mf_handshake answer = start(MF_HANDSHAKE_ANSWER, key, 0);
    give(&answer, text("#CHALLENGE#{sha256}a challenge of some bytes"));
    take(&answer);
    give(&answer, text(cases[i].verdict));
    assert_failed(&answer, cases[i].words);
  }
}

/* ---- the system's HMAC fails ------------------------------------------------------ */

static int absent_hmac(enum mf_digest digest, const void *with_key, size_t key_size, const void *data, size_t size,
                       uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  (void)digest, (void)with_key, (void)key_size, (void)data, (void)size, (void)out, (void)out_size;
  return MAYFLY_ENOTSUP;
}

static int failing_hmac(enum mf_digest digest, const void *with_key, size_t key_size, const void *data, size_t size,
                        uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  (void)digest, (void)with_key, (void)key_size, (void)data, (void)size, (void)out, (void)out_size;
  return MAYFLY_ENOMEM;
}

static void a_digest_that_the_system_lacks_is_a_failure_in_words(void **state) {
  struct mf_handshake handshake;
  (void)state;
  mf_handshake_init(&handshake, MF_HANDSHAKE_ANSWER, key, strlen(key), 1, server_nonce, absent_hmac);
  give(&handshake, text("#CHALLENGE#exactly twenty bytes"));
  assert_failed(&handshake, "HMAC-MD5 is not available");

  mf_handshake_init(&handshake, MF_HANDSHAKE_DELIVER, key, strlen(key), 1, server_nonce, absent_hmac);
  take(&handshake);
  give(&handshake, text("sixteen bytes---"));
  assert_says_failure(&handshake, "HMAC-MD5 is not available");

  mf_handshake_init(&handshake, MF_HANDSHAKE_ANSWER, key, strlen(key), 1, server_nonce, absent_hmac);
  give(&handshake, text("#CHALLENGE#{sha256}a challenge of some bytes"));
  assert_failed(&handshake, "not available");
}

static void another_failure_of_the_hmac_keeps_its_number(void **state) {
  struct mf_handshake handshake;
  const char *why = NULL;
  (void)state;
  mf_handshake_init(&handshake, MF_HANDSHAKE_DELIVER, key, strlen(key), 0, server_nonce, failing_hmac);
  take(&handshake);
  give(&handshake, good_message(1, 0));
  assert_message(take(&handshake), "#FAILURE#");
  assert_int_equal(mf_handshake_state(&handshake), MF_HANDSHAKE_FAILED);
  assert_int_equal(mf_handshake_error(&handshake, &why), MAYFLY_ENOMEM);
  assert_non_null(why);
}

/* ---- recordings of real Pythons --------------------------------------------------- */

static struct message from_hex(const char *digits) {
  struct message message = {.size = strlen(digits) / 2};
  assert_true(message.size <= sizeof message.bytes);
  for (size_t i = 0; i < message.size; i++) {
    unsigned byte;
    assert_int_equal(sscanf(digits + 2 * i, "%2x", &byte), 1);
    message.bytes[i] = (uint8_t)byte;
  }
  return message;
}

static int is_hex_of(const char *digits, const void *bytes, size_t size) {
  const struct message message = from_hex(digits);
  return message.size == size && memcmp(message.bytes, bytes, size) == 0;
}

/* What Python's hmac module gave for these very arguments. */
static int recorded_hmac(enum mf_digest digest, const void *with_key, size_t key_size, const void *data, size_t size,
                         uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  for (size_t i = 0; i < COUNT_OF(macs); i++)
    if (macs[i].digest == digest && is_hex_of(macs[i].key, with_key, key_size) && is_hex_of(macs[i].data, data, size)) {
      const struct message mac = from_hex(macs[i].mac);
      memcpy(out, mac.bytes, mac.size);
      *out_size = mac.size;
      return 0;
    }
  return MAYFLY_EIO;
}

enum { OUR_NONCE_AT = 11 + 8 };

/* Plays our part of a recording, up to its first failure. The reference's random bytes are ours. */
static struct mf_handshake play(size_t index, int allow_md5) {
  static struct message with_key; /* which the handshake borrows */
  const enum mf_handshake_role role = recordings[index].role;
  const int our_challenge = role == MF_HANDSHAKE_CLIENT ? 3 : 0;
  const struct message nonce = from_hex(recordings[index].messages[our_challenge]);
  struct mf_handshake handshake;
  const char *why;
  with_key = from_hex(recordings[index].key);
  mf_handshake_init(&handshake, role, with_key.bytes, with_key.size, allow_md5, nonce.bytes + OUR_NONCE_AT,
                    recorded_hmac);
  for (int i = 0; i < 6 && recordings[index].messages[i] != NULL && mf_handshake_error(&handshake, &why) == 0; i++) {
    const struct message message = from_hex(recordings[index].messages[i]);
    if (mf_handshake_state(&handshake) == MF_HANDSHAKE_RECEIVE) {
      give(&handshake, message);
      continue;
    }
    const struct message ours = take(&handshake);
    assert_int_equal(ours.size, message.size);
    assert_memory_equal(ours.bytes, message.bytes, message.size);
  }
  return handshake;
}

static int needs_md5(size_t index) {
  for (int i = 0; i < 6 && recordings[index].messages[i] != NULL; i++)
    if (i % 3 == 1) {
      const struct message answer = from_hex(recordings[index].messages[i]);
      if (answer.size == 16 || memcmp(answer.bytes, "{md5}", 5) == 0)
        return 1;
    }
  return 0;
}

static void every_recorded_python_is_answered_as_python_answers_it(void **state) {
  (void)state;
  print_message("our part is that of %s\n", REFERENCE);
  for (size_t i = 0; i < COUNT_OF(recordings); i++) {
    const struct mf_handshake handshake = play(i, 1);
    assert_done(&handshake);
  }
}

static void a_recorded_python_that_needs_md5_is_refused_in_words_by_default(void **state) {
  size_t refused = 0, let_in = 0;
  (void)state;
  for (size_t i = 0; i < COUNT_OF(recordings); i++) {
    struct mf_handshake handshake = play(i, 0);
    if (!needs_md5(i)) {
      assert_done(&handshake);
      let_in++;
      continue;
    }
    if (mf_handshake_state(&handshake) == MF_HANDSHAKE_SEND)
      assert_message(take(&handshake), "#FAILURE#");
    assert_failed(&handshake, "MAYFLY_ENDPOINT_ALLOW_MD5");
    refused++;
  }
  assert_true(refused > 0 && let_in > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_sides_of_one_key_are_done_after_six_messages),
      cmocka_unit_test(each_half_alone_is_three_messages),
      cmocka_unit_test(two_halves_in_a_row_meet_a_whole_handshake),
      cmocka_unit_test(messages_look_as_pythons_do),
      cmocka_unit_test(asking_for_the_outgoing_message_again_gives_the_same),
      cmocka_unit_test(another_key_is_refused_and_both_sides_know_it),
      cmocka_unit_test(a_key_is_bytes_and_may_hold_a_nul),
      cmocka_unit_test(an_empty_key_is_refused_before_anything_is_sent),
      cmocka_unit_test(every_corruption_of_a_single_byte_is_noticed),
      cmocka_unit_test(every_message_that_is_cut_or_too_long_is_noticed),
      cmocka_unit_test(a_message_of_another_step_is_noticed),
      cmocka_unit_test(nobody_is_done_before_the_last_message),
      cmocka_unit_test(a_message_over_256_bytes_is_refused_in_words),
      cmocka_unit_test(a_challenge_of_256_bytes_is_answered),
      cmocka_unit_test(an_answer_to_another_challenge_is_refused),
      cmocka_unit_test(a_server_that_gets_its_own_challenge_back_is_not_satisfied),
      cmocka_unit_test(a_server_answers_nothing_before_it_is_satisfied),
      cmocka_unit_test(whoever_owns_an_address_can_have_one_client_answer_another),
      cmocka_unit_test(an_answer_with_md5_passes_only_where_it_is_allowed),
      cmocka_unit_test(a_wrong_answer_with_md5_is_refused_where_md5_is_allowed),
      cmocka_unit_test(an_answer_in_a_digest_that_was_not_asked_for_is_refused),
      cmocka_unit_test(an_answer_without_a_known_digest_is_refused),
      cmocka_unit_test(a_mac_of_the_wrong_length_is_refused),
      cmocka_unit_test(a_challenge_is_answered_in_the_digest_that_it_names),
      cmocka_unit_test(a_challenge_for_md5_is_answered_only_where_it_is_allowed),
      cmocka_unit_test(what_is_no_challenge_is_not_answered),
      cmocka_unit_test(a_verdict_is_welcome_or_the_end),
      cmocka_unit_test(a_digest_that_the_system_lacks_is_a_failure_in_words),
      cmocka_unit_test(another_failure_of_the_hmac_keeps_its_number),
      cmocka_unit_test(every_recorded_python_is_answered_as_python_answers_it),
      cmocka_unit_test(a_recorded_python_that_needs_md5_is_refused_in_words_by_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
