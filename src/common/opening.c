/* SPDX-License-Identifier: MIT */
/* opening.c - a connection from when its stream is there until both sides have proved the key: connect, the handshake
 * as a blocking loop, and its two halves alone. */
#include "connection.h"
#include "error.h"
#include "frame.h"
#include "memory.h"

/* ---- the handshake ---- */

enum { WHOLE_MAX = MF_FRAME_HEADER_MAX + MF_HANDSHAKE_MESSAGE_MAX };

/* In one read, where nothing that is not the handshake's can come along with it. */
static int receive_step(mayfly_connection *connection, const struct mf_handshake *handshake, int64_t deadline,
                        const void **message, size_t *size) {
  if (mf_handshake_is_last(handshake))
    return mf_connection_receive(connection, MF_HANDSHAKE_MESSAGE_MAX, deadline, message, size);
  size_t former = mf_connection_swap_readahead(connection, WHOLE_MAX);
  int result = mf_connection_receive(connection, MF_HANDSHAKE_MESSAGE_MAX, deadline, message, size);
  mf_connection_swap_readahead(connection, former);
  return result;
}

static int handshake_receive(mayfly_connection *connection, struct mf_handshake *handshake, int64_t deadline) {
  const void *message;
  size_t size;
  int result = receive_step(connection, handshake, deadline, &message, &size);
  if (result == 0)
    mf_handshake_received(handshake, message, size);
  if (result == MAYFLY_EMSGSIZE)
    return mf_fail(MAYFLY_EAUTH, "authentication failed: a message of more than %d bytes", MF_HANDSHAKE_MESSAGE_MAX);
  if (result == MAYFLY_EOF || result == MAYFLY_EPROTO || result == MAYFLY_ECONNRESET)
    return mf_fail(MAYFLY_EAUTH, "authentication failed: the peer closed the connection (has it the key, and does it "
                                 "speak this protocol?)");
  return result;
}

static int handshake_send(mayfly_connection *connection, struct mf_handshake *handshake, int64_t deadline) {
  mayfly_slice slice;
  slice.data = mf_handshake_outgoing(handshake, &slice.size);
  int result = mf_connection_send(connection, &slice, 1, deadline);
  if (result == 0)
    mf_handshake_sent(handshake);
  if (result != MAYFLY_EPIPE)
    return result;
  const char *why; /* where the peer was about to be told that it failed, that is the reason */
  if (mf_handshake_error(handshake, &why) == 0)
    why = "the peer closed the connection";
  return mf_fail(MAYFLY_EAUTH, "authentication failed: %s", why);
}

static int handshake_step(mayfly_connection *connection, struct mf_handshake *handshake, int64_t receive_deadline,
                          int64_t send_deadline) {
  return mf_handshake_state(handshake) == MF_HANDSHAKE_SEND
             ? handshake_send(connection, handshake, send_deadline)
             : handshake_receive(connection, handshake, receive_deadline);
}

static int handshake_is_over(const struct mf_handshake *handshake) {
  enum mf_handshake_state state = mf_handshake_state(handshake);
  return state == MF_HANDSHAKE_DONE || state == MF_HANDSHAKE_FAILED;
}

static int handshake_outcome(const struct mf_handshake *handshake) {
  const char *why;
  int result = mf_handshake_error(handshake, &why);
  return result < 0 ? mf_fail(result, "authentication failed: %s", why) : 0;
}

static int handshake_whole(mayfly_connection *connection, struct mf_handshake *handshake, int64_t receive_deadline,
                           int64_t send_deadline) {
  int result = 0;
  while (result == 0 && !handshake_is_over(handshake))
    result = handshake_step(connection, handshake, receive_deadline, send_deadline);
  return result < 0 ? result : handshake_outcome(handshake);
}

/* There is something to be done without waiting: to send, or to look at what a hasty peer sent in advance. */
static int handshake_goes_on(const mayfly_connection *connection, const struct mf_handshake *handshake) {
  enum mf_handshake_state state = mf_handshake_state(handshake);
  return state == MF_HANDSHAKE_SEND || (state == MF_HANDSHAKE_RECEIVE && mf_connection_awaits(connection) == NULL);
}

