/* SPDX-License-Identifier: MIT */
/* python_addresses.c - where this program and real Pythons find each other, and who is found there. */
#include "meeting.h"
#include "result.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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

/* ---- who came, who is there ------------------------------------------------------------ */

typedef int name_function(int fd, struct sockaddr *name, socklen_t *size);

static void expect_name(name_function *ask, mayfly_connection *connection, const char *text) {
  mayfly_os_fd fd;
  struct sockaddr_in name;
  socklen_t size = sizeof name;
  char expected[64];
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  assert_int_equal(ask((int)fd, (struct sockaddr *)&name, &size), 0);
  snprintf(expected, sizeof expected, "127.0.0.1:%d", ntohs(name.sin_port));
  assert_string_equal(text, expected);
}

static void both_sides_know_the_address_of_the_last_accepted(struct stage *stage) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  struct meeting meeting = meet(stage, way_of(MAYFLY_AF_INET, 0, 0));
  assert_ok(mayfly_address_format(mayfly_listener_last_accepted(meeting.listener), text, sizeof text));
  expect_name(getpeername, meeting.ours, text);
  part(&meeting, NULL);

  meeting = meet(stage, way_of(MAYFLY_AF_INET, 0, 1));
  peer_tell(meeting.python, "last_accepted");
  expect_name(getsockname, meeting.ours, peer_hear(meeting.python) + strlen("last accepted "));
  part(&meeting, NULL);
}

static void talk_of_oneself(struct meeting *meeting) {
  const mayfly_peer *peer = mayfly_connection_peer(meeting->ours);
  int known = meeting->way->family == MAYFLY_AF_UNIX;
  assert_int_equal(peer->pid, known ? meeting->python->child.pid : -1);
  assert_int_equal(peer->uid, known ? (int64_t)geteuid() : -1);
  assert_int_equal(peer->gid, known ? (int64_t)getegid() : -1);
  assert_int_equal(peer->same_user, known ? 1 : -1);
  part(meeting, NULL);
}

static void the_system_says_which_python_is_on_the_other_side(struct stage *stage) {
  meet_in_every_way(stage, talk_of_oneself);
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

/* ---- many at once ------------------------------------------------------------------------ */

enum { CLIENTS_MAX = 64, EACH = 3, MESSAGES = 20 };

struct server {
  mayfly_wait_item items[1 + CLIENTS_MAX]; /* the listener first */
  size_t count;
  size_t served;
};

static void take_in(struct server *server) {
  mayfly_connection *connection;
  int result = mayfly_accept(server->items[0].listener, 0, &connection);
  if (result == MAYFLY_ETIMEDOUT)
    return;
  assert_ok(result);
  server->items[server->count++] = (mayfly_wait_item){.connection = connection};
}

static void answer(struct server *server, size_t index) {
  mayfly_connection *connection = server->items[index].connection;
  const void *data;
  size_t size;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
  if (result == MAYFLY_EOF) {
    assert_ok(mayfly_connection_close(connection));
    server->items[index] = server->items[--server->count];
    server->served++;
    return;
  }
  assert_ok(result);
  assert_ok(mayfly_send_bytes(connection, data, size));
}

/* From the last to the first, since what ends is replaced by the last. */
static void serve_once(struct server *server) {
  assert_true(assert_ok(mayfly_wait(server->items, server->count, MAYFLY_FOREVER)) > 0);
  for (size_t i = server->count; i-- > 1;)
    if (server->items[i].ready)
      answer(server, i);
  if (server->items[0].ready)
    take_in(server);
}

static void start_client(struct peer *client, const struct python *interpreter, const mayfly_address *address) {
  peer_start(client, interpreter, "peer.py", (const char *[]){NULL}, -1);
  python_connects(client, address, meeting_key_digits);
  for (int i = 0; i < MESSAGES; i++) {
    peer_tell(client, "send %d", 1000 * i);
    peer_tell(client, "receive");
  }
  peer_tell(client, "close");
}

static void expect_answers(struct peer *client) {
  peer_expect(client, "connected");
  for (int i = 0; i < MESSAGES; i++) {
    char expected[64];
    snprintf(expected, sizeof expected, "message %d whole", 1000 * i);
    peer_expect(client, "sent");
    peer_expect(client, expected);
  }
  peer_expect(client, "closed");
  peer_end(client);
}

static void pythons_of_all_versions_are_served_at_once_by_one_thread(struct stage *stage) {
  (void)stage;
  static struct peer clients[CLIENTS_MAX];
  size_t interpreters;
  const struct python *list = peer_pythons(&interpreters);
  size_t count = interpreters * EACH;
  assert_in_range(count, 2 * EACH, CLIENTS_MAX);
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = meeting_key;
  options.authkey_size = sizeof meeting_key;
  options.flags = MAYFLY_ENDPOINT_ALLOW_MD5;
  struct server server = {.count = 1};
  assert_ok(mayfly_listen(NULL, &options, &server.items[0].listener));
  for (size_t i = 0; i < count; i++)
    start_client(&clients[i], &list[i % interpreters], mayfly_listener_address(server.items[0].listener));
  while (server.served < count)
    serve_once(&server);
  for (size_t i = 0; i < count; i++)
    expect_answers(&clients[i]);
  assert_ok(mayfly_listener_close(server.items[0].listener));
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(each_finds_the_other_at_an_abstract_name, EVERY_PYTHON),
      stage_test(each_finds_the_other_at_a_path_that_is_gone_afterwards, EVERY_PYTHON),
      stage_test(both_sides_know_the_address_of_the_last_accepted, ONE_OF_EACH_ERA),
      stage_test(the_system_says_which_python_is_on_the_other_side, ONE_OF_EACH_ERA),
      stage_test(a_path_on_which_python_listens_is_not_taken_and_python_not_disturbed, ONE_OF_EACH_ERA),
      stage_test(a_path_that_a_killed_python_left_behind_is_taken_over, ONE_OF_EACH_ERA),
      stage_test(pythons_of_all_versions_are_served_at_once_by_one_thread, NEWEST_PYTHON),
  };
  return stage_run_tests("python_addresses", tests, sizeof tests / sizeof tests[0]);
}
