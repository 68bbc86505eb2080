/* SPDX-License-Identifier: MIT */
/* file_modes.c - temporary files as POSIX sees them: modes, links, second users, descriptors, file systems. */
#include "child.h"
#include "expect.h"
#include "files.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int mode_of(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 ? (int)(status.st_mode & 07777) : -1;
}

static struct stat status_of(mayfly_file *file) {
  struct stat status;
  mayfly_os_fd fd;
  expect_ok(mayfly_file_os_fd(file, &fd));
  expect(fstat((int)fd, &status) == 0);
  return status;
}

static mayfly_file *make_named(const char *directory, unsigned flags) {
  const mayfly_temp_options options = files_with(directory, flags);
  mayfly_file *file;
  expect_ok(mayfly_named_temporary_file(&options, &file));
  return file;
}

static void in_child(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  child_expect_exit(&child, 0);
}

/* ---- modes ---- */

static const mode_t masks[] = {0, 022, 077, 0200, 0400, 0777};
enum { MASKS = sizeof masks / sizeof masks[0] };

static void expect_private(const char *directory) {
  static const unsigned flags[] = {0, MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_CRASH_SAFE};
  const mayfly_temp_options options = files_in(directory);
  mayfly_os_fd fd;
  mayfly_file *file;
  char *path;
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    file = make_named(directory, flags[i]);
    expect(mode_of(mayfly_file_path(file)) == 0600);
    expect_ok(mayfly_file_close(file));
  }
  expect_ok(mayfly_mkstemp(&options, &fd, &path));
  expect(mode_of(path) == 0600 && unlink(path) == 0);
  close((int)fd);
  mayfly_free(path);
  expect_ok(mayfly_temporary_file(&options, &file));
  expect((status_of(file).st_mode & 07177) == 0);
  expect_ok(mayfly_file_close(file));
  expect_ok(mayfly_spooled_temporary_file(&options, 1, &file));
  expect((status_of(file).st_mode & 07177) == 0);
  expect_ok(mayfly_file_close(file));
}

static int makes_private_ones_under_any_umask(int parent, void *scratch) {
  (void)parent;
  for (int i = 0; i < MASKS; i++) {
    umask(masks[i]);
    expect_private(scratch);
    expect(umask(masks[i]) == masks[i]);
  }
  return 0;
}

static void the_mode_is_0600_whatever_the_umask(void **state) {
  in_child(makes_private_ones_under_any_umask, *state);
}

static void the_mode_is_0600_whatever_the_umask_for_who_is_not_root(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, makes_private_ones_under_any_umask, *state);
  child_expect_exit(&child, 0);
}

static mayfly_file *make_kind(int kind, const char *directory) {
  mayfly_temp_options options = files_with(directory, kind == 1 ? MAYFLY_TEMP_MEMORY : 0);
  mayfly_file *file;
  if (kind == 3)
    return make_named(directory, 0);
  expect_ok(kind == 2 ? mayfly_spooled_temporary_file(&options, 0, &file) : mayfly_temporary_file(&options, &file));
  return file;
}

enum { KINDS = 4 }; /* without a name, in memory, spooled, named */

static int persists_with_any_mode(int parent, void *scratch) {
  char target[SCRATCH_PATH_SIZE];
  (void)parent;
  snprintf(target, sizeof target, "%s/lasting", (char *)scratch);
  for (int i = 0; i < MASKS * KINDS; i++) {
    static const int modes[] = {MAYFLY_MODE_NEW, MAYFLY_MODE_PRIVATE, 0755, 0444, 04711};
    mode_t mask = masks[i / KINDS];
    umask(mask);
    for (size_t k = 0; k < sizeof modes / sizeof modes[0]; k++) {
      mayfly_file *file = make_kind(i % KINDS, scratch);
      expect_ok(mayfly_file_persist(file, target, modes[k], k % 2 == 0 ? 0 : MAYFLY_PERSIST_NOREPLACE));
      int expected = modes[k] == MAYFLY_MODE_NEW ? (int)(0666 & ~mask) : modes[k] == 0 ? 0600 : modes[k];
      expect(mode_of(target) == expected);
      expect_ok(mayfly_file_close(file));
      expect(unlink(target) == 0);
    }
    expect(umask(mask) == mask);
  }
  return 0;
}

