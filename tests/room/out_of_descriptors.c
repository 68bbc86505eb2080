/* SPDX-License-Identifier: MIT */
/* out_of_descriptors.c - what happens when the process has no descriptor left, and when it has some again. */
#include "background.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct rlimit usual;

static void set_limit(rlim_t most) {
  struct rlimit limit = usual;
  limit.rlim_cur = most;
  assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
}

/* From now on `more` descriptors can be had and no other, until have_some_again(). */
static void leave_only(int more) {
  int taken[16];
  for (int i = 0; i <= more; i++)
    assert_return_code(taken[i] = open("/dev/null", O_RDONLY | O_CLOEXEC), errno);
  for (int i = 0; i <= more; i++)
    close(taken[i]);
  set_limit((rlim_t)taken[more]);
}

static void have_some_again(void) {
  set_limit(usual.rlim_cur);
}

static int remember_limit(void **state) {
  return getrlimit(RLIMIT_NOFILE, &usual) == 0 ? scratch_setup(state) : -1;
}

/* Whatever became of the test: others come after it. */
static int restore_limit(void **state) {
  return setrlimit(RLIMIT_NOFILE, &usual) == 0 ? scratch_teardown(state) : -1;
}

/* ---- the listener rests ------------------------------------------------------------------ */

static void run_out_and_recover(enum ends_kind kind) {
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(kind, NULL);
  mayfly_wait_item item = {.listener = listener};
  int raw = raw_connect(mayfly_listener_address(listener));
  leave_only(0);
  int64_t begin = now_ms();
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EMFILE,
               "no descriptors are left; it is tried again in 100 ms");
  for (;;) { /* once: it is not ready, though a client is there */
    int ready = mayfly_wait(&item, 1, 0);
    int result = ready == 0 ? mayfly_accept(listener, 0, &connection) : 0;
    if (now_ms() - begin >= 100)
      break;
    assert_int_equal(ready, 0);
    assert_error(result, MAYFLY_ETIMEDOUT, "nobody was through");
  }
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EMFILE, "no descriptors are left");
  have_some_again();
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  raw_say_message(raw, "served", 6);
  ends_expect_message(connection, "served", 6);
  close(raw);
  assert_ok(mayfly_connection_close(connection));

  raw = raw_connect(mayfly_listener_address(listener)); /* and it rests no more */
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  assert_ok(mayfly_accept(listener, 0, &connection));
  close(raw);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void a_listener_says_it_once_and_tries_again_later(void **state) {
  (void)state;
  ends_of_every_socket(run_out_and_recover);
}

static void waiting_for_such_a_listener_does_not_spin(void **state) {
  (void)state;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_wait_item item = {.listener = listener};
  int raw = raw_connect(mayfly_listener_address(listener));
  leave_only(0);
  int64_t begin = now_ms();
  int failures = 0;
  for (; now_ms() - begin < 350; failures++) {
    assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
    assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_EMFILE, "no descriptors are left");
  }
  assert_in_range(failures, 1, 5); /* one every 100 ms */
  have_some_again();
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  close(raw);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void who_is_proving_the_key_is_carried_on_while_it_rests(void **state) {
  (void)state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct background_connect client;
  mayfly_connection *connection;
  options.authkey = "secret";
  options.authkey_size = 6;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  int raw = raw_connect(mayfly_listener_address(listener));
  while (raw_unread(raw) == 0)
    assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  int late = raw_connect(mayfly_listener_address(listener));
  leave_only(0);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EMFILE, "no descriptors");
  raw_say_message(raw, "no answer", 9);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_EAUTH, "authentication failed");
  close(raw);
  close(late);
  have_some_again();
  background_connect(&client, mayfly_listener_address(listener), &options);
  int result;
  while ((result = mayfly_accept(listener, MAYFLY_FOREVER, &connection)) < 0) /* the late one; and a second rest */
    assert_true(result == MAYFLY_EAUTH || result == MAYFLY_EMFILE);
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
  assert_ok(mayfly_listener_close(listener));
}

static void a_listener_that_rests_is_shut_down_at_once(void **state) {
  (void)state;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_wait_item item = {.listener = listener};
  int raw = raw_connect(mayfly_listener_address(listener));
  leave_only(0);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EMFILE, "no descriptors");
  assert_ok(mayfly_listener_shutdown(listener));
  assert_int_equal(mayfly_wait(&item, 1, 0), 1);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ECANCELED, "was shut down");
  have_some_again();
  close(raw);
  assert_ok(mayfly_listener_close(listener));
}

static int accept_in_background(void *listener) {
  mayfly_connection *connection;
  int result;
  while ((result = mayfly_accept(listener, MAYFLY_FOREVER, &connection)) == 0) /* it had rested already */
    mayfly_connection_close(connection);
  return result;
}

static int wait_in_background(void *listener) {
  mayfly_wait_item item = {.listener = listener};
  return mayfly_wait(&item, 1, MAYFLY_FOREVER);
}

