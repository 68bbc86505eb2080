/* SPDX-License-Identifier: MIT */
/* pipe.c - named pipes under deadlines, shutdowns and waits, and between two mayflies. */
#include "background.h"
#include "pattern.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <stdlib.h>
#include <string.h>

#include "wine.h"

static const unsigned kinds[] = {MAYFLY_ENDPOINT_PIPE_MESSAGES, MAYFLY_ENDPOINT_PIPE_BYTES};

static mayfly_listener *listen_as(unsigned flags) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  options.flags = flags;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  assert_int_equal(mayfly_listener_address(listener)->family, MAYFLY_AF_PIPE);
  return listener;
}

/* A listener's and a client's end, through a listener of that kind that is closed already. */
static void open_ends(unsigned flags, mayfly_connection *ends[2]) {
  mayfly_listener *listener = listen_as(flags);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &ends[1]));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends[0]));
  assert_ok(mayfly_listener_close(listener));
}

static void close_ends(mayfly_connection *ends[2]) {
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

/* ---- deadlines ---- */

enum { NUMBERED = 20000 };

static size_t size_of(int number) {
  if (number % 97 == 0)
    return 20000; /* more than the pipe's buffer */
  return number % 7 == 0 ? 0 : 4;
}

static int send_numbered(void *context) {
  static unsigned char message[20000];
  for (int i = 0; i < NUMBERED; i++) {
    memcpy(message, &i, sizeof i);
    int result = mayfly_send_bytes(context, message, size_of(i));
    if (result < 0)
      return result;
  }
  return 0;
}

static int await_by_any_means(mayfly_connection *connection, int number, int timeout_ms) {
  mayfly_wait_item item = {.connection = connection};
  if (number % 3 == 0)
    return mayfly_poll(connection, timeout_ms);
  return number % 3 == 1 ? mayfly_wait(&item, 1, timeout_ms) : 1;
}

static void receive_numbered(mayfly_connection *connection) {
  for (int i = 0, turn = 0; i < NUMBERED; turn++) {
    const void *data;
    size_t size;
    assert_ok(mayfly_connection_set_timeouts(connection, turn % 2, MAYFLY_FOREVER));
    if (assert_ok(await_by_any_means(connection, turn, turn % 2)) == 0)
      continue;
    int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
    if (result == MAYFLY_ETIMEDOUT)
      continue;
    assert_ok(result);
    assert_int_equal(size, size_of(i));
    if (size > 0)
      assert_memory_equal(data, &i, sizeof i);
    i++;
  }
}

static void twenty_thousand_messages_survive_deadlines_of_0_and_1_ms(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_connection *ends[2];
    struct background sender;
    open_ends(kinds[i], ends);
    background_start(&sender, send_numbered, ends[1]);
    receive_numbered(ends[0]);
    background_expect_ok(&sender);
    close_ends(ends);
  }
}

static void a_send_that_runs_out_of_time_ends_sending(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    static char message[1 << 20];
    mayfly_connection *ends[2];
    open_ends(kinds[i], ends);
    assert_ok(mayfly_connection_set_timeouts(ends[0], MAYFLY_FOREVER, 20));
    assert_error(mayfly_send_bytes(ends[0], message, sizeof message), MAYFLY_EPIPE, "time ran out");
    assert_error(mayfly_send_bytes(ends[0], message, 1), MAYFLY_EPIPE, "earlier message");
    assert_ok(mayfly_send_bytes(ends[1], "other way", 9));
    const void *data;
    size_t size;
    assert_ok(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size));
    assert_int_equal(size, 9);
    close_ends(ends);
  }
}

/* ---- shutdown ---- */

enum { SHUTDOWNS = 300 };

static int shut_down(void *connection) {
  return mayfly_connection_shutdown(connection);
}

static void block(mayfly_connection *connection, int how) {
  static char message[1 << 20];
  mayfly_wait_item item = {.connection = connection};
  const void *data;
  size_t size;
  if (how == 1)
    assert_int_equal(assert_ok(mayfly_wait(&item, 1, MAYFLY_FOREVER)), 1);
  else if (how == 2)
    assert_error(mayfly_poll(connection, MAYFLY_FOREVER), MAYFLY_ECANCELED, "shut down");
  else if (how == 3)
    assert_error(mayfly_send_bytes(connection, message, sizeof message), MAYFLY_ECANCELED, "shut down");
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_ECANCELED, "shut down");
}