static void a_persisted_file_has_the_mode_that_was_asked_for(void **state) {
  in_child(persists_with_any_mode, *state);
}

static void a_persist_that_fails_leaves_the_mode_private(void **state) {
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "lasting");
  files_put(target, "");
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, *state);
    assert_error(mayfly_file_persist(file, target, 0666, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, target);
    if (kind != 1) /* whose mode counts for nobody */
      assert_int_equal(status_of(file).st_mode & 07177, 0);
    assert_ok(mayfly_file_close(file));
  }
  files_remove(target);
}

static void a_second_persist_that_fails_leaves_the_mode_of_the_first(void **state) {
  char target[SCRATCH_PATH_SIZE], missing[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "lasting");
  scratch_path(missing, *state, "missing/name");
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, *state);
    assert_ok(mayfly_file_persist(file, target, 0640, 0));
    assert_error(mayfly_file_persist(file, missing, 0644, 0), MAYFLY_ENOENT, missing);
    assert_int_equal(mode_of(target), 0640);
    assert_ok(mayfly_file_close(file));
    files_remove(target);
  }
}

/* ---- without a name ---- */

static void a_file_without_a_name_has_no_link_and_its_directory_can_be_removed(void **state) {
  char directory[SCRATCH_PATH_SIZE];
  scratch_path(directory, *state, "directory");
  assert_return_code(mkdir(directory, 0700), errno);
  mayfly_file *file = files_anonymous(directory), *spooled = files_spooled(directory, 1);
  files_write(spooled, "more than one");
  assert_true(scratch_is_empty(directory));
  assert_int_equal(status_of(file).st_nlink, 0);
  assert_int_equal(status_of(spooled).st_nlink, 0);
  assert_return_code(rmdir(directory), errno);
  files_write(file, "content");
  files_expect(file, "content");
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_file_close(spooled));
}

/* What was given out of it, too, is the file that has the lasting name. */
static void a_file_without_a_name_is_linked_and_not_copied(void **state) {
  char target[SCRATCH_PATH_SIZE];
  struct stat before, after;
  int probe = open(*state, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (probe < 0) {
    print_message("skipped: this file system has no files without names\n");
    skip();
  }
  close(probe);
  scratch_path(target, *state, "lasting");
  mayfly_file *file = files_anonymous(*state);
  before = status_of(file);
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_PRIVATE, 0));
  assert_return_code(stat(target, &after), errno);
  assert_int_equal(after.st_ino, before.st_ino);
  assert_ok(mayfly_file_close(file));
  files_remove(target);
}

static void a_file_in_memory_is_on_no_disk(void **state) {
  mayfly_file *file = files_in_memory(*state);
  char path[64], target[256];
  mayfly_os_fd fd;
  assert_ok(mayfly_file_os_fd(file, &fd));
  snprintf(path, sizeof path, "/proc/self/fd/%d", (int)fd);
  ssize_t size = readlink(path, target, sizeof target - 1);
  assert_return_code(size, errno);
  target[size] = '\0';
  assert_non_null(strstr(target, "memfd:"));
  assert_ok(mayfly_file_close(file));
}

/* ---- descriptors ---- */

static void every_descriptor_is_closed_by_exec(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_os_fd fd;
  char *path;
  assert_ok(mayfly_mkstemp(&options, &fd, &path));
  assert_true(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
  close((int)fd);
  unlink(path);
  mayfly_free(path);
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, *state), *again;
    FILE *stream;
    assert_ok(mayfly_file_os_fd(file, &fd));
    assert_true(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
    assert_ok(mayfly_file_stream(file, "r", &stream));
    assert_true(fcntl(fileno(stream), F_GETFD) & FD_CLOEXEC);
    fclose(stream);
    assert_ok(mayfly_file_reopen(file, &again));
    assert_ok(mayfly_file_os_fd(again, &fd));
    assert_true(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fcntl((int)fd, F_GETFL) & (O_APPEND | O_NONBLOCK), 0);
    assert_ok(mayfly_file_close(again));
    assert_ok(mayfly_file_close(file));
  }
}

