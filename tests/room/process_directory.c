/* SPDX-License-Identifier: MIT */
/* process_directory.c - a process's own directory, as it is seen where arbitrary AF_UNIX addresses live. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* ---- in a child ---- */

/* The directory that an arbitrary address lies in. */
static void find_directory(char directory[SCRATCH_PATH_SIZE]) {
  mayfly_address address;
  expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &address));
  snprintf(directory, SCRATCH_PATH_SIZE, "%s", address.name);
  *strrchr(directory, '/') = '\0';
}

static void use_temporary_directory(const char *directory) {
  expect_ok(mayfly_settempdir(directory));
}

static void tell_path(int parent, const char path[SCRATCH_PATH_SIZE]) {
  expect(send(parent, path, SCRATCH_PATH_SIZE, MSG_NOSIGNAL) == SCRATCH_PATH_SIZE);
}

/* ---- in either ---- */

static int exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}

/* Whether a sweep could have it: its owner is dead. */
static int can_be_locked(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (fd < 0 || (!locked && errno != EWOULDBLOCK))
    perror(path);
  close(fd);
  return locked;
}

static int can_be_shared(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
  close(fd);
  return locked;
}

/* ---- in the test ---- */

static void hear_path(const struct child *child, char path[SCRATCH_PATH_SIZE]) {
  assert_int_equal(recv(child->fd, path, SCRATCH_PATH_SIZE, MSG_WAITALL), SCRATCH_PATH_SIZE);
}

static void in_child(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  child_expect_exit(&child, 0);
}

/* ---- what it is like ---- */

static int looks_as_it_should(int parent, void *scratch) {
  mayfly_address first, second;
  char directory[SCRATCH_PATH_SIZE], start[SCRATCH_PATH_SIZE];
  struct stat status;
  (void)parent;
  umask(0777);
  use_temporary_directory(scratch);
  expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &first));
  expect_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &second));
  find_directory(directory);
  snprintf(start, sizeof start, "%s/.mayfly-", (char *)scratch);
  size_t size = strlen(start);
  expect(strncmp(directory, start, size) == 0);
  expect(strspn(directory + size, alphabet) == 16 && directory[size + 16] == '\0');
  expect(lstat(directory, &status) == 0 && S_ISDIR(status.st_mode));
  expect((status.st_mode & 07777) == 0700 && status.st_uid == geteuid());
  size = strlen(directory);
  expect(strncmp(first.name, directory, size) == 0 && strncmp(first.name + size, "/sock-", 6) == 0);
  expect(strspn(first.name + size + 6, alphabet) == 8 && first.name[size + 14] == '\0');
  expect(strncmp(second.name, directory, size) == 0 && strcmp(second.name, first.name) != 0);
  expect(!exists(first.name) && !exists(second.name));
  return 0;
}

static void all_arbitrary_addresses_lie_in_one_private_directory(void **state) {
  in_child(looks_as_it_should, *state);
}

static void it_is_private_and_can_be_used_by_who_is_not_root(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, looks_as_it_should, *state);
  child_expect_exit(&child, 0);
}

static int makes_one_in_each(int parent, void *scratch) {
  char one[SCRATCH_PATH_SIZE], other[SCRATCH_PATH_SIZE], in_one[SCRATCH_PATH_SIZE], in_other[SCRATCH_PATH_SIZE];
  (void)parent;
  scratch_path(one, scratch, "one");
  scratch_path(other, scratch, "other");
  expect(mkdir(one, 0700) == 0 && mkdir(other, 0700) == 0);
  use_temporary_directory(one);
  find_directory(in_one);
  use_temporary_directory(other);
  find_directory(in_other);
  expect(strncmp(in_one, one, strlen(one)) == 0 && strncmp(in_other, other, strlen(other)) == 0);
  use_temporary_directory(one);
  char again[SCRATCH_PATH_SIZE];
  find_directory(again);
  expect(strcmp(again, in_one) == 0);
  expect_ok(mayfly_cleanup());
  expect(rmdir(one) == 0 && rmdir(other) == 0);
  return 0;
}

static void there_is_one_for_each_temporary_directory_in_use(void **state) {
  in_child(makes_one_in_each, *state);
}

enum { THREADS = 8 };

static pthread_barrier_t together;

static void *find_together(void *directory) {
  pthread_barrier_wait(&together);
  find_directory(directory);
  return NULL;
}

