/* SPDX-License-Identifier: MIT */
/* connection.c - what a connection on a loop is from its opening to its end, and that this comes once. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

static struct mf_uv_loop *loop_of(const mayfly_uv_connection *connection) {
  return connection->origin->loop;
}

int mf_uv_connection_new(struct mf_uv_origin *origin, mayfly_uv_connection **connection) {
  mayfly_uv_connection *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
  made->origin = origin;
  made->peer = (mayfly_peer){-1, -1, -1, -1};
  mf_uv_link_init(&made->place.siblings);
  mf_uv_link_init(&made->ready);
  *connection = made;
  return 0;
}

void mf_uv_connection_discard(mayfly_uv_connection *connection) {
  if ((connection->flags & MF_UV_OPENING) != 0)
    free(connection->place.opening);
  mf_uv_origin_unref(connection->origin);
  free(connection);
}

/* ---- open ---- */

void mf_uv_connection_set_reading(mayfly_uv_connection *connection) {
  const unsigned not_now = MF_UV_PAUSED | MF_UV_RESUMED | MF_UV_NO_RECEIVE;
  int on =
      connection->state == MF_UV_PROVING || (connection->state == MF_UV_OPEN && (connection->flags & not_now) == 0);
  if (connection->state == MF_UV_CLOSING || connection->state == MF_UV_CONNECTING)
    return;
  int result = mf_uv_transport_read(connection, on);
  if (result < 0 && connection->state == MF_UV_PROVING)
    mf_uv_opening_failed(connection, result);
  else if (result < 0)
    mf_uv_connection_close(connection, result);
}

/* What an adopted one held is handed out in the next turn. */
static void begin_reading(mayfly_uv_connection *connection) {
  if (connection->held.input != NULL) {
    mf_uv_set(connection, MF_UV_RESUMED);
    mf_uv_loop_ready(connection);
  }
  mf_uv_connection_set_reading(connection);
}

void mf_uv_connection_open(mayfly_uv_connection *connection) {
  struct mf_uv_origin *origin = connection->origin;
  if ((connection->flags & MF_UV_OPENING) != 0) {
    mf_uv_opening_over(connection);
    mf_uv_opening_free(connection);
  }
  connection->state = MF_UV_OPEN;
  mf_uv_link_put(&origin->connections, &connection->place.siblings);
  origin->stats.open++;
  if ((connection->flags & MF_UV_CLOSE_ASKED) != 0) {
    mf_uv_connection_end(connection, 0);
    return;
  }
  if ((connection->flags & MF_UV_ANNOUNCED) == 0)
    origin->stats.accepted++;
  mf_uv_set(connection, MF_UV_ANNOUNCED);
  if (connection->queue != NULL)
    mf_uv_loop_ready(connection);
  begin_reading(connection);
  if (connection->state == MF_UV_OPEN && origin->handlers.opened != NULL)
    origin->handlers.opened(connection);
}

static void begin(mayfly_uv_connection *connection) {
  mf_uv_clear(connection, MF_UV_BEGUN);
  if ((connection->flags & MF_UV_OPENING) != 0)
    mf_uv_connecting_begin(connection);
  else
    mf_uv_connection_open(connection);
}

static void go_on_reading(mayfly_uv_connection *connection) {
  mf_uv_clear(connection, MF_UV_RESUMED);
  if (connection->state == MF_UV_OPEN && connection->held.input != NULL)
    mf_uv_input_hand_out(connection);
  mf_uv_connection_set_reading(connection);
}

/* The loop has read between two turns: where nothing came, and no end either, there is nothing more to wait for. But
 * where the read is sure to end by itself, its end may wait behind those of many others. */
static void end_unheard(mayfly_uv_connection *connection) {
  if (!mf_os_stream_peer_may_be_deaf())
    return;
  if (connection->state != MF_UV_OPEN || (connection->flags & (MF_UV_SEND_OVER | MF_UV_PAUSED)) != MF_UV_SEND_OVER)
    return;
  if ((connection->flags & MF_UV_HEARD) != 0) {
    mf_uv_clear(connection, MF_UV_HEARD);
    mf_uv_loop_ready(connection);
    return;
  }
  mf_fail(MAYFLY_EPIPE, "send: the peer takes nothing more");
  mf_uv_connection_close(connection, MAYFLY_EPIPE);
}