static void the_position_is_put_on_the_descriptor_once(void **state) {
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, *state);
    mayfly_os_fd fd;
    char byte;
    files_write(file, "0123456789");
    assert_int_equal(mayfly_file_seek(file, 4, SEEK_SET), 4);
    assert_ok(mayfly_file_os_fd(file, &fd));
    assert_int_equal(read((int)fd, &byte, 1), 1);
    assert_int_equal(byte, '4');
    assert_int_equal(mayfly_file_tell(file), 4);
    assert_int_equal(mayfly_file_seek(file, 8, SEEK_SET), 8);
    assert_int_equal(lseek((int)fd, 0, SEEK_CUR), 5);
    assert_ok(mayfly_file_close(file));
  }
}

static void a_detached_descriptor_is_at_the_position(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char *path = strdup(mayfly_file_path(file));
  mayfly_os_fd fd;
  files_write(file, "0123456789");
  assert_int_equal(mayfly_file_seek(file, 3, SEEK_SET), 3);
  assert_ok(mayfly_file_detach(file, &fd));
  assert_int_equal(lseek((int)fd, 0, SEEK_CUR), 3);
  close((int)fd);
  files_remove(path);
  free(path);
}

static int runs_out_of_descriptors(int parent, void *scratch) {
  const mayfly_temp_options options = files_in(scratch);
  struct rlimit none, before;
  mayfly_file *file, *spooled, *again;
  mayfly_os_fd fd;
  FILE *stream;
  char *path;
  (void)parent;
  expect_ok(mayfly_spooled_temporary_file(&options, 10, &spooled));
  expect_ok(mayfly_file_write(spooled, "12345", 5));
  expect_ok(mayfly_named_temporary_file(&options, &file));
  expect(getrlimit(RLIMIT_NOFILE, &before) == 0);
  none = before;
  none.rlim_cur = 3;
  expect(setrlimit(RLIMIT_NOFILE, &none) == 0);
  expect_error(mayfly_mkstemp(&options, &fd, &path), MAYFLY_EMFILE, scratch);
  expect_error(mayfly_named_temporary_file(&options, &again), MAYFLY_EMFILE, scratch);
  expect_error(mayfly_temporary_file(&options, &again), MAYFLY_EMFILE, scratch);
  expect_error(mayfly_file_reopen(file, &again), MAYFLY_EMFILE, mayfly_file_path(file));
  expect_error(mayfly_file_stream(file, "r", &stream), MAYFLY_EMFILE, mayfly_file_path(file));
  expect_error(mayfly_file_write(spooled, "1234567890", 10), MAYFLY_EMFILE, scratch);
  expect(mayfly_file_tell(spooled) == 5 && mayfly_file_rolled(spooled) == 0);
  expect(mayfly_file_seek(spooled, 0, SEEK_END) == 5);
  expect(setrlimit(RLIMIT_NOFILE, &before) == 0); /* a leak checker needs some at exit */
  expect_ok(mayfly_file_close(file));
  expect_ok(mayfly_file_close(spooled));
  return 0;
}

static void out_of_descriptors_nothing_is_made_and_nothing_lost(void **state) {
  in_child(runs_out_of_descriptors, *state);
}

/* ---- whose name it is ---- */

static void a_link_in_the_place_of_the_name_is_left_alone_and_so_is_its_target(void **state) {
  char victim[SCRATCH_PATH_SIZE];
  scratch_path(victim, *state, "victim");
  files_put(victim, "precious");
  mayfly_file *file = files_named(*state, 0);
  char *path = strdup(mayfly_file_path(file));
  assert_return_code(unlink(path), errno);
  assert_return_code(symlink(victim, path), errno);
  assert_ok(mayfly_file_close(file));
  files_expect_at(victim, "precious");
  assert_return_code(unlink(path), errno);
  files_remove(victim);
  free(path);
}

