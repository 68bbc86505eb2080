/* SPDX-License-Identifier: MIT */
/* sleeper.c - calls that wait. */
#include "sleeper.h"

const char sleeper_large[SLEEPER_LARGE];

/* TCP gives each end megabytes where it can; of a pipe of Windows every byte that waits is copied by Wine. */
size_t sleeper_size(enum ends_kind kind) {
  return kind == ENDS_INET ? SLEEPER_LARGE : 1 << 20;
}

static int run_sleeper(void *context) {
  struct sleeper *sleeper = context;
  return sleeper->call(sleeper);
}

void sleeper_start(struct sleeper *sleeper) {
  background_start(&sleeper->background, run_sleeper, sleeper);
}

int sleeper_receive(struct sleeper *sleeper) {
  const void *data;
  size_t size;
  return mayfly_recv_bytes(sleeper->connection, SIZE_MAX, &data, &size);
}

int sleeper_send(struct sleeper *sleeper) {
  return mayfly_send_bytes(sleeper->connection, sleeper_large, sleeper->size);
}

int sleeper_accept(struct sleeper *sleeper) {
  mayfly_connection *connection;
  return mayfly_accept(sleeper->listener, MAYFLY_FOREVER, &connection);
}
