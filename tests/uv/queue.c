/* SPDX-License-Identifier: MIT */
/* queue.c - what is waiting to leave: the marks, whose the memory is, and what becomes of it when the peer is gone. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- when it leaves ---- */

static void the_answers_of_one_read_arrive_in_order(void **state) {
  struct loop *loop = *state;
  enum { COUNT = 100 };
  int back;
  loop->on_message = loop_echo;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < COUNT; i++)
    raw_say_message(raw, &i, sizeof i);
  for (int i = 0; i < COUNT; i++) {
    assert_int_equal(loop_hear_message(loop, raw, &back, sizeof back), sizeof back);
    assert_int_equal(back, i);
  }
  assert_int_equal(loop->accepted->messages, COUNT);
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
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  sending_loop = loop;
  uv_prepare_init(&loop->uv, &before);
  uv_prepare_start(&before, send_two); /* runs before ours */
  uv_timer_start(&timer, stop_waiting, 60000, 0);
  do
    uv_run(&loop->uv, UV_RUN_ONCE); /* where there is no event it would wait for the timer */
  while (mayfly_uv_queued(loop->accepted->connection) > 0);
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

/* A mere peer of a connection whose queue has those marks. */
static int open_with_marks(struct loop *loop, mayfly_family family) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.queue_high = HIGH;
  options.queue_low = LOW;
  loop_listen(loop, family, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  return raw;
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

/* The same until the system, too, takes no more: of AF_INET it does so for a while. */
static int fill_up(struct loop *loop, mayfly_uv_connection *connection) {
  int count = 0;
  do {
    count += fill(connection);
    loop_turn(loop);
  } while (mayfly_uv_queued(connection) <= HIGH);
  return count;
}

static void hear_pieces(struct loop *loop, int raw, int count) {
  static unsigned char back[PIECE];
  for (int i = 0; i < count; i++)
    assert_int_equal(loop_hear_message(loop, raw, back, sizeof back), PIECE);
}

static void a_queue_above_its_mark_takes_nothing_until_it_has_drained(void **state) {
  struct loop *loop = *state;
  int raw = open_with_marks(loop, MAYFLY_AF_UNIX);
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
    hear_pieces(loop, raw, 1);
    heard++;
    loop_turn(loop);
  }
  assert_in_range(mayfly_uv_queued(connection), 0, LOW);
  assert_int_equal(mayfly_uv_send(connection, piece, PIECE), 0);
  hear_pieces(loop, raw, count + 1 - heard);
  assert_int_equal(loop->accepted->drained, 1);
  assert_in_range(loop_stats(loop).queue_peak, HIGH + 1, HIGH + PIECE + 4);
  close(raw);
}

enum { STREAM_PIECES = 200 };
static int pieces_left, pieces_refused;

static void send_pieces(struct end *end) {
  while (pieces_left > 0) {
    int result = mayfly_uv_send(end->connection, piece, PIECE);
    pieces_refused += result == MAYFLY_EAGAIN;
    pieces_left -= result >= 0;
    if (result != 0)
      return;
  }
}

static void send_pieces_at(struct end *end, const void *data, size_t size) {
  (void)data, (void)size;
  send_pieces(end);
}

/* As a server does that sends as long as it may. */
static void who_stops_at_the_mark_and_goes_on_when_drained_loses_nothing(void **state) {
  struct loop *loop = *state;
  pieces_left = STREAM_PIECES;
  pieces_refused = 0;
  loop->on_message = send_pieces_at;
  loop->on_drained = send_pieces;
  int raw = open_with_marks(loop, loop->family);
  raw_say_message(raw, "go", 2);
  hear_pieces(loop, raw, STREAM_PIECES);
  loop_run_until(loop, mayfly_uv_queued(loop->accepted->connection) == 0);
  assert_int_equal(pieces_refused, 0);
  assert_int_equal(loop_stats(loop).messages_out, STREAM_PIECES);
  assert_int_equal(loop_stats(loop).bytes_out, STREAM_PIECES * PIECE);
  assert_in_range(loop_stats(loop).queue_peak, 0, HIGH + PIECE + 4);
  close(raw);
}

/* More than the mark in one turn: but the system takes it, so that nobody is told to stop. (A pipe of Windows takes
 * nothing before the loop runs.) */
