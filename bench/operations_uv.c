/* SPDX-License-Identifier: MIT */
/* operations_uv.c - operations of a server on a libuv loop, with a peer in another process that is a mere socket
 * once it is connected. */
#include "operations_uv.h"
#include "bench.h"
#include "limit.h"
#include <mayfly/uv.h>
#include <sys/socket.h>

enum { BURST = 100, WHOLE = LIMIT_HEADER + 1 /* a message of a byte */ };

static mayfly_uv_listener *listener;

static void send_back(mayfly_uv_connection *connection, const void *data, size_t size) {
  bench_check(mayfly_uv_send(connection, data, size), "mayfly_uv_send");
}

static void stop_listening(mayfly_uv_connection *connection, int status) {
  (void)connection;
  bench_check(status == MAYFLY_EOF ? 0 : status, "the connection");
  mayfly_uv_listener_close(listener, NULL);
}

/* Sends so many messages at once, and waits for all of them. */
static void play(const mayfly_address *address, size_t messages, long count) {
  static const unsigned char message[WHOLE] = {0, 0, 0, 1, 'x'};
  unsigned char bytes[BURST * WHOLE];
  mayfly_connection *connection;
  mayfly_os_fd fd;
  bench_check(mayfly_connect(address, NULL, &connection), "mayfly_connect");
  bench_check(mayfly_connection_os_fd(connection, &fd), "mayfly_connection_os_fd");
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = message[i % WHOLE];
  for (long i = 0; i < count; i++) {
    bench_need(send((int)fd, bytes, messages * WHOLE, MSG_NOSIGNAL) == (ssize_t)(messages * WHOLE), "send");
    bench_need(recv((int)fd, bytes, messages * WHOLE, MSG_WAITALL) == (ssize_t)(messages * WHOLE), "recv");
  }
  mayfly_connection_close(connection);
}

static void serve(size_t messages, long count) {
  const mayfly_uv_handlers handlers = {sizeof handlers, NULL, send_back, NULL, stop_listening};
  uv_loop_t *loop = uv_default_loop();
  bench_check(mayfly_uv_listen(loop, NULL, NULL, &handlers, NULL, &listener), "mayfly_uv_listen");
  pid_t peer = bench_fork();
  if (peer == 0) {
    play(mayfly_uv_listener_address(listener), messages, count);
    bench_end_peer();
  }
  bench_need(uv_run(loop, UV_RUN_DEFAULT) == 0, "uv_run");
  bench_await_peer(peer);
}

void loop_message(long count) {
  serve(1, count);
}

void loop_burst(long count) {
  serve(BURST, count);
}
