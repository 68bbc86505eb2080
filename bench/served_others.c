/* SPDX-License-Identifier: MIT */
/* served_others.c - the server on nng and on ZeroMQ, with clients of their own in the crowd. SERVED_ECHO only. */
#include "limit.h"
#include "served.h"
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

enum { PATIENCE_MS = 300 /* with a server that has had enough */ };

static void await_go(int go) {
  char byte;
  bench_need(read(go, &byte, 1) == 1, "the server's go");
}

/* ---- nng: requests of one message each, answered in the order in which they come ---- */

static void url_of(const struct served_run *run, char url[128]) {
  snprintf(url, 128, "ipc://%s", run->path);
}

/* One thread asks and hears for all clients in turn: sends to each, then hears each. */
static void crowd_of_nng(const struct served_run *run, int go) {
  const struct served *work = run->work;
  nng_socket *sockets = limit_memory((size_t)work->clients * sizeof *sockets);
  char url[128];
  url_of(run, url);
  for (int i = 0; i < work->clients; i++)
    bench_need(nng_req0_open(&sockets[i]) == 0 && nng_dial(sockets[i], url, NULL, NNG_FLAG_NONBLOCK) == 0, "nng_dial");
  await_go(go);
  for (;;) {
    for (int i = 0; i < work->clients; i++)
      if (nng_send(sockets[i], (void *)served_message, work->size, 0) != 0)
        bench_end_peer();
    for (int i = 0; i < work->clients; i++) {
      char back[4096];
      size_t size = sizeof back;
      nng_setopt_ms(sockets[i], NNG_OPT_RECVTIMEO, PATIENCE_MS);
      if (nng_recv(sockets[i], back, &size, 0) != 0)
        bench_end_peer(); /* the server has had enough */
    }
  }
}

void served_nng(struct served_run *run) {
  nng_socket socket;
  char url[128];
  url_of(run, url);
  served_crowd = crowd_of_nng;
  served_listening(run); /* before nng has threads; its clients try until somebody listens */
  bench_need(nng_rep0_open(&socket) == 0 && nng_listen(socket, url, NULL, 0) == 0, "nng_listen");
  served_all_have_come(run);
  nng_msg *message;
  do {
    bench_need(nng_recvmsg(socket, &message, 0) == 0, "nng_recvmsg");
    bench_need(nng_sendmsg(socket, message, 0) == 0, "nng_sendmsg");
  } while (!served_handled(run, 1));
  nng_close(socket);
  served_crowd = NULL;
}

/* ---- ZeroMQ: a router and dealers ---- */

static void crowd_of_zeromq(const struct served_run *run, int go) {
  const struct served *work = run->work;
  void *context = zmq_ctx_new();
  void **sockets = limit_memory((size_t)work->clients * sizeof *sockets);
  int patience = PATIENCE_MS;
  char url[128];
  url_of(run, url);
  for (int i = 0; i < work->clients; i++) {
    sockets[i] = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(sockets[i], ZMQ_RCVTIMEO, &patience, sizeof patience);
    bench_need(zmq_connect(sockets[i], url) == 0, "zmq_connect");
  }
  await_go(go);
  for (;;) {
    char back[4096];
    for (int i = 0; i < work->clients; i++)
      zmq_send(sockets[i], served_message, work->size, 0);
    for (int i = 0; i < work->clients; i++)
      if (zmq_recv(sockets[i], back, sizeof back, 0) < 0)
        bench_end_peer();
  }
}

void served_zeromq(struct served_run *run) {
  char url[128], who[256], data[4096];
  url_of(run, url);
  served_crowd = crowd_of_zeromq;
  served_listening(run); /* before ZeroMQ has threads */
  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_ROUTER);
  int none = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
  bench_need(zmq_bind(socket, url) == 0, "zmq_bind");
  served_all_have_come(run);
  do {
    int who_size = zmq_recv(socket, who, sizeof who, 0);
    int size = zmq_recv(socket, data, sizeof data, 0);
    bench_need(who_size > 0 && size >= 0, "zmq_recv");
    zmq_send(socket, who, (size_t)who_size, ZMQ_SNDMORE);
    zmq_send(socket, data, (size_t)size, 0);
  } while (!served_handled(run, 1));
  zmq_close(socket);
  zmq_ctx_term(context);
  served_crowd = NULL;
}
