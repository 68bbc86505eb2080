/* SPDX-License-Identifier: MIT */
/* memory.c - what is kept for a connection on a loop: of what has come, while nothing comes, and while it is paused. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <malloc.h>
#include <sys/socket.h>
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
  size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int i = 0; i < PEERS; i++) {
    raw_say_length(raws[i], 1 << 30);
    raw_say(raws[i], bytes, SENT);
  }
  loop_turn(loop);
  for (int i = 0; i < PEERS; i++)
    raw_say(raws[i], bytes, SENT);
  loop_turn(loop);
  size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
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
  size_t before = mallinfo2().uordblks;
  for (int i = 0; i < PEERS; i++) {
    char back[8];
    raw_say_message(raws[i], "message", 7);
    loop_run_until(loop, loop->ends[i]->messages == 1);
    assert_int_equal(raw_hear_message(raws[i], back, sizeof back), 7);
  }
  size_t after = mallinfo2().uordblks;
  assert_in_range(after - before, 0, PEERS * 100); /* what the loop keeps for all, not what each would need */
  for (int i = 0; i < PEERS; i++)
    close(raws[i]);
}

static void a_paused_connection_leaves_its_peer_waiting(void **state) {
  struct loop *loop = *state;
  static const unsigned char block[1 << 16];
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  int raw = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted != NULL);
  mayfly_uv_pause(loop->accepted->connection);
  mayfly_uv_pause(loop->accepted->connection);
  size_t sent = 0;
  for (ssize_t count; (count = send(raw, block, sizeof block, MSG_DONTWAIT)) > 0;) {
    sent += (size_t)count;
    loop_turn(loop);
  }
  assert_in_range(sent, 1, 4 << 20);
  assert_int_equal(loop->accepted->messages, 0);
  mayfly_uv_resume(loop->accepted->connection);
  loop_run_until(loop, loop->accepted->bytes + 4 * (size_t)loop->accepted->messages + 4 > sent);
  close(raw);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(the_memory_for_a_message_grows_with_what_arrives),
      test_on_loop(an_idle_connection_holds_no_buffer),
      test_on_loop(a_paused_connection_leaves_its_peer_waiting),
  };
  return loop_run_tests(tests);
}