void mf_uv_connection_turn(mayfly_uv_connection *connection, int may_call) {
  mf_uv_clear(connection, MF_UV_SENT);
  if (may_call && (connection->flags & MF_UV_BEGUN) != 0)
    begin(connection);
  else if (may_call && (connection->flags & MF_UV_RESUMED) != 0)
    go_on_reading(connection);
  mf_uv_queue_flush(connection);
  if (!may_call)
    return;
  mf_uv_queue_settle(connection);
  end_unheard(connection);
}

void mayfly_uv_pause(mayfly_uv_connection *connection) {
  if (connection == NULL)
    return;
  mf_uv_set(connection, MF_UV_PAUSED);
  mf_uv_clear(connection, MF_UV_RESUMED);
  mf_uv_connection_set_reading(connection);
}

void mayfly_uv_resume(mayfly_uv_connection *connection) {
  if (connection == NULL || connection->state == MF_UV_CLOSING || (connection->flags & MF_UV_PAUSED) == 0)
    return;
  mf_uv_clear(connection, MF_UV_PAUSED);
  if ((connection->flags & MF_UV_SEND_OVER) != 0) {
    mf_uv_set(connection, MF_UV_HEARD);
    mf_uv_loop_ready(connection);
  }
  if (connection->state == MF_UV_OPEN)
    begin_reading(connection);
  else
    mf_uv_connection_set_reading(connection);
}

/* ---- the end ---- */

static void set_reason(mayfly_uv_connection *connection, int status) {
  if (connection->state < MF_UV_ENDING)
    mf_uv_input_free(loop_of(connection), connection->held.input);
  else
    free(connection->held.words);
  connection->held.words = status < 0 ? mf_duplicate(mayfly_last_error(), strlen(mayfly_last_error()), 1) : NULL;
  connection->status = status;
}

void mf_uv_connection_end(mayfly_uv_connection *connection, int status) {
  set_reason(connection, status);
  connection->state = MF_UV_ENDING;
  mf_uv_connection_set_reading(connection);
  mf_uv_queue_flush(connection);
  mf_uv_queue_settle(connection);
}

void mf_uv_connection_close(mayfly_uv_connection *connection, int status) {
  if (connection->state == MF_UV_CLOSING)
    return;
  if (connection->state != MF_UV_ENDING || connection->status == 0)
    set_reason(connection, status);
  if (connection->state >= MF_UV_OPEN)
    connection->origin->stats.open--;
  connection->state = MF_UV_CLOSING;
  mf_uv_link_out(&connection->ready);
  if (connection->queue != NULL)
    mf_uv_alarm_cancel(loop_of(connection), &connection->queue->deadline);
  if ((connection->flags & MF_UV_OPENING) == 0 || !mf_uv_opening_stop(connection))
    mf_uv_connection_close_handle(connection);
}

void mf_uv_connection_close_handle(mayfly_uv_connection *connection) {
  if ((connection->flags & MF_UV_OPENING) != 0)
    mf_uv_opening_over(connection);
  mf_uv_transport_close(connection);
  mf_uv_loop_hurry(loop_of(connection));
}

static void finish(void *context) {
  mayfly_uv_connection *connection = context;
  struct mf_uv_origin *origin = connection->origin;
  if (connection->status < 0)
    mf_fail(connection->status, "%s", connection->held.words != NULL ? connection->held.words : "closed: no memory");
  if ((connection->flags & MF_UV_ANNOUNCED) != 0 && origin->handlers.closed != NULL)
    origin->handlers.closed(connection, connection->status);
  free(connection->held.words);
  free(connection);
  mf_uv_origin_unref(origin);
}

