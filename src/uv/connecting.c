/* SPDX-License-Identifier: MIT */
/* connecting.c - connect on a loop: resolve the host, try its addresses in turn, wait where the listener is full.
 *
 * All of it begins with the connection's first turn, so that mayfly_uv_connect() calls no handler. */
#include "internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FULL_WAIT_US = 10000 };

struct mf_uv_connecting {
  mayfly_uv_connection *connection;
  struct mf_endpoint endpoint;
  mayfly_address address;
  uv_getaddrinfo_t request;
  struct addrinfo *list;
  size_t tried;             /* of the list, IPv4 first */
  struct mf_uv_alarm retry; /* the listener was full, or busy */
  mayfly_address numeric;
  mf_os_stream *stream; /* not connected yet; NULL: none */
  struct mf_uv_watch watch;
  int resolving, watching;
  int error; /* of the last address that was tried */
};

static struct mf_uv_connecting *connecting_of(const mayfly_uv_connection *connection) {
  return connection->place.opening->connecting;
}

static void try_next(struct mf_uv_connecting *connecting);

/* ---- one address ---- */

static void met(struct mf_uv_connecting *connecting, mf_os_stream *stream) {
  mayfly_uv_connection *connection = connecting->connection;
  connecting->stream = NULL;
  mf_os_stream_peer(stream, &connection->peer);
  int result = mf_endpoint_admit_server(&connecting->endpoint, &connection->peer);
  if (result == 0 && mf_os_stream_keeps_messages(stream))
    result = mf_fail(MAYFLY_ENOTSUP, "the pipe keeps messages, which libuv's loop can't");
  if (result == 0)
    result = mf_uv_transport_open(connection, stream);
  if (result == 0) {
    mf_uv_opening_prove(connection, MF_HANDSHAKE_CLIENT);
    return;
  }
  mf_os_stream_close(stream);
  mf_uv_opening_failed(connection, result);
}

static void on_unwatched(struct mf_uv_watch *watch) {
  struct mf_uv_connecting *connecting = MF_UV_OF(watch, struct mf_uv_connecting, watch);
  mf_os_stream *stream = connecting->stream;
  connecting->watching = 0;
  if (connecting->connection->state == MF_UV_CLOSING) {
    mf_uv_connection_close_handle(connecting->connection);
    return;
  }
  connecting->error = mf_os_connect_finish(stream);
  if (connecting->error == 0) {
    met(connecting, stream);
    return;
  }
  mf_os_stream_close(stream);
  connecting->stream = NULL;
  try_next(connecting);
}

static void on_writable(struct mf_uv_watch *watch) {
  mf_uv_watch_close(watch);
}

static void await(struct mf_uv_connecting *connecting) {
  mayfly_uv_connection *connection = connecting->connection;
  connecting->watch.ready = on_writable;
  connecting->watch.closed = on_unwatched;
  int result = mf_uv_watch_stream(&connecting->watch, connection->origin->loop->uv, connecting->stream);
  if (result < 0)
    mf_uv_opening_failed(connection, result);
  else
    connecting->watching = 1;
}

/* Nonzero: it failed, in words, and the next one may be tried. Else `connecting` may be gone. */
static int try_one(struct mf_uv_connecting *connecting, const mayfly_address *numeric) {
  mf_os_stream *stream = NULL;
  int result = mf_os_connect_start(numeric, connecting->endpoint.options.flags, &stream);
  if (result == MAYFLY_EAGAIN) {
    connecting->numeric = *numeric;
    mf_uv_soon_set(connecting->connection->origin->loop, &connecting->retry, FULL_WAIT_US);
    return 0;
  }
  if (result < 0)
    return connecting->error = result;
  connecting->stream = stream;
  if (result == 0)
    met(connecting, stream);
  else
    await(connecting);
  return 0;
}

/* ---- one after the other ---- */

/* The nth of the list, IPv4 first, whatever the resolver prefers: Python's peers know nothing else. */
static const struct addrinfo *nth(const struct addrinfo *list, size_t n) {
  for (int ipv4 = 1; ipv4 >= 0; ipv4--)
    for (const struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next)
      if ((entry->ai_family == AF_INET) == ipv4 && n-- == 0)
        return entry;
  return NULL;
}

static void numeric_of(const struct addrinfo *entry, uint16_t port, mayfly_address *numeric) {
  size_t length;
  *numeric = (mayfly_address){.family = MAYFLY_AF_INET, .port = port};
  uv_ip_name(entry->ai_addr, numeric->name, sizeof numeric->name);
  if (entry->ai_family != AF_INET6)
    return;
  unsigned scope = (unsigned)((const struct sockaddr_in6 *)(const void *)entry->ai_addr)->sin6_scope_id;
  length = strlen(numeric->name);
  if (scope != 0)
    snprintf(numeric->name + length, sizeof numeric->name - length, "%%%u", scope);
}

/* The words of the last failure stand when there is no further one. Where nothing was resolved they name the address.
 */
static void try_next(struct mf_uv_connecting *connecting) {
  const struct addrinfo *entry;
  while ((entry = nth(connecting->list, connecting->tried++)) != NULL) {
    mayfly_address numeric;
    numeric_of(entry, connecting->address.port, &numeric);
    if (try_one(connecting, &numeric) == 0)
      return;
  }
  if (connecting->list == NULL)
    mf_uv_connection_close(connecting->connection, connecting->error);
  else
    mf_uv_opening_failed(connecting->connection, connecting->error);
}

static void on_retry(struct mf_uv_alarm *alarm) {
  struct mf_uv_connecting *connecting = MF_UV_OF(alarm, struct mf_uv_connecting, retry);
  const mayfly_address numeric = connecting->numeric;
  if (try_one(connecting, &numeric) < 0)
    try_next(connecting);
}

