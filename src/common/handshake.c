/* SPDX-License-Identifier: MIT */
/* handshake.c - the handshake of multiprocessing.connection as one cycle of six steps.
 *
 *   challenger                            answerer
 *   0 SEND_CHALLENGE     #CHALLENGE#M ->  3 RECEIVE_CHALLENGE
 *   1 RECEIVE_ANSWER     <- {digest}MAC   4 SEND_ANSWER
 *   2 SEND_VERDICT       #WELCOME# ->     5 RECEIVE_VERDICT
 *
 * Then the roles swap: a server goes 0 1 2 3 4 5, a client 3 4 5 0 1 2, and each half alone is three of them.
 *
 * A failure ends the cycle where it stands, but for one in step 1, which still takes step 2 to say #FAILURE#.
 */
#include "handshake.h"
#include <mayfly/base.h>
#include <string.h>

enum step { SEND_CHALLENGE, RECEIVE_ANSWER, SEND_VERDICT, RECEIVE_CHALLENGE, SEND_ANSWER, RECEIVE_VERDICT, STEP_COUNT };

static const struct {
  int first;
  int count;
} roles[] = {
    [MF_HANDSHAKE_SERVER] = {SEND_CHALLENGE, STEP_COUNT},
    [MF_HANDSHAKE_CLIENT] = {RECEIVE_CHALLENGE, STEP_COUNT},
    [MF_HANDSHAKE_DELIVER] = {SEND_CHALLENGE, 3},
    [MF_HANDSHAKE_ANSWER] = {RECEIVE_CHALLENGE, 3},
};

struct text {
  const char *bytes;
  size_t size;
};
#define TEXT(literal)                                                                                                  \
  { (literal), sizeof(literal) - 1 }

static const struct text challenge_mark = TEXT("#CHALLENGE#"), welcome = TEXT("#WELCOME#"), failure = TEXT("#FAILURE#");

/* What stands before a challenge or a MAC to name its digest. */
static const struct text digest_marks[MF_DIGEST_COUNT] = {
    [MF_MD5] = TEXT("{md5}"),
    [MF_SHA256] = TEXT("{sha256}"),
    [MF_SHA384] = TEXT("{sha384}"),
};

/* Python before 3.12 names no digest and means MD5; what it sends is known by its size alone. */
enum { LEGACY_CHALLENGE_SIZE = 20, LEGACY_ANSWER_SIZE = 16 };

struct bytes {
  const uint8_t *data;
  size_t size;
};

static int begins_with(struct bytes bytes, struct text text) {
  return bytes.size >= text.size && memcmp(bytes.data, text.bytes, text.size) == 0;
}

static int is_text(struct bytes bytes, struct text text) {
  return bytes.size == text.size && begins_with(bytes, text);
}

static struct bytes skip(struct bytes bytes, size_t size) {
  return (struct bytes){bytes.data + size, bytes.size - size};
}

/* The digest named at the start of `bytes`; MF_DIGEST_COUNT: none that is known here. */
static enum mf_digest named_digest(struct bytes bytes) {
  enum mf_digest digest = MF_MD5;
  while (digest < MF_DIGEST_COUNT && !begins_with(bytes, digest_marks[digest]))
    digest++;
  return digest;
}

/* In a time that does not depend on the content: a volatile sum leaves the compiler no early way out. */
static int same_bytes(struct bytes one, struct bytes other) {
  volatile uint8_t difference = 0;
  if (one.size != other.size)
    return 0;
  for (size_t i = 0; i < one.size; i++)
    difference = (uint8_t)(difference | (one.data[i] ^ other.data[i]));
  return difference == 0;
}

static int fail(struct mf_handshake *handshake, int error, const char *why) {
  handshake->error = error;
  handshake->why = why;
  return error;
}

static int refuse(struct mf_handshake *handshake, const char *why) {
  return fail(handshake, MAYFLY_EAUTH, why);
}