static void a_file_in_the_place_of_its_directory_is_no_failure(void **state) {
  char in[SCRATCH_PATH_SIZE], away[SCRATCH_PATH_SIZE];
  mayfly_directory *directory;
  scratch_path(in, *state, "in");
  scratch_path(away, *state, "away");
  assert_return_code(mkdir(in, 0700), errno);
  const mayfly_temp_options options = files_in(in);
  mayfly_file *file = make_named(in, 0);
  assert_ok(mayfly_temporary_directory(&options, &directory));
  assert_return_code(rename(in, away), errno);
  files_put(in, "a stranger's");
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_directory_close(directory));
  files_expect_at(in, "a stranger's");
  files_remove(in);
  assert_ok(mayfly_rmtree(away, NULL));
}

static void a_directory_in_the_place_of_the_name_is_left_alone(void **state) {
  mayfly_file *file = files_named(*state, 0);
  char *path = strdup(mayfly_file_path(file));
  assert_return_code(unlink(path), errno);
  assert_return_code(mkdir(path, 0700), errno);
  assert_ok(mayfly_file_close(file));
  assert_return_code(rmdir(path), errno);
  free(path);
}

/* The number of the file that was removed is likely to be the next one's. */
static void a_stranger_with_the_number_of_a_released_file_is_left_alone(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char *path = strdup(mayfly_file_path(file));
  struct stat ours, theirs = {.st_ino = 0};
  assert_return_code(stat(path, &ours), errno);
  assert_ok(mayfly_file_release(file));
  assert_return_code(unlink(path), errno);
  files_put(path, "a stranger's");
  assert_return_code(stat(path, &theirs), errno);
  if (ours.st_ino != theirs.st_ino)
    print_message("the number was not used again\n");
  assert_ok(mayfly_file_close(file));
  files_expect_at(path, "a stranger's");
  files_remove(path);
  free(path);
}

static void a_stranger_of_any_kind_is_not_opened_for_the_file(void **state) {
  char victim[SCRATCH_PATH_SIZE];
  scratch_path(victim, *state, "victim");
  files_put(victim, "precious");
  mayfly_file *file = files_named(*state, 0), *again;
  char *path = strdup(mayfly_file_path(file));
  assert_return_code(unlink(path), errno);
  assert_return_code(symlink(victim, path), errno);
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ESTOLEN, path);
  assert_return_code(unlink(path), errno);
  assert_return_code(mkdir(path, 0700), errno);
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ESTOLEN, path);
  assert_return_code(rmdir(path), errno);
  assert_return_code(mknod(path, S_IFSOCK | 0600, 0), errno);
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ESTOLEN, path);
  assert_return_code(unlink(path), errno);
  assert_return_code(mkfifo(path, 0600), errno);
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ESTOLEN, path);
  assert_ok(mayfly_file_close(file));
  assert_return_code(unlink(path), errno);
  files_remove(victim);
  free(path);
}

static int changes_directory(int parent, void *scratch) {
  mayfly_temp_options options = files_in(".");
  mayfly_file *file;
  (void)parent;
  expect(chdir(scratch) == 0);
  expect_ok(mayfly_named_temporary_file(&options, &file));
  expect(mayfly_file_path(file)[0] == '/');
  const char *name = strrchr(mayfly_file_path(file), '/') + 1;
  expect(mkdir("elsewhere", 0700) == 0 && chdir("elsewhere") == 0);
  int decoy = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
  expect(decoy >= 0 && unlink("../elsewhere/nothing") != 0);
  char copy[SCRATCH_PATH_SIZE];
  snprintf(copy, sizeof copy, "%s", name);
  expect_ok(mayfly_file_close(file));
  expect(access(copy, F_OK) == 0 && unlink(copy) == 0); /* of the same name, but in another directory */
  expect(chdir("..") == 0 && access(copy, F_OK) != 0 && rmdir("elsewhere") == 0);
  return 0;
}

static void a_later_change_of_directory_does_not_matter(void **state) {
  in_child(changes_directory, *state);
}