static void a_shutdown_from_another_thread_ends_whatever_blocks(void **state) {
  (void)state;
  for (int i = 0; i < SHUTDOWNS; i++) {
    mayfly_connection *ends[2];
    struct background other;
    assert_ok(mayfly_pipe(1, ends));
    background_start(&other, shut_down, ends[i % 2]);
    block(ends[i % 2], i / 2 % 4);
    background_expect_ok(&other);
    close_ends(ends);
  }
}

static int shut_listener_down(void *listener) {
  return mayfly_listener_shutdown(listener);
}

static void a_shutdown_from_another_thread_ends_an_accept(void **state) {
  (void)state;
  for (int i = 0; i < SHUTDOWNS / 3; i++) {
    struct background other;
    mayfly_connection *connection;
    mayfly_listener *listener = listen_as(0);
    background_start(&other, shut_listener_down, listener);
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_ECANCELED, "shut down");
    background_expect_ok(&other);
    assert_ok(mayfly_listener_close(listener));
  }
}

/* ---- threads ---- */

struct visit {
  mayfly_listener *listener;
  mayfly_connection *connection;
};

static int accept_one(void *context) {
  struct visit *visit = context;
  return mayfly_accept(visit->listener, MAYFLY_FOREVER, &visit->connection);
}

/* What a thread has issued the system cancels when it ends. */
static void a_listener_goes_on_when_the_thread_that_accepted_has_ended(void **state) {
  mayfly_address inet = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  (void)state;
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  for (int family = 0; family < 2; family++) {
    mayfly_listener *listener;
    assert_ok(mayfly_listen(family == 0 ? NULL : &inet, &options, &listener));
    for (int i = 0; i < 20; i++) { /* more than there are instances at a time */
      struct visit visit = {listener, NULL};
      struct background thread;
      struct background_connect client;
      const void *data;
      size_t size;
      background_start(&thread, accept_one, &visit);
      background_connect(&client, mayfly_listener_address(listener), NULL);
      background_expect_ok(&thread);
      background_expect_ok(&client.background);
      assert_ok(mayfly_send_bytes(client.connection, "x", 1));
      assert_ok(mayfly_recv_bytes(visit.connection, SIZE_MAX, &data, &size));
      assert_ok(mayfly_connection_close(client.connection));
      assert_ok(mayfly_connection_close(visit.connection));
    }
    assert_ok(mayfly_listener_close(listener));
  }
}

/* ---- wait ---- */

enum { PIPES = 100, EVENTS = 80 };

static void a_wait_over_a_hundred_pipes_and_eighty_handles_tells_which(void **state) {
  static mayfly_wait_item items[PIPES + EVENTS];
  mayfly_connection *ends[PIPES][2];
  HANDLE events[EVENTS];
  (void)state;
  for (int i = 0; i < PIPES; i++) {
    assert_ok(mayfly_pipe(0, ends[i]));
    items[i] = (mayfly_wait_item){.connection = ends[i][0]};
  }
  for (int i = 0; i < EVENTS; i++) {
    events[i] = CreateEventW(NULL, i % 2, FALSE, NULL); /* automatic and manual reset */
    items[PIPES + i] = (mayfly_wait_item){.fd = (mayfly_os_fd)events[i]};
  }
  assert_int_equal(mayfly_wait(items, PIPES + EVENTS, 0), 0);
  for (int i = 0; i < PIPES; i += 9) {
    const void *data;
    size_t size;
    assert_ok(mayfly_send_bytes(ends[i][1], "x", (size_t)i % 2));
    assert_int_equal(mayfly_wait(items, PIPES + EVENTS, MAYFLY_FOREVER), 1);
    assert_true(items[i].ready);
    assert_ok(mayfly_recv_bytes(ends[i][0], SIZE_MAX, &data, &size));
    assert_int_equal(size, i % 2);
  }
  for (int i = 0; i < EVENTS; i += 7) {
    SetEvent(events[i]);
    assert_int_equal(mayfly_wait(items, PIPES + EVENTS, MAYFLY_FOREVER), 1);
    assert_true(items[PIPES + i].ready);
    ResetEvent(events[i]);
    assert_int_equal(mayfly_wait(items, PIPES + EVENTS, 0), 0);
  }
  for (int i = 0; i < PIPES; i++)
    assert_ok(mayfly_send_bytes(ends[i][1], "x", 1));
  assert_int_equal(mayfly_wait(items, PIPES + EVENTS, MAYFLY_FOREVER), PIPES);
  for (int i = 0; i < PIPES; i++)
    close_ends(ends[i]);
  for (int i = 0; i < EVENTS; i++)
    CloseHandle(events[i]);
}

