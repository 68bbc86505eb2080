/* SPDX-License-Identifier: MIT */
/* file_persist.c - temporary files that are released, detached, opened again, given a lasting name. */
#include "files.h"
#include "test.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANONYMOUS, IN_MEMORY, SPOOLED, NAMED, REOPENABLE, KEPT, CRASH_SAFE, KINDS };

static mayfly_file *make(int kind, const char *directory) {
  switch (kind) {
  case ANONYMOUS:
    return files_anonymous(directory);
  case IN_MEMORY:
    return files_in_memory(directory);
  case SPOOLED:
    return files_spooled(directory, 0);
  case NAMED:
    return files_named(directory, 0);
  case REOPENABLE:
    return files_named(directory, MAYFLY_TEMP_REOPENABLE);
  case KEPT:
    return files_named(directory, MAYFLY_TEMP_KEEP);
  default:
    return files_named(directory, MAYFLY_TEMP_CRASH_SAFE);
  }
}

static void of_every_kind(const char *directory, void (*run)(mayfly_file *file, const char *target)) {
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, directory, "lasting");
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make(kind, directory);
    char own[SCRATCH_PATH_SIZE] = "";
    if (kind == KEPT)
      snprintf(own, sizeof own, "%s", mayfly_file_path(file));
    run(file, target);
    if (kind == KEPT && files_exists(own)) /* where it was not persisted */
      files_remove(own);
  }
  assert_ok(mayfly_cleanup()); /* the process's own directory */
}

/* ---- persist ---- */

static void is_published(mayfly_file *file, const char *target) {
  files_write(file, "content");
  assert_error(mayfly_settempdir(""), MAYFLY_EINVAL, "empty");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  assert_non_null(strstr(mayfly_last_error(), "empty")); /* a success does not change the words */
  files_expect_at(target, "content");
  assert_string_equal(mayfly_file_path(file), target);
  assert_int_equal(mayfly_file_tell(file), 7);
  files_write(file, ", and more");
  files_expect(file, "content, and more");
  assert_ok(mayfly_cleanup());
  assert_ok(mayfly_file_close(file));
  files_expect_at(target, "content, and more");
  files_remove(target);
}

static void a_persisted_file_has_its_name_stays_open_and_is_not_removed(void **state) {
  of_every_kind(*state, is_published);
}

static void replaces(mayfly_file *file, const char *target) {
  files_put(target, "what was there");
  files_write(file, "new");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_PRIVATE, MAYFLY_PERSIST_SYNC));
  files_expect_at(target, "new");
  assert_ok(mayfly_file_close(file));
  files_remove(target);
}

static void it_replaces_what_was_there(void **state) {
  of_every_kind(*state, replaces);
}

static void does_not_replace(mayfly_file *file, const char *target) {
  files_put(target, "what was there");
  files_write(file, "new");
  assert_error(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, MAYFLY_PERSIST_NOREPLACE), MAYFLY_EEXIST, target);
  files_expect_at(target, "what was there");
  files_expect(file, "new");
  files_remove(target);
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, MAYFLY_PERSIST_NOREPLACE | MAYFLY_PERSIST_SYNC));
  files_expect_at(target, "new");
  assert_ok(mayfly_file_close(file));
  files_remove(target);
}

static void told_so_it_does_not_replace_and_may_be_tried_again(void **state) {
  of_every_kind(*state, does_not_replace);
}

static void persists_twice(mayfly_file *file, const char *target) {
  char second[SCRATCH_PATH_SIZE];
  snprintf(second, sizeof second, "%.200s-2", target);
  files_write(file, "content");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  assert_ok(mayfly_file_persist(file, second, MAYFLY_MODE_NEW, 0));
  assert_false(files_exists(target));
  assert_string_equal(mayfly_file_path(file), second);
  assert_ok(mayfly_file_close(file));
  files_expect_at(second, "content");
  files_remove(second);
}

static void it_may_be_persisted_again_which_renames_it(void **state) {
  of_every_kind(*state, persists_twice);
}

