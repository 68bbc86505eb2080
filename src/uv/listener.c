/* SPDX-License-Identifier: MIT */
/* listener.c - listening on a loop: accept, admit, and the limit on peers that are proving the key.
 *
 * Peers are accepted through the door, never by uv_listen, which drops them when descriptors run out: then the watching
 * stops, until a moment has passed or one of ours has closed. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

enum { REST_US = 100000, ACCEPTS_MAX = 64 /* in a row: the others are to have their turn */ };

struct mayfly_uv_listener {
  struct mf_uv_watch watch;
  struct mf_listening at;
  struct mf_uv_origin *origin;
  struct mf_uv_link openings; /* the oldest first */
  struct mf_uv_alarm rest;    /* out of descriptors, or of memory */
  mf_os_stream *kept;         /* accepted, and then there was none left to go on with; NULL: nobody */
  void *data;
  void (*closed)(void *data);
  int closing;
};

/* ---- one peer ---- */

static struct mf_uv_opening *oldest(const mayfly_uv_listener *listener) {
  return MF_UV_OF(listener->openings.next, struct mf_uv_opening, siblings);
}

static void displace_oldest(const mayfly_uv_listener *listener) {
  listener->origin->stats.refused_full++;
  mf_uv_connection_close(oldest(listener)->connection, MAYFLY_ECANCELED);
}

/* Where there is a key to prove. */
static int make_opening(mayfly_uv_listener *listener, mayfly_uv_connection *connection) {
  if (listener->at.endpoint.options.authkey == NULL)
    return 0;
  int result = mf_uv_opening_new(connection, &listener->at.endpoint);
  if (result < 0)
    return result;
  if (listener->origin->stats.opening == (uint64_t)listener->at.endpoint.options.opening_max)
    displace_oldest(listener);
  mf_uv_link_put(&listener->openings, &connection->place.opening->siblings);
  mf_uv_opening_begin(connection);
  return 0;
}

/* The stream is taken over, but on failure. */
static int begin(mayfly_uv_listener *listener, mayfly_uv_connection *connection, mf_os_stream *stream) {
  int result = make_opening(listener, connection);
  if (result == 0)
    result = mf_uv_transport_open(connection, stream);
  if (result < 0) {
    mf_uv_connection_close(connection, result);
    return result;
  }
  if ((connection->flags & MF_UV_OPENING) != 0)
    mf_uv_opening_prove(connection, MF_HANDSHAKE_SERVER);
  else
    mf_uv_connection_open(connection);
  return 0;
}

static int let_in(mayfly_uv_listener *listener, mf_os_stream *stream, const mayfly_peer *peer) {
  mayfly_uv_connection *connection = NULL;
  int result = mf_uv_connection_new(listener->origin, &connection);
  if (result < 0)
    return result;
  listener->origin->references++;
  listener->origin->loop->users++;
  mayfly_uv_connection_set_data(connection, listener->data);
  connection->peer = *peer;
  return begin(listener, connection, stream);
}

/* MAYFLY_EMFILE, MAYFLY_ENOMEM: the stream is still there, and tried again later. Another failure is the peer's own. */
static int take_in(mayfly_uv_listener *listener, mf_os_stream *stream) {
  mayfly_peer peer;
  mf_os_stream_peer(stream, &peer);
  int refused = mf_endpoint_admit_client(&listener->at.endpoint, &peer) < 0;
  listener->origin->stats.refused_peer += (uint64_t)refused;
  int result = refused ? MAYFLY_EPEER : let_in(listener, stream, &peer);
  if (result == 0 || result == MAYFLY_EMFILE || result == MAYFLY_ENOMEM)
    return result;
  mf_os_stream_close(stream);
  return 0;
}

/* ---- many ---- */

static void rest(mayfly_uv_listener *listener) {
  mf_uv_watch_stop(&listener->watch);
  mf_uv_soon_set(listener->origin->loop, &listener->rest, REST_US);
}

/* The one that is kept first. MAYFLY_EAGAIN: nobody is waiting. */
static int next_peer(mayfly_uv_listener *listener, mf_os_stream **stream) {
  mayfly_address from;
  if (listener->kept == NULL)
    return mf_os_accept(listener->at.os, stream, &from);
  *stream = listener->kept;
  listener->kept = NULL;
  return 0;
}

static void take_all_in(mayfly_uv_listener *listener) {
  for (int i = 0; i < ACCEPTS_MAX && !listener->closing; i++) {
    mf_os_stream *stream = NULL;
    int result = next_peer(listener, &stream);
    if (result == MAYFLY_EAGAIN)
      return;
    if (result == 0)
      result = take_in(listener, stream);
    if (result < 0) {
      listener->kept = stream;
      rest(listener);
      return;
    }
  }
}

static void on_ready(struct mf_uv_watch *watch) {
  take_all_in(MF_UV_OF(watch, mayfly_uv_listener, watch));
}

static void end_rest(struct mf_uv_alarm *alarm) {
  mayfly_uv_listener *listener = MF_UV_OF(alarm, mayfly_uv_listener, rest);
  if (mf_uv_watch_start(&listener->watch) < 0)
    rest(listener);
  else if (listener->kept != NULL)
    take_all_in(listener);
}

/* ---- its end ---- */

static void finish(void *context) {
  mayfly_uv_listener *listener = context;
  if (listener->closed != NULL)
    listener->closed(listener->data);
  mf_uv_origin_unref(listener->origin);
  free(listener);
}

