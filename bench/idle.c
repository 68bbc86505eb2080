/* SPDX-License-Identifier: MIT */
/* idle.c - the user-space memory of a connection that has received nothing, by mallinfo2(3). */
#include "bench.h"
#include <malloc.h>
#include <mayfly/connection.h>
#include <stdio.h>

enum { COUNT = 400, TARGET = 384 };

static size_t in_use(void) {
  return mallinfo2().uordblks;
}

static void print(const char *what, size_t bytes, size_t connections) {
  double each = (double)bytes / (double)connections;
  printf("| idle: %s | %.0f B | %d B | %s |\n", what, each, TARGET, each <= TARGET ? "met" : "missed");
}

static void pipes(void) {
  static mayfly_connection *ends[COUNT][2];
  size_t before = in_use();
  for (int i = 0; i < COUNT; i++)
    bench_check(mayfly_pipe(1, ends[i]), "mayfly_pipe");
  print("an end of mayfly_pipe()", in_use() - before, (size_t)2 * COUNT);
  for (int i = 0; i < COUNT; i++) {
    mayfly_connection_close(ends[i][0]);
    mayfly_connection_close(ends[i][1]);
  }
}

/* With a key, so that what the handshake needed has been there and is gone again. */
static void connect_all(const mayfly_address *address, const mayfly_endpoint_options *options) {
  mayfly_connection *connection;
  for (int i = 0; i < COUNT; i++)
    bench_check(mayfly_connect(address, options, &connection), "mayfly_connect");
  while (mayfly_poll(connection, MAYFLY_FOREVER) == 0)
    continue;
  bench_end_peer();
}

static void accepted(void) {
  static mayfly_connection *connections[COUNT];
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.authkey = "key";
  options.authkey_size = 3;
  bench_check(mayfly_listen(NULL, &options, &listener), "mayfly_listen");
  pid_t peer = bench_fork();
  if (peer == 0)
    connect_all(mayfly_listener_address(listener), &options);
  bench_check(mayfly_accept(listener, MAYFLY_FOREVER, &connections[0]), "mayfly_accept");
  size_t before = in_use(); /* libcrypto has by now what it keeps */
  for (int i = 1; i < COUNT; i++)
    bench_check(mayfly_accept(listener, MAYFLY_FOREVER, &connections[i]), "mayfly_accept");
  print("accepted, with a key", in_use() - before, COUNT - 1);
  for (int i = 0; i < COUNT; i++)
    mayfly_connection_close(connections[i]);
  bench_await_peer(peer);
  mayfly_listener_close(listener);
}

int main(void) {
  puts("| work | bytes | target | |\n| --- | --- | --- | --- |");
  pipes();
  accepted();
  return 0;
}
