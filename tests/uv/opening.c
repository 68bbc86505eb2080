/* SPDX-License-Identifier: MIT */
/* opening.c - who gets onto a loop: keys, users, deadlines, and the limit on those who are proving themselves. */
#include "background.h"
#include "child.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static mayfly_endpoint_options keyed(const char *key) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = key;
  options.authkey_size = strlen(key);
  return options;
}

static const mayfly_family families[] = {MAYFLY_AF_UNIX, MAYFLY_AF_INET};

static void close_listener(struct loop *loop) {
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
}

/* ---- keys ---- */

static void both_sides_prove_the_key(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  for (size_t i = 0; i < 2; i++) {
    struct background_connect blocking;
    loop->accepted_count = 0;
    loop_listen(loop, families[i], &options);
    struct end *client = loop_connect(loop, &options);
    background_connect(&blocking, loop_address(loop), &options);
    loop_run_until(loop, client->opened && loop->accepted_count == 2);
    background_expect_ok(&blocking.background);
    assert_ok(mayfly_connection_close(blocking.connection));
    assert_int_equal(loop_stats(loop).accepted, 2);
    assert_int_equal(loop_stats(loop).opening, 0);
    close_listener(loop);
  }
}

static void a_wrong_key_is_turned_away_in_words(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options right = keyed("secret"), wrong = keyed("wrong");
  struct background_connect blocking;
  loop_listen(loop, MAYFLY_AF_UNIX, &right);
  struct end *client = loop_connect(loop, &wrong);
  background_connect(&blocking, loop_address(loop), &wrong);
  loop_run_until(loop, client->closed && loop_stats(loop).refused_auth == 2);
  assert_closed(client, MAYFLY_EAUTH, "the peer refused our key");
  assert_int_equal(client->opened, 0);
  background_expect(&blocking.background, MAYFLY_EAUTH, "the peer refused our key");
  assert_int_equal(loop->accepted_count, 0);
  assert_int_equal(loop_stats(loop).opening, 0);
}

static void a_client_without_a_key_does_not_get_through(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw = raw_connect(loop_address(loop));
  raw_say_message(raw, "let me in", 9);
  loop_run_until(loop, loop_stats(loop).refused_auth == 1);
  assert_int_equal(loop->accepted_count, 0);
  close(raw);
}

static const char challenge_of_another[] = "#CHALLENGE#{sha256}0123456789012345678901234567890123456789";

static void what_is_no_step_of_the_handshake_is_turned_away(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  enum { PEERS = 8 };
  int raw[PEERS];
  for (int i = 0; i < PEERS; i++)
    raw[i] = raw_connect(loop_address(loop));
  raw_say_length(raw[0], 257);
  raw_say_length(raw[1], 0xfffffffe);
  raw_say(raw[2], "\0\0", 2);
  shutdown(raw[2], SHUT_WR);
  raw_say_message(raw[3], "", 0);
  raw_say_long_length(raw[4], UINT64_C(1) << 63);
  raw_say_message(raw[5], "sixteen bytes   ", 16);
  raw_say_message(raw[6], challenge_of_another, strlen(challenge_of_another)); /* who thinks that it is the server */
  close(raw[7]);
  loop_run_until(loop, loop_stats(loop).refused_auth == PEERS);
  assert_int_equal(loop->accepted_count, 0);
  for (int i = 0; i < PEERS - 1; i++)
    close(raw[i]);
}

static void say_as_server(struct loop *loop, const char *bytes, size_t size, const char *words) {
  const mayfly_endpoint_options options = keyed("secret");
  mayfly_address address;
  char heard[64];
  int listening = raw_listen_anywhere(&address, 1);
  struct end *client = loop_connect_to(loop, &address, &options);
  loop_turn(loop);
  int raw = raw_accept(listening);
  raw_say(raw, bytes, size);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EAUTH, words);
  assert_int_equal(client->opened, 0);
  assert_int_equal(raw_hear(raw, heard, sizeof heard), 0); /* an answerer that can't go on says nothing */
  close(raw);
  raw_stop_listening(listening, &address);
}

