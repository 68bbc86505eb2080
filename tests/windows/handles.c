/* SPDX-License-Identifier: MIT */
/* handles.c - HANDLEs and SOCKETs that were made elsewhere: adopted, inherited, closed, and not sent. */
#include "background.h"
#include "pattern.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <stdio.h>

#include <winsock2.h>

#include "wine.h"

/* ---- pipes of the system's, as Python and libuv make them ---- */

static void make_pipe(DWORD type, DWORD access, DWORD client_access, HANDLE ends[2]) {
  static int count;
  char name[64];
  snprintf(name, sizeof name, "\\\\.\\pipe\\adopted-%lu-%d", GetCurrentProcessId(), count++);
  ends[0] = CreateNamedPipeA(name, access | FILE_FLAG_OVERLAPPED, type, 1, 8192, 8192, 0, NULL);
  assert_ptr_not_equal(ends[0], INVALID_HANDLE_VALUE);
  ends[1] = CreateFileA(name, client_access, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
  assert_ptr_not_equal(ends[1], INVALID_HANDLE_VALUE);
}

static mayfly_connection *adopt(HANDLE handle, int readable, int writable) {
  mayfly_connection *connection;
  DWORD flags;
  assert_true(SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
  assert_ok(mayfly_connection_adopt((mayfly_os_fd)handle, readable, writable, &connection));
  assert_true(GetHandleInformation(handle, &flags));
  assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
  return connection;
}

static void exchange(mayfly_connection *from, mayfly_connection *to) {
  static const size_t sizes[] = {0, 1, 8192, 100000, 0};
  static unsigned char bytes[100000];
  pattern_fill(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct background_send send;
    const void *data;
    size_t size;
    background_send(&send, from, bytes, sizes[i]);
    assert_int_equal(mayfly_poll(to, MAYFLY_FOREVER), 1);
    assert_ok(mayfly_recv_bytes(to, SIZE_MAX, &data, &size));
    assert_int_equal(size, sizes[i]);
    if (size > 0)
      assert_memory_equal(data, bytes, size);
    background_expect_ok(&send.background);
  }
}

static void close_both(mayfly_connection *one, mayfly_connection *other) {
  assert_ok(mayfly_connection_close(one));
  assert_ok(mayfly_connection_close(other));
}

static void pipes_of_both_kinds_are_adopted_at_either_end(void **state) {
  static const DWORD types[] = {PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, PIPE_TYPE_MESSAGE, PIPE_TYPE_BYTE};
  (void)state;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    HANDLE ends[2];
    make_pipe(types[i], PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE, ends);
    mayfly_connection *server = adopt(ends[0], 1, 1), *client = adopt(ends[1], 1, 1);
    assert_int_equal(mayfly_connection_peer(server)->pid, GetCurrentProcessId());
    assert_int_equal(mayfly_connection_peer(client)->pid, GetCurrentProcessId());
    exchange(server, client);
    exchange(client, server);
    close_both(server, client);
  }
}

/* The writing end has no right to ask what it is. */
static void the_ends_of_a_one_way_pipe_of_pythons_are_adopted(void **state) {
  (void)state;
  HANDLE ends[2];
  make_pipe(PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, PIPE_ACCESS_INBOUND, GENERIC_WRITE, ends);
  mayfly_connection *reader = adopt(ends[0], 1, 0), *writer = adopt(ends[1], 0, 1);
  exchange(writer, reader);
  assert_error(mayfly_send_bytes(reader, "x", 1), MAYFLY_EINVAL, "for receiving only");
  close_both(reader, writer);
}

/* ---- sockets ---- */

static SOCKET raw_socket_to(const mayfly_address *address) {
  SOCKET made = WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(address->port)};
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_not_equal(made, INVALID_SOCKET);
  assert_int_equal(connect(made, (struct sockaddr *)&where, sizeof where), 0);
  return made;
}

