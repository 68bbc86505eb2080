/* SPDX-License-Identifier: MIT */
/* wait.c - mayfly_wait over connections and listeners; descriptors are in wait_descriptors.c. */
#include "background.h"
#include "ends.h"
#include "limit.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what is ready -------------------------------------------------------------------- */

static void wait_for_kind(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  mayfly_wait_item items[] = {{.connection = ends.one, .ready = 55}, {.connection = ends.other, .ready = 55}};
  assert_int_equal(mayfly_wait(items, 2, 0), 0);
  assert_int_equal(items[0].ready, 0);
  assert_int_equal(items[1].ready, 0);
  assert_ok(mayfly_send_bytes(ends.one, NULL, 0)); /* an empty message is one */
  assert_int_equal(mayfly_wait(items, 2, MAYFLY_FOREVER), 1);
  assert_int_equal(items[0].ready, 0);
  assert_int_equal(items[1].ready, 1);
  assert_int_equal(mayfly_wait(items, 2, 0), 1); /* nothing was taken */
  ends_expect_message(ends.other, "", 0);
  assert_int_equal(mayfly_wait(items, 2, 0), 0);
  assert_int_equal(items[1].ready, 0);
  assert_ok(mayfly_connection_close(ends.one));
  assert_int_equal(mayfly_wait(&items[1], 1, MAYFLY_FOREVER), 1); /* the end is something to receive */
  ends_close(&(struct ends){ends.other, NULL});
}

static void a_message_or_an_end_makes_a_connection_ready(void **state) {
  (void)state;
  ends_of_every_kind(wait_for_kind);
}

static void without_items_it_waits_for_the_time_alone(void **state) {
  (void)state;
  mayfly_wait_item item;
  int64_t begin = now_ms();
  assert_int_equal(mayfly_wait(NULL, 0, 30), 0);
  assert_int_equal(mayfly_wait(&item, 0, 30), 0);
  assert_true(now_ms() - begin >= 58);
  assert_int_equal(mayfly_wait(NULL, 0, 0), 0);
}

static void one_thing_may_be_waited_for_twice(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_wait_item items[] = {
      {.connection = ends.one}, {.connection = ends.one}, {.listener = listener}, {.listener = listener}};
  assert_int_equal(mayfly_wait(items, 4, 0), 0);
  assert_ok(mayfly_send_bytes(ends.other, "x", 1));
  assert_int_equal(mayfly_wait(items, 4, MAYFLY_FOREVER), 2);
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_in_range(mayfly_wait(items, 4, MAYFLY_FOREVER), 3, 4);
  assert_int_equal(mayfly_wait(items, 4, MAYFLY_FOREVER), 4);
  close(raw);
  ends_close(&ends);
  assert_ok(mayfly_listener_close(listener));
}

/* ---- many --------------------------------------------------------------------------------- */

enum { CROWD = 100 };

/* A server of one listener and a hundred clients, which never waits: each client says its number, once. */
static void a_listener_and_a_hundred_connections_are_served_without_waiting(void **state) {
  (void)state;
  mayfly_connection *clients[CROWD], *served[CROWD];
  mayfly_wait_item items[1 + CROWD] = {{.listener = ends_listen(ENDS_UNIX, NULL)}};
  char seen[CROWD] = {0};
  size_t accepted = 0, said = 0;
  int heard = 0;
  while (heard < CROWD) {
    if (said < CROWD) {
      unsigned char number = (unsigned char)said;
      assert_ok(mayfly_connect(mayfly_listener_address(items[0].listener), NULL, &clients[said]));
      assert_ok(mayfly_send_bytes(clients[said], &number, 1));
      said++;
    }
    int ready = assert_ok(mayfly_wait(items, 1 + accepted, 0));
    size_t known = accepted;
    for (size_t i = 1; i <= known; i++) {
      unsigned char number;
      size_t size;
      ready -= items[i].ready;
      if (!items[i].ready)
        continue;
      assert_ok(mayfly_recv_bytes_into(items[i].connection, &number, 1, &size));
      assert_int_equal(size, 1);
      assert_int_equal(seen[number]++, 0);
      heard++;
    }
    assert_int_equal(ready, items[0].ready);
    if (items[0].ready) {
      assert_ok(mayfly_accept(items[0].listener, 0, &served[accepted]));
      assert_ok(mayfly_connection_set_timeouts(served[accepted], 0, 0));
      items[1 + accepted] = (mayfly_wait_item){.connection = served[accepted]};
      accepted++;
    }
  }
  assert_int_equal(accepted, CROWD);
  assert_int_equal(mayfly_wait(items, 1 + CROWD, 0), 0);
  for (size_t i = 0; i < CROWD; i++)
    ends_close(&(struct ends){clients[i], served[i]});
  assert_ok(mayfly_listener_close(items[0].listener));
}

