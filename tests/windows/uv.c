/* SPDX-License-Identifier: MIT */
/* uv.c - connections on a libuv loop, over byte pipes and AF_INET: with each other, with blocking ones, with Node and
 * with Python, both ways; and what of Windows can't be on a loop. */
#include "background.h"
#include "loop.h"
#include "meeting.h"
#include "node.h"
#include "pattern.h"
#include "result.h"
#include <stdlib.h>
#include <string.h>

static const mayfly_family families[] = {MAYFLY_AF_PIPE, MAYFLY_AF_INET};
enum { FAMILIES = 2 };

static mayfly_endpoint_options keyed(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = meeting_key;
  options.authkey_size = sizeof meeting_key;
  return options;
}

static void close_listener(struct loop *loop) {
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
}

/* ---- among ourselves ---- */

/* Around the pipe's buffer, the frame's header, and what libuv reads at once. */
static const size_t sizes[] = {0, 1, 3, 8187, 8188, 8192, 8193, 65531, 65532, 65536, 65537, 200000, 3000000, 0, 5};
enum { SIZES = sizeof sizes / sizeof sizes[0], LARGEST = 3000000 };

static unsigned char pattern[LARGEST];

static int want_all_back(void *context) {
  const mayfly_address *address = context;
  mayfly_connection *connection;
  int result = mayfly_connect(address, NULL, &connection);
  for (int i = 0; result == 0 && i < SIZES; i++) {
    const void *data;
    size_t size;
    result = mayfly_send_bytes(connection, pattern, sizes[i]);
    if (result == 0)
      result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
    if (result == 0 && (size != sizes[i] || !pattern_is(data, size)))
      result = MAYFLY_EPROTO;
  }
  return result < 0 ? result : mayfly_connection_close(connection);
}

static void a_blocking_client_gets_back_what_it_sends(void **state) {
  struct loop *loop = *state;
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  pattern_fill(pattern, sizeof pattern);
  for (int i = 0; i < FAMILIES; i++) {
    struct background client;
    loop_listen(loop, families[i], NULL);
    loop->accepted = NULL;
    background_start(&client, want_all_back, (void *)loop_address(loop));
    loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
    background_expect_ok(&client);
    assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
    assert_int_equal(loop->accepted->messages, SIZES);
    close_listener(loop);
  }
}

static void send_next(struct end *end) {
  if (end->messages < SIZES)
    assert_in_range(mayfly_uv_send(end->connection, pattern, sizes[end->messages]), 0, 1);
}

static void compare_and_send_next(struct end *end, const void *data, size_t size) {
  assert_int_equal(size, sizes[end->messages - 1]);
  assert_true(pattern_is(data, size));
  send_next(end);
}

/* To whoever listens there and sends everything back. */
static struct end *talk_to(struct loop *loop, const mayfly_address *address, const mayfly_endpoint_options *options) {
  pattern_fill(pattern, sizeof pattern);
  struct end *client = loop_connect_to(loop, address, options);
  client->on_opened = send_next;
  client->on_message = compare_and_send_next;
  loop_run_until(loop, client->messages == SIZES || client->closed);
  return client;
}

static void a_client_on_the_loop_gets_back_what_it_sends(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed();
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  for (int i = 0; i < 2 * FAMILIES; i++) {
    const mayfly_endpoint_options *taken = i % 2 == 0 ? NULL : &options;
    loop_listen(loop, families[i / 2], taken);
    struct end *client = talk_to(loop, loop_address(loop), taken);
    assert_int_equal(client->messages, SIZES);
    loop_close(client, 0);
    loop_run_until(loop, client->closed && loop->accepted->closed);
    close_listener(loop);
  }
}

/* More than a pipe has instances: who finds none tries again. */
static void many_clients_of_one_loop_get_through(void **state) {
  struct loop *loop = *state;
  enum { CLIENTS = 100 };
  struct end *clients[CLIENTS];
  for (int i = 0; i < FAMILIES; i++) {
    size_t before = loop->accepted_count;
    loop_listen(loop, families[i], NULL);
    for (int j = 0; j < CLIENTS; j++)
      clients[j] = loop_connect(loop, NULL);
    loop_run_until(loop, loop->accepted_count == before + CLIENTS);
    for (int j = 0; j < CLIENTS; j++)
      loop_run_until(loop, clients[j]->opened);
    for (int j = 0; j < CLIENTS; j++)
      loop_close(clients[j], 0);
    loop_run_until(loop, loop_stats(loop).open == 0);
    close_listener(loop);
  }
}

