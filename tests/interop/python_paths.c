/* SPDX-License-Identifier: MIT */
/* python_paths.c - AF_UNIX names at which this program and real Pythons find each other, and whose they are. */
#include "meeting.h"
#include "result.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static mayfly_address parse(const char *text) {
  mayfly_address address;
  assert_ok(mayfly_address_parse(text, &address));
  return address;
}

/* A name of this test's own in `directory`, or, with "@" before it, in the abstract namespace. */
static mayfly_address own_address(const char *mark, struct stage *stage, const char *name) {
  char path[SCRATCH_PATH_SIZE], text[SCRATCH_PATH_SIZE + 1];
  scratch_path(path, stage->directory, name);
  snprintf(text, sizeof text, "%s%s", mark, path);
  return parse(text);
}

static void expect_conversation(struct peer *python, mayfly_connection *connection) {
  peer_tell(python, "receive_text");
  assert_ok(mayfly_send_bytes(connection, "hello", 5));
  peer_expect(python, "text hello");
  assert_ok(mayfly_connection_close(connection));
}

static void python_finds_us_at(struct stage *stage, mayfly_address address) {
  mayfly_listener *listener;
  mayfly_connection *connection;
  assert_ok(mayfly_listen(&address, NULL, &listener));
  python_connects(&stage->python, &address, "-");
  assert_ok(mayfly_accept(listener, MEETING_PATIENCE_MS, &connection));
  peer_expect(&stage->python, "connected");
  expect_conversation(&stage->python, connection);
  assert_ok(mayfly_listener_close(listener));
}

static void listen_as(struct peer *python, const mayfly_address *address) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE], expected[MAYFLY_ADDRESS_TEXT_SIZE + 16];
  assert_ok(mayfly_address_format(address, text, sizeof text));
  peer_tell(python, "listen AF_UNIX %s -", text);
  snprintf(expected, sizeof expected, "listening %s", text);
  peer_expect(python, expected);
}

static void be_accepted(struct peer *python, const mayfly_address *address) {
  mayfly_connection *connection;
  peer_tell(python, "accept");
  assert_ok(mayfly_connect(address, NULL, &connection));
  peer_expect(python, "accepted");
  expect_conversation(python, connection);
}

static void we_find_python_at(struct stage *stage, mayfly_address address) {
  listen_as(&stage->python, &address);
  be_accepted(&stage->python, &address);
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void each_finds_the_other_at_an_abstract_name(struct stage *stage) {
  python_finds_us_at(stage, own_address("@", stage, "ours"));
  we_find_python_at(stage, own_address("@", stage, "pythons"));
}

static void each_finds_the_other_at_a_path_that_is_gone_afterwards(struct stage *stage) {
  python_finds_us_at(stage, own_address("", stage, "ours"));
  we_find_python_at(stage, own_address("", stage, "pythons"));
}

/* ---- whose path it is ------------------------------------------------------------------- */

static void a_path_on_which_python_listens_is_not_taken_and_python_not_disturbed(struct stage *stage) {
  mayfly_address address = own_address("", stage, "pythons");
  mayfly_listener *listener = NULL;
  listen_as(&stage->python, &address);
  peer_tell(&stage->python, "accept");
  assert_error(mayfly_listen(&address, NULL, &listener), MAYFLY_EADDRINUSE, address.name);
  assert_null(listener);
  mayfly_connection *connection;
  assert_ok(mayfly_connect(&address, NULL, &connection));
  peer_expect(&stage->python, "accepted");
  expect_conversation(&stage->python, connection);
  be_accepted(&stage->python, &address);
  peer_ask(&stage->python, "stop_listening", "stopped");
}

static void a_path_that_a_killed_python_left_behind_is_taken_over(struct stage *stage) {
  static struct peer victim;
  mayfly_address address = own_address("", stage, "pythons");
  peer_start(&victim, stage->interpreter, "peer.py", (const char *[]){NULL}, -1);
  listen_as(&victim, &address);
  child_kill(&victim.child, SIGKILL);
  assert_int_equal(access(address.name, F_OK), 0);
  python_finds_us_at(stage, address);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(each_finds_the_other_at_an_abstract_name, EVERY_PYTHON),
      stage_test(each_finds_the_other_at_a_path_that_is_gone_afterwards, EVERY_PYTHON),
      stage_test(a_path_on_which_python_listens_is_not_taken_and_python_not_disturbed, ONE_OF_EACH_ERA),
      stage_test(a_path_that_a_killed_python_left_behind_is_taken_over, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_paths", tests, sizeof tests / sizeof tests[0]);
}
