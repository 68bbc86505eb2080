/* SPDX-License-Identifier: MIT */
/* descriptors.c - what is under a connection: who is on the other side, in which directions it goes, and how the
 * descriptor is set up. */
#include "child.h"
#include "ends.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd_of(const mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (int)fd;
}

/* ---- pipes ---------------------------------------------------------------------- */

static void a_one_way_pipe_is_a_reader_and_a_writer(void **state) {
  (void)state;
  const void *data = NULL;
  size_t size = 77;
  unsigned char buffer[4];
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  assert_ok(mayfly_send_bytes(ends[1], "word", 4));
  ends_expect_message(ends[0], "word", 4);

  assert_error(mayfly_send_bytes(ends[0], "x", 1), MAYFLY_EINVAL, "mayfly_send_bytes: this end");
  assert_error(mayfly_send_gather(ends[0], NULL, 0), MAYFLY_EINVAL, "for receiving only");
  assert_error(mayfly_recv_bytes(ends[1], SIZE_MAX, &data, &size), MAYFLY_EINVAL, "mayfly_recv_bytes: this end");
  assert_error(mayfly_recv_bytes_into(ends[1], buffer, 4, &size), MAYFLY_EINVAL, "for sending only");
  assert_error(mayfly_poll(ends[1], 0), MAYFLY_EINVAL, "for sending only");
  assert_error(mayfly_connection_set_readahead(ends[1], 1), MAYFLY_EINVAL, "for sending only");
  mayfly_wait_item item = {.connection = ends[1], .ready = 55};
  assert_error(mayfly_wait(&item, 1, 0), MAYFLY_EINVAL, "for sending only");
  assert_int_equal(item.ready, 55);
  for (int i = 0; i < 2; i++) {
    assert_error(mayfly_deliver_challenge(ends[i], "key", 3, 0), MAYFLY_EINVAL, "only");
    assert_error(mayfly_answer_challenge(ends[i], "key", 3, 0), MAYFLY_EINVAL, "only");
  }
  assert_null(data);
  assert_int_equal(size, 77);

  assert_ok(mayfly_send_bytes(ends[1], "still", 5));
  ends_expect_message(ends[0], "still", 5);
  assert_ok(mayfly_connection_close(ends[1]));
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(ends[0]));
}

/* In both processes too: whoever has the descriptor finds the other direction shut. */
static void a_one_way_pipe_is_shut_in_the_other_direction(void **state) {
  (void)state;
  char byte;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  assert_int_equal(send(fd_of(ends[0]), "x", 1, MSG_NOSIGNAL), -1);
  assert_int_equal(errno, EPIPE);
  assert_int_equal(read(fd_of(ends[1]), &byte, 1), 0);
  ends_close(&(struct ends){ends[0], ends[1]});
}

static void the_writer_learns_that_the_reader_is_gone(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  assert_ok(mayfly_connection_close(ends[0]));
  assert_error(mayfly_send_bytes(ends[1], "x", 1), MAYFLY_EPIPE, "the peer is gone");
  assert_ok(mayfly_connection_close(ends[1]));
}

static int echo_one(int parent, void *context) {
  struct ends *ends = context;
  const void *data;
  size_t size;
  (void)parent;
  mayfly_connection_close(ends->one);
  int failed = mayfly_recv_bytes(ends->other, SIZE_MAX, &data, &size) < 0 ||
               mayfly_send_bytes(ends->other, data, size) < 0 ||
               mayfly_recv_bytes(ends->other, SIZE_MAX, &data, &size) != MAYFLY_EOF;
  mayfly_connection_close(ends->other);
  return failed;
}

static void a_pipe_connects_a_parent_and_its_child(void **state) {
  (void)state;
  struct child child;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  child_start(&child, echo_one, &ends);
  assert_ok(mayfly_connection_close(ends.other));
  assert_ok(mayfly_send_bytes(ends.one, "there and back", 14));
  ends_expect_message(ends.one, "there and back", 14);
  assert_ok(mayfly_connection_close(ends.one));
  child_expect_exit(&child, 0);
}

/* ---- who is there ------------------------------------------------------------------ */

static int connect_and_wait(int parent, void *address) {
  mayfly_connection *connection;
  if (mayfly_connect(address, NULL, &connection) < 0)
    return 1;
  int64_t listener = mayfly_connection_peer(connection)->pid;
  child_hear(parent);
  mayfly_connection_close(connection);
  return listener == getppid() ? 0 : 2;
}

