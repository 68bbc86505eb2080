/* SPDX-License-Identifier: MIT */
/* handles.c - descriptors that are sent over a connection, received from one, closed and inherited. */
#include "background.h"
#include "child.h"
#include "ends.h"
#include "leaks.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd_of(const mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (int)fd;
}

static void expect_same_file(mayfly_os_fd one, int other) {
  struct stat left, right;
  assert_return_code(fstat((int)one, &left), errno);
  assert_return_code(fstat(other, &right), errno);
  assert_int_equal(left.st_dev, right.st_dev);
  assert_int_equal(left.st_ino, right.st_ino);
}

static int open_null(void) {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  assert_return_code(fd, errno);
  return fd;
}

static mayfly_os_fd receive(mayfly_connection *connection) {
  mayfly_os_fd fd = MAYFLY_NO_FD;
  assert_ok(mayfly_recv_handle(connection, &fd));
  assert_int_equal(fcntl((int)fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  return fd;
}

static void expect_none(mayfly_connection *connection, int error, const char *words) {
  mayfly_os_fd fd = 55;
  assert_error(mayfly_recv_handle(connection, &fd), error, words);
  assert_int_equal(fd, 55);
}

/* ---- there and back ------------------------------------------------------------------ */

static void send_one_each_way(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  int null = open_null();
  assert_ok(mayfly_send_handle(ends.one, null));
  mayfly_os_fd received = receive(ends.other);
  assert_int_not_equal(received, null);
  expect_same_file(received, null);
  assert_ok(mayfly_send_handle(ends.other, received));
  assert_ok(mayfly_os_fd_close(received)); /* while it is on its way */
  mayfly_os_fd back = receive(ends.one);
  expect_same_file(back, null);
  assert_ok(mayfly_os_fd_close(back));
  close(null);
  ends_close(&ends);
}

static void a_descriptor_goes_there_and_back(void **state) {
  (void)state;
  send_one_each_way(ENDS_PIPE);
  send_one_each_way(ENDS_UNIX);
}

static void descriptors_and_messages_keep_their_order(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  int null = open_null();
  for (int i = 0; i < 3; i++) {
    assert_ok(mayfly_send_bytes(ends[1], "before", 6));
    assert_ok(mayfly_send_handle(ends[1], null));
  }
  assert_ok(mayfly_send_bytes(ends[1], "after", 5));
  for (int i = 0; i < 3; i++) {
    ends_expect_message(ends[0], "before", 6);
    assert_ok(mayfly_os_fd_close(receive(ends[0])));
  }
  ends_expect_message(ends[0], "after", 5);
  close(null);
  ends_close(&(struct ends){ends[0], ends[1]});
}

/* A child that has nothing but the connection gets a pipe, makes a connection of it and speaks. */
static int speak_over_what_comes(int parent, void *context) {
  struct ends *ends = context;
  mayfly_connection *writer = NULL;
  mayfly_os_fd fd;
  (void)parent;
  mayfly_connection_close(ends->one);
  int failed = mayfly_recv_handle(ends->other, &fd) < 0 || mayfly_connection_adopt(fd, 0, 1, &writer) < 0 ||
               mayfly_send_bytes(writer, "over yours", 10) < 0;
  mayfly_connection_close(writer);
  mayfly_connection_close(ends->other);
  return failed;
}

static void what_a_child_receives_becomes_its_connection(void **state) {
  (void)state;
  struct child child;
  struct ends ends;
  mayfly_connection *pipe[2];
  ends_open(&ends, ENDS_PIPE);
  child_start(&child, speak_over_what_comes, &ends);
  assert_ok(mayfly_connection_close(ends.other));
  assert_ok(mayfly_pipe(0, pipe));
  assert_ok(mayfly_send_handle(ends.one, fd_of(pipe[1])));
  assert_ok(mayfly_connection_close(pipe[1]));
  ends_expect_message(pipe[0], "over yours", 10);
  child_expect_exit(&child, 0);
  const void *data;
  size_t size;
  assert_error(mayfly_recv_bytes(pipe[0], SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  ends_close(&(struct ends){pipe[0], ends.one});
}

/* ---- what is no descriptor --------------------------------------------------------------- */

static void a_descriptor_that_is_not_open_is_not_sent(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_error(mayfly_send_handle(ends.one, MAYFLY_NO_FD), MAYFLY_EBADF, "send descriptor -1: it is not open");
  assert_error(mayfly_send_handle(ends.one, 9999), MAYFLY_EBADF, "send descriptor 9999: it is not open");
  assert_error(mayfly_send_handle(ends.one, (mayfly_os_fd)1 << 32), MAYFLY_EBADF, "4294967296: it is not open");
  assert_ok(mayfly_send_bytes(ends.one, "next", 4));
  ends_expect_message(ends.other, "next", 4);
  ends_close(&ends);
}

/* `count` descriptors with one byte, as Python's sendfds() or something else does it. */
static void raw_send(int to, unsigned char byte, int fd, size_t count) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(100 * sizeof(int))];
  } control = {0};
  struct iovec piece = {&byte, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = control.room;
    message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof fd);
    control.header = (struct cmsghdr){
        .cmsg_len = (socklen_t)CMSG_LEN(count * sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    for (size_t i = 0; i < count; i++)
      memcpy(CMSG_DATA(&control.header) + i * sizeof fd, &fd, sizeof fd);
  }
  assert_int_equal(sendmsg(to, &message, 0), 1);
}

static void descriptors_that_nobody_asked_for_are_closed(void **state) {
  (void)state;
  static const size_t counts[] = {2, 3, 100};
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  int null = open_null();
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    int before = leaks_count();
    raw_send(fd_of(ends.one), (unsigned char)counts[i], null, counts[i]);
    mayfly_os_fd received = receive(ends.other);
    expect_same_file(received, null);
    assert_int_equal(leaks_count(), before + 1);
    assert_ok(mayfly_os_fd_close(received));
  }
  raw_send(fd_of(ends.one), 3, null, 3); /* where a message is awaited; the system closes them */
  int before = leaks_count();
  const void *data;
  size_t size;
  raw_say(fd_of(ends.one), "\0\0\1x", 4);
  assert_ok(mayfly_connection_set_message_size_max(ends.other, 100));
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "");
  assert_int_equal(leaks_count(), before);
  close(null);
  ends_close(&ends);
}

