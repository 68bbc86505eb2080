/* SPDX-License-Identifier: MIT */
/* sweep_killed.c - processes that are killed in the middle of making things, with sweeps running beside: nothing of the
 * dead is left, nothing of the living is gone. Those that SIGTERM ends leave nothing at all. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "rounds.h"
#include "test.h"
#include "tree.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static mayfly_temp_options with(const char *directory, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  options.flags = flags;
  return options;
}

/* ---- who makes things without end ---- */

struct maker {
  const char *scratch;
  unsigned flags; /* of every other directory; the others are crash-safe */
};

/* Nothing in it is sure: it may be removed at any moment. */
static void fill(const char *directory) {
  char path[TREE_PATH_SIZE];
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%.4000s/inner-%d", directory, i);
    (void)tree_system_directory(path);
    strcat(path, "/file");
    (void)tree_system_file(path);
  }
}

/* 0: the process is ending. */
static int make_one(const char *scratch, unsigned flags) {
  const mayfly_temp_options options = with(scratch, flags);
  mayfly_directory *directory;
  int result = mayfly_temporary_directory(&options, &directory);
  if (result == MAYFLY_ECANCELED)
    return 0;
  expect_ok(result);
  fill(mayfly_directory_path(directory));
  (void)mayfly_directory_close(directory);
  return 1;
}

static void *make_without_end(void *context) {
  const struct maker *maker = context;
  for (int i = 0; make_one(maker->scratch, i % 2 == 0 ? MAYFLY_TEMP_CRASH_SAFE : maker->flags); i++)
    ;
  return NULL;
}

static void start_makers(struct maker *maker) {
  pthread_t thread;
  for (int i = 0; i < THREADS; i++)
    expect(pthread_create(&thread, NULL, make_without_end, maker) == 0);
}

static int makes_until_it_is_killed(int parent, void *scratch) {
  struct maker maker = {scratch, MAYFLY_TEMP_CRASH_SAFE};
  start_makers(&maker);
  child_say(parent, 'b');
  child_hear(parent);
  return 1;
}

static int makes_until_it_is_told_to_end(int parent, void *scratch) {
  struct maker maker = {scratch, 0};
  expect_ok(mayfly_cleanup_on_signals());
  start_makers(&maker);
  child_say(parent, 'b');
  child_hear(parent);
  return 1;
}

/* ---- who sweeps, and who lives ---- */

static int sweeps_without_end(int parent, void *scratch) {
  char word;
  child_say(parent, 'b');
  while (recv(parent, &word, 1, MSG_DONTWAIT) < 0)
    expect_ok(mayfly_sweep(scratch, NULL));
  return 0;
}

static void expect_alive(const mayfly_directory *directory) {
  char path[TREE_PATH_SIZE];
  expect(snprintf(path, sizeof path, "%s/inner-1/file", mayfly_directory_path(directory)) > 0);
  expect(tree_exists(path));
}

enum { HELD = 8 };
static mayfly_directory *held[HELD]; /* where a leak checker finds those that are left open */

static void close_all(void) {
  for (int i = 0; i < HELD; i++) {
    expect_ok(mayfly_directory_close(held[i]));
    held[i] = NULL;
  }
}

/* Makes some more, until it has them all; then it begins anew, with another directory of the process's own. */
static int lives(int parent, void *scratch) {
  const mayfly_temp_options options = with(scratch, MAYFLY_TEMP_CRASH_SAFE);
  char word;
  child_say(parent, 'b');
  for (int i = 0; recv(parent, &word, 1, MSG_DONTWAIT) < 0; i = (i + 1) % HELD) {
    expect_ok(mayfly_temporary_directory(&options, &held[i]));
    fill(mayfly_directory_path(held[i]));
    for (int j = 0; j <= i; j++)
      expect_alive(held[j]);
    if (i == HELD - 1) {
      close_all();
      expect_ok(mayfly_cleanup());
    }
  }
  return 0;
}

static void wait_a_moment(void) {
  const struct timespec moment = {0, rand() % 4000000}; /* any; it is no event that is awaited */
  nanosleep(&moment, NULL);
}

static void start(struct child *child, child_function *run, void *scratch) {
  child_start(child, run, scratch);
  assert_int_equal(child_hear(child->fd), 'b');
}

static void end(struct child *child) {
  child_say(child->fd, 'e');
  child_expect_exit(child, 0);
}

/* How many directories of processes there are. */
static int count_left(const char *scratch) {
  int count = 0;
  DIR *stream = opendir(scratch);
  assert_non_null(stream);
  for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
    count += strncmp(entry->d_name, ".mayfly-", 8) == 0;
  closedir(stream);
  return count;
}

/* What the other sweeper has claimed is its to remove; the living have one each at most. */
static void sweep_until_only_the_living_are_left(const char *scratch, int living) {
  for (int i = 0; count_left(scratch) > living; i++) {
    assert_ok(mayfly_sweep(scratch, NULL));
    assert_in_range(i, 0, 100000);
  }
}

static void after_kill_9_nothing_of_the_dead_is_left_and_nothing_of_the_living_gone(void **state) {
  struct child sweeper, living, dying;
  start(&sweeper, sweeps_without_end, *state);
  start(&living, lives, *state);
  for (int i = 0; i < rounds_of(1000, 5); i++) {
    start(&dying, makes_until_it_is_killed, *state);
    wait_a_moment();
    child_kill(&dying, SIGKILL);
    sweep_until_only_the_living_are_left(*state, 1);
  }
  end(&living);
  end(&sweeper);
  sweep_until_only_the_living_are_left(*state, 0);
  assert_true(scratch_is_empty(*state));
}

