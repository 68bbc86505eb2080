/* SPDX-License-Identifier: MIT */
/* closing.c - the end of connections and listeners on a loop: from any handler, at any moment, once. What is checked at
 * the end of every test (loop.h) is most of it. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <string.h>
#include <unistd.h>

/* ---- from handlers ---- */

static void close_now(struct end *end) {
  loop_close(end, 0);
  loop_close(end, 0);
  loop_close(end, 100);
}

static void close_at_message(struct end *end, const void *data, size_t size) {
  (void)data, (void)size;
  close_now(end);
}

static void closing_inside_opened_is_the_last_but_closed(void **state) {
  struct loop *loop = *state;
  loop->on_opened = close_now;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  raw_say_message(raw, "message", 7);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, 0, "");
  assert_int_equal(loop->accepted->messages, 0);
  close(raw);
}

static void closing_inside_message_drops_the_rest_of_the_batch(void **state) {
  struct loop *loop = *state;
  loop->on_message = close_at_message;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  for (int i = 0; i < 3; i++)
    raw_say_message(raw, "message", 7);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, 0, "");
  assert_int_equal(loop->accepted->messages, 1);
  close(raw);
}

static void closing_inside_a_large_message_is_the_same(void **state) {
  struct loop *loop = *state;
  static const unsigned char large[100000];
  loop->on_message = close_at_message;
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  assert_int_equal(mayfly_uv_send(client->connection, large, sizeof large), 0);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed && client->closed);
  assert_int_equal(loop->accepted->last_size, sizeof large);
}

static struct end *victim;

static void close_the_other(struct end *end, const void *data, size_t size) {
  (void)end, (void)data, (void)size;
  loop_close(victim, 0);
}

static void a_handler_may_close_another_connection(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, loop->family, NULL);
  int raw[2] = {raw_connect(loop_address(loop)), raw_connect(loop_address(loop))};
  loop_run_until(loop, loop->accepted_count == 2);
  victim = loop->ends[0];
  loop->ends[1]->on_message = close_the_other;
  raw_say_message(raw[0], "both ready", 10); /* in the same turn */
  raw_say_message(raw[1], "both ready", 10);
  loop_run_until(loop, victim->closed);
  assert_closed(victim, 0, "");
  assert_int_equal(loop->ends[1]->closed, 0);
  close(raw[0]);
  close(raw[1]);
}

static void answer_and_close(struct end *end, const void *data, size_t size) {
  assert_int_equal(mayfly_uv_send(end->connection, data, size), 0);
  loop_close(end, MAYFLY_FOREVER);
  assert_error(mayfly_uv_send(end->connection, data, size), MAYFLY_ECANCELED, "was closed");
}

static void an_answer_before_a_close_that_flushes_is_sent(void **state) {
  struct loop *loop = *state;
  char back[8];
  loop->on_message = answer_and_close;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  raw_say_message(raw, "ping", 4);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_closed(loop->accepted, 0, "");
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 4);
  close(raw);
}

static void send_and_close(struct end *end) {
  assert_int_equal(mayfly_uv_send(end->connection, "the time", 8), 0);
  loop_close(end, MAYFLY_FOREVER);
}

static void a_loop_whose_connection_sent_and_closed_waits_again(void **state) {
  struct loop *loop = *state;
  char said[16];
  loop->on_opened = send_and_close;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->closed);
  assert_int_equal(raw_hear_message(raw, said, sizeof said), 8);
  loop_turn(loop);
  assert_int_equal(uv_backend_timeout(&loop->uv), -1); /* until something comes */
  close(raw);
}

static void connect_again(struct end *end) {
  if (end->loop->count < 5) {
    struct end *next = loop_connect(end->loop, NULL);
    next->on_opened = close_now;
    next->on_closed = connect_again;
  }
}

static void closed_may_connect_anew(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  client->on_opened = close_now;
  client->on_closed = connect_again;
  loop_run_until(loop, loop->count >= 5 && loop->ends[loop->count - 1]->closed);
}

static void pause_and_resume(struct end *end) {
  mayfly_uv_pause(end->connection);
  mayfly_uv_resume(end->connection);
}

