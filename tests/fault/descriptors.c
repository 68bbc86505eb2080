/* SPDX-License-Identifier: MIT */
/* descriptors.c - descriptors that are adopted, sent and received, with every call failing. */
#include "calls.h"
#include "each.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/connection.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static const struct fault_row rows[] = {
    {"malloc", ENOMEM, MAYFLY_ENOMEM},
    {"calloc", ENOMEM, MAYFLY_ENOMEM},
    {"realloc", ENOMEM, MAYFLY_ENOMEM},
    {"socketpair", EMFILE, MAYFLY_EMFILE},
    {"fstat", EIO, MAYFLY_EIO},
    {"getsockname", ENOBUFS, MAYFLY_ENOMEM},
    {"fcntl", EINVAL, MAYFLY_EINVAL},
    {"shutdown", EIO, MAYFLY_EIO},
    {"close", EINTR, 0},
    {"close", EIO, MAYFLY_EIO},
    {"poll", ENOMEM, MAYFLY_ENOMEM},
    {"poll", EINTR, 0},
    {"read", EIO, MAYFLY_EIO},
    {"read", EINTR, 0},
    {"read", EAGAIN, 0},
    {"writev", EIO, MAYFLY_EIO},
    {"writev", EPIPE, MAYFLY_EPIPE},
    {"writev", EINTR, 0},
    {"writev", EAGAIN, 0},
    {"pwritev2", EIO, MAYFLY_EIO},
    {"pwritev2", EPIPE, MAYFLY_EPIPE},
    {"pwritev2", EINTR, 0},
    {"pwritev2", EAGAIN, 0},
    {"pwritev2", EOPNOTSUPP, 0},
    {"recv", ENOMEM, MAYFLY_ENOMEM},
    {"recv", EINTR, 0},
    {"recvmsg", ENOMEM, MAYFLY_ENOMEM},
    {"recvmsg", ECONNRESET, MAYFLY_ECONNRESET},
    {"recvmsg", EINTR, 0},
    {"recvmsg", EAGAIN, 0},
    {"send", ENOBUFS, MAYFLY_ENOMEM},
    {"send", EPIPE, MAYFLY_EPIPE},
    {"send", EINTR, 0},
    {"sendmsg", ENOBUFS, MAYFLY_ENOMEM},
    {"sendmsg", EPIPE, MAYFLY_EPIPE},
    {"sendmsg", EINTR, 0},
    {"sendmsg", EAGAIN, 0},
};

static int first_failure(int result, int next) {
  return result < 0 ? result : next;
}

/* ---- adopting ---- */

/* What is not taken over is closed, which must still be possible. */
static int adopt(int fd, int readable, int writable, mayfly_connection **connection) {
  int result = mayfly_connection_adopt(fd, readable, writable, connection);
  if (result == 0)
    return 0;
  calls_stop();
  assert_false(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
  *connection = NULL;
  return result;
}

static const char message[10000]; /* more than a pipe takes in one piece */

static int speak(mayfly_connection *from, mayfly_connection *to, int timeout_ms) {
  const void *data;
  size_t size;
  int result = mayfly_connection_set_timeouts(from, timeout_ms, timeout_ms);
  if (result == 0)
    result = mayfly_connection_set_timeouts(to, timeout_ms, timeout_ms);
  if (result == 0)
    result = mayfly_send_bytes(from, message, sizeof message);
  if (result == 0)
    result = mayfly_recv_bytes(to, SIZE_MAX, &data, &size);
  if (result == 0)
    assert_int_equal(size, sizeof message);
  return result;
}

static int adopt_both(int fds[2], int duplex) {
  mayfly_connection *reader, *writer;
  int result = adopt(fds[0], 1, duplex, &reader);
  result = first_failure(result, adopt(fds[1], duplex, 1, &writer));
  if (result == 0)
    result = speak(writer, reader, MAYFLY_FOREVER);
  if (result == 0)
    result = speak(writer, reader, PATIENCE_MS);
  result = first_failure(result, mayfly_connection_close(reader));
  return first_failure(result, mayfly_connection_close(writer));
}

static int adopt_pipe(const char *directory) {
  int fds[2];
  (void)directory;
  assert_return_code(pipe(fds), errno);
  return adopt_both(fds, 0);
}

static int adopt_sockets(const char *directory) {
  int fds[2];
  (void)directory;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
    return MAYFLY_EMFILE;
  return adopt_both(fds, 1);
}

static void adopting_a_pipe_and_talking_over_it(void **state) {
  const struct scenario scenario = {.run = adopt_pipe, .also = MAYFLY_EPIPE}; /* a message that leaves in pieces */
  each_call_fails(&scenario, *state, rows, sizeof rows / sizeof rows[0]);
}

static void adopting_a_pipe_where_a_write_raises_a_signal(void **state) {
  calls_hooks.lacks_pwritev2 = 1;
  adopting_a_pipe_and_talking_over_it(state);
  calls_hooks.lacks_pwritev2 = 0;
}

static void adopting_sockets_and_talking_over_them(void **state) {
  const struct scenario scenario = {.run = adopt_sockets};
  each_call_fails(&scenario, *state, rows, sizeof rows / sizeof rows[0]);
}

/* ---- sending and receiving ---- */

static int send_and_receive(const char *directory) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd = MAYFLY_NO_FD;
  (void)directory;
  int result = mayfly_pipe(0, ends);
  if (result < 0)
    return result;
  result = mayfly_send_handle(ends[1], STDIN_FILENO);
  if (result == 0)
    result = mayfly_recv_handle(ends[0], &fd);
  if (result == 0)
    result = mayfly_os_fd_set_inheritable(fd, 1);
  result = first_failure(result, mayfly_os_fd_close(fd));
  result = first_failure(result, mayfly_connection_close(ends[0]));
  return first_failure(result, mayfly_connection_close(ends[1]));
}

static void sending_and_receiving_a_descriptor(void **state) {
  const struct scenario scenario = {.run = send_and_receive};
  each_call_fails(&scenario, *state, rows, sizeof rows / sizeof rows[0]);
}

/* The very same call, on the same connection. */
static void a_receive_of_a_descriptor_that_failed_works_again(void **state) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd = MAYFLY_NO_FD;
  (void)state;
  assert_ok(mayfly_pipe(0, ends));
  calls_fail("sendmsg", 1, 1, ENOBUFS);
  assert_error(mayfly_send_handle(ends[1], STDIN_FILENO), MAYFLY_ENOMEM, "send");
  assert_ok(mayfly_send_handle(ends[1], STDIN_FILENO));
  calls_fail("recvmsg", 1, 1, ENOMEM);
  assert_error(mayfly_recv_handle(ends[0], &fd), MAYFLY_ENOMEM, "receive");
  assert_int_equal(fd, MAYFLY_NO_FD);
  assert_ok(mayfly_recv_handle(ends[0], &fd));
  assert_true(calls_stop());
  assert_ok(mayfly_os_fd_close(fd));
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(adopting_a_pipe_and_talking_over_it),
      test_in_scratch(adopting_a_pipe_where_a_write_raises_a_signal),
      test_in_scratch(adopting_sockets_and_talking_over_them),
      test_in_scratch(sending_and_receiving_a_descriptor),
      test(a_receive_of_a_descriptor_that_failed_works_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