/* Ours, and the raw socket that it talks to. */
static mayfly_connection *accept_raw(SOCKET *raw) {
  mayfly_address inet = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  mayfly_connection *accepted;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  assert_ok(mayfly_listen(&inet, &options, &listener));
  *raw = raw_socket_to(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  assert_ok(mayfly_listener_close(listener));
  return accepted;
}

static void a_socket_is_adopted_or_closed(void **state) {
  (void)state;
  SOCKET raw;
  const void *data;
  size_t size;
  mayfly_connection *accepted = accept_raw(&raw), *adopted = adopt((HANDLE)raw, 1, 1);
  exchange(adopted, accepted);
  exchange(accepted, adopted);
  close_both(adopted, accepted);
  accepted = accept_raw(&raw);
  assert_ok(mayfly_os_fd_close((mayfly_os_fd)raw));
  assert_error(mayfly_recv_bytes(accepted, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(accepted));
}

/* Another process, which has the same socket: this one has not shut its connection down. */
static void a_socket_that_somebody_else_has_shut_down_is_at_its_end(void **state) {
  (void)state;
  SOCKET raw;
  const void *data;
  size_t size;
  mayfly_connection *accepted = accept_raw(&raw), *adopted = adopt((HANDLE)raw, 1, 1);
  assert_int_equal(shutdown(raw, SD_BOTH), 0);
  assert_int_equal(mayfly_poll(adopted, MAYFLY_FOREVER), 1);
  assert_error(mayfly_recv_bytes(adopted, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  assert_error(mayfly_send_bytes(adopted, "x", 1), MAYFLY_EPIPE, "the peer is gone");
  close_both(adopted, accepted);
}

/* Its loop would take what ends there for its own. */
static void a_wait_for_a_socket_that_is_on_a_completion_port_leaves_nothing_there(void **state) {
  (void)state;
  SOCKET raw;
  DWORD count;
  ULONG_PTR key;
  OVERLAPPED *operation;
  mayfly_connection *accepted = accept_raw(&raw);
  HANDLE port = CreateIoCompletionPort((HANDLE)raw, NULL, 1, 1);
  assert_non_null(port);
  mayfly_wait_item item = {.fd = (mayfly_os_fd)raw};
  assert_int_equal(mayfly_wait(&item, 1, 10), 0);
  assert_ok(mayfly_send_bytes(accepted, "x", 1));
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_int_equal(mayfly_wait(&item, 1, 0), 1);
  assert_false(GetQueuedCompletionStatus(port, &count, &key, &operation, 0));
  assert_int_equal(GetLastError(), WAIT_TIMEOUT);
  CloseHandle(port);
  assert_ok(mayfly_os_fd_close((mayfly_os_fd)raw));
  assert_ok(mayfly_connection_close(accepted));
}

/* ---- what is refused ---- */

static void expect_refused(HANDLE handle, int readable, int writable, int error, const char *words) {
  mayfly_connection *connection = NULL;
  DWORD flags;
  assert_true(SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
  assert_error(mayfly_connection_adopt((mayfly_os_fd)handle, readable, writable, &connection), error, words);
  assert_null(connection);
  assert_true(GetHandleInformation(handle, &flags));
  assert_int_equal(flags & HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

static void what_is_refused_stays_as_it_was(void **state) {
  (void)state;
  HANDLE one_way[2], synchronous[2], impatient[2];
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  make_pipe(PIPE_TYPE_BYTE, PIPE_ACCESS_INBOUND, GENERIC_WRITE, one_way);
  assert_true(CreatePipe(&synchronous[0], &synchronous[1], NULL, 0));
  make_pipe(PIPE_TYPE_BYTE | PIPE_NOWAIT, PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE, impatient);
  expect_refused(one_way[0], 0, 0, MAYFLY_EINVAL, "neither readable nor writable");
  expect_refused(one_way[0], 1, 1, MAYFLY_EINVAL, "it can only be read");
  expect_refused(one_way[1], 1, 0, MAYFLY_EINVAL, "it can only be written");
  expect_refused(synchronous[0], 1, 0, MAYFLY_ENOTSUP, "made without FILE_FLAG_OVERLAPPED");
  expect_refused(synchronous[1], 0, 1, MAYFLY_ENOTSUP, "made without FILE_FLAG_OVERLAPPED");
  expect_refused(impatient[0], 1, 1, MAYFLY_ENOTSUP, "PIPE_NOWAIT");
  expect_refused(event, 1, 1, MAYFLY_ENOTSUP, "neither a socket nor a pipe");
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_os_fd_close((mayfly_os_fd)one_way[i]));
    assert_ok(mayfly_os_fd_close((mayfly_os_fd)synchronous[i]));
    assert_ok(mayfly_os_fd_close((mayfly_os_fd)impatient[i]));
  }
  assert_ok(mayfly_os_fd_close((mayfly_os_fd)event));
}

static void a_handle_that_is_none_is_an_error_in_words(void **state) {
  (void)state;
  mayfly_connection *connection = NULL;
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  mayfly_os_fd fd = (mayfly_os_fd)event;
  assert_ok(mayfly_os_fd_set_inheritable(fd, 1));
  assert_ok(mayfly_os_fd_close(fd));
  assert_error(mayfly_os_fd_close(fd), MAYFLY_EBADF, "close descriptor");
  assert_error(mayfly_os_fd_set_inheritable(fd, 1), MAYFLY_EBADF, "inheritable");
  assert_error(mayfly_connection_adopt(fd, 1, 1, &connection), MAYFLY_EBADF, "it is not open");
  assert_error(mayfly_connection_adopt(MAYFLY_NO_FD, 1, 1, &connection), MAYFLY_EBADF, "it is not open");
  assert_ok(mayfly_os_fd_close(MAYFLY_NO_FD));
}

/* ---- sending ---- */

static void handles_are_not_sent_and_the_words_say_why(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  mayfly_os_fd fd = MAYFLY_NO_FD;
  assert_ok(mayfly_pipe(1, ends));
  HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
  assert_error(mayfly_send_handle(ends[0], (mayfly_os_fd)event), MAYFLY_ENOTSUP, "pickled calls");
  assert_error(mayfly_recv_handle(ends[1], &fd), MAYFLY_ENOTSUP, "pickled calls");
  assert_int_equal(fd, MAYFLY_NO_FD);
  exchange(ends[0], ends[1]);
  CloseHandle(event);
  close_both(ends[0], ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(pipes_of_both_kinds_are_adopted_at_either_end),
      test(the_ends_of_a_one_way_pipe_of_pythons_are_adopted),
      test(a_socket_is_adopted_or_closed),
      test(a_socket_that_somebody_else_has_shut_down_is_at_its_end),
      test(a_wait_for_a_socket_that_is_on_a_completion_port_leaves_nothing_there),
      test(what_is_refused_stays_as_it_was),
      test(a_handle_that_is_none_is_an_error_in_words),
      test(handles_are_not_sent_and_the_words_say_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