static void the_way_to_a_lasting_name_goes_through_links_as_the_systems_does(void **state) {
  static const char *const directories[] = {"far", "far/below"};
  char path[SCRATCH_PATH_SIZE], target[SCRATCH_PATH_SIZE], there[SCRATCH_PATH_SIZE];
  const mayfly_temp_options options = files_in(*state);
  mayfly_directory *directory;
  for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    scratch_path(path, *state, directories[i]);
    assert_return_code(mkdir(path, 0700), errno);
  }
  scratch_path(path, *state, "link");
  assert_return_code(symlink("far/below", path), errno);
  mayfly_file *file = make_named(*state, 0);
  scratch_path(target, *state, "missing/../file");
  assert_error(mayfly_file_persist(file, target, 0, 0), MAYFLY_ENOENT, target);
  scratch_path(target, *state, "link/../file");
  scratch_path(there, *state, "far/file");
  assert_ok(mayfly_file_persist(file, target, 0, MAYFLY_PERSIST_SYNC));
  assert_ok(mayfly_file_close(file));
  assert_true(files_exists(there));
  assert_ok(mayfly_temporary_directory(&options, &directory));
  scratch_path(target, *state, "link/../directory/");
  scratch_path(there, *state, "far/directory");
  assert_ok(mayfly_directory_persist(directory, target, 0, MAYFLY_PERSIST_SYNC));
  assert_ok(mayfly_directory_close(directory));
  assert_return_code(rmdir(there), errno);
  assert_return_code(unlink(path), errno);
  scratch_path(path, *state, "far");
  assert_ok(mayfly_rmtree(path, NULL));
}

/* rename(2) does nothing then. */
static void a_file_may_be_given_the_name_of_another_link_to_it(void **state) {
  char target[SCRATCH_PATH_SIZE], first[SCRATCH_PATH_SIZE];
  mayfly_file *file = make_named(*state, 0);
  scratch_path(target, *state, "target");
  snprintf(first, sizeof first, "%s", mayfly_file_path(file));
  files_write(file, "content");
  expect(link(first, target) == 0);
  expect_ok(mayfly_file_persist(file, target, 0640, 0));
  expect(access(first, F_OK) != 0);
  expect_ok(mayfly_file_close(file));
  files_expect_at(target, "content");
  expect(mode_of(target) == 0640);
  files_remove(target);
}

/* Even where there is another link of it, and by a way that is spelled otherwise. */
static void a_file_may_be_given_its_own_name(void **state) {
  char other[SCRATCH_PATH_SIZE], way[SCRATCH_PATH_SIZE], name[2 * SCRATCH_PATH_SIZE];
  mayfly_file *file = make_named(*state, 0);
  scratch_path(other, *state, "other");
  scratch_path(way, *state, "way");
  expect(link(mayfly_file_path(file), other) == 0);
  expect(symlink(*state, way) == 0);
  snprintf(name, sizeof name, "%s%s", way, strrchr(mayfly_file_path(file), '/'));
  expect_ok(mayfly_file_persist(file, name, MAYFLY_MODE_PRIVATE, 0));
  expect_ok(mayfly_file_close(file));
  files_remove(name);
  files_remove(other);
  files_remove(way);
}

static void a_file_that_nobody_may_write_to_is_removed_all_the_same(void **state) {
  mayfly_file *file = files_named(*state, 0);
  assert_return_code(chmod(mayfly_file_path(file), 0400), errno);
  assert_ok(mayfly_file_close(file));
}

static int is_refused(int parent, void *directory) {
  const mayfly_temp_options options = files_in(directory);
  mayfly_file *file = NULL;
  mayfly_os_fd fd;
  char *path;
  (void)parent;
  expect_error(mayfly_mkstemp(&options, &fd, &path), MAYFLY_EACCES, directory);
  expect_error(mayfly_named_temporary_file(&options, &file), MAYFLY_EACCES, directory);
  expect_error(mayfly_temporary_file(&options, &file), MAYFLY_EACCES, directory);
  expect(file == NULL);
  expect_ok(mayfly_spooled_temporary_file(&options, 1, &file));
  expect_error(mayfly_file_write(file, "more", 4), MAYFLY_EACCES, directory);
  expect_ok(mayfly_file_close(file));
  return 0;
}

static void a_directory_that_may_not_be_written_to_is_named_and_nothing_is_left(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  assert_return_code(chmod(*state, 0755), errno);
  child_start_as_nobody(&child, is_refused, *state);
  child_expect_exit(&child, 0);
}

