/* SPDX-License-Identifier: MIT */
/* node.c - byte pipes with Node for Windows, that is with libuv's own, both ways. */
#include "node.h"
#include "pattern.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>

#include <windows.h>

static void nodes_messages_come_back_from_our_listener(void **state) {
  (void)state;
  struct node node;
  mayfly_listener *listener;
  mayfly_connection *connection;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  const void *data;
  size_t size;
  options.flags = MAYFLY_ENDPOINT_PIPE_BYTES;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  node_start(&node, "connect", mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, 60000, &connection));
  for (int i = 0; i < NODE_MESSAGES; i++) {
    assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size));
    assert_int_equal(size, i * i * 10);
    assert_ok(mayfly_send_bytes(connection, data, size));
  }
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  node_expect_content(&node);
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
  (void)state;
  static const size_t sizes[] = {0, 1, 128, 8192, 8193, 65536, 1 << 20, 0, 5};
  static unsigned char message[1 << 20];
  struct node node;
  mayfly_address address;
  mayfly_connection *connection;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  node_start(&node, "listen", &address);
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
  node_expect_content(&node);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(nodes_messages_come_back_from_our_listener),
      test(our_messages_come_back_from_nodes_listener),
  };
  return cmocka_run_group_tests_name("windows.node", tests, NULL, NULL);
}
