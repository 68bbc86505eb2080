/* SPDX-License-Identifier: MIT */
/* uv.c [TEXT] - connections on a libuv loop beside an epoll server, and others beside it: processor time of the server.
 * TEXT: only the rows in whose names it is. */
#include "served.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MEASURE(server, measure)                                                                                       \
  static struct bench_cost measure_##server(const void *work, long count) {                                            \
    return measure(served_##server, work, count);                                                                      \
  }
MEASURE(epoll, served_measure)
MEASURE(mayfly, served_measure)
MEASURE(by_hand, served_measure)

static const char *wanted = "";

static void compare(const char *name, double target, bench_run *run, const struct served *work) {
  if (strstr(name, wanted) != NULL)
    bench_row(name, target, measure_epoll, run, work);
}

static void rows_of_round_trips(void) {
  static const int clients[] = {1, 100, 1000, 10000};
  for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
    const struct served work = {SERVED_ECHO, clients[i], 64};
    char name[64];
    snprintf(name, sizeof name, "loop, round trip 64 B, %d connections", clients[i]);
    compare(name, clients[i] == 1 ? 0 : 1.08, measure_mayfly, &work);
    strcat(name, ": libuv by hand");
    compare(name, 0, measure_by_hand, &work);
  }
}

#ifdef WITH_OTHERS
MEASURE(nng, served_measure_apart)
MEASURE(zeromq, served_measure_apart)

/* No more than these: with a socket for each, their clients take too long to come in every turn. */
static void rows_of_others(void) {
  const struct served ten = {SERVED_ECHO, 10, 64}, hundred = {SERVED_ECHO, 100, 64}, thousand = {SERVED_ECHO, 1000, 64};
  compare("loop, round trip 64 B, 10 connections: nng", 0, measure_nng, &ten);
  compare("loop, round trip 64 B, 100 connections: ZeroMQ", 0, measure_zeromq, &hundred);
  compare("loop, round trip 64 B, 1000 connections: ZeroMQ", 0, measure_zeromq, &thousand);
}
#else
static void rows_of_others(void) {
  puts("| nng, ZeroMQ: not found when this was built | | | | | | | | | |");
}
#endif

static void row(const char *name, double target, struct served work) {
  compare(name, target, measure_mayfly, &work);
}

/* One descriptor a client, in both processes. */
static void raise_limit(void) {
  struct rlimit limit;
  bench_need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  bench_need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
}

int main(int argc, char **argv) {
  if (argc > 1)
    wanted = argv[1];
  raise_limit();
  signal(SIGPIPE, SIG_IGN); /* which libuv by hand raises */
  bench_head();
  rows_of_round_trips();
  rows_of_others();
  row("loop, stream of 64 B, received", 1.10, (struct served){SERVED_SINK, 1, 64});
  row("loop, stream of 64 B, sent (target 12 ns a message over)", 0, (struct served){SERVED_SOURCE, 1, 64});
  row("loop, echo of 1 MiB", 1.15, (struct served){SERVED_ECHO, 1, 1 << 20});
  row("loop, fan-in, 100 producers, 64 B", 1.10, (struct served){SERVED_FAN_IN, 101, 64});
  return 0;
}
