/* SPDX-License-Identifier: MIT */
/* shutdown.c - connections and listeners that are shut down while somebody waits in them; from signal handlers, and in
 * several processes, shutdown_shared.c. */
#include "raw.h"
#include "result.h"
#include "sleeper.h"
#include "test.h"
#include <errno.h>
#include <unistd.h>

/* Of a connection and of a listener, over all calls and kinds. */
#ifdef _WIN32
enum { ROUNDS = 300 }; /* Wine takes a millisecond for each call */
#else
enum { ROUNDS = 1000 };
#endif

/* ---- somebody who waits ------------------------------------------------------------- */

static int call_receive_into(struct sleeper *sleeper) {
  char buffer[8];
  size_t size;
  mayfly_connection_set_timeouts(sleeper->connection, 60000, 60000); /* which waits in another system call */
  return mayfly_recv_bytes_into(sleeper->connection, buffer, sizeof buffer, &size);
}

static int call_send_in_time(struct sleeper *sleeper) {
  const mayfly_slice slices[] = {{sleeper_large, sleeper->size / 2}, {sleeper_large, sleeper->size / 2}};
  mayfly_connection_set_timeouts(sleeper->connection, 60000, 60000);
  return mayfly_send_gather(sleeper->connection, slices, 2);
}

static int call_poll(struct sleeper *sleeper) {
  return mayfly_poll(sleeper->connection, MAYFLY_FOREVER);
}

/* Ready by the shutdown; then the receive says why. */
static int call_wait(struct sleeper *sleeper) {
  mayfly_wait_item item = {.connection = sleeper->connection};
  int result = mayfly_wait(&item, 1, MAYFLY_FOREVER);
  return result == 1 && item.ready == 1 ? sleeper_receive(sleeper) : MAYFLY_ETYPE;
}

static int call_deliver_challenge(struct sleeper *sleeper) {
  return mayfly_deliver_challenge(sleeper->connection, "key", 3, 0);
}

static int call_accept_in_time(struct sleeper *sleeper) {
  mayfly_connection *connection;
  return mayfly_accept(sleeper->listener, 60000, &connection);
}

static int call_wait_for_listener(struct sleeper *sleeper) {
  mayfly_wait_item item = {.listener = sleeper->listener};
  int result = mayfly_wait(&item, 1, MAYFLY_FOREVER);
  return result == 1 && item.ready == 1 ? sleeper_accept(sleeper) : MAYFLY_ETYPE;
}

/* ---- from another thread ------------------------------------------------------------- */

/* In every fourth round the other one is certainly asleep in its call; in the others it may not be there yet. */
static void shut_while_waiting(struct sleeper *sleeper, int round) {
  sleeper_start(sleeper);
  if (round % 4 == 0)
    background_await_asleep(&sleeper->background);
  if (sleeper->connection != NULL)
    assert_ok(mayfly_connection_shutdown(sleeper->connection));
  else
    assert_ok(mayfly_listener_shutdown(sleeper->listener));
  background_expect(&sleeper->background, MAYFLY_ECANCELED, "was shut down");
}

static void expect_end_at_the_other(struct ends *ends, enum ends_kind kind) {
  const void *data;
  size_t size;
  if (!ends_tell_of_a_shutdown(kind)) {
    assert_ok(mayfly_connection_close(ends->one));
    ends->one = NULL;
  }
  assert_error(mayfly_recv_bytes(ends->other, SIZE_MAX, &data, &size), MAYFLY_EOF, "closed");
}

static void shut_connection(enum ends_kind kind, int (*call)(struct sleeper *sleeper), int rounds) {
  for (int i = 0; i < rounds; i++) {
    struct ends ends;
    ends_open(&ends, kind);
    struct sleeper sleeper = {.connection = ends.one, .call = call, .size = sleeper_size(kind)};
    shut_while_waiting(&sleeper, i);
    if (call != sleeper_send && call != call_send_in_time && call != call_deliver_challenge)
      expect_end_at_the_other(&ends, kind);
    ends_close(&ends);
  }
}

