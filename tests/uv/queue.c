/* SPDX-License-Identifier: MIT */
/* queue.c - what is waiting to leave: when it does, the marks, and whose the memory is. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- nothing waits for an event that does not come ---- */

static struct loop *sending_loop;

static void send_two(uv_prepare_t *prepare) {
  uv_prepare_stop(prepare); /* once */
  for (int i = 0; i < 2; i++)
    assert_int_equal(mayfly_uv_send(sending_loop->accepted->connection, "prepared", 8), 0);
}

static void wait_for_turn(uv_prepare_t *prepare) {
  if (sending_loop != NULL)
    send_two(prepare);
}

static void stop_waiting(uv_timer_t *timer) {
  (void)timer;
  fail_msg("what another prepare callback sent waited for an event");
}

static void what_another_prepare_sends_does_not_wait(void **state) {
  struct loop *loop = *state;
  uv_prepare_t before, after;
  sending_loop = NULL;
  uv_timer_t timer;
  char back[8];
  uv_prepare_init(&loop->uv, &after);
  uv_timer_init(&loop->uv, &timer);
  uv_prepare_start(&after, wait_for_turn); /* what was started first runs last */
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  sending_loop = loop;
  uv_prepare_init(&loop->uv, &before);
  uv_prepare_start(&before, send_two); /* runs before ours */
  uv_timer_start(&timer, stop_waiting, 5000, 0);
  uv_run(&loop->uv, UV_RUN_ONCE); /* there is no event: it would wait for the timer */
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  for (int i = 0; i < 4; i++)
    assert_int_equal(raw_hear_message(raw, back, sizeof back), 8);
  uv_close((uv_handle_t *)&before, NULL);
  uv_close((uv_handle_t *)&after, NULL);
  uv_close((uv_handle_t *)&timer, NULL);
  loop_turn(loop);
  close(raw);
}

/* ---- marks ---- */

enum { HIGH = 100000, LOW = 20000, PIECE = 10000 };
static const unsigned char piece[PIECE];

static void open_with_marks(struct loop *loop, int *raw) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.queue_high = HIGH;
  options.queue_low = LOW;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  *raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
}

/* Until it is above the mark; how many it took. */
static int fill(mayfly_uv_connection *connection) {
  for (int count = 1;; count++) {
    int result = mayfly_uv_send(connection, piece, PIECE);
    assert_in_range(result, 0, 1);
    if (result == 1)
      return count;
  }
}

static void hear_pieces(int raw, int count) {
  static unsigned char back[PIECE];
  for (int i = 0; i < count; i++)
    assert_int_equal(raw_hear_message(raw, back, sizeof back), PIECE);
}

static void a_queue_above_its_mark_takes_nothing_until_it_has_drained(void **state) {
  struct loop *loop = *state;
  int raw;
  open_with_marks(loop, &raw);
  mayfly_uv_connection *connection = loop->accepted->connection;
  int count = fill(connection);
  assert_in_range(mayfly_uv_queued(connection), HIGH + 1, HIGH + PIECE + 4);
  assert_error(mayfly_uv_send(connection, piece, PIECE), MAYFLY_EAGAIN, "are queued already");
  loop_turn(loop);
  assert_int_equal(loop->accepted->drained, 0);
  assert_error(mayfly_uv_send(connection, "", 0), MAYFLY_EAGAIN, "");
  int heard = 0;
  while (!loop->accepted->drained) {
    assert_true(mayfly_uv_queued(connection) > LOW);
    hear_pieces(raw, 1);
    heard++;
    loop_turn(loop);
  }
  assert_in_range(mayfly_uv_queued(connection), 0, LOW);
  assert_int_equal(mayfly_uv_send(connection, piece, PIECE), 0);
  hear_pieces(raw, count + 1 - heard);
  assert_int_equal(loop->accepted->drained, 1);
  assert_in_range(loop_stats(loop).queue_peak, HIGH + 1, HIGH + PIECE + 4);
  close(raw);
}

/* More than the mark in one turn: but the system takes it, so that nobody is told to stop. */
static void what_the_system_takes_is_not_above_the_mark(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  char back[1000];
  options.queue_high = 2000;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  for (int i = 0; i < 20; i++)
    assert_int_equal(mayfly_uv_send(loop->accepted->connection, piece, 1000), 0);
  loop_turn(loop);
  for (int i = 0; i < 20; i++)
    assert_int_equal(raw_hear_message(raw, back, sizeof back), 1000);
  assert_int_equal(loop->accepted->drained, 0);
  close(raw);
}

/* ---- what is given for good ---- */

static int released;
static void *given;

static void release(void *data) {
  assert_ptr_equal(data, given);
  released++;
}

