/* SPDX-License-Identifier: MIT */
/* shutdown_shared.c - shutdowns from a signal handler, and of what several processes share. */
#include "child.h"
#include "result.h"
#include "sleeper.h"
#include "test.h"
#include <errno.h>
#include <signal.h>

/* ---- from a signal handler ------------------------------------------------------------ */

static mayfly_connection *connection_to_shut;
static mayfly_listener *listener_to_shut;

static void shut_in_handler(int number) {
  (void)number;
  if (connection_to_shut != NULL)
    mayfly_connection_shutdown(connection_to_shut);
  if (listener_to_shut != NULL)
    mayfly_listener_shutdown(listener_to_shut);
}

static void shut_by_signal(struct sleeper *sleeper) {
  const struct sigaction action = {.sa_handler = shut_in_handler};
  struct sigaction before;
  assert_return_code(sigaction(SIGUSR1, &action, &before), errno);
  connection_to_shut = sleeper->connection;
  listener_to_shut = sleeper->listener;
  sleeper_start(sleeper);
  background_await_asleep(&sleeper->background);
  assert_int_equal(pthread_kill(sleeper->background.thread, SIGUSR1), 0);
  background_expect(&sleeper->background, MAYFLY_ECANCELED, "was shut down");
  sigaction(SIGUSR1, &before, NULL);
}

static void a_signal_handler_may_shut_down_what_it_interrupted(void **state) {
  (void)state;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  shut_by_signal(&(struct sleeper){.connection = ends.one, .call = sleeper_receive});
  ends_close(&ends);
  ends_open(&ends, ENDS_UNIX);
  shut_by_signal(&(struct sleeper){.connection = ends.one, .call = sleeper_send, .size = sleeper_size(ENDS_UNIX)});
  ends_close(&ends);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  shut_by_signal(&(struct sleeper){.listener = listener, .call = sleeper_accept});
  assert_ok(mayfly_listener_close(listener));
}

/* ---- a shared one ------------------------------------------------------------------------ */

struct shared {
  mayfly_listener *listener;
  mayfly_connection *connection;
};

static int wait_in_child(int parent, void *context) {
  struct shared *shared = context;
  const void *data;
  size_t size;
  child_say(parent, 'w');
  int accepted = mayfly_accept(shared->listener, MAYFLY_FOREVER, &(mayfly_connection *){NULL});
  int received = mayfly_recv_bytes(shared->connection, SIZE_MAX, &data, &size);
  return accepted == MAYFLY_ECANCELED && (received == MAYFLY_EOF || received == MAYFLY_ECANCELED) ? 0 : 1;
}

static void a_shutdown_reaches_every_process_that_shares_the_object(void **state) {
  (void)state;
  struct child child;
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  struct shared shared = {ends_listen(ENDS_UNIX, NULL), ends.one};
  child_start(&child, wait_in_child, &shared);
  assert_int_equal(child_hear(child.fd), 'w');
  assert_ok(mayfly_listener_shutdown(shared.listener));
  assert_ok(mayfly_connection_shutdown(shared.connection));
  child_expect_exit(&child, 0);
  ends_close(&ends);
  assert_ok(mayfly_listener_close(shared.listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_signal_handler_may_shut_down_what_it_interrupted),
      test(a_shutdown_reaches_every_process_that_shares_the_object),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
