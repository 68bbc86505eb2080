/* SPDX-License-Identifier: MIT */
/* python_reset.c - connections that real Pythons end by force. */
#include "meeting.h"
#include "result.h"
#include <poll.h>

static void wait_for_hangup(mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  struct pollfd hangup = {.fd = (int)fd};
  assert_int_equal(poll(&hangup, 1, -1), 1);
}

/* Both messages in one write, since Nagle's algorithm would keep the second from leaving, and a reset throws away what
 * has not left. */
static void reset(struct stage *stage, const struct way *way, size_t readahead) {
  struct meeting meeting = meet(stage, way);
  assert_ok(mayfly_connection_set_readahead(meeting.ours, readahead));
  assert_ok(mayfly_send_bytes(meeting.ours, "never read", 10));
  peer_ask(meeting.python, "poll 60", "poll True");
  peer_ask(meeting.python, "write 000000036f6e650000000374776f", "written");
  assert_int_equal(assert_ok(mayfly_poll(meeting.ours, MAYFLY_FOREVER)), 1);
  peer_ask(meeting.python, "reset", "reset");
  wait_for_hangup(meeting.ours);
  const void *data = NULL;
  size_t size;
  expect_text(meeting.ours, "one");
  expect_text(meeting.ours, "two");
  assert_error(mayfly_recv_bytes(meeting.ours, SIZE_MAX, &data, &size), MAYFLY_ECONNRESET, "");
  for (int i = 0; i < 2; i++)
    assert_error(mayfly_recv_bytes(meeting.ours, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_null(data);
  part(&meeting, NULL);
}

static void a_reset_comes_after_all_that_arrived_before_it_and_then_the_end(struct stage *stage) {
  for (size_t i = 0; i < WAYS; i++) {
    print_message("  %s\n", ways[i].name);
    reset(stage, &ways[i], 0);
    reset(stage, &ways[i], 65536);
  }
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(a_reset_comes_after_all_that_arrived_before_it_and_then_the_end, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_reset", tests, sizeof tests / sizeof tests[0]);
}
