/* SPDX-License-Identifier: MIT */
/* admission.c - who is let in, by the user that the system names, and by who decides instead; other users are in
 * admission_others.c. */
#include "background.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include "user.h"
#include <unistd.h>

static mayfly_endpoint_options with_flags(unsigned flags) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.flags = flags;
  return options;
}

static mayfly_endpoint_options with_key(unsigned flags) {
  mayfly_endpoint_options options = with_flags(flags);
  options.authkey = "secret";
  options.authkey_size = 6;
  return options;
}

static void expect_own_user(mayfly_listener *listener, const mayfly_endpoint_options *options) {
  struct background_connect client;
  mayfly_connection *connection;
  background_connect(&client, mayfly_listener_address(listener), options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
}

/* ---- over AF_INET ------------------------------------------------------------------------- */

static void over_inet_without_a_key_everyone_or_nobody(void **state) {
  (void)state;
  mayfly_address address;
  mayfly_listener *listener = NULL;
  mayfly_endpoint_options keyed = with_key(0), any = with_flags(MAYFLY_ENDPOINT_ANY_USER);
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_INET, &address));
  assert_error(mayfly_listen(&address, NULL, &listener), MAYFLY_EINVAL,
               "an AF_INET peer has no user to be known by: set authkey, or MAYFLY_ENDPOINT_ANY_USER");
  assert_null(listener);
  mayfly_endpoint_options *const allowed[] = {&keyed, &any};
  for (int i = 0; i < 2; i++) {
    assert_ok(mayfly_listen(&address, allowed[i], &listener));
    expect_own_user(listener, allowed[i]);
    assert_ok(mayfly_listener_close(listener));
  }
}

/* ---- by somebody's own decision -------------------------------------------------------------- */

struct judge {
  int verdict, asked;
  mayfly_peer last;
};

static int decide(void *context, const mayfly_peer *peer) {
  struct judge *judge = context;
  judge->asked++;
  judge->last = *peer;
  return judge->verdict;
}

static mayfly_endpoint_options judged(struct judge *judge, mayfly_endpoint_options options) {
  options.admit = decide;
  options.context = judge;
  return options;
}

static void judge_client(enum ends_kind kind, unsigned flags) {
  struct judge judge = {.verdict = 0};
  mayfly_endpoint_options options = judged(&judge, with_flags(flags));
  mayfly_connection *connection = NULL;
  char byte;
  mayfly_listener *listener = ends_listen(kind, &options);
  int raw = raw_connect(mayfly_listener_address(listener));
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_int_equal(judge.asked, 1);
  assert_int_equal(judge.last.pid, kind == ENDS_UNIX ? getpid() : -1);
  assert_int_equal(judge.last.uid, kind == ENDS_UNIX ? user_id() : -1);
  assert_int_equal(judge.last.same_user, kind == ENDS_UNIX ? 1 : -1);
  close(raw);
  assert_ok(mayfly_connection_close(connection));

  static const int refusals[] = {1, -1, 1000};
  for (int i = 0; i < 3; i++) {
    connection = NULL;
    judge.verdict = refusals[i];
    raw = raw_connect(mayfly_listener_address(listener));
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EPEER, "was not admitted");
    assert_null(connection);
    assert_int_equal(judge.asked, 2 + i);
    assert_int_equal(raw_hear(raw, &byte, 1), 0);
    close(raw);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void judge_clients(enum ends_kind kind) {
  judge_client(kind, 0);
  judge_client(kind, MAYFLY_ENDPOINT_ANY_USER);
}

static void a_listener_asks_admit_about_every_client(void **state) {
  (void)state;
  ends_of_every_socket(judge_clients);
}

static void it_is_asked_before_the_key(void **state) {
  (void)state;
  struct judge judge = {.verdict = 1};
  mayfly_endpoint_options options = judged(&judge, with_key(0));
  struct background_connect client;
  mayfly_connection *connection;
  mayfly_endpoint_options keyed = with_key(0);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  int raw = raw_connect(mayfly_listener_address(listener));
  char byte;
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EPEER, "was not admitted");
  assert_int_equal(raw_hear(raw, &byte, 1), 0); /* no challenge was sent */
  close(raw);
  judge.verdict = 0;
  background_connect(&client, mayfly_listener_address(listener), &keyed);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
  assert_ok(mayfly_listener_close(listener));
}

static void judge_server(enum ends_kind kind) {
  struct judge judge = {.verdict = 0};
  mayfly_endpoint_options options = judged(&judge, with_flags(0));
  mayfly_listener *listener = ends_listen(kind, NULL);
  mayfly_connection *connection;
  assert_ok(mayfly_connect(mayfly_listener_address(listener), &options, &connection));
  assert_int_equal(judge.asked, 1);
  assert_int_equal(judge.last.pid, kind == ENDS_UNIX ? getpid() : -1);
  assert_int_equal(judge.last.uid, kind == ENDS_UNIX ? user_id() : -1);
  assert_ok(mayfly_connection_close(connection));
  connection = NULL;
  judge.verdict = -5;
  assert_error(mayfly_connect(mayfly_listener_address(listener), &options, &connection), MAYFLY_EPEER, "not admitted");
  assert_null(connection);
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_asks_admit_about_its_server(void **state) {
  (void)state;
  ends_of_every_socket(judge_server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(over_inet_without_a_key_everyone_or_nobody),
      test(a_listener_asks_admit_about_every_client),
      test(it_is_asked_before_the_key),
      test(a_client_asks_admit_about_its_server),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