static int make_mac(struct mf_handshake *handshake, enum mf_digest digest, struct bytes message, uint8_t *mac,
                    size_t *mac_size) {
  int result = handshake->hmac(digest, handshake->key, handshake->key_size, message.data, message.size, mac, mac_size);
  if (result == MAYFLY_ENOTSUP)
    return refuse(handshake, digest == MF_MD5 ? "HMAC-MD5 is not available from this system's crypto provider"
                                              : "the HMAC is not available from this system's crypto provider");
  return result < 0 ? fail(handshake, result, "the HMAC could not be computed") : 0;
}

/* ---- challenger ---------------------------------------------------------------- */

static void make_challenge(uint8_t challenge[MF_HANDSHAKE_CHALLENGE_SIZE],
                           const uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE]) {
  const struct text digest = digest_marks[MF_SHA256];
  memcpy(challenge, challenge_mark.bytes, challenge_mark.size);
  memcpy(challenge + challenge_mark.size, digest.bytes, digest.size);
  memcpy(challenge + challenge_mark.size + digest.size, nonce, MF_HANDSHAKE_NONCE_SIZE);
}

static int verify_mac(struct mf_handshake *handshake, enum mf_digest digest, struct bytes mac) {
  const struct bytes challenge = {handshake->challenge, sizeof handshake->challenge};
  uint8_t expected[MF_DIGEST_SIZE_MAX];
  size_t expected_size;
  int result = make_mac(handshake, digest, skip(challenge, challenge_mark.size), expected, &expected_size);
  if (result < 0)
    return result;
  if (mac.size != expected_size)
    return refuse(handshake, "the peer's answer to our challenge has the wrong length");
  if (!same_bytes(mac, (struct bytes){expected, expected_size}))
    return refuse(handshake, "the peer's answer to our challenge is wrong: it does not hold the same key");
  return 0;
}

static int verify_named(struct mf_handshake *handshake, struct bytes answer) {
  const enum mf_digest digest = named_digest(answer);
  if (digest == MF_DIGEST_COUNT)
    return refuse(handshake, "the peer's answer to our challenge names no digest that is known here");
  if (digest == MF_MD5 && !handshake->allow_md5)
    return refuse(handshake, "the peer answered our challenge with HMAC-MD5, "
                             "which only MAYFLY_ENDPOINT_ALLOW_MD5 lets pass");
  if (digest != MF_MD5 && digest != MF_SHA256)
    return refuse(handshake, "the peer answered our challenge in another digest than SHA-256, which it asks for");
  return verify_mac(handshake, digest, skip(answer, digest_marks[digest].size));
}

static int receive_answer(struct mf_handshake *handshake, struct bytes answer) {
  if (answer.size != LEGACY_ANSWER_SIZE)
    return verify_named(handshake, answer);
  if (!handshake->allow_md5)
    return refuse(handshake, "the peer seems to be Python before 3.12, which answers with HMAC-MD5: "
                             "set MAYFLY_ENDPOINT_ALLOW_MD5 to let it in");
  return verify_mac(handshake, MF_MD5, answer);
}

/* ---- answerer ------------------------------------------------------------------ */

static int make_answer(struct mf_handshake *handshake, enum mf_digest digest, struct text mark,
                       struct bytes challenge) {
  size_t mac_size;
  int result = make_mac(handshake, digest, challenge, handshake->answer + mark.size, &mac_size);
  if (result < 0)
    return result;
  memcpy(handshake->answer, mark.bytes, mark.size);
  handshake->answer_size = mark.size + mac_size;
  return 0;
}

static int answer_legacy(struct mf_handshake *handshake, struct bytes challenge) {
  if (!handshake->allow_md5)
    return refuse(handshake, "the peer seems to be Python before 3.12, which asks for HMAC-MD5: "
                             "set MAYFLY_ENDPOINT_ALLOW_MD5 to answer it");
  return make_answer(handshake, MF_MD5, (struct text)TEXT(""), challenge);
}