static void what_the_system_takes_is_not_above_the_mark(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  char back[1000];
  options.queue_high = 2000;
  loop_listen(loop, loop_family_with_halves(), &options);
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
  assert_int_equal(loop_hear_message(loop, raw, back, SIZE), 6);
  assert_int_equal(loop_hear_message(loop, raw, back, SIZE), SIZE);
  assert_memory_equal(back, data, SIZE);
  assert_int_equal(loop_hear_message(loop, raw, back, SIZE), 5);
  loop_run_until(loop, released > 0);
  loop_turn(loop);
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
  loop_listen(loop, loop_family_with_halves(), NULL); /* nothing leaves at once on a pipe of Windows */
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
  static unsigned char data[PIECE];
  given = data;
  released = 0;
  int raw = open_with_marks(loop, loop->family);
  fill(loop->accepted->connection);
  assert_error(mayfly_uv_send_owned(loop->accepted->connection, data, PIECE, release), MAYFLY_EAGAIN, "");
  loop_close(loop->accepted, 0);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(released, 0); /* it was not taken */
  close(raw);

  loop->accepted = NULL;
  raw = raw_connect(loop_address(loop));
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
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  sending = client->connection;
  to_send = 3;
  assert_in_range(mayfly_uv_send_owned(sending, large, LARGER, send_again), 0, 1);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 4);
  assert_int_equal(loop->accepted->bytes, 4 * LARGER);
  loop_run_until(loop, mayfly_uv_queued(sending) == 0);
  assert_int_equal(to_send, -1);
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
  loop_listen(loop, loop->family, NULL);
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
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  sending = client->connection;
  assert_in_range(mayfly_uv_send_owned(sending, large, LARGER, close_at_release), 0, 1);
  loop_run_until(loop, client->closed && loop->accepted != NULL && loop->accepted->closed);
  assert_closed(client, 0, "");
  assert_int_equal(loop->accepted->messages, 1);
}

/* ---- the peer is gone ---- */

/* It is not read meanwhile, so that a send is the first to find out. (A socket of Windows whose peer is gone drops what
 * it has received.) */
static void what_a_peer_said_before_it_was_gone_is_not_lost(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_pause(loop->accepted->connection);
  raw_say_message(raw, "last", 4);
  raw_say_message(raw, "words", 5);
  close(raw);
  while (mayfly_uv_send(loop->accepted->connection, "hello?", 6) == 0)
    loop_tick(loop);
  assert_error(mayfly_uv_send(loop->accepted->connection, "hello?", 6), MAYFLY_EPIPE, "the peer is gone");
  assert_int_equal(loop->accepted->closed, 0);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(loop->accepted->messages, 2);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
}

/* The loop learns of many others first, and meanwhile that a send to this one fails. */
static void last_words_are_heard_among_those_of_many(void **state) {
  struct loop *loop = *state;
  enum { OTHERS = 300 };
  int raw[OTHERS + 1];
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  for (size_t i = 0; i <= OTHERS; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_run_until(loop, loop->accepted_count == i + 1);
  }
  for (size_t i = 0; i < OTHERS; i++)
    raw_say_message(raw[i], "busy", 4);
  raw_say_message(raw[OTHERS], "last words", 10);
  close(raw[OTHERS]);
  struct end *end = loop->accepted;
  int result = mayfly_uv_send(end->connection, "hello?", 6);
  assert_true(result == 0 || result == MAYFLY_EPIPE);
  loop_run_until(loop, end->closed);
  assert_int_equal(end->messages, 1);
  for (size_t i = 0; i < OTHERS; i++)
    close(raw[i]);
}

static void sending_to_a_peer_that_is_gone_says_so(void **state) {
  struct loop *loop = *state;
  int result = 0;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_pause(loop->accepted->connection);
  close(raw);
  while ((result = mayfly_uv_send(loop->accepted->connection, "hello?", 6)) == 0)
    loop_tick(loop);
  assert_int_equal(result, MAYFLY_EPIPE);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, loop->accepted->closed);
  assert_true(loop->accepted->status == MAYFLY_EOF || loop->accepted->status == MAYFLY_ECONNRESET);
}

static void a_peer_that_dies_with_a_full_queue_ends_the_connection(void **state) {
  struct loop *loop = *state;
  int raw = open_with_marks(loop, loop->family);
  fill_up(loop, loop->accepted->connection);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_true(loop->accepted->status == MAYFLY_EOF || loop->accepted->status == MAYFLY_ECONNRESET);
}

/* As every server is told to do: at 1 it pauses, and resumes it in drained. (A socket of Windows that is reset drops
 * what it has received.) */
