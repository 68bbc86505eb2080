/* SPDX-License-Identifier: MIT */
/* Fuzz target: whatever a peer says, a handshake ends, says what the protocol has it say, and is DONE only if the peer
 * gave the answer that takes the key.
 *
 * Input: one byte of role and flags, then the peer's messages. Each is one byte that names its template, one of length,
 * and as many bytes, which are XORed over the template: so that the fuzzer, which has no key, gets past each step. */
#include "handshake.h"
#include "../unit/toy_hmac.h"
#include "fuzz.h"
#include <mayfly/base.h>
#include <string.h>

struct message {
  uint8_t bytes[MF_HANDSHAKE_MESSAGE_MAX + 64];
  size_t size;
};

struct input {
  const uint8_t *data;
  size_t size;
};

static const char key[] = "key";
static const uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE] = {[0] = 7, [MF_HANDSHAKE_NONCE_SIZE - 1] = 9};

static void append(struct message *message, const void *bytes, size_t size) {
  CHECK(message->size + size <= sizeof message->bytes);
  memcpy(message->bytes + message->size, bytes, size);
  message->size += size;
}

static struct message text(const char *characters) {
  struct message message = {.size = 0};
  append(&message, characters, strlen(characters));
  return message;
}

static struct message answer_to(const struct message *challenge, const char *prefix, enum mf_digest digest) {
  struct message answer = text(prefix);
  uint8_t mac[MF_DIGEST_SIZE_MAX];
  size_t size;
  toy_hmac(digest, key, strlen(key), challenge->bytes + 11, challenge->size - 11, mac, &size);
  append(&answer, mac, size);
  return answer;
}

static int is_same(const struct message *one, const struct message *other) {
  return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
}

static uint8_t take_byte(struct input *input) {
  if (input->size == 0)
    return 0;
  input->size--;
  return *input->data++;
}

static struct message make_template(uint8_t number, const struct message *challenge) {
  switch (number % 9) {
  case 1:
    return answer_to(challenge, "{sha256}", MF_SHA256);
  case 2:
    return answer_to(challenge, "{sha384}", MF_SHA384);
  case 3:
    return answer_to(challenge, "{md5}", MF_MD5);
  case 4:
    return answer_to(challenge, "", MF_MD5);
  case 5:
    return text("#WELCOME#");
  case 6:
    return text("#FAILURE#");
  case 7:
    return text("#CHALLENGE#{sha256}a challenge of some length");
  case 8:
    return text("#CHALLENGE#exactly twenty bytes");
  default:
    return text("");
  }
}

static struct message next_message(struct input *input, const struct message *challenge) {
  struct message message = make_template(take_byte(input), challenge);
  const size_t size = take_byte(input);
  for (size_t i = 0; i < size; i++)
    message.bytes[i] ^= take_byte(input);
  if (size > message.size)
    message.size = size;
  if (size == UINT8_MAX)
    message.size += take_byte(input) % 60; /* over 256 too */
  return message;
}

static int is_right_answer(const struct message *answer, const struct message *challenge, int allow_md5) {
  const struct message sha256 = answer_to(challenge, "{sha256}", MF_SHA256);
  const struct message md5 = answer_to(challenge, "{md5}", MF_MD5), legacy = answer_to(challenge, "", MF_MD5);
  return is_same(answer, &sha256) || (allow_md5 && (is_same(answer, &md5) || is_same(answer, &legacy)));
}

/* One handshake, and what is known of it from outside. */
struct run {
  struct mf_handshake handshake;
  enum mf_handshake_role role;
  int allow_md5;
  struct message challenge; /* ours */
  struct message received;  /* the last one */
  int steps, answer_is_right, welcomed;
};

static struct run begin(uint8_t start) {
  struct run run = {.role = start & 3, .allow_md5 = start & 4, .challenge = text("#CHALLENGE#{sha256}")};
  append(&run.challenge, nonce, sizeof nonce);
  CHECK(mf_handshake_init(&run.handshake, run.role, key, strlen(key), run.allow_md5, nonce, toy_hmac) == 0);
  return run;
}

/* What we say is our challenge, the verdict that is due, or the right answer to what we were asked. */
static void check_said(const struct run *run, const struct message *said) {
  const struct message welcome = text("#WELCOME#"), failure = text("#FAILURE#");
  const struct message *asked = &run->received;
  if (is_same(said, &run->challenge))
    return;
  if (is_same(said, &welcome) || is_same(said, &failure)) {
    CHECK(is_same(said, &welcome) == run->answer_is_right);
    return;
  }
  CHECK(asked->size >= 11 + 20 && memcmp(asked->bytes, "#CHALLENGE#", 11) == 0);
  const struct message sha384 = answer_to(asked, "{sha384}", MF_SHA384);
  CHECK(is_same(said, &sha384) || is_right_answer(said, asked, run->allow_md5));
}

static void send_message(struct run *run) {
  struct message said = {.size = 0};
  size_t size;
  const void *bytes = mf_handshake_outgoing(&run->handshake, &size);
  CHECK(size <= MF_HANDSHAKE_MESSAGE_MAX);
  append(&said, bytes, size);
  check_said(run, &said);
  mf_handshake_sent(&run->handshake);
}

static void receive_message(struct run *run, struct input *input) {
  const struct message welcome = text("#WELCOME#");
  run->received = next_message(input, &run->challenge);
  run->answer_is_right |= is_right_answer(&run->received, &run->challenge, run->allow_md5);
  run->welcomed |= is_same(&run->received, &welcome);
  mf_handshake_received(&run->handshake, run->received.bytes, run->received.size);
}

static void check_end(const struct run *run) {
  const char *why = NULL;
  const int error = mf_handshake_error(&run->handshake, &why);
  if (mf_handshake_state(&run->handshake) == MF_HANDSHAKE_FAILED) {
    CHECK(error == MAYFLY_EAUTH && why != NULL);
    return;
  }
  CHECK(error == 0 && why == NULL);
  CHECK(run->steps == (run->role == MF_HANDSHAKE_SERVER || run->role == MF_HANDSHAKE_CLIENT ? 6 : 3));
  CHECK(run->answer_is_right || run->role == MF_HANDSHAKE_ANSWER);
  CHECK(run->welcomed || run->role == MF_HANDSHAKE_DELIVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  struct run run = begin(take_byte(&input));
  for (;; run.steps++) {
    CHECK(run.steps <= 6);
    const enum mf_handshake_state state = mf_handshake_state(&run.handshake);
    if (state == MF_HANDSHAKE_SEND)
      send_message(&run);
    else if (state == MF_HANDSHAKE_RECEIVE)
      receive_message(&run, &input);
    else
      break;
  }
  check_end(&run);
  return 0;
}
