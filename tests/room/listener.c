/* SPDX-License-Identifier: MIT */
/* listener.c - listening, accepting, and clients that wait for it; AF_UNIX names are in listener_paths.c. */
#include "background.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static mayfly_address parsed(const char *text) {
  mayfly_address address;
  assert_ok(mayfly_address_parse(text, &address));
  return address;
}

/* ---- addresses ----------------------------------------------------------------------- */

static void without_an_address_it_listens_on_a_fresh_one(void **state) {
  (void)state;
  mayfly_listener *listener, *other;
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  assert_ok(mayfly_listen(NULL, NULL, &other));
  mayfly_address address = *mayfly_listener_address(listener);
  assert_int_equal(address.family, mayfly_default_family());
  assert_string_not_equal(address.name, mayfly_listener_address(other)->name);
  ends_talk(listener, &address);
  ends_talk(other, mayfly_listener_address(other));
  mayfly_connection *connection = NULL;
  assert_ok(mayfly_listener_close(listener));
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ENOENT, address.name);
  assert_null(connection);
  assert_ok(mayfly_listener_close(other));
}

static void localhost_0_becomes_a_number_and_a_port(void **state) {
  (void)state;
  mayfly_address address = parsed("localhost:0");
  mayfly_listener *listener = ends_listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  const mayfly_address *bound = mayfly_listener_address(listener);
  assert_int_equal(bound->family, MAYFLY_AF_INET);
  assert_string_equal(bound->name, "127.0.0.1");
  assert_int_not_equal(bound->port, 0);
  ends_talk(listener, bound);
  address.port = bound->port;
  ends_talk(listener, &address);
  mayfly_listener *none = NULL;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  assert_error(mayfly_listen(&address, &options, &none), MAYFLY_EADDRINUSE, "listen on localhost:");
  assert_ok(mayfly_listener_close(listener));
  listener = ends_listen_on(&address, MAYFLY_ENDPOINT_ANY_USER); /* though connections linger there */
  assert_ok(mayfly_listener_close(listener));
}

/* Whether the system has the loopback's number. */
static int has_ipv6(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address loopback = parsed("[::1]:0");
  mayfly_listener *listener;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  int result = mayfly_listen(&loopback, &options, &listener);
  if (result == 0)
    assert_ok(mayfly_listener_close(listener));
  else
    print_message("skipped in part: no IPv6 here: %s\n", mayfly_last_error());
  return result == 0;
}

static void an_ipv6_number_is_listened_on(void **state) {
  (void)state;
  if (!has_ipv6())
    skip();
  mayfly_address address = parsed("[::1]:0");
  mayfly_listener *listener = ends_listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  char text[MAYFLY_ADDRESS_TEXT_SIZE], expected[MAYFLY_ADDRESS_TEXT_SIZE + 16];
  const mayfly_address *bound = mayfly_listener_address(listener);
  assert_ok(mayfly_address_format(bound, text, sizeof text));
  snprintf(expected, sizeof expected, "[::1]:%u", (unsigned)bound->port);
  assert_string_equal(text, expected);
  ends_talk(listener, bound);
  assert_string_equal(mayfly_listener_last_accepted(listener)->name, "::1");
  address = *bound;
  assert_ok(mayfly_listener_close(listener));
  mayfly_connection *none;
  snprintf(expected, sizeof expected, "connect to %s: ", text);
  assert_error(mayfly_connect(&address, NULL, &none), MAYFLY_ECONNREFUSED, expected);
}

static void without_a_host_every_interface_is_listened_on(void **state) {
  (void)state;
  mayfly_address address = parsed(":0");
  mayfly_listener *listener = ends_listen_on(&address, MAYFLY_ENDPOINT_ANY_USER);
  mayfly_address at = *mayfly_listener_address(listener);
  assert_string_equal(at.name, "");
  assert_int_not_equal(at.port, 0);
  ends_talk(listener, &at);
  strcpy(at.name, "127.0.0.1");
  ends_talk(listener, &at);
  if (has_ipv6()) {
    strcpy(at.name, "::1");
    ends_talk(listener, &at);
  }
  assert_ok(mayfly_listener_close(listener));
}

