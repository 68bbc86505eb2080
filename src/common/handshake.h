/* SPDX-License-Identifier: MIT */
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
 * A challenger that is not satisfied first tells the peer (#FAILURE#): one more SEND, then FAILED. An answerer that
 * can't go on says nothing. Whatever happens, the caller wipes the whole struct in the end.
 *
 * What it proves: the peer holds the key, or can ask somebody who does. An answer names neither its connection nor
 * its role, so whoever stands between two peers can relay; and whoever owns an address to which two clients connect
 * can have the one answer the other's challenge. Nobody can have a server's own challenge answered by a server, since
 * a server answers nothing before it is satisfied.
 */
#ifndef MF_HANDSHAKE_H
#define MF_HANDSHAKE_H

#include "digest.h"
#include "private.h"

enum { MF_HANDSHAKE_MESSAGE_MAX = 256, MF_HANDSHAKE_NONCE_SIZE = 40 };
enum { MF_HANDSHAKE_CHALLENGE_SIZE = 11 + 8 + MF_HANDSHAKE_NONCE_SIZE }; /* "#CHALLENGE#", "{sha256}", nonce */
enum { MF_HANDSHAKE_ANSWER_MAX = 8 + MF_DIGEST_SIZE_MAX };               /* "{sha384}", MAC */

/* DELIVER and ANSWER are one half alone: deliver_challenge() and answer_challenge(). */
enum mf_handshake_role { MF_HANDSHAKE_SERVER, MF_HANDSHAKE_CLIENT, MF_HANDSHAKE_DELIVER, MF_HANDSHAKE_ANSWER };
enum mf_handshake_state { MF_HANDSHAKE_SEND, MF_HANDSHAKE_RECEIVE, MF_HANDSHAKE_DONE, MF_HANDSHAKE_FAILED };

struct mf_handshake { /* everything in it is handshake.c's own */
  const void *key;    /* borrowed */
  size_t key_size;
  mf_hmac_fn *hmac;
  int allow_md5;
  int step;       /* of the cycle of six, where both roles are */
  int steps_left; /* this one included; 0: DONE, or FAILED if there is an error */
  int error;      /* set once, by the first failure */
  const char *why;
  uint8_t challenge[MF_HANDSHAKE_CHALLENGE_SIZE]; /* our message of step 0 */
  uint8_t answer[MF_HANDSHAKE_ANSWER_MAX];        /* our message of step 4 */
  size_t answer_size;
};

/* MAYFLY_EINVAL: an empty key. `nonce` is fresh random bytes; copied. */
int mf_handshake_init(struct mf_handshake *handshake, enum mf_handshake_role role, const void *key, size_t key_size,
                      int allow_md5, const uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE], mf_hmac_fn *hmac);
MF_PRIVATE enum mf_handshake_state mf_handshake_state(const struct mf_handshake *handshake);
/* RECEIVE: whether the peer may go on behind this message with what is no part of the handshake. Behind any other it
 * waits for us. */
int mf_handshake_is_last(const struct mf_handshake *handshake);
MF_PRIVATE const void *mf_handshake_outgoing(const struct mf_handshake *handshake, size_t *size);
MF_PRIVATE void mf_handshake_sent(struct mf_handshake *handshake);
MF_PRIVATE void mf_handshake_received(struct mf_handshake *handshake, const void *message, size_t size);
/* 0, or why it failed: MAYFLY_EAUTH, or what the HMAC function gave. *why is a static sentence for
 * mayfly_last_error(), NULL where there is no error. */
MF_PRIVATE int mf_handshake_error(const struct mf_handshake *handshake, const char **why);

#endif
