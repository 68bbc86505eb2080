/* SPDX-License-Identifier: MIT */
/* served.c - the crowd of clients, and the measuring of who serves it. */
#include "served.h"
#include "limit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LARGEST = 1 << 20, EVENTS = 256, WARM = 50, WARM_EACH = 3 /* messages that are not counted */ };

const unsigned char served_message[SERVED_HEADER + LARGEST];
void (*served_crowd)(const struct served_run *run, int go);

void served_put_header(unsigned char *at, size_t size) {
  uint32_t header = htonl((uint32_t)size);
  memcpy(at, &header, SERVED_HEADER);
}

size_t served_get_header(const unsigned char *at) {
  uint32_t header;
  memcpy(&header, at, SERVED_HEADER);
  return ntohl(header);
}

/* ---- the clients ---- */

static int connect_one(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  bench_need(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
  return fd;
}

static void send_all(int fd, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0)
      bench_end_peer(); /* the server has had enough */
    bytes += sent;
    size -= (size_t)sent;
  }
}

/* Until the server leaves. */
static void read_on(int fd) {
  unsigned char *buffer = limit_memory(LARGEST);
  while (recv(fd, buffer, LARGEST, 0) > 0)
    continue;
  bench_end_peer();
}

static unsigned char *framed(size_t size, size_t copies) {
  unsigned char *bytes = limit_memory((SERVED_HEADER + size) * copies);
  for (size_t i = 0; i < copies; i++)
    served_put_header(bytes + i * (SERVED_HEADER + size), size);
  return bytes;
}

/* One message a client is under way at any time. */
static void play_echo(const int *fds, const struct served *work) {
  struct epoll_event events[EVENTS];
  size_t whole = SERVED_HEADER + work->size;
  unsigned char *bytes = framed(work->size, 1), *back = limit_memory(whole);
  size_t *missing = limit_memory((size_t)work->clients * sizeof *missing);
  int polling = epoll_create1(0);
  for (int i = 0; i < work->clients; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    epoll_ctl(polling, EPOLL_CTL_ADD, fds[i], &event);
    missing[i] = whole;
    send_all(fds[i], bytes, whole);
  }
  for (;;) {
    int count = epoll_wait(polling, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      uint32_t who = events[i].data.u32;
      ssize_t got = recv(fds[who], back, missing[who], 0);
      if (got <= 0)
        bench_end_peer();
      missing[who] -= (size_t)got;
      if (missing[who] > 0)
        continue;
      missing[who] = whole;
      send_all(fds[who], bytes, whole);
    }
  }
}

static void flood(int fd, const struct served *work) {
  size_t copies = work->size < 4096 ? SERVED_READ / (SERVED_HEADER + work->size) : 1;
  unsigned char *bytes = framed(work->size, copies);
  for (;;)
    send_all(fd, bytes, copies * (SERVED_HEADER + work->size));
}

/* Each producer sends one message in turn, so that the server reads one message a client. */
static void produce(const int *fds, const struct served *work) {
  if (fork() == 0)
    read_on(fds[0]);
  unsigned char *bytes = framed(work->size, 1);
  for (;;)
    for (int i = 1; i < work->clients; i++)
      send_all(fds[i], bytes, SERVED_HEADER + work->size);
}

static void play(const struct served_run *run, int go) {
  const struct served *work = run->work;
  int *fds = limit_memory((size_t)work->clients * sizeof *fds);
  char byte;
  for (int i = 0; i < work->clients; i++)
    fds[i] = connect_one(run->path);
  bench_need(read(go, &byte, 1) == 1, "the server's go");
  if (work->mode == SERVED_ECHO)
    play_echo(fds, work);
  else if (work->mode == SERVED_SINK)
    flood(fds[0], work);
  else if (work->mode == SERVED_SOURCE)
    read_on(fds[0]);
  else
    produce(fds, work);
}

/* ---- measuring ---- */

void served_listening(struct served_run *run) {
  int ends[2];
  bench_need(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  run->crowd = bench_fork();
  if (run->crowd == 0) {
    close(ends[1]);
    (served_crowd != NULL ? served_crowd : play)(run, ends[0]);
    bench_end_peer();
  }
  close(ends[0]);
  run->go = ends[1];
}

void served_all_have_come(struct served_run *run) {
  bench_need(write(run->go, "g", 1) == 1, "go");
  close(run->go);
}

int served_handled(struct served_run *run, long more) {
  long before = run->handled;
  run->handled += more;
  if (before < 0 && run->handled >= 0) {
    run->handled = 0;
    run->clock = bench_start(0);
  }
  if (run->handled < run->count)
    return 0;
  if (before < run->count)
    run->cost = bench_stop(&run->clock, run->handled);
  return 1;
}

struct bench_cost served_measure(served_server *server, const void *work, long count) {
  static int number;
  const struct served *served = work;
  struct served_run run = {.work = served, .count = count, .handled = -(WARM + WARM_EACH * (long)served->clients)};
  snprintf(run.path, sizeof run.path, "/tmp/mayfly-bench-%d-%d", (int)getpid(), number++);
  server(&run);
  unlink(run.path);
  bench_await_peer(run.crowd);
  return run.cost;
}

struct bench_cost served_measure_apart(served_server *server, const void *work, long count) {
  struct bench_cost cost;
  int ends[2];
  bench_need(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  pid_t apart = bench_fork();
  if (apart == 0) {
    cost = served_measure(server, work, count);
    bench_need(write(ends[1], &cost, sizeof cost) == sizeof cost, "write");
    bench_end_peer();
  }
  close(ends[1]);
  bench_need(read(ends[0], &cost, sizeof cost) == sizeof cost, "the cost");
  close(ends[0]);
  bench_await_peer(apart);
  return cost;
}