static void what_is_no_challenge_is_refused(void **state) {
  say_as_server(*state, "\0\0\0\5hello", 9, "the peer's first message is no challenge");
  say_as_server(*state, "\0\0\0\0", 4, "is no challenge");
  say_as_server(*state, "SSH-2.0-OpenSSH\r\n", 17, "no step of the handshake");
  say_as_server(*state, "\xff\xff\xff\xfe", 4, "no step of the handshake");
  say_as_server(*state, "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, "no step of the handshake");
  say_as_server(*state, "\0\0\0\xb#CHALLENGE#", 15, "shorter than 20 bytes");
  say_as_server(*state, "\0\0\0\x1f#CHALLENGE#twenty bytes        ", 35, "set MAYFLY_ENDPOINT_ALLOW_MD5 to answer it");
  say_as_server(*state, "\0\0\0\x21#CHALLENGE#{sha1} sixteen bytes  ", 37, "names no digest that is known here");
  say_as_server(*state, "\0\0\0\x9#WELCOME#", 13, "is no challenge");
}

/* The listener's own challenge and what comes of it, before our first byte. */
static void what_is_sent_before_the_end_of_the_handshake_waits_for_it(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  struct end *client = loop_connect(loop, &options);
  for (int i = 0; i < 3; i++)
    assert_int_equal(mayfly_uv_send(client->connection, "early", 5), 0);
  assert_int_equal(mayfly_uv_queued(client->connection), 3 * 9);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 3);
  assert_int_equal(client->opened, 1);
  assert_int_equal(mayfly_uv_queued(client->connection), 0);
}

static void pausing_before_it_is_open_does_not_stop_the_handshake(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  struct end *client = loop_connect(loop, &options);
  mayfly_uv_pause(client->connection);
  loop_run_until(loop, client->opened && loop->accepted != NULL);
  assert_int_equal(mayfly_uv_send(loop->accepted->connection, "held", 4), 0);
  loop_turn(loop);
  assert_int_equal(client->messages, 0);
  mayfly_uv_resume(client->connection);
  loop_run_until(loop, client->messages == 1);
}

/* ---- time, and how many ---- */

static void a_silent_peer_is_dropped_when_its_time_is_over(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  options.open_timeout_ms = 50;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop_stats(loop).timed_out == 1);
  assert_int_equal(loop_stats(loop).opening, 0);
  char bytes[200];
  assert_in_range(raw_hear(raw, bytes, sizeof bytes), 4, 100); /* the challenge, then the end */
  close(raw);
}

static void a_silent_listener_is_given_up_when_the_time_is_over(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  options.open_timeout_ms = 50;
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  int listening = raw_listen(&address, 1);
  struct end *client = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ETIMEDOUT, "the peer was silent until the time ran out");
  close(listening);
  unlink(address.name);
}

static void a_thousand_silent_peers_delay_nobody(void **state) {
  struct loop *loop = *state;
  enum { SILENT = 1000, GOOD = 20 };
  const mayfly_endpoint_options options = keyed("secret");
  static int raw[SILENT];
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  for (int i = 0; i < SILENT; i++) {
    raw[i] = raw_connect(loop_address(loop));
    if (i % 50 == 0)
      loop_turn(loop);
    if (i % (SILENT / GOOD) == 0) {
      struct end *client = loop_connect(loop, &options);
      loop_run_until(loop, client->opened);
    }
  }
  loop_run_until(loop, loop_stats(loop).refused_full + loop_stats(loop).opening == SILENT);
  assert_int_equal(loop_stats(loop).opening, 64);
  assert_int_equal(loop_stats(loop).accepted, GOOD);
  for (int i = 0; i < SILENT; i++)
    close(raw[i]);
}

static void the_longest_at_it_is_displaced(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  options.opening_max = 2;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw[3];
  char bytes[200];
  for (int i = 0; i < 3; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_turn(loop);
  }
  loop_run_until(loop, loop_stats(loop).refused_full == 1);
  assert_in_range(raw_hear(raw[0], bytes, sizeof bytes), 4, 100);
  assert_int_equal(recv(raw[1], bytes, sizeof bytes, MSG_DONTWAIT), 4 + 11 + 8 + 40);
  assert_int_equal(recv(raw[1], bytes, sizeof bytes, MSG_DONTWAIT), -1); /* it is still there */
  assert_int_equal(errno, EAGAIN);
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

/* ---- who ---- */

static int asked;

static int admit_nobody(void *context, const mayfly_peer *peer) {
  assert_ptr_equal(context, &asked);
  assert_int_equal(peer->pid, getpid());
  assert_int_equal(peer->uid, geteuid());
  assert_int_equal(peer->same_user, 1);
  asked++;
  return 1;
}

static void who_is_not_admitted_is_told_nothing(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  char bytes[8];
  options.admit = admit_nobody;
  options.context = &asked;
  asked = 0;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop_stats(loop).refused_peer == 1);
  assert_int_equal(asked, 1);
  assert_int_equal(raw_hear(raw, bytes, sizeof bytes), 0);
  close(raw);
}

