/* SPDX-License-Identifier: MIT */
/* openings_cut.c - handshakes that somebody in the middle cuts off, or changes, at every byte; on a loop:
 * uv/opening_cut.c. */
#include "background.h"
#include "ends.h"
#include "relay.h"
#include "result.h"
#include "test.h"

enum { CHALLENGE = 59, ANSWER = 40 }; /* "#CHALLENGE#{sha256}" and 40 bytes; "{sha256}" and 32 */

static mayfly_endpoint_options secret(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  return options;
}

struct server {
  struct background background;
  mayfly_listener *listener;
  mayfly_connection *connection;
};

static int run_accept(void *context) {
  struct server *server = context;
  return mayfly_accept(server->listener, MAYFLY_FOREVER, &server->connection);
}

/* A client and a server, with somebody between them. */
struct parties {
  struct background_connect client;
  struct server server;
};

static void bring_together(struct parties *parties, struct relay *relay, mayfly_listener *listener,
                           const mayfly_endpoint_options *options) {
  parties->server = (struct server){.listener = listener};
  background_start(&parties->server.background, run_accept, &parties->server);
  background_connect(&parties->client, &relay->address, options);
  relay_open(relay, mayfly_listener_address(listener));
}

static void pass_all(struct relay *relay) {
  while (relay_pass(relay))
    relay_await(relay);
}

enum { UPSTREAM = 4 + ANSWER + 4 + CHALLENGE + 4 + 9 }; /* all that a client says in a handshake */

/* Where nothing was passed on a reset may come before the client has seen that it is connected. */
static void cut_off(enum ends_kind kind, enum relay_end how) {
  mayfly_endpoint_options options = secret();
  struct relay relay = {0};
  struct parties parties;
  mayfly_listener *listener = ends_listen(kind, &options);
  relay_listen(&relay, mayfly_listener_address(listener)->family);
  for (size_t upstream = 0; upstream < UPSTREAM; upstream++) {
    bring_together(&parties, &relay, listener, &options);
    relay.upstream = upstream;
    pass_all(&relay);
    relay_hang_up(&relay, how);
    background_expect(&parties.server.background, MAYFLY_EAUTH, "the peer closed the connection");
    int client = background_end(&parties.client.background); /* its last word may be said before it is cut off */
    assert_true(client == MAYFLY_EAUTH || (client == 0 && upstream >= UPSTREAM - 13) ||
                (client == MAYFLY_ECONNRESET && upstream == 0 && how == RELAY_RESET));
    assert_ok(mayfly_connection_close(parties.client.connection));
    relay_close(&relay, how);
  }
  relay_stop_listening(&relay);
  assert_ok(mayfly_listener_close(listener));
}

static void cut_off_in_every_way(enum ends_kind kind) {
  for (enum relay_end how = RELAY_CLOSE; how < RELAY_ENDS; how++)
    cut_off(kind, how);
}

static void a_handshake_that_is_cut_off_anywhere_lets_nobody_in(void **state) {
  (void)state;
  ends_of_every_socket(cut_off_in_every_way);
}

/* A length that became larger is a wait for the rest, and so a deadline. */
static void a_handshake_that_is_changed_anywhere_lets_nobody_in(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct relay relay = {0};
  struct parties parties;
  options.open_timeout_ms = 150;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  relay_listen(&relay, MAYFLY_AF_UNIX);
  for (size_t upstream = 1; upstream <= UPSTREAM; upstream++) {
    bring_together(&parties, &relay, listener, &options);
    relay.upstream = upstream;
    relay.flip = (unsigned char)(1u << upstream % 8);
    pass_all(&relay);
    int server = background_end(&parties.server.background);
    int client = background_end(&parties.client.background);
    relay_hang_up(&relay, RELAY_CLOSE);
    assert_int_equal(server, MAYFLY_EAUTH);
    assert_true(client == MAYFLY_EAUTH || client == MAYFLY_ETIMEDOUT || (client == 0 && upstream > UPSTREAM - 13));
    assert_ok(mayfly_connection_close(parties.client.connection));
  }
  relay_stop_listening(&relay);
  assert_ok(mayfly_listener_close(listener));
}

static void a_handshake_that_comes_byte_by_byte_is_whole(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct relay relay = {.upstream = UPSTREAM, .piece = 1};
  struct parties parties;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  relay_listen(&relay, MAYFLY_AF_UNIX);
  bring_together(&parties, &relay, listener, &options);
  pass_all(&relay);
  background_expect_ok(&parties.server.background);
  background_expect_ok(&parties.client.background);
  relay_hang_up(&relay, RELAY_CLOSE);
  ends_close(&(struct ends){parties.client.connection, parties.server.connection});
  relay_stop_listening(&relay);
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_handshake_that_is_cut_off_anywhere_lets_nobody_in),
      test(a_handshake_that_is_changed_anywhere_lets_nobody_in),
      test(a_handshake_that_comes_byte_by_byte_is_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