static int answer_named(struct mf_handshake *handshake, struct bytes challenge) {
  const enum mf_digest digest = named_digest(challenge);
  if (digest == MF_DIGEST_COUNT)
    return refuse(handshake, "the peer's challenge names no digest that is known here (MD5, SHA-256, SHA-384)");
  if (digest == MF_MD5 && !handshake->allow_md5)
    return refuse(handshake, "the peer asks for HMAC-MD5: set MAYFLY_ENDPOINT_ALLOW_MD5 to answer it");
  return make_answer(handshake, digest, digest_marks[digest], challenge);
}

static int receive_challenge(struct mf_handshake *handshake, struct bytes message) {
  if (!begins_with(message, challenge_mark))
    return refuse(handshake, "the peer's first message is no challenge: does it use a key?");
  const struct bytes challenge = skip(message, challenge_mark.size);
  if (challenge.size < LEGACY_CHALLENGE_SIZE)
    return refuse(handshake, "the peer's challenge is shorter than 20 bytes");
  if (challenge.size == LEGACY_CHALLENGE_SIZE)
    return answer_legacy(handshake, challenge);
  return answer_named(handshake, challenge);
}

static int receive_verdict(struct mf_handshake *handshake, struct bytes verdict) {
  if (is_text(verdict, welcome))
    return 0;
  if (is_text(verdict, failure))
    return refuse(handshake, "the peer refused our key");
  return refuse(handshake, "the peer said neither #WELCOME# nor #FAILURE# to our answer");
}

/* ---- the cycle ----------------------------------------------------------------- */

static void go_on(struct mf_handshake *handshake) {
  handshake->step = (handshake->step + 1) % STEP_COUNT;
  handshake->steps_left--;
}

static int obey(struct mf_handshake *handshake, struct bytes message) {
  if (message.size > MF_HANDSHAKE_MESSAGE_MAX)
    return refuse(handshake, "the peer sent more than 256 bytes in place of a step of the handshake");
  if (handshake->step == RECEIVE_ANSWER)
    return receive_answer(handshake, message);
  if (handshake->step == RECEIVE_CHALLENGE)
    return receive_challenge(handshake, message);
  return receive_verdict(handshake, message);
}

int mf_handshake_init(struct mf_handshake *handshake, enum mf_handshake_role role, const void *key, size_t key_size,
                      int allow_md5, const uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE], mf_hmac_fn *hmac) {
  if (key == NULL || key_size == 0)
    return MAYFLY_EINVAL;
  *handshake = (struct mf_handshake){
      .key = key,
      .key_size = key_size,
      .hmac = hmac,
      .allow_md5 = allow_md5,
      .step = roles[role].first,
      .steps_left = roles[role].count,
  };
  make_challenge(handshake->challenge, nonce);
  return 0;
}

enum mf_handshake_state mf_handshake_state(const struct mf_handshake *handshake) {
  if (handshake->steps_left == 0)
    return handshake->error ? MF_HANDSHAKE_FAILED : MF_HANDSHAKE_DONE;
  return handshake->step % 2 == 0 ? MF_HANDSHAKE_SEND : MF_HANDSHAKE_RECEIVE;
}

int mf_handshake_is_last(const struct mf_handshake *handshake) {
  return handshake->steps_left == 1;
}

const void *mf_handshake_outgoing(const struct mf_handshake *handshake, size_t *size) {
  if (handshake->step == SEND_CHALLENGE) {
    *size = sizeof handshake->challenge;
    return handshake->challenge;
  }
  if (handshake->step == SEND_VERDICT) {
    const struct text *verdict = handshake->error ? &failure : &welcome;
    *size = verdict->size;
    return verdict->bytes;
  }
  *size = handshake->answer_size;
  return handshake->answer;
}

void mf_handshake_sent(struct mf_handshake *handshake) {
  go_on(handshake);
}

void mf_handshake_received(struct mf_handshake *handshake, const void *message, size_t size) {
  if (obey(handshake, (struct bytes){message, size}) < 0)
    handshake->steps_left = handshake->step == RECEIVE_ANSWER ? 2 : 1; /* 2: the verdict is still owed */
  go_on(handshake);
}

int mf_handshake_error(const struct mf_handshake *handshake, const char **why) {
  *why = handshake->why;
  return handshake->error;
}