static void a_client_may_refuse_its_server(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  options.admit = admit_nobody;
  options.context = &asked;
  struct end *client = loop_connect(loop, &options);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EPEER, "was not admitted");
}

/* By _exit: libuv's own cleanup would wait for threads that a forked child does not have. */
static int connects_as_nobody(int parent, void *address) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  char byte;
  snprintf(un.sun_path, sizeof un.sun_path, "%.100s", ((const mayfly_address *)address)->name);
  if (un.sun_path[0] == '@')
    un.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&un,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(((const mayfly_address *)address)->name))) !=
      0)
    _exit(1);
  child_say(parent, 'c');
  _exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 2);
}

static void another_user_is_turned_away(void **state) {
  struct loop *loop = *state;
  struct child child;
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  if (!child_can_be_nobody())
    skip();
  snprintf(address.name, sizeof address.name, "@mayfly-test-%d", (int)getpid());
  assert_ok(mayfly_uv_listen(&loop->uv, &address, NULL, &loop_handlers, &loop->first, &loop->listener));
  child_start_as_nobody(&child, connects_as_nobody, &address);
  assert_int_equal(child_hear(child.fd), 'c');
  loop_run_until(loop, loop_stats(loop).refused_peer == 1);
  child_expect_exit(&child, 0);
  assert_int_equal(loop->accepted_count, 0);
}

static void peers_are_known(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  struct end *client = loop_connect(loop, NULL);
  assert_int_equal(mayfly_uv_connection_peer(client->connection)->pid, -1);
  loop_run_until(loop, client->opened && loop->accepted != NULL);
  assert_int_equal(mayfly_uv_connection_peer(client->connection)->pid, getpid());
  assert_int_equal(mayfly_uv_connection_peer(loop->accepted->connection)->pid, getpid());
  assert_int_equal(mayfly_uv_connection_peer(loop->accepted->connection)->same_user, 1);
}

/* ---- connecting ---- */

static void expect_no_connection(struct loop *loop, const char *text, int status, const char *words) {
  mayfly_address address;
  assert_ok(mayfly_address_parse(text, &address));
  struct end *client = loop_connect_to(loop, &address, NULL);
  assert_int_equal(client->closed, 0);
  loop_run_until(loop, client->closed);
  assert_closed(client, status, words);
  const char *named = strstr(client->words, "connect to ");
  assert_non_null(named);
  assert_null(strstr(named + 1, "connect to ")); /* once */
  assert_int_equal(client->opened, 0);
}

static void what_goes_wrong_comes_by_closed(void **state) {
  struct loop *loop = *state;
  expect_no_connection(loop, "/nowhere/to/be/found", MAYFLY_ENOENT, "connect to /nowhere/to/be/found");
  expect_no_connection(loop, "host.invalid:1", MAYFLY_EADDRNOTAVAIL, "connect to host.invalid:1");
  expect_no_connection(loop, "\\\\.\\pipe\\none", MAYFLY_EAFNOSUPPORT, "this system has no AF_PIPE");
}

static void nobody_listens_on_a_port(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  loop_listen(loop, MAYFLY_AF_INET, NULL);
  address = *loop_address(loop);
  close_listener(loop);
  loop_turn(loop);
  struct end *client = loop_connect_to(loop, &address, NULL);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ECONNREFUSED, "refused");
}

