/* SPDX-License-Identifier: MIT */
/* temporary_directory_owner.c - who a temporary directory belongs to: to the process that made it and to no child, by
 * what it is and not by its name, with a lock that others see. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static mayfly_directory *make(const char *scratch, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_directory *directory;
  options.dir = scratch;
  options.flags = flags;
  expect_ok(mayfly_temporary_directory(&options, &directory));
  expect(tree_exists(mayfly_directory_path(directory)));
  return directory;
}

static void remember(char path[TREE_PATH_SIZE], const mayfly_directory *directory) {
  snprintf(path, TREE_PATH_SIZE, "%s", mayfly_directory_path(directory));
}

static mode_t mode_of(const char *path) {
  struct stat status;
  expect(lstat(path, &status) == 0);
  return status.st_mode & 07777;
}

static void in_child(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  child_expect_exit(&child, 0);
}

/* ---- private ---- */

static int makes_under_each_umask(int parent, void *scratch) {
  const mode_t masks[] = {0, 022, 0777};
  const unsigned flags[] = {0, MAYFLY_TEMP_KEEP, MAYFLY_TEMP_CRASH_SAFE};
  (void)parent;
  for (size_t i = 0; i < 9; i++) {
    umask(masks[i / 3]);
    mayfly_directory *directory = make(scratch, flags[i % 3]);
    expect(mode_of(mayfly_directory_path(directory)) == 0700);
    expect_ok(mayfly_directory_cleanup(directory));
    expect_ok(mayfly_directory_close(directory));
  }
  return 0;
}

static void its_mode_is_0700_under_every_umask(void **state) {
  in_child(makes_under_each_umask, *state);
  if (!child_can_be_nobody())
    return;
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, makes_under_each_umask, *state);
  child_expect_exit(&child, 0);
}

/* ---- the lock ---- */

static int can_be_locked(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
  expect(fd >= 0 && (locked || errno == EWOULDBLOCK));
  close(fd);
  return locked;
}

/* systemd-tmpfiles passes over a directory whose lock it can't take. */
static void a_reaper_sees_that_it_is_in_use(void **state) {
  const unsigned flags[] = {0, MAYFLY_TEMP_KEEP, MAYFLY_TEMP_CRASH_SAFE};
  for (int i = 0; i < 3; i++) {
    char path[TREE_PATH_SIZE];
    mayfly_directory *directory = make(*state, flags[i]);
    remember(path, directory);
    assert_false(can_be_locked(path));
    assert_ok(mayfly_directory_close(directory));
    if (flags[i] != MAYFLY_TEMP_KEEP)
      continue;
    assert_true(can_be_locked(path));
    assert_ok(mayfly_rmtree(path, NULL));
  }
  assert_ok(mayfly_cleanup());
}

