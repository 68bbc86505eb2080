/* SPDX-License-Identifier: MIT */
/* signals.c - what mayfly_cleanup_on_signals does, and what it leaves to the program. */
#include "child.h"
#include "expect.h"
#include "makers.h"
#include "result.h"
#include "sanitizer.h"
#include "test.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
enum { ENDING = sizeof ending / sizeof ending[0] };

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* ---- in a child ---- */

/* Whoever runs the tests may ignore signals, and what is ignored stays so. */
static void set_defaults(void) {
  for (int i = 0; i < ENDING; i++)
    expect(signal(ending[i], SIG_DFL) != SIG_ERR);
}

static void prepare(const char *scratch) {
  set_defaults();
  expect_ok(mayfly_settempdir(scratch));
}

static mayfly_listener *kept[4]; /* where a leak checker finds them */

static const char *listen_in(const char *scratch, int index) {
  mayfly_address address = {MAYFLY_AF_UNIX, 0, ""};
  snprintf(address.name, sizeof address.name, "%.200s/given-%d", scratch, index);
  expect_ok(mayfly_listen(&address, NULL, &kept[index]));
  return mayfly_listener_address(kept[index])->name;
}

static const char *listen_anywhere(int index) {
  expect_ok(mayfly_listen(NULL, NULL, &kept[index]));
  return mayfly_listener_address(kept[index])->name;
}

static void make_things(const char *scratch) {
  listen_in(scratch, 0);
  listen_anywhere(1);
}

/* In a call that ThreadSanitizer too lets a signal interrupt. */
static int wait_for_the_end(int parent) {
  child_say(parent, 'w');
  for (;;)
    pause();
  return 1;
}

/* ---- in the test ---- */

static void expect_signal(struct child *child, int number) {
  int status = child_wait(child);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != number)
    fail_msg("the child ended with %s %d instead of signal %d", WIFEXITED(status) ? "exit code" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), number);
}

static void start_waiting(struct child *child, child_function *run, void *context) {
  child_start(child, run, context);
  assert_int_equal(child_hear(child->fd), 'w');
}

/* ---- ended by a signal ---- */

static int makes_things(int parent, void *scratch) {
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  make_things(scratch);
  return wait_for_the_end(parent);
}

static void a_signal_removes_everything_and_ends_the_process(void **state) {
  for (int i = 0; i < ENDING; i++) {
    struct child child;
    start_waiting(&child, makes_things, *state);
    kill(child.pid, ending[i]);
    expect_signal(&child, ending[i]);
    assert_true(scratch_is_empty(*state));
  }
}

/* As some do who become a daemon. */
static int closes_every_descriptor(int parent, void *scratch) {
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
    if (fd != parent)
      close(fd);
  return wait_for_the_end(parent);
}