static void silent_clients_hold_up_nobody(void **state) {
  struct loop *loop = *state;
  enum { SILENT = 30 };
  mayfly_endpoint_options options = keyed();
  mayfly_connection *silent[SILENT];
  options.opening_max = 10;
  for (int i = 0; i < FAMILIES; i++) {
    loop_listen(loop, families[i], &options);
    for (int j = 0; j < SILENT; j++) {
      struct background_connect client;
      background_connect(&client, loop_address(loop), NULL);
      uint64_t known = (uint64_t)j;
      loop_run_until(loop, loop_stats(loop).opening + loop_stats(loop).refused_full > known);
      background_expect_ok(&client.background);
      silent[j] = client.connection;
    }
    struct end *good = loop_connect(loop, &options);
    loop_run_until(loop, good->opened);
    assert_int_equal(loop_stats(loop).refused_full, SILENT + 1 - 10);
    loop_close(good, 0);
    loop_run_until(loop, good->closed);
    close_listener(loop);
    for (int j = 0; j < SILENT; j++)
      assert_ok(mayfly_connection_close(silent[j]));
  }
}

/* ---- what is adopted ---- */

static void open_ends(unsigned flags, mayfly_connection *ends[2]) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.flags = flags;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends[1]));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends[0]));
  assert_ok(mayfly_listener_close(listener));
}

static void either_end_of_a_byte_pipe_is_adopted(void **state) {
  struct loop *loop = *state;
  for (int i = 0; i < 2; i++) {
    mayfly_connection *ends[2];
    const void *data;
    size_t size;
    open_ends(MAYFLY_ENDPOINT_PIPE_BYTES, ends);
    assert_ok(mayfly_send_bytes(ends[1 - i], "before", 6));
    struct end *end = loop_end(loop);
    assert_ok(mayfly_uv_adopt(&loop->uv, ends[i], &loop_handlers, end, &end->connection));
    end->on_message = loop_echo;
    loop_run_until(loop, end->messages == 1);
    assert_ok(mayfly_recv_bytes(ends[1 - i], SIZE_MAX, &data, &size));
    assert_int_equal(size, 6);
    assert_ok(mayfly_connection_close(ends[1 - i]));
    loop_run_until(loop, end->closed);
    assert_closed(end, MAYFLY_EOF, "the peer closed");
  }
}

static void a_pipe_that_keeps_messages_is_not_adopted_and_stays_as_it_was(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  mayfly_uv_connection *none = NULL;
  const void *data;
  size_t size;
  open_ends(MAYFLY_ENDPOINT_PIPE_MESSAGES, ends);
  for (int i = 0; i < 2; i++)
    assert_error(mayfly_uv_adopt(&loop->uv, ends[i], &loop_handlers, NULL, &none), MAYFLY_ENOTSUP, "keeps messages");
  assert_null(none);
  assert_ok(mayfly_send_bytes(ends[0], "still", 5));
  assert_ok(mayfly_recv_bytes(ends[1], SIZE_MAX, &data, &size));
  assert_int_equal(size, 5);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

static int accept_one(void *listener) {
  mayfly_connection *connection;
  int result = mayfly_accept(listener, MAYFLY_FOREVER, &connection);
  return result < 0 ? result : mayfly_connection_close(connection);
}

static void a_listener_whose_pipes_keep_messages_is_not_for_a_loop(void **state) {
  struct loop *loop = *state;
  struct background server;
  mayfly_listener *listener;
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  background_start(&server, accept_one, listener);
  struct end *client = loop_connect_to(loop, mayfly_listener_address(listener), NULL);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ENOTSUP, "keeps messages");
  assert_int_equal(client->opened, 0);
  background_expect_ok(&server);
  assert_ok(mayfly_listener_close(listener));
}

static void a_listener_on_a_loop_makes_no_pipes_that_keep_messages(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_uv_listener *none = NULL;
  options.flags = MAYFLY_ENDPOINT_PIPE_MESSAGES;
  assert_error(mayfly_uv_listen(&loop->uv, NULL, &options, &loop_handlers, NULL, &none), MAYFLY_EINVAL,
               "can't keep messages");
  assert_null(none);
}

