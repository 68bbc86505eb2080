/* SPDX-License-Identifier: MIT */
/* killed.c - a peer that is killed, at each stage of a connection. It is this program once more. */
#include "child.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <signal.h>

#include <windows.h>

enum { LARGE = 1 << 20 };

static char large[LARGE];
static const unsigned kinds[] = {MAYFLY_ENDPOINT_PIPE_MESSAGES, MAYFLY_ENDPOINT_PIPE_BYTES};

/* ---- the peer ---- */

enum task { STAY, SEND, LISTEN };

struct plan {
  mayfly_address address;
  enum task task;
};

/* Says what it has reached, then does as it was told until it is killed. */
static int stay(int parent, mayfly_connection *connection, enum task task) {
  child_say(parent, 'r');
  if (task == SEND)
    mayfly_send_bytes(connection, large, sizeof large);
  return child_hear(parent);
}

static int be_client(int parent, void *context) {
  const struct plan *plan = context;
  mayfly_connection *connection;
  return mayfly_connect(&plan->address, NULL, &connection) < 0 ? 1 : stay(parent, connection, plan->task);
}

static int be_listener(int parent, void *context) {
  const struct plan *plan = context;
  mayfly_listener *listener;
  mayfly_connection *connection = NULL;
  if (mayfly_listen(&plan->address, NULL, &listener) < 0)
    return 1;
  child_say(parent, 'l');
  if (plan->task != LISTEN && mayfly_accept(listener, MAYFLY_FOREVER, &connection) < 0)
    return 1;
  return stay(parent, connection, plan->task);
}

static void start_peer(struct child *child, child_function *be, const mayfly_address *address, enum task task) {
  const struct plan plan = {*address, task};
  child_start_apart(child, be, &plan, sizeof plan);
}

/* ---- a client that is killed ---- */

/* Connected to us, and at its task. */
static mayfly_connection *accept_client(struct child *child, unsigned kind, enum task task) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  mayfly_connection *connection;
  options.flags = kind;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  start_peer(child, be_client, mayfly_listener_address(listener), task);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_ok(mayfly_listener_close(listener));
  assert_int_equal(child_hear(child->fd), 'r');
  return connection;
}

static void killed_while_idle_it_has_closed(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct child child;
    const void *data;
    size_t size;
    mayfly_connection *connection = accept_client(&child, kinds[i], STAY);
    mayfly_wait_item item = {.connection = connection};
    child_kill(&child, SIGTERM);
    assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
    assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
    assert_error(mayfly_send_bytes(connection, "x", 1), MAYFLY_EPIPE, "gone");
    assert_ok(mayfly_connection_close(connection));
  }
}

/* Its message is longer than the pipe's buffer, so it is still at it. */
static void killed_inside_a_message_it_leaves_no_message(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct child child;
    const void *data;
    size_t size;
    mayfly_connection *connection = accept_client(&child, kinds[i], SEND);
    assert_int_equal(mayfly_poll(connection, MAYFLY_FOREVER), 1);
    child_kill(&child, SIGTERM);
    int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
    assert_true(result == MAYFLY_EPROTO || result == MAYFLY_EOF);
    assert_ok(mayfly_connection_close(connection));
  }
}

static DWORD WINAPI kill_in_a_moment(LPVOID process) {
  Sleep(50);
  TerminateProcess(process, SIGTERM + 128);
  return 0;
}

/* While `connection` is in a call that waits for it. */
static HANDLE kill_meanwhile(const struct child *child, HANDLE *process) {
  *process = OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)child->pid);
  return CreateThread(NULL, 0, kill_in_a_moment, *process, 0, NULL);
}

static void end_killer(HANDLE killer, HANDLE process, struct child *child) {
  WaitForSingleObject(killer, INFINITE);
  CloseHandle(killer);
  CloseHandle(process);
  child_expect_exit(child, SIGTERM + 128);
}

static void killed_while_we_send_it_is_gone(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct child child;
    HANDLE process;
    mayfly_connection *connection = accept_client(&child, kinds[i], STAY);
    HANDLE killer = kill_meanwhile(&child, &process);
    assert_error(mayfly_send_bytes(connection, large, sizeof large), MAYFLY_EPIPE, "gone");
    end_killer(killer, process, &child);
    assert_ok(mayfly_connection_close(connection));
  }
}

static void killed_while_we_receive_it_has_closed(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    struct child child;
    HANDLE process;
    const void *data;
    size_t size;
    mayfly_connection *connection = accept_client(&child, kinds[i], STAY);
    HANDLE killer = kill_meanwhile(&child, &process);
    assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
    end_killer(killer, process, &child);
    assert_ok(mayfly_connection_close(connection));
  }
}

static void killed_before_it_proves_the_key_it_is_one_refused_peer(void **state) {
  (void)state;
  struct child child;
  HANDLE process;
  mayfly_listener *listener;
  mayfly_connection *connection;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  start_peer(&child, be_client, mayfly_listener_address(listener), STAY);
  assert_int_equal(child_hear(child.fd), 'r');
  HANDLE killer = kill_meanwhile(&child, &process);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "closed the connection");
  end_killer(killer, process, &child);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "nobody");
  assert_ok(mayfly_listener_close(listener));
}

/* ---- a listener that is killed ---- */

static void start_listener(struct child *child, mayfly_address *address, enum task task) {
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, address));
  start_peer(child, be_listener, address, task);
  assert_int_equal(child_hear(child->fd), 'l');
}

static void a_killed_listener_leaves_no_name(void **state) {
  (void)state;
  struct child child;
  mayfly_address address;
  mayfly_connection *connection;
  start_listener(&child, &address, LISTEN);
  assert_int_equal(child_hear(child.fd), 'r');
  child_kill(&child, SIGTERM);
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ENOENT, address.name);
}

static void killed_before_it_asks_for_the_key_a_listener_is_an_error_at_once(void **state) {
  (void)state;
  struct child child;
  HANDLE process;
  mayfly_address address;
  mayfly_connection *connection;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  options.open_timeout_ms = MAYFLY_FOREVER;
  start_listener(&child, &address, STAY);
  HANDLE killer = kill_meanwhile(&child, &process);
  int result = mayfly_connect(&address, &options, &connection);
  assert_true(result == MAYFLY_EAUTH || result == MAYFLY_ENOENT); /* it may be killed before we come */
  end_killer(killer, process, &child);
}

static void killed_a_listener_ends_its_connections(void **state) {
  (void)state;
  struct child child;
  mayfly_address address;
  mayfly_connection *connection;
  const void *data;
  size_t size;
  start_listener(&child, &address, STAY);
  assert_ok(mayfly_connect(&address, NULL, &connection));
  assert_int_equal(child_hear(child.fd), 'r');
  child_kill(&child, SIGTERM);
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  assert_ok(mayfly_connection_close(connection));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(killed_while_idle_it_has_closed),
      test(killed_inside_a_message_it_leaves_no_message),
      test(killed_while_we_send_it_is_gone),
      test(killed_while_we_receive_it_has_closed),
      test(killed_before_it_proves_the_key_it_is_one_refused_peer),
      test(a_killed_listener_leaves_no_name),
      test(killed_before_it_asks_for_the_key_a_listener_is_an_error_at_once),
      test(killed_a_listener_ends_its_connections),
  };
  return cmocka_run_group_tests_name("windows.killed", tests, NULL, NULL);
}
