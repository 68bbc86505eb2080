/* SPDX-License-Identifier: MIT */
/* serve_waiting.c - mayfly listen without a loop: over mayfly_wait(), where there is no libuv, and on pipes of Windows
 * that keep messages.
 *
 * A connection never waits for the rest of a message (its receive time is 0, and what has arrived is kept), so a client
 * that stops in the middle holds up nobody. One that does not take its echo does, for SERVE_PATIENCE_MS, and is dropped
 * then. */

#include "serve.h"
#include "tool.h"
#include <mayfly/mayfly.h>
#include <stdlib.h>

struct server {
  mayfly_wait_item *items; /* the listener, then its connections */
  size_t count;
  size_t capacity;
  int echo;
};

static int make_room(struct server *server) {
  if (server->count < server->capacity)
    return TOOL_OK;
  size_t doubled = server->capacity == 0 ? 16 : server->capacity * 2;
  mayfly_wait_item *larger = realloc(server->items, doubled * sizeof *larger);
  if (larger == NULL) {
    tool_system_failure("one more client");
    return TOOL_FAILED;
  }
  server->items = larger;
  server->capacity = doubled;
  return TOOL_OK;
}

static int start_server(struct server *server, mayfly_listener *listener, int echo) {
  *server = (struct server){.echo = echo};
  if (make_room(server) != TOOL_OK)
    return TOOL_FAILED;
  server->items[server->count++] = (mayfly_wait_item){.listener = listener};
  return TOOL_OK;
}

static void stop_server(struct server *server) {
  while (server->count > 1)
    mayfly_connection_close(server->items[--server->count].connection);
  free(server->items);
}

/* The last one takes its place. */
static void drop_client(struct server *server, size_t index) {
  mayfly_connection_close(server->items[index].connection);
  server->items[index] = server->items[--server->count];
}

static void add_client(struct server *server, mayfly_connection *connection) {
  mayfly_connection_set_timeouts(connection, 0, SERVE_PATIENCE_MS);
  if (make_room(server) == TOOL_OK)
    server->items[server->count++] = (mayfly_wait_item){.connection = connection};
  else
    mayfly_connection_close(connection);
}

/* One peer that could not be accepted is no reason to end. */
static int is_about_one_peer(int result) {
  return result == MAYFLY_EAUTH || result == MAYFLY_EPEER || result == MAYFLY_EMFILE || result == MAYFLY_ENOMEM;
}

static int accept_client(struct server *server) {
  mayfly_connection *connection;
  int result = mayfly_accept(server->items[0].listener, 0, &connection);
  if (result == 0)
    add_client(server, connection);
  if (result == 0 || result == MAYFLY_ETIMEDOUT)
    return TOOL_OK;
  int status = tool_failure(result);
  return is_about_one_peer(result) ? TOOL_OK : status;
}

/* MAYFLY_ETIMEDOUT: the rest of the message is still to come. */
static int serve_client(struct server *server, size_t index) {
  mayfly_connection *connection = server->items[index].connection;
  const void *data;
  size_t size;
  int status = TOOL_OK;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
  if (result == MAYFLY_ETIMEDOUT)
    return TOOL_OK;
  if (result == 0)
    status = tool_print_message(data, size);
  if (result == 0 && server->echo)
    result = mayfly_send_bytes(connection, data, size);
  if (result < 0 && result != MAYFLY_EOF)
    tool_failure(result);
  if (result < 0)
    drop_client(server, index);
  return status;
}

/* From the last to the first, since one that is dropped is replaced by the last. */
static int serve_ready(struct server *server) {
  int status = TOOL_OK;
  for (size_t i = server->count; --i > 0 && status == TOOL_OK;)
    if (server->items[i].ready)
      status = serve_client(server, i);
  if (status == TOOL_OK && server->items[0].ready)
    status = accept_client(server);
  return status;
}

static int serve(mayfly_listener *listener, int echo) {
  struct server server;
  int status = start_server(&server, listener, echo);
  while (status == TOOL_OK) {
    int result = mayfly_wait(server.items, server.count, MAYFLY_FOREVER);
    status = result < 0 ? tool_failure(result) : serve_ready(&server);
  }
  stop_server(&server);
  return status;
}

int tool_serve_waiting(const struct serving *serving) {
  mayfly_listener *listener;
  int result = mayfly_listen(serving->address, serving->options, &listener);
  if (result < 0)
    return tool_failure(result);
  int status = tool_print_address(mayfly_listener_address(listener));
  if (status == TOOL_OK)
    status = serve(listener, serving->echo);
  mayfly_listener_close(listener);
  return status;
}
