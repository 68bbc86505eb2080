/* SPDX-License-Identifier: MIT */
/* files.c - temporary files, with every call failing in turn: nothing is left, nothing half made, nothing lost. */
#include "files.h"
#include "calls.h"
#include "each.h"
#include "fault.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fault_row rows[] = {
    {"malloc", ENOMEM, MAYFLY_ENOMEM},
    {"calloc", ENOMEM, MAYFLY_ENOMEM},
    {"realloc", ENOMEM, MAYFLY_ENOMEM},
    {"strdup", ENOMEM, MAYFLY_ENOMEM},
    {"strndup", ENOMEM, MAYFLY_ENOMEM},
    {"open", EMFILE, MAYFLY_EMFILE},
    {"open", ENFILE, MAYFLY_EMFILE},
    {"open", EACCES, MAYFLY_EACCES},
    {"open", ENOSPC, MAYFLY_ENOSPC},
    {"open", EINTR, 0},
    {"fstat", EIO, MAYFLY_EIO},
    {"fchmod", EPERM, MAYFLY_EPERM},
    {"fchmod", EINTR, 0},
    {"fcntl", EMFILE, MAYFLY_EMFILE},
    {"fdopen", ENOMEM, MAYFLY_ENOMEM},
    {"lseek", EIO, MAYFLY_EIO},
    {"memfd_create", EMFILE, MAYFLY_EMFILE},
    {"memfd_create", ENOSYS, 0},
    {"pread", EIO, MAYFLY_EIO},
    {"pread", EINTR, 0},
    {"pwrite", ENOSPC, MAYFLY_ENOSPC},
    {"pwrite", EDQUOT, MAYFLY_ENOSPC},
    {"pwrite", EFBIG, MAYFLY_EIO},
    {"pwrite", EINTR, 0},
    {"ftruncate", ENOSPC, MAYFLY_ENOSPC},
    {"ftruncate", EINTR, 0},
    {"fsync", EIO, MAYFLY_EIO},
    {"fsync", EINTR, 0},
    {"statx", ENOSYS, 0}, /* then the birth is not compared */
    {"linkat", EXDEV, 0}, /* then it is copied */
    {"linkat", EPERM, 0},
    {"linkat", ENOENT, 0},
    {"linkat", EACCES, MAYFLY_EACCES},
    {"linkat", ENOSPC, MAYFLY_ENOSPC},
    {"rename", EXDEV, MAYFLY_EXDEV},
    {"rename", ENOSPC, MAYFLY_ENOSPC},
    {"renameat2", ENOSYS, 0},
    {"renameat2", EINVAL, 0},
    {"renameat2", EROFS, MAYFLY_EROFS},
    {"getcwd", ENOENT, MAYFLY_ENOENT},
    {"getentropy", EIO, MAYFLY_EIO},
    {"close", EINTR, 0},
};

/* Those that removing something may come to: it may stay then, until the end of the process. */
static const struct fault_row rows_of_removal[] = {
    {"lstat", EACCES, MAYFLY_EACCES},
    {"unlink", EROFS, MAYFLY_EROFS},
    {"unlink", ENOENT, 0},
    {"close", EIO, MAYFLY_EIO},
};

/* Each ends what it has made when nothing fails any more. */
static int end(mayfly_file *file, int result) {
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  calls_stop();
  if (file != NULL)
    assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_cleanup());
  assert_string_equal(mayfly_last_error(), words);
  return result;
}

static mayfly_temp_options in(const char *directory, unsigned flags) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  options.flags = flags;
  return options;
}

/* ---- making ---- */

static int make_by_mkstemp(const char *directory) {
  const mayfly_temp_options options = in(directory, 0);
  mayfly_os_fd fd = MAYFLY_NO_FD;
  char *path = NULL;
  int result = mayfly_mkstemp(&options, &fd, &path);
  end(NULL, result);
  if (result < 0) {
    assert_null(path);
    assert_int_equal(fd, MAYFLY_NO_FD);
    return result;
  }
  close((int)fd);
  assert_return_code(unlink(path), errno);
  mayfly_free(path);
  return 0;
}

static int make(const char *directory, unsigned flags,
                int (*maker)(const mayfly_temp_options *options, mayfly_file **file)) {
  const mayfly_temp_options options = in(directory, flags);
  mayfly_file *file = NULL;
  int result = maker(&options, &file);
  assert_true((result == 0) == (file != NULL));
  return end(file, result);
}

static int make_named(const char *directory) {
  return make(directory, 0, mayfly_named_temporary_file);
}

