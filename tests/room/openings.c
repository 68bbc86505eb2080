/* SPDX-License-Identifier: MIT */
/* openings.c - peers on their way in: who proves the key, who does not, and who only stands in the way. */
#include "background.h"
#include "child.h"
#include "ends.h"
#include "limit.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CHALLENGE = 59, ANSWER = 40 }; /* "#CHALLENGE#{sha256}" and 40 bytes; "{sha256}" and 32 */

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static mayfly_endpoint_options keyed(const void *key, size_t size) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = key;
  options.authkey_size = size;
  return options;
}

static mayfly_endpoint_options secret(void) {
  return keyed("secret", 6);
}

/* A client with the right key is let in now, whatever else there is. */
static void expect_good_one(mayfly_listener *listener, const mayfly_endpoint_options *options) {
  struct background_connect client;
  mayfly_connection *connection;
  background_connect(&client, mayfly_listener_address(listener), options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  background_expect_ok(&client.background);
  assert_ok(mayfly_send_bytes(client.connection, "ping", 4));
  ends_expect_message(connection, "ping", 4);
  ends_close(&(struct ends){client.connection, connection});
}

/* Until the listener has challenged the peer. */
static void hear_challenge(mayfly_listener *listener, int raw) {
  unsigned char challenge[CHALLENGE];
  mayfly_connection *connection;
  while (raw_unread(raw) == 0)
    assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, "");
  assert_int_equal(raw_hear_message(raw, challenge, sizeof challenge), CHALLENGE);
  assert_memory_equal(challenge, "#CHALLENGE#{sha256}", 19);
}

/* ---- keys ------------------------------------------------------------------------------ */

static void same_key(enum ends_kind kind) {
  static const unsigned char keys[1000] = {0, 1, 2, 0, 0xff, 10};
  static const size_t sizes[] = {1, 6, 64, 65, 128, 1000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    mayfly_endpoint_options options = keyed(keys, sizes[i]);
    mayfly_listener *listener = ends_listen(kind, &options);
    expect_good_one(listener, &options);
    assert_ok(mayfly_listener_close(listener));
  }
}

static void who_has_the_key_is_let_in(void **state) {
  (void)state;
  ends_of_every_socket(same_key);
}

static void a_key_is_copied(void **state) {
  (void)state;
  char *key = strdup("secret");
  assert_non_null(key);
  mayfly_endpoint_options options = keyed(key, 6), good = secret();
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  memset(key, 'x', 6);
  free(key);
  expect_good_one(listener, &good);
  assert_ok(mayfly_listener_close(listener));
}

static void other_key(enum ends_kind kind) {
  mayfly_endpoint_options good = secret(), bad = keyed("Secret", 6), longer = keyed("secrets", 7);
  mayfly_listener *listener = ends_listen(kind, &good);
  mayfly_connection *connection = NULL;
  for (int i = 0; i < 4; i++) {
    struct background_connect client;
    background_connect(&client, mayfly_listener_address(listener), i % 2 == 0 ? &bad : &longer);
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "it does not hold the same key");
    background_expect(&client.background, MAYFLY_EAUTH, "the peer refused our key");
    assert_null(connection);
    assert_null(client.connection);
    expect_good_one(listener, &good);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void who_has_another_key_is_not_and_the_listener_goes_on(void **state) {
  (void)state;
  ends_of_every_socket(other_key);
}

static void name_where_it_failed(enum ends_kind kind) {
  mayfly_endpoint_options good = secret(), bad = keyed("x", 1);
  struct background_connect client;
  mayfly_connection *connection;
  char where[MAYFLY_ADDRESS_TEXT_SIZE], from[64];
  mayfly_listener *listener = ends_listen(kind, &good);
  assert_ok(mayfly_address_format(mayfly_listener_address(listener), where, sizeof where));
  snprintf(from, sizeof from, kind == ENDS_INET ? "from 127.0.0.1:" : "from process %d", (int)getpid());
  background_connect(&client, mayfly_listener_address(listener), &bad);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, where);
  assert_non_null(strstr(mayfly_last_error(), from));
  background_expect(&client.background, MAYFLY_EAUTH, where);
  assert_error(mayfly_accept(listener, 0, &connection), MAYFLY_ETIMEDOUT, where);
  assert_ok(mayfly_listener_close(listener));
}

