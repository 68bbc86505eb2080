/* SPDX-License-Identifier: MIT */
/* round_trip.c - a message to another process and back, by default and reading ahead. Peers stand beside the default.
 */
#include "limit.h"
#include "peers.h"
#include <mayfly/connection.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WARM_UP = 20, ROOM = 4096 /* what reading ahead has beyond one message */ };

struct work {
  size_t size;
  int ahead;
};

static size_t readahead(const struct work *work) {
  return work->ahead ? work->size + ROOM : 0;
}

/* ---- the limit ---- */

struct limit_end {
  int fd;
  size_t first;
  unsigned char *buffer;
};

static struct limit_end limit_end(int fd, const struct work *work) {
  size_t capacity = LIMIT_HEADER + work->size + ROOM;
  return (struct limit_end){fd, work->ahead ? capacity : LIMIT_HEADER, limit_memory(capacity)};
}

static void limit_echo(const struct limit_end *end) {
  size_t size;
  while ((size = limit_receive(end->fd, end->buffer, end->first)) > 0)
    limit_send(end->fd, end->buffer + LIMIT_HEADER, size);
  bench_end_peer();
}

static void limit_trips(const struct limit_end *end, const void *data, size_t size, long count) {
  for (long i = 0; i < count; i++) {
    limit_send(end->fd, data, size);
    bench_need(limit_receive(end->fd, end->buffer, end->first) == size, "limit_receive");
  }
}

static struct bench_cost limit(const void *argument, long count) {
  const struct work *work = argument;
  int fds[2];
  bench_need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
  struct limit_end ends[2] = {limit_end(fds[0], work), limit_end(fds[1], work)};
  void *data = limit_memory(work->size);
  pid_t peer = bench_fork();
  close(fds[peer == 0 ? 0 : 1]);
  if (peer == 0)
    limit_echo(&ends[1]);
  limit_trips(&ends[0], data, work->size, WARM_UP);
  struct bench_clock start = bench_start(peer);
  limit_trips(&ends[0], data, work->size, count);
  struct bench_cost cost = bench_stop(&start, count);
  close(fds[0]);
  bench_await_peer(peer);
  free(data);
  free(ends[0].buffer);
  free(ends[1].buffer);
  return cost;
}

/* ---- mayfly ---- */

static void mayfly_echo(mayfly_connection *connection) {
  const void *data;
  size_t size;
  int result;
  while ((result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size)) == 0)
    bench_check(mayfly_send_bytes(connection, data, size), "mayfly_send_bytes");
  bench_check(result == MAYFLY_EOF ? 0 : result, "mayfly_recv_bytes");
  bench_end_peer();
}

static void mayfly_trips(mayfly_connection *connection, const void *data, size_t size, long count) {
  const void *echo;
  size_t echo_size;
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_send_bytes(connection, data, size), "mayfly_send_bytes");
    bench_check(mayfly_recv_bytes(connection, SIZE_MAX, &echo, &echo_size), "mayfly_recv_bytes");
    bench_need(echo_size == size, "the size of the echo");
  }
}

static struct bench_cost mayfly(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_connection *ends[2];
  bench_check(mayfly_pipe(1, ends), "mayfly_pipe");
  for (int i = 0; i < 2; i++)
    bench_check(mayfly_connection_set_readahead(ends[i], readahead(work)), "mayfly_connection_set_readahead");
  void *data = limit_memory(work->size);
  pid_t peer = bench_fork();
  mayfly_connection_close(ends[peer == 0 ? 0 : 1]);
  if (peer == 0)
    mayfly_echo(ends[1]);
  mayfly_trips(ends[0], data, work->size, WARM_UP);
  struct bench_clock start = bench_start(peer);
  mayfly_trips(ends[0], data, work->size, count);
  struct bench_cost cost = bench_stop(&start, count);
  mayfly_connection_close(ends[0]);
  bench_await_peer(peer);
  free(data);
  return cost;
}

static void peers(const char *name, const struct work *work) {
  char question[32];
  snprintf(question, sizeof question, "round_trip %zu", work->size);
  peers_rows(name, limit, work, question, NULL);
}

int main(void) {
  static const struct {
    const char *name;
    size_t size;
  } messages[] = {{"16 B", 16}, {"1 KiB", 1 << 10}, {"64 KiB", 1 << 16}, {"1 MiB", 1 << 20}};
  bench_head();
  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
    for (int ahead = 0; ahead < 2; ahead++) {
      const struct work work = {messages[i].size, ahead};
      char name[64];
      snprintf(name, sizeof name, "round trip, %s%s", messages[i].name, ahead ? ", reading ahead" : "");
      bench_row(name, 1.03, limit, mayfly, &work);
      if (!ahead)
        peers(name, &work);
    }
  return 0;
}