static int make_crash_safe(const char *directory) {
  return make(directory, MAYFLY_TEMP_CRASH_SAFE, mayfly_named_temporary_file);
}

static int make_unnamed(const char *directory) {
  return make(directory, 0, mayfly_temporary_file);
}

static int make_in_memory(const char *directory) {
  return make(directory, MAYFLY_TEMP_MEMORY, mayfly_temporary_file);
}

static int make_in_working_directory(const char *directory) {
  (void)directory;
  return make(".", 0, mayfly_named_temporary_file);
}

static int make_spooled_one(const mayfly_temp_options *options, mayfly_file **file) {
  return mayfly_spooled_temporary_file(options, 10, file);
}

static int make_spooled(const char *directory) {
  return make(directory, 0, make_spooled_one);
}

/* ---- using ---- */

static mayfly_file *prepared;

static void prepare_with(const char *directory, unsigned flags) {
  const mayfly_temp_options options = in(directory, flags);
  assert_ok(mayfly_named_temporary_file(&options, &prepared));
  assert_ok(mayfly_file_write(prepared, "content", 7));
}

static void prepare_named(const char *directory) {
  prepare_with(directory, 0);
}

static void prepare_reopenable(const char *directory) {
  prepare_with(directory, MAYFLY_TEMP_REOPENABLE);
}

static void prepare_unnamed(const char *directory) {
  const mayfly_temp_options options = in(directory, 0);
  assert_ok(mayfly_temporary_file(&options, &prepared));
  assert_ok(mayfly_file_write(prepared, "content", 7));
}

/* The mode that Linux gives it says nothing: nobody else can open it. */
static void prepare_in_memory(const char *directory) {
  const mayfly_temp_options options = in(directory, MAYFLY_TEMP_MEMORY);
  mayfly_os_fd fd;
  assert_ok(mayfly_temporary_file(&options, &prepared));
  assert_ok(mayfly_file_os_fd(prepared, &fd));
  assert_return_code(fchmod((int)fd, 0600), errno);
  assert_ok(mayfly_file_write(prepared, "content", 7));
}

static void prepare_spooled(const char *directory) {
  const mayfly_temp_options options = in(directory, 0);
  assert_ok(mayfly_spooled_temporary_file(&options, 10, &prepared));
  assert_ok(mayfly_file_write(prepared, "content", 7));
}

static void expect_content(const char *content) {
  char read[64];
  calls_stop();
  assert_int_equal(mayfly_file_pread(prepared, read, sizeof read, 0), strlen(content));
  assert_memory_equal(read, content, strlen(content));
}

/* A failure leaves the content and the position. */
static int expect_as_it_was(int result) {
  char words[512];
  snprintf(words, sizeof words, "%s", mayfly_last_error());
  expect_content("content");
  assert_int_equal(mayfly_file_tell(prepared), 7);
  assert_string_equal(mayfly_last_error(), words);
  return end(prepared, result);
}

static int roll_over(const char *directory) {
  (void)directory;
  return expect_as_it_was(mayfly_file_rollover(prepared));
}

static int write_over_the_limit(const char *directory) {
  (void)directory;
  int result = mayfly_file_write(prepared, " and much more", 14);
  if (result < 0) {
    assert_int_equal(mayfly_file_rolled(prepared), 0);
    return expect_as_it_was(result);
  }
  expect_content("content and much more");
  return end(prepared, 0);
}

static int write_within_the_limit(const char *directory) {
  (void)directory;
  int result = mayfly_file_write(prepared, "!", 1);
  if (result < 0)
    return expect_as_it_was(result);
  expect_content("content!");
  return end(prepared, 0);
}

static int read_and_seek(const char *directory) {
  char read[16];
  (void)directory;
  int64_t result = mayfly_file_seek(prepared, -7, SEEK_END);
  if (result >= 0)
    result = mayfly_file_read(prepared, read, sizeof read);
  if (result >= 0)
    result = mayfly_file_truncate(prepared, 7);
  if (result >= 0)
    result = mayfly_file_sync(prepared);
  return end(prepared, (int)result);
}

static int open_stream(const char *directory) {
  FILE *stream = NULL;
  (void)directory;
  int result = mayfly_file_stream(prepared, "r", &stream);
  assert_true((result == 0) == (stream != NULL));
  if (stream != NULL)
    fclose(stream);
  return end(prepared, result);
}

static int open_again(const char *directory) {
  mayfly_file *again = NULL;
  (void)directory;
  int result = mayfly_file_reopen(prepared, &again);
  assert_true((result == 0) == (again != NULL));
  end(again, 0);
  return end(prepared, result);
}