/* ---- who came --------------------------------------------------------------------------- */

static void the_last_one_accepted_is_told(void **state) {
  (void)state;
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  assert_null(mayfly_listener_last_accepted(listener));
  for (int i = 0; i < 2; i++) {
    mayfly_connection *connection;
    int raw = raw_connect(mayfly_listener_address(listener));
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
    const mayfly_address *last = mayfly_listener_last_accepted(listener);
    assert_int_equal(last->family, MAYFLY_AF_INET);
    assert_string_equal(last->name, "127.0.0.1");
    assert_int_equal(last->port, raw_port(raw));
    assert_ok(mayfly_connection_close(connection));
    close(raw);
  }
  assert_ok(mayfly_listener_close(listener));
}

/* ---- accepting ---------------------------------------------------------------------------- */

static void accept_in_time(enum ends_kind kind) {
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(kind, NULL);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "nobody was through within 0 ms");
  int64_t begin = now_ms();
  assert_error(mayfly_accept(listener, 30, &connection), MAYFLY_ETIMEDOUT, "nobody was through within 30 ms");
  assert_true(now_ms() - begin >= 29);
  assert_error(mayfly_accept(listener, -2, &connection), MAYFLY_EINVAL, "mayfly_accept: a timeout of -2 ms");
  assert_null(connection);
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, kind == ENDS_UNIX ? 0 : MAYFLY_FOREVER, &connection));
  close(raw);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void an_accept_takes_the_time_it_was_given(void **state) {
  (void)state;
  ends_of_every_socket(accept_in_time);
}

static void clients_are_accepted_in_the_order_they_came(void **state) {
  (void)state;
  enum { COUNT = 8 }; /* as many as come to a pipe before they are accepted */
  int raw[COUNT];
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  for (int i = 0; i < COUNT; i++) {
    raw[i] = raw_connect(mayfly_listener_address(listener));
    raw_say_message(raw[i], &i, sizeof i);
  }
  for (int i = 0; i < COUNT; i++) {
    assert_ok(mayfly_accept(listener, 0, &connection));
    ends_expect_message(connection, &i, sizeof i);
    assert_ok(mayfly_connection_close(connection));
    close(raw[i]);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_that_came_wrote_and_left_is_accepted_all_the_same(void **state) {
  (void)state;
  mayfly_connection *connection;
  const void *data;
  size_t size;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  int raw = raw_connect(mayfly_listener_address(listener));
  raw_say_message(raw, "bye", 3);
  close(raw);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  ends_expect_message(connection, "bye", 3);
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void what_was_accepted_outlives_its_listener(void **state) {
  (void)state;
  struct ends ends;
  mayfly_connection *waiting;
  const void *data;
  size_t size;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends.one));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &waiting));
  assert_ok(mayfly_listener_close(listener));
  assert_ok(mayfly_send_bytes(ends.one, "still", 5));
  ends_expect_message(ends.other, "still", 5);
  int result = mayfly_recv_bytes(waiting, SIZE_MAX, &data, &size); /* who was not accepted is dropped */
  assert_true(result == MAYFLY_EOF || result == MAYFLY_ECONNRESET);
  assert_ok(mayfly_connection_close(waiting));
  ends_close(&ends);
}

/* ---- a full backlog --------------------------------------------------------------------------- */

enum { KEPT_MAX = 16 };

/* Clients of a listener with a backlog of 1, until one more runs out of time; how many there are. */
static size_t fill(const mayfly_address *address, mayfly_connection *kept[KEPT_MAX]) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  size_t count = 0;
  int result;
  options.open_timeout_ms = 60;
  int64_t begin = now_ms();
  while ((result = mayfly_connect(address, &options, &kept[count])) == 0) {
    assert_true(++count < KEPT_MAX);
    begin = now_ms();
  }
  assert_error(result, MAYFLY_ETIMEDOUT, "connect to ");
  assert_true(now_ms() - begin >= 59);
  return count;
}

