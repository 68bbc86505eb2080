/* SPDX-License-Identifier: MIT */
/* loop.h - a libuv loop with a listener, whose connections and those of the test are followed from opened to closed.
 *
 *   static void an_empty_message_is_a_message(void **state) {
 *     struct loop *loop = *state;
 *     loop_listen(loop, MAYFLY_AF_UNIX, NULL);
 *     struct end *client = loop_connect(loop, NULL);
 *     loop_run_until(loop, client->opened);
 *     ...
 *   }
 *
 *   test_on_loop(an_empty_message_is_a_message)
 *
 * At the end of a test what is still open is closed; then every connection that is owed a `closed` must have had one,
 * and nothing may be left on the loop.
 */
#ifndef LOOP_H
#define LOOP_H

#include "ends.h"
#include "test.h"
#include <mayfly/uv.h>

struct loop;

struct end {                        /* one connection, and what was told of it */
  mayfly_uv_connection *connection; /* NULL: it is gone */
  struct loop *loop;
  int opened, messages, drained, closed;
  int status;      /* of closed */
  char words[256]; /* the same */
  size_t bytes;    /* in all messages */
  unsigned char last[64];
  size_t last_size;
  /* What to do in each; NULL: nothing. */
  void (*on_opened)(struct end *end);
  void (*on_message)(struct end *end, const void *data, size_t size);
  void (*on_drained)(struct end *end);
  void (*on_closed)(struct end *end);
};

enum { LOOP_ENDS_MAX = 2048 };

struct loop {
  struct end first; /* the data of a connection that was just accepted; first, so that it is this */
  uv_loop_t uv;
  uv_timer_t ticks;
  mayfly_family family;         /* that a test over each is to use */
  mayfly_uv_listener *listener; /* NULL: none, or closed */
  int listener_closed;
  size_t count; /* of the accepted, and of the test's own */
  struct end *ends[LOOP_ENDS_MAX];
  struct end *accepted; /* the last one that opened */
  size_t accepted_count;
  /* What accepted ends begin with. */
  void (*on_opened)(struct end *end);
  void (*on_message)(struct end *end, const void *data, size_t size);
  void (*on_drained)(struct end *end);
  void (*on_closed)(struct end *end);
};

int loop_setup(void **state);
int loop_teardown(void **state);
#define test_on_loop(function) test_with_fixtures(function, loop_setup, loop_teardown)
/* Twice, over the system's own family and over AF_INET: the test takes loop->family, or loop_kind(). */
int loop_setup_inet(void **state);
#define test_over_each_family(function)                                                                                \
  test_on_loop(function), test_of_name(#function " (AF_INET)", function, loop_setup_inet, loop_teardown)
enum ends_kind loop_kind(const struct loop *loop);
/* One over which an end can end its sending and go on receiving: a pipe of Windows has no halves. */
mayfly_family loop_family_with_halves(void);

/* What main returns. libuv keeps descriptors from the first loop on: one runs before the tests are counted. */
#define loop_run_tests(tests) cmocka_run_group_tests(tests, loop_warm_up, NULL)
int loop_warm_up(void **state);

/* On an arbitrary address, of AF_INET or of the system's own family; keyless but for the options, and
 * MAYFLY_ENDPOINT_ANY_USER over AF_INET. */
void loop_listen(struct loop *loop, mayfly_family family, const mayfly_endpoint_options *options);
const mayfly_address *loop_address(const struct loop *loop);
struct end *loop_connect(struct loop *loop, const mayfly_endpoint_options *options); /* to that listener */
struct end *loop_connect_to(struct loop *loop, const mayfly_address *address, const mayfly_endpoint_options *options);
struct end *loop_end(struct loop *loop); /* a new one, for the data of a connection made otherwise */
extern const mayfly_uv_handlers loop_handlers;
mayfly_uv_stats loop_stats(const struct loop *loop);

/* Until it is so; the watchdog ends what never is. */
#define loop_run_until(loop, condition)                                                                                \
  do                                                                                                                   \
    while (!(condition))                                                                                               \
      uv_run(&(loop)->uv, UV_RUN_ONCE);                                                                                \
  while (0)

/* The same for what the loop is not told of, or what a timer does: UV_RUN_ONCE waits for an event after it. */
#define loop_tick_until(loop, condition)                                                                               \
  do                                                                                                                   \
    while (!(condition))                                                                                               \
      loop_tick(loop);                                                                                                 \
  while (0)

void loop_tick(struct loop *loop);                              /* one turn, which waits a few milliseconds at most */
void loop_turn(struct loop *loop);                              /* what can be done without waiting */
void loop_echo(struct end *end, const void *data, size_t size); /* for on_message; pauses, where it must */
void loop_resume(struct end *end);                              /* for on_drained */
void loop_close(struct end *end, int flush_ms);

/* raw_hear() and raw_hear_message() while the loop runs, which the other end is on. */
size_t loop_hear(struct loop *loop, int raw, void *bytes, size_t size);
size_t loop_hear_message(struct loop *loop, int raw, void *bytes, size_t capacity);

#define assert_closed(end, expected, text) loop_check_closed((end), (expected), (text), __FILE__, __LINE__)
void loop_check_closed(const struct end *end, int expected, const char *words, const char *file, int line);

#endif
