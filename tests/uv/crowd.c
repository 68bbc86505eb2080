/* SPDX-License-Identifier: MIT */
/* crowd.c - thousands of connections to one loop: none is lost, each costs little, those who come and go leave nothing,
 * and those who don't read cost others nothing. MAYFLY_TEST_CROWD is how many there are at once; 10000 is what is
 * promised, less is quick. */
#include "child.h"
#include "heap.h"
#include "leaks.h"
#include "limit.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include "rounds.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef LOOP_STREAM
enum { IDLE_MAX = 480, OWN_DESCRIPTORS = 1 /* that libuv keeps for when there are no more */ };
#else
enum { IDLE_MAX = 320, OWN_DESCRIPTORS = 0 };
#endif

enum { CROWD = 2000, TRIPS = 3, SPARE_DESCRIPTORS = 100 };

static long crowd_size(void) {
  const char *text = getenv("MAYFLY_TEST_CROWD");
  return text != NULL ? strtol(text, NULL, 10) : rounds_here(CROWD);
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
  mayfly_address address;
  long count;
};

static void round_trip(int fd, uint32_t number) {
  uint32_t back;
  raw_say_message(fd, &number, sizeof number);
  if (raw_hear_message(fd, &back, sizeof back) != sizeof back || back != number)
    _exit(11);
}

/* By _exit: libuv's own cleanup would wait for threads that a forked child does not have. */
static int be_a_crowd(int parent, void *context) {
  const struct crowd *crowd = context;
  int *fds = calloc((size_t)crowd->count, sizeof *fds);
  if (fds == NULL)
    _exit(12);
  for (long i = 0; i < crowd->count; i++)
    fds[i] = raw_connect(&crowd->address);
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

/* ---- the server: nothing but mayfly's own is in memory for each ---- */

static uint64_t open_now, closed_so_far;

static void opened(mayfly_uv_connection *connection) {
  (void)connection;
  open_now++;
}

static void echo(mayfly_uv_connection *connection, const void *data, size_t size) {
  assert_int_equal(mayfly_uv_send(connection, data, size), 0);
}

static void closed(mayfly_uv_connection *connection, int status) {
  (void)connection;
  assert_int_equal(status, MAYFLY_EOF);
  closed_so_far++;
}

static void run_until_heard(struct loop *loop, const struct child *child, int word) {
  int heard;
  loop_tick_until(loop, (heard = child_hear_now(child->fd)) != 0);
  assert_int_equal(heard, word);
}

static void expect_small(long count, size_t bytes) {
  size_t each = bytes / (size_t)count;
  if (SANITIZED || heap_used() == 0) /* the sanitizers' own allocator is not asked */
    return;
  print_message("  %ld connections, %zu bytes each when idle\n", count, each);
  assert_in_range(each, 1, IDLE_MAX);
}

static void none_of_thousands_is_lost(void **state) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, opened, echo, NULL, closed};
  struct loop *loop = *state;
  struct crowd crowd = {.count = crowd_size()};
  struct child child;
  open_now = closed_so_far = 0;
  if (!raise_limit((size_t)crowd.count))
    skip();
  assert_ok(mayfly_uv_listen(&loop->uv, NULL, NULL, &handlers, &loop->first, &loop->listener));
  crowd.address = *loop_address(loop);
  child_start_apart(&child, be_a_crowd, &crowd, sizeof crowd);
  int descriptors = leaks_count();
  size_t before = heap_used();
  run_until_heard(loop, &child, 'j');
  loop_run_until(loop, open_now == (uint64_t)crowd.count);
  for (int round = 0; round < TRIPS; round++) {
    child_say(child.fd, 'g');
    run_until_heard(loop, &child, 'r');
  }
  expect_small(crowd.count, heap_used() - before);
  mayfly_uv_stats stats = loop_stats(loop);
  assert_int_equal(stats.open, crowd.count);
  assert_int_equal(stats.messages_in, crowd.count * (long)TRIPS);
  assert_int_equal(closed_so_far, 0);
  child_say(child.fd, 'l');
  loop_run_until(loop, closed_so_far == (uint64_t)crowd.count);
  assert_in_range(leaks_count(), descriptors, descriptors + OWN_DESCRIPTORS);
  child_expect_exit(&child, 0);
}

/* ---- those who come and go ---- */

enum { GUESTS = 4000, AT_ONCE = 20 };

static struct {
  struct loop *loop;
  int left; /* who are still to come */
  int opened, closed;
} guests;

static void come(void);

