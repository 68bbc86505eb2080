/* SPDX-License-Identifier: MIT */
/* zeromq.c - round trips between two of ZeroMQ's pair sockets. An empty message ends them. */
#include "answer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

static void *open_socket(void *context) {
  void *socket = zmq_socket(context, ZMQ_PAIR);
  bench_need(socket != NULL, "zmq_socket");
  return socket;
}

static void receive(void *socket, zmq_msg_t *message) {
  bench_need(zmq_msg_recv(message, socket, 0) >= 0, "zmq_msg_recv");
}

static void send_on(void *socket, zmq_msg_t *message) {
  bench_need(zmq_msg_send(message, socket, 0) >= 0, "zmq_msg_send");
}

static void echo(const char *url) {
  void *socket = open_socket(zmq_ctx_new());
  zmq_msg_t message;
  zmq_msg_init(&message);
  bench_need(zmq_connect(socket, url) == 0, "zmq_connect"); /* tries until somebody listens */
  for (receive(socket, &message); zmq_msg_size(&message) > 0; receive(socket, &message))
    send_on(socket, &message);
  bench_end_peer();
}

/* The message that comes back is the next to go. */
static void trips(void *socket, zmq_msg_t *message, long count) {
  for (long i = 0; i < count; i++) {
    send_on(socket, message);
    receive(socket, message);
  }
}

static struct bench_cost round_trip(const void *size, long count) {
  zmq_msg_t message, end;
  char url[64];
  snprintf(url, sizeof url, "ipc:///tmp/mayfly-bench-zeromq-%ld", (long)getpid());
  pid_t peer = bench_fork(); /* before ZeroMQ has threads */
  if (peer == 0)
    echo(url);
  void *context = zmq_ctx_new(), *socket = open_socket(context);
  bench_need(zmq_bind(socket, url) == 0, "zmq_bind");
  bench_need(zmq_msg_init_size(&message, strtoul(size, NULL, 10)) == 0, "zmq_msg_init_size");
  trips(socket, &message, ANSWER_WARM_UP);
  struct bench_clock start = bench_start(peer);
  trips(socket, &message, count);
  struct bench_cost cost = bench_stop(&start, count);
  zmq_msg_init(&end);
  send_on(socket, &end);
  bench_await_peer(peer);
  zmq_close(socket);
  zmq_ctx_term(context);
  unlink(url + strlen("ipc://"));
  return cost;
}

const struct answer answers[] = {{"round_trip", round_trip}, {NULL, NULL}};
