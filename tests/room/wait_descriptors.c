/* SPDX-License-Identifier: MIT */
/* wait_descriptors.c - mayfly_wait over descriptors that are not the library's, poll(2)'s own. */
#include "ends.h"
#include "raw.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void make_pipe(int fds[2]) {
  assert_return_code(pipe(fds), errno);
}

static void close_pipe(const int fds[2]) {
  close(fds[0]);
  close(fds[1]);
}

static void descriptors_wait_among_the_rest(void **state) {
  (void)state;
  int fds[2], other[2];
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  make_pipe(fds);
  make_pipe(other);
  mayfly_listener *listener = ends_listen(ENDS_UNIX, NULL);
  mayfly_wait_item items[] = {
      {.fd = fds[0]}, {.connection = ends.one}, {.listener = listener}, {.fd = other[0], .ready = 1}};
  assert_int_equal(mayfly_wait(items, 4, 0), 0);
  assert_int_equal(items[3].ready, 0);
  assert_int_equal(write(fds[1], "x", 1), 1);
  assert_int_equal(mayfly_wait(items, 4, MAYFLY_FOREVER), 1);
  assert_int_equal(items[0].ready, 1);
  close(other[1]); /* an end, as of a process that is awaited */
  assert_int_equal(mayfly_wait(items, 4, MAYFLY_FOREVER), 2);
  assert_int_equal(items[3].ready, 1);
  assert_ok(mayfly_send_bytes(ends.other, "x", 1));
  int raw = raw_connect(mayfly_listener_address(listener));
  while (mayfly_wait(items, 4, MAYFLY_FOREVER) < 4)
    continue;
  for (int i = 0; i < 4; i++)
    assert_int_equal(items[i].ready, 1);
  close(raw);
  close(other[0]);
  close_pipe(fds);
  ends_close(&ends);
  assert_ok(mayfly_listener_close(listener));
}

static void a_member_fd_does_not_count_beside_an_object(void **state) {
  (void)state;
  int fds[2];
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  make_pipe(fds);
  close(fds[1]);
  mayfly_wait_item items[] = {{.connection = ends.one, .fd = fds[0]}, {.connection = ends.other, .fd = MAYFLY_NO_FD}};
  assert_int_equal(mayfly_wait(items, 2, 0), 0);
  close(fds[0]);
  ends_close(&ends);
}

/* poll(2) takes no more places than the limit of descriptors, so none must be wasted. */
static void all_that_a_process_may_have_open_can_be_waited_for(void **state) {
  (void)state;
  enum { COUNT = 100, LIMIT = 256 };
  struct rlimit limit, low;
  assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), errno);
  low = limit;
  low.rlim_cur = LIMIT;
  assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
  mayfly_wait_item items[LIMIT];
  const size_t count = sizeof items / sizeof items[0];
  int fds[2];
  make_pipe(fds);
  for (size_t i = 0; i < count; i++)
    items[i] = (mayfly_wait_item){.fd = fds[0]};
  assert_int_equal(mayfly_wait(items, count, 0), 0);
  assert_int_equal(write(fds[1], "x", 1), 1);
  assert_int_equal(mayfly_wait(items, count, 0), count);
  close_pipe(fds);
  assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
}

/* With nothing else to wait for, and all the time in the world. */
static void expect_bad(mayfly_os_fd fd, const char *words) {
  struct ends ends;
  ends_open(&ends, ENDS_UNIX);
  mayfly_wait_item items[] = {{.connection = ends.one, .ready = 55}, {.fd = fd, .ready = 55}};
  assert_error(mayfly_wait(items, 2, MAYFLY_FOREVER), MAYFLY_EBADF, words);
  assert_int_equal(items[0].ready, 55);
  assert_int_equal(items[1].ready, 55);
  ends_close(&ends);
}

static void a_descriptor_that_is_none_is_named(void **state) {
  (void)state;
  char words[64];
  int fds[2];
  make_pipe(fds);
  snprintf(words, sizeof words, "descriptor %d: it is not open", fds[0] + 100);
  expect_bad(fds[0] + 100, words);
  expect_bad(-7, "descriptor -7: it is not open");
  if (sizeof(mayfly_os_fd) > sizeof(int)) /* must not be taken for the one that is left of its bits */
    expect_bad((mayfly_os_fd)(UINT64_C(1) << 32) + fds[0], "it is not open");
  close_pipe(fds);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(descriptors_wait_among_the_rest),
      test(a_member_fd_does_not_count_beside_an_object),
      test(all_that_a_process_may_have_open_can_be_waited_for),
      test(a_descriptor_that_is_none_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
