/* SPDX-License-Identifier: MIT */
/* node.h - Node for Windows, that is libuv's own pipes, running tests/interop/node.js. */
#ifndef NODE_H
#define NODE_H

#include "../child.h"
#include "../test.h"
#include <mayfly/address.h>

enum { NODE_MESSAGES = 100 }; /* of 10 * i * i bytes, which it sends and wants back where it connects */

struct node {
  struct child child;
  char output[SCRATCH_PATH_SIZE]; /* where it says what was wrong */
};

/* `what`: "connect" or "listen". Skips the test where MAYFLY_TEST_NODE names none. */
void node_start(struct node *node, const char *what, const mayfly_address *address);
void node_expect_content(struct node *node); /* waits until it has ended, and was content */

#endif
