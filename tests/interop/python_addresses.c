/* SPDX-License-Identifier: MIT */
/* python_addresses.c - which Pythons are on the other side, by name and by number, one and many. */
#include "meeting.h"
#include "raw.h"
#include "result.h"
#include "user.h"
#include <stdio.h>
#include <string.h>

/* ---- who came, who is there ------------------------------------------------------------ */

static void expect_loopback(const char *text, uint16_t port) {
  char expected[64];
  snprintf(expected, sizeof expected, "127.0.0.1:%u", (unsigned)port);
  assert_string_equal(text, expected);
}

static void both_sides_know_the_address_of_the_last_accepted(struct stage *stage) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  struct meeting meeting = meet(stage, way_of(MAYFLY_AF_INET, 0, 0));
  assert_ok(mayfly_address_format(mayfly_listener_last_accepted(meeting.listener), text, sizeof text));
  expect_loopback(text, raw_port_at_the_other(meeting.ours));
  part(&meeting, NULL);

  meeting = meet(stage, way_of(MAYFLY_AF_INET, 0, 1));
  peer_tell(meeting.python, "last_accepted");
  expect_loopback(peer_hear(meeting.python) + strlen("last accepted "), raw_port_of(meeting.ours));
  part(&meeting, NULL);
}

static void talk_of_oneself(struct meeting *meeting) {
  const mayfly_peer *peer = mayfly_connection_peer(meeting->ours);
  int known = meeting->way->family != MAYFLY_AF_INET;
  assert_int_equal(peer->pid, known ? meeting->python->child.pid : -1);
  assert_int_equal(peer->uid, known ? user_id() : -1);
  assert_int_equal(peer->gid, known ? user_group() : -1);
  assert_int_equal(peer->same_user, known ? 1 : -1);
  part(meeting, NULL);
}

static void the_system_says_which_python_is_on_the_other_side(struct stage *stage) {
  meet_in_every_way(stage, talk_of_oneself);
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
      stage_test(both_sides_know_the_address_of_the_last_accepted, ONE_OF_EACH_ERA),
      stage_test(the_system_says_which_python_is_on_the_other_side, ONE_OF_EACH_ERA),
      stage_test(pythons_of_all_versions_are_served_at_once_by_one_thread, NEWEST_PYTHON),
  };
  return stage_run_tests("python_addresses", tests, sizeof tests / sizeof tests[0]);
}