static void after_sigterm_nothing_at_all_is_left(void **state) {
  for (int i = 0; i < rounds_of(1000, 5); i++) {
    struct child dying;
    start(&dying, makes_until_it_is_told_to_end, *state);
    wait_a_moment();
    kill(dying.pid, SIGTERM);
    int status = child_wait(&dying);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_true(scratch_is_empty(*state));
  }
}

/* ---- who is dead, and who is not ---- */

static const char dead[] = ".mayfly-0123456789_abcde";

static void expect_swept(const char *scratch, uint64_t expected) {
  uint64_t removed = 77;
  assert_ok(mayfly_sweep(scratch, &removed));
  assert_int_equal(removed, expected);
}

static void it_leaves_what_somebody_has_locked(void **state) {
  char path[TREE_PATH_SIZE];
  tree_directory(*state, dead);
  tree_join(path, *state, dead);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_return_code(flock(fd, LOCK_SH), errno);
  expect_swept(*state, 0);
  assert_true(tree_exists(path));
  close(fd);
  expect_swept(*state, 1);
  assert_false(tree_exists(path));
}

static void it_leaves_a_link_of_such_a_name_and_what_it_leads_to(void **state) {
  char victim[TREE_PATH_SIZE], path[TREE_PATH_SIZE];
  tree_make(*state, "victim", 2, 1);
  tree_join(victim, *state, "victim");
  tree_join(path, *state, dead);
  assert_return_code(symlink("victim", path), errno);
  expect_swept(*state, 0);
  assert_true(tree_exists(path));
  assert_return_code(unlink(path), errno);
  tree_join(path, *state, "victim/directory-1/file-1");
  assert_true(tree_exists(path));
  assert_ok(mayfly_rmtree(victim, NULL));
}

/* pytest's CVE-2025-71176: a name that anybody can make. */
static int sweeps_once(int parent, void *scratch) {
  uint64_t removed = 77;
  (void)parent;
  expect_ok(mayfly_sweep(scratch, &removed));
  expect(removed == 1);
  return 0;
}

static void it_leaves_what_is_another_users(void **state) {
  char path[TREE_PATH_SIZE], other[TREE_PATH_SIZE];
  struct child child;
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(*state, 0777), errno);
  tree_directory(*state, dead); /* root's, as far as nobody is concerned; open to him */
  tree_join(path, *state, dead);
  assert_return_code(chmod(path, 0777), errno);
  tree_directory(*state, ".mayfly-nobodys_nobodys_");
  tree_join(other, *state, ".mayfly-nobodys_nobodys_");
  assert_return_code(chown(other, 65534, 65534), errno); /* and nobody's is not root's to sweep */
  expect_swept(*state, 1);
  assert_true(tree_exists(other));
  assert_false(tree_exists(path));
  tree_directory(*state, dead);
  child_start_as_nobody(&child, sweeps_once, *state);
  child_expect_exit(&child, 0);
  assert_false(tree_exists(other));
  assert_true(tree_exists(path));
  assert_return_code(rmdir(path), errno);
}

/* ---- in between ---- */

static const char *_Atomic swept_before_lock; /* NULL: never */
static int sweeps;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation) {
  const char *scratch = atomic_exchange(&swept_before_lock, NULL);
  if (scratch != NULL) {
    uint64_t removed;
    expect_ok(mayfly_sweep(scratch, &removed));
    sweeps += (int)removed;
  }
  return __real_flock(fd, operation);
}

static void one_that_is_swept_before_it_is_locked_is_made_again(void **state) {
  const mayfly_temp_options options = with(*state, MAYFLY_TEMP_CRASH_SAFE);
  mayfly_directory *directory;
  sweeps = 0;
  atomic_store(&swept_before_lock, *state);
  assert_ok(mayfly_temporary_directory(&options, &directory));
  assert_int_equal(sweeps, 1);
  assert_true(tree_exists(mayfly_directory_path(directory)));
  tree_make(mayfly_directory_path(directory), "tree", 1, 1);
  expect_swept(*state, 0);
  assert_ok(mayfly_directory_close(directory));
  assert_ok(mayfly_cleanup());
}

static void what_another_sweep_takes_meanwhile_is_counted_there_alone(void **state) {
  tree_make(*state, dead, 1, 1);
  sweeps = 0;
  atomic_store(&swept_before_lock, *state);
  expect_swept(*state, 0);
  assert_int_equal(sweeps, 1);
  assert_true(scratch_is_empty(*state));
}

int main(void) {
  srand((unsigned)time(NULL));
  const struct CMUnitTest tests[] = {
      test_in_scratch(it_leaves_what_somebody_has_locked),
      test_in_scratch(it_leaves_a_link_of_such_a_name_and_what_it_leads_to),
      test_in_scratch(it_leaves_what_is_another_users),
      test_in_scratch(one_that_is_swept_before_it_is_locked_is_made_again),
      test_in_scratch(what_another_sweep_takes_meanwhile_is_counted_there_alone),
      test_in_scratch(after_kill_9_nothing_of_the_dead_is_left_and_nothing_of_the_living_gone),
      test_in_scratch(after_sigterm_nothing_at_all_is_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
