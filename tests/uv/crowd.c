/* SPDX-License-Identifier: MIT */
/* crowd.c - thousands of connections to one loop: none is lost, each costs little, and those who don't read cost others
 * nothing. MAYFLY_TEST_CROWD is how many; 10000 is what is promised, less is quick. */
#include "child.h"
#include "leaks.h"
#include "limit.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include "sanitizer.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef LOOP_STREAM
enum { IDLE_MAX = 480, OWN_DESCRIPTORS = 2 /* the child's, and one that libuv keeps for when there are no more */ };
#else
enum { IDLE_MAX = 320, OWN_DESCRIPTORS = 1 /* the child's */ };
#endif

enum { CROWD = 2000, TRIPS = 3, SPARE_DESCRIPTORS = 100 };

static long crowd_size(void) {
  const char *text = getenv("MAYFLY_TEST_CROWD");
  return text != NULL ? strtol(text, NULL, 10) : CROWD;
}

/* Both processes need that many descriptors. */
static int raise_limit(size_t count) {
  size_t most = limit_raise();
  if (most >= count + SPARE_DESCRIPTORS)
    return 1;
  print_message("skipped: only %zu descriptors may be had\n", most);
  return 0;
}

/* ---- the clients, in a process of their own ---- */

struct crowd {
  const mayfly_address *address;
  long count;
};

static int join(const mayfly_address *address) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(un.sun_path, sizeof un.sun_path, "%.100s", address->name);
  if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) != 0)
    _exit(10);
  return fd;
}

static void round_trip(int fd, uint32_t number) {
  unsigned char out[8] = {0, 0, 0, 4}, in[8];
  memcpy(out + 4, &number, 4);
  if (send(fd, out, 8, MSG_NOSIGNAL) != 8 || recv(fd, in, 8, MSG_WAITALL) != 8 || memcmp(in, out, 8) != 0)
    _exit(11);
}

/* By _exit: libuv's own cleanup would wait for threads that a forked child does not have. */
static int be_a_crowd(int parent, void *context) {
  const struct crowd *crowd = context;
  int *fds = calloc((size_t)crowd->count, sizeof *fds);
  if (fds == NULL)
    _exit(12);
  for (long i = 0; i < crowd->count; i++)
    fds[i] = join(crowd->address);
  child_say(parent, 'j');
  for (int round = 0; round < TRIPS; round++) {
    child_hear(parent);
    for (long i = 0; i < crowd->count; i++)
      round_trip(fds[i], (uint32_t)i);
    child_say(parent, 'r');
  }
  child_hear(parent); /* until told to leave */
  _exit(0);
}

/* ---- the server ---- */

struct server {
  uv_loop_t uv;
  mayfly_uv_listener *listener;
  uint64_t open, closed;
  int heard; /* what the child has said last */
  uv_poll_t child;
  int fd;
};

static struct server *server_of(mayfly_uv_connection *connection) {
  return mayfly_uv_connection_data(connection);
}

static void opened(mayfly_uv_connection *connection) {
  server_of(connection)->open++;
}

static void echo(mayfly_uv_connection *connection, const void *data, size_t size) {
  assert_int_equal(mayfly_uv_send(connection, data, size), 0);
}

static void closed(mayfly_uv_connection *connection, int status) {
  assert_int_equal(status, MAYFLY_EOF);
  server_of(connection)->closed++;
}

static void hear(uv_poll_t *handle, int status, int events) {
  struct server *server = handle->data;
  (void)status, (void)events;
  server->heard = child_hear(server->fd);
  if (server->heard < 0)
    uv_poll_stop(handle);
}

static void run_until_heard(struct server *server, int word) {
  server->heard = 0;
  while (server->heard == 0)
    uv_run(&server->uv, UV_RUN_ONCE);
  assert_int_equal(server->heard, word);
}

/* The sanitizers' own allocator is not asked. */
static void expect_small(long count, size_t bytes) {
  size_t each = bytes / (size_t)count;
  if (SANITIZED)
    return;
  print_message("  %ld connections, %zu bytes each when idle\n", count, each);
  assert_in_range(each, 1, IDLE_MAX);
}