static void come_as(unsigned char byte, size_t count) {
  const void *data;
  size_t size;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  int null = open_null();
  int before = leaks_count();
  raw_send(fd_of(ends.one), byte, null, count);
  expect_none(ends.other, MAYFLY_EPROTO, "what came is none");
  assert_int_equal(leaks_count(), before);
  expect_none(ends.other, MAYFLY_EPROTO, "");
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_EPROTO, "");
  assert_ok(mayfly_send_bytes(ends.other, "still sent", 10));
  ends_expect_message(ends.one, "still sent", 10);
  close(null);
  ends_close(&ends);
}

static void what_is_no_descriptor_ends_reading_and_not_sending(void **state) {
  (void)state;
  come_as(1, 0); /* the byte alone */
  come_as(0, 0); /* a message */
  come_as(2, 1); /* another number than there are */
  come_as(1, 2);
}

static void where_no_descriptor_is_left_that_is_said_and_the_next_one_comes(void **state) {
  (void)state;
  struct rlimit limit, low;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  int null = open_null();
  assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
  low = limit;
  assert_ok(mayfly_send_handle(ends.one, null));
  raw_send(fd_of(ends.one), 2, null, 2);
  assert_ok(mayfly_send_handle(ends.one, null));
  int before = leaks_count();
  int next = dup(null); /* the lowest that is free */
  close(next);
  low.rlim_cur = (rlim_t)next;
  assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
  expect_none(ends.other, MAYFLY_EMFILE, "none is left for it");
  low.rlim_cur = (rlim_t)next + 1; /* for one of two */
  assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
  expect_none(ends.other, MAYFLY_EMFILE, "none is left for it");
  assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
  assert_int_equal(leaks_count(), before);
  assert_ok(mayfly_os_fd_close(receive(ends.other)));
  close(null);
  ends_close(&ends);
}