enum { THOUSAND = 1000 };

static void a_wait_over_a_thousand_ends_tells_which(void **state) {
  static mayfly_wait_item items[THOUSAND];
  static mayfly_connection *ends[THOUSAND / 2][2];
  static const size_t chosen[] = {THOUSAND - 1, 0, THOUSAND / 2};
  (void)state;
  for (int i = 0; i < THOUSAND; i++) {
    if (i % 2 == 0)
      assert_ok(mayfly_pipe(1, ends[i / 2]));
    items[i] = (mayfly_wait_item){.connection = ends[i / 2][i % 2]};
  }
  assert_int_equal(mayfly_wait(items, THOUSAND, 0), 0);
  for (int i = 0; i < 3; i++) {
    assert_ok(mayfly_send_bytes(ends[chosen[i] / 2][1 - chosen[i] % 2], "x", 1));
    assert_int_equal(mayfly_wait(items, THOUSAND, MAYFLY_FOREVER), i + 1);
    assert_true(items[chosen[i]].ready);
  }
  for (int i = 0; i < THOUSAND / 2; i++)
    close_ends(ends[i]);
}

static void an_empty_message_that_a_wait_has_seen_is_received_once(void **state) {
  (void)state;
  mayfly_connection *ends[2];
  const void *data;
  size_t size;
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_send_bytes(ends[1], NULL, 0));
  assert_ok(mayfly_send_bytes(ends[1], "next", 4));
  mayfly_wait_item item = {.connection = ends[0]};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
    assert_int_equal(mayfly_poll(ends[0], MAYFLY_FOREVER), 1);
  }
  assert_ok(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size));
  assert_int_equal(size, 0);
  assert_ok(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size));
  assert_int_equal(size, 4);
  assert_int_equal(mayfly_poll(ends[0], 0), 0);
  close_ends(ends);
}

static void listeners_of_both_families_a_process_and_a_socket_are_waited_for_together(void **state) {
  (void)state;
  mayfly_address inet = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listeners[2];
  mayfly_connection *connections[2], *accepted[2];
  mayfly_os_fd socket;
  HANDLE self = OpenProcess(SYNCHRONIZE, FALSE, GetCurrentProcessId());
  options.flags = MAYFLY_ENDPOINT_ANY_USER;
  listeners[0] = listen_as(0);
  assert_ok(mayfly_listen(&inet, &options, &listeners[1]));
  mayfly_wait_item items[] = {{.listener = listeners[0]}, {.listener = listeners[1]}, {.fd = (mayfly_os_fd)self}, {0}};
  assert_int_equal(mayfly_wait(items, 3, 0), 0);
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_connect(mayfly_listener_address(listeners[i]), NULL, &connections[i]));
    assert_int_equal(mayfly_wait(items, 3, MAYFLY_FOREVER), 1);
    assert_true(items[i].ready);
    assert_ok(mayfly_accept(listeners[i], 0, &accepted[i]));
  }
  assert_ok(mayfly_connection_os_fd(accepted[1], &socket));
  items[3].fd = socket;
  assert_int_equal(mayfly_wait(items, 4, 10), 0);
  assert_ok(mayfly_send_bytes(connections[1], "x", 1));
  assert_int_equal(mayfly_wait(items, 4, MAYFLY_FOREVER), 1);
  assert_true(items[3].ready);
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_connection_close(connections[i]));
    assert_ok(mayfly_connection_close(accepted[i]));
    assert_ok(mayfly_listener_close(listeners[i]));
  }
  CloseHandle(self);
}