static void none_of_thousands_is_lost(void **state) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, opened, echo, NULL, closed};
  struct crowd crowd = {.count = crowd_size()};
  struct server server = {.open = 0};
  struct child child;
  (void)state;
  if (!raise_limit((size_t)crowd.count))
    skip();
  assert_int_equal(uv_loop_init(&server.uv), 0);
  assert_ok(mayfly_uv_listen(&server.uv, NULL, NULL, &handlers, &server, &server.listener));
  int descriptors = leaks_count();
  crowd.address = mayfly_uv_listener_address(server.listener);
  child_start(&child, be_a_crowd, &crowd);
  server.fd = child.fd;
  server.child.data = &server;
  uv_poll_init(&server.uv, &server.child, child.fd);
  uv_poll_start(&server.child, UV_READABLE, hear);
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  run_until_heard(&server, 'j');
  while (server.open < (uint64_t)crowd.count)
    uv_run(&server.uv, UV_RUN_ONCE);
  for (int round = 0; round < TRIPS; round++) {
    child_say(child.fd, 'g');
    run_until_heard(&server, 'r');
  }
  expect_small(crowd.count, mallinfo2().uordblks + mallinfo2().hblkhd - before);
  mayfly_uv_stats stats = {.size = sizeof stats};
  assert_ok(mayfly_uv_listener_stats(server.listener, &stats));
  assert_int_equal(stats.open, crowd.count);
  assert_int_equal(stats.messages_in, crowd.count * (long)TRIPS);
  assert_int_equal(server.closed, 0);
  child_say(child.fd, 'l');
  while (server.closed < (uint64_t)crowd.count)
    uv_run(&server.uv, UV_RUN_ONCE);
  assert_int_equal(leaks_count(), descriptors + OWN_DESCRIPTORS);
  uv_close((uv_handle_t *)&server.child, NULL);
  mayfly_uv_listener_close(server.listener, NULL);
  uv_run(&server.uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&server.uv), 0);
  child_expect_exit(&child, 0);
}

/* ---- those who never read ---- */

static void flood(struct end *end) {
  static const unsigned char piece[4000];
  while (mayfly_uv_send(end->connection, piece, sizeof piece) == 0)
    continue;
}

static void echo_or_flood(struct end *end, const void *data, size_t size) {
  if (size == 5)
    flood(end);
  else
    loop_echo(end, data, size);
}

static void who_never_reads_costs_a_bounded_amount_and_nobody_else(void **state) {
  struct loop *loop = *state;
  enum { SLOW = 1000, HIGH = 20000, ROUND_TRIPS = 2000 };
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  static int slow[SLOW];
  char back[8];
  options.queue_high = HIGH;
  if (!raise_limit((size_t)2 * SLOW))
    skip();
  loop->on_message = echo_or_flood;
  loop->on_drained = flood;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  for (int i = 0; i < SLOW; i++) {
    slow[i] = raw_connect(loop_address(loop));
    raw_say_message(slow[i], "flood", 5);
    if (i % 50 == 49)
      loop_turn(loop);
  }
  loop_run_until(loop, loop->accepted_count == SLOW && loop_stats(loop).messages_in == SLOW);
  int good = raw_connect(loop_address(loop));
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < ROUND_TRIPS; i++) {
    raw_say_message(good, "good", 4);
    loop_run_until(loop, loop->accepted_count == SLOW + 1 && loop->accepted->messages == i + 1);
    assert_int_equal(raw_hear_message(good, back, sizeof back), 4);
  }
  size_t after = mallinfo2().uordblks;
  if (!SANITIZED)
    assert_in_range(after, 0, before + 100000); /* flat */
  assert_in_range(loop_stats(loop).queue_peak, HIGH, HIGH + 4004);
  for (size_t i = 0; i < SLOW; i++)
    assert_error(mayfly_uv_send(loop->ends[i]->connection, "more", 4), MAYFLY_EAGAIN, "");
  for (int i = 0; i < SLOW; i++)
    close(slow[i]);
  close(good);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(none_of_thousands_is_lost),
      test_on_loop(who_never_reads_costs_a_bounded_amount_and_nobody_else),
  };
  return loop_run_tests(tests);
}
