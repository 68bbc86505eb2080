/* SPDX-License-Identifier: MIT */
/* python_uv.c - real Pythons and connections on a loop: in every way, both ways round. */
#include "loop.h"
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include "watchdog.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one connection with a Python, whose lines are heard while the loop runs ---- */

struct talk {
  struct loop *loop;
  struct peer *python;
  const struct way *way;
  struct end *end;
};

static int python_speaks(const struct peer *python) {
  struct pollfd readable = {.fd = python->child.fd, .events = POLLIN};
  return memchr(python->lines + python->used, '\n', python->size - python->used) != NULL || poll(&readable, 1, 0) == 1;
}

static void expect_line(const struct talk *talk, const char *line) {
  while (!python_speaks(talk->python))
    uv_run(&talk->loop->uv, UV_RUN_NOWAIT);
  peer_expect(talk->python, line);
}

static void meet_python(struct talk *talk, struct stage *stage) {
  const mayfly_endpoint_options options = meeting_options(talk->way, stage);
  const char *key = talk->way->keyed ? meeting_key_digits : "-";
  if (talk->way->python_listens) {
    mayfly_address address;
    python_listens(stage, talk->way->family, key, &address);
    peer_tell(talk->python, "accept");
    talk->end = loop_connect_to(talk->loop, &address, &options);
    loop_run_until(talk->loop, talk->end->opened || talk->end->closed);
    expect_line(talk, "accepted");
    return;
  }
  loop_listen(talk->loop, talk->way->family, &options);
  python_connects(talk->python, loop_address(talk->loop), key);
  talk->loop->accepted = NULL;
  loop_run_until(talk->loop, talk->loop->accepted != NULL);
  talk->end = talk->loop->accepted;
  expect_line(talk, "connected");
}

static void part_from_python(struct talk *talk, const char *farewell) {
  loop_close(talk->end, MAYFLY_FOREVER);
  loop_run_until(talk->loop, talk->end->closed);
  assert_closed(talk->end, 0, "");
  if (farewell != NULL)
    expect_line(talk, farewell);
  peer_ask(talk->python, "close", "closed");
  if (talk->way->python_listens)
    peer_ask(talk->python, "stop_listening", "stopped");
  mayfly_uv_listener_close(talk->loop->listener, NULL);
  talk->loop->listener = NULL;
}

static void in_every_way(struct stage *stage, void (*run)(struct talk *talk)) {
  for (size_t i = 0; i < WAYS; i++) {
    void *state;
    print_message("  %s\n", ways[i].name);
    assert_int_equal(loop_setup(&state), 0);
    struct talk talk = {.loop = state, .python = &stage->python, .way = &ways[i]};
    meet_python(&talk, stage);
    assert_int_equal(talk.end->opened, 1);
    run(&talk);
    assert_int_equal(loop_teardown(&state), 0);
  }
}

/* ---- messages ---- */