static void fails_to_persist(mayfly_file *file, const char *target) {
  char missing[SCRATCH_PATH_SIZE], below[SCRATCH_PATH_SIZE];
  snprintf(missing, sizeof missing, "%.200s/missing/name", target);
  files_write(file, "content");
  assert_error(mayfly_file_persist(file, missing, MAYFLY_MODE_NEW, 0), MAYFLY_ENOENT, "");
  assert_error(mayfly_file_persist(file, missing, MAYFLY_MODE_NEW, MAYFLY_PERSIST_SYNC), MAYFLY_ENOENT, "");
  files_put(target, "a file");
  snprintf(below, sizeof below, "%.200s/name", target);
  assert_error(mayfly_file_persist(file, below, MAYFLY_MODE_NEW, 0), MAYFLY_ENOTDIR, "");
  files_remove(target);
  assert_error(mayfly_file_persist(file, NULL, 0, 0), MAYFLY_EINVAL, "path is NULL");
  assert_error(mayfly_file_persist(file, "", 0, 0), MAYFLY_EINVAL, "path is empty");
  assert_error(mayfly_file_persist(file, target, -2, 0), MAYFLY_EINVAL, "a mode of");
  assert_error(mayfly_file_persist(file, target, 010000, 0), MAYFLY_EINVAL, "a mode of 010000");
  assert_error(mayfly_file_persist(file, target, 0, 4), MAYFLY_EINVAL, "0x4");
  snprintf(below, sizeof below, "%.200s/", target);
  assert_error(mayfly_file_persist(file, below, 0, 0), MAYFLY_EISDIR, below);
  files_expect(file, "content");
  assert_ok(mayfly_file_close(file));
}

static void a_persist_that_fails_leaves_the_file_as_it_was(void **state) {
  of_every_kind(*state, fails_to_persist);
}

static void a_directory_is_not_replaced(void **state) {
  const mayfly_temp_options options = files_in(*state);
  char *directory;
  assert_ok(mayfly_mkdtemp(&options, &directory));
  for (int kind = 0; kind < KINDS; kind++) {
    mayfly_file *file = make(kind, *state);
    files_write(file, "content");
    assert_true(mayfly_file_persist(file, directory, MAYFLY_MODE_NEW, 0) < 0);
    files_expect(file, "content");
    char own[SCRATCH_PATH_SIZE] = "";
    if (kind == KEPT)
      snprintf(own, sizeof own, "%s", mayfly_file_path(file));
    assert_ok(mayfly_file_close(file));
    if (kind == KEPT)
      files_remove(own);
  }
  assert_int_equal(rmdir(directory), 0);
  mayfly_free(directory);
  assert_ok(mayfly_cleanup());
}

static void a_file_whose_name_is_a_strangers_is_not_persisted(void **state) {
  char target[SCRATCH_PATH_SIZE], own[SCRATCH_PATH_SIZE];
  test_not_on_windows("a file that is open keeps its name when it is removed");
  scratch_path(target, *state, "lasting");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  snprintf(own, sizeof own, "%s", mayfly_file_path(file));
  assert_int_equal(remove(own), 0);
  files_put(own, "a stranger's");
  assert_error(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0), MAYFLY_ESTOLEN, own);
  assert_false(files_exists(target));
  assert_ok(mayfly_file_close(file));
  files_expect_at(own, "a stranger's");
  files_remove(own);
}

static void a_file_that_was_cleaned_up_is_not_persisted(void **state) {
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "lasting");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  assert_ok(mayfly_cleanup());
  assert_error(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0), MAYFLY_EINVAL, "cleaned up");
  assert_error(mayfly_file_detach(file, NULL), MAYFLY_EINVAL, "cleaned up");
  assert_error(mayfly_file_release(file), MAYFLY_EINVAL, "cleaned up");
  assert_ok(mayfly_file_close(file));
}

static void a_large_file_is_copied_whole(void **state) {
  enum { SIZE = 1000000 };
  static char data[SIZE], back[SIZE];
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "lasting");
  for (int i = 0; i < SIZE; i++)
    data[i] = (char)(i % 251);
  mayfly_file *file = files_in_memory(*state);
  assert_ok(mayfly_file_write(file, data, SIZE));
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  assert_int_equal(mayfly_file_pread(file, back, SIZE, 0), SIZE);
  assert_memory_equal(back, data, SIZE);
  assert_ok(mayfly_file_close(file));
  FILE *stream = fopen(target, "rb");
  assert_non_null(stream);
  assert_int_equal(fread(back, 1, SIZE, stream), SIZE);
  assert_memory_equal(back, data, SIZE);
  fclose(stream);
  files_remove(target);
}