/* One leaves at once, one when it is answered, and one is shown out. */
static void guest_opened(mayfly_uv_connection *connection) {
  guests.opened++;
  if (guests.opened % 3 == 0)
    mayfly_uv_connection_close(connection, 0);
  else if (guests.opened % 3 == 1)
    assert_int_equal(mayfly_uv_send(connection, "hello", 5), 0);
  else
    assert_int_equal(mayfly_uv_send(connection, "goodbye", 7), 0);
}

static void guest_answered(mayfly_uv_connection *connection, const void *data, size_t size) {
  (void)data;
  if (size == 5)
    mayfly_uv_connection_close(connection, 0);
}

static void guest_closed(mayfly_uv_connection *connection, int status) {
  (void)connection;
  assert_true(status == 0 || status == MAYFLY_EOF || status == MAYFLY_ECONNRESET);
  guests.closed++;
  come();
}

static void come(void) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, guest_opened, guest_answered, NULL, guest_closed};
  mayfly_uv_connection *guest;
  if (guests.left == 0)
    return;
  guests.left--;
  assert_ok(mayfly_uv_connect(&guests.loop->uv, loop_address(guests.loop), NULL, &handlers, NULL, &guest));
}

static uint64_t hosted, left;

static void host_opened(mayfly_uv_connection *connection) {
  (void)connection;
  hosted++;
}

static void answer_and_close(mayfly_uv_connection *connection, const void *data, size_t size) {
  int result = mayfly_uv_send(connection, data, size);
  assert_true(result == 0 || result == MAYFLY_EPIPE);
  if (size == 7)
    mayfly_uv_connection_close(connection, MAYFLY_FOREVER);
}

static void host_closed(mayfly_uv_connection *connection, int status) {
  (void)connection;
  assert_true(status == 0 || status == MAYFLY_EOF || status == MAYFLY_EPIPE || status == MAYFLY_ECONNRESET);
  left++;
}

static void thousands_come_and_go_and_each_is_closed_once(void **state) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, host_opened, answer_and_close, NULL, host_closed};
  struct loop *loop = *state;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_address address;
  int all = ROUNDS(rounds_here(GUESTS));
  hosted = left = 0;
  memset(&guests, 0, sizeof guests);
  guests.loop = loop;
  guests.left = all;
  options.flags = loop->family == MAYFLY_AF_INET ? MAYFLY_ENDPOINT_ANY_USER : 0;
  assert_ok(mayfly_arbitrary_address(loop->family, &address));
  assert_ok(mayfly_uv_listen(&loop->uv, &address, &options, &handlers, &loop->first, &loop->listener));
  int descriptors = leaks_count();
  for (int i = 0; i < AT_ONCE; i++)
    come();
  loop_run_until(loop, guests.closed == all && loop_stats(loop).open == 0);
  loop_turn(loop);
  assert_int_equal(guests.closed, all);
  assert_int_equal(guests.opened, all);
  assert_int_equal(left, hosted);
  assert_in_range(leaks_count(), descriptors, descriptors + OWN_DESCRIPTORS);
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
  size_t count = (size_t)rounds_here(SLOW);
  char back[8];
  options.queue_high = HIGH;
  if (!raise_limit(2 * count))
    skip();
  loop->on_message = echo_or_flood;
  loop->on_drained = flood;
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  for (size_t i = 0; i < count; i++) {
    slow[i] = raw_connect(loop_address(loop));
    raw_say_message(slow[i], "flood", 5);
    loop_run_until(loop, loop->accepted_count == i + 1);
  }
  loop_run_until(loop, loop_stats(loop).messages_in == count);
  int good = raw_connect(loop_address(loop));
  size_t before = heap_used();
  for (int i = 0; i < rounds_here(ROUND_TRIPS); i++) {
    raw_say_message(good, "good", 4);
    assert_int_equal(loop_hear_message(loop, good, back, sizeof back), 4);
  }
  size_t after = heap_used();
  if (!SANITIZED)
    assert_in_range(after, 0, before + 100000); /* flat */
  assert_in_range(loop_stats(loop).queue_peak, HIGH, HIGH + 4004);
  for (size_t i = 0; i < count; i++)
    assert_error(mayfly_uv_send(loop->ends[i]->connection, "more", 4), MAYFLY_EAGAIN, "");
  for (size_t i = 0; i < count; i++)
    close(slow[i]);
  close(good);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(none_of_thousands_is_lost),
      test_over_each_family(thousands_come_and_go_and_each_is_closed_once),
      test_on_loop(who_never_reads_costs_a_bounded_amount_and_nobody_else),
  };
  return loop_run_tests(tests);
}
