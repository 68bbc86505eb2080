/* SPDX-License-Identifier: MIT */
/* python_handles.c - descriptors to and from real Pythons, by multiprocessing.reduction, and real pipes of theirs. */
#include "leaks.h"
#include "meeting.h"
#include "result.h"
#include <sys/stat.h>

static int fd_of(const mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (int)fd;
}

/* Over AF_UNIX, which is all that carries descriptors, in both roles and with a key and without. */
static void meet_and(struct stage *stage, void (*talk)(struct meeting *meeting)) {
  for (int way = 0; way < 4; way++) {
    struct meeting meeting = meet(stage, way_of(MAYFLY_AF_UNIX, way % 2, way / 2));
    talk(&meeting);
  }
}

static void take_a_pipe_of_pythons(struct meeting *meeting) {
  const void *data;
  size_t size;
  mayfly_os_fd fd;
  mayfly_connection *reader;
  peer_tell(meeting->python, "give_pipe written-before");
  assert_ok(mayfly_recv_handle(meeting->ours, &fd));
  peer_expect(meeting->python, "given");
  struct stat status;
  assert_int_equal(fstat((int)fd, &status), 0);
  assert_true(S_ISFIFO(status.st_mode));
  assert_ok(mayfly_connection_adopt(fd, 1, 0, &reader));
  expect_text(reader, "written-before");
  assert_error(mayfly_recv_bytes(reader, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  assert_ok(mayfly_connection_close(reader));
  assert_ok(mayfly_send_bytes(meeting->ours, "and on", 6));
  peer_ask(meeting->python, "receive_text", "text and on");
  part(meeting, NULL);
}

static void python_gives_us_an_end_of_its_own_pipe(struct stage *stage) {
  meet_and(stage, take_a_pipe_of_pythons);
}

static void give_a_pipe_of_ours(struct meeting *meeting) {
  const void *data;
  size_t size;
  mayfly_connection *ends[2];
  assert_ok(mayfly_pipe(0, ends));
  peer_tell(meeting->python, "take_pipe from-far-away");
  assert_ok(mayfly_send_handle(meeting->ours, fd_of(ends[1])));
  assert_ok(mayfly_connection_close(ends[1]));
  expect_text(ends[0], "from-far-away");
  assert_error(mayfly_recv_bytes(ends[0], SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  peer_expect(meeting->python, "taken");
  assert_ok(mayfly_connection_close(ends[0]));
  peer_ask(meeting->python, "send_text and on", "sent");
  expect_text(meeting->ours, "and on");
  part(meeting, NULL);
}

static void we_give_python_an_end_of_our_pipe(struct stage *stage) {
  meet_and(stage, give_a_pipe_of_ours);
}

static void descriptors_of_pythons_that_nobody_asked_for_are_closed(struct stage *stage) {
  struct meeting meeting = meet(stage, way_of(MAYFLY_AF_UNIX, 0, 0));
  mayfly_os_fd fd;
  int before = leaks_count();
  peer_ask(meeting.python, "give_three", "given");
  assert_ok(mayfly_recv_handle(meeting.ours, &fd));
  assert_int_equal(leaks_count(), before + 1);
  assert_ok(mayfly_os_fd_close(fd));
  part(&meeting, NULL);
}

static void a_message_of_pythons_is_no_descriptor(struct stage *stage) {
  struct meeting meeting = meet(stage, way_of(MAYFLY_AF_UNIX, 0, 0));
  mayfly_os_fd fd = MAYFLY_NO_FD;
  peer_ask(meeting.python, "send_text hello", "sent");
  assert_error(mayfly_recv_handle(meeting.ours, &fd), MAYFLY_EPROTO, "what came is none");
  assert_int_equal(fd, MAYFLY_NO_FD);
  part(&meeting, NULL);
}

static void python_takes_no_message_of_ours_for_a_descriptor(struct stage *stage) {
  struct meeting meeting = meet(stage, way_of(MAYFLY_AF_UNIX, 0, 0));
  assert_ok(mayfly_send_bytes(meeting.ours, "hello", 5));
  peer_ask(meeting.python, "take_pipe nothing", "raised RuntimeError: received 0 items of ancdata");
  part(&meeting, NULL);
}

int main(void) {
  static const struct stage_test tests[] = {
      stage_test(python_gives_us_an_end_of_its_own_pipe, EVERY_PYTHON),
      stage_test(we_give_python_an_end_of_our_pipe, EVERY_PYTHON),
      stage_test(descriptors_of_pythons_that_nobody_asked_for_are_closed, ONE_OF_EACH_ERA),
      stage_test(a_message_of_pythons_is_no_descriptor, ONE_OF_EACH_ERA),
      stage_test(python_takes_no_message_of_ours_for_a_descriptor, ONE_OF_EACH_ERA),
  };
  return stage_run_tests("python_handles", tests, sizeof tests / sizeof tests[0]);
}
