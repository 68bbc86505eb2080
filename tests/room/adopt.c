/* SPDX-License-Identifier: MIT */
/* adopt.c - connections of descriptors that were made elsewhere: sockets, and real pipes. */
#include "background.h"
#include "ends.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_pipe(int fds[2]) {
  assert_return_code(pipe(fds), errno);
}

/* A real pipe: ends[0] receives, ends[1] sends. */
static void adopt_pipe(mayfly_connection *ends[2]) {
  int fds[2];
  make_pipe(fds);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &ends[0]));
  assert_ok(mayfly_connection_adopt(fds[1], 0, 1, &ends[1]));
}

static void close_ends(mayfly_connection *ends[2]) {
  ends_close(&(struct ends){ends[0], ends[1]});
}

static int fd_of(const mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (int)fd;
}

static int is_inheritable(int fd) {
  int flags = fcntl(fd, F_GETFD);
  assert_return_code(flags, errno);
  return (flags & FD_CLOEXEC) == 0;
}

/* ---- what can be adopted ---------------------------------------------------------------- */

static void exchange(mayfly_connection *from, mayfly_connection *to) {
  static const size_t sizes[] = {0, 1, PIPE_BUF - 4, PIPE_BUF - 3, 65536, 300000, 0};
  static unsigned char bytes[300000];
  pattern_fill(bytes, sizeof bytes);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    struct background_send send;
    background_send(&send, from, bytes, sizes[i]);
    ends_expect_message(to, bytes, sizes[i]);
    background_expect_ok(&send.background);
  }
}

static void messages_of_every_size_go_through_a_real_pipe(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  exchange(ends[1], ends[0]);
  assert_ok(mayfly_connection_set_timeouts(ends[0], 60000, 60000));
  assert_ok(mayfly_connection_set_timeouts(ends[1], 60000, 60000));
  exchange(ends[1], ends[0]);
  assert_ok(mayfly_connection_set_readahead(ends[0], 4096));
  exchange(ends[1], ends[0]);
  close_ends(ends);
}

static void sockets_of_every_family_are_adopted(void **state) {
  (void)state;
  for (int kind = ENDS_UNIX; kind <= ENDS_INET; kind++) {
    mayfly_connection *adopted;
    int raw;
    mayfly_connection *accepted = ends_with_raw((enum ends_kind)kind, NULL, &raw);
    assert_ok(mayfly_connection_adopt(raw, 1, 1, &adopted));
    exchange(adopted, accepted);
    exchange(accepted, adopted);
    ends_close(&(struct ends){accepted, adopted});
  }
}

static void many_slices_go_through_a_real_pipe_as_one_message(void **state) {
  (void)state;
  enum { COUNT = 3000 };
  static mayfly_slice slices[COUNT];
  static unsigned char bytes[COUNT];
  mayfly_connection *ends[2];
  pattern_fill(bytes, sizeof bytes);
  for (size_t i = 0; i < COUNT; i++)
    slices[i] = (mayfly_slice){bytes + i, 1};
  adopt_pipe(ends);
  for (int timeout = MAYFLY_FOREVER; timeout <= 0; timeout++) {
    assert_ok(mayfly_connection_set_timeouts(ends[1], timeout, timeout));
    assert_ok(mayfly_send_gather(ends[1], slices, COUNT));
    ends_expect_message(ends[0], bytes, COUNT);
  }
  close_ends(ends);
}

static void a_fifo_that_is_open_both_ways_goes_both_ways(void **state) {
  mayfly_connection *connection;
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, *state, "fifo");
  assert_return_code(mkfifo(path, 0600), errno);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  assert_return_code(fd, errno);
  assert_ok(mayfly_connection_adopt(fd, 1, 1, &connection));
  assert_ok(mayfly_send_bytes(connection, "to myself", 9));
  ends_expect_message(connection, "to myself", 9);
  assert_ok(mayfly_connection_close(connection));
  unlink(path);
}

/* As Node and asyncio leave theirs. */
static void a_descriptor_that_does_not_block_is_waited_for(void **state) {
  (void)state;
  int fds[2];
  mayfly_connection *ends[2];
  assert_return_code(pipe2(fds, O_NONBLOCK), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &ends[0]));
  assert_ok(mayfly_connection_adopt(fds[1], 0, 1, &ends[1]));
  exchange(ends[1], ends[0]);
  close_ends(ends);
  assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 1, &ends[0]));
  assert_ok(mayfly_connection_adopt(fds[1], 1, 1, &ends[1]));
  exchange(ends[1], ends[0]);
  assert_int_not_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
  close_ends(ends);
}

