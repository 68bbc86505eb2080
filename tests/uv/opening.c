/* SPDX-License-Identifier: MIT */
/* opening.c - who gets onto a loop: keys, deadlines, and the limit on those who are proving themselves. */
#include "background.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include "rounds.h"
#include "user.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mayfly_endpoint_options keyed(const char *key) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = key;
  options.authkey_size = strlen(key);
  return options;
}

static void close_listener(struct loop *loop) {
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
}

enum { CHALLENGE = 4 + 11 + 8 + 40 }; /* the first message of a listener that has a key */

/* ---- keys ---- */

static void both_sides_prove_the_key(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  struct background_connect blocking;
  loop_listen(loop, loop->family, &options);
  struct end *client = loop_connect(loop, &options);
  background_connect(&blocking, loop_address(loop), &options);
  loop_run_until(loop, client->opened && loop->accepted_count == 2);
  background_expect_ok(&blocking.background);
  assert_ok(mayfly_connection_close(blocking.connection));
  assert_int_equal(loop_stats(loop).accepted, 2);
  assert_int_equal(loop_stats(loop).opening, 0);
}

static void a_wrong_key_is_turned_away_in_words(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options right = keyed("secret"), wrong = keyed("wrong");
  struct background_connect blocking;
  loop_listen(loop, loop->family, &right);
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
  loop_listen(loop, loop->family, &options);
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
  loop_listen(loop, loop->family, &options);
  enum { PEERS = 8 };
  int raw[PEERS];
  for (int i = 0; i < PEERS; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_run_until(loop, loop_stats(loop).opening == (uint64_t)i + 1);
  }
  raw_say_length(raw[0], 257);
  raw_say_length(raw[1], 0xfffffffe);
  raw_say_message(raw[2], "", 0);
  raw_say_long_length(raw[3], UINT64_C(1) << 63);
  raw_say_message(raw[4], "sixteen bytes   ", 16);
  raw_say_message(raw[5], challenge_of_another, strlen(challenge_of_another)); /* who thinks that it is the server */
  raw_say(raw[6], "\0\0", 2);
  close(raw[6]);
  close(raw[7]);
  loop_run_until(loop, loop_stats(loop).refused_auth == PEERS);
  assert_int_equal(loop->accepted_count, 0);
  for (int i = 0; i < PEERS - 2; i++)
    close(raw[i]);
}

static void say_as_server(struct loop *loop, const char *bytes, size_t size, const char *words) {
  const mayfly_endpoint_options options = keyed("secret");
  mayfly_listener *listener = ends_listen(loop_kind(loop), NULL);
  struct end *client = loop_connect_to(loop, mayfly_listener_address(listener), &options);
  mayfly_connection *server;
  const void *heard;
  loop_tick_until(loop, mayfly_accept(listener, 0, &server) == 0);
  assert_int_equal(raw_try_to_say_of(server, bytes, size), 0);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EAUTH, words);
  assert_int_equal(client->opened, 0);
  /* An answerer that can't go on says nothing. */
  assert_error(mayfly_recv_bytes(server, SIZE_MAX, &heard, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(server));
  assert_ok(mayfly_listener_close(listener));
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

static void who_ends_its_sending_inside_the_handshake_is_turned_away(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, loop_family_with_halves(), &options);
  int raw = raw_connect(loop_address(loop));
  raw_say(raw, "\0\0", 2);
  raw_shut_down_sending(raw);
  loop_run_until(loop, loop_stats(loop).refused_auth == 1);
  close(raw);
}

/* The listener's own challenge and what comes of it, before our first byte. */
static void what_is_sent_before_the_end_of_the_handshake_waits_for_it(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, loop->family, &options);
  struct end *client = loop_connect(loop, &options);
  for (int i = 0; i < 3; i++)
    assert_int_equal(mayfly_uv_send(client->connection, "early", 5), 0);
  assert_int_equal(mayfly_uv_queued(client->connection), 3 * 9);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 3);
  assert_int_equal(client->opened, 1);
  loop_run_until(loop, mayfly_uv_queued(client->connection) == 0);
}

static void pausing_before_it_is_open_does_not_stop_the_handshake(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  loop_listen(loop, loop->family, &options);
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
  loop_listen(loop, loop->family, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop_stats(loop).timed_out == 1);
  assert_int_equal(loop_stats(loop).opening, 0);
  char bytes[200];
  assert_int_equal(loop_hear(loop, raw, bytes, sizeof bytes), CHALLENGE); /* then the end */
  close(raw);
}

/* One that nobody accepts from. */
static void a_silent_listener_is_given_up_when_the_time_is_over(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  options.open_timeout_ms = 50;
  mayfly_listener *silent = ends_listen(loop_kind(loop), NULL);
  struct end *client = loop_connect_to(loop, mayfly_listener_address(silent), &options);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_ETIMEDOUT, "the peer was silent until the time ran out");
  assert_ok(mayfly_listener_close(silent));
}

