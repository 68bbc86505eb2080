/* SPDX-License-Identifier: MIT */
/* file_threads.c - temporary files of many threads, of forked children, and at the end of the process. */
#include "child.h"
#include "expect.h"
#include "files.h"
#include "rounds.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- many threads ---- */

enum { THREADS = 64, FILES = 1000, AT_ONCE = 100 };

struct worker {
  pthread_t thread;
  const char *directory;
  int number;
  int files;
};

static atomic_int made;
static pthread_mutex_t room_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room_changed = PTHREAD_COND_INITIALIZER;
static int room = AT_ONCE;

static void take_room(void) {
  pthread_mutex_lock(&room_lock);
  while (room == 0)
    pthread_cond_wait(&room_changed, &room_lock);
  room--;
  pthread_mutex_unlock(&room_lock);
}

static void give_room(void) {
  pthread_mutex_lock(&room_lock);
  room++;
  pthread_cond_signal(&room_changed);
  pthread_mutex_unlock(&room_lock);
}

static mayfly_file *make_any(const char *directory, int which) {
  static const unsigned flags[] = {0, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_CRASH_SAFE};
  const mayfly_temp_options options = files_with(directory, which < 3 ? flags[which] : 0);
  mayfly_file *file;
  if (which < 3)
    expect_ok(mayfly_named_temporary_file(&options, &file));
  else
    expect_ok(which == 3 ? mayfly_temporary_file(&options, &file) : mayfly_spooled_temporary_file(&options, 4, &file));
  return file;
}

static void *work(void *context) {
  const struct worker *worker = context;
  for (int i = 0; i < worker->files; i++) {
    char written[32], read[32];
    take_room();
    mayfly_file *file = make_any(worker->directory, i % 5);
    int size = snprintf(written, sizeof written, "%d of thread %d", i, worker->number);
    expect_ok(mayfly_file_write(file, written, (size_t)size));
    expect(mayfly_file_pread(file, read, sizeof read, 0) == size && memcmp(read, written, (size_t)size) == 0);
    expect_ok(mayfly_file_close(file));
    give_room();
    atomic_fetch_add(&made, 1);
  }
  return NULL;
}

/* A child of a process with many threads may call little but what is safe in a signal handler; exit is what is tried.
 * A sanitizer may have been in the middle of something in another thread, and then waits for itself. */