/* Whoever connects meets a reset, as a rule before the loop has seen that it is connected. */
static void a_reset_before_there_is_a_key_to_prove_is_no_failure_of_it(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof own;
  mayfly_address address = {MAYFLY_AF_INET, 0, "127.0.0.1"};
  int peer, listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  assert_int_equal(bind(listening, (struct sockaddr *)&own, sizeof own), 0);
  assert_int_equal(listen(listening, 1), 0);
  assert_int_equal(getsockname(listening, (struct sockaddr *)&own, &size), 0);
  address.port = ntohs(own.sin_port);
  options.authkey = "secret";
  options.authkey_size = 6;
  struct end *client;
  do {
    client = loop_connect_to(loop, &address, &options);
    while ((peer = accept(listening, NULL, NULL)) < 0)
      uv_run(&loop->uv, UV_RUN_NOWAIT);
    raw_reset(peer);
    loop_run_until(loop, client->closed);
  } while (client->status == MAYFLY_EAUTH && loop->count < 20);
  assert_closed(client, MAYFLY_ECONNRESET, "connect to 127.0.0.1");
  close(listening);
}

static void a_name_is_resolved_and_its_ipv4_address_tried_first(void **state) {
  struct loop *loop = *state;
  mayfly_address address = {MAYFLY_AF_INET, 0, "127.0.0.1"};
  const mayfly_endpoint_options options = keyed("secret");
  assert_ok(mayfly_uv_listen(&loop->uv, &address, &options, &loop_handlers, &loop->first, &loop->listener));
  address.port = loop_address(loop)->port;
  snprintf(address.name, sizeof address.name, "localhost");
  struct end *named = loop_connect_to(loop, &address, &options);
  address.name[0] = '\0';
  struct end *nameless = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, named->opened && nameless->opened);
}

/* An AF_UNIX listener whose backlog is full says "again" at once. */
static void a_full_listener_is_tried_again(void **state) {
  struct loop *loop = *state;
  enum { CLIENTS = 10 };
  mayfly_address address;
  struct end *clients[CLIENTS];
  int accepted[CLIENTS];
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  int listening = raw_listen(&address, 1);
  for (int i = 0; i < CLIENTS; i++)
    clients[i] = loop_connect_to(loop, &address, NULL);
  loop_turn(loop);
  int opened = 0;
  for (int i = 0; i < CLIENTS; i++)
    opened += clients[i]->opened;
  assert_in_range(opened, 1, CLIENTS - 1);
  for (int i = 0; i < CLIENTS; i++) {
    accepted[i] = raw_accept(listening);
    int now = 0;
    while (now < (opened < CLIENTS ? opened + 1 : CLIENTS)) {
      now = 0;
      for (int k = 0; k < CLIENTS; k++)
        now += clients[k]->opened;
      if (now < (opened < CLIENTS ? opened + 1 : CLIENTS))
        uv_run(&loop->uv, UV_RUN_ONCE);
    }
    opened = now;
  }
  for (int i = 0; i < CLIENTS; i++)
    close(accepted[i]);
  close(listening);
  unlink(address.name);
}

static void a_full_listener_is_given_up_when_the_time_is_over(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address;
  struct end *clients[4];
  int closed = 0;
  options.open_timeout_ms = 60;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  int listening = raw_listen(&address, 1);
  for (int i = 0; i < 4; i++)
    clients[i] = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, clients[3]->closed);
  assert_closed(clients[3], MAYFLY_ETIMEDOUT, "no connection in time");
  for (int i = 0; i < 4; i++)
    closed += clients[i]->closed;
  assert_in_range(closed, 1, 3);
  close(listening);
  unlink(address.name);
}

