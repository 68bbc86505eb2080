/* SPDX-License-Identifier: MIT */
/* process.c - preparing for the end of the process with every call failing, and ends in the middle of a call. */
#include "calls.h"
#include "child.h"
#include "expect.h"
#include "makers.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static mayfly_listener *kept; /* where a leak checker finds it */

/* ---- in a child ---- */

static void listen_in(const char *scratch) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  snprintf(address.name, sizeof address.name, "%.200s/given", scratch);
  expect_ok(mayfly_listen(&address, NULL, &kept));
}

static void prepare(const char *scratch) {
  expect(signal(SIGTERM, SIG_DFL) != SIG_ERR);
  expect_ok(mayfly_settempdir(scratch));
}

static time_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++)
    count += fcntl(fd, F_GETFD, 0) >= 0;
  return count;
}

/* ---- in the test ---- */

static void expect_end_by(struct child *child, int number) {
  int status = child_wait(child);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), number);
}

/* ---- preparing ---- */

struct failure {
  const char *call;
  int number, error;
  const char *scratch; /* set by the test */
};

static int prepares_for_signals(int parent, void *context) {
  const struct failure *failure = context;
  struct sigaction action;
  int descriptors = count_descriptors();
  calls_fail(failure->call, 1, 2, failure->number); /* the library may try again */
  prepare(failure->scratch);
  expect_error(mayfly_cleanup_on_signals(), failure->error, "");
  expect(calls_stop() && mayfly_last_error()[0] != '\0');
  expect(sigaction(SIGTERM, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
  expect(count_descriptors() == descriptors);
  expect_ok(mayfly_cleanup_on_signals());
  listen_in(failure->scratch);
  child_say(parent, 'w');
  for (;;)
    pause();
  return 1;
}

static void a_failure_to_prepare_for_signals_changes_nothing_and_the_next_call_works(void **state) {
  struct failure failures[] = {
      {"pipe2", EMFILE, MAYFLY_EMFILE, *state},          {"fcntl", EINVAL, MAYFLY_EINVAL, *state},
      {"pthread_create", EAGAIN, MAYFLY_EAGAIN, *state}, {"pthread_atfork", ENOMEM, MAYFLY_ENOMEM, *state},
      {"atexit", ENOMEM, MAYFLY_ENOMEM, *state},
  };
  for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
    struct child child;
    child_start(&child, prepares_for_signals, &failures[i]);
    assert_int_equal(child_hear(child.fd), 'w');
    kill(child.pid, SIGTERM);
    expect_end_by(&child, SIGTERM);
    assert_true(scratch_is_empty(*state));
  }
}

static int listens_for_the_first_time(int parent, void *context) {
  const struct failure *failure = context;
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  (void)parent;
  calls_fail(failure->call, 1, 2, failure->number); /* the library may try again */
  prepare(failure->scratch);
  scratch_path(address.name, failure->scratch, "given");
  expect_error(mayfly_listen(&address, NULL, &kept), failure->error, "");
  expect(calls_stop() && access(address.name, F_OK) != 0);
  listen_in(failure->scratch);
  pid_t pid = fork(); /* it owns nothing of ours: so fork was prepared for */
  if (pid == 0)
    exit(0);
  expect(waitpid(pid, NULL, 0) == pid && access(address.name, F_OK) == 0);
  return 0; /* exit removes it: so that was prepared for too */
}

static void a_first_listener_that_could_not_be_prepared_for_leaves_nothing_and_the_next_works(void **state) {
  struct failure failures[] = {{"pthread_atfork", ENOMEM, MAYFLY_ENOMEM, *state},
                               {"atexit", ENOMEM, MAYFLY_ENOMEM, *state}};
  for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
    struct child child;
    child_start(&child, listens_for_the_first_time, &failures[i]);
    child_expect_exit(&child, 0);
    assert_true(scratch_is_empty(*state));
  }
}

/* ---- while a maker is in the middle ---- */

static int in_the_middle[2], go_on[2]; /* pipes: a byte says so */

static void say(const int pipe_ends[2]) {
  expect(write(pipe_ends[1], "", 1) == 1);
}

static void hear(const int pipe_ends[2]) {
  char word;
  ssize_t size;
  do
    size = read(pipe_ends[0], &word, 1);
  while (size < 0 && errno == EINTR);
  expect(size == 1);
}

static void stop_in_the_middle(void) {
  calls_hooks.bind = NULL;
  say(in_the_middle);
  hear(go_on);
}

static void *listen_in_thread(void *scratch) {
  listen_in(scratch);
  return NULL;
}

/* A thread that is inside bind until it is told to go on. */
static void start_in_the_middle(const char *scratch) {
  pthread_t thread;
  prepare(scratch);
  expect(pipe(in_the_middle) == 0 && pipe(go_on) == 0);
  calls_hooks.bind = stop_in_the_middle;
  expect(pthread_create(&thread, NULL, listen_in_thread, (void *)scratch) == 0);
  expect(pthread_detach(thread) == 0);
  hear(in_the_middle);
}

static void make_until_canceled(void) {
  mayfly_address address;
  int result;
  while ((result = mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address)) == 0)
    sched_yield();
  expect_error(result, MAYFLY_ECANCELED, "ending");
}