/* ---- nobody there ---- */

static void connecting_to_nobody_is_refused(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  struct end *client = loop_connect_to(loop, &address, NULL);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ENOENT, address.name);
  loop_listen(loop, MAYFLY_AF_INET, NULL);
  address = *loop_address(loop);
  close_listener(loop);
  client = loop_connect_to(loop, &address, NULL);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ECONNREFUSED, "127.0.0.1");
}

/* ---- a server of another's making ---- */

static void a_server_that_disconnects_has_closed(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  HANDLE server =
      CreateNamedPipeA(address.name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 8192, 8192, 0, NULL);
  assert_ptr_not_equal(server, INVALID_HANDLE_VALUE);
  struct end *client = loop_connect_to(loop, &address, NULL);
  loop_run_until(loop, client->opened);
  assert_true(DisconnectNamedPipe(server));
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EOF, "the peer closed");
  assert_true(CloseHandle(server));
}

/* ---- Node ---- */

static void nodes_messages_come_back_from_a_listener_on_the_loop(void **state) {
  struct loop *loop = *state;
  struct node node;
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  loop_listen(loop, MAYFLY_AF_PIPE, NULL);
  node_start(&node, "connect", loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  assert_int_equal(loop->accepted->messages, NODE_MESSAGES);
  node_expect_content(&node);
}

/* Node says nothing when it listens, so the client comes until the name is there. */
static void a_client_on_the_loop_gets_back_from_node_what_it_sends(void **state) {
  struct loop *loop = *state;
  struct node node;
  struct end *client;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  node_start(&node, "listen", &address);
  while ((client = talk_to(loop, &address, NULL))->status == MAYFLY_ENOENT)
    Sleep(20);
  assert_int_equal(client->messages, SIZES);
  loop_close(client, 0);
  loop_run_until(loop, client->closed);
  node_expect_content(&node);
}

/* ---- Python ---- */

static void meet_python(struct loop *loop, const struct python *python) {
  static struct peer peer;
  peer_start(&peer, python, "peer.py", (const char *[]){NULL}, -1);
  loop->accepted = NULL;
  python_connects(&peer, loop_address(loop), meeting_key_digits);
  for (int i = 0; i < 3; i++) {
    peer_tell(&peer, "send %d", 50000 * i);
    peer_tell(&peer, "receive");
  }
  peer_tell(&peer, "close");
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  peer_expect(&peer, "connected");
  for (int i = 0; i < 3; i++) {
    char expected[64];
    snprintf(expected, sizeof expected, "message %d whole", 50000 * i);
    peer_expect(&peer, "sent");
    peer_expect(&peer, expected);
  }
  peer_expect(&peer, "closed");
  peer_end(&peer);
}

static void every_python_reaches_a_listener_on_the_loop_over_inet(void **state) {
  struct loop *loop = *state;
  size_t count;
  const struct python *pythons = peer_pythons(&count);
  mayfly_endpoint_options options = keyed();
  options.flags = MAYFLY_ENDPOINT_ALLOW_MD5;
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  loop_listen(loop, MAYFLY_AF_INET, &options);
  for (size_t i = 0; i < count; i++)
    meet_python(loop, &pythons[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(a_blocking_client_gets_back_what_it_sends),
      test_on_loop(a_client_on_the_loop_gets_back_what_it_sends),
      test_on_loop(many_clients_of_one_loop_get_through),
      test_on_loop(silent_clients_hold_up_nobody),
      test_on_loop(either_end_of_a_byte_pipe_is_adopted),
      test_on_loop(a_pipe_that_keeps_messages_is_not_adopted_and_stays_as_it_was),
      test_on_loop(a_listener_whose_pipes_keep_messages_is_not_for_a_loop),
      test_on_loop(a_listener_on_a_loop_makes_no_pipes_that_keep_messages),
      test_on_loop(connecting_to_nobody_is_refused),
      test_on_loop(a_server_that_disconnects_has_closed),
      test_on_loop(nodes_messages_come_back_from_a_listener_on_the_loop),
      test_on_loop(a_client_on_the_loop_gets_back_from_node_what_it_sends),
      test_on_loop(every_python_reaches_a_listener_on_the_loop_over_inet),
  };
  return loop_run_tests(tests);
}