static void on_unwatched(struct mf_uv_watch *watch) {
  mayfly_uv_listener *listener = MF_UV_OF(watch, mayfly_uv_listener, watch);
  mf_uv_loop_leave(listener->origin->loop, finish, listener);
}

void mayfly_uv_listener_close(mayfly_uv_listener *listener, void (*closed)(void *data)) {
  if (listener == NULL || listener->closing)
    return;
  listener->closing = 1;
  listener->closed = closed;
  mf_uv_alarm_cancel(listener->origin->loop, &listener->rest);
  while (!mf_uv_link_is_alone(&listener->openings))
    mf_uv_connection_close(oldest(listener)->connection, MAYFLY_ECANCELED);
  if (listener->kept != NULL)
    mf_os_stream_close(listener->kept);
  mf_uv_watch_close(&listener->watch);
  mf_listening_stop(&listener->at);
}

/* ---- its beginning ---- */

/* The rest can fail for want of memory or descriptors only. */
static int begin_listening(mayfly_uv_listener *listener, uv_loop_t *uv) {
  struct mf_uv_origin *origin = listener->origin;
  int result = mf_uv_loop_join(uv, &origin->loop);
  if (result < 0)
    return result;
  listener->watch.ready = on_ready;
  listener->watch.closed = on_unwatched;
  result = mf_uv_watch_listener(&listener->watch, uv, listener->at.os);
  if (result < 0)
    mf_uv_loop_abandon(origin->loop);
  else if (mf_uv_watch_start(&listener->watch) < 0)
    rest(listener);
  return result;
}

static int listen_with(mayfly_uv_listener *listener, uv_loop_t *uv, const mayfly_address *address,
                       const mayfly_endpoint_options *options, const mayfly_uv_handlers *handlers) {
  int result = mf_listening_start(&listener->at, address, options, MAYFLY_ENDPOINT_PIPE_BYTES);
  if (result < 0)
    return result;
  result = mf_uv_origin_new(handlers, &listener->at.endpoint.options, &listener->origin);
  if (result == 0) {
    result = begin_listening(listener, uv);
    if (result < 0)
      mf_uv_origin_unref(listener->origin);
  }
  if (result < 0)
    mf_listening_stop(&listener->at);
  return result;
}

static int check(const uv_loop_t *loop, const mayfly_endpoint_options *options, mayfly_uv_listener *const *listener) {
  if (loop == NULL || listener == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_listen: %s is NULL", loop == NULL ? "loop" : "listener");
  if (options != NULL && options->size >= offsetof(mayfly_endpoint_options, open_timeout_ms) &&
      (options->flags & MAYFLY_ENDPOINT_PIPE_MESSAGES) != 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_listen: libuv's loop can't keep messages: "
                                  "MAYFLY_ENDPOINT_PIPE_MESSAGES is of no use here");
  return 0;
}

int mayfly_uv_listen(uv_loop_t *loop, const mayfly_address *address, const mayfly_endpoint_options *options,
                     const mayfly_uv_handlers *handlers, void *data, mayfly_uv_listener **listener) {
  int result = check(loop, options, listener);
  if (result < 0)
    return result;
  mayfly_uv_listener *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "listen: no memory");
  mf_uv_link_init(&made->openings);
  mf_uv_link_init(&made->rest.link);
  made->rest.ring = end_rest;
  made->data = data;
  result = listen_with(made, loop, address, options, handlers);
  if (result < 0)
    free(made);
  else
    *listener = made;
  return result;
}

/* ---- what is known of it ---- */

const mayfly_address *mayfly_uv_listener_address(const mayfly_uv_listener *listener) {
  if (listener != NULL)
    return &listener->at.address;
  mf_fail(MAYFLY_EINVAL, "mayfly_uv_listener_address: listener is NULL");
  return NULL;
}

/* What is queued is still being sent to it; the program has not closed it. */
static int is_ended_by_peer(const mayfly_uv_connection *connection) {
  return connection->state == MF_UV_ENDING && connection->status < 0 && (connection->flags & MF_UV_CLOSE_ASKED) == 0;
}

void mayfly_uv_listener_each(mayfly_uv_listener *listener,
                             void (*visit)(mayfly_uv_connection *connection, void *context), void *context) {
  if (listener == NULL || visit == NULL)
    return;
  struct mf_uv_link *list = &listener->origin->connections;
  for (struct mf_uv_link *link = list->next; link != list;
       link = link->next) { /* none leaves it before the loop runs */
    mayfly_uv_connection *connection = MF_UV_OF(link, mayfly_uv_connection, place.siblings);
    if (connection->state == MF_UV_OPEN || is_ended_by_peer(connection))
      visit(connection, context);
  }
}

int mayfly_uv_listener_stats(const mayfly_uv_listener *listener, mayfly_uv_stats *stats) {
  if (listener == NULL || stats == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_listener_stats: %s is NULL", listener == NULL ? "listener" : "stats");
  size_t size = stats->size;
  if (size < sizeof size)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_stats: a size of %zu; set it before the call", size);
  memset(stats, 0, size); /* what a longer one has is unknown here */
  memcpy(stats, &listener->origin->stats, size < sizeof *stats ? size : sizeof *stats);
  stats->size = size;
  return 0;
}
