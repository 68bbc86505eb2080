/* SPDX-License-Identifier: MIT */
/* removal_races.c - a directory of the tree is swapped for a link to another one while the tree is removed: before each
 * system call in turn, and by a thread that never stops. What the link leads to is untouched. */
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
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 2 };

/* SCRATCH/victim/file-0 ...; SCRATCH/tree/one/two/three, and files and closed directories beside each. */
struct scene {
  const char *scratch;
  char victim[TREE_PATH_SIZE], tree[TREE_PATH_SIZE];
  char swapped[TREE_PATH_SIZE], aside[TREE_PATH_SIZE]; /* one of the tree, and its place beside meanwhile */
};

static const char *const levels[] = {"tree", "tree/one", "tree/one/two", "tree/one/two/three"};
enum { LEVELS = sizeof levels / sizeof levels[0] };

/* ---- the scene ---- */

static void join(char path[TREE_PATH_SIZE], const char *directory, const char *name) {
  expect(snprintf(path, TREE_PATH_SIZE, "%s/%s", directory, name) < TREE_PATH_SIZE);
}

static void fill(const char *directory) {
  char path[TREE_PATH_SIZE], name[16];
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    join(path, directory, name);
    expect(tree_system_file(path) == 0);
  }
}

static void make_victim(struct scene *scene, const char *scratch) {
  scene->scratch = scratch;
  join(scene->victim, scratch, "victim");
  join(scene->tree, scratch, "tree");
  expect(tree_system_directory(scene->victim) == 0);
  fill(scene->victim);
  expect(chmod(scene->victim, 0755) == 0);
}

/* `mode` of the directories in it, the innermost first since it may close them. */
static void make_tree(struct scene *scene, int level, mode_t mode) {
  char path[TREE_PATH_SIZE];
  join(scene->swapped, scene->scratch, levels[level]);
  expect(snprintf(scene->aside, sizeof scene->aside, "%.4000s-aside", scene->swapped) > 0);
  for (int i = 0; i < LEVELS; i++) {
    join(path, scene->scratch, levels[i]);
    expect(tree_system_directory(path) == 0);
    fill(path);
  }
  for (int i = LEVELS - 1; i > 0; i--) {
    join(path, scene->scratch, levels[i]);
    expect(chmod(path, mode) == 0);
  }
}

static void expect_victim_untouched(const struct scene *scene) {
  char path[TREE_PATH_SIZE], name[16];
  struct stat status;
  expect(lstat(scene->victim, &status) == 0 && (status.st_mode & 07777) == 0755);
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    join(path, scene->victim, name);
    expect(lstat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
  }
}

static void swap(const struct scene *scene) {
  if (rename(scene->swapped, scene->aside) == 0)
    (void)!symlink(scene->victim, scene->swapped);
}

static void swap_back(const struct scene *scene) {
  struct stat status;
  if (lstat(scene->swapped, &status) == 0 && S_ISLNK(status.st_mode))
    unlink(scene->swapped);
  if (lstat(scene->aside, &status) == 0)
    rename(scene->aside, scene->swapped);
}

/* What a round has left, by the library itself, which nobody disturbs now. */
static void clear(const struct scene *scene) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  options.flags = MAYFLY_RMTREE_IGNORE_ERRORS;
  swap_back(scene);
  expect_ok(mayfly_rmtree(scene->tree, &options));
  expect_ok(mayfly_rmtree(scene->aside, &options));
  unlink(scene->tree);
  expect(!tree_exists(scene->tree) && !tree_exists(scene->aside));
}

static void remove_victim(const struct scene *scene) {
  expect_ok(mayfly_rmtree(scene->victim, NULL));
}

/* ---- before each system call ---- */

static const struct scene *_Atomic scene_of_calls; /* NULL: nothing happens */
static int calls, swap_at;

static void before_call(void) {
  const struct scene *scene = atomic_load(&scene_of_calls);
  if (scene != NULL && ++calls == swap_at)
    swap(scene);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...) {
  before_call();
  return __real_openat(directory, path, flags, 0);
}

int __real_unlinkat(int directory, const char *path, int flags);
int __wrap_unlinkat(int directory, const char *path, int flags);
int __wrap_unlinkat(int directory, const char *path, int flags) {
  before_call();
  return __real_unlinkat(directory, path, flags);
}

int __real_fstatat(int directory, const char *path, struct stat *status, int flags);
int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags);
int __wrap_fstatat(int directory, const char *path, struct stat *status, int flags) {
  before_call();
  return __real_fstatat(directory, path, status, flags);
}

int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode) {
  before_call();
  return __real_chmod(path, mode);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode) {
  before_call();
  return __real_fchmod(fd, mode);
}

