/* SPDX-License-Identifier: MIT */
/* endpoint.c - the options of listeners and clients, checked and with their defaults, once for all faces. */
#include "endpoint.h"
#include "address_text.h"
#include "error.h"
#include "memory.h"
#include "options.h"
#include "os.h"
#include <limits.h>
#include <stdlib.h>

static const char options_name[] = "mayfly_endpoint_options";

static const unsigned known_flags[] = {
    [MF_ENDPOINT_LISTENER] = MAYFLY_ENDPOINT_ALLOW_MD5 | MAYFLY_ENDPOINT_ANY_USER | MAYFLY_ENDPOINT_PIPE_BYTES |
                             MAYFLY_ENDPOINT_PIPE_MESSAGES,
    [MF_ENDPOINT_CLIENT] = MAYFLY_ENDPOINT_ALLOW_MD5 | MAYFLY_ENDPOINT_ANY_USER,
};

static void fill_in(mayfly_endpoint_options *options) {
  if (options->open_timeout_ms == 0)
    options->open_timeout_ms = 20000;
  if (options->backlog == 0)
    options->backlog = INT_MAX; /* the system lowers it to its maximum */
  if (options->opening_max == 0)
    options->opening_max = 64;
  if (options->message_size_max == 0)
    options->message_size_max = UINT64_C(1) << 30;
}

static int check_numbers(enum mf_endpoint_side side, const mayfly_endpoint_options *options) {
  if (options->open_timeout_ms < MAYFLY_FOREVER)
    return mf_fail(MAYFLY_EINVAL, "%s: open_timeout_ms is %d", options_name, options->open_timeout_ms);
  if (options->readahead > PTRDIFF_MAX / 2)
    return mf_fail(MAYFLY_EINVAL, "%s: readahead is %zu bytes, more than memory", options_name, options->readahead);
  if (side == MF_ENDPOINT_LISTENER && options->backlog < 0)
    return mf_fail(MAYFLY_EINVAL, "%s: backlog is %d", options_name, options->backlog);
  if (side == MF_ENDPOINT_LISTENER && options->opening_max < 0)
    return mf_fail(MAYFLY_EINVAL, "%s: opening_max is %d", options_name, options->opening_max);
  return 0;
}

static int check_flags(unsigned flags, unsigned known) {
  const unsigned kinds = MAYFLY_ENDPOINT_PIPE_BYTES | MAYFLY_ENDPOINT_PIPE_MESSAGES;
  if ((flags & ~known) != 0)
    return mf_fail(MAYFLY_EINVAL, "%s: flag 0x%x is of no use here", options_name, flags & ~known);
  if ((flags & kinds) == kinds)
    return mf_fail(MAYFLY_EINVAL, "%s: MAYFLY_ENDPOINT_PIPE_BYTES and MAYFLY_ENDPOINT_PIPE_MESSAGES exclude each other",
                   options_name);
  return 0;
}

static int check_key(const mayfly_endpoint_options *options) {
  if (options->authkey != NULL && options->authkey_size == 0)
    return mf_fail(MAYFLY_EINVAL, "%s: authkey is empty, which would let everyone in", options_name);
  if (options->authkey == NULL && options->authkey_size != 0)
    return mf_fail(MAYFLY_EINVAL, "%s: authkey is NULL, but authkey_size is not 0", options_name);
  return 0;
}

static int check(enum mf_endpoint_side side, const mayfly_address *address, const mayfly_endpoint_options *options) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  const char *why;
  int result = mf_address_check(address, &why);
  if (result < 0)
    return mf_fail(result, "%s: %s", side == MF_ENDPOINT_LISTENER ? "listen" : "connect", why);
  result = check_numbers(side, options);
  if (result == 0)
    result = check_flags(options->flags, known_flags[side]);
  if (result == 0)
    result = check_key(options);
  if (result == 0 && side == MF_ENDPOINT_LISTENER && address->family == MAYFLY_AF_INET && options->authkey == NULL &&
      (options->flags & MAYFLY_ENDPOINT_ANY_USER) == 0)
    return mf_fail(MAYFLY_EINVAL,
                   "listen on %s: an AF_INET peer has no user to be known by: set authkey, or "
                   "MAYFLY_ENDPOINT_ANY_USER to let everyone in",
                   mf_address_words(address, text));
  return result;
}