static mayfly_listener *listen_with_a_short_backlog(enum ends_kind kind) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.backlog = 1;
  return ends_listen(kind, &options);
}

static void a_client_waits_for_room_in_a_full_backlog(void **state) {
  (void)state;
  mayfly_connection *kept[KEPT_MAX], *accepted;
  mayfly_listener *listener = listen_with_a_short_backlog(ENDS_UNIX);
  const mayfly_address *address = mayfly_listener_address(listener);
  size_t count = fill(address, kept);
  assert_in_range(count, 1, 2);
  const int times[] = {60000, MAYFLY_FOREVER};
  for (int i = 0; i < 2; i++) {
    mayfly_endpoint_options patient = MAYFLY_ENDPOINT_OPTIONS_INIT;
    struct background_connect client;
    patient.open_timeout_ms = times[i];
    background_connect(&client, address, &patient);
    background_await_asleep(&client.background);
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
    background_expect_ok(&client.background);
    assert_ok(mayfly_connection_close(accepted));
    assert_ok(mayfly_connection_close(kept[0]));
    kept[0] = count > 1 ? kept[1] : client.connection;
    kept[1] = client.connection;
  }
  while (count > 0)
    assert_ok(mayfly_connection_close(kept[--count]));
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_over_inet_runs_out_of_time_too(void **state) {
  (void)state;
  mayfly_connection *kept[KEPT_MAX];
  mayfly_listener *listener = listen_with_a_short_backlog(ENDS_INET);
  size_t count = fill(mayfly_listener_address(listener), kept);
  assert_non_null(strstr(mayfly_last_error(), "connect to 127.0.0.1:"));
  while (count > 0)
    assert_ok(mayfly_connection_close(kept[--count]));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- nobody there ---------------------------------------------------------------------------------- */

static void connecting_to_nobody_is_refused(void **state) {
  (void)state;
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  mayfly_address address = *mayfly_listener_address(listener);
  assert_ok(mayfly_listener_close(listener));
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to 127.0.0.1:");
  assert_null(connection);
}

/* One that the system gives to clients, on which nobody listens: those that it gives to listeners are the odd ones, or
 * the even ones. */
static mayfly_address port_of_clients(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *other;
  mayfly_address address;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  do {
    mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
    address = *mayfly_listener_address(listener);
    assert_ok(mayfly_listener_close(listener));
    address.port ^= 1;
  } while (mayfly_listen(&address, &options, &other) < 0);
  assert_ok(mayfly_listener_close(other));
  return address;
}

/* A client may be given the very port that it connects to, and is then connected to itself: within as many attempts as
 * there are ports to give. */
static void a_client_does_not_connect_to_itself(void **state) {
  (void)state;
  test_not_on_windows("as many attempts take long there");
  enum { ATTEMPTS = 30000 };
  mayfly_connection *connection = NULL;
  const mayfly_address address = port_of_clients();
  for (int i = 0; i < ROUNDS(ATTEMPTS); i++)
    assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ECONNREFUSED, "connect to 127.0.0.1:");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(without_an_address_it_listens_on_a_fresh_one),
      test(localhost_0_becomes_a_number_and_a_port),
      test(an_ipv6_number_is_listened_on),
      test(without_a_host_every_interface_is_listened_on),
      test(the_last_one_accepted_is_told),
      test(an_accept_takes_the_time_it_was_given),
      test(clients_are_accepted_in_the_order_they_came),
      test(a_client_that_came_wrote_and_left_is_accepted_all_the_same),
      test(what_was_accepted_outlives_its_listener),
      test(a_client_waits_for_room_in_a_full_backlog),
      test(a_client_over_inet_runs_out_of_time_too),
      test(connecting_to_nobody_is_refused),
      test(a_client_does_not_connect_to_itself),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