static int finds_one_in_all_threads(int parent, void *scratch) {
  static char directories[THREADS][SCRATCH_PATH_SIZE];
  pthread_t threads[THREADS];
  (void)parent;
  use_temporary_directory(scratch);
  pthread_barrier_init(&together, NULL, THREADS);
  for (int i = 0; i < THREADS; i++)
    expect(pthread_create(&threads[i], NULL, find_together, directories[i]) == 0);
  for (int i = 0; i < THREADS; i++)
    expect(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < THREADS; i++)
    expect(strcmp(directories[i], directories[0]) == 0);
  pthread_barrier_destroy(&together);
  return 0;
}

static void threads_that_need_it_at_once_share_it(void **state) {
  for (int i = 0; i < 20; i++)
    in_child(finds_one_in_all_threads, *state);
}

/* ---- how long it lives ---- */

static int tells_and_waits(int parent, void *scratch) {
  char directory[SCRATCH_PATH_SIZE];
  use_temporary_directory(scratch);
  find_directory(directory);
  tell_path(parent, directory);
  child_hear(parent);
  return 0;
}

static void a_shared_lock_says_that_its_process_lives(void **state) {
  char directory[SCRATCH_PATH_SIZE];
  struct child child;
  child_start(&child, tells_and_waits, *state);
  hear_path(&child, directory);
  assert_false(can_be_locked(directory));
  assert_true(can_be_shared(directory));
  child_kill(&child, SIGKILL);
  assert_true(can_be_locked(directory));
  assert_return_code(rmdir(directory), errno);
}

static void it_is_gone_after_exit(void **state) {
  char directory[SCRATCH_PATH_SIZE];
  struct child child;
  child_start(&child, tells_and_waits, *state);
  hear_path(&child, directory);
  assert_true(exists(directory));
  child_say(child.fd, 'e');
  child_expect_exit(&child, 0);
  assert_false(exists(directory));
}

static int cleans_up_and_makes_another(int parent, void *scratch) {
  char first[SCRATCH_PATH_SIZE], second[SCRATCH_PATH_SIZE];
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(first);
  expect_ok(mayfly_cleanup());
  expect(!exists(first));
  expect_ok(mayfly_cleanup());
  find_directory(second);
  expect(exists(second) && strcmp(first, second) != 0);
  expect(!can_be_locked(second));
  return 0;
}

static void cleanup_removes_it_and_the_next_address_has_a_new_one(void **state) {
  in_child(cleans_up_and_makes_another, *state);
}

static void make_files(const char *directory, int count) {
  char path[SCRATCH_PATH_SIZE];
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%.200s/file-%d", directory, i);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
    expect(fd >= 0);
    close(fd);
  }
}

static void replace_by_directory(const char *path) {
  char file[SCRATCH_PATH_SIZE + 32];
  snprintf(file, sizeof file, "%s/theirs", path);
  expect(mkdir(path, 0755) == 0);
  int fd = open(file, O_WRONLY | O_CREAT, 0600);
  expect(fd >= 0);
  close(fd);
}

static void remove_replaced_directory(const char *path) {
  char file[SCRATCH_PATH_SIZE + 32];
  snprintf(file, sizeof file, "%s/theirs", path);
  expect(unlink(file) == 0 && rmdir(path) == 0);
}

static int fills_it_with_files(int parent, void *scratch) {
  char directory[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE + 16], victim[SCRATCH_PATH_SIZE];
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(directory);
  make_files(directory, 2000);
  snprintf(link, sizeof link, "%s/link", directory);
  scratch_path(victim, scratch, "victim");
  replace_by_directory(victim);
  expect(symlink(victim, link) == 0);
  expect_ok(mayfly_cleanup());
  expect(!exists(directory));
  remove_replaced_directory(victim);
  return 0;
}

static void whatever_files_are_in_it_go_with_it(void **state) {
  in_child(fills_it_with_files, *state);
}

static int has_a_directory_put_into_it(int parent, void *scratch) {
  char directory[SCRATCH_PATH_SIZE], inner[SCRATCH_PATH_SIZE + 16];
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(directory);
  snprintf(inner, sizeof inner, "%s/inner", directory);
  expect(mkdir(inner, 0) == 0);
  expect_ok(mayfly_cleanup());
  expect(!exists(directory));
  return 0;
}