static void many_silent_peers_delay_nobody(void **state) {
  struct loop *loop = *state;
  enum { SILENT = 1000, EACH = 50 };
  mayfly_endpoint_options options = keyed("secret");
  static int raw[SILENT];
  uint64_t silent = (uint64_t)rounds_here(SILENT);
  options.open_timeout_ms = 120000;
  loop_listen(loop, loop->family, &options);
  for (uint64_t i = 0; i < silent; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_run_until(loop, loop_stats(loop).refused_full + loop_stats(loop).opening == i + 1);
    if (i % EACH == 0) {
      struct end *client = loop_connect(loop, &options);
      loop_run_until(loop, client->opened);
    }
  }
  assert_int_equal(loop_stats(loop).opening, 64);
  assert_int_equal(loop_stats(loop).accepted, silent / EACH);
  for (uint64_t i = 0; i < silent; i++)
    close(raw[i]);
}

static void the_longest_at_it_is_displaced(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = keyed("secret");
  options.opening_max = 2;
  loop_listen(loop, loop->family, &options);
  int raw[3];
  char bytes[200];
  for (uint64_t i = 0; i < 3; i++) {
    raw[i] = raw_connect(loop_address(loop));
    loop_run_until(loop, loop_stats(loop).opening + loop_stats(loop).refused_full == i + 1);
  }
  assert_int_equal(loop_stats(loop).refused_full, 1);
  assert_int_equal(loop_hear(loop, raw[0], bytes, sizeof bytes), CHALLENGE); /* then the end */
  assert_int_equal(loop_hear(loop, raw[1], bytes, CHALLENGE), CHALLENGE);
  loop_turn(loop);
  assert_true(raw_is_quiet(raw[1])); /* it is still there */
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

/* ---- who ---- */

static struct loop *asking;
static int asked;

/* Over AF_INET nobody is known. */
static int admit_nobody(void *context, const mayfly_peer *peer) {
  int is_local = asking->family != MAYFLY_AF_INET;
  assert_ptr_equal(context, &asked);
  assert_int_equal(peer->pid, is_local ? getpid() : -1);
  assert_int_equal(peer->uid, is_local ? user_id() : -1);
  assert_int_equal(peer->same_user, is_local ? 1 : -1);
  asked++;
  return 1;
}

static mayfly_endpoint_options asking_who(struct loop *loop) {
  mayfly_endpoint_options options = keyed("secret");
  options.admit = admit_nobody;
  options.context = &asked;
  asking = loop;
  asked = 0;
  return options;
}

static void who_is_not_admitted_is_told_nothing(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = asking_who(loop);
  char bytes[8];
  loop_listen(loop, loop->family, &options);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop_stats(loop).refused_peer == 1);
  assert_int_equal(asked, 1);
  assert_int_equal(raw_hear(raw, bytes, sizeof bytes), 0);
  close(raw);
}

static void a_client_may_refuse_its_server(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret"), asking_options = asking_who(loop);
  loop_listen(loop, loop->family, &options);
  struct end *client = loop_connect(loop, &asking_options);
  loop_run_until(loop, client->closed);
  assert_int_equal(asked, 1);
  assert_closed(client, MAYFLY_EPEER, "was not admitted");
}

static void peers_are_known(void **state) {
  struct loop *loop = *state;
  loop_listen(loop, loop->family, NULL);
  struct end *client = loop_connect(loop, NULL);
  assert_int_equal(mayfly_uv_connection_peer(client->connection)->pid, -1);
  loop_run_until(loop, client->opened && loop->accepted != NULL);
  assert_int_equal(mayfly_uv_connection_peer(client->connection)->pid, getpid());
  assert_int_equal(mayfly_uv_connection_peer(loop->accepted->connection)->pid, getpid());
  assert_int_equal(mayfly_uv_connection_peer(loop->accepted->connection)->same_user, 1);
}

/* ---- connecting ---- */

static void expect_no_connection(struct loop *loop, const mayfly_address *address, int status, const char *words) {
  struct end *client = loop_connect_to(loop, address, NULL);
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
  mayfly_address address;
  int has_unix = mayfly_default_family() == MAYFLY_AF_UNIX;
  assert_ok(mayfly_arbitrary_address(mayfly_default_family(), &address));
  expect_no_connection(loop, &address, MAYFLY_ENOENT, address.name);
  assert_ok(mayfly_address_parse("host.invalid:1", &address));
  expect_no_connection(loop, &address, MAYFLY_EADDRNOTAVAIL, "connect to host.invalid:1");
  assert_ok(mayfly_address_parse(has_unix ? "\\\\.\\pipe\\none" : "/none", &address));
  expect_no_connection(loop, &address, MAYFLY_EAFNOSUPPORT, "this system has no AF_");
}

static void nobody_listens_on_a_port(void **state) {
  struct loop *loop = *state;
  mayfly_address address;
  loop_listen(loop, MAYFLY_AF_INET, NULL);
  address = *loop_address(loop);
  close_listener(loop);
  loop_turn(loop);
  expect_no_connection(loop, &address, MAYFLY_ECONNREFUSED, "127.0.0.1");
}