/* ---- opened again ---- */

static void is_opened_again(mayfly_file *file, const char *target) {
  mayfly_file *again, *third;
  files_write(file, "shared");
  assert_ok(mayfly_file_reopen(file, &again));
  assert_null(mayfly_file_path(again));
  assert_int_equal(mayfly_file_tell(again), 0);
  files_expect(again, "shared");
  files_write(again, "SH");
  files_expect(file, "SHared");
  assert_int_equal(mayfly_file_tell(file), 6);
  assert_ok(mayfly_file_reopen(again, &third));
  files_expect(third, "SHared");
  assert_error(mayfly_file_persist(again, target, 0, 0), MAYFLY_EINVAL, "opened again");
  assert_error(mayfly_file_detach(again, NULL), MAYFLY_EINVAL, "takes a named file");
  assert_error(mayfly_file_release(again), MAYFLY_EINVAL, "takes a named file");
  assert_ok(mayfly_file_close(third));
  assert_ok(mayfly_file_close(file));
  files_expect(again, "SHared");
  assert_ok(mayfly_file_close(again));
}

static void a_file_opened_again_shares_the_content_and_owns_no_name(void **state) {
  of_every_kind(*state, is_opened_again);
}

static void is_reopened_by_its_lasting_name(mayfly_file *file, const char *target) {
  mayfly_file *again;
  files_write(file, "content");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_PRIVATE, 0));
  assert_ok(mayfly_file_reopen(file, &again));
  files_expect(again, "content");
  assert_ok(mayfly_file_close(again));
  assert_ok(mayfly_file_close(file));
  files_remove(target);
}

static void a_persisted_file_can_be_opened_again(void **state) {
  of_every_kind(*state, is_reopened_by_its_lasting_name);
}

static void closing_the_second_removes_nothing(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE), *again;
  assert_ok(mayfly_file_reopen(file, &again));
  assert_ok(mayfly_file_close(again));
  assert_true(files_exists(mayfly_file_path(file)));
  assert_ok(mayfly_file_close(file));
}

/* ---- released ---- */

static void a_released_file_has_its_name_until_it_is_closed(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE), *again;
  char path[SCRATCH_PATH_SIZE], byte;
  mayfly_os_fd fd = -7;
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  files_write(file, "content");
  assert_ok(mayfly_file_release(file));
  assert_ok(mayfly_file_release(file));
  assert_string_equal(mayfly_file_path(file), path);
  files_expect_at(path, "content");
  assert_error(mayfly_file_read(file, &byte, 1), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_write(file, "", 1), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_seek(file, 0, SEEK_SET), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_truncate(file, 0), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_os_fd(file, &fd), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_persist(file, "x", 0, 0), MAYFLY_EBADF, "was released");
  assert_error(mayfly_file_detach(file, &fd), MAYFLY_EBADF, "was released");
  assert_int_equal(fd, -7);
  assert_ok(mayfly_file_reopen(file, &again));
  files_expect(again, "content");
  assert_ok(mayfly_file_close(again));
  assert_ok(mayfly_file_close(file));
  assert_false(files_exists(path));
}

static void a_released_file_is_not_taken_for_a_stranger_of_its_name(void **state) {
  test_not_on_windows("under Wine a file's id is used again at once");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE), *again = (mayfly_file *)"untouched";
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  assert_ok(mayfly_file_release(file));
  files_remove(path);
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ENOENT, path);
  files_put(path, "a stranger's");
  assert_error(mayfly_file_reopen(file, &again), MAYFLY_ESTOLEN, path);
  assert_string_equal((char *)again, "untouched");
  assert_ok(mayfly_file_close(file));
  files_remove(path);
}