static void one_that_was_made_to_last_is_locked_no_longer(void **state) {
  char path[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(path, *state, "lasting");
  assert_ok(mayfly_directory_persist(directory, path, 0, 0));
  assert_true(can_be_locked(path));
  assert_ok(mayfly_directory_close(directory));
  assert_ok(mayfly_rmtree(path, NULL));
}

/* Or a program that is executed would keep it alive, and could look into it. */
static void its_descriptors_are_closed_by_exec(void **state) {
  const unsigned flags[] = {0, MAYFLY_TEMP_KEEP, MAYFLY_TEMP_CRASH_SAFE};
  mayfly_directory *directories[3];
  int held = 0;
  for (int i = 0; i < 3; i++)
    directories[i] = make(*state, flags[i]);
  for (int fd = 0; fd < 256; fd++) {
    char link[32], target[TREE_PATH_SIZE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, target, sizeof target);
    if (size < (ssize_t)strlen(*state) || memcmp(target, *state, strlen(*state)) != 0)
      continue;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    held++;
  }
  assert_int_equal(held, 4); /* with the process's own */
  assert_ok(mayfly_directory_cleanup(directories[1]));
  for (int i = 0; i < 3; i++)
    assert_ok(mayfly_directory_close(directories[i]));
  assert_ok(mayfly_cleanup());
}

/* ---- a stranger under its name ---- */

static void expect_stolen(mayfly_directory *directory, const char *path) {
  assert_error(mayfly_directory_cleanup(directory), MAYFLY_ESTOLEN, path);
  assert_error(mayfly_directory_cleanup(directory), MAYFLY_ESTOLEN, path);
  assert_error(mayfly_directory_persist(directory, "elsewhere", 0, 0), MAYFLY_ESTOLEN, path);
  assert_error(mayfly_cleanup(), MAYFLY_ESTOLEN, path);
  assert_error(mayfly_directory_close(directory), MAYFLY_ESTOLEN, path);
}

/* Its own content stays too, wherever it is now: perhaps somebody wanted to keep it. */
static void move_away(const mayfly_directory *directory, char path[TREE_PATH_SIZE], const char *moved) {
  remember(path, directory);
  tree_file(path, "content");
  assert_return_code(rename(path, moved), errno);
}

static void remove_moved(const char *moved) {
  char content[TREE_PATH_SIZE];
  tree_join(content, moved, "content");
  assert_true(tree_exists(content));
  assert_ok(mayfly_rmtree(moved, NULL));
}

static void a_directory_that_has_its_name_now_is_left_alone(void **state) {
  char path[TREE_PATH_SIZE], moved[TREE_PATH_SIZE], theirs[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(moved, *state, "moved");
  move_away(directory, path, moved);
  assert_int_equal(tree_system_directory(path), 0);
  tree_file(path, "theirs");
  expect_stolen(directory, path);
  snprintf(theirs, sizeof theirs, "%.4000s/theirs", path);
  assert_true(tree_exists(theirs));
  assert_ok(mayfly_rmtree(path, NULL));
  remove_moved(moved);
}

static void a_link_that_has_its_name_now_is_left_alone(void **state) {
  char path[TREE_PATH_SIZE], moved[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(moved, *state, "moved");
  move_away(directory, path, moved);
  assert_return_code(symlink(moved, path), errno); /* it even leads to what was made */
  expect_stolen(directory, path);
  assert_return_code(unlink(path), errno);
  remove_moved(moved);
}

static void a_file_that_has_its_name_now_is_left_alone(void **state) {
  char path[TREE_PATH_SIZE], moved[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(moved, *state, "moved");
  move_away(directory, path, moved);
  assert_int_equal(tree_system_file(path), 0);
  expect_stolen(directory, path);
  assert_return_code(unlink(path), errno);
  remove_moved(moved);
}

static void one_that_was_moved_away_is_nobodys_to_remove(void **state) {
  char path[TREE_PATH_SIZE], moved[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(moved, *state, "moved");
  move_away(directory, path, moved);
  assert_ok(mayfly_directory_close(directory));
  remove_moved(moved);
}

/* Rust's tempfile removed another file then. */
static void a_relative_directory_and_a_changed_working_directory_are_no_danger(void **state) {
  char *before = getcwd(NULL, 0), path[TREE_PATH_SIZE], other[TREE_PATH_SIZE];
  assert_return_code(chdir(*state), errno);
  tree_directory(".", "one");
  tree_directory(".", "other");
  mayfly_directory *directory = make("one", 0);
  remember(path, directory);
  assert_int_equal(path[0], '/');
  snprintf(other, sizeof other, "other/%s", strrchr(path, '/') + 1);
  assert_int_equal(tree_system_directory(other), 0);
  assert_return_code(chdir("other"), errno);
  assert_ok(mayfly_directory_close(directory));
  assert_false(tree_exists(path));
  assert_return_code(chdir(*state), errno);
  assert_return_code(rmdir(other), errno); /* it was there */
  assert_return_code(rmdir("other"), errno);
  assert_return_code(rmdir("one"), errno);
  assert_return_code(chdir(before), errno);
  free(before);
}

/* ---- the end of the process ---- */

static int leaves_all_to_the_end(int parent, void *scratch) {
  static mayfly_directory *left[4]; /* where a leak checker finds them */
  (void)parent;
  for (int i = 0; i < 4; i++) {
    char inner[TREE_PATH_SIZE];
    left[i] = make(scratch, i % 2 == 0 ? 0 : MAYFLY_TEMP_CRASH_SAFE);
    expect(snprintf(inner, sizeof inner, "%s/inner", mayfly_directory_path(left[i])) > 0);
    expect(tree_system_directory(inner) == 0);
    expect(chmod(inner, 0) == 0);
  }
  return 0;
}

static void exit_removes_what_was_not_closed(void **state) {
  in_child(leaves_all_to_the_end, *state);
  assert_true(scratch_is_empty(*state));
}

static int ends_by_a_signal(int parent, void *scratch) {
  expect_ok(mayfly_cleanup_on_signals());
  leaves_all_to_the_end(parent, scratch);
  raise(SIGTERM);
  child_hear(parent);
  return 1;
}

static void a_signal_removes_what_was_not_closed(void **state) {
  struct child child;
  child_start(&child, ends_by_a_signal, *state);
  int status = child_wait(&child);
  assert_true(WIFSIGNALED(status));
  assert_int_equal(WTERMSIG(status), SIGTERM);
  assert_true(scratch_is_empty(*state));
}

/* ---- fork ---- */

struct inherited {
  mayfly_directory *plain, *kept, *crash_safe;
};

static void expect_all_there(const struct inherited *all) {
  expect(tree_exists(mayfly_directory_path(all->plain)));
  expect(tree_exists(mayfly_directory_path(all->kept)));
  expect(tree_exists(mayfly_directory_path(all->crash_safe)));
}

static int uses_what_its_parent_made(int parent, void *context) {
  const struct inherited *all = context;
  (void)parent;
  expect_ok(mayfly_cleanup());
  expect_ok(mayfly_directory_cleanup(all->plain));
  expect_ok(mayfly_directory_cleanup(all->kept));
  expect_error(mayfly_directory_persist(all->plain, "elsewhere", 0, 0), MAYFLY_EINVAL, "another process");
  expect_error(mayfly_directory_persist(all->kept, "elsewhere", 0, 0), MAYFLY_EINVAL, "another process");
  expect_ok(mayfly_directory_close(all->crash_safe));
  expect_all_there(&(struct inherited){all->plain, all->kept, all->plain});
  return 0; /* by exit(3) */
}

static void a_forked_child_owns_nothing_of_its_parents(void **state) {
  struct inherited all = {make(*state, 0), make(*state, MAYFLY_TEMP_KEEP), make(*state, MAYFLY_TEMP_CRASH_SAFE)};
  in_child(uses_what_its_parent_made, &all);
  expect_all_there(&all);
  assert_false(can_be_locked(mayfly_directory_path(all.plain)));
  assert_ok(mayfly_directory_close(all.plain));
  assert_ok(mayfly_directory_cleanup(all.kept));
  assert_ok(mayfly_directory_close(all.kept));
  assert_ok(mayfly_directory_close(all.crash_safe));
  assert_ok(mayfly_cleanup());
}

static int waits(int parent, void *context) {
  (void)context;
  child_say(parent, 'w');
  child_hear(parent);
  return 0;
}

/* A child that lives on must not keep a dead parent's directory alive. */
static void a_forked_child_does_not_hold_its_parents_locks(void **state) {
  struct inherited all = {make(*state, 0), make(*state, MAYFLY_TEMP_KEEP), make(*state, MAYFLY_TEMP_CRASH_SAFE)};
  char path[TREE_PATH_SIZE];
  struct child child;
  remember(path, all.kept);
  child_start(&child, waits, NULL);
  assert_int_equal(child_hear(child.fd), 'w');
  assert_ok(mayfly_directory_close(all.kept));
  assert_true(can_be_locked(path));
  assert_ok(mayfly_rmtree(path, NULL));
  assert_ok(mayfly_directory_close(all.plain));
  assert_ok(mayfly_directory_close(all.crash_safe));
  assert_ok(mayfly_cleanup());
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
}

/* ---- made to last ---- */

static int persists_with_modes(int parent, void *scratch) {
  const struct {
    int mode;
    mode_t mask, result;
  } cases[] = {{MAYFLY_MODE_PRIVATE, 022, 0700},
               {MAYFLY_MODE_NEW, 022, 0755},
               {MAYFLY_MODE_NEW, 0, 0777},
               {MAYFLY_MODE_NEW, 077, 0700},
               {0750, 077, 0750},
               {0555, 022, 0555}};
  char path[TREE_PATH_SIZE];
  (void)parent;
  snprintf(path, sizeof path, "%s/lasting", (const char *)scratch);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mayfly_directory *directory = make(scratch, MAYFLY_TEMP_CRASH_SAFE);
    mode_t before = umask(cases[i].mask);
    expect_ok(mayfly_directory_persist(directory, path, cases[i].mode, 0));
    umask(before);
    expect(mode_of(path) == cases[i].result);
    expect_ok(mayfly_directory_close(directory));
    expect(rmdir(path) == 0);
  }
  return 0;
}

static void persist_sets_the_mode_that_was_asked_for(void **state) {
  in_child(persists_with_modes, *state);
  if (!child_can_be_nobody())
    return;
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, persists_with_modes, *state);
  child_expect_exit(&child, 0);
}

static void a_persist_that_fails_leaves_the_mode_as_it_was(void **state) {
  char missing[TREE_PATH_SIZE];
  mayfly_directory *directory = make(*state, 0);
  tree_join(missing, *state, "missing/lasting");
  assert_error(mayfly_directory_persist(directory, missing, 0755, 0), MAYFLY_ENOENT, "missing");
  assert_int_equal(mode_of(mayfly_directory_path(directory)), 0700);
  assert_ok(mayfly_directory_close(directory));
}

static void persist_on_another_file_system_is_an_error(void **state) {
  struct stat here, there;
  char path[TREE_PATH_SIZE];
  if (stat("/dev/shm", &there) != 0 || access("/dev/shm", W_OK) != 0 || stat(*state, &here) != 0 ||
      here.st_dev == there.st_dev)
    skip();
  snprintf(path, sizeof path, "/dev/shm/mayfly-test-%d", (int)getpid());
  mayfly_directory *directory = make(*state, 0);
  assert_error(mayfly_directory_persist(directory, path, 0, 0), MAYFLY_EXDEV, path);
  assert_error(mayfly_directory_persist(directory, path, 0, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EXDEV, path);
  assert_false(tree_exists(path));
  assert_ok(mayfly_directory_close(directory));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(its_mode_is_0700_under_every_umask),
      test_in_scratch(a_reaper_sees_that_it_is_in_use),
      test_in_scratch(one_that_was_made_to_last_is_locked_no_longer),
      test_in_scratch(its_descriptors_are_closed_by_exec),
      test_in_scratch(a_directory_that_has_its_name_now_is_left_alone),
      test_in_scratch(a_link_that_has_its_name_now_is_left_alone),
      test_in_scratch(a_file_that_has_its_name_now_is_left_alone),
      test_in_scratch(one_that_was_moved_away_is_nobodys_to_remove),
      test_in_scratch(a_relative_directory_and_a_changed_working_directory_are_no_danger),
      test_in_scratch(exit_removes_what_was_not_closed),
      test_in_scratch(a_signal_removes_what_was_not_closed),
      test_in_scratch(a_forked_child_owns_nothing_of_its_parents),
      test_in_scratch(a_forked_child_does_not_hold_its_parents_locks),
      test_in_scratch(persist_sets_the_mode_that_was_asked_for),
      test_in_scratch(a_persist_that_fails_leaves_the_mode_as_it_was),
      test_in_scratch(persist_on_another_file_system_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