/* `count` ends of pipes, of which the last, the first and one in the middle become ready. */
static void wait_for_many(size_t count) {
  size_t pipes_count = (count + 1) / 2;
  mayfly_wait_item *items = calloc(count, sizeof *items);
  mayfly_connection *(*pipes)[2] = calloc(pipes_count, sizeof *pipes);
  assert_non_null(items);
  assert_non_null(pipes);
  for (size_t i = 0; i < pipes_count; i++)
    assert_ok(mayfly_pipe(1, pipes[i]));
  for (size_t i = 0; i < count; i++)
    items[i].connection = pipes[i / 2][i % 2];
  assert_int_equal(mayfly_wait(items, count, 0), 0);
  const size_t chosen[] = {count - 1, 0, count / 2};
  for (int i = 0; i < 3 && (i == 0 || chosen[i] != chosen[i - 1]); i++) {
    assert_ok(mayfly_send_bytes(pipes[chosen[i] / 2][1 - chosen[i] % 2], "x", 1));
    assert_int_equal(mayfly_wait(items, count, MAYFLY_FOREVER), i + 1);
    assert_int_equal(items[chosen[i]].ready, 1);
  }
  for (size_t i = 0; i < pipes_count; i++)
    ends_close(&(struct ends){pipes[i][0], pipes[i][1]});
  free(items);
  free(pipes);
}

static void there_may_be_more_items_than_fit_on_the_stack(void **state) {
  (void)state;
  for (size_t count = 62; count <= 67; count++)
    wait_for_many(count);
}

static void there_may_be_one_item_or_ten_thousand(void **state) {
  (void)state;
  const size_t most = limit_raise();
  size_t count;
  for (count = 1; count <= 10000 && count + 100 <= most; count *= 10)
    wait_for_many(count);
  if (count <= 10000)
    print_message("up to %zu only: there may be %zu descriptors\n", count / 10, most);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static mayfly_endpoint_options keyed(const char *key) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = key;
  options.authkey_size = strlen(key);
  return options;
}

static void handshakes_are_carried_on_while_it_waits(void **state) {
  (void)state;
  mayfly_endpoint_options options = keyed("secret");
  struct background_connect client;
  mayfly_connection *connection;
  mayfly_wait_item items[] = {{.listener = ends_listen(ENDS_UNIX, &options)}, {.connection = NULL}};
  struct ends ends;
  ends_open(&ends, ENDS_PIPE);
  items[1].connection = ends.one;
  background_connect(&client, mayfly_listener_address(items[0].listener), &options);
  assert_int_equal(mayfly_wait(items, 2, MAYFLY_FOREVER), 1);
  assert_int_equal(items[0].ready, 1);
  assert_int_equal(items[1].ready, 0);
  assert_ok(mayfly_accept(items[0].listener, 0, &connection));
  background_expect_ok(&client.background);
  ends_close(&ends);
  ends_close(&(struct ends){client.connection, connection});
  assert_ok(mayfly_listener_close(items[0].listener));
}

static void with_a_timeout_of_0_handshakes_get_on_from_call_to_call(void **state) {
  (void)state;
  mayfly_endpoint_options options = keyed("secret");
  struct background_connect client;
  mayfly_connection *connection;
  mayfly_wait_item item = {.listener = ends_listen(ENDS_INET, &options)};
  background_connect(&client, mayfly_listener_address(item.listener), &options);
  while (assert_ok(mayfly_wait(&item, 1, 0)) == 0)
    assert_int_equal(item.ready, 0);
  assert_ok(mayfly_accept(item.listener, 0, &connection));
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
  assert_ok(mayfly_listener_close(item.listener));
}