static void cleanup_removes_a_released_file(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  assert_ok(mayfly_file_release(file));
  assert_ok(mayfly_cleanup());
  assert_false(files_exists(mayfly_file_path(file)));
  assert_ok(mayfly_file_close(file));
}

/* ---- detached ---- */

static void a_detached_file_stays(void **state) {
  static const unsigned flags[] = {MAYFLY_TEMP_REOPENABLE, MAYFLY_TEMP_KEEP};
  for (int i = 0; i < 2; i++) {
    mayfly_file *file = files_named(*state, flags[i]);
    char path[SCRATCH_PATH_SIZE];
    mayfly_os_fd fd;
    snprintf(path, sizeof path, "%s", mayfly_file_path(file));
    files_write(file, "content");
    assert_ok(mayfly_file_detach(file, i == 0 ? &fd : NULL));
    if (i == 0)
      assert_ok(mayfly_os_fd_close(fd));
    assert_ok(mayfly_cleanup());
    files_expect_at(path, "content");
    files_remove(path);
  }
}

static void a_released_file_can_be_detached(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  assert_ok(mayfly_file_release(file));
  assert_ok(mayfly_file_detach(file, NULL));
  assert_ok(mayfly_cleanup());
  files_remove(path);
}

/* So that a program written on Linux does not fail on Windows. */
static void only_what_may_outlive_its_descriptor_is_released_or_detached(void **state) {
  static const int kinds[] = {ANONYMOUS, IN_MEMORY, SPOOLED, NAMED, CRASH_SAFE};
  mayfly_os_fd fd = -7;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mayfly_file *file = make(kinds[i], *state);
    files_write(file, "content");
    assert_error(mayfly_file_release(file), MAYFLY_EINVAL, "MAYFLY_TEMP_REOPENABLE");
    assert_error(mayfly_file_detach(file, &fd), MAYFLY_EINVAL, "MAYFLY_TEMP_REOPENABLE");
    assert_error(mayfly_file_detach(file, NULL), MAYFLY_EINVAL, "MAYFLY_TEMP_REOPENABLE");
    assert_int_equal(fd, -7);
    files_expect(file, "content");
    assert_ok(mayfly_file_close(file));
  }
  assert_ok(mayfly_cleanup());
}

static void a_crash_safe_file_is_not_detached_but_persisted(void **state) {
  char target[SCRATCH_PATH_SIZE];
  scratch_path(target, *state, "lasting");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_CRASH_SAFE | MAYFLY_TEMP_REOPENABLE);
  mayfly_os_fd fd;
  files_write(file, "content");
  assert_error(mayfly_file_detach(file, &fd), MAYFLY_EINVAL, "persist it");
  assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
  assert_ok(mayfly_file_detach(file, NULL)); /* now it is a file like any other */
  assert_ok(mayfly_cleanup());
  files_expect_at(target, "content");
  files_remove(target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_persisted_file_has_its_name_stays_open_and_is_not_removed),
      test_in_scratch(it_replaces_what_was_there),
      test_in_scratch(told_so_it_does_not_replace_and_may_be_tried_again),
      test_in_scratch(it_may_be_persisted_again_which_renames_it),
      test_in_scratch(a_persist_that_fails_leaves_the_file_as_it_was),
      test_in_scratch(a_directory_is_not_replaced),
      test_in_scratch(a_file_whose_name_is_a_strangers_is_not_persisted),
      test_in_scratch(a_file_that_was_cleaned_up_is_not_persisted),
      test_in_scratch(a_large_file_is_copied_whole),
      test_in_scratch(a_file_opened_again_shares_the_content_and_owns_no_name),
      test_in_scratch(a_persisted_file_can_be_opened_again),
      test_in_scratch(closing_the_second_removes_nothing),
      test_in_scratch(a_released_file_has_its_name_until_it_is_closed),
      test_in_scratch(a_released_file_is_not_taken_for_a_stranger_of_its_name),
      test_in_scratch(cleanup_removes_a_released_file),
      test_in_scratch(a_detached_file_stays),
      test_in_scratch(a_released_file_can_be_detached),
      test_in_scratch(only_what_may_outlive_its_descriptor_is_released_or_detached),
      test_in_scratch(a_crash_safe_file_is_not_detached_but_persisted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