static void both_sides_name_where_it_failed(void **state) {
  (void)state;
  ends_of_every_socket(name_where_it_failed);
}

static void hmac_md5_between_us_is_not_needed_and_does_no_harm(void **state) {
  (void)state;
  mayfly_endpoint_options plain = secret(), md5 = secret();
  md5.flags = MAYFLY_ENDPOINT_ALLOW_MD5;
  for (int i = 0; i < 4; i++) {
    mayfly_listener *listener = ends_listen(ENDS_UNIX, i % 2 == 0 ? &plain : &md5);
    expect_good_one(listener, i / 2 == 0 ? &plain : &md5);
    assert_ok(mayfly_listener_close(listener));
  }
}

/* ---- what is no handshake ---------------------------------------------------------------- */

static void say_garbage(const char *bytes, size_t size, const char *words) {
  mayfly_endpoint_options options = secret();
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  mayfly_connection *connection = NULL;
  int raw = raw_connect(mayfly_listener_address(listener));
  raw_say(raw, bytes, size);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, words);
  assert_null(connection);
  close(raw);
  expect_good_one(listener, &options);
  assert_ok(mayfly_listener_close(listener));
}

/* In place of the answer to our challenge. */
static void what_is_no_answer_is_refused(void **state) {
  (void)state;
  char bytes[512] = {0};
  say_garbage("GET / HTTP/1.1\r\n\r\n", 18, "authentication failed: a message of more than 256 bytes");
  say_garbage("\0\0\0\0", 4, "names no digest that is known here");
  say_garbage("\xff\xff\xff\xfe", 4, "authentication failed");
  say_garbage("\x7f\xff\xff\xff", 4, "a message of more than 256 bytes");
  say_garbage("\0\0\1\1", 4, "a message of more than 256 bytes");
  say_garbage("\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 12, "authentication failed");
  say_garbage("\0\0\0\x3b#CHALLENGE#{sha256}0123456789012345678901234567890123456789", 63,
              "names no digest"); /* two servers */
  say_garbage("\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12, "authentication failed");
  say_garbage("\0\0\0\x10sixteen bytes   ", 20, "set MAYFLY_ENDPOINT_ALLOW_MD5 to let it in");
  say_garbage("\0\0\0\x15{md5}sixteen bytes   ", 25, "which only MAYFLY_ENDPOINT_ALLOW_MD5 lets pass");
  memcpy(bytes, "\0\0\0\x28{sha256}", 12);
  say_garbage(bytes, 4 + ANSWER, "it does not hold the same key");
  bytes[3] = ANSWER - 1;
  say_garbage(bytes, 4 + ANSWER - 1, "the wrong length");
  memcpy(bytes, "\0\0\0\x38{sha384}", 12);
  say_garbage(bytes, 4 + 56, "in another digest than SHA-256");
  memcpy(bytes, "\0\0\1\0{sha999}", 12);
  say_garbage(bytes, 4 + 256, "names no digest that is known here");
}

static void say_as_server(const char *bytes, size_t size, int error, const char *words) {
  mayfly_endpoint_options options = secret();
  struct background_connect client;
  char heard[64];
  mayfly_address address;
  int listening = raw_listen_anywhere(&address, 1);
  background_connect(&client, &address, &options);
  int raw = raw_accept(listening);
  raw_say(raw, bytes, size);
  background_expect(&client.background, error, words);
  assert_null(client.connection);
  assert_int_equal(raw_hear(raw, heard, sizeof heard), 0); /* an answerer that can't go on says nothing */
  close(raw);
  raw_stop_listening(listening, &address);
}

/* In place of the server's challenge. */
static void what_is_no_challenge_is_refused(void **state) {
  (void)state;
  char bytes[512] = {0};
  say_as_server("\0\0\0\5hello", 9, MAYFLY_EAUTH, "the peer's first message is no challenge");
  say_as_server("\0\0\0\0", 4, MAYFLY_EAUTH, "is no challenge");
  say_as_server("SSH-2.0-OpenSSH\r\n", 17, MAYFLY_EAUTH, "a message of more than 256 bytes");
  say_as_server("\xff\xff\xff\xfe", 4, MAYFLY_EAUTH, "authentication failed");
  say_as_server("\0\0\0\xb#CHALLENGE#", 15, MAYFLY_EAUTH, "shorter than 20 bytes");
  memcpy(bytes, "\0\0\0\x1f#CHALLENGE#", 15);
  say_as_server(bytes, 35, MAYFLY_EAUTH, "set MAYFLY_ENDPOINT_ALLOW_MD5 to answer it");
  memcpy(bytes, "\0\0\0\x3b#CHALLENGE#{sha1}", 21);
  say_as_server(bytes, 63, MAYFLY_EAUTH, "names no digest that is known here");
  memcpy(bytes, "\0\0\0\x3b#CHALLENGE#{md5}", 20);
  say_as_server(bytes, 63, MAYFLY_EAUTH, "asks for HMAC-MD5");
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static void silence(enum ends_kind kind) {
  mayfly_endpoint_options options = secret();
  mayfly_connection *connection;
  options.open_timeout_ms = 60;
  mayfly_listener *listener = ends_listen(kind, &options);
  for (int i = 0; i < 2; i++) {
    int64_t begin = now_ms();
    int raw = raw_connect(mayfly_listener_address(listener));
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "nothing came within 60 ms");
    assert_true(now_ms() - begin >= 59);
    unsigned char heard[4 + CHALLENGE + 1];
    assert_int_equal(raw_hear(raw, heard, sizeof heard), 4 + CHALLENGE); /* and then the end */
    close(raw);
  }
  assert_ok(mayfly_listener_close(listener));
}

static void a_peer_that_says_nothing_is_dropped_at_its_deadline(void **state) {
  (void)state;
  ends_of_every_socket(silence);
}

static void bytes_that_trickle_do_not_extend_a_deadline(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  mayfly_connection *connection;
  options.open_timeout_ms = 100;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  int raw = raw_connect(mayfly_listener_address(listener));
  int result = MAYFLY_ETIMEDOUT;
  raw_say(raw, "\0\0\1\0", 4);
  for (int i = 0; i < 255 && result == MAYFLY_ETIMEDOUT; i++) {
    if (raw_try_to_say(raw, "x", 1) < 0)
      break;
    result = mayfly_accept(listener, 5, &connection);
  }
  assert_error(result, MAYFLY_EAUTH, "nothing came within 100 ms");
  close(raw);
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_says_which_phase_took_too_long(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  mayfly_connection *connection = NULL;
  mayfly_address address;
  char where[MAYFLY_ADDRESS_TEXT_SIZE];
  options.open_timeout_ms = 50;
  int listening = raw_listen_anywhere(&address, 0); /* which keeps one */
  assert_ok(mayfly_address_format(&address, where, sizeof where));
  int64_t begin = now_ms();
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_ETIMEDOUT,
               "authentication: the listener was silent until the time ran out");
  assert_non_null(strstr(mayfly_last_error(), where));
  assert_error(mayfly_connect(&address, &options, &connection), MAYFLY_ETIMEDOUT, "no connection in time");
  assert_non_null(strstr(mayfly_last_error(), where));
  assert_true(now_ms() - begin >= 98);
  assert_null(connection);
  raw_stop_listening(listening, &address);
}

static void a_client_with_a_key_at_a_listener_without_one_runs_out_of_time(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct background_connect client;
  mayfly_connection *connection;
  options.open_timeout_ms = 50;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  background_connect(&client, mayfly_listener_address(listener), &options);
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  background_expect(&client.background, MAYFLY_ETIMEDOUT, "has it a key?");
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
}

static void a_client_without_a_key_is_dropped_by_a_listener_with_one(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  mayfly_connection *client, *connection;
  const void *data;
  size_t size;
  options.open_timeout_ms = 50;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  assert_ok(mayfly_connect(mayfly_listener_address(listener), NULL, &client));
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "has the peer the key?");
  assert_ok(mayfly_recv_bytes(client, SIZE_MAX, &data, &size));
  assert_int_equal(size, CHALLENGE);
  assert_error(mayfly_recv_bytes(client, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(client));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- side by side ----------------------------------------------------------------------------- */

static void with_a_timeout_of_0_work_is_kept_from_call_to_call(enum ends_kind kind) {
  mayfly_endpoint_options options = secret();
  struct background_connect client;
  mayfly_connection *connection = NULL;
  mayfly_listener *listener = ends_listen(kind, &options);
  int result;
  background_connect(&client, mayfly_listener_address(listener), &options);
  while ((result = mayfly_accept(listener, 0, &connection)) == MAYFLY_ETIMEDOUT)
    assert_null(connection);
  assert_ok(result);
  background_expect_ok(&client.background);
  ends_close(&(struct ends){client.connection, connection});
  assert_ok(mayfly_listener_close(listener));
}

static void an_accept_that_does_not_wait_works_with_a_key(void **state) {
  (void)state;
  ends_of_every_socket(with_a_timeout_of_0_work_is_kept_from_call_to_call);
}

static void who_has_been_at_it_longest_makes_room(void **state) {
  (void)state;
  enum { MOST = 3, COUNT = 5 };
  mayfly_endpoint_options options = secret();
  mayfly_connection *connection;
  int raw[COUNT];
  char byte;
  options.opening_max = MOST;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  for (int i = 0; i < MOST; i++) {
    raw[i] = raw_connect(mayfly_listener_address(listener));
    hear_challenge(listener, raw[i]);
  }
  for (int i = MOST; i < COUNT; i++) {
    raw[i] = raw_connect(mayfly_listener_address(listener));
    assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH,
                 "3 others were proving themselves too, and this one the longest");
    assert_int_equal(raw_hear(raw[i - MOST], &byte, 1), 0); /* the first that is left was dropped */
    hear_challenge(listener, raw[i]);
    assert_true(raw_is_quiet(raw[i - MOST + 1])); /* the next one was not */
  }
  for (int i = 0; i < COUNT; i++)
    close(raw[i]);
  assert_ok(mayfly_listener_close(listener));
}

enum { SILENT = 1000 };

/* In a process of its own, which has descriptors enough: says when all are connected, and then nothing. */
static int connect_in_silence(int parent, void *address) {
  limit_raise();
  for (int i = 0; i < SILENT; i++) {
    mayfly_connection *connection;
    if (mayfly_connect(address, NULL, &connection) < 0)
      return 1;
  }
  child_say(parent, 's');
  child_hear(parent);
  return 0;
}

struct late {
  struct background background;
  int silent; /* where the silent ones say that they are there */
  mayfly_address address;
  mayfly_endpoint_options options;
  mayfly_connection *connection;
};

static int connect_after_them(void *context) {
  struct late *late = context;
  if (child_hear(late->silent) != 's')
    return MAYFLY_EIO;
  return mayfly_connect(&late->address, &late->options, &late->connection);
}

static int accept_only(mayfly_listener *listener, mayfly_connection **connection) {
  return mayfly_accept(listener, MAYFLY_FOREVER, connection);
}

static int wait_and_accept(mayfly_listener *listener, mayfly_connection **connection) {
  mayfly_wait_item item = {.listener = listener};
  int result = mayfly_wait(&item, 1, MAYFLY_FOREVER);
  return result < 0 ? result : mayfly_accept(listener, 0, connection);
}

/* All but the 64 that may be at it make room, the last one for the good one: none of them is waited for. */
static void pass_a_thousand(enum ends_kind kind, int (*next)(mayfly_listener *, mayfly_connection **)) {
  struct late late = {.options = secret()};
  struct child child;
  mayfly_connection *connection = NULL;
  int result, displaced = 0;
  late.options.open_timeout_ms = 600000; /* a slow machine must not end the silent ones in another way */
  mayfly_listener *listener = ends_listen(kind, &late.options);
  late.address = *mayfly_listener_address(listener);
  child_start_apart(&child, connect_in_silence, &late.address, sizeof late.address);
  late.silent = child.fd;
  background_start(&late.background, connect_after_them, &late);
  while ((result = next(listener, &connection)) == MAYFLY_EAUTH) {
    assert_non_null(strstr(mayfly_last_error(), "64 others were proving themselves too, and this one the longest"));
    displaced++;
  }
  assert_ok(result);
  background_expect_ok(&late.background);
  assert_int_equal(displaced, SILENT - 63);
  expect_good_one(listener, &late.options);
  child_kill(&child, SIGKILL);
  ends_close(&(struct ends){late.connection, connection});
  assert_ok(mayfly_listener_close(listener));
}

static void a_thousand_silent_clients_hold_up_nobody(void **state) {
  (void)state;
  pass_a_thousand(ENDS_UNIX, accept_only);
  pass_a_thousand(ENDS_UNIX, wait_and_accept);
  pass_a_thousand(ENDS_INET, accept_only);
}

static void a_listener_closes_with_peers_in_every_state(void **state) {
  (void)state;
  mayfly_endpoint_options options = secret();
  struct background_connect client;
  mayfly_connection *connection;
  mayfly_listener *listener = ends_listen(ENDS_UNIX, &options);
  mayfly_wait_item item = {.listener = listener};
  char byte[CHALLENGE + 5];
  int silent = raw_connect(mayfly_listener_address(listener));
  hear_challenge(listener, silent);
  int failed = raw_connect(mayfly_listener_address(listener));
  raw_say_message(failed, "no", 2);
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
  background_connect(&client, mayfly_listener_address(listener), &options);
  assert_error(mayfly_accept(listener, MAYFLY_FOREVER, &connection), MAYFLY_EAUTH, "");
  assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1); /* the good one is through, and is not taken */
  int waiting = raw_connect(mayfly_listener_address(listener));
  background_expect_ok(&client.background);
  assert_ok(mayfly_listener_close(listener));
  assert_int_equal(raw_hear(silent, byte, sizeof byte), 0);
  const void *data;
  size_t size;
  assert_error(mayfly_recv_bytes(client.connection, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  close(silent);
  close(failed);
  close(waiting);
  assert_ok(mayfly_connection_close(client.connection));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(who_has_the_key_is_let_in),
      test(a_key_is_copied),
      test(who_has_another_key_is_not_and_the_listener_goes_on),
      test(both_sides_name_where_it_failed),
      test(hmac_md5_between_us_is_not_needed_and_does_no_harm),
      test(what_is_no_answer_is_refused),
      test(what_is_no_challenge_is_refused),
      test(a_peer_that_says_nothing_is_dropped_at_its_deadline),
      test(bytes_that_trickle_do_not_extend_a_deadline),
      test(a_client_says_which_phase_took_too_long),
      test(a_client_with_a_key_at_a_listener_without_one_runs_out_of_time),
      test(a_client_without_a_key_is_dropped_by_a_listener_with_one),
      test(an_accept_that_does_not_wait_works_with_a_key),
      test(who_has_been_at_it_longest_makes_room),
      test(a_thousand_silent_clients_hold_up_nobody),
      test(a_listener_closes_with_peers_in_every_state),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