static const size_t sizes[] = {0, 1, 4096, 16384, 16385, 65536, 1 << 20, 5 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void expect_pattern_back(struct end *end, const void *data, size_t size) {
  assert_int_equal(size, sizes[end->messages - 1]);
  assert_true(pattern_is(data, size));
}

static void send_every_size(struct talk *talk) {
  unsigned char *pattern = malloc(sizes[SIZES - 1]);
  assert_non_null(pattern);
  pattern_fill(pattern, sizes[SIZES - 1]);
  talk->end->on_message = expect_pattern_back;
  peer_tell(talk->python, "echo");
  for (int i = 0; i < SIZES; i++) {
    assert_in_range(mayfly_uv_send(talk->end->connection, pattern, sizes[i]), 0, 1);
    loop_run_until(talk->loop, talk->end->messages == i + 1);
  }
  free(pattern);
  part_from_python(talk, "echoed 8 whole");
}

static void messages_of_every_size_come_back_whole(struct stage *stage) {
  in_every_way(stage, send_every_size);
}

enum { BIG = 64 << 20 };

static void expect_big(struct end *end, const void *data, size_t size) {
  (void)end;
  assert_int_equal(size, BIG);
  assert_true(pattern_is(data, size));
}

static void send_big(struct talk *talk) {
  unsigned char *pattern = malloc(BIG);
  assert_non_null(pattern);
  pattern_fill(pattern, BIG);
  talk->end->on_message = expect_big;
  peer_tell(talk->python, "echo");
  assert_in_range(mayfly_uv_send(talk->end->connection, pattern, BIG), 0, 1);
  loop_run_until(talk->loop, talk->end->messages == 1);
  free(pattern);
  part_from_python(talk, "echoed 1 whole");
}

static void a_message_of_64_mib_comes_back_whole(struct stage *stage) {
  watchdog_grow_patient();
  in_every_way(stage, send_big);
}

enum { NUMBERED = 10000 };
static int next_number;

static void send_numbers(struct end *end) {
  while (next_number < NUMBERED) {
    char text[16];
    int length = snprintf(text, sizeof text, "%d", next_number++);
    if (mayfly_uv_send(end->connection, text, (size_t)length) == 1)
      return; /* until it has drained */
  }
}

static void expect_number(struct end *end, const void *data, size_t size) {
  char expected[16];
  int length = snprintf(expected, sizeof expected, "%d", end->messages - 1);
  assert_int_equal(size, length);
  assert_memory_equal(data, expected, size);
}

static void count_to_ten_thousand(struct talk *talk) {
  next_number = 0;
  talk->end->on_drained = send_numbers;
  talk->end->on_message = expect_number;
  peer_tell(talk->python, "receive_numbered %d", NUMBERED);
  send_numbers(talk->end);
  expect_line(talk, "10000 in order");
  peer_tell(talk->python, "send_numbered %d", NUMBERED);
  loop_run_until(talk->loop, talk->end->messages == NUMBERED);
  expect_line(talk, "sent");
  part_from_python(talk, NULL);
}

static void ten_thousand_messages_in_a_row_keep_their_order(struct stage *stage) {
  in_every_way(stage, count_to_ten_thousand);
}

/* What Python wrote is delivered although it has closed already, and then its end is seen. */
static void hear_the_last_words(struct talk *talk) {
  peer_ask(talk->python, "send 100000", "sent");
  peer_ask(talk->python, "send_text last words", "sent");
  peer_ask(talk->python, "close", "closed");
  loop_run_until(talk->loop, talk->end->closed);
  assert_int_equal(talk->end->messages, 2);
  assert_int_equal(talk->end->bytes, 100000 + 10);
  assert_closed(talk->end, MAYFLY_EOF, "the peer closed");
  if (talk->way->python_listens)
    peer_ask(talk->python, "stop_listening", "stopped");
}

static void what_python_said_before_it_closed_is_heard(struct stage *stage) {
  in_every_way(stage, hear_the_last_words);
}

static void hear_nonsense(struct talk *talk) {
  peer_ask(talk->python, "write 80000000", "written");
  loop_run_until(talk->loop, talk->end->closed);
  assert_closed(talk->end, MAYFLY_EPROTO, "a length that is none");
  peer_ask(talk->python, "close", "closed");
  if (talk->way->python_listens)
    peer_ask(talk->python, "stop_listening", "stopped");
}

static void nonsense_of_pythons_ends_the_connection(struct stage *stage) {
  in_every_way(stage, hear_nonsense);
}

/* ---- keys ---- */

static const char wrong_key[] = "77726f6e67";

static void a_python_with_a_wrong_key_is_turned_away(struct stage *stage) {
  void *state;
  const struct way *way = way_of(LOCAL_FAMILY, 1, 0);
  const mayfly_endpoint_options options = meeting_options(way, stage);
  assert_int_equal(loop_setup(&state), 0);
  struct talk talk = {.loop = state, .python = &stage->python, .way = way};
  loop_listen(talk.loop, LOCAL_FAMILY, &options);
  python_connects(talk.python, loop_address(talk.loop), wrong_key);
  expect_line(&talk, "raised AuthenticationError: digest sent was rejected");
  assert_int_equal(loop_stats(talk.loop).refused_auth, 1);
  python_connects(talk.python, loop_address(talk.loop), meeting_key_digits); /* and the listener goes on */
  expect_line(&talk, "connected");
  loop_run_until(talk.loop, talk.loop->accepted_count == 1);
  peer_ask(talk.python, "close", "closed");
  assert_int_equal(loop_teardown(&state), 0);
}

static void a_client_with_a_wrong_key_is_turned_away_by_python(struct stage *stage) {
  void *state;
  mayfly_endpoint_options options = meeting_options(way_of(LOCAL_FAMILY, 1, 1), stage);
  mayfly_address address;
  assert_int_equal(loop_setup(&state), 0);
  struct loop *loop = state;
  options.authkey = "wrong";
  options.authkey_size = 5;
  python_listens(stage, LOCAL_FAMILY, meeting_key_digits, &address);
  peer_tell(&stage->python, "accept");
  struct end *client = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EAUTH, "the peer refused our key");
  peer_expect(&stage->python, "raised AuthenticationError: digest received was wrong");
  peer_ask(&stage->python, "stop_listening", "stopped");
  assert_int_equal(loop_teardown(&state), 0);
}

static void an_old_python_takes_a_flag(struct stage *stage) {
  void *state;
  const struct way *way = way_of(LOCAL_FAMILY, 1, 1);
  mayfly_endpoint_options options = meeting_options(way, stage);
  mayfly_address address;
  assert_int_equal(loop_setup(&state), 0);
  struct loop *loop = state;
  options.flags = 0;
  python_listens(stage, LOCAL_FAMILY, meeting_key_digits, &address);
  peer_tell(&stage->python, "accept");
  struct end *client = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EAUTH, "MAYFLY_ENDPOINT_ALLOW_MD5");
  peer_hear(&stage->python); /* that nobody answered, in its era's words */
  peer_ask(&stage->python, "stop_listening", "stopped");
  assert_int_equal(loop_teardown(&state), 0);
}

int main(void) {
  const struct stage_test tests[] = {
      stage_test(messages_of_every_size_come_back_whole, EVERY_PYTHON),
      stage_test(a_message_of_64_mib_comes_back_whole, ONE_OF_EACH_ERA),
      stage_test(ten_thousand_messages_in_a_row_keep_their_order, ONE_OF_EACH_ERA),
      stage_test(what_python_said_before_it_closed_is_heard, ONE_OF_EACH_ERA),
      stage_test(nonsense_of_pythons_ends_the_connection, ONE_OF_EACH_ERA),
      stage_test(a_python_with_a_wrong_key_is_turned_away, EVERY_PYTHON),
      stage_test(a_client_with_a_wrong_key_is_turned_away_by_python, EVERY_PYTHON),
      stage_test(an_old_python_takes_a_flag, EVERY_LEGACY),
  };
  if (loop_warm_up(NULL) != 0)
    return 1;
  return stage_run_tests("python_uv", tests, sizeof tests / sizeof tests[0]);
}
