/* SPDX-License-Identifier: MIT */
/* libuv.c - round trips as one writes them on libuv: uv_pipe_t, frames by hand, uv_try_write and then uv_write. */
#include "answer.h"
#include "limit.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

struct end {
  uv_loop_t loop;
  uv_pipe_t pipe;
  uv_write_t request; /* one is enough: a message is not sent before the last has come back */
  unsigned char *buffer;
  size_t capacity, have;
  long left; /* round trips; negative: the other end counts */
};

static void send_message(struct end *end, size_t whole) {
  uv_buf_t rest = uv_buf_init((char *)end->buffer, (unsigned)whole);
  int sent = uv_try_write((uv_stream_t *)&end->pipe, &rest, 1);
  size_t gone = sent > 0 ? (size_t)sent : 0;
  if (gone == whole)
    return;
  rest = uv_buf_init((char *)end->buffer + gone, (unsigned)(whole - gone));
  uv_write(&end->request, (uv_stream_t *)&end->pipe, &rest, 1, NULL);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
  const struct end *end = handle->data;
  (void)suggested;
  *room = uv_buf_init((char *)end->buffer + end->have, (unsigned)(end->capacity - end->have));
}

static size_t whole_size(const struct end *end) {
  uint32_t header;
  memcpy(&header, end->buffer, LIMIT_HEADER);
  return LIMIT_HEADER + ntohl(header);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room) {
  struct end *end = stream->data;
  (void)room;
  if (count < 0)
    uv_stop(&end->loop);
  if (count <= 0)
    return;
  end->have += (size_t)count;
  if (end->have < LIMIT_HEADER || end->have < whole_size(end))
    return;
  end->have = 0;
  if (--end->left == 0)
    uv_stop(&end->loop);
  else
    send_message(end, whole_size(end));
}

static struct end *open_end(int fd, size_t size) {
  struct end *end = limit_memory(sizeof *end);
  uint32_t header = htonl((uint32_t)size);
  end->capacity = LIMIT_HEADER + size;
  end->buffer = limit_memory(end->capacity);
  memcpy(end->buffer, &header, LIMIT_HEADER);
  bench_need(uv_loop_init(&end->loop) == 0 && uv_pipe_init(&end->loop, &end->pipe, 0) == 0 &&
                 uv_pipe_open(&end->pipe, fd) == 0,
             "uv_pipe_open");
  end->pipe.data = end;
  uv_read_start((uv_stream_t *)&end->pipe, on_room, on_read);
  return end;
}

static void trips(struct end *end, long count) {
  end->left = count;
  send_message(end, end->capacity);
  uv_run(&end->loop, UV_RUN_DEFAULT);
  bench_need(end->left == 0, "the echo");
}

static struct bench_cost round_trip(const void *argument, long count) {
  size_t size = strtoul(argument, NULL, 10);
  int fds[2];
  bench_need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
  pid_t peer = bench_fork();
  close(fds[peer == 0 ? 0 : 1]);
  struct end *end = open_end(fds[peer == 0 ? 1 : 0], size);
  if (peer == 0) {
    uv_run(&end->loop, UV_RUN_DEFAULT);
    bench_end_peer();
  }
  trips(end, ANSWER_WARM_UP);
  struct bench_clock start = bench_start(peer);
  trips(end, count);
  struct bench_cost cost = bench_stop(&start, count);
  close(fds[0]);
  bench_await_peer(peer);
  return cost;
}

const struct answer answers[] = {{"round_trip", round_trip}, {NULL, NULL}};