/* ---- messages ---- */

static int echo(void *connection) {
  const void *data;
  size_t size;
  int result;
  while ((result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size)) == 0)
    if ((result = mayfly_send_bytes(connection, data, size)) < 0)
      return result;
  return result == MAYFLY_EOF ? 0 : result;
}

static void exchange(mayfly_connection *connection, size_t size) {
  const void *data;
  size_t received;
  char *message = malloc(size + 1);
  assert_non_null(message);
  pattern_fill(message, size);
  assert_ok(mayfly_send_bytes(connection, message, size));
  assert_ok(mayfly_recv_bytes(connection, SIZE_MAX, &data, &received));
  assert_int_equal(received, size);
  assert_true(pattern_is(data, size));
  free(message);
}

static void messages_of_every_size_come_back_over_both_kinds(void **state) {
  static const size_t sizes[] = {0, 1, 128, 129, 8191, 8192, 8193, 16384, 16385, 1 << 20, 64u << 20, 0, 1};
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_connection *ends[2];
    struct background other;
    open_ends(kinds[i], ends);
    background_start(&other, echo, ends[1]);
    for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
      exchange(ends[0], sizes[j]);
    assert_ok(mayfly_connection_close(ends[0]));
    background_expect_ok(&other);
    assert_ok(mayfly_connection_close(ends[1]));
  }
}

static void slices_make_one_message_over_both_kinds(void **state) {
  const mayfly_slice slices[] = {{"one ", 4}, {NULL, 0}, {"message", 7}};
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_connection *ends[2];
    const void *data;
    size_t size;
    open_ends(kinds[i], ends);
    assert_ok(mayfly_send_gather(ends[0], slices, 3));
    assert_ok(mayfly_recv_bytes(ends[1], SIZE_MAX, &data, &size));
    assert_int_equal(size, 11);
    assert_memory_equal(data, "one message", 11);
    close_ends(ends);
  }
}

static void a_message_that_is_too_long_for_the_call_stays(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    static const size_t sizes[] = {2, 8193, 100000};
    mayfly_connection *ends[2];
    struct background other;
    open_ends(kinds[i], ends);
    background_start(&other, echo, ends[1]);
    for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
      static char message[100000];
      const void *data;
      size_t size = 0;
      assert_ok(mayfly_send_bytes(ends[0], message, sizes[j]));
      for (int again = 0; again < 2; again++) {
        assert_error(mayfly_recv_bytes(ends[0], sizes[j] - 1, &data, &size), MAYFLY_EMSGSIZE, "there is room for");
        assert_int_equal(size, sizes[j]);
      }
      assert_ok(mayfly_recv_bytes(ends[0], sizes[j], &data, &size));
      assert_int_equal(size, sizes[j]);
    }
    assert_ok(mayfly_connection_close(ends[0]));
    background_expect_ok(&other);
    assert_ok(mayfly_connection_close(ends[1]));
  }
}

static void a_message_over_the_limit_ends_reading(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_connection *ends[2];
    const void *data;
    size_t size = 7;
    open_ends(kinds[i], ends);
    assert_ok(mayfly_connection_set_message_size_max(ends[0], 100));
    assert_ok(mayfly_send_bytes(ends[1], (char[101]){0}, 101));
    assert_ok(mayfly_send_bytes(ends[1], "x", 1));
    for (int again = 0; again < 2; again++)
      assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EMSGSIZE, "");
    assert_int_equal(size, 7);
    close_ends(ends);
  }
}

/* ---- who comes and goes ---- */

static void a_client_that_wrote_and_left_before_the_accept_is_accepted(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_connection *client, *accepted;
    const void *data;
    size_t size;
    mayfly_listener *listener = listen_as(kinds[i]);
    for (int again = 0; again < 20; again++) { /* more than there are instances at a time */
      assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &client));
      assert_ok(mayfly_send_bytes(client, "I was here", 10));
      assert_ok(mayfly_connection_close(client));
      assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
      assert_ok(mayfly_recv_bytes(accepted, SIZE_MAX, &data, &size));
      assert_int_equal(size, 10);
      assert_error(mayfly_recv_bytes(accepted, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
      assert_ok(mayfly_connection_close(accepted));
    }
    assert_ok(mayfly_listener_close(listener));
  }
}

