/* SPDX-License-Identifier: MIT */
/* opening_cut.c - handshakes on a loop that somebody in the middle cuts off, or changes, at every byte. */
#include "loop.h"
#include "relay.h"
#include "result.h"

enum { CHALLENGE = 59, ANSWER = 40 }; /* "#CHALLENGE#{sha256}" and 40 bytes; "{sha256}" and 32 */

enum { UPSTREAM = 4 + ANSWER + 4 + CHALLENGE + 4 + 9 }; /* all that a client says in a handshake */

static mayfly_endpoint_options secret(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  return options;
}

/* Both sides are on the loop, and the relay passes on between its turns. */
static struct end *bring_together(struct loop *loop, struct relay *relay, const mayfly_endpoint_options *options) {
  struct end *client = loop_connect_to(loop, &relay->address, options);
  loop_run_until(loop, relay_has_client(relay));
  relay_open(relay, loop_address(loop));
  return client;
}

/* 0: the listener has neither let somebody in nor turned somebody away yet. */
static int is_decided(const struct loop *loop, uint64_t before) {
  mayfly_uv_stats stats = loop_stats(loop);
  return stats.refused_auth + stats.timed_out > before || stats.accepted > 0;
}

static uint64_t refused(const struct loop *loop) {
  mayfly_uv_stats stats = loop_stats(loop);
  return stats.refused_auth + stats.timed_out;
}

/* The client, unless it has closed, thinks that it is through. */
static void expect_turned_away(struct loop *loop, struct end *client, uint64_t before, int may_be_through) {
  loop_run_until(loop, is_decided(loop, before) && (client->closed || client->opened));
  assert_int_equal(refused(loop), before + 1);
  assert_int_equal(loop_stats(loop).accepted, 0);
  assert_true(!client->opened || may_be_through);
  if (client->opened)
    loop_close(client, 0);
  loop_run_until(loop, client->closed);
}

static void cut_off(struct loop *loop, mayfly_family family, enum relay_end how) {
  mayfly_endpoint_options options = secret();
  struct relay relay = {0};
  loop_listen(loop, family, &options);
  relay_listen(&relay, family);
  for (size_t upstream = 0; upstream < UPSTREAM; upstream++) {
    uint64_t before = refused(loop);
    struct end *client = bring_together(loop, &relay, &options);
    relay.upstream = upstream;
    while (relay_pass(&relay))
      loop_turn(loop);
    relay_hang_up(&relay, how);
    expect_turned_away(loop, client, before, upstream >= UPSTREAM - 13);
    relay_close(&relay, how);
  }
  relay_stop_listening(&relay);
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
}

static void a_handshake_that_is_cut_off_anywhere_lets_nobody_in(void **state) {
  for (enum relay_end how = RELAY_CLOSE; how < RELAY_ENDS; how++) {
    cut_off(*state, MAYFLY_AF_UNIX, how);
    cut_off(*state, MAYFLY_AF_INET, how);
  }
}

/* A length that became larger is a wait for the rest, and so a deadline. */
static void a_handshake_that_is_changed_anywhere_lets_nobody_in(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = secret();
  struct relay relay = {0};
  options.open_timeout_ms = 150;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  relay_listen(&relay, MAYFLY_AF_UNIX);
  for (size_t upstream = 1; upstream <= UPSTREAM; upstream++) {
    uint64_t before = refused(loop);
    struct end *client = bring_together(loop, &relay, &options);
    relay.upstream = upstream;
    relay.flip = (unsigned char)(1u << upstream % 8);
    while (relay_pass(&relay) && !(is_decided(loop, before) && client->closed))
      loop_turn(loop);
    relay_hang_up(&relay, RELAY_CLOSE);
    expect_turned_away(loop, client, before, upstream > UPSTREAM - 13);
  }
  relay_stop_listening(&relay);
}

static void a_handshake_that_comes_byte_by_byte_is_whole(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = secret();
  struct relay relay = {.upstream = UPSTREAM + 9, .piece = 1};
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  relay_listen(&relay, MAYFLY_AF_UNIX);
  struct end *client = bring_together(loop, &relay, &options);
  assert_int_equal(mayfly_uv_send(client->connection, "early", 5), 0);
  while (relay_pass(&relay))
    loop_turn(loop);
  loop_run_until(loop, loop->accepted != NULL && loop->accepted->messages == 1);
  assert_int_equal(client->opened, 1);
  relay_hang_up(&relay, RELAY_CLOSE);
  loop_run_until(loop, client->closed && loop->accepted->closed);
  relay_stop_listening(&relay);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(a_handshake_that_is_cut_off_anywhere_lets_nobody_in),
      test_on_loop(a_handshake_that_is_changed_anywhere_lets_nobody_in),
      test_on_loop(a_handshake_that_comes_byte_by_byte_is_whole),
  };
  return loop_run_tests(tests);
}