static void a_directory_in_it_goes_with_it(void **state) {
  in_child(has_a_directory_put_into_it, *state);
}

/* ---- removed or replaced behind our back ---- */

static int finds_it_removed(int parent, void *scratch) {
  char first[SCRATCH_PATH_SIZE], second[SCRATCH_PATH_SIZE];
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(first);
  expect(rmdir(first) == 0);
  find_directory(second);
  expect(exists(second) && strcmp(first, second) != 0 && !exists(first));
  expect_ok(mayfly_cleanup());
  expect(!exists(second));
  return 0;
}

static void one_that_somebody_removed_is_made_anew(void **state) {
  in_child(finds_it_removed, *state);
}

static int cleans_up_what_is_gone(int parent, void *scratch) {
  char directory[SCRATCH_PATH_SIZE];
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(directory);
  expect(rmdir(directory) == 0);
  expect_ok(mayfly_cleanup());
  return 0;
}

static void cleaning_up_one_that_is_gone_is_no_failure(void **state) {
  in_child(cleans_up_what_is_gone, *state);
}

static void replace_by_link(const char *path) {
  char target[SCRATCH_PATH_SIZE + 16];
  snprintf(target, sizeof target, "%s.target", path);
  replace_by_directory(target);
  expect(symlink(target, path) == 0);
}

static void replace_by_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  expect(fd >= 0);
  close(fd);
}

static void remove_replaced_link(const char *path) {
  char target[SCRATCH_PATH_SIZE + 16];
  snprintf(target, sizeof target, "%s.target", path);
  remove_replaced_directory(target);
  expect(unlink(path) == 0);
}

static void remove_replaced_file(const char *path) {
  expect(unlink(path) == 0);
}

static const struct replacement {
  void (*put)(const char *path), (*take)(const char *path);
} replacements[] = {
    {replace_by_directory, remove_replaced_directory},
    {replace_by_link, remove_replaced_link},
    {replace_by_file, remove_replaced_file},
};

static int is_replaced(int parent, void *scratch) {
  (void)parent;
  use_temporary_directory(scratch);
  for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++) {
    char directory[SCRATCH_PATH_SIZE], moved[SCRATCH_PATH_SIZE], next[SCRATCH_PATH_SIZE];
    find_directory(directory);
    scratch_path(moved, scratch, "moved");
    expect(rename(directory, moved) == 0);
    replacements[i].put(directory);
    expect_error(mayfly_cleanup(), MAYFLY_ESTOLEN, directory);
    replacements[i].take(directory); /* which sees to it that all is there */
    expect(rmdir(moved) == 0);
    find_directory(directory);
    expect(rmdir(directory) == 0);
    replacements[i].put(directory);
    find_directory(next);
    expect(strcmp(next, directory) != 0);
    expect_ok(mayfly_cleanup());
    replacements[i].take(directory);
  }
  return 0;
}

static void a_stranger_under_its_name_is_left_alone(void **state) {
  in_child(is_replaced, *state);
}

/* It stays this living process's, too. */
static int cleans_up_where_it_may_not_remove(int parent, void *scratch) {
  char own[SCRATCH_PATH_SIZE], closed[SCRATCH_PATH_SIZE];
  (void)parent;
  snprintf(closed, sizeof closed, "%s/closed", (const char *)scratch);
  expect(mkdir(closed, 0700) == 0);
  use_temporary_directory(closed);
  find_directory(own);
  expect(chmod(closed, 0500) == 0);
  expect_error(mayfly_cleanup(), MAYFLY_EACCES, own);
  expect(exists(own) && !can_be_locked(own));
  expect(chmod(closed, 0700) == 0);
  expect_ok(mayfly_cleanup());
  expect(!exists(own));
  expect(rmdir(closed) == 0);
  return 0;
}

static void one_that_could_not_go_is_tried_again(void **state) {
  struct child child;
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, cleans_up_where_it_may_not_remove, *state);
  child_expect_exit(&child, 0);
}

/* ---- fork ---- */