static void shut_connection_in_every_call(enum ends_kind kind) {
  shut_connection(kind, sleeper_receive, ROUNDS / 12);
  shut_connection(kind, call_receive_into, ROUNDS / 12);
  shut_connection(kind, call_poll, ROUNDS / 12);
  shut_connection(kind, call_wait, ROUNDS / 12);
  shut_connection(kind, sleeper_send, ROUNDS / 12);
  shut_connection(kind, call_send_in_time, ROUNDS / 12);
  shut_connection(kind, call_deliver_challenge, ROUNDS / 12);
}

static void a_shutdown_ends_what_waits_in_a_connection(void **state) {
  (void)state;
  ends_of_every_kind(shut_connection_in_every_call);
}

static void shut_listener(enum ends_kind kind, int (*call)(struct sleeper *sleeper), int rounds) {
  for (int i = 0; i < rounds; i++) {
    struct sleeper sleeper = {.listener = ends_listen(kind, NULL), .call = call};
    shut_while_waiting(&sleeper, i);
    assert_ok(mayfly_listener_close(sleeper.listener));
  }
}

static void shut_listener_in_every_call(enum ends_kind kind) {
  shut_listener(kind, sleeper_accept, ROUNDS / 6);
  shut_listener(kind, call_accept_in_time, ROUNDS / 6);
  shut_listener(kind, call_wait_for_listener, ROUNDS / 6);
}

static void a_shutdown_ends_what_waits_in_a_listener(void **state) {
  (void)state;
  ends_of_every_socket(shut_listener_in_every_call);
}

/* A reader and a writer, both at once. */
static void a_shutdown_ends_a_receive_and_a_send_at_once(void **state) {
  (void)state;
  for (int i = 0; i < ROUNDS / 4; i++) {
    struct ends ends;
    ends_open(&ends, ENDS_UNIX);
    struct sleeper reader = {.connection = ends.one, .call = sleeper_receive};
    struct sleeper writer = {.connection = ends.one, .call = sleeper_send, .size = sleeper_size(ENDS_UNIX)};
    sleeper_start(&reader);
    shut_while_waiting(&writer, i);
    background_expect(&reader.background, MAYFLY_ECANCELED, "was shut down");
    ends_close(&ends);
  }
}

/* ---- afterwards ------------------------------------------------------------------------- */

static void expect_shut(mayfly_connection *connection) {
  const void *data = NULL;
  size_t size = 77;
  char buffer[4];
  mayfly_wait_item item = {.connection = connection};
  assert_error(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_recv_bytes_into(connection, buffer, 4, &size), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_send_bytes(connection, "x", 1), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_send_gather(connection, NULL, 0), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_poll(connection, 0), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_poll(connection, MAYFLY_FOREVER), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_deliver_challenge(connection, "key", 3, 0), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_answer_challenge(connection, "key", 3, 0), MAYFLY_ECANCELED, "was shut down");
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_int_equal(item.ready, 1);
  assert_null(data);
  assert_int_equal(size, 77);
}

static void shut_and_try(enum ends_kind kind) {
  struct ends ends;
  ends_open(&ends, kind);
  assert_ok(mayfly_connection_shutdown(ends.one));
  assert_ok(mayfly_connection_shutdown(ends.one));
  expect_shut(ends.one);
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(ends.one, &fd));
  assert_non_null(mayfly_connection_peer(ends.one));
  assert_ok(mayfly_connection_set_timeouts(ends.one, 1, 1));
  assert_ok(mayfly_connection_set_readahead(ends.one, 1));
  assert_ok(mayfly_connection_set_message_size_max(ends.one, 1));
  expect_shut(ends.one);
  if (mayfly_default_family() == MAYFLY_AF_UNIX) /* elsewhere a sender hears of the close */
    assert_error(mayfly_send_bytes(ends.other, sleeper_large, SLEEPER_LARGE), MAYFLY_EPIPE, "the peer is gone");
  ends_close(&ends);
}

