/* SPDX-License-Identifier: MIT */
/* idle_uv.c - the user-space memory of a connection on a loop that has received nothing, by mallinfo2(3): one more row
 * of the table that idle.c begins. */
#include "bench.h"
#include <malloc.h>
#include <mayfly/uv.h>
#include <stdio.h>
#include <sys/resource.h>

enum { COUNT = 4000, TARGET = 320 };

static mayfly_uv_listener *listener;
static size_t opened_so_far, before;

static size_t in_use(void) {
  return mallinfo2().uordblks;
}

/* libuv's own table of descriptors has grown by then, or grows within what is counted, as it does for everybody. */
static void count_opened(mayfly_uv_connection *connection) {
  (void)connection;
  if (++opened_so_far == 1)
    before = in_use();
  if (opened_so_far == COUNT)
    uv_stop(uv_default_loop());
}

static void ignore(mayfly_uv_connection *connection, const void *data, size_t size) {
  (void)connection;
  (void)data;
  (void)size;
}

/* With a key, so that what the handshake needed has been there and is gone again; until the listener is gone. */
static void connect_all(const mayfly_address *address, const mayfly_endpoint_options *options) {
  mayfly_connection *connection;
  for (int i = 0; i < COUNT; i++)
    bench_check(mayfly_connect(address, options, &connection), "mayfly_connect");
  while (mayfly_poll(connection, MAYFLY_FOREVER) == 0)
    continue;
  bench_end_peer();
}

static void allow_many_descriptors(void) {
  struct rlimit descriptors;
  bench_need(getrlimit(RLIMIT_NOFILE, &descriptors) == 0, "getrlimit");
  descriptors.rlim_cur = descriptors.rlim_max;
  bench_need(setrlimit(RLIMIT_NOFILE, &descriptors) == 0, "setrlimit");
}

static void close_one(mayfly_uv_connection *connection, void *context) {
  (void)context;
  mayfly_uv_connection_close(connection, 0);
}

int main(void) {
  const mayfly_uv_handlers handlers = {sizeof handlers, count_opened, ignore, NULL, NULL};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  uv_loop_t *loop = uv_default_loop();
  allow_many_descriptors();
  options.authkey = "key";
  options.authkey_size = 3;
  bench_check(mayfly_uv_listen(loop, NULL, &options, &handlers, NULL, &listener), "mayfly_uv_listen");
  pid_t peer = bench_fork();
  if (peer == 0)
    connect_all(mayfly_uv_listener_address(listener), &options);
  uv_run(loop, UV_RUN_DEFAULT);
  double each = (double)(in_use() - before) / (COUNT - 1);
  printf("| idle: accepted on a loop, with a key | %.0f B | %d B | %s |\n", each, TARGET,
         each <= TARGET ? "met" : "missed");
  mayfly_uv_listener_each(listener, close_one, NULL);
  mayfly_uv_listener_close(listener, NULL);
  uv_run(loop, UV_RUN_DEFAULT);
  bench_await_peer(peer);
  return 0;
}
