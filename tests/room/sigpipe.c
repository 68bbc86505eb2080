/* SPDX-License-Identifier: MIT */
/* sigpipe.c - real pipes whose reader is gone: an error and no signal, whether or not the system can be asked for that.
 */
#include "background.h"
#include "ends.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

static int lacks_it; /* as Linux before 6.18 does */
static int asked;

ssize_t __real_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
  asked++;
  if (!lacks_it)
    return __real_pwritev2(fd, pieces, count, offset, flags);
  errno = EOPNOTSUPP;
  return -1;
}

/* Either way. */
static void with_and_without(void (*run)(void)) {
  for (lacks_it = 0; lacks_it < 2; lacks_it++)
    run();
}

/* ends[0] receives, ends[1] sends. */
static void adopt_pipe(mayfly_connection *ends[2]) {
  int fds[2];
  assert_return_code(pipe(fds), errno);
  assert_ok(mayfly_connection_adopt(fds[0], 1, 0, &ends[0]));
  assert_ok(mayfly_connection_adopt(fds[1], 0, 1, &ends[1]));
}

/* Its action is the default: a signal that comes through ends this program. */
static void expect_mask_and_pending(int blocked, int is_pending) {
  sigset_t mask, pending;
  assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
  assert_int_equal(sigpending(&pending), 0);
  assert_int_equal(sigismember(&mask, SIGPIPE), blocked);
  assert_int_equal(sigismember(&pending, SIGPIPE), is_pending);
}

static void send_to_nobody(void) {
  mayfly_connection *ends[2];
  for (int timeout = MAYFLY_FOREVER; timeout <= 0; timeout++) {
    adopt_pipe(ends);
    assert_ok(mayfly_connection_close(ends[0]));
    assert_ok(mayfly_connection_set_timeouts(ends[1], 0, timeout));
    assert_error(mayfly_send_bytes(ends[1], "x", 1), MAYFLY_EPIPE, "the peer is gone");
    expect_mask_and_pending(0, 0);
    assert_ok(mayfly_connection_close(ends[1]));
  }
}

static void a_pipe_without_a_reader_is_an_error_and_no_signal(void **state) {
  (void)state;
  with_and_without(send_to_nobody);
}

static void hold_one_back(void) {
  sigset_t sigpipe, before;
  mayfly_connection *ends[2];
  int taken;
  adopt_pipe(ends);
  assert_ok(mayfly_connection_close(ends[0]));
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &sigpipe, &before), 0);
  assert_error(mayfly_send_bytes(ends[1], "x", 1), MAYFLY_EPIPE, "the peer is gone");
  expect_mask_and_pending(1, 0);
  assert_int_equal(raise(SIGPIPE), 0);
  assert_ok(mayfly_connection_close(ends[1]));
  adopt_pipe(ends);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_error(mayfly_send_bytes(ends[1], "x", 1), MAYFLY_EPIPE, "the peer is gone");
  expect_mask_and_pending(1, 1);
  assert_int_equal(sigwait(&sigpipe, &taken), 0);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
  assert_ok(mayfly_connection_close(ends[1]));
}

static void a_sigpipe_that_the_program_holds_back_stays_and_no_other_comes(void **state) {
  (void)state;
  with_and_without(hold_one_back);
}

/* A part of it was written, and the signal comes all the same. */
static void leave_inside_a_message(void) {
  static unsigned char message[1 << 20];
  struct background_send send;
  mayfly_connection *ends[2];
  adopt_pipe(ends);
  background_send(&send, ends[1], message, sizeof message);
  background_await_asleep(&send.background);
  assert_ok(mayfly_connection_close(ends[0]));
  background_expect(&send.background, MAYFLY_EPIPE, "the peer is gone");
  expect_mask_and_pending(0, 0);
  assert_ok(mayfly_connection_close(ends[1]));
}

static void a_reader_that_leaves_inside_a_message_is_an_error_and_no_signal(void **state) {
  (void)state;
  with_and_without(leave_inside_a_message);
}

/* Where the system can't be asked once, it is not asked again. */
static void a_pipe_asks_once_where_it_is_in_vain(void **state) {
  (void)state;
  for (lacks_it = 0; lacks_it < 2; lacks_it++) {
    mayfly_connection *ends[2];
    adopt_pipe(ends);
    asked = 0;
    for (int i = 0; i < 3; i++) {
      assert_ok(mayfly_send_bytes(ends[1], "x", 1));
      ends_expect_message(ends[0], "x", 1);
    }
    if (lacks_it)
      assert_in_range(asked, 0, 1);
    ends_close(&(struct ends){ends[0], ends[1]});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_pipe_without_a_reader_is_an_error_and_no_signal),
      test(a_sigpipe_that_the_program_holds_back_stays_and_no_other_comes),
      test(a_reader_that_leaves_inside_a_message_is_an_error_and_no_signal),
      test(a_pipe_asks_once_where_it_is_in_vain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