static void an_adopted_descriptor_is_inherited_no_more_and_closed_in_the_end(void **state) {
  (void)state;
  int fds[2];
  mayfly_connection *connection;
  make_pipe(fds);
  assert_true(is_inheritable(fds[0]));
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &connection));
  assert_int_equal(fd_of(connection), fds[0]);
  assert_false(is_inheritable(fds[0]));
  assert_ok(mayfly_connection_close(connection));
  assert_int_equal(fcntl(fds[0], F_GETFD), -1);
  close(fds[1]);
}

static void who_is_on_the_other_side_is_known_of_sockets_only(void **state) {
  (void)state;
  mayfly_connection *connection, *ends[2];
  int fds[2];
  assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 1, &connection));
  assert_int_equal(mayfly_connection_peer(connection)->pid, getpid());
  assert_int_equal(mayfly_connection_peer(connection)->same_user, 1);
  assert_ok(mayfly_connection_close(connection));
  close(fds[1]);
  assert_ok(mayfly_connection_adopt(socket(AF_UNIX, SOCK_STREAM, 0), 1, 1, &connection)); /* to nobody yet */
  assert_int_equal(mayfly_connection_peer(connection)->pid, -1);
  assert_int_equal(mayfly_connection_peer(connection)->uid, -1);
  assert_int_equal(mayfly_connection_peer(connection)->gid, -1);
  assert_int_equal(mayfly_connection_peer(connection)->same_user, -1);
  assert_ok(mayfly_connection_close(connection));
  adopt_pipe(ends);
  assert_int_equal(mayfly_connection_peer(ends[0])->pid, -1);
  assert_int_equal(mayfly_connection_peer(ends[0])->uid, -1);
  assert_int_equal(mayfly_connection_peer(ends[0])->same_user, -1);
  close_ends(ends);
}

/* ---- what can't be --------------------------------------------------------------------------- */

static void expect_refused(int fd, int readable, int writable, int error, const char *words) {
  mayfly_connection *connection = NULL;
  assert_error(mayfly_connection_adopt(fd, readable, writable, &connection), error, words);
  assert_null(connection);
}

static void what_is_refused_stays_as_it_was(void **state) {
  (void)state;
  int fds[2];
  make_pipe(fds);
  int file = open("/dev/null", O_RDWR);
  int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
  int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  expect_refused(fds[0], 0, 0, MAYFLY_EINVAL, "neither readable nor writable");
  expect_refused(fds[0], 1, 1, MAYFLY_EINVAL, "it can only be read");
  expect_refused(fds[1], 1, 0, MAYFLY_EINVAL, "it can only be written");
  expect_refused(file, 1, 1, MAYFLY_ENOTSUP, "neither a socket nor a pipe");
  expect_refused(datagram, 1, 1, MAYFLY_ENOTSUP, "not of a stream of bytes");
  expect_refused(packets, 1, 1, MAYFLY_ENOTSUP, "not of a stream of bytes");
  assert_error(mayfly_connection_adopt(fds[0], 1, 0, NULL), MAYFLY_EINVAL, "connection is NULL");
  const int all[] = {fds[0], fds[1], file, datagram, packets};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    assert_true(is_inheritable(all[i]));
    close(all[i]);
  }
}

static void a_descriptor_that_is_none_is_refused(void **state) {
  (void)state;
  char words[64];
  int fds[2];
  mayfly_connection *connection = NULL;
  make_pipe(fds);
  close(fds[0]);
  close(fds[1]);
  snprintf(words, sizeof words, "descriptor %d", fds[0]);
  expect_refused(fds[0], 1, 0, MAYFLY_EBADF, words);
  expect_refused(-1, 1, 0, MAYFLY_EBADF, "descriptor -1: it is not open");
  assert_error(mayfly_connection_adopt(((mayfly_os_fd)1 << 32) + 1, 0, 1, &connection), MAYFLY_EBADF,
               "descriptor 4294967297");
}

/* ---- a real pipe under deadlines -------------------------------------------------------------- */

static void a_receive_from_a_pipe_that_runs_out_of_time_loses_nothing(void **state) {
  (void)state;
  static const char wire[] = {0, 0, 0, 8, '1', '2', '3', '4', '5', '6', '7', '8'};
  const void *data;
  size_t size;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  for (size_t i = 0; i < sizeof wire; i++) {
    assert_ok(mayfly_connection_set_timeouts(ends[0], i % 2 == 0 ? 0 : 1, 0));
    assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "the time ran out");
    assert_int_equal(mayfly_poll(ends[0], 0), 0);
    assert_int_equal(write(fd_of(ends[1]), wire + i, 1), 1);
    assert_int_equal(mayfly_poll(ends[0], 0), 1);
  }
  ends_expect_message(ends[0], "12345678", 8);
  close_ends(ends);
}

