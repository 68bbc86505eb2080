/* SPDX-License-Identifier: MIT */
/* memory.c - what is kept for a connection on a loop: of what has come, and while nothing comes. */
#include "heap.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <unistd.h>

static void the_memory_for_a_message_grows_with_what_arrives(void **state) {
  struct loop *loop = *state;
  enum { PEERS = 50, SENT = 20000 };
  static const unsigned char bytes[SENT];
  int raws[PEERS];
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  for (int i = 0; i < PEERS; i++)
    raws[i] = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted_count == PEERS);
  size_t before = heap_used();
  for (int i = 0; i < PEERS; i++) {
    raw_say_length(raws[i], 1 << 30);
    raw_say(raws[i], bytes, SENT);
  }
  loop_turn(loop);
  for (int i = 0; i < PEERS; i++)
    raw_say(raws[i], bytes, SENT);
  loop_turn(loop);
  size_t after = heap_used();
  assert_int_equal(loop_stats(loop).open, PEERS);
  assert_in_range(after - before, 0, (size_t)PEERS * (2 * SENT + (1 << 16) + 4096));
  for (int i = 0; i < PEERS; i++)
    close(raws[i]);
}

static void an_idle_connection_holds_no_buffer(void **state) {
  struct loop *loop = *state;
  enum { PEERS = 200 };
  int raws[PEERS];
  loop->on_message = loop_echo;
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  for (int i = 0; i < PEERS; i++)
    raws[i] = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted_count == PEERS);
  size_t before = heap_used();
  for (int i = 0; i < PEERS; i++) {
    char back[8];
    raw_say_message(raws[i], "message", 7);
    loop_run_until(loop, loop->ends[i]->messages == 1);
    assert_int_equal(raw_hear_message(raws[i], back, sizeof back), 7);
  }
  size_t after = heap_used();
  assert_in_range(after - before, 0, PEERS * 100); /* what the loop keeps for all, not what each would need */
  for (int i = 0; i < PEERS; i++)
    close(raws[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(the_memory_for_a_message_grows_with_what_arrives),
      test_on_loop(an_idle_connection_holds_no_buffer),
  };
  return loop_run_tests(tests);
}