static int is_signaled_in_the_middle(int parent, void *scratch) {
  start_in_the_middle(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  child_say(parent, 'w');
  make_until_canceled();
  say(go_on);
  for (;;)
    pause();
  return 1;
}

/* Cleaning up gives up to wait after five seconds: one that waits in vain is never faster. A busy machine may be as
 * slow, but not every time; a sanitizer may need as long for an exit alone. */
static void expect_not_in_vain(void (*trial)(child_function *run, void *scratch), child_function *run, void *scratch) {
  time_t took = 5;
  for (int i = 0; i < (SANITIZED ? 1 : 5) && took >= 5; i++) {
    time_t begin = now();
    trial(run, scratch);
    took = now() - begin;
  }
  assert_true(took < 5 || SANITIZED);
}

static void signal_in_the_middle(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  assert_int_equal(child_hear(child.fd), 'w');
  kill(child.pid, SIGTERM);
  expect_end_by(&child, SIGTERM);
}

static void a_signal_waits_for_what_is_being_made_and_removes_it(void **state) {
  expect_not_in_vain(signal_in_the_middle, is_signaled_in_the_middle, *state);
}

static pid_t with_threads;

/* In a child of theirs a leak checker, which comes last, would miss what was on the threads' stacks. */
static void leave_before_leaks_are_looked_for(void) {
  if (getpid() != with_threads)
    _exit(7);
}

static int forks_in_the_middle_of_a_signal(int parent, void *scratch) {
  int status;
  with_threads = getpid();
  expect(atexit(leave_before_leaks_are_looked_for) == 0);
  start_in_the_middle(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  child_say(parent, 'w');
  make_until_canceled();
  pid_t pid = fork();
  if (pid == 0) {
    mayfly_address address;
    alarm(30);
    expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
    exit(0);
  }
  expect(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  say(go_on);
  for (;;)
    pause();
  return 1;
}

static void a_child_forked_while_a_signal_is_being_answered_lives_its_own_life(void **state) {
  struct child child;
  child_start(&child, forks_in_the_middle_of_a_signal, *state);
  assert_int_equal(child_hear(child.fd), 'w');
  kill(child.pid, SIGTERM);
  expect_end_by(&child, SIGTERM);
}

static void let_go_on(void) {
  say(go_on);
}

static int exits_in_the_middle(int parent, void *scratch) {
  (void)parent;
  start_in_the_middle(scratch);
  expect(atexit(let_go_on) == 0); /* after the library's, so it is called before it */
  return 0;
}

static void exit_waits_for_what_is_being_made_and_removes_it(void **state) {
  for (int i = 0; i < 20; i++) {
    struct child child;
    child_start(&child, exits_in_the_middle, *state);
    child_expect_exit(&child, 0);
    assert_true(scratch_is_empty(*state));
  }
}

/* ---- cleaning up among makers ---- */

/* As long as something takes that is on a slow disk: so one of the makers is always in the middle. */
static void take_long(void) {
  const struct timespec moment = {0, 5000000};
  nanosleep(&moment, NULL);
}

static int cleans_up_among_slow_makers(int parent, void *scratch) {
  struct makers makers;
  (void)parent;
  prepare(scratch);
  calls_hooks.bind = take_long;
  makers_start(&makers, scratch);
  time_t begin = now();
  for (int i = 0; i < 10; i++)
    expect_ok(mayfly_cleanup());
  expect(now() - begin < 20); /* five seconds each, where it waits in vain */
  makers_stop(&makers);
  return 0;
}

static void cleanup_is_not_held_up_by_threads_that_never_stop_making(void **state) {
  struct child child;
  child_start(&child, cleans_up_among_slow_makers, *state);
  child_expect_exit(&child, 0);
}

/* ---- exit in a signal handler inside one of our calls ---- */

static void exit_in_handler(int number) {
  exit(number);
}

static void interrupt(void) {
  raise(SIGUSR1);
}

static int is_interrupted_inside_bind(int parent, void *scratch) {
  (void)parent;
  prepare(scratch);
  listen_in(scratch);
  expect_ok(mayfly_listener_close(kept));
  signal(SIGUSR1, exit_in_handler);
  calls_hooks.bind = interrupt;
  listen_in(scratch);
  return 1;
}

static void interrupt_mkdir(mode_t mode) {
  (void)mode;
  interrupt();
}

static int is_interrupted_inside_mkdir(int parent, void *scratch) {
  mayfly_address address;
  (void)parent;
  prepare(scratch);
  signal(SIGUSR1, exit_in_handler);
  calls_hooks.mkdir = interrupt_mkdir;
  mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address);
  return 1;
}

static void exit_in_handler_of(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  child_expect_exit(&child, SIGUSR1);
}

static void exit_in_a_handler_does_not_wait_for_the_call_that_it_interrupts(void **state) {
  expect_not_in_vain(exit_in_handler_of, is_interrupted_inside_bind, *state);
}

static void exit_in_a_handler_does_not_wait_for_a_lock_that_its_own_thread_holds(void **state) {
  expect_not_in_vain(exit_in_handler_of, is_interrupted_inside_mkdir, *state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_failure_to_prepare_for_signals_changes_nothing_and_the_next_call_works),
      test_in_scratch(a_first_listener_that_could_not_be_prepared_for_leaves_nothing_and_the_next_works),
      test_in_scratch(a_signal_waits_for_what_is_being_made_and_removes_it),
      test_in_scratch(a_child_forked_while_a_signal_is_being_answered_lives_its_own_life),
      test_in_scratch(exit_waits_for_what_is_being_made_and_removes_it),
      test_in_scratch(cleanup_is_not_held_up_by_threads_that_never_stop_making),
      test_in_scratch(exit_in_a_handler_does_not_wait_for_the_call_that_it_interrupts),
      test_in_scratch(exit_in_a_handler_does_not_wait_for_a_lock_that_its_own_thread_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
