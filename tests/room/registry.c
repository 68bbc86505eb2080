/* SPDX-License-Identifier: MIT */
/* registry.c - what vanishes with the process, and what does not: exit, fork, mayfly_cleanup, threads.
 *
 * Each case is a child, whose end it is about. */
#include "child.h"
#include "expect.h"
#include "makers.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- in either process ---- */

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

static int is_socket(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static mayfly_address path_in(const char *directory, const char *name) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  scratch_path(address.name, directory, name);
  return address;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- in a child ---- */

static mayfly_listener *listen_in(const char *directory, const char *name) {
  const mayfly_address address = path_in(directory, name);
  mayfly_listener *listener;
  expect_ok(mayfly_listen(&address, NULL, &listener));
  return listener;
}

static mayfly_listener *listen_anywhere(void) {
  mayfly_listener *listener;
  expect_ok(mayfly_listen(NULL, NULL, &listener));
  return listener;
}

/* Of a child's child. */
static void expect_exit(pid_t pid, int code) {
  int status;
  expect(waitpid(pid, &status, 0) == pid);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

/* ---- in the test ---- */

static void in_child(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  child_expect_exit(&child, 0);
}

/* ---- exit ---- */

/* Those that are never closed, where a leak checker finds them. */
static mayfly_listener *left_open[4];

static int leaves_listeners_open(int parent, void *scratch) {
  expect_ok(mayfly_settempdir(scratch));
  left_open[0] = listen_in(scratch, "one");
  left_open[1] = listen_anywhere();
  left_open[2] = listen_in(scratch, "two");
  left_open[3] = listen_anywhere();
  child_say(parent, 'l');
  child_hear(parent);
  return 0; /* and exit */
}

static void at_exit_the_names_of_open_listeners_go(void **state) {
  struct child child;
  child_start(&child, leaves_listeners_open, *state);
  assert_int_equal(child_hear(child.fd), 'l');
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, *state, "one");
  assert_true(is_socket(path));
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0); /* the scratch directory is empty */
}

static int leaves_at_once(int parent, void *scratch) {
  (void)parent;
  listen_in(scratch, "left");
  _exit(0);
}

static void _exit_removes_nothing(void **state) {
  char path[SCRATCH_PATH_SIZE];
  in_child(leaves_at_once, *state);
  scratch_path(path, *state, "left");
  assert_true(is_socket(path));
  assert_return_code(unlink(path), errno);
}

/* ---- mayfly_cleanup ---- */

static int cleans_up_in_mid_life(int parent, void *scratch) {
  (void)parent;
  expect_ok(mayfly_cleanup());
  expect_ok(mayfly_settempdir(scratch));
  mayfly_listener *given = listen_in(scratch, "given"), *arbitrary = listen_anywhere();
  const mayfly_address address = *mayfly_listener_address(arbitrary);
  expect_ok(mayfly_cleanup());
  expect(!exists(mayfly_listener_address(given)->name) && !exists(address.name));
  expect(scratch_is_empty(scratch));
  mayfly_listener *later = listen_in(scratch, "given");
  expect_ok(mayfly_listener_close(given)); /* whose name is another's now */
  expect(is_socket(mayfly_listener_address(later)->name));
  expect_ok(mayfly_listener_close(arbitrary));
  arbitrary = listen_anywhere();
  expect(is_socket(mayfly_listener_address(arbitrary)->name));
  expect_ok(mayfly_cleanup());
  expect(scratch_is_empty(scratch));
  expect_ok(mayfly_listener_close(later));
  expect_ok(mayfly_listener_close(arbitrary));
  later = listen_in(scratch, "given");
  expect_ok(mayfly_listener_close(later));
  expect_ok(mayfly_cleanup());
  return 0;
}

static void cleanup_takes_the_names_and_leaves_the_listeners(void **state) {
  in_child(cleans_up_in_mid_life, *state);
}

static int keeps_a_connection(int parent, void *scratch) {
  const mayfly_address address = path_in(scratch, "here");
  mayfly_listener *listener = listen_in(scratch, "here");
  mayfly_connection *client, *accepted;
  const void *data;
  size_t size;
  (void)parent;
  expect_ok(mayfly_connect(&address, NULL, &client));
  expect_ok(mayfly_cleanup());
  expect_ok(mayfly_accept(listener, MAYFLY_FOREVER, &accepted));
  expect_ok(mayfly_send_bytes(client, "still here", 10));
  expect_ok(mayfly_recv_bytes(accepted, SIZE_MAX, &data, &size));
  expect(size == 10 && memcmp(data, "still here", 10) == 0);
  expect_ok(mayfly_connection_close(client));
  expect_ok(mayfly_connection_close(accepted));
  expect_ok(mayfly_listener_close(listener));
  return 0;
}