static void fork_and_exit(void) {
  pid_t pid = fork();
  assert_return_code(pid, errno);
  if (pid == 0) {
    if (SANITIZED)
      _exit(0);
    exit(0);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

static void many_threads_make_many_files_while_children_come_and_go(void **state) {
  static struct worker workers[THREADS];
  const int each = rounds_of(FILES, 1), all = THREADS * each;
  atomic_store(&made, 0);
  for (int i = 0; i < THREADS; i++) {
    workers[i].directory = *state;
    workers[i].number = i;
    workers[i].files = each;
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int forks = 0; forks < 10 && atomic_load(&made) < all; forks++)
    fork_and_exit();
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
  assert_int_equal(atomic_load(&made), all);
  assert_ok(mayfly_cleanup());
}

/* ---- while another thread cleans up ---- */

enum { MAKERS = 2, FILES_EACH = 2000 };

static atomic_int makers;

static void *make_crash_safe(void *directory) {
  for (int i = 0; i < FILES_EACH; i++)
    expect_ok(mayfly_file_close(make_any(directory, 2)));
  atomic_fetch_sub(&makers, 1);
  return NULL;
}

static void a_cleanup_takes_no_directory_that_a_file_is_about_to_be_made_in(void **state) {
  pthread_t threads[MAKERS];
  atomic_store(&makers, MAKERS);
  for (int i = 0; i < MAKERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, make_crash_safe, *state), 0);
  while (atomic_load(&makers) > 0)
    assert_ok(mayfly_cleanup());
  for (int i = 0; i < MAKERS; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_ok(mayfly_cleanup());
}

/* ---- a lasting name ---- */

enum { VERSIONS = 300, VERSION_SIZE = 20000 };

static atomic_int persisted;

/* Each version is one letter, over and over. */
static void *persist_versions(void *context) {
  static char text[VERSION_SIZE];
  const char *target = context;
  char directory[SCRATCH_PATH_SIZE];
  snprintf(directory, sizeof directory, "%s", target);
  *strrchr(directory, '/') = '\0';
  for (int i = 0; i < VERSIONS; i++) {
    mayfly_temp_options options = files_with(directory, i % 3 == 0 ? MAYFLY_TEMP_MEMORY : 0);
    mayfly_file *file;
    memset(text, 'a' + i % 26, sizeof text);
    if (i % 3 == 1)
      expect_ok(mayfly_named_temporary_file(&options, &file));
    else
      expect_ok(mayfly_temporary_file(&options, &file)); /* copied, linked */
    expect_ok(mayfly_file_write(file, text, sizeof text));
    expect_ok(mayfly_file_persist(file, target, MAYFLY_MODE_PRIVATE, 0));
    expect_ok(mayfly_file_close(file));
    atomic_fetch_add(&persisted, 1);
  }
  return NULL;
}

static void who_looks_while_a_file_is_replaced_finds_the_old_or_the_new_one_whole(void **state) {
  static char target[SCRATCH_PATH_SIZE], text[VERSION_SIZE + 1];
  pthread_t thread;
  scratch_path(target, *state, "lasting");
  atomic_store(&persisted, 0);
  assert_int_equal(pthread_create(&thread, NULL, persist_versions, target), 0);
  while (atomic_load(&persisted) == 0)
    sched_yield();
  int looks = 0;
  for (; atomic_load(&persisted) < VERSIONS; looks++) {
    FILE *stream = fopen(target, "re");
    assert_non_null(stream); /* there is always one */
    assert_int_equal(fread(text, 1, sizeof text, stream), VERSION_SIZE);
    for (int i = 1; i < VERSION_SIZE; i++)
      if (text[i] != text[0])
        fail_msg("%c at %d of %c", text[i], i, text[0]);
    fclose(stream);
  }
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(looks > 0);
  files_remove(target);
}

/* ---- a forked child ---- */

static mayfly_file *parents;

static int exits(int parent, void *context) {
  (void)parent, (void)context;
  return 0;
}

static void a_child_that_exits_leaves_its_parents_files(void **state) {
  struct child child;
  parents = files_named(*state, 0);
  child_start(&child, exits, NULL);
  child_expect_exit(&child, 0);
  assert_true(files_exists(mayfly_file_path(parents)));
  assert_ok(mayfly_file_close(parents));
}

static int does_what_only_the_owner_may(int parent, void *target) {
  char text[16];
  (void)parent;
  expect(mayfly_file_pread(parents, text, sizeof text, 0) == 7); /* reading is for both */
  expect_error(mayfly_file_persist(parents, target, MAYFLY_MODE_NEW, 0), MAYFLY_EINVAL, "its parent's");
  expect_error(mayfly_file_detach(parents, NULL), MAYFLY_EINVAL, "its parent's");
  expect_error(mayfly_file_release(parents), MAYFLY_EINVAL, "its parent's");
  expect_ok(mayfly_cleanup());
  expect_ok(mayfly_file_close(parents));
  return 0;
}

static void a_child_owns_nothing_of_its_parents(void **state) {
  char target[SCRATCH_PATH_SIZE];
  struct child child;
  scratch_path(target, *state, "lasting");
  parents = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  files_write(parents, "content");
  child_start(&child, does_what_only_the_owner_may, target);
  child_expect_exit(&child, 0);
  files_expect_at(mayfly_file_path(parents), "content");
  assert_false(files_exists(target));
  assert_ok(mayfly_file_close(parents));
}

/* fork as the kernel has it. */
static pid_t fork_by_itself(void) {
#ifdef __s390__ /* which takes the stack first */
  return (pid_t)syscall(SYS_clone, NULL, SIGCHLD, NULL, NULL, NULL);
#else
  return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
#endif
}

/* By a system call of its own, as sandboxes do, so that nothing tells the library. */
static void a_child_made_behind_the_back_of_fork_leaves_its_parents_things(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_directory *directory;
  int status;
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_CRASH_SAFE);
  assert_ok(mayfly_temporary_directory(&options, &directory));
  fflush(NULL);
  pid_t pid = fork_by_itself();
  assert_return_code(pid, errno);
  if (pid == 0)
    exit(0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  assert_true(files_exists(mayfly_file_path(file)));
  assert_return_code(access(mayfly_directory_path(directory), F_OK), errno);
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_directory_close(directory));
  assert_ok(mayfly_cleanup());
}

static int makes_its_own(int parent, void *directory) {
  mayfly_file *file = make_any(directory, 0);
  expect(access(mayfly_file_path(file), F_OK) == 0);
  (void)parent;
  parents = file; /* where a leak checker finds it */
  return 0;
}

static void a_childs_own_files_go_with_the_child(void **state) {
  struct child child;
  mayfly_file *file = files_named(*state, 0);
  child_start(&child, makes_its_own, *state);
  child_expect_exit(&child, 0);
  assert_ok(mayfly_file_close(file));
}

/* ---- the end ---- */

static mayfly_file *left[5];

static int leaves_one_of_each(int parent, void *directory) {
  (void)parent;
  for (int i = 0; i < 5; i++) {
    left[i] = make_any(directory, i);
    expect_ok(mayfly_file_write(left[i], "content", 7));
  }
  expect_ok(mayfly_file_release(left[1]));
  return 0;
}

static void at_exit_what_is_open_or_released_is_removed(void **state) {
  struct child child;
  child_start(&child, leaves_one_of_each, *state);
  child_expect_exit(&child, 0);
  assert_true(scratch_is_empty(*state));
}

static int waits_for_its_end(int parent, void *directory) {
  signal(SIGTERM, SIG_DFL);
  expect_ok(mayfly_cleanup_on_signals());
  leaves_one_of_each(parent, directory);
  child_say(parent, 'w');
  for (;;)
    pause(); /* ThreadSanitizer keeps a signal back from who waits in recv(2) */
  return 1;
}

static void a_signal_removes_them_too(void **state) {
  struct child child;
  child_start(&child, waits_for_its_end, *state);
  assert_int_equal(child_hear(child.fd), 'w');
  child_kill(&child, SIGTERM);
  assert_true(scratch_is_empty(*state));
}

static int holds_what_nobody_sees(int parent, void *directory) {
  left[3] = make_any(directory, 3);
  left[4] = make_any(directory, 4);
  expect_ok(mayfly_file_write(left[4], "more than four", 14));
  child_say(parent, 'w');
  child_hear(parent);
  return 1;
}

static void of_files_without_a_name_nothing_is_left_by_kill_9(void **state) {
  struct child child;
  child_start(&child, holds_what_nobody_sees, *state);
  assert_int_equal(child_hear(child.fd), 'w');
  child_kill(&child, SIGKILL);
  assert_true(scratch_is_empty(*state));
}

static const char *end_directory;

static void make_one_more(void) {
  const mayfly_temp_options options = files_in(end_directory);
  mayfly_file *file;
  if (mayfly_named_temporary_file(&options, &file) != MAYFLY_ECANCELED)
    _exit(77);
  if (mayfly_temporary_file(&options, &file) != 0 || mayfly_file_close(file) != 0)
    _exit(78); /* nothing of that could be left */
}

static int makes_after_the_end(int parent, void *directory) {
  (void)parent;
  end_directory = directory;
  expect(atexit(make_one_more) == 0); /* runs after the library's, which is registered later */
  parents = make_any(directory, 0);
  return 0;
}

static void after_the_librarys_exit_hook_nothing_with_a_name_is_made(void **state) {
  struct child child;
  child_start(&child, makes_after_the_end, *state);
  child_expect_exit(&child, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(after_the_librarys_exit_hook_nothing_with_a_name_is_made), /* before the hook is there */
      test_in_scratch(a_child_that_exits_leaves_its_parents_files),
      test_in_scratch(a_child_owns_nothing_of_its_parents),
      test_in_scratch(a_child_made_behind_the_back_of_fork_leaves_its_parents_things),
      test_in_scratch(a_childs_own_files_go_with_the_child),
      test_in_scratch(at_exit_what_is_open_or_released_is_removed),
      test_in_scratch(a_signal_removes_them_too),
      test_in_scratch(of_files_without_a_name_nothing_is_left_by_kill_9),
      /* last: ThreadSanitizer takes no threads in a child of a process that has had some */
      test_in_scratch(many_threads_make_many_files_while_children_come_and_go),
      test_in_scratch(a_cleanup_takes_no_directory_that_a_file_is_about_to_be_made_in),
      test_in_scratch(who_looks_while_a_file_is_replaced_finds_the_old_or_the_new_one_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
