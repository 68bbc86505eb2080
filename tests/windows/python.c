/* SPDX-License-Identifier: MIT */
/* python.c - what python_messages.c leaves out of AF_PIPE: sizes around the pipe's buffer, empty messages in number,
 * and a wait over many Pythons. */
#include "meeting.h"
#include "pattern.h"
#include "result.h"
#include <stdlib.h>
#include <string.h>

/* To Python, which looks at it, and back. */
static void exchange(mayfly_connection *connection, size_t size) {
  unsigned char *message = malloc(size + 1);
  assert_non_null(message);
  pattern_fill(message, size);
  assert_ok(mayfly_send_bytes(connection, message, size));
  free(message);
  expect_pattern(connection, size);
}

static void talk_around_the_buffers(struct meeting *meeting) {
  static const size_t sizes[] = {0, 1, 128, 129, 8191, 8192, 8193, 100000, 0};
  peer_tell(meeting->python, "echo");
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    exchange(meeting->ours, sizes[i]);
  part(meeting, "echoed 9 whole");
}

static void messages_around_the_buffers_size_come_back_whole(struct stage *stage) {
  meet_in_every_way(stage, talk_around_the_buffers);
}

static void talk_in_empty_messages(struct meeting *meeting) {
  enum { COUNT = 2000 };
  peer_tell(meeting->python, "echo");
  for (int i = 0; i < COUNT; i++) {
    mayfly_wait_item item = {.connection = meeting->ours};
    assert_ok(mayfly_send_bytes(meeting->ours, "\0\1", (size_t)i % 2));
    if (i % 3 == 0) /* which consumes it, where it is empty */
      assert_int_equal(mayfly_wait(&item, 1, MAYFLY_FOREVER), 1);
    expect_pattern(meeting->ours, (size_t)i % 2);
  }
  part(meeting, "echoed 2000 whole");
}

static void a_thousand_empty_messages_among_others_come_back(struct stage *stage) {
  for (int python_listens = 0; python_listens < 2; python_listens++) {
    struct meeting meeting = meet(stage, way_of(MAYFLY_AF_PIPE, 0, python_listens));
    talk_in_empty_messages(&meeting);
  }
}

enum { PYTHONS = 6 };

static void a_wait_over_many_pythons_tells_which_has_spoken(struct stage *stage) {
  static struct peer pythons[PYTHONS];
  mayfly_wait_item items[PYTHONS] = {0};
  mayfly_listener *listener;
  assert_ok(mayfly_listen(NULL, NULL, &listener));
  for (int i = 0; i < PYTHONS; i++) {
    peer_start(&pythons[i], stage->interpreter, "peer.py", (const char *[]){NULL}, -1);
    python_connects(&pythons[i], mayfly_listener_address(listener), "-");
    assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &items[i].connection));
    peer_expect(&pythons[i], "connected");
  }
  assert_int_equal(mayfly_wait(items, PYTHONS, 10), 0);
  for (int last = PYTHONS - 1; last >= 0; last--) {
    peer_ask(&pythons[last], "send 5", "sent");
    assert_int_equal(mayfly_wait(items, (size_t)last + 1, MAYFLY_FOREVER), 1);
    assert_true(items[last].ready);
    expect_pattern(items[last].connection, 5);
    peer_ask(&pythons[last], "close", "closed");
    assert_int_equal(mayfly_wait(items, (size_t)last + 1, MAYFLY_FOREVER), 1);
    assert_true(items[last].ready);
    assert_ok(mayfly_connection_close(items[last].connection));
    peer_end(&pythons[last]);
  }
  assert_ok(mayfly_listener_close(listener));
}

int main(void) {
  const struct stage_test tests[] = {
      stage_test(messages_around_the_buffers_size_come_back_whole, EVERY_PYTHON),
      stage_test(a_thousand_empty_messages_among_others_come_back, NEWEST_PYTHON),
      stage_test(a_wait_over_many_pythons_tells_which_has_spoken, NEWEST_PYTHON),
  };
  return stage_run_tests("windows.python", tests, sizeof tests / sizeof tests[0]);
}
