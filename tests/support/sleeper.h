/* SPDX-License-Identifier: MIT */
/* sleeper.h - somebody who waits in a call of the library, in another thread. */
#ifndef SLEEPER_H
#define SLEEPER_H

#include "background.h"
#include "ends.h"

/* One of the two objects, and the call that waits for it. */
struct sleeper {
  struct background background;
  mayfly_connection *connection;
  mayfly_listener *listener;
  int (*call)(struct sleeper *sleeper);
  size_t size; /* of what is sent: more than the system takes */
};

enum { SLEEPER_LARGE = 64 << 20 };
extern const char sleeper_large[SLEEPER_LARGE];

/* More than the system keeps between two ends of that kind. */
size_t sleeper_size(enum ends_kind kind);
void sleeper_start(struct sleeper *sleeper);

int sleeper_receive(struct sleeper *sleeper);
int sleeper_send(struct sleeper *sleeper);
int sleeper_accept(struct sleeper *sleeper);

#endif