/* Of a child's child. */
static void expect_success(struct child *child) {
  int status = child_wait(child);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int has_another_one_in_a_child(int parent, void *scratch) {
  char own[SCRATCH_PATH_SIZE], its[SCRATCH_PATH_SIZE];
  struct child child;
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(own);
  child_start(&child, tells_and_waits, scratch);
  expect(recv(child.fd, its, sizeof its, MSG_WAITALL) == sizeof its);
  expect(strcmp(own, its) != 0 && exists(its) && !can_be_locked(its));
  child_say(child.fd, 'e');
  expect_success(&child);
  expect(!exists(its) && exists(own) && !can_be_locked(own));
  return 0;
}

static void a_forked_child_has_its_own_and_leaves_its_parents(void **state) {
  in_child(has_another_one_in_a_child, *state);
}

static int cleans_up_in_a_child(int parent, void *context) {
  (void)parent, (void)context;
  expect_ok(mayfly_cleanup());
  return 0;
}

static int outlives_its_childs_cleanup(int parent, void *scratch) {
  char own[SCRATCH_PATH_SIZE];
  struct child child;
  (void)parent;
  use_temporary_directory(scratch);
  find_directory(own);
  child_start(&child, cleans_up_in_a_child, NULL);
  expect_success(&child);
  expect(exists(own));
  return 0;
}

static void cleanup_in_a_forked_child_removes_nothing_of_its_parents(void **state) {
  in_child(outlives_its_childs_cleanup, *state);
}

/* Its child lives for as long as the other end of `parent` does. */
static int forks_and_waits(int parent, void *scratch) {
  char directory[SCRATCH_PATH_SIZE];
  use_temporary_directory(scratch);
  find_directory(directory);
  pid_t pid = fork();
  expect(pid >= 0);
  if (pid == 0) {
    tell_path(parent, directory);
    child_hear(parent);
    _exit(0);
  }
  for (;;)
    pause();
}

static void a_forked_child_does_not_keep_a_dead_parents_directory_alive(void **state) {
  char directory[SCRATCH_PATH_SIZE], word;
  struct child child;
  child_start(&child, forks_and_waits, *state);
  hear_path(&child, directory);
  assert_false(can_be_locked(directory));
  int grandchild = dup(child.fd);
  child_kill(&child, SIGKILL);
  assert_int_equal(recv(grandchild, &word, 1, MSG_DONTWAIT), -1);
  assert_int_equal(errno, EAGAIN); /* it lives */
  assert_true(can_be_locked(directory));
  assert_return_code(rmdir(directory), errno);
  close(grandchild);
}

/* ---- where the temporary directory's path is too long ---- */

static int has_a_long_temporary_directory(int parent, void *scratch) {
  char longer[SCRATCH_PATH_SIZE], component[101], directory[SCRATCH_PATH_SIZE];
  (void)parent;
  memset(component, 'l', 100);
  component[100] = '\0';
  scratch_path(longer, scratch, component);
  expect(mkdir(longer, 0700) == 0);
  use_temporary_directory(longer);
  find_directory(directory);
  expect(strncmp(directory, "/tmp/.mayfly-", 13) == 0 || strncmp(directory, "/var/tmp/.mayfly-", 17) == 0);
  expect_ok(mayfly_cleanup());
  expect(!exists(directory) && rmdir(longer) == 0);
  return 0;
}

static void it_is_in_a_usual_place_where_the_path_would_be_too_long(void **state) {
  in_child(has_a_long_temporary_directory, *state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(all_arbitrary_addresses_lie_in_one_private_directory),
      test_in_scratch(it_is_private_and_can_be_used_by_who_is_not_root),
      test_in_scratch(there_is_one_for_each_temporary_directory_in_use),
      test_in_scratch(threads_that_need_it_at_once_share_it),
      test_in_scratch(a_shared_lock_says_that_its_process_lives),
      test_in_scratch(it_is_gone_after_exit),
      test_in_scratch(cleanup_removes_it_and_the_next_address_has_a_new_one),
      test_in_scratch(whatever_files_are_in_it_go_with_it),
      test_in_scratch(a_directory_in_it_goes_with_it),
      test_in_scratch(one_that_somebody_removed_is_made_anew),
      test_in_scratch(cleaning_up_one_that_is_gone_is_no_failure),
      test_in_scratch(a_stranger_under_its_name_is_left_alone),
      test_in_scratch(one_that_could_not_go_is_tried_again),
      test_in_scratch(a_forked_child_has_its_own_and_leaves_its_parents),
      test_in_scratch(cleanup_in_a_forked_child_removes_nothing_of_its_parents),
      test_in_scratch(a_forked_child_does_not_keep_a_dead_parents_directory_alive),
      test_in_scratch(it_is_in_a_usual_place_where_the_path_would_be_too_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
