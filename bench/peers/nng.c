/* SPDX-License-Identifier: MIT */
/* nng.c - round trips between two sockets of nng's pair protocol. An empty message ends them. */
#include "answer.h"
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void need(int result, const char *what) {
  if (result != 0)
    fprintf(stderr, "%s: %s\n", what, nng_strerror(result));
  bench_need(result == 0, what);
}

static nng_socket open_socket(void) {
  nng_socket socket;
  need(nng_pair0_open(&socket), "nng_pair0_open");
  need(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 0), "no limit to a message");
  return socket;
}

static void echo(const char *url) {
  nng_socket socket = open_socket();
  nng_msg *message;
  need(nng_dial(socket, url, NULL, NNG_FLAG_NONBLOCK), "nng_dial"); /* tries until somebody listens */
  while (nng_recvmsg(socket, &message, 0) == 0 && nng_msg_len(message) > 0)
    need(nng_sendmsg(socket, message, 0), "nng_sendmsg");
  bench_end_peer();
}

/* The message that comes back is the next to go. */
static nng_msg *trips(nng_socket socket, nng_msg *message, long count) {
  for (long i = 0; i < count; i++) {
    need(nng_sendmsg(socket, message, 0), "nng_sendmsg");
    need(nng_recvmsg(socket, &message, 0), "nng_recvmsg");
  }
  return message;
}

static struct bench_cost round_trip(const void *size, long count) {
  nng_msg *message;
  char url[64];
  snprintf(url, sizeof url, "ipc:///tmp/mayfly-bench-nng-%ld", (long)getpid());
  pid_t peer = bench_fork(); /* before nng has threads */
  if (peer == 0)
    echo(url);
  nng_socket socket = open_socket();
  need(nng_listen(socket, url, NULL, 0), "nng_listen");
  need(nng_msg_alloc(&message, strtoul(size, NULL, 10)), "nng_msg_alloc");
  message = trips(socket, message, ANSWER_WARM_UP);
  struct bench_clock start = bench_start(peer);
  message = trips(socket, message, count);
  struct bench_cost cost = bench_stop(&start, count);
  nng_msg_clear(message);
  need(nng_sendmsg(socket, message, 0), "nng_sendmsg");
  bench_await_peer(peer);
  nng_close(socket);
  return cost;
}

const struct answer answers[] = {{"round_trip", round_trip}, {NULL, NULL}};
