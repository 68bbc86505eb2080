/* SPDX-License-Identifier: MIT */
/* uv.c - a libuv loop and what Windows alone has: pipes that keep messages or go one way, servers that disconnect, the
 * C library's descriptors; and Node and Python there. All else is in tests/uv. */
#include "background.h"
#include "ends.h"
#include "loop.h"
#include "meeting.h"
#include "node.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include <io.h>
#include <unistd.h>

#include <windows.h>

/* ---- pipes that keep messages ---- */

static void open_ends(mayfly_connection *ends[2]) {
  mayfly_listener *listener;
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends[1]));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends[0]));
  assert_ok(mayfly_listener_close(listener));
}

static void expect_not_adopted(struct loop *loop, mayfly_connection *ends[2]) {
  mayfly_uv_connection *none = NULL;
  for (int i = 0; i < 2; i++)
    assert_error(mayfly_uv_adopt(&loop->uv, ends[i], &loop_handlers, NULL, &none), MAYFLY_ENOTSUP, "keeps messages");
  assert_null(none);
  assert_ok(mayfly_send_bytes(ends[1], "still", 5));
  ends_expect_message(ends[0], "still", 5);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

static void a_pipe_that_keeps_messages_is_not_adopted_and_stays_as_it_was(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  open_ends(ends);
  expect_not_adopted(loop, ends);
  for (int duplex = 0; duplex < 2; duplex++) {
    assert_ok(mayfly_pipe(duplex, ends));
    expect_not_adopted(loop, ends);
  }
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

/* ---- pipes of another's making ---- */

/* Of bytes; `access` is the server's. */
static HANDLE make_pipe(mayfly_address *address, DWORD access) {
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, address));
  HANDLE made = CreateNamedPipeA(address->name, access | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 8192, 8192, 0, NULL);
  assert_ptr_not_equal(made, INVALID_HANDLE_VALUE);
  return made;
}

static struct end *adopt(struct loop *loop, HANDLE handle, int readable) {
  struct end *end = loop_end(loop);
  mayfly_connection *blocking;
  assert_ok(mayfly_connection_adopt((mayfly_os_fd)handle, readable, !readable, &blocking));
  assert_ok(mayfly_uv_adopt(&loop->uv, blocking, &loop_handlers, end, &end->connection));
  return end;
}

static void ends_that_go_one_way(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  HANDLE server = make_pipe(&address, PIPE_ACCESS_INBOUND);
  HANDLE client = CreateFileA(address.name, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED, NULL);
  assert_ptr_not_equal(client, INVALID_HANDLE_VALUE);
  struct end *reader = adopt(loop, server, 1), *writer = adopt(loop, client, 0);
  assert_error(mayfly_uv_send(reader->connection, "up", 2), MAYFLY_EINVAL, "for receiving only");
  assert_int_equal(mayfly_uv_send(writer->connection, "down", 4), 0);
  loop_run_until(loop, reader->messages == 1 && writer->opened);
  loop_close(reader, 0);
  loop_run_until(loop, reader->closed);
  loop_turn(loop);
  assert_int_equal(writer->closed, 0); /* nothing is read: it shows at the next send */
  assert_int_equal(mayfly_uv_send(writer->connection, "down", 4), 0);
  loop_run_until(loop, writer->closed);
  assert_closed(writer, MAYFLY_EPIPE, "send");
}

/* As libuv's own servers do, Node's among them. */
static void a_server_that_disconnects_has_ended(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  HANDLE server = make_pipe(&address, PIPE_ACCESS_DUPLEX);
  struct end *client = loop_connect_to(loop, &address, NULL);
  loop_run_until(loop, client->opened);
  assert_true(DisconnectNamedPipe(server));
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EOF, "the peer closed");
  CloseHandle(server);
}

/* ---- the C library's descriptors, of which libuv takes one for each pipe ---- */

static void without_descriptors_the_listener_waits_and_goes_on(void **state) {
  struct loop *loop = *state;
  enum { DESCRIPTORS_MAX = 8192 };
  static int taken[DESCRIPTORS_MAX];
  int count = 0, raw[3];
  loop_listen(loop, MAYFLY_AF_PIPE, NULL);
  for (int i = 0; i < 3; i++)
    raw[i] = raw_connect(loop_address(loop));
  while (count < DESCRIPTORS_MAX && (taken[count] = _dup(raw[0])) >= 0)
    count++;
  assert_in_range(count, 1, DESCRIPTORS_MAX - 1);
  loop_turn(loop);
  assert_int_equal(loop->accepted_count, 0);
  close(taken[--count]);
  loop_tick_until(loop, loop->accepted_count == 1);
  loop_turn(loop);
  assert_int_equal(loop->accepted_count, 1);
  loop_close(loop->accepted, 0); /* which makes room for another at once */
  loop_tick_until(loop, loop->accepted_count == 2);
  while (count > 0)
    close(taken[--count]);
  loop_tick_until(loop, loop->accepted_count == 3); /* nobody was dropped */
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

/* ---- Node ---- */

/* Around the pipe's buffer, the frame's header, and what libuv reads at once. */
static const size_t sizes[] = {0, 1, 3, 8187, 8188, 8192, 8193, 65531, 65532, 65536, 65537, 200000, 3000000, 0, 5};
enum { SIZES = sizeof sizes / sizeof sizes[0], LARGEST = 3000000 };

static unsigned char pattern[LARGEST];

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
static struct end *talk_to(struct loop *loop, const mayfly_address *address) {
  pattern_fill(pattern, sizeof pattern);
  struct end *client = loop_connect_to(loop, address, NULL);
  client->on_opened = send_next;
  client->on_message = compare_and_send_next;
  loop_run_until(loop, client->messages == SIZES || client->closed);
  return client;
}

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
  while ((client = talk_to(loop, &address))->status == MAYFLY_ENOENT)
    Sleep(20);
  assert_int_equal(client->messages, SIZES);
  loop_close(client, 0);
  loop_run_until(loop, client->closed);
  node_expect_content(&node);
}

/* ---- Python ---- */

static mayfly_endpoint_options keyed(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = meeting_key;
  options.authkey_size = sizeof meeting_key;
  return options;
}

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
      test_on_loop(a_pipe_that_keeps_messages_is_not_adopted_and_stays_as_it_was),
      test_on_loop(a_listener_whose_pipes_keep_messages_is_not_for_a_loop),
      test_on_loop(ends_that_go_one_way),
      test_on_loop(a_server_that_disconnects_has_ended),
      test_on_loop(without_descriptors_the_listener_waits_and_goes_on),
      test_on_loop(nodes_messages_come_back_from_a_listener_on_the_loop),
      test_on_loop(a_client_on_the_loop_gets_back_from_node_what_it_sends),
      test_on_loop(every_python_reaches_a_listener_on_the_loop_over_inet),
  };
  return loop_run_tests(tests);
}