static int closes_where_it_may_not_remove(int parent, void *directory) {
  mayfly_file *file = make_named(directory, 0);
  char *path = strdup(mayfly_file_path(file));
  child_say(parent, 'm');
  child_hear(parent); /* now the directory is closed to us */
  expect_error(mayfly_file_close(file), MAYFLY_EACCES, path);
  child_say(parent, 'c');
  child_hear(parent); /* and open again: the end of this process removes it */
  free(path);
  return 0;
}

static void what_can_not_be_removed_is_tried_again_at_the_end(void **state) {
  if (!child_can_be_nobody())
    skip();
  struct child child;
  assert_return_code(chmod(*state, 0777), errno);
  child_start_as_nobody(&child, closes_where_it_may_not_remove, *state);
  child_hear(child.fd);
  assert_return_code(chmod(*state, 0755), errno);
  child_say(child.fd, 'x');
  child_hear(child.fd);
  assert_return_code(chmod(*state, 0777), errno);
  child_say(child.fd, 'x');
  child_expect_exit(&child, 0);
}

/* ---- names ---- */

static void names_may_be_of_any_script(void **state) {
  static const char *const parts[] = {"\xed\x95\x9c\xea\xb8\x80-", "\xf0\x9f\x90\x9d", "\xc3\xa4\xff"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    mayfly_temp_options options = files_in(*state);
    char target[SCRATCH_PATH_SIZE];
    mayfly_file *file;
    options.prefix = options.suffix = parts[i];
    scratch_path(target, *state, parts[i]);
    assert_ok(mayfly_named_temporary_file(&options, &file));
    files_expect_form(mayfly_file_path(file), *state, parts[i], parts[i]);
    files_expect_at(mayfly_file_path(file), "");
    assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
    assert_ok(mayfly_file_close(file));
    files_remove(target);
  }
}

static void a_name_that_is_too_long_is_refused_by_the_system(void **state) {
  mayfly_temp_options options = files_in(*state);
  mayfly_file *file;
  char part[257];
  memset(part, 'x', 256);
  part[256] = '\0';
  options.prefix = part;
  assert_error(mayfly_named_temporary_file(&options, &file), MAYFLY_ENAMETOOLONG, *state);
}

/* Beside it there is room for the random name, whatever the length of the lasting one. */
static void a_lasting_name_may_be_as_long_as_any(void **state) {
  for (int kind = 0; kind < KINDS; kind++) {
    char target[1024];
    size_t length = (size_t)snprintf(target, sizeof target, "%s/", (char *)*state);
    memset(target + length, 'x', 255);
    target[length + 255] = '\0';
    mayfly_file *file = make_kind(kind, *state);
    assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
    assert_ok(mayfly_file_close(file));
    files_remove(target);
  }
}

enum { DEEP = 20, PART = 17, DEEP_SIZE = SCRATCH_PATH_SIZE + DEEP * PART };

static void directories_may_be_deep(void **state) {
  char directory[DEEP_SIZE], target[DEEP_SIZE + 32];
  snprintf(directory, sizeof directory, "%s", (char *)*state);
  for (int i = 0; i < DEEP; i++) {
    strcat(directory, "/\xea\xb9\x8a\xec\x9d\x80-deeper-x"); /* PART bytes */
    assert_return_code(mkdir(directory, 0700), errno);
  }
  snprintf(target, sizeof target, "%s/lasting", directory);
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, directory);
    files_write(file, "content");
    assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
    files_expect_at(target, "content");
    assert_ok(mayfly_file_close(file));
    files_remove(target);
  }
  for (int i = 0; i < DEEP; i++) {
    assert_return_code(rmdir(directory), errno);
    *strrchr(directory, '/') = '\0';
  }
}

/* ---- file systems ---- */

/* In a namespace of its own, so that nothing is left mounted. 0: this system does not let us. */
static int can_mount(const char *what, const char *type, const char *options, const char *where) {
  return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount(what, where, type, 0, options) == 0;
}

enum { MOUNTED = 0, NOT_MOUNTED = 77 };