static void a_signal_still_ends_who_closed_the_pipe_it_comes_through(void **state) {
  struct child child;
  if (THREAD_SANITIZED) {
    print_message("skipped: ThreadSanitizer takes the closing for a race with who reads there\n");
    skip();
  }
  start_waiting(&child, closes_every_descriptor, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
}

static int makes_things_before(int parent, void *scratch) {
  prepare(scratch);
  make_things(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  return wait_for_the_end(parent);
}

static void what_was_made_before_the_call_goes_too(void **state) {
  struct child child;
  start_waiting(&child, makes_things_before, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
}

static int does_not_ask_for_it(int parent, void *scratch) {
  prepare(scratch);
  listen_in(scratch, 0);
  return wait_for_the_end(parent);
}

static void without_the_call_a_signal_leaves_everything(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct child child;
  start_waiting(&child, does_not_ask_for_it, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
  scratch_path(path, *state, "given-0");
  assert_return_code(unlink(path), errno);
}

static int accepts(int parent, void *scratch) {
  mayfly_connection *connection;
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  listen_in(scratch, 0);
  child_say(parent, 'w');
  mayfly_accept(kept[0], MAYFLY_FOREVER, &connection);
  return 1;
}

static void who_waits_in_accept_is_ended_too(void **state) {
  struct child child;
  start_waiting(&child, accepts, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
}

/* ---- at random moments ---- */

static int makes_in_four_threads(int parent, void *scratch) {
  static struct makers makers; /* they outlive this function */
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  makers_start(&makers, scratch);
  makers_leave(&makers);
  return wait_for_the_end(parent);
}

static void wait_for_a_random_moment(void) {
  const struct timespec moment = {0, rand() % 2000000}; /* which is what this is about */
  nanosleep(&moment, NULL);
}

enum { TOGETHER = 10 };

/* Some processes at once, each with a directory of its own: while one is waited for, others are at it. */
static void end_together_at_random_moments(char directories[TOGETHER][SCRATCH_PATH_SIZE], int number) {
  struct child children[TOGETHER];
  for (int i = 0; i < TOGETHER; i++)
    child_start(&children[i], makes_in_four_threads, directories[i]);
  for (int i = 0; i < TOGETHER; i++) {
    assert_int_equal(child_hear(children[i].fd), 'w');
    wait_for_a_random_moment();
    kill(children[i].pid, number);
  }
  for (int i = 0; i < TOGETHER; i++) {
    expect_signal(&children[i], number);
    assert_true(scratch_is_empty(directories[i]));
  }
}

static void end_at_random_moments(const char *scratch, int number, int rounds) {
  char directories[TOGETHER][SCRATCH_PATH_SIZE];
  print_message("%d rounds\n", rounds);
  for (int i = 0; i < TOGETHER; i++) {
    char name[8];
    snprintf(name, sizeof name, "%d", i);
    scratch_path(directories[i], scratch, name);
    assert_return_code(mkdir(directories[i], 0700), errno);
  }
  for (int i = 0; i < rounds; i += TOGETHER)
    end_together_at_random_moments(directories, number);
  for (int i = 0; i < TOGETHER; i++)
    assert_return_code(rmdir(directories[i]), errno);
}

static void sigterm_leaves_nothing_of_what_four_threads_make_and_close(void **state) {
  end_at_random_moments(*state, SIGTERM, ROUNDS(500));
}

static void sigterm_leaves_nothing_again(void **state) {
  end_at_random_moments(*state, SIGTERM, ROUNDS(500));
}

static void sigint_leaves_nothing_of_what_four_threads_make_and_close(void **state) {
  end_at_random_moments(*state, SIGINT, ROUNDS(100));
}

static void sighup_leaves_nothing_of_what_four_threads_make_and_close(void **state) {
  end_at_random_moments(*state, SIGHUP, ROUNDS(100));
}

static int exits_when_it_may_not_make(int parent, void *scratch) {
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  child_say(parent, 'w');
  for (;;) {
    mayfly_listener *listener;
    int result = mayfly_listen(NULL, NULL, &listener);
    if (result == MAYFLY_ECANCELED)
      return 1; /* and exit */
    expect_ok(result);
    expect_ok(mayfly_listener_close(listener));
  }
}

static void who_exits_because_making_was_canceled_still_ends_by_the_signal(void **state) {
  for (int i = 0; i < ROUNDS(50); i++) {
    struct child child;
    start_waiting(&child, exits_when_it_may_not_make, *state);
    wait_for_a_random_moment();
    kill(child.pid, SIGTERM);
    expect_signal(&child, SIGTERM);
    assert_true(scratch_is_empty(*state));
  }
}

static void more_signals_meanwhile_change_nothing(void **state) {
  for (int i = 0; i < ROUNDS(50); i++) {
    struct child child;
    start_waiting(&child, makes_in_four_threads, *state);
    for (int j = 0; j < 20; j++)
      kill(child.pid, SIGTERM);
    expect_signal(&child, SIGTERM);
    assert_true(scratch_is_empty(*state));
  }
}

/* ---- the program's own ways with signals ---- */

static volatile sig_atomic_t handled;

static void handle(int number) {
  handled = number;
}

static void handle_with_information(int number, siginfo_t *information, void *context) {
  (void)information, (void)context;
  handled = number;
}

static int has_its_own_handlers(int parent, void *scratch) {
  const struct sigaction plain = {.sa_handler = handle}, ignored = {.sa_handler = SIG_IGN};
  const struct sigaction informed = {.sa_sigaction = handle_with_information, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct sigaction now;
  (void)parent;
  prepare(scratch);
  expect(sigaction(SIGHUP, &plain, NULL) == 0 && sigaction(SIGTERM, &informed, NULL) == 0);
  expect(sigaction(SIGINT, &ignored, NULL) == 0);
  expect_ok(mayfly_cleanup_on_signals());
  const char *path = listen_in(scratch, 0);
  expect(sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == handle);
  expect(sigaction(SIGTERM, NULL, &now) == 0 && now.sa_sigaction == handle_with_information);
  expect((now.sa_flags & SA_SIGINFO) != 0);
  expect(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
  expect(raise(SIGHUP) == 0 && handled == SIGHUP);
  expect(raise(SIGTERM) == 0 && handled == SIGTERM);
  expect(raise(SIGINT) == 0 && handled == SIGTERM);
  expect(exists(path));
  return 0;
}

static void a_programs_own_handlers_and_what_it_ignores_stay(void **state) {
  struct child child;
  child_start(&child, has_its_own_handlers, *state);
  child_expect_exit(&child, 0);
}

static int handles_later(int parent, void *scratch) {
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  make_things(scratch);
  expect(signal(SIGHUP, handle) != SIG_ERR);
  expect(raise(SIGHUP) == 0 && handled == SIGHUP);
  expect(exists(mayfly_listener_address(kept[0])->name));
  return wait_for_the_end(parent);
}

static void a_later_handler_takes_the_place_for_its_signal_only(void **state) {
  struct child child;
  start_waiting(&child, handles_later, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
}

static int stops_ignoring(int parent, void *scratch) {
  prepare(scratch);
  expect(signal(SIGHUP, SIG_IGN) != SIG_ERR);
  expect_ok(mayfly_cleanup_on_signals());
  expect_ok(mayfly_cleanup_on_signals());
  make_things(scratch);
  expect(raise(SIGHUP) == 0);
  expect(signal(SIGHUP, SIG_DFL) == SIG_IGN);
  expect_ok(mayfly_cleanup_on_signals());
  return wait_for_the_end(parent);
}

static void called_again_it_covers_what_has_become_default_since(void **state) {
  for (int i = 0; i < ENDING; i++) {
    struct child child;
    start_waiting(&child, stops_ignoring, *state);
    kill(child.pid, ending[i]);
    expect_signal(&child, ending[i]);
    assert_true(scratch_is_empty(*state));
  }
}

static int is_ending(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

static int looks_at_its_signals(int parent, void *scratch) {
  struct sigaction before[NSIG], after;
  sigset_t blocked, mask;
  (void)parent;
  prepare(scratch);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  expect(sigprocmask(SIG_SETMASK, &blocked, NULL) == 0);
  for (int i = 1; i < NSIG; i++)
    sigaction(i, NULL, &before[i]);
  expect_ok(mayfly_cleanup_on_signals());
  expect_ok(mayfly_cleanup_on_signals());
  for (int i = 1; i < NSIG; i++) {
    if (sigaction(i, NULL, &after) == 0 && !is_ending(i))
      expect(after.sa_handler == before[i].sa_handler && after.sa_flags == before[i].sa_flags);
  }
  expect(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
  for (int i = 1; i < NSIG; i++)
    expect(sigismember(&mask, i) <= 0 || i == SIGUSR2);
  expect(sigismember(&mask, SIGUSR2) == 1);
  return 0;
}

static void the_signal_mask_and_other_handlers_are_untouched(void **state) {
  struct child child;
  child_start(&child, looks_at_its_signals, *state);
  child_expect_exit(&child, 0);
}

static pthread_t handled_in;

static void handle_and_say_where(int number) {
  handled_in = pthread_self();
  handled = number;
}

/* Not the library's thread's, even while the program's only thread does not want it. */
static int handles_in_its_own_thread(int parent, void *scratch) {
  sigset_t set;
  (void)parent;
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  expect(signal(SIGUSR1, handle_and_say_where) != SIG_ERR);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  for (int i = 0; i < 100; i++) {
    handled = 0;
    expect(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0 && kill(getpid(), SIGUSR1) == 0);
    for (int j = 0; j < 10; j++)
      sched_yield();
    expect(handled == 0);
    expect(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 && handled == SIGUSR1);
    expect(pthread_equal(handled_in, pthread_self()));
  }
  return 0;
}

static void a_programs_handlers_run_in_its_own_threads(void **state) {
  struct child child;
  child_start(&child, handles_in_its_own_thread, *state);
  child_expect_exit(&child, 0);
}

/* ---- fork ---- */

/* Of a child's child. */
static void expect_signal_of(struct child *child, int number) {
  int status = child_wait(child);
  expect(WIFSIGNALED(status) && WTERMSIG(status) == number);
}

static int only_waits(int parent, void *context) {
  (void)context;
  return wait_for_the_end(parent);
}

static int outlives_its_child(int parent, void *scratch) {
  struct child child;
  (void)parent;
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  make_things(scratch);
  child_start(&child, only_waits, NULL);
  expect(child_hear(child.fd) == 'w');
  kill(child.pid, SIGTERM);
  expect_signal_of(&child, SIGTERM);
  expect(exists(mayfly_listener_address(kept[0])->name) && exists(mayfly_listener_address(kept[1])->name));
  return wait_for_the_end(parent);
}

static void skip_where_a_forked_childs_signals_are_lost(void) {
  if (!THREAD_SANITIZED)
    return;
  print_message("skipped: ThreadSanitizer holds back the signals of a child that was forked among threads\n");
  skip();
}

static void skip_where_a_forked_child_has_no_allocator(void) {
  if (!ADDRESS_SANITIZED)
    return;
  print_message("skipped: of AddressSanitizer's locks a child inherits those that another thread held\n");
  skip();
}

static void a_forked_child_is_just_ended_and_its_parents_things_stay(void **state) {
  struct child child;
  skip_where_a_forked_childs_signals_are_lost();
  start_waiting(&child, outlives_its_child, *state);
  kill(child.pid, SIGHUP);
  expect_signal(&child, SIGHUP);
}

static int asks_for_it_too(int parent, void *scratch) {
  expect_ok(mayfly_cleanup_on_signals());
  listen_in(scratch, 2);
  listen_anywhere(3);
  return wait_for_the_end(parent);
}

static int has_a_child_that_asks_too(int parent, void *scratch) {
  struct child child;
  prepare(scratch);
  expect_ok(mayfly_cleanup_on_signals());
  make_things(scratch);
  child_start(&child, asks_for_it_too, scratch);
  expect(child_hear(child.fd) == 'w');
  kill(child.pid, SIGTERM);
  expect_signal_of(&child, SIGTERM);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%.200s/given-2", (char *)scratch);
  expect(!exists(path));
  expect(exists(mayfly_listener_address(kept[0])->name) && exists(mayfly_listener_address(kept[1])->name));
  return wait_for_the_end(parent);
}

static void a_forked_child_that_asks_for_it_itself_removes_its_own_things(void **state) {
  struct child child;
  skip_where_a_forked_childs_signals_are_lost();
  skip_where_a_forked_child_has_no_allocator();
  start_waiting(&child, has_a_child_that_asks_too, *state);
  kill(child.pid, SIGTERM);
  expect_signal(&child, SIGTERM);
}

/* ---- the first process of a container ---- */

static _Noreturn void be_first_process(int parent, void *scratch) {
  expect(getpid() == 1);
  exit(makes_things(parent, scratch));
}

/* Not by child_start, whose child looks for its parent, and here it can't see it. */
static int has_a_container(int parent, void *scratch) {
  int ends[2], status;
  (void)parent;
  if (unshare(CLONE_NEWPID) != 0)
    return errno == EPERM ? 77 : 1;
  expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  pid_t first = fork();
  expect(first >= 0);
  if (first == 0) {
    close(ends[0]);
    be_first_process(ends[1], scratch);
  }
  close(ends[1]);
  expect(child_hear(ends[0]) == 'w');
  expect(kill(first, SIGTERM) == 0 && waitpid(first, &status, 0) == first);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM);
  _exit(0); /* in whose namespace a leak checker can make no process any more */
}

static void as_the_first_process_of_a_container_it_exits_with_128_and_the_signal(void **state) {
  struct child child;
  child_start(&child, has_a_container, *state);
  int status = child_wait(&child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    print_message("skipped: this user may not make a process namespace\n");
    skip();
  }
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_signal_removes_everything_and_ends_the_process),
      test_in_scratch(a_signal_still_ends_who_closed_the_pipe_it_comes_through),
      test_in_scratch(what_was_made_before_the_call_goes_too),
      test_in_scratch(without_the_call_a_signal_leaves_everything),
      test_in_scratch(who_waits_in_accept_is_ended_too),
      test_in_scratch(sigterm_leaves_nothing_of_what_four_threads_make_and_close),
      test_in_scratch(sigterm_leaves_nothing_again), /* in halves, since the watchdog has an eye on each */
      test_in_scratch(sigint_leaves_nothing_of_what_four_threads_make_and_close),
      test_in_scratch(sighup_leaves_nothing_of_what_four_threads_make_and_close),
      test_in_scratch(who_exits_because_making_was_canceled_still_ends_by_the_signal),
      test_in_scratch(more_signals_meanwhile_change_nothing),
      test_in_scratch(a_programs_own_handlers_and_what_it_ignores_stay),
      test_in_scratch(a_later_handler_takes_the_place_for_its_signal_only),
      test_in_scratch(called_again_it_covers_what_has_become_default_since),
      test_in_scratch(the_signal_mask_and_other_handlers_are_untouched),
      test_in_scratch(a_programs_handlers_run_in_its_own_threads),
      test_in_scratch(a_forked_child_is_just_ended_and_its_parents_things_stay),
      test_in_scratch(a_forked_child_that_asks_for_it_itself_removes_its_own_things),
      test_in_scratch(as_the_first_process_of_a_container_it_exits_with_128_and_the_signal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
