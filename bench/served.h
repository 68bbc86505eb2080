/* SPDX-License-Identifier: MIT */
/* served.h - one process that serves many connections, and the crowd of clients in another that keeps it busy.
 *
 * What is measured is the server alone, once all are connected and it is warm, until it has handled so many messages.
 */
#ifndef SERVED_H
#define SERVED_H

#include "bench.h"
#include <stddef.h>

enum served_mode {
  SERVED_ECHO,   /* each client has one message under way, which comes back */
  SERVED_SINK,   /* the one client sends as fast as it can */
  SERVED_SOURCE, /* the one client reads as fast as it can */
  SERVED_FAN_IN  /* the first client reads what all others send */
};

struct served {
  enum served_mode mode;
  int clients;
  size_t size; /* of a message, without its header */
};

enum { SERVED_HEADER = 4, SERVED_READ = 1 << 16 };

/* A server tells when `clients` have come, and then after each message it has handled (or several): nonzero, and it is
 * to stop serving. */
struct served_run {
  const struct served *work;
  long count, handled; /* negative: it is not warm yet */
  char path[100];
  pid_t crowd;
  int go; /* written when all have come */
  struct bench_clock clock;
  struct bench_cost cost;
};
void served_all_have_come(struct served_run *run);
int served_handled(struct served_run *run, long more);

/* A server: listens on run->path, calls served_listening(), serves, closes everything. */
typedef void served_server(struct served_run *run);
void served_listening(struct served_run *run); /* the crowd may come */
struct bench_cost served_measure(served_server *server, const void *work, long count);
/* In a process of its own, for who can't be forked once it has begun. */
struct bench_cost served_measure_apart(served_server *server, const void *work, long count);

/* The crowd of other protocols than ours: in the forked process, until it is done. NULL: plain frames. */
extern void (*served_crowd)(const struct served_run *run, int go);

extern const unsigned char served_message[]; /* of the largest size, behind a header's room */
void served_put_header(unsigned char *at, size_t size);
size_t served_get_header(const unsigned char *at);

served_server served_epoll, served_mayfly, served_by_hand;
served_server served_nng, served_zeromq; /* where they were found */

#endif