/* What failed is told with the file that it failed for; no memory is nobody's. */
static void expect_named(int result, const char *path) {
  if (result < 0 && result != MAYFLY_ENOMEM && strstr(mayfly_last_error(), path) == NULL)
    fail_msg("\"%s\" does not name %s", mayfly_last_error(), path);
}

/* Whatever comes of it, the object can be closed, and nothing is left then. */
static int release(const char *directory) {
  (void)directory;
  int result = mayfly_file_release(prepared);
  expect_named(result, mayfly_file_path(prepared));
  return end(prepared, result);
}

static int release_and_open_again(const char *directory) {
  mayfly_file *again = NULL;
  (void)directory;
  int result = mayfly_file_release(prepared);
  if (result == 0)
    result = mayfly_file_reopen(prepared, &again);
  expect_named(result, mayfly_file_path(prepared));
  end(again, 0);
  return end(prepared, result);
}

static int close_it(const char *directory) {
  char path[SCRATCH_PATH_SIZE] = "without a name";
  (void)directory;
  if (mayfly_file_path(prepared) != NULL)
    snprintf(path, sizeof path, "%s", mayfly_file_path(prepared));
  int result = mayfly_file_close(prepared);
  expect_named(result, path);
  end(NULL, result);
  return result;
}

static int detach(const char *directory) {
  char path[SCRATCH_PATH_SIZE];
  mayfly_os_fd fd = MAYFLY_NO_FD;
  (void)directory;
  snprintf(path, sizeof path, "%s", mayfly_file_path(prepared));
  int result = mayfly_file_detach(prepared, &fd);
  expect_named(result, path);
  if (result < 0)
    return end(prepared, result);
  calls_stop();
  close((int)fd);
  assert_return_code(unlink(path), errno);
  return 0;
}

/* ---- a lasting name ---- */

static void expect_private(void) {
  struct stat status;
  mayfly_os_fd fd;
  assert_ok(mayfly_file_os_fd(prepared, &fd));
  assert_return_code(fstat((int)fd, &status), errno);
  assert_int_equal(status.st_mode & 07177, 0);
}

/* Where it fails there is no lasting name, or what was there before; where it does not, all is there. */
static int persist_with(const char *directory, int mode, unsigned flags) {
  char target[SCRATCH_PATH_SIZE], content[16];
  struct stat status;
  scratch_path(target, directory, "lasting");
  int result = mayfly_file_persist(prepared, target, mode, flags);
  calls_stop();
  expect_named(result, directory);
  int named = mayfly_file_path(prepared) != NULL && strcmp(mayfly_file_path(prepared), target) == 0;
  if (!named) {
    assert_true(result < 0);
    assert_int_not_equal(lstat(target, &status), 0);
    if (mode != MAYFLY_MODE_PRIVATE)
      expect_private();
    return expect_as_it_was(result);
  }
  int fd = open(target, O_RDONLY | O_CLOEXEC);
  assert_int_equal(read(fd, content, sizeof content), 7);
  assert_return_code(fstat(fd, &status), errno);
  assert_int_equal(status.st_mode & 07777, mode == MAYFLY_MODE_PRIVATE ? 0600 : 0640);
  close(fd);
  end(prepared, result);
  assert_return_code(unlink(target), errno);
  return result;
}

static int persist(const char *directory) {
  return persist_with(directory, 0640, 0);
}

static int persist_without_replacing(const char *directory) {
  return persist_with(directory, 0640, MAYFLY_PERSIST_NOREPLACE);
}

static int persist_and_sync(const char *directory) {
  return persist_with(directory, 0640, MAYFLY_PERSIST_SYNC);
}

/* ---- tests ---- */

static void fail_each(const struct scenario *scenario, const char *directory) {
  struct scenario strict = *scenario;
  strict.removes = 0;
  each_call_fails(&strict, directory, rows, sizeof rows / sizeof rows[0]);
  strict.removes = 1;
  each_call_fails(&strict, directory, rows_of_removal, sizeof rows_of_removal / sizeof rows_of_removal[0]);
}

static void making(void **state) {
  static int (*const makers[])(const char *directory) = {make_by_mkstemp, make_named,     make_crash_safe,
                                                         make_unnamed,    make_in_memory, make_spooled};
  for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
    fail_each(&(struct scenario){.run = makers[i]}, *state);
}