static void after_cleanup_who_has_connected_is_accepted_and_talks_on(void **state) {
  in_child(keeps_a_connection, *state);
}

static int replaces_a_socket(int parent, void *scratch) {
  const mayfly_address address = path_in(scratch, "here");
  mayfly_listener *listener = listen_in(scratch, "here");
  (void)parent;
  expect(unlink(address.name) == 0);
  FILE *stranger = fopen(address.name, "w");
  expect(stranger != NULL && fclose(stranger) == 0);
  expect_ok(mayfly_cleanup());
  expect(exists(address.name));
  expect_ok(mayfly_listener_close(listener));
  expect(unlink(address.name) == 0);
  return 0;
}

static void a_stranger_under_a_listeners_name_is_left_alone(void **state) {
  in_child(replaces_a_socket, *state);
}

static int fails_in_part(int parent, void *scratch) {
  mayfly_address arbitrary;
  char one[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE];
  (void)parent;
  scratch_path(one, scratch, "one");
  scratch_path(other, scratch, "other");
  expect(mkdir(one, 0700) == 0 && mkdir(other, 0700) == 0);
  expect_ok(mayfly_settempdir(one));
  expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &arbitrary));
  expect_ok(mayfly_settempdir(other));
  expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &arbitrary)); /* the newer: it is the first to go */
  *strrchr(arbitrary.name, '/') = '\0';
  expect(rmdir(arbitrary.name) == 0 && mkdir(arbitrary.name, 0700) == 0); /* a stranger's */
  mayfly_listener *listener = listen_in(scratch, "given");
  expect_error(mayfly_cleanup(), MAYFLY_ESTOLEN, arbitrary.name);
  expect_ok(mayfly_listener_close(listener));
  expect(rmdir(one) == 0); /* it was empty */
  expect(rmdir(arbitrary.name) == 0 && rmdir(other) == 0);
  return 0;
}

static void where_one_thing_stays_the_rest_goes_and_the_failure_is_told(void **state) {
  in_child(fails_in_part, *state);
}

/* ---- in which order ---- */

/* The names that are removed from a directory, as inotify tells them. */
static void expect_removed(int watch, const char *const *names, size_t count) {
  _Alignas(struct inotify_event) char buffer[4096];
  size_t heard = 0;
  while (heard < count) {
    ssize_t size = read(watch, buffer, sizeof buffer);
    expect(size > 0);
    for (char *next = buffer; next < buffer + size; heard++) {
      const struct inotify_event *event = (const struct inotify_event *)next;
      expect(heard < count && strncmp(event->name, names[heard], strlen(names[heard])) == 0);
      next += sizeof *event + event->len;
    }
  }
}

static int removes_in_order(int parent, void *scratch) {
  const char *const expected[] = {"third", "second", "first", ".mayfly-"};
  mayfly_listener *listeners[4];
  (void)parent;
  expect_ok(mayfly_settempdir(scratch));
  listeners[0] = listen_in(scratch, "first");
  listeners[1] = listen_anywhere(); /* in the process's directory, which is older than what follows */
  listeners[2] = listen_in(scratch, "second");
  listeners[3] = listen_in(scratch, "third");
  int watch = inotify_init1(IN_CLOEXEC);
  expect(watch >= 0 && inotify_add_watch(watch, scratch, IN_DELETE) >= 0);
  expect_ok(mayfly_cleanup());
  expect_removed(watch, expected, sizeof expected / sizeof expected[0]);
  close(watch);
  for (int i = 0; i < 4; i++)
    expect_ok(mayfly_listener_close(listeners[i]));
  return 0;
}

static void the_newest_goes_first_and_the_processs_directory_last(void **state) {
  in_child(removes_in_order, *state);
}

/* ---- makers when the process is ending ---- */

static const char *scratch_at_exit;

static void make_too_late(void) {
  const mayfly_address given = path_in(scratch_at_exit, "late");
  mayfly_address arbitrary;
  mayfly_listener *listener;
  expect_error(mayfly_listen(&given, NULL, &listener), MAYFLY_ECANCELED, "ending");
  expect_error(mayfly_listen(NULL, NULL, &listener), MAYFLY_ECANCELED, "ending");
  expect_error(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &arbitrary), MAYFLY_ECANCELED, "ending");
  expect_ok(mayfly_cleanup());
}