static void pausing_and_resuming_one_that_is_closing_is_nothing(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, loop->family, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  struct end *end = loop->accepted;
  mayfly_uv_pause(end->connection);
  close(raw);
  while (mayfly_uv_send(end->connection, "gone?", 5) != MAYFLY_EPIPE)
    loop_turn(loop);
  end->on_closed = pause_and_resume;
  loop_close(end, 0);
  pause_and_resume(end);
  loop_run_until(loop, end->closed);
  assert_closed(end, 0, "");
  loop_turn(loop);
}

/* ---- before it is open ---- */

static void closing_at_once_comes_from_the_loop(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  close_now(client);
  assert_int_equal(client->closed, 0);
  loop_run_until(loop, client->closed);
  assert_closed(client, 0, "");
  assert_int_equal(client->opened, 0);
}

static void closing_while_a_host_is_resolved(void **state) {
  struct loop *loop = *state;
  const mayfly_address address = {MAYFLY_AF_INET, 1, "localhost"};
  struct end *client = loop_connect_to(loop, &address, NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  close_now(client);
  loop_run_until(loop, client->closed);
  assert_closed(client, 0, "");
}

static void closing_inside_the_handshake(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  loop_listen(loop, loop->family, &options);
  for (int turns = 0; turns < 8; turns++) {
    struct end *client = loop_connect(loop, &options);
    for (int i = 0; i < turns; i++)
      uv_run(&loop->uv, UV_RUN_NOWAIT);
    close_now(client);
    loop_run_until(loop, client->closed);
    assert_closed(client, 0, "");
  }
}

static void what_is_sent_and_closed_at_once_arrives(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  loop_listen(loop, loop->family, &options);
  struct end *client = loop_connect(loop, &options);
  assert_int_equal(mayfly_uv_send(client->connection, "and forget", 10), 0);
  loop_close(client, 5000);
  assert_error(mayfly_uv_send(client->connection, "more", 4), MAYFLY_ECANCELED, "was closed");
  loop_run_until(loop, client->closed && loop->accepted != NULL && loop->accepted->messages == 1);
  assert_closed(client, 0, "");
  assert_int_equal(client->opened, 0);
}

/* ---- a flush ---- */

static void fill_up(struct end *end) {
  static const unsigned char piece[10000];
  while (mayfly_uv_send(end->connection, piece, sizeof piece) == 0)
    continue;
}

static void a_flush_that_takes_too_long_is_given_up(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  fill_up(loop->accepted);
  loop_close(loop->accepted, 30);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, MAYFLY_ETIMEDOUT, "were not taken in time");
  close(raw);
}

static void a_second_close_ends_a_flush(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  fill_up(loop->accepted);
  loop_close(loop->accepted, MAYFLY_FOREVER);
  loop_turn(loop);
  assert_int_equal(loop->accepted->closed, 0);
  loop_close(loop->accepted, 0);
  loop_run_until(loop, loop->accepted->closed);
  assert_closed(loop->accepted, 0, "");
  close(raw);
}

static void a_flush_to_a_peer_that_dies_has_failed(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  fill_up(loop->accepted);
  loop_close(loop->accepted, MAYFLY_FOREVER);
  loop_turn(loop);
  close(raw);
  loop_run_until(loop, loop->accepted->closed);
  assert_true(loop->accepted->status == MAYFLY_EPIPE || loop->accepted->status == MAYFLY_ECONNRESET);
}

/* ---- listeners ---- */

static int closed_with;

static void count_closed(void *data) {
  closed_with = data != NULL;
}

static void a_closed_listener_leaves_its_connections_alive(void **state) {
  struct loop *loop = *state;
  char back[8];
  loop->on_message = loop_echo;
  loop_listen(loop, loop->family, NULL);
  const mayfly_address address = *loop_address(loop);
  int raw = raw_connect(&address);
  loop_run_until(loop, loop->accepted != NULL);
  closed_with = 0;
  mayfly_uv_listener_close(loop->listener, count_closed);
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
  if (address.family == MAYFLY_AF_UNIX)
    assert_int_equal(access(address.name, F_OK), -1);
  assert_int_equal(closed_with, 0);
  loop_run_until(loop, closed_with);
  raw_say_message(raw, "still", 5);
  loop_run_until(loop, loop->accepted->messages == 1);
  assert_int_equal(raw_hear_message(raw, back, sizeof back), 5);
  close(raw);
}

