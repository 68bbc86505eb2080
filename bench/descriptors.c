/* SPDX-License-Identifier: MIT */
/* descriptors.c - what is done with descriptors of another origin, within one process: messages over a real pipe, and a
 * descriptor that is sent, received and closed. */
#include "bench.h"
#include "limit.h"
#include <mayfly/connection.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL = 64 };

/* ---- messages over a real pipe: one call to send, two to receive; the limit may die of SIGPIPE ---- */

static struct bench_cost limit_pipe(const void *argument, long count) {
  unsigned char bytes[LIMIT_HEADER + SMALL] = {0, 0, 0, SMALL};
  int fds[2];
  (void)argument;
  bench_need(pipe(fds) == 0, "pipe");
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    bench_need(write(fds[1], bytes, sizeof bytes) == sizeof bytes, "write");
    bench_need(read(fds[0], bytes, LIMIT_HEADER) == LIMIT_HEADER, "read");
    bench_need(read(fds[0], bytes + LIMIT_HEADER, SMALL) == SMALL, "read");
  }
  struct bench_cost cost = bench_stop(&start, count);
  close(fds[0]);
  close(fds[1]);
  return cost;
}

static struct bench_cost mayfly_over_pipe(const void *argument, long count) {
  static const unsigned char bytes[SMALL];
  mayfly_connection *ends[2];
  const void *data;
  size_t size;
  int fds[2];
  (void)argument;
  bench_need(pipe(fds) == 0, "pipe");
  for (int i = 0; i < 2; i++)
    bench_check(mayfly_connection_adopt(fds[i], i == 0, i == 1, &ends[i]), "mayfly_connection_adopt");
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_send_bytes(ends[1], bytes, SMALL), "mayfly_send_bytes");
    bench_check(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), "mayfly_recv_bytes");
  }
  struct bench_cost cost = bench_stop(&start, count);
  mayfly_connection_close(ends[0]);
  mayfly_connection_close(ends[1]);
  return cost;
}

/* ---- descriptors ---- */

union control {
  struct cmsghdr header; /* aligns the rest */
  char room[CMSG_SPACE(sizeof(int))];
};

static struct bench_cost limit_handle(const void *argument, long count) {
  union control control = {
      .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  char byte = 1;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control};
  int fds[2], fd = STDIN_FILENO;
  (void)argument;
  bench_need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    memcpy(CMSG_DATA(&control.header), &(int){STDIN_FILENO}, sizeof fd);
    message.msg_controllen = sizeof control;
    bench_need(sendmsg(fds[0], &message, MSG_NOSIGNAL) == 1, "sendmsg");
    bench_need(recvmsg(fds[1], &message, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    close(fd);
  }
  struct bench_cost cost = bench_stop(&start, count);
  close(fds[0]);
  close(fds[1]);
  return cost;
}

static struct bench_cost mayfly_handle(const void *argument, long count) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd;
  (void)argument;
  bench_check(mayfly_pipe(1, ends), "mayfly_pipe");
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_send_handle(ends[0], STDIN_FILENO), "mayfly_send_handle");
    bench_check(mayfly_recv_handle(ends[1], &fd), "mayfly_recv_handle");
    bench_check(mayfly_os_fd_close(fd), "mayfly_os_fd_close");
  }
  struct bench_cost cost = bench_stop(&start, count);
  mayfly_connection_close(ends[0]);
  mayfly_connection_close(ends[1]);
  return cost;
}

int main(void) {
  bench_head();
  bench_row("message of 64 B over a real pipe", 0, limit_pipe, mayfly_over_pipe, NULL);
  bench_row("descriptor sent, received, closed", 0, limit_handle, mayfly_handle, NULL);
  return 0;
}
