/* SPDX-License-Identifier: MIT */
/* out_of_descriptors.c - a loop whose process has no descriptor left: nobody is dropped, and nothing spins. */
#include "loop.h"
#include "raw.h"
#include "result.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit usual;

static void leave_none(void) {
  int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  struct rlimit limit = usual;
  assert_return_code(fd, errno);
  close(fd);
  limit.rlim_cur = (rlim_t)fd;
  assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), errno);
}

static int turns;

static void count_turn(uv_prepare_t *prepare) {
  (void)prepare;
  turns++;
}

static void nothing(uv_timer_t *timer) {
  (void)timer;
}

static void without_descriptors_the_listener_waits_and_goes_on(void **state) {
  struct loop *loop = *state;
  uv_prepare_t prepare;
  uv_timer_t timer;
  int raw[3];
  assert_return_code(getrlimit(RLIMIT_NOFILE, &usual), errno);
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  for (int i = 0; i < 2; i++)
    raw[i] = raw_connect(loop_address(loop));
  loop_run_until(loop, loop->accepted_count == 2);
  raw[2] = raw_connect(loop_address(loop));
  leave_none();
  uv_prepare_init(&loop->uv, &prepare);
  uv_prepare_start(&prepare, count_turn);
  uv_timer_init(&loop->uv, &timer);
  uv_timer_start(&timer, nothing, 250, 0);
  turns = 0;
  loop_run_until(loop, !uv_is_active((const uv_handle_t *)&timer));
  assert_in_range(turns, 1, 20); /* it does not spin */
  assert_int_equal(loop->accepted_count, 2);
  for (int i = 0; i < 2; i++) /* libuv's own pipe needs two for a moment */
    loop_close(loop->ends[i], 0);
  loop_run_until(loop, loop->accepted_count == 3); /* nobody was dropped */
  assert_return_code(setrlimit(RLIMIT_NOFILE, &usual), errno);
  uv_close((uv_handle_t *)&prepare, NULL);
  uv_close((uv_handle_t *)&timer, NULL);
  loop_turn(loop);
  for (int i = 0; i < 3; i++)
    close(raw[i]);
}

static void connecting_without_descriptors_says_so(void **state) {
  struct loop *loop = *state;
  assert_return_code(getrlimit(RLIMIT_NOFILE, &usual), errno);
  loop_listen(loop, MAYFLY_AF_UNIX, NULL);
  struct end *client = loop_connect(loop, NULL);
  leave_none();
  loop_turn(loop);
  assert_return_code(setrlimit(RLIMIT_NOFILE, &usual), errno);
  loop_run_until(loop, client->closed);
  assert_closed(client, MAYFLY_EMFILE, "connect to ");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(without_descriptors_the_listener_waits_and_goes_on),
      test_on_loop(connecting_without_descriptors_says_so),
  };
  return loop_run_tests(tests);
}