static int remove_with_swap(const struct scene *scene, int nth) {
  calls = 0;
  swap_at = nth;
  atomic_store(&scene_of_calls, scene);
  (void)mayfly_rmtree(scene->tree, NULL); /* it may fail, in many ways */
  atomic_store(&scene_of_calls, NULL);
  return calls >= nth;
}

static int swaps_before_each_call(int parent, void *scratch) {
  const mode_t modes[] = {0700, 0000};
  static struct scene scene;
  (void)parent;
  make_victim(&scene, scratch);
  for (int level = 0; level < LEVELS; level++)
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
      int came = 1;
      for (int nth = 1; came; nth++) {
        make_tree(&scene, level, modes[i]);
        came = remove_with_swap(&scene, nth);
        expect_victim_untouched(&scene);
        clear(&scene);
      }
    }
  remove_victim(&scene);
  return 0;
}

static void a_swap_before_any_system_call_touches_nothing_outside(void **state) {
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  if (child_can_be_nobody()) /* who is root has no permissions to be put right */
    child_start_as_nobody(&child, swaps_before_each_call, *state);
  else
    child_start(&child, swaps_before_each_call, *state);
  child_expect_exit(&child, 0);
}

/* ---- all the time ---- */

static atomic_int stop;

static void *swap_all_the_time(void *context) {
  const struct scene *scene = context;
  while (!atomic_load(&stop)) {
    swap(scene);
    swap_back(scene);
  }
  return NULL;
}

static void race(const char *scratch, int level, int rounds) {
  static struct scene scene;
  pthread_t thread;
  make_victim(&scene, scratch);
  for (int i = 0; i < rounds; i++) {
    make_tree(&scene, level, 0700);
    atomic_store(&stop, 0);
    assert_int_equal(pthread_create(&thread, NULL, swap_all_the_time, &scene), 0);
    for (int tries = 0; tries < 5 && tree_exists(scene.tree); tries++)
      (void)mayfly_rmtree(scene.tree, NULL);
    atomic_store(&stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_victim_untouched(&scene);
    clear(&scene);
  }
  remove_victim(&scene);
}

static void a_thread_that_swaps_the_top_touches_nothing_outside(void **state) {
  race(*state, 0, rounds_of(10000, 100));
}

static void a_thread_that_swaps_at_depth_three_touches_nothing_outside(void **state) {
  race(*state, 3, rounds_of(10000, 100));
}

/* ---- moved away ---- */

enum { DEEP = 40 };

static int move_when_removed(void *context, uint64_t removed) {
  const struct scene *scene = context;
  if (removed == 1)
    rename(scene->swapped, scene->aside);
  return 0;
}

/* The way back from a deep directory is "..": in it one's children must not be taken for those of where it was. */
static void a_deep_directory_that_is_moved_does_not_take_the_walk_with_it(void **state) {
  static struct scene scene;
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  char *before = getcwd(NULL, 0);
  make_victim(&scene, *state);
  assert_return_code(chdir(*state), errno);
  tree_directory(".", "tree");
  assert_return_code(chdir("tree"), errno);
  for (int i = 0; i < DEEP; i++) {
    tree_directory(".", "d");
    assert_return_code(chdir("d"), errno);
  }
  fill("."); /* the first to go */
  assert_return_code(chdir(before), errno);
  free(before);
  join(scene.swapped, scene.tree, "d/d");
  join(scene.aside, scene.victim, "moved");
  options.progress = move_when_removed;
  options.context = &scene;
  assert_error(mayfly_rmtree(scene.tree, &options), MAYFLY_ESTOLEN, "moved");
  expect_victim_untouched(&scene);
  assert_ok(mayfly_rmtree(scene.tree, NULL));
  remove_victim(&scene);
}

static int replace_when_emptied(void *context, uint64_t removed) {
  const struct scene *scene = context;
  if (removed == FILES)
    (void)(rename(scene->tree, scene->aside) == 0 && tree_system_directory(scene->tree) == 0);
  return 0;
}

/* As empty as the tree is by then, so that it would go as well. */
static void a_directory_that_takes_the_emptied_trees_place_stays(void **state) {
  static struct scene scene;
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  join(scene.tree, *state, "tree");
  join(scene.aside, *state, "aside");
  tree_directory(*state, "tree");
  fill(scene.tree);
  options.progress = replace_when_emptied;
  options.context = &scene;
  assert_error(mayfly_rmtree(scene.tree, &options), MAYFLY_ESTOLEN, scene.tree);
  assert_return_code(rmdir(scene.tree), errno);
  assert_return_code(rmdir(scene.aside), errno);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_swap_before_any_system_call_touches_nothing_outside),
      test_in_scratch(a_thread_that_swaps_the_top_touches_nothing_outside),
      test_in_scratch(a_thread_that_swaps_at_depth_three_touches_nothing_outside),
      test_in_scratch(a_deep_directory_that_is_moved_does_not_take_the_walk_with_it),
      test_in_scratch(a_directory_that_takes_the_emptied_trees_place_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