static void after_its_shutdown_a_connection_only_tells_and_is_set(void **state) {
  (void)state;
  ends_of_every_kind(shut_and_try);
}

static void what_was_read_ahead_is_not_delivered_after_a_shutdown(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  assert_ok(mayfly_connection_set_readahead(ends.one, 4096));
  assert_ok(mayfly_send_bytes(ends.other, "one", 3));
  assert_ok(mayfly_send_bytes(ends.other, "two", 3));
  ends_expect_message(ends.one, "one", 3);
  assert_ok(mayfly_connection_shutdown(ends.one));
  expect_shut(ends.one);
  ends_close(&ends);
}

static void a_shutdown_is_told_before_older_troubles(void **state) {
  (void)state;
  const void *data;
  size_t size;
  int raw;
  mayfly_connection *ours = ends_with_raw(ENDS_UNIX, NULL, &raw);
  raw_say_length(raw, (uint32_t)-2);
  assert_error(mayfly_recv_bytes(ours, SIZE_MAX, &data, &size), MAYFLY_EPROTO, "a length that is none");
  assert_ok(mayfly_connection_set_timeouts(ours, MAYFLY_FOREVER, 0));
  assert_error(mayfly_send_bytes(ours, sleeper_large, sleeper_size(ENDS_UNIX)), MAYFLY_EPIPE, "in the middle");
  assert_ok(mayfly_connection_shutdown(ours));
  expect_shut(ours);
  close(raw);
  assert_ok(mayfly_connection_close(ours));
}

static void a_shutdown_sets_no_words_and_leaves_errno(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  assert_error(mayfly_poll(NULL, 0), MAYFLY_EINVAL, "mayfly_poll: connection is NULL");
  ends_close(&(struct ends){ends.one, NULL});
  errno = EXDEV;
  assert_ok(mayfly_connection_shutdown(ends.other));
  assert_ok(mayfly_listener_shutdown(listener));
  assert_int_equal(errno, EXDEV);
  assert_string_equal(mayfly_last_error(), "mayfly_poll: connection is NULL");
  ends_close(&(struct ends){ends.other, NULL});
  assert_ok(mayfly_listener_close(listener));
}

static void expect_shut_listener(mayfly_listener *listener) {
  mayfly_connection *connection = NULL;
  mayfly_wait_item item = {.listener = listener};
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ECANCELED, "was shut down");
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_ECANCELED, "was shut down");
  assert_null(connection);
  assert_int_equal(mayfly_wait(&item, 1, 0), 1);
  assert_int_equal(item.ready, 1);
  assert_non_null(mayfly_listener_address(listener));
}

static void shut_listener_and_try(enum ends_kind kind) {
  mayfly_listener *listener = ends_listen(kind, NULL);
  mayfly_wait_item item = {.listener = listener};
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1); /* this peer is through already */
  assert_ok(mayfly_listener_shutdown(listener));
  assert_ok(mayfly_listener_shutdown(listener));
  expect_shut_listener(listener);
  if (mayfly_listener_address(listener)->family == MAYFLY_AF_UNIX)
    assert_int_equal(access(mayfly_listener_address(listener)->name, F_OK), 0);
  close(raw);
  assert_ok(mayfly_listener_close(listener));
}

static void after_its_shutdown_a_listener_accepts_nobody(void **state) {
  (void)state;
  ends_of_every_socket(shut_listener_and_try);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_shutdown_ends_what_waits_in_a_connection),
      test(a_shutdown_ends_what_waits_in_a_listener),
      test(a_shutdown_ends_a_receive_and_a_send_at_once),
      test(after_its_shutdown_a_connection_only_tells_and_is_set),
      test(what_was_read_ahead_is_not_delivered_after_a_shutdown),
      test(a_shutdown_is_told_before_older_troubles),
      test(a_shutdown_sets_no_words_and_leaves_errno),
      test(after_its_shutdown_a_listener_accepts_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
