/* SPDX-License-Identifier: MIT */
/* openings_cut.c - handshakes that somebody in the middle cuts off, or changes, at every byte. */
#include "background.h"
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* A client, a server, and between them somebody who passes on `upstream` bytes of what the client says, changing the
 * last one by `flip`; then, if nothing was changed, hangs up. */
struct relay {
  struct background_connect client;
  struct server server;
  mayfly_address address;
  int listening, to_client, to_server;
};

static size_t pass_on(int from, int to, size_t most, unsigned char flip) {
  unsigned char bytes[256];
  ssize_t got = recv(from, bytes, most < sizeof bytes ? most : sizeof bytes, 0);
  if (got <= 0)
    return 0;
  if ((size_t)got == most)
    bytes[got - 1] ^= flip;
  if (send(to, bytes, (size_t)got, MSG_NOSIGNAL) < 0)
    return 0; /* who has heard enough has hung up */
  return (size_t)got;
}

static void run_relay(struct relay *relay, size_t upstream, unsigned char flip) {
  struct pollfd ends[] = {{.fd = relay->to_client, .events = POLLIN}, {.fd = relay->to_server, .events = POLLIN}};
  int open = 1;
  while (open && (upstream > 0 || flip != 0)) {
    assert_true(poll(ends, 2, -1) > 0);
    if (ends[0].revents != 0) {
      size_t passed = pass_on(relay->to_client, relay->to_server, upstream > 0 ? upstream : SIZE_MAX, flip);
      open = passed > 0;
      upstream -= upstream > 0 ? passed : 0;
    }
    if (open && ends[1].revents != 0)
      open = pass_on(relay->to_server, relay->to_client, SIZE_MAX, 0) > 0;
  }
}

static void open_relay(struct relay *relay, mayfly_listener *listener, const mayfly_endpoint_options *options) {
  relay->server = (struct server){.listener = listener};
  background_start(&relay->server.background, run_accept, &relay->server);
  background_connect(&relay->client, &relay->address, options);
  relay->to_client = raw_accept(relay->listening);
  relay->to_server = raw_connect(mayfly_listener_address(listener));
}

static void close_relay(const struct relay *relay) {
  close(relay->to_client);
  close(relay->to_server);
}

enum { UPSTREAM = 4 + ANSWER + 4 + CHALLENGE + 4 + 9 }; /* all that a client says in a handshake */

static void a_handshake_that_is_cut_off_anywhere_lets_nobody_in(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct relay relay;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  relay.listening = raw_listen_anywhere(&relay.address, 4);
  for (size_t upstream = 0; upstream < UPSTREAM; upstream++) {
    open_relay(&relay, listener, &options);
    run_relay(&relay, upstream, 0);
    close_relay(&relay);
    background_expect(&relay.server.background, MAYFLY_EAUTH, "the peer closed the connection");
    int client = background_end(&relay.client.background); /* its last word may be said before it is cut off */
    assert_true(client == MAYFLY_EAUTH || (client == 0 && upstream >= UPSTREAM - 13));
    assert_ok(mayfly_connection_close(relay.client.connection));
  }
  raw_stop_listening(relay.listening, &relay.address);
  assert_ok(mayfly_listener_close(listener));
}

/* A length that became larger is a wait for the rest, and so a deadline. */
static void a_handshake_that_is_changed_anywhere_lets_nobody_in(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct relay relay;
  options.open_timeout_ms = 150;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  relay.listening = raw_listen_anywhere(&relay.address, 4);
  for (size_t upstream = 1; upstream <= UPSTREAM; upstream++) {
    open_relay(&relay, listener, &options);
    run_relay(&relay, upstream, (unsigned char)(1u << upstream % 8));
    int server = background_end(&relay.server.background);
    int client = background_end(&relay.client.background);
    close_relay(&relay);
    assert_int_equal(server, MAYFLY_EAUTH);
    assert_true(client == MAYFLY_EAUTH || client == MAYFLY_ETIMEDOUT || (client == 0 && upstream > UPSTREAM - 13));
    assert_ok(mayfly_connection_close(relay.client.connection));
  }
  raw_stop_listening(relay.listening, &relay.address);
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_handshake_that_is_cut_off_anywhere_lets_nobody_in),
      test(a_handshake_that_is_changed_anywhere_lets_nobody_in),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
