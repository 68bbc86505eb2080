/* SPDX-License-Identifier: MIT */
/* stream.c - messages one way. Streams go to another process, as fast as it takes them, and one message comes back when
 * all are there. What waits was sent in bursts, by the process that then receives it: nobody is woken for it. */
#include "bench.h"
#include "limit.h"
#include <mayfly/connection.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL = 64, LARGE = 1 << 20, BURST = 100 };

struct work { /* the limit makes one call a message, to send it and to receive it, unless it reads ahead too */
  size_t size;
  size_t readahead;
  int limit_ahead;
};

/* Of the limit's ends, and of mayfly's. */
static void limit_pair(int fds[2]) {
  bench_need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
}

static void mayfly_pair(mayfly_connection *ends[2], size_t readahead) {
  bench_check(mayfly_pipe(1, ends), "mayfly_pipe");
  bench_check(mayfly_connection_set_readahead(ends[1], readahead), "mayfly_connection_set_readahead");
}

static void mayfly_receive(mayfly_connection *connection, size_t expected) {
  const void *data;
  size_t size;
  bench_check(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), "mayfly_recv_bytes");
  bench_need(size == expected, "the size of the message");
}

/* ---- streams, the limit ---- */

static void limit_drain(int fd, const struct work *work, struct limit_ahead *ahead, long count) {
  for (long i = 0; i < count; i++) {
    size_t size = work->limit_ahead ? limit_receive_ahead(fd, ahead)
                                    : limit_receive(fd, ahead->buffer, LIMIT_HEADER + work->size);
    bench_need(size == work->size, "the size of the message");
  }
  limit_send(fd, "", 1);
}

static void limit_stream_to(int fd, const void *data, size_t size, long count) {
  unsigned char answer[LIMIT_HEADER + 1];
  for (long i = 0; i < count; i++)
    limit_send(fd, data, size);
  bench_need(limit_receive(fd, answer, sizeof answer) == 1, "limit_receive");
}

static void limit_peer(int fd, const struct work *work, long count) {
  struct limit_ahead ahead = {.capacity = LIMIT_HEADER + work->size + work->readahead};
  ahead.buffer = limit_memory(ahead.capacity);
  limit_drain(fd, work, &ahead, 1);
  limit_drain(fd, work, &ahead, count);
  bench_end_peer();
}

static struct bench_cost limit_stream(const void *argument, long count) {
  const struct work *work = argument;
  int fds[2];
  limit_pair(fds);
  void *data = limit_memory(work->size);
  pid_t peer = bench_fork();
  close(fds[peer == 0 ? 0 : 1]);
  if (peer == 0)
    limit_peer(fds[1], work, count);
  limit_stream_to(fds[0], data, work->size, 1);
  struct bench_clock start = bench_start(peer);
  limit_stream_to(fds[0], data, work->size, count);
  struct bench_cost cost = bench_stop(&start, count);
  close(fds[0]);
  bench_await_peer(peer);
  free(data);
  return cost;
}

/* ---- streams, mayfly ---- */

static void mayfly_drain(mayfly_connection *connection, size_t size, long count) {
  for (long i = 0; i < count; i++)
    mayfly_receive(connection, size);
  bench_check(mayfly_send_bytes(connection, "", 1), "mayfly_send_bytes");
}

static void mayfly_stream_to(mayfly_connection *connection, const void *data, size_t size, long count) {
  for (long i = 0; i < count; i++)
    bench_check(mayfly_send_bytes(connection, data, size), "mayfly_send_bytes");
  mayfly_receive(connection, 1);
}

static void mayfly_peer_of(mayfly_connection *connection, size_t size, long count) {
  mayfly_drain(connection, size, 1);
  mayfly_drain(connection, size, count);
  bench_end_peer();
}

static struct bench_cost mayfly_stream(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_connection *ends[2];
  mayfly_pair(ends, work->readahead);
  void *data = limit_memory(work->size);
  pid_t peer = bench_fork();
  mayfly_connection_close(ends[peer == 0 ? 0 : 1]);
  if (peer == 0)
    mayfly_peer_of(ends[1], work->size, count);
  mayfly_stream_to(ends[0], data, work->size, 1);
  struct bench_clock start = bench_start(peer);
  mayfly_stream_to(ends[0], data, work->size, count);
  struct bench_cost cost = bench_stop(&start, count);
  mayfly_connection_close(ends[0]);
  bench_await_peer(peer);
  free(data);
  return cost;
}

/* ---- what waits: `count` bursts ---- */

static struct bench_cost limit_bursts(const void *argument, long count) {
  const struct work *work = argument;
  int fds[2];
  limit_pair(fds);
  unsigned char *buffer = limit_memory(LIMIT_HEADER + work->size);
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count * BURST; i += BURST) {
    for (int j = 0; j < BURST; j++)
      limit_send(fds[0], buffer, work->size);
    for (int j = 0; j < BURST; j++)
      bench_need(limit_receive(fds[1], buffer, LIMIT_HEADER + work->size) == work->size, "limit_receive");
  }
  struct bench_cost cost = bench_stop(&start, count * BURST);
  close(fds[0]);
  close(fds[1]);
  free(buffer);
  return cost;
}

static struct bench_cost mayfly_bursts(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_connection *ends[2];
  mayfly_pair(ends, work->readahead);
  void *data = limit_memory(work->size);
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count * BURST; i += BURST) {
    for (int j = 0; j < BURST; j++)
      bench_check(mayfly_send_bytes(ends[0], data, work->size), "mayfly_send_bytes");
    for (int j = 0; j < BURST; j++)
      mayfly_receive(ends[1], work->size);
  }
  struct bench_cost cost = bench_stop(&start, count * BURST);
  mayfly_connection_close(ends[0]);
  mayfly_connection_close(ends[1]);
  free(data);
  return cost;
}

int main(void) {
  const struct work small = {SMALL, 1 << 16, 0}, small_both = {SMALL, 1 << 16, 1}, large = {LARGE, 0, 0};
  bench_head();
  bench_row("stream, 64 B, reading ahead", 0.75, limit_stream, mayfly_stream, &small);
  bench_row("stream, 64 B, reading ahead, as the limit does", 0, limit_stream, mayfly_stream, &small_both);
  bench_row("stream, 64 B that wait, reading ahead", 0.75, limit_bursts, mayfly_bursts, &small);
  bench_row("stream, 1 MiB", 1.05, limit_stream, mayfly_stream, &large);
  return 0;
}