enum { CLIENTS = 40 };

static void more_clients_than_instances_all_get_through(void **state) {
  static struct background_connect clients[CLIENTS];
  (void)state;
  mayfly_listener *listener = listen_as(0);
  for (int i = 0; i < CLIENTS; i++)
    background_connect(&clients[i], mayfly_listener_address(listener), NULL);
  for (int i = 0; i < CLIENTS; i++) {
    mayfly_connection *accepted;
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
    assert_ok(mayfly_connection_close(accepted));
  }
  for (int i = 0; i < CLIENTS; i++) {
    background_expect_ok(&clients[i].background);
    assert_ok(mayfly_connection_close(clients[i].connection));
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_that_finds_every_instance_busy_waits_until_its_deadline(void **state) {
  (void)state;
  mayfly_connection *clients[64];
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener = listen_as(0);
  int count = 0, result = 0;
  options.open_timeout_ms = 50;
  while (count < 64 && result == 0)
    if ((result = mayfly_connect(mayfly_listener_address(listener), &options, &clients[count])) == 0)
      count++;
  assert_error(result, MAYFLY_ETIMEDOUT, "no connection in time");
  while (count > 0)
    assert_ok(mayfly_connection_close(clients[--count]));
  assert_ok(mayfly_listener_close(listener));
}

static void an_address_that_is_not_there_is_an_error_in_words(void **state) {
  (void)state;
  mayfly_connection *connection;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_PIPE, &address));
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_ENOENT, address.name);
  assert_ok(mayfly_address_parse("unix:d:/socket", &address));
  assert_error(mayfly_connect(&address, NULL, &connection), MAYFLY_EAFNOSUPPORT, "AF_UNIX");
}

static void a_name_that_somebody_has_is_not_shared(void **state) {
  (void)state;
  skip_under_wine("the flag for a pipe's first instance does nothing");
  mayfly_listener *listener = listen_as(0), *second;
  assert_error(mayfly_listen(mayfly_listener_address(listener), NULL, &second), MAYFLY_EADDRINUSE, "somebody");
  assert_ok(mayfly_listener_close(listener));
}

static void the_service_address_of_this_user_is_listened_on_and_found(void **state) {
  (void)state;
  mayfly_address address;
  mayfly_listener *listener;
  mayfly_connection *client;
  assert_ok(mayfly_service_address("mayfly-test", MAYFLY_SCOPE_USER, &address));
  assert_non_null(strstr(address.name, "\\\\.\\pipe\\S-1-5-"));
  assert_ok(mayfly_listen(&address, NULL, &listener));
  assert_ok(mayfly_connect(&address, NULL, &client));
  assert_ok(mayfly_connection_close(client));
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(twenty_thousand_messages_survive_deadlines_of_0_and_1_ms),
      test(a_send_that_runs_out_of_time_ends_sending),
      test(a_shutdown_from_another_thread_ends_whatever_blocks),
      test(a_shutdown_from_another_thread_ends_an_accept),
      test(a_listener_goes_on_when_the_thread_that_accepted_has_ended),
      test(a_wait_over_a_hundred_pipes_and_eighty_handles_tells_which),
      test(a_wait_over_a_thousand_ends_tells_which),
      test(an_empty_message_that_a_wait_has_seen_is_received_once),
      test(listeners_of_both_families_a_process_and_a_socket_are_waited_for_together),
      test(messages_of_every_size_come_back_over_both_kinds),
      test(slices_make_one_message_over_both_kinds),
      test(a_message_that_is_too_long_for_the_call_stays),
      test(a_message_over_the_limit_ends_reading),
      test(a_client_that_wrote_and_left_before_the_accept_is_accepted),
      test(more_clients_than_instances_all_get_through),
      test(a_client_that_finds_every_instance_busy_waits_until_its_deadline),
      test(an_address_that_is_not_there_is_an_error_in_words),
      test(a_name_that_somebody_has_is_not_shared),
      test(the_service_address_of_this_user_is_listened_on_and_found),
  };
  return cmocka_run_group_tests_name("windows.pipe", tests, NULL, NULL);
}