static void closing_while_a_full_listener_is_waited_for(void **state) {
  struct loop *loop = *state;
  struct end *clients[4];
  mayfly_address address;
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  int listening = raw_listen(&address, 1);
  for (int i = 0; i < 4; i++)
    clients[i] = loop_connect_to(loop, &address, NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  loop_close(clients[3], 0);
  loop_run_until(loop, clients[3]->closed);
  assert_closed(clients[3], 0, "");
  close(listening);
  unlink(address.name);
}

/* ---- arguments ---- */

static void arguments_that_cannot_be_are_named(void **state) {
  struct loop *loop = *state;
  mayfly_uv_handlers none = MAYFLY_UV_HANDLERS_INIT;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  const mayfly_address inet = {MAYFLY_AF_INET, 0, "localhost"};
  mayfly_uv_listener *listener = NULL;
  mayfly_uv_connection *connection = NULL;
  assert_error(mayfly_uv_listen(NULL, NULL, NULL, &loop_handlers, NULL, &listener), MAYFLY_EINVAL, "loop is NULL");
  assert_error(mayfly_uv_listen(&loop->uv, NULL, NULL, &loop_handlers, NULL, NULL), MAYFLY_EINVAL, "listener is NULL");
  assert_error(mayfly_uv_listen(&loop->uv, NULL, NULL, NULL, NULL, &listener), MAYFLY_EINVAL, "message is NULL");
  assert_error(mayfly_uv_listen(&loop->uv, NULL, NULL, &none, NULL, &listener), MAYFLY_EINVAL, "message is NULL");
  assert_error(mayfly_uv_listen(&loop->uv, &inet, NULL, &loop_handlers, NULL, &listener), MAYFLY_EINVAL, "no user");
  assert_error(mayfly_uv_connect(&loop->uv, NULL, NULL, &loop_handlers, NULL, &connection), MAYFLY_EINVAL,
               "address is NULL");
  assert_error(mayfly_uv_connect(&loop->uv, &inet, NULL, &none, NULL, &connection), MAYFLY_EINVAL, "message is NULL");
  options.queue_low = (size_t)2 << 20;
  assert_error(mayfly_uv_connect(&loop->uv, &inet, &options, &loop_handlers, NULL, &connection), MAYFLY_EINVAL,
               "queue_low");
  options.queue_low = 0;
  options.flags = MAYFLY_ENDPOINT_PIPE_MESSAGES;
  assert_error(mayfly_uv_listen(&loop->uv, NULL, &options, &loop_handlers, NULL, &listener), MAYFLY_EINVAL,
               "MAYFLY_ENDPOINT_PIPE_MESSAGES");
  assert_null(listener);
  assert_null(connection);
  assert_int_equal(uv_loop_alive(&loop->uv), 0);
}

static void statistics_of_an_older_and_a_newer_program(void **state) {
  struct loop *loop = *state;
  struct {
    mayfly_uv_stats stats;
    uint64_t newer;
  } longer = {{.size = sizeof longer}, 7};
  mayfly_uv_stats shorter = {.size = 3 * sizeof(uint64_t), .accepted = 7}, none = {.size = 0};
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  struct end *client = loop_connect(loop, NULL);
  loop_run_until(loop, client->opened && loop->accepted != NULL);
  assert_ok(mayfly_uv_listener_stats(loop->listener, &longer.stats));
  assert_int_equal(longer.stats.accepted, 1);
  assert_int_equal(longer.newer, 0);
  assert_ok(mayfly_uv_listener_stats(loop->listener, &shorter));
  assert_int_equal(shorter.open, 1);
  assert_int_equal(shorter.accepted, 7);
  assert_error(mayfly_uv_listener_stats(loop->listener, &none), MAYFLY_EINVAL, "size of 0");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(both_sides_prove_the_key),
      test_on_loop(a_wrong_key_is_turned_away_in_words),
      test_on_loop(a_client_without_a_key_does_not_get_through),
      test_on_loop(what_is_no_step_of_the_handshake_is_turned_away),
      test_on_loop(what_is_no_challenge_is_refused),
      test_on_loop(what_is_sent_before_the_end_of_the_handshake_waits_for_it),
      test_on_loop(pausing_before_it_is_open_does_not_stop_the_handshake),
      test_on_loop(a_silent_peer_is_dropped_when_its_time_is_over),
      test_on_loop(a_silent_listener_is_given_up_when_the_time_is_over),
      test_on_loop(a_thousand_silent_peers_delay_nobody),
      test_on_loop(the_longest_at_it_is_displaced),
      test_on_loop(who_is_not_admitted_is_told_nothing),
      test_on_loop(a_client_may_refuse_its_server),
      test_on_loop(another_user_is_turned_away),
      test_on_loop(peers_are_known),
      test_on_loop(what_goes_wrong_comes_by_closed),
      test_on_loop(nobody_listens_on_a_port),
      test_on_loop(a_reset_before_there_is_a_key_to_prove_is_no_failure_of_it),
      test_on_loop(a_name_is_resolved_and_its_ipv4_address_tried_first),
      test_on_loop(a_full_listener_is_tried_again),
      test_on_loop(a_full_listener_is_given_up_when_the_time_is_over),
      test_on_loop(closing_while_a_full_listener_is_waited_for),
      test_on_loop(arguments_that_cannot_be_are_named),
      test_on_loop(statistics_of_an_older_and_a_newer_program),
  };
  return loop_run_tests(tests);
}