/* Whoever connects meets a reset, as a rule before the loop has seen that it is connected. */
static void a_reset_before_there_is_a_key_to_prove_is_no_failure_of_it(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed("secret");
  mayfly_listener *listener = ends_listen(ENDS_INET, NULL);
  struct end *client;
  do {
    mayfly_connection *accepted;
    client = loop_connect_to(loop, mayfly_listener_address(listener), &options);
    while (mayfly_accept(listener, 0, &accepted) == MAYFLY_ETIMEDOUT)
      uv_run(&loop->uv, UV_RUN_NOWAIT);
    raw_reset_of(accepted);
    loop_run_until(loop, client->closed);
  } while (client->status == MAYFLY_EAUTH && loop->count < 20);
  assert_closed(client, MAYFLY_ECONNRESET, "connect to 127.0.0.1");
  assert_ok(mayfly_listener_close(listener));
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

/* ---- a listener of the system's own family that is full, which says so at once ---- */

static mayfly_listener *listen_with_little_room(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.backlog = 1;
  return ends_listen(ENDS_UNIX, &options);
}

static int count_opened(struct end *const *clients, int count) {
  int opened = 0;
  for (int i = 0; i < count; i++)
    opened += clients[i]->opened;
  return opened;
}

static void a_full_listener_is_tried_again(void **state) {
  struct loop *loop = *state;
  enum { CLIENTS = 10 };
  struct end *clients[CLIENTS];
  mayfly_connection *accepted[CLIENTS];
  mayfly_listener *listener = listen_with_little_room();
  for (int i = 0; i < CLIENTS; i++)
    clients[i] = loop_connect_to(loop, mayfly_listener_address(listener), NULL);
  loop_turn(loop);
  int opened = count_opened(clients, CLIENTS);
  assert_in_range(opened, 1, CLIENTS - 1);
  for (int i = 0; i < CLIENTS; i++) {
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted[i]));
    int expected = opened < CLIENTS ? opened + 1 : CLIENTS;
    loop_run_until(loop, (opened = count_opened(clients, CLIENTS)) >= expected);
  }
  for (int i = 0; i < CLIENTS; i++)
    assert_ok(mayfly_connection_close(accepted[i]));
  assert_ok(mayfly_listener_close(listener));
}

static void a_full_listener_is_given_up_when_the_time_is_over(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  struct end *clients[4];
  int closed = 0;
  options.open_timeout_ms = 60;
  mayfly_listener *listener = listen_with_little_room();
  for (int i = 0; i < 4; i++)
    clients[i] = loop_connect_to(loop, mayfly_listener_address(listener), &options);
  loop_run_until(loop, clients[3]->closed);
  assert_closed(clients[3], MAYFLY_ETIMEDOUT, "no connection in time");
  for (int i = 0; i < 4; i++)
    closed += clients[i]->closed;
  assert_in_range(closed, 1, 3);
  assert_ok(mayfly_listener_close(listener));
}

static void closing_while_a_full_listener_is_waited_for(void **state) {
  struct loop *loop = *state;
  struct end *clients[4];
  mayfly_listener *listener = listen_with_little_room();
  for (int i = 0; i < 4; i++)
    clients[i] = loop_connect_to(loop, mayfly_listener_address(listener), NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  loop_close(clients[3], 0);
  loop_run_until(loop, clients[3]->closed);
  assert_closed(clients[3], 0, "");
  assert_ok(mayfly_listener_close(listener));
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
  loop_listen(loop, loop->family, NULL);
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
      test_over_each_family(both_sides_prove_the_key),
      test_over_each_family(a_wrong_key_is_turned_away_in_words),
      test_over_each_family(a_client_without_a_key_does_not_get_through),
      test_over_each_family(what_is_no_step_of_the_handshake_is_turned_away),
      test_over_each_family(what_is_no_challenge_is_refused),
      test_on_loop(who_ends_its_sending_inside_the_handshake_is_turned_away),
      test_over_each_family(what_is_sent_before_the_end_of_the_handshake_waits_for_it),
      test_over_each_family(pausing_before_it_is_open_does_not_stop_the_handshake),
      test_over_each_family(a_silent_peer_is_dropped_when_its_time_is_over),
      test_over_each_family(a_silent_listener_is_given_up_when_the_time_is_over),
      test_over_each_family(many_silent_peers_delay_nobody),
      test_over_each_family(the_longest_at_it_is_displaced),
      test_over_each_family(who_is_not_admitted_is_told_nothing),
      test_over_each_family(a_client_may_refuse_its_server),
      test_on_loop(peers_are_known),
      test_on_loop(what_goes_wrong_comes_by_closed),
      test_on_loop(nobody_listens_on_a_port),
      test_on_loop(a_reset_before_there_is_a_key_to_prove_is_no_failure_of_it),
      test_on_loop(a_name_is_resolved_and_its_ipv4_address_tried_first),
      test_on_loop(a_full_listener_is_tried_again),
      test_on_loop(a_full_listener_is_given_up_when_the_time_is_over),
      test_on_loop(closing_while_a_full_listener_is_waited_for),
      test_on_loop(arguments_that_cannot_be_are_named),
      test_over_each_family(statistics_of_an_older_and_a_newer_program),
  };
  return loop_run_tests(tests);
}