static int makes_in_its_own_exit_hook(int parent, void *scratch) {
  (void)parent;
  scratch_at_exit = scratch;
  expect_ok(mayfly_settempdir(scratch));
  expect(atexit(make_too_late) == 0); /* before the library's, so it runs after it */
  mayfly_listener *listener = listen_in(scratch, "early");
  expect_ok(mayfly_listener_close(listener));
  return 0;
}

static void makers_give_ecanceled_after_the_exit_hook_ran(void **state) {
  in_child(makes_in_its_own_exit_hook, *state);
}

static mayfly_listener *open_until_exit;

static void close_too_late(void) {
  expect_ok(mayfly_listener_close(open_until_exit));
}

static int closes_in_its_own_exit_hook(int parent, void *scratch) {
  (void)parent;
  expect(atexit(close_too_late) == 0);
  open_until_exit = listen_in(scratch, "early");
  return 0;
}

static void a_listener_can_be_closed_after_the_exit_hook_ran(void **state) {
  in_child(closes_in_its_own_exit_hook, *state);
}

/* ---- fork ---- */

static int outlives_a_child(int parent, void *scratch) {
  (void)parent;
  expect_ok(mayfly_settempdir(scratch));
  mayfly_listener *given = listen_in(scratch, "given"), *arbitrary = listen_anywhere();
  pid_t pid = fork();
  if (pid == 0) {
    mayfly_listener *own = listen_anywhere();
    expect_ok(mayfly_listener_close(given));
    expect_ok(mayfly_cleanup());
    expect_ok(mayfly_listener_close(own));
    expect_ok(mayfly_listener_close(arbitrary));
    exit(7);
  }
  expect_exit(pid, 7);
  expect(is_socket(mayfly_listener_address(given)->name));
  expect(is_socket(mayfly_listener_address(arbitrary)->name));
  expect_ok(mayfly_listener_close(given));
  expect_ok(mayfly_listener_close(arbitrary));
  return 0;
}

static void a_forked_childs_close_cleanup_and_exit_remove_nothing_of_its_parents(void **state) {
  in_child(outlives_a_child, *state);
}

static int makes_in_a_child(int parent, void *scratch) {
  (void)parent;
  expect_ok(mayfly_settempdir(scratch));
  mayfly_listener *first = listen_in(scratch, "first");
  pid_t pid = fork();
  if (pid == 0) {
    left_open[0] = listen_in(scratch, "second");
    left_open[1] = listen_anywhere();
    exit(0);
  }
  expect_exit(pid, 0);
  expect(!exists(path_in(scratch, "second").name));
  expect_ok(mayfly_listener_close(first));
  expect(scratch_is_empty(scratch));
  return 0;
}

static void what_a_forked_child_makes_goes_with_it(void **state) {
  in_child(makes_in_a_child, *state);
}

/* ---- threads ---- */

static pid_t with_threads;

/* In a child of theirs a leak checker, which comes last, would miss what was on the threads' stacks. */
static void leave_before_leaks_are_looked_for(void) {
  if (getpid() != with_threads)
    _exit(0);
}

/* In the child only what may be done after a fork among threads: making, and exit. */
static int forks_among_makers(int parent, void *scratch) {
  struct makers makers;
  (void)parent;
  with_threads = getpid();
  expect(atexit(leave_before_leaks_are_looked_for) == 0);
  expect_ok(mayfly_settempdir(scratch));
  makers_start(&makers, scratch);
  for (int i = 0; i < ROUNDS(100); i++) {
    pid_t pid = fork();
    if (pid == 0) {
      mayfly_address address;
      expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
      exit(0);
    }
    expect_exit(pid, 0);
  }
  makers_stop(&makers);
  return 0;
}

static void a_child_forked_while_other_threads_make_can_make_and_exit(void **state) {
  if (ADDRESS_SANITIZED) {
    print_message("skipped: of AddressSanitizer's locks a child inherits those that another thread held\n");
    skip();
  }
  in_child(forks_among_makers, *state);
}

static void *clean_up_too(void *context) {
  for (int i = 0; i < ROUNDS(100); i++)
    expect_ok(mayfly_cleanup());
  return context;
}

static int cleans_up_in_two_threads(int parent, void *scratch) {
  struct makers makers;
  pthread_t other;
  (void)parent;
  expect_ok(mayfly_settempdir(scratch));
  makers_start(&makers, scratch);
  expect(pthread_create(&other, NULL, clean_up_too, NULL) == 0);
  clean_up_too(NULL);
  expect(pthread_join(other, NULL) == 0);
  makers_stop(&makers);
  return 0;
}

