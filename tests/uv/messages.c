/* SPDX-License-Identifier: MIT */
/* messages.c - messages through a loop: whole ones, in order, from and to every kind of peer. */
#include "background.h"
#include "ends.h"
#include "loop.h"
#include "pattern.h"
#include "raw.h"
#include "result.h"
#include "rounds.h"
#include "sleeper.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- whole messages ---- */

/* A client in another thread: sends each of the sizes and wants it back. */
static const size_t sizes[] = {0,     1,     3,     4095,  4096,   8187,    8188, 8189,
                               65531, 65532, 65536, 65537, 200000, 3000000, 0,    5};
enum { SIZES = sizeof sizes / sizeof sizes[0], LARGEST = 3000000 };

struct talk {
  const mayfly_address *address;
  const unsigned char *pattern;
};

static int wants_all_back(void *context) {
  const struct talk *talk = context;
  mayfly_connection *connection;
  int result = mayfly_connect(talk->address, NULL, &connection);
  for (int i = 0; result == 0 && i < SIZES; i++) {
    const void *data;
    size_t size;
    result = mayfly_send_bytes(connection, talk->pattern, sizes[i]);
    if (result == 0)
      result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
    if (result == 0 && (size != sizes[i] || memcmp(data, talk->pattern, size) != 0))
      result = MAYFLY_EPROTO;
  }
  return result < 0 ? result : mayfly_connection_close(connection);
}

static void a_blocking_client_gets_back_what_it_sends(void **state) {
  struct loop *loop = *state;
  unsigned char *pattern = malloc(LARGEST);
  assert_non_null(pattern);
  pattern_fill(pattern, LARGEST);
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  struct background client;
  loop_listen(loop, loop->family, NULL);
  struct talk talk = {loop_address(loop), pattern};
  background_start(&client, wants_all_back, &talk);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  background_expect_ok(&client);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
  assert_int_equal(loop->accepted->messages, SIZES);
  free(pattern);
}

static int next_size; /* of those that a client on the loop sends */
static unsigned char *loops_pattern;

static void send_next(struct end *end) {
  if (next_size < SIZES)
    assert_in_range(mayfly_uv_send(end->connection, loops_pattern, sizes[next_size]), 0, 1);
}

static void compare_and_send_next(struct end *end, const void *data, size_t size) {
  assert_int_equal(size, sizes[next_size]);
  assert_memory_equal(data, loops_pattern, size);
  next_size++;
  send_next(end);
}

static void a_client_on_the_loop_gets_back_what_it_sends(void **state) {
  struct loop *loop = *state;
  loops_pattern = malloc(LARGEST);
  assert_non_null(loops_pattern);
  pattern_fill(loops_pattern, LARGEST);
  loop->on_message = loop_echo;
  loop->on_drained = loop_resume;
  next_size = 0;
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  client->on_opened = send_next;
  client->on_message = compare_and_send_next;
  loop_run_until(loop, client->messages == SIZES);
  loop_close(client, 0);
  loop_run_until(loop, client->closed && loop->accepted->closed);
  free(loops_pattern);
}

/* ---- pieces ---- */

static void a_message_that_comes_byte_by_byte_is_whole(void **state) {
  struct loop *loop = *state;
  const unsigned char bytes[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 1, 'd'};
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  for (size_t i = 0; i < sizeof bytes; i++) {
    int whole = (i >= 6) + (i >= 10) + (i >= 15);
    raw_say(raw, bytes + i, 1);
    loop_run_until(loop, loop->accepted->messages >= whole);
    loop_turn(loop);
    assert_int_equal(loop->accepted->messages, whole);
  }
  assert_int_equal(loop->accepted->bytes, 4);
  close(raw);
}

/* In another thread, since a pipe of Windows is soon full. */
struct saying {
  struct background background;
  int raw;
  const unsigned char *bytes;
  size_t size;
};

static int say_in_pieces(void *context) {
  enum { PIECE = 7000 };
  const struct saying *saying = context;
  int result = 0;
  for (size_t said = 0; result == 0 && said < saying->size; said += PIECE)
    result =
        raw_try_to_say(saying->raw, saying->bytes + said, saying->size - said < PIECE ? saying->size - said : PIECE);
  return result;
}

