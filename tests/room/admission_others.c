/* SPDX-License-Identifier: MIT */
/* admission_others.c - another user's processes: turned away, let in where that is asked for, and not trusted. */
#include "background.h"
#include "child.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* A path in a directory that everyone may pass through. */
static mayfly_address open_path(const char *directory) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, directory, "socket");
  assert_return_code(chmod(directory, 0711), errno);
  return address;
}

static mayfly_address abstract_name(void) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  snprintf(address.name, sizeof address.name, "@mayfly-admission-%d", (int)getpid());
  return address;
}

static uid_t nobody(void) {
  return getpwnam("nobody")->pw_uid;
}

static void expect_own_user(mayfly_listener *listener, const mayfly_endpoint_options *options) {
  struct background_connect client;
  mayfly_connection *connection;
  background_connect(&client, mayfly_listener_address(listener), options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
}

/* ---- what another user's process does, and what it exits with -------------------------- */

enum { TOLD_NOTHING = 10, LET_IN, DENIED, OTHERWISE };

static int connect_and_listen(int parent, void *address) {
  mayfly_connection *connection;
  mayfly_os_fd fd;
  char byte;
  (void)parent;
  int result = mayfly_connect(address, NULL, &connection);
  if (result < 0)
    _exit(result == MAYFLY_EACCES ? DENIED : OTHERWISE);
  mayfly_connection_os_fd(connection, &fd);
  ssize_t got = recv((int)fd, &byte, 1, 0);
  _exit(got == 0 ? TOLD_NOTHING : got == 1 ? LET_IN : OTHERWISE);
}

static int connect_with_key(int parent, void *address) {
  mayfly_endpoint_options options = with_key(0);
  mayfly_connection *connection;
  const void *data;
  size_t size;
  (void)parent;
  if (mayfly_connect(address, &options, &connection) < 0)
    _exit(OTHERWISE);
  _exit(mayfly_recv_bytes(connection, SIZE_MAX, &data, &size) == 0 ? LET_IN : OTHERWISE);
}

/* ---- by default ------------------------------------------------------------------------- */

static void turn_away(const mayfly_address *address, const mayfly_endpoint_options *options) {
  struct child child;
  char words[64];
  mayfly_connection *connection = NULL;
  mayfly_listener *listener;
  assert_ok(mayfly_listen(address, options, &listener));
  if (address->name[0] != '@')
    assert_return_code(chmod(address->name, 0666), errno); /* as if somebody had opened it up */
  for (int i = 0; i < 2; i++) {
    child_start_as_nobody(&child, connect_and_listen, (void *)address);
    snprintf(words, sizeof words, "(process %d) belongs to another user (%u)", (int)child.pid, (unsigned)nobody());
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EPEER, words);
    assert_null(connection);
    child_expect_exit(&child, TOLD_NOTHING);
    expect_own_user(listener, options);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void another_user_is_turned_away_and_told_nothing(void **state) {
  if (!child_can_be_nobody())
    skip();
  mayfly_address path = open_path(*state), name = abstract_name();
  mayfly_endpoint_options keyless = with_flags(0), keyed = with_key(0);
  turn_away(&path, &keyless);
  turn_away(&path, &keyed);
  turn_away(&name, &keyless);
  turn_away(&name, &keyed);
}

static void another_user_does_not_even_reach_a_path(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  mayfly_connection *connection;
  mayfly_listener *listener;
  mayfly_address path = open_path(*state);
  mode_t before = umask(0);
  assert_ok(mayfly_listen(&path, NULL, &listener));
  umask(before);
  child_start_as_nobody(&child, connect_and_listen, &path);
  child_expect_exit(&child, DENIED);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  assert_ok(mayfly_listener_close(listener));
}

static void let_anyone_in(const mayfly_address *address, const mayfly_endpoint_options *options) {
  struct child child;
  mayfly_connection *connection;
  mayfly_listener *listener;
  assert_ok(mayfly_listen(address, options, &listener));
  child_start_as_nobody(&child, options->authkey != NULL ? connect_with_key : connect_and_listen, (void *)address);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_int_equal(mayfly_connection_peer(connection)->uid, nobody());
  assert_int_equal(mayfly_connection_peer(connection)->same_user, 0);
  assert_ok(mayfly_send_bytes(connection, "welcome", 7));
  child_expect_exit(&child, LET_IN);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void any_user_is_let_in_where_that_is_asked_for(void **state) {
  if (!child_can_be_nobody())
    skip();
  mayfly_address path = open_path(*state), name = abstract_name();
  mayfly_endpoint_options keyless = with_flags(MAYFLY_ENDPOINT_ANY_USER), keyed = with_key(MAYFLY_ENDPOINT_ANY_USER);
  let_anyone_in(&path, &keyless);
  let_anyone_in(&path, &keyed);
  let_anyone_in(&name, &keyless);
  let_anyone_in(&name, &keyed);
}

static int accept_one(int parent, void *address) {
  mayfly_listener *listener;
  mayfly_connection *connection;
  if (mayfly_listen(address, NULL, &listener) < 0)
    _exit(OTHERWISE);
  child_say(parent, 'l');
  if (mayfly_accept(listener, MAYFLY_FOREVER, &connection) < 0)
    _exit(OTHERWISE);
  const mayfly_peer *peer = mayfly_connection_peer(connection);
  _exit(peer->uid == 0 && peer->same_user == 0 ? LET_IN : OTHERWISE);
}

static void root_is_let_in_by_every_user(void **state) {
  (void)state;
  if (!child_can_be_nobody())
    skip();
  struct child child;
  mayfly_connection *connection;
  mayfly_address name = abstract_name();
  child_start_as_nobody(&child, accept_one, &name);
  assert_int_equal(child_hear(child.fd), 'l');
  assert_ok(mayfly_connect(&name, NULL, &connection));
  assert_int_equal(mayfly_connection_peer(connection)->uid, nobody());
  child_expect_exit(&child, LET_IN);
  assert_ok(mayfly_connection_close(connection));
}

/* In a user namespace where nobody has a number all are shown as one user, this process included. */
static int accept_in_namespace(int parent, void *address) {
  mayfly_listener *listener;
  mayfly_connection *connection;
  if (unshare(CLONE_NEWUSER) != 0 || mayfly_listen(address, NULL, &listener) < 0)
    _exit(OTHERWISE);
  child_say(parent, 'l');
  int result = mayfly_accept(listener, MAYFLY_FOREVER, &connection);
  _exit(result == MAYFLY_EPEER ? DENIED : result == 0 ? LET_IN : OTHERWISE);
}

static void who_has_no_number_in_our_namespace_is_nobody_that_is_known(void **state) {
  (void)state;
  if (!child_can_be_nobody())
    skip();
  struct child server, client;
  mayfly_address name = abstract_name();
  child_start(&server, accept_in_namespace, &name);
  if (child_hear(server.fd) != 'l') {
    child_expect_exit(&server, OTHERWISE);
    print_message("skipped: a user namespace can't be had\n");
    skip();
  }
  child_start_as_nobody(&client, connect_and_listen, &name);
  child_expect_exit(&server, DENIED);
  child_expect_exit(&client, TOLD_NOTHING);
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

static void admit_may_let_another_user_in(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  struct judge judge = {.verdict = 0};
  mayfly_endpoint_options options = judged(&judge, with_flags(0));
  mayfly_connection *connection;
  mayfly_listener *listener;
  mayfly_address name = abstract_name();
  (void)state;
  assert_ok(mayfly_listen(&name, &options, &listener));
  child_start_as_nobody(&child, connect_and_listen, &name);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  assert_int_equal(judge.last.uid, nobody());
  assert_int_equal(judge.last.pid, child.pid);
  assert_ok(mayfly_send_bytes(connection, "x", 1));
  child_expect_exit(&child, LET_IN);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- and on the side of the client ------------------------------------------------------------- */

/* Says how many bytes the next client said: none. */
static int serve_falsely(int parent, void *address) {
  mayfly_listener *listener;
  mayfly_connection *connection;
  mayfly_endpoint_options options = with_flags(MAYFLY_ENDPOINT_ANY_USER);
  mayfly_os_fd fd;
  char bytes[256];
  if (mayfly_listen(address, &options, &listener) < 0)
    _exit(OTHERWISE);
  child_say(parent, 'l');
  for (int i = 0; i < 2; i++) {
    if (mayfly_accept(listener, MAYFLY_FOREVER, &connection) < 0)
      _exit(OTHERWISE);
    mayfly_send_bytes(connection, "#CHALLENGE#{sha256}0123456789012345678901234567890123456789", 59);
    mayfly_connection_os_fd(connection, &fd);
    ssize_t got = recv((int)fd, bytes, sizeof bytes, 0);
    child_say(parent, got > 0 ? 'h' : 'n');
    mayfly_connection_close(connection);
  }
  _exit(0);
}

static int refuse_others(void *context, const mayfly_peer *peer) {
  (void)context;
  return peer->same_user != 1;
}

/* Whoever owns the address could relay the proof; a client that asks says not a byte to it. */
static void a_client_with_admit_says_nothing_to_a_false_server(void **state) {
  (void)state;
  if (!child_can_be_nobody())
    skip();
  struct child child;
  mayfly_connection *connection = NULL;
  mayfly_address name = abstract_name();
  mayfly_endpoint_options wary = with_key(0), trusting = with_key(0);
  wary.admit = refuse_others;
  child_start_as_nobody(&child, serve_falsely, &name);
  assert_int_equal(child_hear(child.fd), 'l');
  assert_error(mayfly_connect(&name, &wary, &connection), MAYFLY_EPEER, "was not admitted");
  assert_non_null(strstr(mayfly_last_error(), name.name));
  assert_int_equal(child_hear(child.fd), 'n');
  assert_error(mayfly_connect(&name, &trusting, &connection), MAYFLY_EAUTH, "closed the connection");
  assert_int_equal(child_hear(child.fd), 'h'); /* without admit every server is taken, and gets an answer */
  assert_null(connection);
  child_expect_exit(&child, 0);
}

/* ---- taking over ----------------------------------------------------------------------------------- */

static int listen_there(int parent, void *address) {
  mayfly_listener *listener;
  (void)parent;
  int result = mayfly_listen(address, NULL, &listener);
  if (result == MAYFLY_EADDRINUSE && strstr(mayfly_last_error(), "ask whether somebody listens there") != NULL)
    _exit(DENIED);
  if (result == MAYFLY_EPERM && strstr(mayfly_last_error(), "remove the socket that a dead process left") != NULL)
    _exit(TOLD_NOTHING);
  _exit(OTHERWISE);
}

static void another_users_dead_socket_stays(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  struct stat status;
  mayfly_address path = open_path(*state);
  close(raw_listen(&path, 1));
  assert_return_code(chmod(path.name, 0600), errno);
  child_start_as_nobody(&child, listen_there, &path);
  child_expect_exit(&child, DENIED);
  assert_return_code(chmod(path.name, 0666), errno); /* it may ask, but not remove */
  assert_return_code(chmod(*state, 01777), errno);
  child_start_as_nobody(&child, listen_there, &path);
  child_expect_exit(&child, TOLD_NOTHING);
  assert_return_code(lstat(path.name, &status), errno);
  assert_return_code(unlink(path.name), errno);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(another_user_is_turned_away_and_told_nothing),
      test_in_scratch(another_user_does_not_even_reach_a_path),
      test_in_scratch(any_user_is_let_in_where_that_is_asked_for),
      test(root_is_let_in_by_every_user),
      test(who_has_no_number_in_our_namespace_is_nobody_that_is_known),
      test(admit_may_let_another_user_in),
      test(a_client_with_admit_says_nothing_to_a_false_server),
      test_in_scratch(another_users_dead_socket_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
