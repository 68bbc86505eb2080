/* SPDX-License-Identifier: MIT */
/* opening_users.c - a second user's client at a loop, which takes a second user: POSIX. */
#include "child.h"
#include "loop.h"
#include "result.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* By _exit: libuv's own cleanup would wait for threads that a forked child does not have. */
static int connects_as_nobody(int parent, void *address) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  char byte;
  snprintf(un.sun_path, sizeof un.sun_path, "%.100s", ((const mayfly_address *)address)->name);
  if (un.sun_path[0] == '@')
    un.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&un,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(((const mayfly_address *)address)->name))) !=
      0)
    _exit(1);
  child_say(parent, 'c');
  _exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 2);
}

static void another_user_is_turned_away(void **state) {
  struct loop *loop = *state;
  struct child child;
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  if (!child_can_be_nobody())
    skip();
  snprintf(address.name, sizeof address.name, "@mayfly-test-%d", (int)getpid());
  assert_ok(mayfly_uv_listen(&loop->uv, &address, NULL, &loop_handlers, &loop->first, &loop->listener));
  child_start_as_nobody(&child, connects_as_nobody, &address);
  assert_int_equal(child_hear(child.fd), 'c');
  loop_run_until(loop, loop_stats(loop).refused_peer == 1);
  child_expect_exit(&child, 0);
  assert_int_equal(loop->accepted_count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(another_user_is_turned_away),
  };
  return loop_run_tests(tests);
}