int mf_endpoint_init(enum mf_endpoint_side side, const mayfly_address *address, const mayfly_endpoint_options *options,
                     struct mf_endpoint *endpoint) {
  mayfly_endpoint_options taken = MAYFLY_ENDPOINT_OPTIONS_INIT;
  int result = mf_options_take(options, options_name, &taken, sizeof taken);
  if (result < 0)
    return result;
  fill_in(&taken);
  result = check(side, address, &taken);
  if (result < 0)
    return result;
  if (taken.authkey != NULL && (taken.authkey = mf_duplicate(taken.authkey, taken.authkey_size, 0)) == NULL)
    return MAYFLY_ENOMEM;
  endpoint->options = taken;
  endpoint->family = address->family;
  return 0;
}

void mf_endpoint_clear(struct mf_endpoint *endpoint) {
  void *key = (void *)endpoint->options.authkey;
  if (key != NULL)
    mf_wipe(key, endpoint->options.authkey_size);
  free(key);
  endpoint->options.authkey = NULL;
}

/* ---- who is let in ---- */

static int ask(const struct mf_endpoint *endpoint, const mayfly_peer *peer) {
  if (endpoint->options.admit(endpoint->options.context, peer) == 0)
    return 0;
  return mf_fail(MAYFLY_EPEER, "the peer (process %lld, user %lld) was not admitted", (long long)peer->pid,
                 (long long)peer->uid);
}

int mf_endpoint_admit_client(const struct mf_endpoint *endpoint, const mayfly_peer *peer) {
  if (endpoint->options.admit != NULL)
    return ask(endpoint, peer);
  if (endpoint->family == MAYFLY_AF_INET || (endpoint->options.flags & MAYFLY_ENDPOINT_ANY_USER) != 0)
    return 0;
  if (peer->same_user > 0 || peer->uid == 0)
    return 0;
  if (peer->same_user < 0 && endpoint->family == MAYFLY_AF_PIPE) /* its access list has decided */
    return 0;
  if (peer->same_user < 0)
    return mf_fail(MAYFLY_EPEER, "the system does not tell which user the peer belongs to");
  return mf_fail(MAYFLY_EPEER, "the peer (process %lld) belongs to another user (%lld)", (long long)peer->pid,
                 (long long)peer->uid);
}

int mf_endpoint_admit_server(const struct mf_endpoint *endpoint, const mayfly_peer *peer) {
  return endpoint->options.admit != NULL ? ask(endpoint, peer) : 0;
}

/* ---- the handshake ---- */

int mf_endpoint_handshake(const struct mf_endpoint *endpoint, enum mf_handshake_role role,
                          struct mf_handshake *handshake) {
  uint8_t nonce[MF_HANDSHAKE_NONCE_SIZE];
  int result = mf_os_random(nonce, sizeof nonce);
  if (result == 0)
    result = mf_handshake_init(handshake, role, endpoint->options.authkey, endpoint->options.authkey_size,
                               (endpoint->options.flags & MAYFLY_ENDPOINT_ALLOW_MD5) != 0, nonce, mf_os_hmac);
  return result;
}

int64_t mf_endpoint_deadline(int timeout_ms) {
  if (timeout_ms <= 0)
    return timeout_ms == 0 ? 0 : MF_OS_NEVER;
  return mf_os_clock_us() + (int64_t)timeout_ms * 1000;
}

int mf_deadline_take(int timeout_ms, const char *what, int64_t *deadline) {
  if (timeout_ms < MAYFLY_FOREVER)
    return mf_fail(MAYFLY_EINVAL, "%s: a timeout of %d ms", what, timeout_ms);
  *deadline = mf_endpoint_deadline(timeout_ms);
  return 0;
}

int mf_deadline_passed(int64_t deadline) {
  return deadline <= 0 || (deadline != MF_OS_NEVER && mf_os_clock_us() >= deadline);
}