static void the_peer_is_the_process_that_connected(void **state) {
  (void)state;
  struct child child;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_address address = *mayfly_listener_address(listener);
  child_start(&child, connect_and_wait, &address);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  const mayfly_peer *peer = mayfly_connection_peer(connection);
  assert_int_equal(peer->pid, child.pid);
  assert_int_equal(peer->uid, geteuid());
  assert_int_equal(peer->gid, getegid());
  assert_int_equal(peer->same_user, 1);
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void the_peer_of_a_pipe_is_who_made_it(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  assert_int_equal(mayfly_connection_peer(ends.one)->pid, getpid());
  assert_int_equal(mayfly_connection_peer(ends.other)->uid, geteuid());
  assert_int_equal(mayfly_connection_peer(ends.other)->same_user, 1);
  ends_close(&ends);
}

static void over_inet_the_peer_is_unknown(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_INET);
  const mayfly_connection *both[] = {ends.one, ends.other};
  for (int i = 0; i < 2; i++) {
    const mayfly_peer *peer = mayfly_connection_peer(both[i]);
    assert_int_equal(peer->pid, -1);
    assert_int_equal(peer->uid, -1);
    assert_int_equal(peer->gid, -1);
    assert_int_equal(peer->same_user, -1);
  }
  ends_close(&ends);
}

/* ---- how they are set up ------------------------------------------------------------- */

static void both_ends_of_inet_send_at_once(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_INET);
  const mayfly_connection *both[] = {ends.one, ends.other};
  for (int i = 0; i < 2; i++) {
    int on = 0;
    socklen_t size = sizeof on;
    assert_return_code(getsockopt(fd_of(both[i]), IPPROTO_TCP, TCP_NODELAY, &on, &size), errno);
    assert_int_not_equal(on, 0);
  }
  ends_close(&ends);
}

static void expect_blocking(const struct ends *ends) {
  assert_int_equal(fcntl(fd_of(ends->one), F_GETFL) & O_NONBLOCK, 0);
  assert_int_equal(fcntl(fd_of(ends->other), F_GETFL) & O_NONBLOCK, 0);
}

static void use_and_look(enum ends_kind kind) {
  const void *data;
  size_t size;
  struct ends ends;
  ends_open(&ends, kind);
  expect_blocking(&ends);
  assert_ok(mayfly_connection_set_timeouts(ends.one, 0, 0));
  assert_ok(mayfly_connection_set_timeouts(ends.other, 1, 1));
  assert_error(mayfly_recv_bytes(ends.one, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  assert_ok(mayfly_send_bytes(ends.one, "x", 1));
  ends_expect_message(ends.other, "x", 1);
  assert_error(mayfly_recv_bytes(ends.other, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  expect_blocking(&ends);
  ends_close(&ends);
}

static void no_connection_is_ever_nonblocking(void **state) {
  (void)state;
  ends_of_every_kind(use_and_look);
}

static void a_connection_that_waited_for_room_is_blocking_too(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct child child;
  struct ends ends;
  mayfly_connection *first, *second;
  options.backlog = 1;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  mayfly_address address = *mayfly_listener_address(listener);
  assert_ok(mayfly_connect(&address, NULL, &first));
  assert_ok(mayfly_connect(&address, NULL, &second));
  child_start(&child, connect_and_wait, &address); /* waits for room, whenever it comes */
  for (int i = 0; i < 3; i++) {
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
    assert_int_equal(fcntl(fd_of(ends.other), F_GETFL) & O_NONBLOCK, 0);
    assert_ok(mayfly_connection_close(ends.other));
  }
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
  assert_ok(mayfly_connection_close(first));
  assert_ok(mayfly_connection_close(second));
  assert_ok(mayfly_listener_close(listener));
}

/* The descriptors that a program which we execute finds open, as text. */
static void list_in_child(char text[4096]) {
  FILE *list = popen("ls /proc/self/fd", "r");
  assert_non_null(list);
  text[fread(text, 1, 4095, list)] = '\0';
  assert_int_equal(pclose(list), 0);
}

static void an_executed_child_inherits_nothing(void **state) {
  (void)state;
  char before[4096], after[4096];
  struct ends ends[ENDS_KINDS];
  mayfly_connection *one_way[2];
  mayfly_address address;
  list_in_child(before);
  mayfly_listener *listeners[] = {ends_listen(ENDS_UNIX, NULL), ends_listen(ENDS_INET, NULL)};
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address)); /* its directory is held too */
  for (int i = 0; i < ENDS_KINDS; i++)
    ends_open(&ends[i], (enum ends_kind)i);
  assert_ok(mayfly_pipe(0, one_way));
  list_in_child(after);
  assert_string_equal(before, after);
  for (int i = 0; i < ENDS_KINDS; i++)
    ends_close(&ends[i]);
  ends_close(&(struct ends){one_way[0], one_way[1]});
  assert_ok(mayfly_listener_close(listeners[0]));
  assert_ok(mayfly_listener_close(listeners[1]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_one_way_pipe_is_a_reader_and_a_writer),
      test(a_one_way_pipe_is_shut_in_the_other_direction),
      test(the_writer_learns_that_the_reader_is_gone),
      test(a_pipe_connects_a_parent_and_its_child),
      test(the_peer_is_the_process_that_connected),
      test(the_peer_of_a_pipe_is_who_made_it),
      test(over_inet_the_peer_is_unknown),
      test(both_ends_of_inet_send_at_once),
      test(no_connection_is_ever_nonblocking),
      test(a_connection_that_waited_for_room_is_blocking_too),
      test(an_executed_child_inherits_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
