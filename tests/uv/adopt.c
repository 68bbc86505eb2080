/* SPDX-License-Identifier: MIT */
/* adopt.c - blocking connections that go on on a loop. */
#include "ends.h"
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct end *adopt(struct loop *loop, mayfly_connection *blocking) {
  struct end *end = loop_end(loop);
  assert_ok(mayfly_uv_adopt(&loop->uv, blocking, &loop_handlers, end, &end->connection));
  return end;
}

static void an_adopted_connection_goes_on_on_the_loop(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  struct end *end = adopt(loop, ends[0]);
  end->on_message = loop_echo;
  assert_int_equal(end->opened, 0);
  assert_int_equal(mayfly_uv_send(end->connection, "early", 5), 0);
  assert_int_equal(mayfly_uv_connection_peer(end->connection)->pid, getpid());
  assert_ok(mayfly_send_bytes(ends[1], "ping", 4));
  loop_run_until(loop, end->messages == 1);
  ends_expect_message(ends[1], "early", 5);
  ends_expect_message(ends[1], "ping", 4);
  assert_ok(mayfly_connection_close(ends[1]));
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_EOF, "the peer closed");
}

static void what_was_read_ahead_is_handed_out(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_connection_set_readahead(ends[0], 1 << 16));
  for (int i = 0; i < 3; i++)
    assert_ok(mayfly_send_bytes(ends[1], "message", 7));
  ends_expect_message(ends[0], "message", 7);
  struct end *end = adopt(loop, ends[0]);
  mayfly_uv_pause(end->connection);
  loop_turn(loop);
  assert_int_equal(end->opened, 1);
  assert_int_equal(end->messages, 0);
  mayfly_uv_resume(end->connection);
  loop_run_until(loop, end->messages == 2);
  assert_ok(mayfly_send_bytes(ends[1], "message", 7));
  loop_run_until(loop, end->messages == 3);
  assert_ok(mayfly_connection_close(ends[1]));
}

static void half_a_message_that_was_received_is_gone_on_with(void **state) {
  struct loop *loop = *state;
  struct end *end;
  const void *data;
  size_t size;
  int raw;
  mayfly_connection *blocking = ends_with_raw(ENDS_UNIX, NULL, &raw);
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
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_connection_set_message_size_max(ends[0], 3));
  struct end *end = adopt(loop, ends[0]);
  assert_ok(mayfly_send_bytes(ends[1], "123", 3));
  assert_ok(mayfly_send_bytes(ends[1], "1234", 4));
  loop_run_until(loop, end->closed);
  assert_closed(end, MAYFLY_EMSGSIZE, "over the limit of 3 bytes");
  assert_int_equal(end->messages, 1);
  assert_ok(mayfly_connection_close(ends[1]));
}

static void ends_that_go_one_way(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  struct end *reader = adopt(loop, ends[0]), *writer = adopt(loop, ends[1]);
  assert_error(mayfly_uv_send(reader->connection, "up", 2), MAYFLY_EINVAL, "for receiving only");
  assert_int_equal(mayfly_uv_send(writer->connection, "down", 4), 0);
  loop_run_until(loop, reader->messages == 1 && writer->opened);
  loop_close(reader, 0);
  loop_run_until(loop, reader->closed);
  loop_turn(loop);
  assert_int_equal(writer->closed, 0); /* nothing is read: it shows at the next send */
  assert_error(mayfly_uv_send(writer->connection, "down", 4), MAYFLY_EPIPE, "");
  loop_run_until(loop, writer->closed);
  assert_true(writer->status == MAYFLY_EPIPE);
}

static void real_pipes_are_adopted(void **state) {
  struct loop *loop = *state;
  mayfly_connection *ends[2];
  static unsigned char large[300000];
  int fds[2];
  assert_return_code(pipe(fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &ends[0]));
  assert_ok(mayfly_connection_adopt(fds[1], 0, 1, &ends[1]));
  struct end *reader = adopt(loop, ends[0]), *writer = adopt(loop, ends[1]);
  assert_int_equal(mayfly_uv_send(writer->connection, large, sizeof large), 0);
  assert_int_equal(mayfly_uv_send(writer->connection, "small", 5), 0);
  loop_run_until(loop, reader->messages == 2);
  assert_int_equal(reader->bytes, sizeof large + 5);
  loop_close(writer, 0);
  loop_run_until(loop, reader->closed);
  assert_closed(reader, MAYFLY_EOF, "the peer closed");
}

static void what_is_refused_stays_as_it_was(void **state) {
  struct loop *loop = *state;
  mayfly_uv_handlers none = MAYFLY_UV_HANDLERS_INIT;
  mayfly_uv_connection *connection = NULL;
  mayfly_connection *ends[2];
  const void *data;
  size_t size;
  int raw;
  assert_ok(mayfly_pipe(1, ends));
  assert_error(mayfly_uv_adopt(&loop->uv, NULL, &loop_handlers, NULL, &connection), MAYFLY_EINVAL, "blocking is NULL");
  assert_error(mayfly_uv_adopt(&loop->uv, ends[0], &none, NULL, &connection), MAYFLY_EINVAL, "message is NULL");
  assert_ok(mayfly_send_bytes(ends[0], "still", 5));
  ends_expect_message(ends[1], "still", 5);
  assert_ok(mayfly_connection_shutdown(ends[0]));
  assert_error(mayfly_uv_adopt(&loop->uv, ends[0], &loop_handlers, NULL, &connection), MAYFLY_ECANCELED, "shut down");
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
  mayfly_connection *blocking = ends_with_raw(ENDS_UNIX, NULL, &raw);
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
      test_on_loop(an_adopted_connection_goes_on_on_the_loop),
      test_on_loop(what_was_read_ahead_is_handed_out),
      test_on_loop(half_a_message_that_was_received_is_gone_on_with),
      test_on_loop(its_limit_on_messages_stays),
      test_on_loop(ends_that_go_one_way),
      test_on_loop(real_pipes_are_adopted),
      test_on_loop(what_is_refused_stays_as_it_was),
  };
  return loop_run_tests(tests);
}
