/* SPDX-License-Identifier: MIT */
/* opening.c - a connection from when its stream is there until both sides have proved the key: the handshake as events.
 *
 * Its state is memory of its own, wiped and freed when the connection opens or closes. Who is silent is ended by the
 * deadline, and holds up nobody meanwhile. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

static struct mf_uv_loop *loop_of(const mayfly_uv_connection *connection) {
  return connection->origin->loop;
}

static void ring(struct mf_uv_alarm *alarm) {
  const struct mf_uv_opening *opening = MF_UV_OF(alarm, struct mf_uv_opening, deadline);
  mayfly_uv_connection *connection = opening->connection;
  connection->origin->stats.timed_out++;
  if (connection->state == MF_UV_CONNECTING)
    mf_fail(MAYFLY_ETIMEDOUT, "no connection in time");
  else
    mf_fail(MAYFLY_ETIMEDOUT, "authentication: the peer was silent until the time ran out (has it a key?)");
  mf_uv_opening_failed(connection, MAYFLY_ETIMEDOUT);
}

int mf_uv_opening_new(mayfly_uv_connection *connection, const struct mf_endpoint *endpoint) {
  struct mf_uv_opening *opening = calloc(1, sizeof *opening);
  if (opening == NULL)
    return mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
  opening->connection = connection;
  opening->endpoint = endpoint;
  opening->deadline.ring = ring;
  mf_uv_link_init(&opening->siblings);
  mf_uv_link_init(&opening->deadline.link);
  connection->place.opening = opening;
  mf_uv_set(connection, MF_UV_OPENING);
  return 0;
}

void mf_uv_opening_begin(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  connection->origin->stats.opening++;
  mf_uv_deadline_set(loop_of(connection), &opening->deadline,
                     mf_endpoint_deadline(opening->endpoint->options.open_timeout_ms));
}

void mf_uv_opening_over(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  connection->origin->stats.opening--;
  mf_uv_alarm_cancel(loop_of(connection), &opening->deadline);
  mf_uv_link_out(&opening->siblings);
  if (opening->connecting != NULL)
    mf_uv_connecting_free(opening->connecting);
}

void mf_uv_opening_free(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  mf_uv_clear(connection, MF_UV_OPENING);
  mf_wipe(opening, sizeof *opening);
  free(opening);
  mf_uv_link_init(&connection->place.siblings);
}

int mf_uv_opening_stop(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  mf_uv_alarm_cancel(loop_of(connection), &opening->deadline);
  mf_uv_link_out(&opening->siblings);
  return opening->connecting != NULL && mf_uv_connecting_stop(opening->connecting);
}

/* A peer that is gone, or says what is no step of the handshake, has not proved the key. */
static int as_authentication(int error) {
  if (error == MAYFLY_EOF || error == MAYFLY_ECONNRESET || error == MAYFLY_EPIPE)
    return mf_fail(MAYFLY_EAUTH, "authentication failed: the peer closed the connection (has it the key, and does it "
                                 "speak this protocol?)");
  if (error == MAYFLY_EPROTO || error == MAYFLY_EMSGSIZE)
    return mf_fail(MAYFLY_EAUTH, "authentication failed: what the peer says is no step of the handshake");
  return error;
}

void mf_uv_opening_failed(mayfly_uv_connection *connection, int error) {
  const struct mf_uv_opening *opening = connection->place.opening;
  if (connection->state == MF_UV_PROVING)
    error = as_authentication(error);
  if (error == MAYFLY_EAUTH)
    connection->origin->stats.refused_auth++;
  if (opening->connecting != NULL) {
    char text[MAYFLY_ADDRESS_TEXT_SIZE];
    if (mayfly_address_format(&opening->from, text, sizeof text) == 0)
      mf_fail_in(error, "connect to %s", text);
  }
  mf_uv_connection_close(connection, error);
}

/* ---- the handshake ---- */

static void outcome(mayfly_uv_connection *connection) {
  const char *why;
  int error = mf_handshake_error(&connection->place.opening->handshake, &why);
  if (error == 0) {
    mf_uv_connection_open(connection);
    return;
  }
  mf_fail(error, "authentication failed: %s", why);
  mf_uv_opening_failed(connection, error);
}

/* Nonzero: it failed, and the connection is closing. Where the peer was about to be told that it failed, that is the
 * reason. */
static int check_written(mayfly_uv_connection *connection, int64_t count) {
  const char *why;
  if (count >= 0)
    return 0;
  int error = mf_handshake_error(&connection->place.opening->handshake, &why);
  if (error < 0)
    mf_fail(error, "authentication failed: %s", why);
  mf_uv_opening_failed(connection, error < 0 ? error : (int)count);
  return 1;
}

/* What has not left yet. 1: all has. 0: the transport has it, or the connection is closing. */
static int write_rest(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  while (opening->sent < opening->size) {
    mayfly_slice slice = {opening->message + opening->sent, opening->size - opening->sent};
    int64_t count = mf_uv_transport_try(connection, &slice, 1);
    if (count == MAYFLY_EAGAIN) {
      check_written(connection, mf_uv_transport_write(connection, &slice, 1));
      return 0;
    }
    if (check_written(connection, count))
      return 0;
    opening->sent += (size_t)count;
  }
  mf_handshake_sent(&opening->handshake);
  return 1;
}

static int write_next(mayfly_uv_connection *connection) {
  struct mf_uv_opening *opening = connection->place.opening;
  size_t size;
  const void *message = mf_handshake_outgoing(&opening->handshake, &size);
  opening->sent = 0;
  opening->size = mf_frame_encode(size, opening->message);
  memcpy(opening->message + opening->size, message, size);
  opening->size += size;
  return write_rest(connection);
}

static void go_on(mayfly_uv_connection *connection) {
  const struct mf_handshake *handshake = &connection->place.opening->handshake;
  while (mf_handshake_state(handshake) == MF_HANDSHAKE_SEND)
    if (!write_next(connection))
      return;
  if (mf_handshake_state(handshake) != MF_HANDSHAKE_RECEIVE)
    outcome(connection);
}

void mf_uv_opening_sent(mayfly_uv_connection *connection, size_t size) {
  connection->place.opening->sent += size;
  if (write_rest(connection))
    go_on(connection);
}

/* A peer that speaks before it was spoken to is none of ours. */
void mf_uv_opening_received(mayfly_uv_connection *connection, const void *message, size_t size) {
  struct mf_uv_opening *opening = connection->place.opening;
  if (mf_handshake_state(&opening->handshake) != MF_HANDSHAKE_RECEIVE) {
    mf_fail(MAYFLY_EPROTO, "the peer spoke out of turn");
    mf_uv_opening_failed(connection, MAYFLY_EPROTO);
    return;
  }
  mf_handshake_received(&opening->handshake, message, size);
  go_on(connection);
}

void mf_uv_opening_prove(mayfly_uv_connection *connection, enum mf_handshake_role role) {
  struct mf_uv_opening *opening = connection->place.opening;
  if (opening->endpoint->options.authkey == NULL) {
    mf_uv_connection_open(connection);
    return;
  }
  int result = mf_endpoint_handshake(opening->endpoint, role, &opening->handshake);
  if (result < 0) {
    mf_uv_opening_failed(connection, result);
    return;
  }
  connection->state = MF_UV_PROVING;
  mf_uv_connection_set_reading(connection);
  if (connection->state == MF_UV_PROVING)
    go_on(connection);
}
