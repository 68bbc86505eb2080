/* SPDX-License-Identifier: MIT */
/* ends.c - connected ends. */
#include "ends.h"
#include "raw.h"
#include "result.h"

static const char *const names[ENDS_KINDS] = {"a pipe", "the system's own family", "AF_INET"};

mayfly_listener *ends_listen(enum ends_kind kind, const mayfly_endpoint_options *options) {
  mayfly_endpoint_options taken = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address;
  mayfly_listener *listener;
  if (options != NULL)
    taken = *options;
  /* Where the system's own family is AF_PIPE: of bytes, as a socket; mayfly_pipe() has the other kind. */
  taken.flags |= kind == ENDS_INET ? MAYFLY_ENDPOINT_ANY_USER : MAYFLY_ENDPOINT_PIPE_BYTES;
  assert_ok(mayfly_arbitrary_address(kind == ENDS_INET ? MAYFLY_AF_INET : mayfly_default_family(), &address));
  assert_ok(mayfly_listen(&address, &taken, &listener));
  return listener;
}

mayfly_listener *ends_listen_on(const mayfly_address *address, unsigned flags) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.flags = flags;
  assert_ok(mayfly_listen(address, &options, &listener));
  return listener;
}

void ends_open_with(struct ends *ends, enum ends_kind kind, const mayfly_endpoint_options *options) {
  mayfly_connection *pair[2];
  if (kind == ENDS_PIPE) {
    assert_ok(mayfly_pipe(1, pair));
    *ends = (struct ends){pair[0], pair[1]};
    return;
  }
  mayfly_listener *listener = ends_listen(kind, options);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), options, &ends->one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends->other));
  assert_ok(mayfly_listener_close(listener));
}

void ends_open(struct ends *ends, enum ends_kind kind) {
  ends_open_with(ends, kind, NULL);
}

void ends_close(struct ends *ends) {
  assert_ok(mayfly_connection_close(ends->one));
  assert_ok(mayfly_connection_close(ends->other));
  *ends = (struct ends){NULL, NULL};
}

void ends_expect_message(mayfly_connection *connection, const void *bytes, size_t size) {
  const void *data;
  size_t got;
  assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &got));
  assert_int_equal(got, size);
  assert_memory_equal(data, bytes, size);
}

void ends_talk(mayfly_listener *listener, const mayfly_address *address) {
  struct ends ends;
  assert_ok(mayfly_connect(address, NULL, &ends.one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  assert_ok(mayfly_send_bytes(ends.one, "ping", 4));
  ends_expect_message(ends.other, "ping", 4);
  assert_ok(mayfly_send_bytes(ends.other, "pong", 4));
  ends_expect_message(ends.one, "pong", 4);
  ends_close(&ends);
}

int ends_tell_of_a_shutdown(enum ends_kind kind) {
  return kind == ENDS_INET || mayfly_default_family() == MAYFLY_AF_UNIX;
}

mayfly_connection *ends_with_raw(enum ends_kind kind, const mayfly_endpoint_options *options, int *raw) {
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(kind, options);
  *raw = raw_connect(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_ok(mayfly_listener_close(listener));
  return connection;
}

static void run_for(void (*run)(enum ends_kind kind), enum ends_kind kind) {
  print_message("  %s\n", names[kind]);
  run(kind);
}

void ends_of_every_socket(void (*run)(enum ends_kind kind)) {
  run_for(run, ENDS_UNIX);
  run_for(run, ENDS_INET);
}

void ends_of_every_kind(void (*run)(enum ends_kind kind)) {
  run_for(run, ENDS_PIPE);
  ends_of_every_socket(run);
}
