/* SPDX-License-Identifier: MIT */
/* adopt.c - blocking connections, either end of them, that go on on a loop. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <unistd.h>

static struct end *adopt(struct loop *loop, mayfly_connection *blocking) {
  struct end *end = loop_end(loop);
  assert_ok(mayfly_uv_adopt(&loop->uv, blocking, &loop_handlers, end, &end->connection));
  return end;
}

/* What the other end gets back; `adopted` is to be it. */
static void talk(struct loop *loop, mayfly_connection *adopted, mayfly_connection *other) {
  struct end *end = adopt(loop, adopted);
  end->on_message = loop_echo;
  assert_int_equal(end->opened, 0);
  assert_int_equal(mayfly_uv_send(end->connection, "early", 5), 0);
  assert_int_equal(mayfly_uv_connection_peer(end->connection)->pid, loop->family == MAYFLY_AF_INET ? -1 : getpid());
  assert_ok(mayfly_send_bytes(other, "ping", 4));
  loop_run_until(loop, end->messages == 1 && mayfly_uv_queued(end->connection) == 0);
  ends_expect_message(other, "early", 5);
  ends_expect_message(other, "ping", 4);
  assert_ok(mayfly_connection_close(other));
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_EOF, "the peer closed");
}

static void either_end_goes_on_on_the_loop(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, loop_kind(loop));
  talk(loop, ends.one, ends.other);
  ends_open(&ends, loop_kind(loop));
  talk(loop, ends.other, ends.one);
}

static void both_ends_go_on_on_one_loop(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, loop_kind(loop));
  struct end *one = adopt(loop, ends.one), *other = adopt(loop, ends.other);
  other->on_message = loop_echo;
  for (int i = 0; i < 3; i++)
    assert_int_equal(mayfly_uv_send(one->connection, "message", 7), 0);
  loop_run_until(loop, one->messages == 3);
  loop_close(one, 0);
  loop_run_until(loop, other->closed);
  assert_closed(other, MAYFLY_EOF, "the peer closed");
}

static void what_was_read_ahead_is_handed_out(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, loop_kind(loop));
  assert_ok(mayfly_connection_set_readahead(ends.one, 1 << 16));
  for (int i = 0; i < 3; i++)
    assert_ok(mayfly_send_bytes(ends.other, "message", 7));
  ends_expect_message(ends.one, "message", 7);
  struct end *end = adopt(loop, ends.one);
  mayfly_uv_pause(end->connection);
  loop_turn(loop);
  assert_int_equal(end->opened, 1);
  assert_int_equal(end->messages, 0);
  mayfly_uv_resume(end->connection);
  loop_run_until(loop, end->messages == 2);
  assert_ok(mayfly_send_bytes(ends.other, "message", 7));
  loop_run_until(loop, end->messages == 3);
  assert_ok(mayfly_connection_close(ends.other));
}

static void half_a_message_that_was_received_is_gone_on_with(void **state) {
  struct loop *loop = *state;
  struct end *end;
  const void *data;
  size_t size;
  int raw;
  mayfly_connection *blocking = ends_with_raw(loop_kind(loop), NULL, &raw);
  raw_say_length(raw, 4);
  raw_say(raw, "pa", 2);
  assert_ok(mayfly_connection_set_timeouts(blocking, 0, 0));
  assert_error(mayfly_recv_bytes(blocking, SIZE_MAX, &data, &size), MAYFLY_ETIMEDOUT, "");
  end = adopt(loop, blocking);
  loop_turn(loop);
  assert_int_equal(end->messages, 0);
  raw_say(raw, "rt", 2);
  loop_run_until(loop, end->messages == 1);
  assert_memory_equal(end->last, "part", 4);
  close(raw);
}

static void its_limit_on_messages_stays(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, loop_kind(loop));
  assert_ok(mayfly_connection_set_message_size_max(ends.one, 3));
  struct end *end = adopt(loop, ends.one);
  assert_ok(mayfly_send_bytes(ends.other, "123", 3));
  assert_ok(mayfly_send_bytes(ends.other, "1234", 4));
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_EMSGSIZE, "over the limit of 3 bytes");
  assert_int_equal(end->messages, 1);
  assert_ok(mayfly_connection_close(ends.other));
}

static void one_whose_peer_is_gone_already_ends(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, loop_kind(loop));
  assert_ok(mayfly_send_bytes(ends.other, "last words", 10));
  assert_ok(mayfly_connection_close(ends.other));
  struct end *end = adopt(loop, ends.one);
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_EOF, "the peer closed");
  assert_int_equal(end->messages, 1);
}

static void one_that_was_reset_already_ends(void **state) {
  struct loop *loop = *state;
  struct ends ends;
  ends_open(&ends, ENDS_INET);
  raw_reset_of(ends.other);
  struct end *end = adopt(loop, ends.one);
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_ECONNRESET, "");
}

static void what_is_refused_stays_as_it_was(void **state) {
  struct loop *loop = *state;
  mayfly_uv_handlers none = MAYFLY_UV_HANDLERS_INIT;
  mayfly_uv_connection *connection = NULL;
  struct ends ends;
  const void *data;
  size_t size;
  int raw;
  ends_open(&ends, loop_kind(loop));
  assert_error(mayfly_uv_adopt(&loop->uv, NULL, &loop_handlers, NULL, &connection), MAYFLY_EINVAL, "blocking is NULL");
  assert_error(mayfly_uv_adopt(&loop->uv, ends.one, &none, NULL, &connection), MAYFLY_EINVAL, "message is NULL");
  assert_ok(mayfly_send_bytes(ends.one, "still", 5));
  ends_expect_message(ends.other, "still", 5);
  assert_ok(mayfly_connection_shutdown(ends.one));
  assert_error(mayfly_uv_adopt(&loop->uv, ends.one, &loop_handlers, NULL, &connection), MAYFLY_ECANCELED, "shut down");
  ends_close(&ends);
  mayfly_connection *blocking = ends_with_raw(loop_kind(loop), NULL, &raw);
  raw_say_length(raw, 0x80000000);
  assert_error(mayfly_recv_bytes(blocking, SIZE_MAX, &data, &size), MAYFLY_EPROTO, "");
  assert_error(mayfly_uv_adopt(&loop->uv, blocking, &loop_handlers, NULL, &connection), MAYFLY_EPROTO,
               "mayfly_uv_adopt");
  assert_ok(mayfly_connection_close(blocking));
  close(raw);
  assert_null(connection);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_over_each_family(either_end_goes_on_on_the_loop),
      test_over_each_family(both_ends_go_on_on_one_loop),
      test_over_each_family(what_was_read_ahead_is_handed_out),
      test_over_each_family(half_a_message_that_was_received_is_gone_on_with),
      test_over_each_family(its_limit_on_messages_stays),
      test_over_each_family(one_whose_peer_is_gone_already_ends),
      test_on_loop(one_that_was_reset_already_ends),
      test_over_each_family(what_is_refused_stays_as_it_was),
  };
  return loop_run_tests(tests);
}