static void say_meanwhile(struct saying *saying, int raw, const unsigned char *bytes, size_t size) {
  saying->raw = raw;
  saying->bytes = bytes;
  saying->size = size;
  background_start(&saying->background, say_in_pieces, saying);
}

static void a_large_message_may_come_in_the_long_form_and_in_pieces(void **state) {
  struct loop *loop = *state;
  enum { SIZE = 300000 };
  unsigned char *pattern = malloc(SIZE);
  struct saying saying;
  assert_non_null(pattern);
  pattern_fill(pattern, SIZE);
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  raw_say_long_length(raw, SIZE);
  say_meanwhile(&saying, raw, pattern, SIZE);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 1);
  background_expect_ok(&saying.background);
  assert_int_equal(loop->accepted->last_size, SIZE);
  assert_memory_equal(loop->accepted->last, pattern, sizeof loop->accepted->last);
  close(raw);
  free(pattern);
}

static void thousands_of_small_messages_come_in_order(void **state) {
  struct loop *loop = *state;
  enum { EACH = 100 };
  uint32_t count = (uint32_t)rounds_here(5000);
  loop->on_message = loop_echo;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (uint32_t i = 0; i < count; i++) {
    uint32_t back;
    raw_say_message(raw, &i, sizeof i);
    for (uint32_t expected = i + 1 - EACH; i % EACH == EACH - 1 && expected <= i; expected++) {
      assert_int_equal(loop_hear_message(loop, raw, &back, sizeof back), sizeof back);
      assert_int_equal(back, expected);
    }
  }
  mayfly_uv_stats stats = loop_stats(loop);
  assert_int_equal(stats.messages_in, count);
  assert_int_equal(stats.messages_out, count);
  assert_int_equal(stats.bytes_in, count * sizeof(uint32_t));
  assert_int_equal(stats.bytes_out, count * sizeof(uint32_t));
  assert_int_equal(stats.open, 1);
  close(raw);
}

/* ---- what is no message ---- */

static void expect_end(struct loop *loop, int status, const char *words) {
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, status, words);
  assert_int_equal(loop->accepted->messages, 1);
  loop->accepted = NULL;
}

static int connect_and_say_one(struct loop *loop) {
  int raw = raw_connect(loop_address(loop));
  raw_say_message(raw, "first", 5);
  return raw;
}

static void what_is_no_message_ends_the_connection_after_those_before_it(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.message_size_max = 1000;
  loop_listen(loop, loop->family, &options);
  int raw = connect_and_say_one(loop);
  raw_say_length(raw, 0x80000000);
  expect_end(loop, MAYFLY_EPROTO, "a length that is none");
  close(raw);
  raw = connect_and_say_one(loop);
  raw_say_length(raw, 1001);
  expect_end(loop, MAYFLY_EMSGSIZE, "over the limit of 1000 bytes");
  close(raw);
  raw = connect_and_say_one(loop);
  raw_say_length(raw, 1000);
  raw_say(raw, "part", 4);
  close(raw);
  expect_end(loop, MAYFLY_EPROTO, "inside a message, 8 bytes after its beginning");
  raw = connect_and_say_one(loop);
  raw_say(raw, "\0\0", 2);
  close(raw);
  expect_end(loop, MAYFLY_EPROTO, "inside a message");
  raw = connect_and_say_one(loop);
  close(raw);
  expect_end(loop, MAYFLY_EOF, "the peer closed");
}

#ifdef LOOP_STREAM
static const int reset = MAYFLY_EOF; /* libuv takes it for an end where it comes with one */
#else
static const int reset = MAYFLY_ECONNRESET;
#endif

static void what_arrived_before_a_reset_is_delivered_first(void **state) {
  struct loop *loop = *state;
  test_not_on_windows("a pipe's end is no reset, and what arrived before one is lost");
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  assert_int_equal(mayfly_uv_send(loop->accepted->connection, "unread", 6), 0);
  raw_say_message(raw, "one", 3);
  raw_say_message(raw, "two", 3);
  close(raw); /* with a message unread: a reset */
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(loop->accepted->messages, 2);
  assert_closed(loop->accepted, reset, "");
}

/* ---- pausing ---- */

static void pause_after_second(struct end *end, const void *data, size_t size) {
  (void)data, (void)size;
  if (end->messages == 2)
    mayfly_uv_pause(end->connection);
}

