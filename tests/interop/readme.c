/* SPDX-License-Identifier: MIT */
/* readme.c - the functions that the README shows, taken from it, and its Python client. */
#include "background.h"
#include "ends.h"
#include "expect.h"
#include "files.h"
#include "peer.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <mayfly/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "readme.h"

static mayfly_address address_in(const char *directory) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_address address;
  scratch_path(path, directory, "socket");
  assert_ok(mayfly_address_parse(path, &address));
  return address;
}

/* ---- temporary files ---- */

static int write_twice(int parent, void *directory) {
  char text[8];
  (void)parent;
  expect(chdir(directory) == 0);
  expect(write_report("first", 5) == 0 && write_report("second", 6) == 0);
  FILE *report = fopen("report.txt", "r");
  expect(report != NULL && fread(text, 1, sizeof text, report) == 6 && memcmp(text, "second", 6) == 0);
  expect(fclose(report) == 0 && unlink("report.txt") == 0);
  return 0;
}

static void a_report_is_written(void **state) {
  struct child child;
  child_start(&child, write_twice, *state);
  child_expect_exit(&child, 0);
}

static void a_directory_comes_and_goes(void **state) {
  (void)state;
  assert_int_equal(work_in_a_directory(), 0);
}

/* ---- connections ---- */

static int serve(void *address) {
  return serve_one(address);
}

struct question {
  mayfly_address address;
  char answer[SCRATCH_PATH_SIZE]; /* the file that it goes to */
};

static int ask_and_print(int parent, void *context) {
  const struct question *question = context;
  child_hear(parent);
  expect(freopen(question->answer, "w", stdout) != NULL);
  expect_ok(ask(&question->address));
  expect(fclose(stdout) == 0);
  return 0;
}

static void a_client_is_served(void **state) {
  struct question question = {.address = address_in(*state)};
  struct background server;
  struct child child;
  scratch_path(question.answer, *state, "answer");
  child_start(&child, ask_and_print, &question); /* before there is a thread whose memory it would have */
  background_start(&server, serve, &question.address);
  background_await_asleep(&server);
  child_say(child.fd, 'g');
  child_expect_exit(&child, 0);
  background_expect_ok(&server);
  files_expect_at(question.answer, "welcome\n");
  files_remove(question.answer);
}

static void a_python_client_is_served(void **state) {
  size_t count;
  const struct python *pythons = peer_pythons(&count);
  mayfly_address address = address_in(*state);
  struct background server;
  struct peer python;
  char page[4096];
  snprintf(page, sizeof page, "%s/../README.md", getenv("MAYFLY_TEST_SOURCE"));
  background_start(&server, serve, &address);
  background_await_asleep(&server);
  peer_start(&python, &pythons[count - 1], "readme.py", (const char *[]){"client", page, address.name, NULL}, -1);
  peer_expect(&python, "b'welcome'");
  peer_end(&python);
  background_expect_ok(&server);
}

static void a_service_has_an_address(void **state) {
  mayfly_address address;
  const char *before = getenv("XDG_RUNTIME_DIR");
  char *kept = before == NULL ? NULL : strdup(before);
  assert_return_code(setenv("XDG_RUNTIME_DIR", *state, 1), errno);
  assert_ok(find_the_address(&address));
  assert_non_null(strstr(address.name, "/answer.sock"));
  if (kept == NULL)
    unsetenv("XDG_RUNTIME_DIR");
  else
    setenv("XDG_RUNTIME_DIR", kept, 1);
  free(kept);
}

static void a_worker_says_that_it_is_here(void **state) {
  mayfly_connection *ends[2];
  mayfly_os_fd fd;
  (void)state;
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_connection_os_fd(ends[1], &fd));
  assert_ok(adopt_what_was_inherited(dup((int)fd)));
  ends_expect_message(ends[0], "here I am", 9);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
}

static void a_message_ends_the_wait(void **state) {
  mayfly_address address = address_in(*state);
  mayfly_listener *listener;
  mayfly_connection *ends[2];
  assert_ok(mayfly_listen(&address, NULL, &listener));
  assert_ok(mayfly_pipe(1, ends));
  assert_ok(mayfly_send_bytes(ends[1], "", 0));
  assert_true(wait_for_either(listener, ends[0]) >= 1);
  assert_ok(mayfly_connection_close(ends[0]));
  assert_ok(mayfly_connection_close(ends[1]));
  assert_ok(mayfly_listener_close(listener));
}

/* ---- the daemon ---- */

struct daemon {
  mayfly_address address;
  int parent;
};

static void say_that_it_listens(uv_timer_t *timer) {
  const struct daemon *daemon = timer->data;
  child_say(daemon->parent, 'l');
  uv_close((uv_handle_t *)timer, NULL);
}

static void stop(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  uv_stop(poll->loop);
}

/* Until its parent lets go of it. */
static int run_daemon(int parent, void *context) {
  struct daemon *daemon = context;
  uv_timer_t timer = {.data = daemon};
  uv_poll_t poll;
  daemon->parent = parent;
  uv_timer_init(uv_default_loop(), &timer);
  uv_timer_start(&timer, say_that_it_listens, 0, 0);
  uv_poll_init(uv_default_loop(), &poll, parent);
  uv_poll_start(&poll, UV_READABLE, stop);
  return run_an_echo_daemon(&daemon->address) >= 0 ? 0 : 1;
}

static void the_daemon_echoes(void **state) {
  struct daemon daemon = {.address = address_in(*state)};
  struct child child;
  mayfly_connection *client;
  child_start(&child, run_daemon, &daemon);
  assert_int_equal(child_hear(child.fd), 'l');
  assert_ok(mayfly_connect(&daemon.address, NULL, &client));
  assert_ok(mayfly_send_bytes(client, "hello", 5));
  ends_expect_message(client, "hello", 5);
  assert_ok(mayfly_connection_close(client));
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_report_is_written),      test(a_directory_comes_and_goes),
      test_in_scratch(a_client_is_served),       test_in_scratch(a_python_client_is_served),
      test_in_scratch(a_service_has_an_address), test(a_worker_says_that_it_is_here),
      test_in_scratch(a_message_ends_the_wait),  test_in_scratch(the_daemon_echoes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