static void expect_mounted(child_function *run, void *scratch) {
  struct child child;
  child_start(&child, run, scratch);
  int status = child_wait(&child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_MOUNTED) {
    print_message("skipped: no file system can be mounted here\n");
    skip();
  }
  assert_int_equal(status, 0);
}

enum { DISK = 64 * 1024 };

static int fills_the_disk(int parent, void *scratch) {
  static char data[2 * DISK];
  const mayfly_temp_options options = files_in(scratch);
  mayfly_file *file, *spooled;
  (void)parent;
  if (!can_mount("none", "tmpfs", "size=64k,nr_inodes=20", scratch))
    return NOT_MOUNTED;
  memset(data, 'x', sizeof data);
  expect_ok(mayfly_spooled_temporary_file(&options, DISK + 100, &spooled));
  expect_ok(mayfly_file_write(spooled, data, DISK + 50));
  expect(mayfly_file_seek(spooled, 7, SEEK_SET) == 7);
  expect_error(mayfly_file_rollover(spooled), MAYFLY_ENOSPC, "roll a spooled file over");
  expect_error(mayfly_file_pwrite(spooled, "y", 1, DISK + 200), MAYFLY_ENOSPC, "roll a spooled file over");
  expect_error(mayfly_file_write(spooled, data, sizeof data), MAYFLY_ENOSPC, "roll a spooled file over");
  expect(mayfly_file_rolled(spooled) == 0 && mayfly_file_tell(spooled) == 7);
  static char back[2 * DISK];
  expect(mayfly_file_pread(spooled, back, sizeof back, 0) == DISK + 50 && memcmp(back, data, DISK + 50) == 0);
  expect_ok(mayfly_named_temporary_file(&options, &file));
  expect_error(mayfly_file_write(file, data, sizeof data), MAYFLY_ENOSPC, mayfly_file_path(file));
  expect(mayfly_file_tell(file) == 0);
  expect_ok(mayfly_file_close(file));
  expect_ok(mayfly_file_truncate(spooled, 100));
  expect_ok(mayfly_file_rollover(spooled)); /* now there is room */
  expect(mayfly_file_pread(spooled, back, sizeof back, 0) == 100);
  expect_ok(mayfly_file_close(spooled));
  return 0;
}

static void on_a_full_disk_nothing_is_lost(void **state) {
  expect_mounted(fills_the_disk, *state);
}

static int persists_across(int parent, void *scratch) {
  char other[SCRATCH_PATH_SIZE], target[SCRATCH_PATH_SIZE];
  (void)parent;
  scratch_path(other, scratch, "other");
  scratch_path(target, other, "lasting");
  if (mkdir(other, 0700) != 0 || !can_mount("none", "tmpfs", "size=1m", other))
    return NOT_MOUNTED;
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make_kind(kind, scratch);
    expect_ok(mayfly_file_write(file, "content", 7));
    if (kind == 3) {
      expect_error(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0), MAYFLY_EXDEV, target);
      expect(mode_of(mayfly_file_path(file)) == 0600);
    } else {
      expect_ok(mayfly_file_persist(file, target, 0640, MAYFLY_PERSIST_SYNC));
      expect(mode_of(target) == 0640);
      expect_ok(mayfly_file_write(file, "!", 1));
      char content[16];
      int fd = open(target, O_RDONLY | O_CLOEXEC);
      expect(read(fd, content, sizeof content) == 8 && memcmp(content, "content!", 8) == 0);
      close(fd);
      expect(unlink(target) == 0);
    }
    expect_ok(mayfly_file_close(file));
    expect(scratch_is_empty(other));
  }
  return 0;
}

static void a_file_without_a_name_is_copied_to_another_file_system_and_a_named_one_is_not(void **state) {
  char other[SCRATCH_PATH_SIZE];
  scratch_path(other, *state, "other");
  struct child child;
  child_start(&child, persists_across, *state);
  int status = child_wait(&child);
  rmdir(other);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_MOUNTED) {
    print_message("skipped: no file system can be mounted here\n");
    skip();
  }
  assert_int_equal(status, 0);
}