static void making_under_a_narrow_umask(void **state) {
  mode_t before = umask(0777);
  fail_each(&(struct scenario){.run = make_named}, *state);
  fail_each(&(struct scenario){.run = make_by_mkstemp}, *state);
  umask(before);
}

static void making_in_the_working_directory(void **state) {
  char *before = getcwd(NULL, 0);
  assert_return_code(chdir(*state), errno);
  fail_each(&(struct scenario){.run = make_in_working_directory}, *state);
  assert_return_code(chdir(before), errno);
  free(before);
}

static void rolling_over(void **state) {
  fail_each(&(struct scenario){.run = roll_over, .prepare = prepare_spooled}, *state);
  fail_each(&(struct scenario){.run = write_over_the_limit, .prepare = prepare_spooled}, *state);
  fail_each(&(struct scenario){.run = write_within_the_limit, .prepare = prepare_spooled}, *state);
}

static void reading_and_writing(void **state) {
  static void (*const preparations[])(const char *directory) = {prepare_named, prepare_unnamed, prepare_in_memory,
                                                                prepare_spooled};
  for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++) {
    fail_each(&(struct scenario){.run = read_and_seek, .prepare = preparations[i]}, *state);
    fail_each(&(struct scenario){.run = open_stream, .prepare = preparations[i]}, *state);
    fail_each(&(struct scenario){.run = open_again, .prepare = preparations[i]}, *state);
  }
}

static void releasing(void **state) {
  fail_each(&(struct scenario){.run = release, .prepare = prepare_reopenable}, *state);
  fail_each(&(struct scenario){.run = release_and_open_again, .prepare = prepare_reopenable}, *state);
}

static void detaching(void **state) {
  fail_each(&(struct scenario){.run = detach, .prepare = prepare_reopenable}, *state);
}

static void closing(void **state) {
  fail_each(&(struct scenario){.run = close_it, .prepare = prepare_named}, *state);
  fail_each(&(struct scenario){.run = close_it, .prepare = prepare_unnamed}, *state);
  fail_each(&(struct scenario){.run = close_it, .prepare = prepare_spooled}, *state);
}

static void persisting(void **state) {
  static void (*const preparations[])(const char *directory) = {prepare_named, prepare_unnamed, prepare_in_memory,
                                                                prepare_spooled};
  for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++) {
    fail_each(&(struct scenario){.run = persist, .prepare = preparations[i]}, *state);
    fail_each(&(struct scenario){.run = persist_without_replacing, .prepare = preparations[i]}, *state);
    fail_each(&(struct scenario){.run = persist_and_sync, .prepare = preparations[i]}, *state);
  }
}

/* ---- modes ---- */

static int made;

static void expect_private_mode(mode_t mode) {
  assert_int_equal(mode & 0177, 0);
  made++;
}

/* Not made for all and then closed to them: somebody might have it open by then. */
static void what_is_made_is_private_from_its_first_moment(void **state) {
  static int (*const runs[])(const char *directory) = {make_by_mkstemp, make_named, make_crash_safe, make_unnamed};
  mode_t before = umask(0);
  made = 0;
  calls_hooks.open = expect_private_mode;
  for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
    assert_int_equal(runs[i](*state), 0);
  prepare_spooled(*state);
  assert_int_equal(write_over_the_limit(*state), 0);
  prepare_in_memory(*state);
  assert_int_equal(persist(*state), 0); /* by a copy beside the target */
  calls_hooks.open = NULL;
  assert_int_equal(made, 6);
  umask(before);
}

static void expect_finished(const char *from, const char *to) {
  struct stat status;
  (void)to;
  assert_return_code(stat(from, &status), errno);
  assert_int_equal(status.st_mode & 07777, 0640);
  assert_int_equal(status.st_size, 7);
  made++;
}

/* And not put right afterwards, by a name that may be another's then. */
static void mode_and_content_are_there_before_the_name_is(void **state) {
  static void (*const preparations[])(const char *directory) = {prepare_named, prepare_unnamed, prepare_in_memory,
                                                                prepare_spooled};
  calls_hooks.naming = expect_finished;
  for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++) {
    made = 0;
    preparations[i](*state);
    assert_int_equal(persist(*state), 0);
    assert_int_equal(made, i == 0 ? 1 : 2); /* beside the lasting name first; what is in memory: tried, then copied */
  }
  calls_hooks.naming = NULL;
}

/* ---- the disk ---- */

static int synced_before_the_name;

static void count_synced(const char *from, const char *to) {
  (void)from, (void)to;
  synced_before_the_name = fault_calls("fsync");
}

