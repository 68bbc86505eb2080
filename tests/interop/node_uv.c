/* SPDX-License-Identifier: MIT */
/* node_uv.c - Node, whose sockets are libuv's own, against connections on a loop: frames by hand (node.js), both ways.
 */
#include "child.h"
#include "loop.h"
#include "pattern.h"
#include "result.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGES = 100 };

static void start_node(struct child *child, const char *what, const mayfly_address *address) {
  const char *source = getenv("MAYFLY_TEST_SOURCE");
  char script[1024], count[8];
  int parent;
  snprintf(script, sizeof script, "%s/interop/node.js", source == NULL ? "." : source);
  snprintf(count, sizeof count, "%d", MESSAGES);
  if (child_fork(child, &parent) != 0)
    return;
  dup2(parent, STDOUT_FILENO);
  execlp("node", "node", script, what, address->name, count, (char *)NULL);
  perror("node");
  _exit(127);
}

static int has_node(void) {
  if (system("node --version >/dev/null 2>&1") == 0) /* NOLINT(cert-env33-c): a fixed command */
    return 1;
  print_message("skipped: there is no node\n");
  return 0;
}

static void node_gets_back_what_it_sends(void **state) {
  struct loop *loop = *state;
  struct child node;
  if (!has_node())
    skip();
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  start_node(&node, "connect", loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  child_expect_exit(&node, 0);
  assert_int_equal(loop->accepted->messages, MESSAGES);
}

static unsigned char pattern[1 << 20];
static const size_t sizes[] = {0, 1, 65536, 1 << 20, 5};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void send_next(struct end *end) {
  if (end->messages < SIZES)
    assert_in_range(mayfly_uv_send(end->connection, pattern, sizes[end->messages]), 0, 1);
}

static void compare_and_send_next(struct end *end, const void *data, size_t size) {
  assert_int_equal(size, sizes[end->messages - 1]);
  assert_true(pattern_is(data, size));
  send_next(end);
}

static void node_sends_everything_back(void **state) {
  struct loop *loop = *state;
  struct child node;
  mayfly_address address;
  if (!has_node())
    skip();
  pattern_fill(pattern, sizeof pattern);
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  start_node(&node, "listen", &address);
  assert_int_equal(child_hear(node.fd), 'l'); /* istening */
  struct end *client = loop_connect_to(loop, &address, NULL);
  client->on_opened = send_next;
  client->on_message = compare_and_send_next;
  loop_run_until(loop, client->messages == SIZES);
  loop_close(client, 0);
  loop_run_until(loop, client->closed);
  child_expect_exit(&node, 0);
  unlink(address.name);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(node_gets_back_what_it_sends),
      test_on_loop(node_sends_everything_back),
  };
  return loop_run_tests(tests);
}