void mf_uv_connection_gone(mayfly_uv_connection *connection) {
  mf_uv_queue_free(connection);
  if ((connection->flags & MF_UV_OPENING) != 0)
    mf_uv_opening_free(connection);
  mf_uv_link_out(&connection->place.siblings);
  mf_uv_loop_leave(loop_of(connection), finish, connection);
}

void mayfly_uv_connection_close(mayfly_uv_connection *connection, int flush_ms) {
  if (connection == NULL || connection->state == MF_UV_CLOSING)
    return;
  if (flush_ms == 0 || connection->queue == NULL) {
    mf_uv_connection_close(connection, 0);
    return;
  }
  mf_uv_queue_set_deadline(connection, flush_ms);
  if (connection->state == MF_UV_OPEN)
    mf_uv_connection_end(connection, 0);
  else
    mf_uv_set(connection, MF_UV_CLOSE_ASKED);
}

/* ---- what is known of it ---- */

void *mayfly_uv_connection_data(const mayfly_uv_connection *connection) {
  return connection != NULL ? connection->transport.handle.any.data : NULL;
}

void mayfly_uv_connection_set_data(mayfly_uv_connection *connection, void *data) {
  if (connection != NULL)
    connection->transport.handle.any.data = data;
}

const mayfly_peer *mayfly_uv_connection_peer(const mayfly_uv_connection *connection) {
  return connection != NULL ? &connection->peer : NULL;
}

/* ---- adopt ---- */

/* Only reads `blocking`: it stays the caller's until nothing can fail any more. */
static int take_from(mayfly_uv_connection *connection, const struct mf_connection_parts *parts) {
  connection->peer = parts->peer;
  mf_uv_set(connection, (parts->directions & MF_READABLE) == 0 ? (unsigned)MF_UV_NO_RECEIVE : 0);
  mf_uv_set(connection, (parts->directions & MF_WRITABLE) == 0 ? (unsigned)MF_UV_NO_SEND : 0);
  int result = parts->size > 0 ? mf_uv_input_keep(connection, parts->buffered, parts->size) : 0;
  return result < 0 ? result : mf_uv_transport_open(connection, parts->stream);
}

static int make_adopted(uv_loop_t *uv, const struct mf_connection_parts *parts, const mayfly_uv_handlers *handlers,
                        mayfly_uv_connection **connection) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct mf_uv_origin *origin;
  mayfly_uv_connection *made = NULL;
  options.message_size_max = parts->message_size_max;
  int result = mf_uv_origin_new(handlers, &options, &origin);
  if (result < 0)
    return result;
  result = mf_uv_connection_new(origin, &made);
  if (result < 0) {
    mf_uv_origin_unref(origin);
    return result;
  }
  result = mf_uv_loop_join(uv, &origin->loop);
  if (result < 0) {
    mf_uv_connection_discard(made);
    return result;
  }
  result = take_from(made, parts);
  if (result < 0)
    mf_uv_connection_close(made, result); /* not announced, so in silence */
  else
    *connection = made;
  return result;
}

int mayfly_uv_adopt(uv_loop_t *loop, mayfly_connection *blocking, const mayfly_uv_handlers *handlers, void *data,
                    mayfly_uv_connection **connection) {
  struct mf_connection_parts parts;
  mayfly_uv_connection *made = NULL;
  if (loop == NULL || blocking == NULL || connection == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_adopt: %s is NULL",
                   loop == NULL       ? "loop"
                   : blocking == NULL ? "blocking"
                                      : "connection");
  int result = mf_connection_parts(blocking, &parts);
  if (result < 0)
    return mf_fail_in(result, "mayfly_uv_adopt");
  result = make_adopted(loop, &parts, handlers, &made);
  if (result < 0)
    return result;
  mf_connection_leave(blocking);
  mayfly_uv_connection_set_data(made, data);
  mf_uv_set(made, MF_UV_ANNOUNCED | MF_UV_BEGUN);
  mf_uv_loop_ready(made);
  *connection = made;
  return 0;
}
