/* handshake.h - both sides prove the key, over any transport (docs/wire.md, section 3).
 *
 * Pure: the caller moves the messages, brings the random bytes and the HMAC.
 *
 * Calling sequence: mf_handshake_init(); then, as mf_handshake_state() asks:
 *   SEND     send mf_handshake_outgoing() as one message, then mf_handshake_sent()
 *   RECEIVE  receive one message of at most MF_HANDSHAKE_MESSAGE_MAX bytes,
 *            then mf_handshake_received()
 *   DONE     both sides hold the key
 *   FAILED   close the connection; mf_handshake_error() says why
 * A challenger that is not satisfied first tells the peer (#FAILURE#): one more SEND, then FAILED. An answerer
 * that can't go on says nothing.
 */
#ifndef MF_HANDSHAKE_H
#define MF_HANDSHAKE_H
#include "digest.h"

enum { MF_HANDSHAKE_MESSAGE_MAX = 256, MF_HANDSHAKE_NONCE_SIZE = 40 };

/* DELIVER and ANSWER are one half alone: deliver_challenge() and answer_challenge(). */
enum mf_handshake_role { MF_HANDSHAKE_SERVER, MF_HANDSHAKE_CLIENT, MF_HANDSHAKE_DELIVER, MF_HANDSHAKE_ANSWER };
enum mf_handshake_state { MF_HANDSHAKE_SEND, MF_HANDSHAKE_RECEIVE, MF_HANDSHAKE_DONE, MF_HANDSHAKE_FAILED };

struct mf_handshake {
  const void *key; /* borrowed */
  size_t key_size;
  mf_hmac_fn *hmac;
  int allow_md5;
  int step; /* index into the six steps of this role */
  enum mf_handshake_role role;
  int error; /* set once, by the first failure */
  const char *why;
  uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE];
  uint8_t challenge[MF_HANDSHAKE_MESSAGE_MAX]; /* M, ours: what we expect an answer to */
  size_t challenge_size;
  uint8_t outgoing[MF_HANDSHAKE_MESSAGE_MAX];
  size_t outgoing_size;
};

int mf_handshake_init(struct mf_handshake *handshake, enum mf_handshake_role role, const void *key, size_t key_size,
                      int allow_md5, const uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE], mf_hmac_fn *hmac);
enum mf_handshake_state mf_handshake_state(const struct mf_handshake *handshake);
const void *mf_handshake_outgoing(const struct mf_handshake *handshake, size_t *size);
void mf_handshake_sent(struct mf_handshake *handshake);
void mf_handshake_received(struct mf_handshake *handshake, const void *message, size_t size);
/* 0, or why it failed; *why is a static sentence for mayfly_last_error(). */
int mf_handshake_error(const struct mf_handshake *handshake, const char **why);
#endif
