/* SPDX-License-Identifier: MIT */
/* queue_calls.c - with how many system calls what is queued leaves, and peers as only AF_UNIX has them: POSIX. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- how many system calls ---- */

static int writes;
static int blocked; /* so many more times there is no room for what is sent */

ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags) {
  writes += (flags & MSG_DONTWAIT) != 0; /* those of the library; the test's own wait */
  if ((flags & MSG_DONTWAIT) != 0 && blocked > 0) {
    blocked--;
    errno = EAGAIN;
    return -1;
  }
  return __real_send(fd, data, size, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
  writes++;
  return __real_sendmsg(fd, message, flags);
}

/* libuv's own calls are not the wrapped ones. */
#ifdef LOOP_STREAM
static void expect_writes(int expected) {
  (void)expected;
  writes = 0;
}
#else
static void expect_writes(int expected) {
  assert_int_equal(writes, expected);
  writes = 0;
}
#endif

static void the_answers_of_one_read_leave_together(void **state) {
  struct loop *loop = *state;
  enum { COUNT = 100 };
  char back[8];
  loop->on_message = loop_echo;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < COUNT; i++)
    raw_say_message(raw, "message", 7);
  writes = 0;
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == COUNT);
  expect_writes(1);
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(raw_hear_message(raw, back, sizeof back), 7);
  close(raw);
}

static void the_first_message_of_a_turn_leaves_at_once_and_the_rest_together(void **state) {
  struct loop *loop = *state;
  char back[8];
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_connection *connection = loop->accepted->connection;
  writes = 0;
  assert_int_equal(mayfly_uv_send(connection, "first", 5), 0);
  expect_writes(1);
  assert_int_equal(mayfly_uv_queued(connection), 0);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 5);
  for (int i = 0; i < 10; i++)
    assert_int_equal(mayfly_uv_send(connection, "next", 4), 0);
  assert_int_equal(mayfly_uv_queued(connection), 10 * 8);
  expect_writes(0);
  loop_turn(loop);
  expect_writes(1);
  assert_int_equal(mayfly_uv_queued(connection), 0);
  for (int i = 0; i < 10; i++)
    assert_int_equal(raw_hear_message(raw, back, sizeof back), 4);
  assert_int_equal(mayfly_uv_send(connection, "first", 5), 0);
  expect_writes(1);
  close(raw);
}

/* ---- in the handshake ---- */

/* Or its word would be taken for the next step, and it for one that has proved the key. */
static void who_speaks_before_the_challenge_has_left_is_turned_away(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw = raw_connect(loop_address(loop));
  raw_say_message(raw, "#WELCOME#", 9);
  blocked = 1;
  loop_run_until(loop, loop_stats(loop).refused_auth == 1);
  blocked = 0;
  assert_int_equal(loop->accepted_count, 0);
  close(raw);
}

/* ---- the peer is gone ---- */

static volatile sig_atomic_t pipes_broken;

static void on_sigpipe(int number) {
  (void)number;
  pipes_broken++;
}

static void a_peer_that_is_gone_raises_no_signal(void **state) {
  struct loop *loop = *state;
  struct sigaction action = {.sa_handler = on_sigpipe}, before;
  sigaction(SIGPIPE, &action, &before);
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  raw_say_message(raw, "last words", 10);
  close(raw);
  assert_error(mayfly_uv_send(loop->accepted->connection, "hello?", 6), MAYFLY_EPIPE, "");
  assert_error(mayfly_uv_send(loop->accepted->connection, "hello?", 6), MAYFLY_EPIPE, "the peer is gone");
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(loop->accepted->messages, 1); /* what came before is not lost */
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  sigaction(SIGPIPE, &before, NULL);
#ifndef LOOP_STREAM
  assert_int_equal(pipes_broken, 0);
#endif
}

static void a_peer_that_takes_nothing_more_is_heard_out_and_closed(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  raw_say_message(raw, "one", 3);
  raw_say_message(raw, "two", 3);
  shutdown(raw, SHUT_RD);
  mayfly_uv_pause(loop->accepted->connection);
  assert_error(mayfly_uv_send(loop->accepted->connection, "hello?", 6), MAYFLY_EPIPE, "");
  loop_turn(loop);
  assert_int_equal(loop->accepted->closed, 0);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EPIPE, "takes nothing more");
  assert_int_equal(loop->accepted->messages, 2);
  close(raw);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(the_answers_of_one_read_leave_together),
      test_on_loop(the_first_message_of_a_turn_leaves_at_once_and_the_rest_together),
      test_on_loop(who_speaks_before_the_challenge_has_left_is_turned_away),
      test_on_loop(a_peer_that_is_gone_raises_no_signal),
      test_on_loop(a_peer_that_takes_nothing_more_is_heard_out_and_closed),
  };
  return loop_run_tests(tests);
}
