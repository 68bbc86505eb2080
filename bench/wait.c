/* SPDX-License-Identifier: MIT */
/* wait.c - mayfly_wait() on many connections of which one is ready, beside poll(2) on an array that stands. */
#include "limit.h"
#include "peers.h"
#include <mayfly/connection.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { MOST = 10000 };

static mayfly_connection *ends[MOST / 2][2];

struct work {
  size_t items;
};

static mayfly_connection *item(size_t i) {
  return ends[i / 2][i % 2];
}

static struct bench_cost limit(const void *argument, long count) {
  const struct work *work = argument;
  struct pollfd *polled = limit_memory(work->items * sizeof *polled);
  for (size_t i = 0; i < work->items; i++) {
    mayfly_os_fd fd;
    bench_check(mayfly_connection_os_fd(item(i), &fd), "mayfly_connection_os_fd");
    polled[i] = (struct pollfd){.fd = (int)fd, .events = POLLIN};
  }
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++)
    bench_need(poll(polled, (nfds_t)work->items, -1) == 1, "poll");
  struct bench_cost cost = bench_stop(&start, count);
  free(polled);
  return cost;
}

static struct bench_cost mayfly(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_wait_item *items = limit_memory(work->items * sizeof *items);
  for (size_t i = 0; i < work->items; i++)
    items[i].connection = item(i);
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++)
    bench_need(mayfly_wait(items, work->items, MAYFLY_FOREVER) == 1, "mayfly_wait");
  struct bench_cost cost = bench_stop(&start, count);
  free(items);
  return cost;
}

static void open_all(void) {
  const struct rlimit descriptors = {MOST + 100, MOST + 100};
  bench_need(setrlimit(RLIMIT_NOFILE, &descriptors) == 0, "setrlimit");
  for (int i = 0; i < MOST / 2; i++)
    bench_check(mayfly_pipe(1, ends[i]), "mayfly_pipe");
}

int main(void) {
  open_all();
  bench_check(mayfly_send_bytes(ends[0][1], "", 1), "mayfly_send_bytes");
  bench_head();
  for (size_t items = 1; items <= MOST; items *= items == 1 ? 100 : 10) {
    const struct work work = {items};
    char name[64], question[32];
    snprintf(name, sizeof name, "wait on %zu", items);
    snprintf(question, sizeof question, "wait %zu", items);
    bench_row(name, 0, limit, mayfly, &work);
    peers_rows(name, limit, &work, question, NULL);
  }
  return 0;
}
