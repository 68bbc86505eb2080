/* SPDX-License-Identifier: MIT */
/* served_mayfly.c - the server on <mayfly/uv.h>. */
#include "served.h"
#include <mayfly/uv.h>
#include <stdio.h>

struct server {
  struct served_run *run;
  uv_loop_t loop;
  mayfly_uv_listener *listener;
  mayfly_uv_connection *first;
  int came, enough;
};

static struct server *server_of(const mayfly_uv_connection *connection) {
  return mayfly_uv_connection_data(connection);
}

static void stop(struct server *server) {
  server->enough = 1;
  uv_stop(&server->loop);
}

/* Until its queue is above its mark. */
static void pour(mayfly_uv_connection *connection) {
  struct server *server = server_of(connection);
  int result = 0;
  while (result == 0 && !server->enough) {
    result = mayfly_uv_send(connection, served_message + SERVED_HEADER, server->run->work->size);
    bench_check(result, "mayfly_uv_send");
    if (served_handled(server->run, 1))
      stop(server);
  }
}

static void opened(mayfly_uv_connection *connection) {
  struct server *server = server_of(connection);
  if (server->came++ == 0)
    server->first = connection;
  if (server->came < server->run->work->clients)
    return;
  served_all_have_come(server->run);
  if (server->run->work->mode == SERVED_SOURCE)
    pour(connection);
}

static void pause_one(mayfly_uv_connection *connection, void *context) {
  if (connection != context)
    mayfly_uv_pause(connection);
}

static void resume_one(mayfly_uv_connection *connection, void *context) {
  (void)context;
  mayfly_uv_resume(connection);
}

static void handled(struct server *server) {
  if (served_handled(server->run, 1))
    stop(server);
}

static void sink(mayfly_uv_connection *connection, const void *data, size_t size) {
  (void)data, (void)size;
  handled(server_of(connection));
}

static void echo(mayfly_uv_connection *connection, const void *data, size_t size) {
  bench_check(mayfly_uv_send(connection, data, size), "mayfly_uv_send");
  handled(server_of(connection));
}

static void fan_in(mayfly_uv_connection *connection, const void *data, size_t size) {
  struct server *server = server_of(connection);
  int result = mayfly_uv_send(server->first, data, size);
  bench_check(result, "mayfly_uv_send");
  if (result == 1)
    mayfly_uv_listener_each(server->listener, pause_one, server->first);
  handled(server);
}

static void drained(mayfly_uv_connection *connection) {
  struct server *server = server_of(connection);
  if (server->run->work->mode == SERVED_SOURCE)
    pour(connection);
  else
    mayfly_uv_listener_each(server->listener, resume_one, NULL);
}

static void close_one(mayfly_uv_connection *connection, void *context) {
  (void)context;
  mayfly_uv_connection_close(connection, 0);
}

void served_mayfly(struct served_run *run) {
  static void (*const messages[])(mayfly_uv_connection *, const void *, size_t) = {
      [SERVED_ECHO] = echo, [SERVED_SINK] = sink, [SERVED_SOURCE] = sink, [SERVED_FAN_IN] = fan_in};
  const mayfly_uv_handlers handlers = {sizeof handlers, opened, messages[run->work->mode], drained, NULL};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  struct server server = {.run = run};
  snprintf(address.name, sizeof address.name, "%s", run->path);
  options.queue_high = run->work->size > SERVED_READ ? 4 << 20 : 1 << 18; /* the limit's */
  bench_need(uv_loop_init(&server.loop) == 0, "uv_loop_init");
  bench_check(mayfly_uv_listen(&server.loop, &address, &options, &handlers, &server, &server.listener),
              "mayfly_uv_listen");
  served_listening(run);
  uv_run(&server.loop, UV_RUN_DEFAULT);
  mayfly_uv_listener_each(server.listener, close_one, NULL);
  mayfly_uv_listener_close(server.listener, NULL);
  uv_run(&server.loop, UV_RUN_DEFAULT);
  bench_need(uv_loop_close(&server.loop) == 0, "uv_loop_close");
}