/* Until not even one more byte would be taken. How many there are. */
static size_t fill_pipe(int fd) {
  static const char bytes[PIPE_BUF];
  size_t filled = 0;
  assert_return_code(fcntl(fd, F_SETFL, O_NONBLOCK), errno);
  for (size_t piece = sizeof bytes; piece > 0; piece /= 2)
    for (ssize_t written; (written = write(fd, bytes, piece)) > 0;)
      filled += (size_t)written;
  assert_return_code(fcntl(fd, F_SETFL, 0), errno);
  return filled;
}

static void take(int fd, size_t size) {
  char bytes[PIPE_BUF];
  while (size > 0) {
    ssize_t got = read(fd, bytes, size < sizeof bytes ? size : sizeof bytes);
    assert_true(got > 0);
    size -= (size_t)got;
  }
}

static void a_send_into_a_full_pipe_of_which_nothing_left_may_be_repeated(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  size_t filled = fill_pipe(fd_of(ends[1]));
  for (int timeout = 0; timeout < 2; timeout++) {
    assert_ok(mayfly_connection_set_timeouts(ends[1], 0, timeout));
    assert_error(mayfly_send_bytes(ends[1], "later", 5), MAYFLY_ETIMEDOUT, "the time ran out");
  }
  take(fd_of(ends[0]), filled);
  assert_ok(mayfly_send_bytes(ends[1], "later", 5));
  ends_expect_message(ends[0], "later", 5);
  close_ends(ends);
}

/* The pipe has room for a part of it: a write of all would wait for ever. */
static void a_send_that_a_pipe_takes_in_part_ends_sending_in_time(void **state) {
  (void)state;
  static const char message[8 * PIPE_BUF];
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  fill_pipe(fd_of(ends[1]));
  take(fd_of(ends[0]), (size_t)2 * PIPE_BUF);
  assert_ok(mayfly_connection_set_timeouts(ends[1], 0, 20));
  assert_error(mayfly_send_bytes(ends[1], message, sizeof message), MAYFLY_EPIPE, "in the middle of a message");
  assert_error(mayfly_send_bytes(ends[1], "x", 1), MAYFLY_EPIPE, "earlier message");
  close_ends(ends);
}

/* ---- the end, and what a pipe lacks --------------------------------------------------------------- */

static void the_end_of_a_pipe_is_an_end(void **state) {
  (void)state;
  const void *data;
  size_t size;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  assert_ok(mayfly_send_bytes(ends[1], "last", 4));
  assert_ok(mayfly_connection_close(ends[1]));
  mayfly_wait_item item = {.connection = ends[0]};
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  ends_expect_message(ends[0], "last", 4);
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
  assert_ok(mayfly_connection_close(ends[0]));
  adopt_pipe(ends);
  assert_int_equal(write(fd_of(ends[1]), "\0\0\0\5", 4), 4);
  assert_ok(mayfly_connection_close(ends[1]));
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EPROTO, "inside a message");
  assert_ok(mayfly_connection_close(ends[0]));
}

static void a_pipe_has_no_shutdown_and_goes_on(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  assert_error(mayfly_connection_shutdown(ends[0]), MAYFLY_ENOTSUP, "a pipe can't be");
  assert_error(mayfly_connection_shutdown(ends[1]), MAYFLY_ENOTSUP, "a pipe can't be");
  exchange(ends[1], ends[0]);
  close_ends(ends);
}

static void an_adopted_end_goes_only_the_ways_that_were_said(void **state) {
  (void)state;
  const void *data;
  size_t size;
  int fds[2];
  mayfly_connection *reader;
  assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &reader));
  assert_error(mayfly_send_bytes(reader, "x", 1), MAYFLY_EINVAL, "for receiving only");
  raw_say_message(fds[1], "x", 1);
  assert_ok(mayfly_recv_bytes(reader, SIZE_MAX, &data, &size));
  close(fds[1]);
  assert_ok(mayfly_connection_close(reader));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(messages_of_every_size_go_through_a_real_pipe),
      test(sockets_of_every_family_are_adopted),
      test(many_slices_go_through_a_real_pipe_as_one_message),
      test_in_scratch(a_fifo_that_is_open_both_ways_goes_both_ways),
      test(a_descriptor_that_does_not_block_is_waited_for),
      test(an_adopted_descriptor_is_inherited_no_more_and_closed_in_the_end),
      test(who_is_on_the_other_side_is_known_of_sockets_only),
      test(what_is_refused_stays_as_it_was),
      test(a_descriptor_that_is_none_is_refused),
      test(a_receive_from_a_pipe_that_runs_out_of_time_loses_nothing),
      test(a_send_into_a_full_pipe_of_which_nothing_left_may_be_repeated),
      test(a_send_that_a_pipe_takes_in_part_ends_sending_in_time),
      test(the_end_of_a_pipe_is_an_end),
      test(a_pipe_has_no_shutdown_and_goes_on),
      test(an_adopted_end_goes_only_the_ways_that_were_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