/* ---- where it can't be ---------------------------------------------------------------------- */

static void only_unix_sockets_carry_descriptors(void **state) {
  (void)state;
  struct ends ends;
  int fds[2];
  int null = open_null();
  ends_open(&ends, ENDS_INET);
  assert_error(mayfly_send_handle(ends.one, null), MAYFLY_ENOTSUP, "only an AF_UNIX socket carries descriptors");
  expect_none(ends.other, MAYFLY_ENOTSUP, "only an AF_UNIX socket carries descriptors");
  ends_close(&ends);
  assert_return_code(pipe(fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &ends.one));
  assert_ok(mayfly_connection_adopt(fds[1], 0, 1, &ends.other));
  assert_error(mayfly_send_handle(ends.other, null), MAYFLY_ENOTSUP, "only an AF_UNIX socket carries descriptors");
  expect_none(ends.one, MAYFLY_ENOTSUP, "only an AF_UNIX socket carries descriptors");
  close(null);
  ends_close(&ends);
}

static void an_end_of_one_way_carries_descriptors_one_way(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  assert_error(mayfly_send_handle(ends[0], 0), MAYFLY_EINVAL, "mayfly_send_handle: this end is for receiving only");
  expect_none(ends[1], MAYFLY_EINVAL, "mayfly_recv_handle: this end is for sending only");
  assert_error(mayfly_send_handle(NULL, 0), MAYFLY_EINVAL, "connection is NULL");
  expect_none(NULL, MAYFLY_EINVAL, "connection is NULL");
  assert_error(mayfly_recv_handle(ends[0], NULL), MAYFLY_EINVAL, "fd is NULL");
  ends_close(&(struct ends){ends[0], ends[1]});
}

static void a_connection_that_may_hold_more_than_was_asked_for_receives_none(void **state) {
  (void)state;
  const void *data;
  size_t size;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  int null = open_null();
  assert_ok(mayfly_connection_set_readahead(ends.other, 4096));
  expect_none(ends.other, MAYFLY_EINVAL, "the connection reads ahead");
  assert_ok(mayfly_connection_set_readahead(ends.other, 0));
  assert_ok(mayfly_send_bytes(ends.one, "long", 4));
  assert_ok(mayfly_send_handle(ends.one, null));
  assert_error(mayfly_recv_bytes(ends.other, 3, &data, &size), MAYFLY_EMSGSIZE, "");
  expect_none(ends.other, MAYFLY_EINVAL, "part of a message is in the buffer");
  ends_expect_message(ends.other, "long", 4);
  assert_ok(mayfly_os_fd_close(receive(ends.other)));
  close(null);
  ends_close(&ends);
}

/* ---- waiting, and the end --------------------------------------------------------------------- */

static void timeouts_hold_and_lose_nothing(void **state) {
  (void)state;
  static char message[4096];
  const void *data;
  size_t size;
  int sent = 0;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  int null = open_null();
  for (int timeout = 0; timeout < 2; timeout++) {
    assert_ok(mayfly_connection_set_timeouts(ends.other, timeout, 0));
    expect_none(ends.other, MAYFLY_ETIMEDOUT, "the time ran out");
  }
  assert_ok(mayfly_connection_set_timeouts(ends.one, 0, 0));
  while (mayfly_send_bytes(ends.one, message, sizeof message) == 0)
    sent++;
  assert_error(mayfly_send_handle(ends.one, null), MAYFLY_ETIMEDOUT, "the time ran out");
  for (int i = 0; i < sent; i++)
    assert_ok(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size));
  assert_int_equal(mayfly_poll(ends.other, 0), 0);
  assert_ok(mayfly_send_handle(ends.one, null));
  assert_int_equal(mayfly_poll(ends.other, 0), 1);
  assert_ok(mayfly_os_fd_close(receive(ends.other)));
  close(null);
  ends_close(&ends);
}