static void a_closed_listener_drops_those_who_are_proving_the_key(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  char bytes[200];
  options.authkey = "secret";
  options.authkey_size = 6;
  loop_listen(loop, loop->family, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop_stats(loop).opening == 1);
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
  loop_turn(loop);
  assert_in_range(raw_hear(raw, bytes, sizeof bytes), 4, 100);
  close(raw);
}

static void close_and_shut(struct end *end) {
  mayfly_uv_listener_close(end->loop->listener, NULL);
  end->loop->listener = NULL;
}

static void a_handler_may_close_the_listener(void **state) {
  struct loop *loop = *state;
  loop->on_opened = close_and_shut;
  loop_listen(loop, loop->family, NULL);
  int raw[3];
  for (int i = 0; i < 3; i++)
    raw[i] = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  loop_turn(loop);
  assert_int_equal(loop->accepted_count, 1);
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

static void visit(mayfly_uv_connection *connection, void *context) {
  ++*(int *)context;
  if (*(int *)context == 2)
    mayfly_uv_connection_close(connection, 0);
  else
    assert_int_equal(mayfly_uv_send(connection, "all", 3), 0);
}

static void each_visits_those_that_are_open(void **state) {
  struct loop *loop = *state;
  char back[8];
  int raw[3], visited = 0;
  loop_listen(loop, loop->family, NULL);
  for (size_t i = 0; i < 3; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_run_until(loop, loop->accepted_count == i + 1);
  }
  mayfly_uv_listener_each(loop->listener, visit, &visited);
  assert_int_equal(visited, 3);
  visited = 10;
  mayfly_uv_listener_each(loop->listener, visit, &visited);
  assert_int_equal(visited, 12); /* the closing one is passed over */
  loop_run_until(loop, loop->ends[1]->closed);
  assert_int_equal(loop_stats(loop).open, 2);
  assert_int_equal(raw_hear_message(raw[0], back, sizeof back), 3);
  assert_int_equal(raw_hear_message(raw[2], back, sizeof back), 3);
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

static void nothing_is_left_on_a_loop_between_two_lives(void **state) {
  struct loop *loop = *state;
  for (int i = 0; i < 3; i++) {
    loop_listen(loop, loop->family, NULL);
    struct end *client = loop_connect(loop, NULL);
    loop_run_until(loop, client->opened);
    mayfly_uv_listener_close(loop->listener, NULL);
    loop->listener = NULL;
    for (size_t k = 0; k < loop->count; k++)
      loop_close(loop->ends[k], 0);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_alive(&loop->uv), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_over_each_family(closing_inside_opened_is_the_last_but_closed),
      test_over_each_family(closing_inside_message_drops_the_rest_of_the_batch),
      test_over_each_family(closing_inside_a_large_message_is_the_same),
      test_over_each_family(a_handler_may_close_another_connection),
      test_over_each_family(an_answer_before_a_close_that_flushes_is_sent),
      test_over_each_family(a_loop_whose_connection_sent_and_closed_waits_again),
      test_over_each_family(closed_may_connect_anew),
      test_over_each_family(pausing_and_resuming_one_that_is_closing_is_nothing),
      test_over_each_family(closing_at_once_comes_from_the_loop),
      test_on_loop(closing_while_a_host_is_resolved),
      test_over_each_family(closing_inside_the_handshake),
      test_over_each_family(what_is_sent_and_closed_at_once_arrives),
      test_on_loop(a_flush_that_takes_too_long_is_given_up),
      test_on_loop(a_second_close_ends_a_flush),
      test_on_loop(a_flush_to_a_peer_that_dies_has_failed),
      test_over_each_family(a_closed_listener_leaves_its_connections_alive),
      test_over_each_family(a_closed_listener_drops_those_who_are_proving_the_key),
      test_over_each_family(a_handler_may_close_the_listener),
      test_over_each_family(each_visits_those_that_are_open),
      test_over_each_family(nothing_is_left_on_a_loop_between_two_lives),
  };
  return loop_run_tests(tests);
}