/* ---- the host ---- */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list) {
  struct mf_uv_connecting *connecting = request->data;
  mayfly_uv_connection *connection = connecting->connection;
  connecting->resolving = 0;
  connecting->list = list;
  if (connection->state == MF_UV_CLOSING) {
    mf_uv_connection_close_handle(connection);
    return;
  }
  if (status == 0) {
    try_next(connecting);
    return;
  }
  int error = status == UV_ENOMEM || status == UV_EAI_MEMORY ? MAYFLY_ENOMEM : MAYFLY_EADDRNOTAVAIL;
  mf_fail(error, "%s", uv_strerror(status));
  mf_uv_opening_failed(connection, error);
}

static void resolve(struct mf_uv_connecting *connecting) {
  const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  const char *host = connecting->address.name[0] != '\0' ? connecting->address.name : "localhost";
  connecting->request.data = connecting;
  int result =
      uv_getaddrinfo(connecting->connection->origin->loop->uv, &connecting->request, on_resolved, host, NULL, &hints);
  if (result == 0) {
    connecting->resolving = 1;
    return;
  }
  int error = result == UV_ENOMEM ? MAYFLY_ENOMEM : MAYFLY_EADDRNOTAVAIL;
  mf_fail(error, "%s", uv_strerror(result));
  mf_uv_opening_failed(connecting->connection, error);
}

void mf_uv_connecting_begin(mayfly_uv_connection *connection) {
  struct mf_uv_connecting *connecting = connecting_of(connection);
  if (connecting->address.family == MAYFLY_AF_INET) {
    resolve(connecting);
    return;
  }
  if (try_one(connecting, &connecting->address) < 0)
    try_next(connecting); /* of none */
}

/* ---- the end of it ---- */

int mf_uv_connecting_stop(struct mf_uv_connecting *connecting) {
  mf_uv_alarm_cancel(connecting->connection->origin->loop, &connecting->retry);
  if (connecting->resolving)
    uv_cancel((uv_req_t *)&connecting->request); /* which may come too late, and is told all the same */
  if (connecting->watching && !uv_is_closing(&connecting->watch.handle.any))
    mf_uv_watch_close(&connecting->watch);
  return connecting->resolving || connecting->watching;
}

void mf_uv_connecting_free(struct mf_uv_connecting *connecting) {
  mf_uv_alarm_cancel(connecting->connection->origin->loop, &connecting->retry);
  if (connecting->stream != NULL)
    mf_os_stream_close(connecting->stream);
  uv_freeaddrinfo(connecting->list);
  mf_endpoint_clear(&connecting->endpoint);
  free(connecting);
}

/* ---- mayfly_uv_connect ---- */

static struct mf_uv_connecting *new_connecting(const mayfly_address *address, const struct mf_endpoint *endpoint,
                                               mayfly_uv_connection *connection) {
  struct mf_uv_connecting *connecting = calloc(1, sizeof *connecting);
  if (connecting == NULL) {
    mf_fail(MAYFLY_ENOMEM, "connect to %s: no memory", address->name);
    return NULL;
  }
  connecting->connection = connection;
  connecting->address = *address;
  connecting->endpoint = *endpoint;
  connecting->retry.ring = on_retry;
  mf_uv_link_init(&connecting->retry.link);
  return connecting;
}

static void begin_later(mayfly_uv_connection *connection, struct mf_uv_connecting *connecting) {
  connection->place.opening->connecting = connecting;
  connection->place.opening->from = connecting->address;
  mf_uv_set(connection, MF_UV_ANNOUNCED | MF_UV_BEGUN);
  mf_uv_opening_begin(connection);
  mf_uv_loop_ready(connection);
}

static int connect_to(uv_loop_t *uv, const mayfly_address *address, const struct mf_endpoint *endpoint,
                      const mayfly_uv_handlers *handlers, mayfly_uv_connection **connection) {
  struct mf_uv_origin *origin;
  mayfly_uv_connection *made = NULL;
  int result = mf_uv_origin_new(handlers, &endpoint->options, &origin);
  if (result < 0)
    return result;
  result = mf_uv_connection_new(origin, &made);
  if (result < 0) {
    mf_uv_origin_unref(origin);
    return result;
  }
  struct mf_uv_connecting *connecting = new_connecting(address, endpoint, made);
  result = connecting != NULL ? mf_uv_opening_new(made, &connecting->endpoint) : MAYFLY_ENOMEM;
  if (result == 0)
    result = mf_uv_loop_join(uv, &origin->loop);
  if (result < 0) {
    free(connecting);
    mf_uv_connection_discard(made);
    return result;
  }
  begin_later(made, connecting);
  *connection = made;
  return 0;
}

int mayfly_uv_connect(uv_loop_t *loop, const mayfly_address *address, const mayfly_endpoint_options *options,
                      const mayfly_uv_handlers *handlers, void *data, mayfly_uv_connection **connection) {
  struct mf_endpoint endpoint;
  if (loop == NULL || address == NULL || connection == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_uv_connect: %s is NULL",
                   loop == NULL      ? "loop"
                   : address == NULL ? "address"
                                     : "connection");
  int result = mf_endpoint_init(MF_ENDPOINT_CLIENT, address, options, &endpoint);
  if (result < 0)
    return result;
  result = connect_to(loop, address, &endpoint, handlers, connection);
  if (result < 0)
    mf_endpoint_clear(&endpoint);
  else
    mayfly_uv_connection_set_data(*connection, data);
  return result;
}