/* How long a shutdown takes to reach who waits for a listener that has just begun to rest, in ms. */
static int64_t shut_down_while_it_rests(int (*wait)(void *listener), int expected) {
  struct background waiting;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  int raw = raw_connect(mayfly_listener_address(listener));
  leave_only(0);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EMFILE, "no descriptors");
  int64_t begin = now_ms();
  have_some_again();
  background_start(&waiting, wait, listener);
  background_await_asleep(&waiting);
  assert_ok(mayfly_listener_shutdown(listener));
  assert_int_equal(background_end(&waiting), expected);
  int64_t took = now_ms() - begin;
  close(raw);
  assert_ok(mayfly_listener_close(listener));
  return took;
}

/* It rests for 100 ms: a shutdown that waits for their end is never faster; another may be slow on a busy machine. */
static void a_shutdown_wakes_who_waits_for_a_listener_that_rests(void **state) {
  (void)state;
  int64_t accepting = 100, waiting = 100;
  for (int i = 0; i < 20 && (accepting >= 100 || waiting >= 100); i++) {
    int64_t took = shut_down_while_it_rests(accept_in_background, MAYFLY_ECANCELED);
    accepting = took < accepting ? took : accepting;
    took = shut_down_while_it_rests(wait_in_background, 1);
    waiting = took < waiting ? took : waiting;
  }
  assert_in_range(accepting, 0, 99);
  assert_in_range(waiting, 0, 99);
}

/* ---- makers ---------------------------------------------------------------------------------- */

static void expect_nothing_made(const char *directory) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  struct stat status;
  mayfly_listener *listener = NULL;
  scratch_path(address.name, directory, "socket");
  assert_error(mayfly_listen(&address, NULL, &listener), MAYFLY_EMFILE, "listen");
  assert_null(listener);
  assert_int_equal(lstat(address.name, &status), -1);
}

static void a_listener_needs_three_and_leaves_nothing_without_them(void **state) {
  const int before_the_first = 0, before_the_pipe = 1, one_short = 2;
  const int left[] = {before_the_first, before_the_pipe, one_short};
  for (int i = 0; i < 3; i++) {
    leave_only(left[i]);
    expect_nothing_made(*state);
    have_some_again();
  }
}

static void connecting_says_that_there_is_none_left(void **state) {
  (void)state;
  mayfly_connection *connection = NULL;
  mayfly_listener *listeners[] = {ends_listen(ENDS_UNIX, NULL), ends_listen(ENDS_INET, NULL)};
  leave_only(0);
  assert_error(mayfly_connect(mayfly_listener_address(listeners[0]), NULL, &connection), MAYFLY_EMFILE, "connect to ");
  assert_error(mayfly_connect(mayfly_listener_address(listeners[1]), NULL, &connection), MAYFLY_EMFILE, "connect to ");
  assert_null(connection);
  have_some_again();
  assert_ok(mayfly_listener_close(listeners[0]));
  assert_ok(mayfly_listener_close(listeners[1]));
}

static void a_pipe_needs_two(void **state) {
  (void)state;
  for (int left = 0; left < 2; left++) {
    mayfly_connection *ends[2] = {NULL, NULL};
    leave_only(left);
    assert_error(mayfly_pipe(1, ends), MAYFLY_EMFILE, "make a pipe");
    assert_error(mayfly_pipe(0, ends), MAYFLY_EMFILE, "make a pipe");
    assert_null(ends[0]);
    assert_null(ends[1]);
    have_some_again();
  }
}

static void a_stale_socket_is_left_where_nobody_can_be_asked(void **state) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  mayfly_listener *listener = NULL;
  struct stat status;
  scratch_path(address.name, *state, "socket");
  close(raw_listen(&address, 1));
  leave_only(3); /* the listener's own */
  assert_error(mayfly_listen(&address, NULL, &listener), MAYFLY_EMFILE, "ask who is there");
  assert_null(listener);
  assert_return_code(lstat(address.name, &status), errno);
  have_some_again();
  assert_ok(mayfly_listen(&address, NULL, &listener));
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_with_fixtures(a_listener_says_it_once_and_tries_again_later, remember_limit, restore_limit),
      test_with_fixtures(waiting_for_such_a_listener_does_not_spin, remember_limit, restore_limit),
      test_with_fixtures(who_is_proving_the_key_is_carried_on_while_it_rests, remember_limit, restore_limit),
      test_with_fixtures(a_listener_that_rests_is_shut_down_at_once, remember_limit, restore_limit),
      test_with_fixtures(a_shutdown_wakes_who_waits_for_a_listener_that_rests, remember_limit, restore_limit),
      test_with_fixtures(a_listener_needs_three_and_leaves_nothing_without_them, remember_limit, restore_limit),
      test_with_fixtures(connecting_says_that_there_is_none_left, remember_limit, restore_limit),
      test_with_fixtures(a_pipe_needs_two, remember_limit, restore_limit),
      test_with_fixtures(a_stale_socket_is_left_where_nobody_can_be_asked, remember_limit, restore_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
