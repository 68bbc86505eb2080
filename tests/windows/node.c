/* SPDX-License-Identifier: MIT */
/* node.c - byte pipes with Node for Windows, that is with libuv's own, both ways. */
#include "pattern.h"
#include "program.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

enum { MESSAGES = 100 };

/* Its output goes into a file: under Wine it does not take a pipe. */
static void start_node(struct child *child, const char *what, const mayfly_address *address, const char *output) {
  char script[1024], count[8];
  const char *node = getenv("MAYFLY_TEST_NODE"), *source = getenv("MAYFLY_TEST_SOURCE");
  if (node == NULL) {
    print_message("skipped: MAYFLY_TEST_NODE names no Node for Windows\n");
    skip();
  }
  snprintf(script, sizeof script, "%s\\windows\\node.js", source == NULL ? "." : source);
  snprintf(count, sizeof count, "%d", MESSAGES);
  program_start_into(child, (const char *[]){node, script, what, address->name, count, NULL}, output);
}

static void expect_that_node_is_content(struct child *child, const char *output) {
  char text[1024] = "";
  int code = child_wait(child);
  FILE *file = fopen(output, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  assert_int_equal(remove(output), 0);
  if (code != 0)
    fail_msg("Node ended with %d and said: %s", code, text);
}

static void nodes_messages_come_back_from_our_listener(void **state) {
  char output[SCRATCH_PATH_SIZE];
  struct child node;
  mayfly_listener *listener;
  mayfly_connection *connection;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  const void *data;
  size_t size;
  scratch_path(output, *state, "node.txt");
  options.flags = MAYFLY_ENDPOINT_PIPE_BYTES;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  start_node(&node, "connect", mayfly_listener_address(listener), output);
  assert_ok(mayfly_accept(listener, 60000, &connection));
  for (int i = 0; i < MESSAGES; i++) {
    assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size));
    assert_int_equal(size, i * i * 10);
    assert_ok(mayfly_send_bytes(connection, data, size));
  }
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  expect_that_node_is_content(&node, output);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* It says nothing when it listens, so the client asks until the name is there. */
static void connect_in_time(const mayfly_address *address, mayfly_connection **connection) {
  DWORD begun = GetTickCount();
  int result;
  while ((result = mayfly_connect(address, NULL, connection)) == MAYFLY_ENOENT && GetTickCount() - begun < 60000)
    Sleep(10);
  assert_ok(result);
}

static void our_messages_come_back_from_nodes_listener(void **state) {
  static const size_t sizes[] = {0, 1, 128, 8192, 8193, 65536, 1 << 20, 0, 5};
  static unsigned char message[1 << 20];
  char output[SCRATCH_PATH_SIZE];
  struct child node;
  mayfly_address address;
  mayfly_connection *connection;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  scratch_path(output, *state, "node.txt");
  start_node(&node, "listen", &address, output);
  connect_in_time(&address, &connection);
  pattern_fill(message, sizeof message);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    const void *data;
    size_t size;
    assert_ok(mayfly_send_bytes(connection, message, sizes[i]));
    assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size));
    assert_int_equal(size, sizes[i]);
    assert_true(pattern_is(data, size));
  }
  assert_ok(mayfly_connection_close(connection));
  expect_that_node_is_content(&node, output);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(nodes_messages_come_back_from_our_listener),
      test_in_scratch(our_messages_come_back_from_nodes_listener),
  };
  return cmocka_run_group_tests_name("windows.node", tests, NULL, NULL);
}