/* Or after a crash the name could lead to less than all of it, or be gone. */
static void told_so_the_content_is_on_the_disk_before_the_name_and_the_name_after_it(void **state) {
  static void (*const preparations[])(const char *directory) = {prepare_named, prepare_unnamed, prepare_in_memory,
                                                                prepare_spooled};
  calls_hooks.naming = count_synced;
  for (size_t i = 0; i < sizeof preparations / sizeof preparations[0]; i++) {
    preparations[i](*state);
    calls_fail("fsync", 1000, 1, EIO); /* none does: they are counted */
    assert_int_equal(persist(*state), 0);
    assert_int_equal(fault_calls("fsync"), 0);
    preparations[i](*state);
    calls_fail("fsync", 1000, 1, EIO);
    assert_int_equal(persist_and_sync(*state), 0);
    assert_true(synced_before_the_name >= 1);
    assert_int_equal(fault_calls("fsync"), synced_before_the_name + 1);
  }
  calls_hooks.naming = NULL;
}

/* ---- what a system lacks ---- */

static void without_files_that_have_no_name_one_is_made_by_name(void **state) {
  static const int numbers[] = {EOPNOTSUPP, EISDIR, EINVAL};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    struct stat status;
    mayfly_os_fd fd;
    calls_fail("open", 1, 1, numbers[i]);
    prepare_unnamed(*state);
    assert_int_equal(calls_stop(), 1);
    assert_true(scratch_is_empty(*state));
    assert_ok(mayfly_file_os_fd(prepared, &fd));
    assert_return_code(fstat((int)fd, &status), errno);
    assert_int_equal(status.st_nlink, 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(persist(*state), 0); /* by a copy: nothing can be linked that had a name */
  }
  prepare_unnamed(*state); /* that it was lacking is not remembered */
  calls_fail("linkat", 1, 1, EACCES);
  assert_error(persist(*state), MAYFLY_EACCES, "lasting");
}

/* As on a file system that lacks them. */
static int no_unnamed;

static int refuse_unnamed(int flags) {
  return no_unnamed && (flags & O_TMPFILE) == O_TMPFILE ? EOPNOTSUPP : 0;
}

static int make_by_name(const char *directory) {
  mayfly_temp_options options = in(directory, 0);
  mayfly_file *file = NULL;
  no_unnamed = 1;
  int result = mayfly_temporary_file(&options, &file);
  no_unnamed = 0;
  return end(file, result);
}

static void making_by_name(void **state) {
  calls_hooks.refuse_open = refuse_unnamed;
  fail_each(&(struct scenario){.run = make_by_name}, *state);
  calls_hooks.refuse_open = NULL;
}

static void without_proc_the_umask_is_asked_for_itself(void **state) {
  mode_t before = umask(027);
  prepare_named(*state);
  calls_fail("open", 1, 1000, ENOENT);
  assert_int_equal(persist_with(*state, MAYFLY_MODE_NEW, 0), 0);
  assert_int_equal(umask(before), 027);
}

/* What a close could not remove is known by its birth too: the number of it is likely to be the next file's. */
static void a_stranger_with_the_number_of_what_stayed_is_left_alone(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_file *file;
  assert_ok(mayfly_named_temporary_file(&options, &file));
  char *path = strdup(mayfly_file_path(file));
  calls_fail("unlink", 1, 1, EACCES);
  assert_error(mayfly_file_close(file), MAYFLY_EACCES, path);
  fault_reset();
  assert_return_code(unlink(path), errno);
  files_put(path, "a stranger's");
  assert_ok(mayfly_cleanup());
  files_expect_at(path, "a stranger's");
  files_remove(path);
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(making),
      test_in_scratch(making_under_a_narrow_umask),
      test_in_scratch(making_in_the_working_directory),
      test_in_scratch(rolling_over),
      test_in_scratch(reading_and_writing),
      test_in_scratch(releasing),
      test_in_scratch(detaching),
      test_in_scratch(closing),
      test_in_scratch(persisting),
      test_in_scratch(what_is_made_is_private_from_its_first_moment),
      test_in_scratch(mode_and_content_are_there_before_the_name_is),
      test_in_scratch(told_so_the_content_is_on_the_disk_before_the_name_and_the_name_after_it),
      test_in_scratch(without_files_that_have_no_name_one_is_made_by_name),
      test_in_scratch(making_by_name),
      test_in_scratch(without_proc_the_umask_is_asked_for_itself),
      test_in_scratch(a_stranger_with_the_number_of_what_stayed_is_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
