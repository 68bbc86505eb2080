/* SPDX-License-Identifier: MIT */
/* serve.h - what mayfly listen does with its clients, in each of the ways there are. */
#ifndef SERVE_H
#define SERVE_H

#include <mayfly/connection.h>

enum { SERVE_PATIENCE_MS = 5000 /* with a client that does not take its echo */ };

struct serving {
  const mayfly_address *address; /* NULL: one that nobody has */
  const mayfly_endpoint_options *options;
  int echo;
  char **command; /* run for each message, which is its input; its output is the reply. NULL: none */
};

/* Print the address, and serve until the standard output breaks, or a signal comes. */
int tool_serve_waiting(const struct serving *serving);
int tool_serve_on_loop(const struct serving *serving); /* serve_no_loop.c: there is no libuv */

int tool_print_address(const mayfly_address *address);
int tool_print_message(const void *data, size_t size);

#endif