static int receive_in_background(void *connection) {
  mayfly_os_fd fd;
  return mayfly_recv_handle(connection, &fd);
}

static void a_shutdown_ends_what_waits_for_a_descriptor(void **state) {
  (void)state;
  struct background receiver;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  background_start(&receiver, receive_in_background, ends.other);
  background_await_asleep(&receiver);
  assert_ok(mayfly_connection_shutdown(ends.other));
  background_expect(&receiver, MAYFLY_ECANCELED, "was shut down");
  expect_none(ends.other, MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_send_handle(ends.other, 0), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_send_handle(ends.one, 0), MAYFLY_EPIPE, "the peer is gone");
  expect_none(ends.one, MAYFLY_EOF, "closed");
  ends_close(&ends);
}

/* ---- descriptors alone --------------------------------------------------------------------------- */

static void a_descriptor_is_closed_once_and_none_is_nothing(void **state) {
  (void)state;
  char words[64];
  int null = open_null();
  snprintf(words, sizeof words, "close descriptor %d: ", null);
  assert_ok(mayfly_os_fd_close(null));
  assert_error(mayfly_os_fd_close(null), MAYFLY_EBADF, words);
  assert_ok(mayfly_os_fd_close(MAYFLY_NO_FD));
  assert_error(mayfly_os_fd_close(-2), MAYFLY_EBADF, "close descriptor -2");
  null = open_null();
  assert_error(mayfly_os_fd_close(((mayfly_os_fd)1 << 32) + null), MAYFLY_EBADF, "close descriptor 4294967");
  assert_ok(mayfly_os_fd_close(null));
}

/* Whether a program that we execute has it open. */
static int is_inherited(int fd) {
  char command[64];
  snprintf(command, sizeof command, "test -e /proc/self/fd/%d", fd);
  FILE *shell = popen(command, "r");
  assert_non_null(shell);
  return pclose(shell) == 0;
}

static void an_executed_program_inherits_what_is_said_to_be_inheritable(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  int fd = fd_of(ends[1]);
  assert_false(is_inherited(fd));
  assert_ok(mayfly_os_fd_set_inheritable(fd, 1));
  assert_true(is_inherited(fd));
  assert_false(is_inherited(fd_of(ends[0])));
  assert_ok(mayfly_os_fd_set_inheritable(fd, 0));
  assert_false(is_inherited(fd));
  assert_error(mayfly_os_fd_set_inheritable(9999, 1), MAYFLY_EBADF, "descriptor 9999");
  assert_error(mayfly_os_fd_set_inheritable(MAYFLY_NO_FD, 1), MAYFLY_EBADF, "descriptor -1");
  ends_close(&(struct ends){ends[0], ends[1]});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_descriptor_goes_there_and_back),
      test(descriptors_and_messages_keep_their_order),
      test(what_a_child_receives_becomes_its_connection),
      test(a_descriptor_that_is_not_open_is_not_sent),
      test(descriptors_that_nobody_asked_for_are_closed),
      test(what_is_no_descriptor_ends_reading_and_not_sending),
      test(where_no_descriptor_is_left_that_is_said_and_the_next_one_comes),
      test(only_unix_sockets_carry_descriptors),
      test(an_end_of_one_way_carries_descriptors_one_way),
      test(a_connection_that_may_hold_more_than_was_asked_for_receives_none),
      test(timeouts_hold_and_lose_nothing),
      test(a_shutdown_ends_what_waits_for_a_descriptor),
      test(a_descriptor_is_closed_once_and_none_is_nothing),
      test(an_executed_program_inherits_what_is_said_to_be_inheritable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