/* A file system that knows nothing of O_TMPFILE, in a file of the scratch directory. */
static int works_without_unnamed_files(int parent, void *scratch) {
  const mayfly_temp_options options = files_in(scratch);
  mayfly_file *file;
  (void)parent;
  char command[2 * SCRATCH_PATH_SIZE + 100];
  snprintf(command, sizeof command,
           "dd if=/dev/zero of=%s.img bs=1k count=512 && mkfs.vfat %s.img && mount -o loop %s.img %s", (char *)scratch,
           (char *)scratch, (char *)scratch, (char *)scratch);
  char quiet[sizeof command + 32];
  snprintf(quiet, sizeof quiet, "{ %s; } >/dev/null 2>&1", command);
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || system(quiet) != 0)
    return NOT_MOUNTED;
  expect(open(scratch, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) < 0 && errno == EOPNOTSUPP);
  expect_ok(mayfly_temporary_file(&options, &file));
  expect(scratch_is_empty(scratch));
  expect_ok(mayfly_file_write(file, "content", 7));
  char target[SCRATCH_PATH_SIZE];
  snprintf(target, sizeof target, "%s/lasting", (char *)scratch);
  expect_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  expect_ok(mayfly_file_close(file));
  expect(unlink(target) == 0);
  return 0;
}

static void where_a_file_system_has_no_files_without_names_one_is_made_by_name(void **state) {
  struct child child;
  char image[SCRATCH_PATH_SIZE];
  snprintf(image, sizeof image, "%s.img", (char *)*state);
  child_start(&child, works_without_unnamed_files, *state);
  int status = child_wait(&child);
  unlink(image);
  if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_MOUNTED) {
    print_message("skipped: no vfat can be mounted here; fault.files forces it\n");
    skip();
  }
  assert_int_equal(status, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(the_mode_is_0600_whatever_the_umask),
      test_in_scratch(the_mode_is_0600_whatever_the_umask_for_who_is_not_root),
      test_in_scratch(a_persisted_file_has_the_mode_that_was_asked_for),
      test_in_scratch(a_persist_that_fails_leaves_the_mode_private),
      test_in_scratch(a_second_persist_that_fails_leaves_the_mode_of_the_first),
      test_in_scratch(a_file_without_a_name_has_no_link_and_its_directory_can_be_removed),
      test_in_scratch(a_file_without_a_name_is_linked_and_not_copied),
      test_in_scratch(a_file_in_memory_is_on_no_disk),
      test_in_scratch(every_descriptor_is_closed_by_exec),
      test_in_scratch(the_position_is_put_on_the_descriptor_once),
      test_in_scratch(a_detached_descriptor_is_at_the_position),
      test_in_scratch(out_of_descriptors_nothing_is_made_and_nothing_lost),
      test_in_scratch(a_link_in_the_place_of_the_name_is_left_alone_and_so_is_its_target),
      test_in_scratch(a_directory_in_the_place_of_the_name_is_left_alone),
      test_in_scratch(a_file_in_the_place_of_its_directory_is_no_failure),
      test_in_scratch(a_stranger_with_the_number_of_a_released_file_is_left_alone),
      test_in_scratch(a_stranger_of_any_kind_is_not_opened_for_the_file),
      test_in_scratch(a_later_change_of_directory_does_not_matter),
      test_in_scratch(the_way_to_a_lasting_name_goes_through_links_as_the_systems_does),
      test_in_scratch(a_file_may_be_given_the_name_of_another_link_to_it),
      test_in_scratch(a_file_may_be_given_its_own_name),
      test_in_scratch(a_file_that_nobody_may_write_to_is_removed_all_the_same),
      test_in_scratch(a_directory_that_may_not_be_written_to_is_named_and_nothing_is_left),
      test_in_scratch(what_can_not_be_removed_is_tried_again_at_the_end),
      test_in_scratch(names_may_be_of_any_script),
      test_in_scratch(a_name_that_is_too_long_is_refused_by_the_system),
      test_in_scratch(a_lasting_name_may_be_as_long_as_any),
      test_in_scratch(directories_may_be_deep),
      test_in_scratch(on_a_full_disk_nothing_is_lost),
      test_in_scratch(a_file_without_a_name_is_copied_to_another_file_system_and_a_named_one_is_not),
      test_in_scratch(where_a_file_system_has_no_files_without_names_one_is_made_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