/* The peer who has only connected makes the listener busy, not ready; its failure makes it ready. */
static void a_peer_that_fails_makes_its_listener_ready(void **state) {
  (void)state;
  mayfly_endpoint_options options = keyed("secret");
  mayfly_connection *connection;
  mayfly_wait_item item = {.listener = ends_listen(ENDS_UNIX, &options)};
  int raw = raw_connect(mayfly_listener_address(item.listener));
  assert_int_equal(mayfly_wait(&item, 1, 20), 0);
  assert_int_equal(item.ready, 0);
  close(raw);
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_int_equal(item.ready, 1);
  assert_error(mayfly_accept(item.listener, 0, &connection), MAYFLY_EAUTH, "the peer closed the connection");
  assert_int_equal(mayfly_wait(&item, 1, 0), 0);
  assert_ok(mayfly_listener_close(item.listener));
}

static void a_peers_deadline_ends_the_wait_for_its_listener(void **state) {
  (void)state;
  mayfly_endpoint_options options = keyed("secret");
  mayfly_connection *connection;
  options.open_timeout_ms = 50;
  mayfly_wait_item item = {.listener = ends_listen(ENDS_UNIX, &options)};
  int raw = raw_connect(mayfly_listener_address(item.listener));
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_error(mayfly_accept(item.listener, 0, &connection), MAYFLY_EAUTH, "nothing came within 50 ms");
  close(raw);
  assert_ok(mayfly_listener_close(item.listener));
}

static void many_silent_peers_of_two_listeners_fit_into_one_wait(void **state) {
  (void)state;
  enum { SILENT = 60 };
  mayfly_endpoint_options options = keyed("secret");
  mayfly_wait_item items[] = {{.listener = ends_listen(ENDS_UNIX, &options)},
                              {.listener = ends_listen(ENDS_INET, &options)}};
  mayfly_connection *connection;
  int raw[2][SILENT];
  for (int i = 0; i < SILENT; i++)
    for (int j = 0; j < 2; j++) {
      raw[j][i] = raw_connect(mayfly_listener_address(items[j].listener));
      unsigned char challenge[64];
      while (raw_unread(raw[j][i]) == 0) /* until it was taken in */
        assert_int_equal(mayfly_wait(items, 2, 0), 0);
      assert_int_equal(raw_hear_message(raw[j][i], challenge, sizeof challenge), 59);
    }
  close(raw[1][30]);
  assert_int_equal(mayfly_wait(items, 2, MAYFLY_FOREVER), 1);
  assert_int_equal(items[1].ready, 1);
  assert_error(mayfly_accept(items[1].listener, 0, &connection), MAYFLY_EAUTH, "closed");
  for (int i = 0; i < SILENT; i++) {
    close(raw[0][i]);
    if (i != 30)
      close(raw[1][i]);
  }
  assert_ok(mayfly_listener_close(items[0].listener));
  assert_ok(mayfly_listener_close(items[1].listener));
}

/* ---- what can't be waited for --------------------------------------------------------------------- */

static void items_that_are_none_are_refused(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_wait_item items[] = {{.connection = ends.one, .ready = 55}, {.fd = MAYFLY_NO_FD, .ready = 55}};
  assert_ok(mayfly_send_bytes(ends.other, "x", 1));
  assert_error(mayfly_wait(NULL, 1, 0), MAYFLY_EINVAL, "mayfly_wait: items is NULL");
  assert_error(mayfly_wait(items, 2, 0), MAYFLY_EINVAL, "item 1 is nothing");
  assert_error(mayfly_wait(items, 1, -2), MAYFLY_EINVAL, "mayfly_wait: a timeout of -2 ms");
  items[1] = (mayfly_wait_item){.connection = ends.other, .listener = listener, .ready = 55};
  assert_error(mayfly_wait(items, 2, 0), MAYFLY_EINVAL, "item 1 is a connection and a listener");
  assert_int_equal(items[0].ready, 55);
  assert_int_equal(items[1].ready, 55);
  ends_close(&ends);
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_message_or_an_end_makes_a_connection_ready),
      test(without_items_it_waits_for_the_time_alone),
      test(one_thing_may_be_waited_for_twice),
      test(a_listener_and_a_hundred_connections_are_served_without_waiting),
      test(there_may_be_more_items_than_fit_on_the_stack),
      test(there_may_be_one_item_or_ten_thousand),
      test(handshakes_are_carried_on_while_it_waits),
      test(with_a_timeout_of_0_handshakes_get_on_from_call_to_call),
      test(a_peer_that_fails_makes_its_listener_ready),
      test(a_peers_deadline_ends_the_wait_for_its_listener),
      test(many_silent_peers_of_two_listeners_fit_into_one_wait),
      test(items_that_are_none_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