static void who_waits_for_it_to_drain_hears_of_a_peer_that_dies(void **state) {
  struct loop *loop = *state;
  int drops = loop->family == MAYFLY_AF_INET && mayfly_default_family() == MAYFLY_AF_PIPE;
  loop->on_drained = loop_resume;
  int raw = open_with_marks(loop, loop->family);
  fill_up(loop, loop->accepted->connection);
  int before = loop->accepted->drained;
  mayfly_uv_pause(loop->accepted->connection);
  raw_say_message(raw, "last words", 10);
  loop_turn(loop);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_in_range(loop->accepted->messages, !drops, 1);
  assert_int_equal(loop->accepted->drained, before + 1);
  assert_true(loop->accepted->status == MAYFLY_EPIPE || loop->accepted->status == MAYFLY_EOF ||
              loop->accepted->status == MAYFLY_ECONNRESET);
}

static void a_reset_with_a_full_queue_ends_the_connection(void **state) {
  struct loop *loop = *state;
  int raw = open_with_marks(loop, MAYFLY_AF_INET);
  fill_up(loop, loop->accepted->connection);
  raw_reset(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_ECONNRESET, "");
}

static void answers_to_what_came_before_nonsense_are_sent(void **state) {
  struct loop *loop = *state;
  char back[8];
  loop->on_message = loop_echo;
  loop_listen(loop, loop->family, NULL);
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
  int raw = open_with_marks(loop, loop->family);
  fill(loop->accepted->connection);
  loop_close(loop->accepted, 1);
  loop_close(loop->accepted, MAYFLY_FOREVER);
  uv_sleep(5); /* longer than the first was to take */
  while (loop_hear(loop, raw, bytes, sizeof bytes) == sizeof bytes)
    continue;
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, 0, "");
  close(raw);
}

static void what_is_queued_is_still_sent_after_the_peers_end(void **state) {
  struct loop *loop = *state;
  test_not_on_windows("Wine calls a write done that was waiting when the peer ended its sending");
  int raw = open_with_marks(loop, MAYFLY_AF_UNIX);
  int count = fill_up(loop, loop->accepted->connection);
  raw_shut_down_sending(raw);
  int before = loop->accepted->drained;
  while (mayfly_uv_send(loop->accepted->connection, "late", 4) == MAYFLY_EAGAIN)
    loop_tick(loop);
  assert_int_equal(loop->accepted->closed, 0);
  assert_error(mayfly_uv_send(loop->accepted->connection, "late", 4), MAYFLY_EPIPE, "the peer is gone");
  hear_pieces(loop, raw, count);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  assert_int_equal(loop->accepted->drained, before);
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
  test_not_on_windows("Wine calls a write done that was waiting when the peer ended its sending");
  int raw = open_with_marks(loop, MAYFLY_AF_UNIX);
  fill(loop->accepted->connection);
  raw_shut_down_sending(raw);
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
      test_over_each_family(the_answers_of_one_read_arrive_in_order),
      test_over_each_family(what_another_prepare_sends_does_not_wait),
      test_on_loop(a_queue_above_its_mark_takes_nothing_until_it_has_drained),
      test_over_each_family(who_stops_at_the_mark_and_goes_on_when_drained_loses_nothing),
      test_on_loop(what_the_system_takes_is_not_above_the_mark),
      test_on_loop(what_is_given_is_released_once_it_has_left),
      test_on_loop(what_leaves_at_once_is_released_inside_the_call),
      test_over_each_family(what_is_given_and_never_leaves_is_released_before_closed),
      test_over_each_family(a_release_may_send_again),
      test_over_each_family(a_release_may_close),
      test_over_each_family(a_release_may_close_what_never_leaves),
      test_on_loop(what_a_peer_said_before_it_was_gone_is_not_lost),
      test_on_loop(last_words_are_heard_among_those_of_many),
      test_over_each_family(sending_to_a_peer_that_is_gone_says_so),
      test_over_each_family(a_peer_that_dies_with_a_full_queue_ends_the_connection),
      test_over_each_family(who_waits_for_it_to_drain_hears_of_a_peer_that_dies),
      test_on_loop(a_reset_with_a_full_queue_ends_the_connection),
      test_over_each_family(answers_to_what_came_before_nonsense_are_sent),
      test_over_each_family(a_second_close_may_give_a_flush_all_the_time),
      test_on_loop(what_is_queued_is_still_sent_after_the_peers_end),
      test_on_loop(each_visits_those_whose_peer_has_ended_and_does_not_read),
  };
  return loop_run_tests(tests);
}
