/* SPDX-License-Identifier: MIT */
/* keys.c - what is left of a key in this process's memory once it is needed no more: nothing. */
#include "background.h"
#include "ends.h"
#include "memory.h"
#include "result.h"
#include "test.h"
#include <string.h>
#include <unistd.h>

/* Whoever is given it has it from then on, and nobody else. */
struct key {
  unsigned char bytes[MEMORY_SECRET];
  mayfly_endpoint_options options;
};

static void lay_bare(struct key *key) {
  memory_secret(key->bytes);
  key->options = (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT;
  key->options.authkey = key->bytes;
  key->options.authkey_size = sizeof key->bytes;
}

static void wipe(struct key *key) {
  memory_wipe(key->bytes, sizeof key->bytes);
}

static void open_and_close(enum ends_kind kind) {
  struct key key;
  struct background_connect client;
  struct ends ends;
  lay_bare(&key);
  mayfly_listener *listener = ends_listen(kind, &key.options);
  background_connect(&client, mayfly_listener_address(listener), &key.options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &ends.other));
  background_expect_ok(&client.background);
  ends.one = client.connection;
  wipe(&key);
  assert_int_equal(memory_count_secrets(getpid()), 1); /* the listener's, for the next client */
  assert_ok(mayfly_listener_close(listener));
  assert_int_equal(memory_count_secrets(getpid()), 0);
  ends_close(&ends);
}

static void nothing_is_left_once_all_are_connected_and_the_listener_is_closed(void **state) {
  (void)state;
  ends_of_every_socket(open_and_close);
}

static void fail_to_connect(enum ends_kind kind) {
  struct key key, other;
  struct background_connect client;
  mayfly_connection *connection;
  lay_bare(&key);
  lay_bare(&other);
  other.options.authkey = other.bytes + 1; /* another key, but the secret's end is in it */
  other.options.authkey_size--;
  mayfly_listener *listener = ends_listen(kind, &key.options);
  const mayfly_address address = *mayfly_listener_address(listener);
  background_connect(&client, &address, &other.options);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "the same key");
  background_expect(&client.background, MAYFLY_EAUTH, "refused our key");
  assert_ok(mayfly_listener_close(listener));
  assert_true(mayfly_connect(&address, &key.options, &connection) < 0);
  wipe(&key);
  wipe(&other);
  assert_int_equal(memory_count_secrets(getpid()), 0);
}

static void nothing_is_left_of_what_failed(void **state) {
  (void)state;
  ends_of_every_socket(fail_to_connect);
}

struct half {
  struct background background;
  struct key key;
  mayfly_connection *connection;
};

static int answer(void *context) {
  struct half *half = context;
  return mayfly_answer_challenge(half->connection, half->key.bytes, sizeof half->key.bytes, 0);
}

static void nothing_is_left_of_one_half_of_the_proof(void **state) {
  (void)state;
  struct half half;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  half.connection = ends[1];
  lay_bare(&half.key);
  background_start(&half.background, answer, &half);
  assert_ok(mayfly_deliver_challenge(ends[0], half.key.bytes, sizeof half.key.bytes, 0));
  background_expect_ok(&half.background);
  assert_int_equal(memory_count_secrets(getpid()), 1); /* our own */
  wipe(&half.key);
  assert_int_equal(memory_count_secrets(getpid()), 0);
  ends_close(&(struct ends){ends[0], ends[1]});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(nothing_is_left_once_all_are_connected_and_the_listener_is_closed),
      test(nothing_is_left_of_what_failed),
      test(nothing_is_left_of_one_half_of_the_proof),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