static void a_pause_stops_in_the_middle_of_a_batch(void **state) {
  struct loop *loop = *state;
  loop->on_message = pause_after_second;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < 5; i++)
    raw_say_message(raw, "message", 7);
  raw_say(raw, "\0\0", 2);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 2);
  loop_turn(loop);
  assert_int_equal(loop->accepted->messages, 2);
  mayfly_uv_resume(loop->accepted->connection);
  assert_int_equal(loop->accepted->messages, 2);       /* it calls no handler itself */
  loop_run_until(loop, loop->accepted->messages == 5); /* without new input */
  raw_say(raw, "\0\1x", 3);
  loop_run_until(loop, loop->accepted->messages == 6);
  assert_int_equal(loop->accepted->last[0], 'x');
  close(raw);
}

static void what_is_paused_again_inside_goes_on_where_it_stopped(void **state) {
  struct loop *loop = *state;
  loop->on_message = pause_after_second;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (unsigned char i = 0; i < 6; i++)
    raw_say_message(raw, &i, 1);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 2);
  for (int i = 2; i <= 6; i++) {
    assert_int_equal(loop->accepted->messages, i);
    assert_int_equal(loop->accepted->last[0], i - 1);
    loop->accepted->messages = 1; /* the next one is the second again */
    mayfly_uv_resume(loop->accepted->connection);
    loop_turn(loop);
    loop->accepted->messages += i - 1;
  }
  assert_int_equal(loop->accepted->bytes, 6);
  close(raw);
}

static void pause_and_resume(struct end *end, const void *data, size_t size) {
  (void)data, (void)size;
  mayfly_uv_pause(end->connection);
  mayfly_uv_resume(end->connection);
}

static void pausing_and_resuming_in_a_handler_is_nothing(void **state) {
  struct loop *loop = *state;
  loop->on_message = pause_and_resume;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < 5; i++)
    raw_say_message(raw, "message", 7);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 5);
  raw_say_message(raw, "message", 7);
  loop_run_until(loop, loop->accepted->messages == 6);
  close(raw);
}

static void the_end_of_a_paused_connection_shows_after_what_came_before(void **state) {
  struct loop *loop = *state;
  loop->on_message = pause_after_second;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < 5; i++)
    raw_say_message(raw, "message", 7);
  close(raw);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 2);
  loop_turn(loop);
  assert_int_equal(loop->accepted->closed, 0);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, loop->accepted->closed);
  assert_int_equal(loop->accepted->messages, 5);
  assert_closed(loop->accepted, MAYFLY_EOF, "the peer closed");
}

static void a_paused_connection_leaves_its_peer_waiting(void **state) {
  struct loop *loop = *state;
  size_t size = sleeper_size(loop_kind(loop));
  struct saying saying;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_pause(loop->accepted->connection);
  mayfly_uv_pause(loop->accepted->connection);
  say_meanwhile(&saying, raw, (const unsigned char *)sleeper_large, size); /* empty messages */
  background_await_asleep(&saying.background);
  loop_turn(loop);
  assert_int_equal(loop->accepted->messages, 0);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, (size_t)loop->accepted->messages == size / 4);
  background_expect_ok(&saying.background);
  close(raw);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_over_each_family(a_blocking_client_gets_back_what_it_sends),
      test_over_each_family(a_client_on_the_loop_gets_back_what_it_sends),
      test_over_each_family(a_message_that_comes_byte_by_byte_is_whole),
      test_over_each_family(a_large_message_may_come_in_the_long_form_and_in_pieces),
      test_over_each_family(thousands_of_small_messages_come_in_order),
      test_over_each_family(what_is_no_message_ends_the_connection_after_those_before_it),
      test_on_loop(what_arrived_before_a_reset_is_delivered_first),
      test_over_each_family(a_pause_stops_in_the_middle_of_a_batch),
      test_over_each_family(what_is_paused_again_inside_goes_on_where_it_stopped),
      test_over_each_family(pausing_and_resuming_in_a_handler_is_nothing),
      test_over_each_family(the_end_of_a_paused_connection_shows_after_what_came_before),
      test_on_loop(a_paused_connection_leaves_its_peer_waiting),
  };
  return loop_run_tests(tests);
}