static void two_threads_may_clean_up_while_others_make(void **state) {
  in_child(cleans_up_in_two_threads, *state);
}

static int exits_among_makers(int parent, void *scratch) {
  static struct makers makers; /* they outlive this function */
  (void)parent;
  expect_ok(mayfly_settempdir(scratch));
  makers_start(&makers, scratch);
  makers_leave(&makers);
  return 0;
}

static void exit_leaves_nothing_of_what_other_threads_are_making(void **state) {
  for (int i = 0; i < ROUNDS(100); i++) {
    in_child(exits_among_makers, *state);
    assert_true(scratch_is_empty(*state));
  }
}

/* ---- exit in a signal handler ---- */

static void exit_in_handler(int number) {
  exit(number);
}

static int loops_until_it_exits_in_a_handler(int parent, void *scratch) {
  expect_ok(mayfly_listener_close(listen_in(scratch, "path"))); /* for exit waits for ever inside atexit */
  signal(SIGUSR1, exit_in_handler);
  child_say(parent, 'r');
  while (mayfly_listener_close(listen_in(scratch, "path")) == 0)
    continue;
  return 1;
}

static void exit_in_a_programs_own_handler_does_not_hang_at_any_moment(void **state) {
  if (SANITIZED) {
    print_message("skipped: what a sanitizer does at exit may wait for what the handler has interrupted\n");
    skip();
  }
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, *state, "path");
  srand((unsigned)getpid());
  int slow = 0; /* five seconds each, and every second time, where it waits in vain; a busy machine may be it once */
  for (int i = 0; i < 200; i++) {
    struct child child;
    child_start(&child, loops_until_it_exits_in_a_handler, *state);
    assert_int_equal(child_hear(child.fd), 'r');
    const struct timespec moment = {0, rand() % 1000000}; /* which is what this test is about */
    nanosleep(&moment, NULL);
    int64_t begin = now_ms();
    kill(child.pid, SIGUSR1);
    child_expect_exit(&child, SIGUSR1);
    slow += now_ms() - begin >= 4000;
    assert_in_range(slow, 0, 4);
    unlink(path); /* it may have been interrupted in the middle of making it */
  }
}

static int fork_is_to_be_interrupted;

static void interrupt_fork(void) {
  if (fork_is_to_be_interrupted)
    raise(SIGUSR1);
}

/* Who registers first is called last: when the library has all its locks. */
static int exits_in_a_handler_inside_fork(int parent, void *scratch) {
  (void)parent;
  expect(pthread_atfork(interrupt_fork, NULL, NULL) == 0);
  signal(SIGUSR1, exit_in_handler);
  expect_ok(mayfly_listener_close(listen_in(scratch, "path")));
  fork_is_to_be_interrupted = 1;
  alarm(30);
  fork();
  return 0;
}

static void exit_in_a_programs_own_handler_does_not_hang_inside_fork(void **state) {
  struct child child;
  child_start(&child, exits_in_a_handler_inside_fork, *state);
  child_expect_exit(&child, SIGUSR1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(at_exit_the_names_of_open_listeners_go),
      test_in_scratch(_exit_removes_nothing),
      test_in_scratch(cleanup_takes_the_names_and_leaves_the_listeners),
      test_in_scratch(after_cleanup_who_has_connected_is_accepted_and_talks_on),
      test_in_scratch(a_stranger_under_a_listeners_name_is_left_alone),
      test_in_scratch(where_one_thing_stays_the_rest_goes_and_the_failure_is_told),
      test_in_scratch(the_newest_goes_first_and_the_processs_directory_last),
      test_in_scratch(makers_give_ecanceled_after_the_exit_hook_ran),
      test_in_scratch(a_listener_can_be_closed_after_the_exit_hook_ran),
      test_in_scratch(a_forked_childs_close_cleanup_and_exit_remove_nothing_of_its_parents),
      test_in_scratch(what_a_forked_child_makes_goes_with_it),
      test_in_scratch(a_child_forked_while_other_threads_make_can_make_and_exit),
      test_in_scratch(two_threads_may_clean_up_while_others_make),
      test_in_scratch(exit_leaves_nothing_of_what_other_threads_are_making),
      test_in_scratch(exit_in_a_programs_own_handler_does_not_hang_at_any_moment),
      test_in_scratch(exit_in_a_programs_own_handler_does_not_hang_inside_fork),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
