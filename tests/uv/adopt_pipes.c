/* SPDX-License-Identifier: MIT */
/* adopt_pipes.c - the ends of mayfly_pipe(), and real pipes, that go on on a loop: POSIX. */
#include "loop.h"
#include "result.h"
#include <errno.h>
#include <unistd.h>

static struct end *adopt(struct loop *loop, mayfly_connection *blocking) {
  struct end *end = loop_end(loop);
  assert_ok(mayfly_uv_adopt(&loop->uv, blocking, &loop_handlers, end, &end->connection));
  return end;
}

static void an_end_of_a_pipe_goes_on_on_the_loop(void **state) {
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

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(an_end_of_a_pipe_goes_on_on_the_loop),
      test_on_loop(ends_that_go_one_way),
      test_on_loop(real_pipes_are_adopted),
  };
  return loop_run_tests(tests);
}
