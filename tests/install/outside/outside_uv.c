/* SPDX-License-Identifier: MIT */
/* outside_uv.c - somebody else's program with a loop of its own: a message to itself and back. */
#include <mayfly/uv.h>
#include <stdio.h>
#include <string.h>

static mayfly_uv_listener *listener;
static int answered;

static void answer(mayfly_uv_connection *connection, const void *data, size_t size) {
  mayfly_uv_send(connection, data, size);
}

static void hear(mayfly_uv_connection *connection, const void *data, size_t size) {
  answered = size == 4 && memcmp(data, "ping", 4) == 0;
  mayfly_uv_connection_close(connection, 0);
  mayfly_uv_listener_close(listener, NULL);
}

int main(void) {
  mayfly_uv_handlers server = MAYFLY_UV_HANDLERS_INIT, client = MAYFLY_UV_HANDLERS_INIT;
  mayfly_uv_connection *connection;
  uv_loop_t *loop = uv_default_loop();
  server.message = answer;
  client.message = hear;
  if (mayfly_uv_listen(loop, NULL, NULL, &server, NULL, &listener) < 0 ||
      mayfly_uv_connect(loop, mayfly_uv_listener_address(listener), NULL, &client, NULL, &connection) < 0 ||
      mayfly_uv_send(connection, "ping", 4) < 0) {
    fprintf(stderr, "%s\n", mayfly_last_error());
    return 1;
  }
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0 && answered ? 0 : 1;
}