static void what_is_given_is_released_once_it_has_left(void **state) {
  struct loop *loop = *state;
  enum { SIZE = 1000000 };
  unsigned char *data = malloc(SIZE), *back = malloc(SIZE);
  assert_non_null(data);
  assert_non_null(back);
  memset(data, 'g', SIZE);
  given = data;
  released = 0;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_connection *connection = loop->accepted->connection;
  assert_int_equal(mayfly_uv_send(connection, "before", 6), 0);
  assert_int_equal(mayfly_uv_send_owned(connection, data, SIZE, release), 0);
  assert_int_equal(mayfly_uv_send(connection, "after", 5), 0);
  loop_turn(loop);
  assert_int_equal(released, 0);
  assert_int_equal(raw_hear_message(raw, back, SIZE), 6);
  for (size_t have = 0; have < SIZE + 4;) { /* in pieces, since the other side runs in this thread */
    ssize_t count = recv(raw, back, SIZE + 4 - have < SIZE ? SIZE + 4 - have : SIZE, MSG_DONTWAIT);
    have += count > 0 ? (size_t)count : 0;
    loop_turn(loop);
  }
  assert_int_equal(raw_hear_message(raw, back, SIZE), 5);
  assert_int_equal(released, 1);
  close(raw);
  free(back);
  free(data);
}

static void what_leaves_at_once_is_released_inside_the_call(void **state) {
  struct loop *loop = *state;
  char data[] = "given", back[8];
  given = data;
  released = 0;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  assert_int_equal(mayfly_uv_send_owned(loop->accepted->connection, data, 5, release), 0);
  assert_int_equal(released, 1);
  assert_int_equal(mayfly_uv_send_owned(loop->accepted->connection, data, 0, release), 0); /* of no bytes, and queued */
  assert_int_equal(mayfly_uv_send_owned(loop->accepted->connection, NULL, 0, NULL), 0);
  assert_int_equal(mayfly_uv_send_owned(loop->accepted->connection, data, 5, NULL), 0);
  loop_turn(loop);
  assert_int_equal(released, 2);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 5);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 0);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 0);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 5);
  close(raw);
}

static void what_is_given_and_never_leaves_is_released_before_closed(void **state) {
  struct loop *loop = *state;
  int raw;
  static unsigned char data[PIECE];
  given = data;
  released = 0;
  open_with_marks(loop, &raw);
  fill(loop->accepted->connection);
  assert_error(mayfly_uv_send_owned(loop->accepted->connection, data, PIECE, release), MAYFLY_EAGAIN, "");
  loop_close(loop->accepted, 0);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(released, 0); /* it was not taken */
  close(raw);

  raw = raw_connect(loop_address(loop));
  loop->accepted = NULL;
  loop_run_until(loop, loop->accepted != NULL);
  while (mayfly_uv_send(loop->accepted->connection, piece, 1000) == 0 &&
         mayfly_uv_queued(loop->accepted->connection) < HIGH / 2)
    continue;
  assert_int_equal(mayfly_uv_send_owned(loop->accepted->connection, data, PIECE, release), 0);
  loop_close(loop->accepted, 0);
  assert_int_equal(released, 0);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(released, 1);
  close(raw);
}

enum { LARGER = 1 << 20 }; /* than what a socket takes */

static mayfly_uv_connection *sending;
static int to_send;

static void send_again(void *data) {
  if (to_send-- > 0)
    assert_in_range(mayfly_uv_send_owned(sending, data, LARGER, send_again), 0, 1);
}

static void a_release_may_send_again(void **state) {
  static unsigned char large[LARGER];
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  struct end *client = loop_connect(loop, NULL);
  sending = client->connection;
  to_send = 3;
  assert_in_range(mayfly_uv_send_owned(sending, large, LARGER, send_again), 0, 1);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 4);
  assert_int_equal(loop->accepted->bytes, 4 * LARGER);
  assert_int_equal(to_send, -1);
  assert_int_equal(mayfly_uv_queued(sending), 0);
}

static void close_at_release(void *data) {
  (void)data;
  mayfly_uv_connection_close(sending, 0);
}

static void flush_at_release(void *data) {
  (void)data;
  mayfly_uv_connection_close(sending, MAYFLY_FOREVER);
}

static void a_release_may_close_what_never_leaves(void **state) {
  static unsigned char large[LARGER];
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  sending = loop->accepted->connection;
  assert_in_range(mayfly_uv_send_owned(sending, large, LARGER, flush_at_release), 0, 1);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
}

