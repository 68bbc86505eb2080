/* SPDX-License-Identifier: MIT */
/* chaos.c - peers that die at every stage, talk nonsense, or come and go: the loop serves on, and loses nothing. All
 * rounds are 100,000 of them over the system's own family. (AF_INET has not as many ports.) */
#include "child.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include "rounds.h"
#include <mayfly/connection.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHILDREN = 3, MESSAGE = 20000, ALL = 100000 / CHILDREN, SHARE = 600, CHALLENGE = 63 };

static int peers_of_each(mayfly_family family) {
  return family == MAYFLY_AF_INET ? ROUNDS(ALL / SHARE) : rounds_of(ALL, SHARE);
}

static mayfly_endpoint_options keyed(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = "secret";
  options.authkey_size = 6;
  options.opening_max = 16;
  options.open_timeout_ms = 2000;
  options.queue_high = 50000;
  return options;
}

/* ---- the peers, in processes of their own ---- */

static unsigned seed;

static unsigned any(unsigned below) {
  seed = seed * 1103515245U + 12345U;
  return (seed >> 16) % below;
}

/* Whether anybody hears it does not matter. */
static void say_some(int fd, const unsigned char *bytes, size_t size) {
  (void)raw_try_to_say(fd, bytes, any((unsigned)size + 1));
}

static void talk_nonsense(const mayfly_address *address) {
  unsigned char bytes[512];
  int fd = raw_connect(address);
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (unsigned char)any(i < 4 ? 2 : 256);
  say_some(fd, bytes, sizeof bytes);
  if (any(2))
    raw_hear(fd, bytes, CHALLENGE);
  close(fd);
}

/* A part of a good answer, and an end. */
static void stop_inside_the_handshake(const mayfly_address *address) {
  static const unsigned char answer[] = "\0\0\0\x28{sha256}0123456789abcdef0123456789abcdef";
  unsigned char challenge[CHALLENGE];
  int fd = raw_connect(address);
  if (any(2))
    raw_hear(fd, challenge, sizeof challenge);
  say_some(fd, answer, sizeof answer - 1);
  close(fd);
}

static void leave_in_the_middle(mayfly_connection *connection) {
  static const unsigned char half[] = {0, 0, 1, 0, 'h', 'a', 'l', 'f'};
  raw_try_to_say_of(connection, half, 1 + any(sizeof half));
}

static void talk_and_leave(const mayfly_address *address) {
  static const unsigned char message[MESSAGE];
  const mayfly_endpoint_options options = keyed();
  mayfly_connection *connection;
  if (mayfly_connect(address, &options, &connection) < 0)
    return; /* displaced by others */
  mayfly_connection_set_timeouts(connection, 1000, 0);
  for (unsigned i = any(20); i > 0; i--) {
    const void *data;
    size_t size;
    if (mayfly_send_bytes(connection, message, any(MESSAGE)) < 0 ||
        (any(2) && mayfly_recv_bytes(connection, SIZE_MAX, &data, &size) < 0))
      break;
  }
  if (any(2))
    leave_in_the_middle(connection);
  mayfly_connection_close(connection);
}

static int be_chaotic(int parent, void *context) {
  const mayfly_address *address = context;
  seed = (unsigned)getpid();
  for (int i = 0, peers = peers_of_each(address->family); i < peers; i++) {
    switch (any(4)) {
    case 0:
      close(raw_connect(address));
      break;
    case 1:
      talk_nonsense(address);
      break;
    case 2:
      stop_inside_the_handshake(address);
      break;
    default:
      talk_and_leave(address);
    }
  }
  child_say(parent, 'd');
  _exit(0); /* libuv's own cleanup would wait for threads that a forked child does not have */
}

/* ---- the server, which now and then closes too ---- */

static uint64_t opened_count, closed_count;

static void count_opened(mayfly_uv_connection *connection) {
  opened_count++;
  if (opened_count % 10 == 0)
    mayfly_uv_connection_close(connection, 0);
}

static void echo(mayfly_uv_connection *connection, const void *data, size_t size) {
  int result = mayfly_uv_send(connection, data, size);
  assert_true(result >= 0 || result == MAYFLY_EPIPE);
  if (result == 1)
    mayfly_uv_pause(connection);
  if (size % 50 == 7)
    mayfly_uv_connection_close(connection, 100);
}

static void count_closed(mayfly_uv_connection *connection, int status) {
  (void)connection, (void)status;
  closed_count++;
}

static void serving_goes_on_through_chaos(void **state) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, count_opened, echo, mayfly_uv_resume, count_closed};
  struct loop *loop = *state;
  const mayfly_endpoint_options options = keyed();
  struct child children[CHILDREN];
  mayfly_address address;
  uint64_t peers = (uint64_t)peers_of_each(loop->family);
  opened_count = closed_count = 0;
  assert_ok(mayfly_arbitrary_address(loop->family, &address));
  assert_ok(mayfly_uv_listen(&loop->uv, &address, &options, &handlers, &loop->first, &loop->listener));
  for (int i = 0; i < CHILDREN; i++)
    child_start_apart(&children[i], be_chaotic, loop_address(loop), sizeof address);
  for (int i = 0; i < CHILDREN; i++) {
    int word;
    loop_tick_until(loop, (word = child_hear_now(children[i].fd)) != 0);
    assert_int_equal(word, 'd');
  }
  for (int i = 0; i < CHILDREN; i++)
    child_expect_exit(&children[i], 0);
  loop_run_until(loop, loop_stats(loop).open == 0 && loop_stats(loop).opening == 0);
  loop_turn(loop);
  assert_int_equal(closed_count, opened_count);
  assert_int_equal(loop_stats(loop).accepted, opened_count);
  assert_true(opened_count >= peers / 20);
  assert_true(loop_stats(loop).refused_auth >= peers / 20);
  mayfly_endpoint_options plain = keyed();
  struct end *client = loop_connect(loop, &plain);
  assert_int_equal(mayfly_uv_send(client->connection, "well?", 5), 0);
  loop_run_until(loop, client->messages == 1 || client->closed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_over_each_family(serving_goes_on_through_chaos),
  };
  return loop_run_tests(tests);
}