int mf_connection_handshake_turn(mayfly_connection *connection, struct mf_handshake *handshake) {
  int result;
  do
    result = handshake_step(connection, handshake, 0, 0);
  while (result == 0 && handshake_goes_on(connection, handshake));
  if (result == MAYFLY_ETIMEDOUT || (result == 0 && !handshake_is_over(handshake)))
    return 0;
  if (result == 0)
    result = handshake_outcome(handshake);
  return result < 0 ? result : 1;
}

/* One half alone, with the connection's own timeouts. */
static int challenge(mayfly_connection *connection, const char *function, enum mf_handshake_role role,
                     const void *authkey, size_t size, unsigned flags) {
  struct mf_handshake handshake;
  struct mf_endpoint endpoint = {.options = MAYFLY_ENDPOINT_OPTIONS_INIT};
  int result = mf_connection_check(connection, function, MF_READABLE | MF_WRITABLE);
  if (result < 0)
    return result;
  if (authkey == NULL || size == 0)
    return mf_fail(MAYFLY_EINVAL, "%s: authkey is %s", function, authkey == NULL ? "NULL" : "empty");
  if ((flags & ~MAYFLY_ENDPOINT_ALLOW_MD5) != 0)
    return mf_fail(MAYFLY_EINVAL, "%s: flag 0x%x is of no use here", function, flags & ~MAYFLY_ENDPOINT_ALLOW_MD5);
  endpoint.options.authkey = authkey;
  endpoint.options.authkey_size = size;
  endpoint.options.flags = flags;
  result = mf_endpoint_handshake(&endpoint, role, &handshake);
  if (result == 0)
    result = handshake_whole(connection, &handshake, mf_connection_receive_deadline(connection),
                             mf_connection_send_deadline(connection));
  mf_wipe(&handshake, sizeof handshake);
  return result;
}

int mayfly_deliver_challenge(mayfly_connection *connection, const void *authkey, size_t size, unsigned flags) {
  return challenge(connection, "mayfly_deliver_challenge", MF_HANDSHAKE_DELIVER, authkey, size, flags);
}

int mayfly_answer_challenge(mayfly_connection *connection, const void *authkey, size_t size, unsigned flags) {
  return challenge(connection, "mayfly_answer_challenge", MF_HANDSHAKE_ANSWER, authkey, size, flags);
}

/* ---- connecting ---- */

static int prove(mayfly_connection *connection, const struct mf_endpoint *endpoint, int64_t deadline) {
  struct mf_handshake handshake;
  int result = mf_endpoint_handshake(endpoint, MF_HANDSHAKE_CLIENT, &handshake);
  if (result == 0)
    result = handshake_whole(connection, &handshake, deadline, deadline);
  if (result == MAYFLY_ETIMEDOUT)
    mf_fail(result, "authentication: the listener was silent until the time ran out (has it a key?)");
  mf_wipe(&handshake, sizeof handshake);
  return result;
}

static int open_to(const mayfly_address *address, const struct mf_endpoint *endpoint, mayfly_connection **connection) {
  int64_t deadline = mf_endpoint_deadline(endpoint->options.open_timeout_ms);
  mf_os_stream *stream;
  mayfly_connection *made;
  int result = mf_os_connect(address, endpoint->options.flags, deadline, &stream);
  if (result < 0)
    return result;
  result = mf_connection_new(stream, MF_READABLE | MF_WRITABLE, &made);
  if (result < 0)
    return result;
  result = mf_endpoint_admit_server(endpoint, mayfly_connection_peer(made));
  if (result == 0 && endpoint->options.authkey != NULL)
    result = prove(made, endpoint, deadline);
  if (result < 0) {
    char text[MAYFLY_ADDRESS_TEXT_SIZE];
    mf_fail_in(result, "connect to %s", mf_address_words(address, text));
    mayfly_connection_close(made);
    return result;
  }
  mf_connection_configure(made, &endpoint->options);
  *connection = made;
  return 0;
}

int mayfly_connect(const mayfly_address *address, const mayfly_endpoint_options *options,
                   mayfly_connection **connection) {
  struct mf_endpoint endpoint;
  if (address == NULL || connection == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connect: %s is NULL", address == NULL ? "address" : "connection");
  int result = mf_endpoint_init(MF_ENDPOINT_CLIENT, address, options, &endpoint);
  if (result < 0)
    return result;
  result = open_to(address, &endpoint, connection);
  mf_endpoint_clear(&endpoint);
  return result;
}