static void a_release_may_close(void **state) {
  static unsigned char large[LARGER];
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  struct end *client = loop_connect(loop, NULL);
  sending = client->connection;
  assert_in_range(mayfly_uv_send_owned(sending, large, LARGER, close_at_release), 0, 1);
  loop_run_until(loop, client->closed && loop->accepted->closed);
  assert_closed(client, 0, "");
  assert_int_equal(loop->accepted->messages, 1);
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

static void a_peer_that_dies_with_a_full_queue_ends_the_connection(void **state) {
  struct loop *loop = *state;
  int raw;
  open_with_marks(loop, &raw);
  fill(loop->accepted->connection);
  loop_turn(loop);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_true(loop->accepted->status == MAYFLY_EOF || loop->accepted->status == MAYFLY_ECONNRESET);
}

/* As every server is told to do: at 1 it pauses, and resumes it in drained. */
static void who_waits_for_it_to_drain_hears_of_a_peer_that_dies(void **state) {
  struct loop *loop = *state;
  int raw;
  loop->on_drained = loop_resume;
  open_with_marks(loop, &raw);
  fill(loop->accepted->connection);
  mayfly_uv_pause(loop->accepted->connection);
  raw_say_message(raw, "last words", 10);
  loop_turn(loop);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(loop->accepted->messages, 1);
  assert_int_equal(loop->accepted->drained, 1);
  assert_true(loop->accepted->status == MAYFLY_EPIPE || loop->accepted->status == MAYFLY_EOF ||
              loop->accepted->status == MAYFLY_ECONNRESET);
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

static void answers_to_what_came_before_nonsense_are_sent(void **state) {
  struct loop *loop = *state;
  char back[8];
  loop->on_message = loop_echo;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  raw_say(raw, "\0\0\0\4ping\x80\0\0\0", 12);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EPROTO, "length that is none");
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 4);
  close(raw);
}

static void a_second_close_may_give_a_flush_all_the_time(void **state) {
  struct loop *loop = *state;
  unsigned char bytes[20000];
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  fill(loop->accepted->connection);
  loop_close(loop->accepted, 1);
  loop_close(loop->accepted, MAYFLY_FOREVER);
  uv_sleep(5); /* longer than the first was to take */
  while (!loop->accepted->closed) {
    loop_turn(loop);
    recv(raw, bytes, sizeof bytes, MSG_DONTWAIT);
  }
  assert_closed(loop->accepted, 0, "");
  close(raw);
}

static void what_is_queued_is_still_sent_after_the_peers_end(void **state) {
  struct loop *loop = *state;
  int raw;
  open_with_marks(loop, &raw);
  int count = fill(loop->accepted->connection);
  shutdown(raw, SHUT_WR);
  loop_turn(loop);
  assert_int_equal(loop->accepted->closed, 0);
  assert_error(mayfly_uv_send(loop->accepted->connection, "late", 4), MAYFLY_EPIPE, "the peer is gone");
  for (; count > 0; count--) {
    hear_pieces(raw, 1);
    loop_turn(loop);
  }
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  assert_int_equal(loop->accepted->drained, 0);
  close(raw);
}

static void close_visited(mayfly_uv_connection *connection, void *context) {
  ++*(int *)context;
  assert_error(mayfly_uv_send(connection, "late", 4), MAYFLY_EPIPE, "the peer is gone");
  mayfly_uv_connection_close(connection, 1); /* in vain: it does not read */
}

/* Or a program could not end, whose only way to its connections this is. */
static void each_visits_those_whose_peer_has_ended_and_does_not_read(void **state) {
  struct loop *loop = *state;
  int visited = 0;
  int raw;
  open_with_marks(loop, &raw);
  fill(loop->accepted->connection);
  shutdown(raw, SHUT_WR);
  loop_turn(loop);
  assert_int_equal(loop->accepted->closed, 0);
  mayfly_uv_listener_each(loop->listener, close_visited, &visited);
  mayfly_uv_listener_each(loop->listener, close_visited, &visited);
  assert_int_equal(visited, 1);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  close(raw);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(the_answers_of_one_read_leave_together),
      test_on_loop(the_first_message_of_a_turn_leaves_at_once_and_the_rest_together),
      test_on_loop(what_another_prepare_sends_does_not_wait),
      test_on_loop(a_queue_above_its_mark_takes_nothing_until_it_has_drained),
      test_on_loop(what_the_system_takes_is_not_above_the_mark),
      test_on_loop(what_is_given_is_released_once_it_has_left),
      test_on_loop(what_leaves_at_once_is_released_inside_the_call),
      test_on_loop(what_is_given_and_never_leaves_is_released_before_closed),
      test_on_loop(a_release_may_send_again),
      test_on_loop(a_release_may_close),
      test_on_loop(a_release_may_close_what_never_leaves),
      test_on_loop(who_speaks_before_the_challenge_has_left_is_turned_away),
      test_on_loop(a_peer_that_is_gone_raises_no_signal),
      test_on_loop(a_peer_that_dies_with_a_full_queue_ends_the_connection),
      test_on_loop(who_waits_for_it_to_drain_hears_of_a_peer_that_dies),
      test_on_loop(a_peer_that_takes_nothing_more_is_heard_out_and_closed),
      test_on_loop(answers_to_what_came_before_nonsense_are_sent),
      test_on_loop(a_second_close_may_give_a_flush_all_the_time),
      test_on_loop(what_is_queued_is_still_sent_after_the_peers_end),
      test_on_loop(each_visits_those_whose_peer_has_ended_and_does_not_read),
  };
  return loop_run_tests(tests);
}
