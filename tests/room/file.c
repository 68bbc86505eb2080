/* SPDX-License-Identifier: MIT */
/* file.c - temporary files: how they are called, where they are, how long their names last. */
#include "files.h"
#include "test.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int make_spooled(const mayfly_temp_options *options, mayfly_file **file) {
  return mayfly_spooled_temporary_file(options, 0, file);
}

static int (*const makers[])(const mayfly_temp_options *options,
                             mayfly_file **file) = {mayfly_temporary_file, mayfly_named_temporary_file, make_spooled};
enum { MAKERS_COUNT = sizeof makers / sizeof makers[0] };

/* ---- mkstemp ---- */

static void close_and_remove(mayfly_os_fd fd, char *path) {
  assert_ok(mayfly_os_fd_close(fd));
  files_remove(path);
  mayfly_free(path);
}

static void names_are_made_of_prefix_eight_characters_and_suffix(void **state) {
  static const char *const parts[] = {NULL, "", "a", "_aa", ".txt", "with space", "-"};
  const size_t count = sizeof parts / sizeof parts[0];
  mayfly_temp_options options = files_in(*state);
  for (size_t i = 0; i < count * count; i++) {
    mayfly_os_fd fd;
    mayfly_file *file;
    char *path;
    options.prefix = parts[i / count];
    options.suffix = parts[i % count];
    const char *prefix = options.prefix == NULL ? "tmp" : options.prefix;
    const char *suffix = options.suffix == NULL ? "" : options.suffix;
    assert_ok(mayfly_named_temporary_file(&options, &file));
    files_expect_form(mayfly_file_path(file), *state, prefix, suffix);
    assert_ok(mayfly_file_close(file));
    assert_ok(mayfly_mkstemp(&options, &fd, &path));
    files_expect_form(path, *state, prefix, suffix);
    close_and_remove(fd, path);
  }
}

enum { MANY = 100 };

static void a_hundred_files_are_there_at_once(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_os_fd fds[MANY];
  char *paths[MANY];
  for (int i = 0; i < MANY; i++)
    assert_ok(mayfly_mkstemp(&options, &fds[i], &paths[i]));
  for (int i = 0; i < MANY; i++)
    assert_true(files_exists(paths[i]));
  for (int i = 0; i < MANY; i++)
    close_and_remove(fds[i], paths[i]);
}

static void a_file_is_the_callers_and_outlives_cleanup(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_os_fd fd;
  char *path;
  assert_ok(mayfly_mkstemp(&options, &fd, &path));
  assert_ok(mayfly_cleanup());
  assert_true(files_exists(path));
  close_and_remove(fd, path);
}

static void without_options_they_are_under_the_temporary_directory(void **state) {
  mayfly_os_fd fd;
  mayfly_file *file;
  char *path;
  assert_ok(mayfly_settempdir(*state));
  assert_ok(mayfly_mkstemp(NULL, &fd, &path));
  files_expect_form(path, *state, "tmp", "");
  close_and_remove(fd, path);
  assert_ok(mayfly_named_temporary_file(NULL, &file));
  files_expect_form(mayfly_file_path(file), *state, "tmp", "");
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_settempdir(NULL));
}

/* ---- names ---- */

static void a_named_file_is_there_until_it_is_closed(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  files_write(file, "content");
  files_expect_at(path, "content");
  assert_ok(mayfly_file_close(file));
  assert_false(files_exists(path));
}

static void a_file_without_a_name_has_none_to_be_found(void **state) {
  mayfly_file *files[] = {files_in_memory(*state), files_spooled(*state, 0), files_spooled(*state, 1)};
  files_write(files[2], "on the disk");
  for (int i = 0; i < 3; i++) {
    assert_null(mayfly_file_path(files[i]));
    assert_ok(mayfly_file_close(files[i]));
  }
  mayfly_file *file = files_anonymous(*state);
  assert_null(mayfly_file_path(file));
  assert_ok(mayfly_file_close(file));
}

static void a_kept_file_stays(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_KEEP);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  files_write(file, "kept");
  assert_ok(mayfly_cleanup());
  assert_ok(mayfly_file_close(file));
  files_expect_at(path, "kept");
  files_remove(path);
}

static void a_file_that_somebody_has_removed_is_closed_all_the_same(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  assert_ok(mayfly_file_release(file));
  files_remove(mayfly_file_path(file));
  assert_ok(mayfly_file_close(file));
}

static void a_stranger_of_that_name_is_left_alone(void **state) {
  test_not_on_windows("under Wine a file's id is used again at once");
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  assert_ok(mayfly_file_release(file));
  files_remove(path);
  files_put(path, "a stranger's");
  assert_ok(mayfly_file_close(file));
  files_expect_at(path, "a stranger's");
  files_remove(path);
}

static void cleanup_removes_what_is_open_and_closing_it_later_succeeds(void **state) {
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_REOPENABLE);
  char path[SCRATCH_PATH_SIZE];
  snprintf(path, sizeof path, "%s", mayfly_file_path(file));
  files_write(file, "content");
  assert_ok(mayfly_cleanup());
  files_expect(file, "content");
  assert_ok(mayfly_file_close(file));
  assert_false(files_exists(path));
}

static void a_crash_safe_file_lies_in_the_processs_own_directory(void **state) {
  char start[SCRATCH_PATH_SIZE];
  mayfly_file *file = files_named(*state, MAYFLY_TEMP_CRASH_SAFE | MAYFLY_TEMP_REOPENABLE);
  int length = snprintf(start, sizeof start, "%s/.mayfly-", (const char *)*state);
  const char *path = mayfly_file_path(file);
  assert_memory_equal(path + strlen(*state) + 1, start + strlen(*state) + 1, (size_t)length - strlen(*state) - 1);
  files_write(file, "content");
  files_expect_at(path, "content");
  assert_ok(mayfly_file_close(file));
  assert_ok(mayfly_cleanup());
  assert_true(scratch_is_empty(*state));
}

/* ---- what can't be ---- */

static void assert_all_fail(const mayfly_temp_options *options, int error, const char *words) {
  mayfly_file *file = (mayfly_file *)"untouched";
  mayfly_os_fd fd = -7;
  char *path = (char *)"untouched";
  for (int i = 0; i < MAKERS_COUNT; i++) {
    assert_error(makers[i](options, &file), error, words);
    assert_string_equal((char *)file, "untouched");
  }
  assert_error(mayfly_mkstemp(options, &fd, &path), error, words);
  assert_string_equal(path, "untouched");
  assert_int_equal(fd, -7);
}

static void assert_all_but_the_spooled_fail(const mayfly_temp_options *options, int error, const char *words) {
  mayfly_file *file = (mayfly_file *)"untouched";
  mayfly_os_fd fd = -7;
  char *path = (char *)"untouched";
  assert_error(mayfly_temporary_file(options, &file), error, words);
  assert_error(mayfly_named_temporary_file(options, &file), error, words);
  assert_string_equal((char *)file, "untouched");
  assert_error(mayfly_mkstemp(options, &fd, &path), error, words);
  assert_string_equal(path, "untouched");
  assert_ok(mayfly_spooled_temporary_file(options, 1, &file));
  assert_error(mayfly_file_write(file, "more", 4), error, words);
  assert_error(mayfly_file_rollover(file), error, words);
  assert_int_equal(mayfly_file_tell(file), 0);
  files_expect(file, "");
  assert_ok(mayfly_file_close(file));
}

static void a_part_of_a_name_has_no_separator_and_is_not_dot_dot(void **state) {
  static const char *const parts[] = {"/", "a/b", "../x", "/absolute", "x/", "./x", ".."};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    mayfly_temp_options options = files_in(*state);
    options.prefix = parts[i];
    assert_all_fail(&options, MAYFLY_EINVAL, parts[i]);
    options.prefix = NULL;
    options.suffix = parts[i];
    assert_all_fail(&options, MAYFLY_EINVAL, parts[i]);
  }
}

static void the_librarys_own_prefix_is_reserved(void **state) {
  mayfly_temp_options options = files_in(*state);
  options.prefix = ".mayfly-";
  assert_all_fail(&options, MAYFLY_EINVAL, "reserved");
}

static void a_missing_directory_is_named(void **state) {
  char missing[SCRATCH_PATH_SIZE];
  scratch_path(missing, *state, "missing");
  const mayfly_temp_options options = files_in(missing);
  assert_all_but_the_spooled_fail(&options, MAYFLY_ENOENT, "missing");
}

static void a_file_is_no_directory(void **state) {
  char file[SCRATCH_PATH_SIZE];
  scratch_path(file, *state, "file");
  files_put(file, "");
  const mayfly_temp_options options = files_in(file);
  assert_all_but_the_spooled_fail(&options, MAYFLY_ENOTDIR, "file");
  files_remove(file);
}

/* The others have use for them. */
static void flags_without_use_are_refused(void **state) {
  static const unsigned known[] = {MAYFLY_TEMP_MEMORY,
                                   MAYFLY_TEMP_KEEP | MAYFLY_TEMP_REOPENABLE | MAYFLY_TEMP_CRASH_SAFE, 0};
  mayfly_file *file = (mayfly_file *)"untouched";
  mayfly_os_fd fd;
  char *path;
  for (unsigned flag = 1; flag != 0; flag <<= 1) {
    const mayfly_temp_options options = files_with(*state, flag);
    char words[32];
    snprintf(words, sizeof words, "0x%x", flag);
    for (int i = 0; i < MAKERS_COUNT; i++)
      if ((known[i] & flag) == 0)
        assert_error(makers[i](&options, &file), MAYFLY_EINVAL, words);
    assert_error(mayfly_mkstemp(&options, &fd, &path), MAYFLY_EINVAL, words);
  }
  assert_string_equal((char *)file, "untouched");
}

static void what_is_kept_is_not_crash_safe(void **state) {
  const mayfly_temp_options options = files_with(*state, MAYFLY_TEMP_KEEP | MAYFLY_TEMP_CRASH_SAFE);
  mayfly_file *file;
  assert_error(mayfly_named_temporary_file(&options, &file), MAYFLY_EINVAL, "exclude each other");
}

static void options_that_were_not_begun_are_refused(void **state) {
  mayfly_temp_options options = files_in(*state);
  options.size = 0;
  assert_all_fail(&options, MAYFLY_EINVAL, "a size of 0");
}

static void outputs_are_needed(void **state) {
  const mayfly_temp_options options = files_in(*state);
  mayfly_os_fd fd;
  char *path;
  for (int i = 0; i < MAKERS_COUNT; i++)
    assert_error(makers[i](&options, NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_mkstemp(&options, NULL, &path), MAYFLY_EINVAL, "fd is NULL");
  assert_error(mayfly_mkstemp(&options, &fd, NULL), MAYFLY_EINVAL, "path is NULL");
}

static void no_file_is_closed_without_complaint_and_else_refused(void **state) {
  char byte;
  mayfly_os_fd fd;
  FILE *stream;
  mayfly_file *again;
  (void)state;
  assert_ok(mayfly_file_close(NULL));
  assert_null(mayfly_file_path(NULL));
  assert_error(mayfly_file_read(NULL, &byte, 1), MAYFLY_EINVAL, "mayfly_file_read: file is NULL");
  assert_error(mayfly_file_write(NULL, "", 1), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_pread(NULL, &byte, 1, 0), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_pwrite(NULL, "", 1, 0), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_readline(NULL, &byte, 1), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_seek(NULL, 0, SEEK_SET), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_tell(NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_truncate(NULL, 0), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_sync(NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_rollover(NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_rolled(NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_os_fd(NULL, &fd), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_stream(NULL, "r", &stream), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_reopen(NULL, &again), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_release(NULL), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_detach(NULL, &fd), MAYFLY_EINVAL, "file is NULL");
  assert_error(mayfly_file_persist(NULL, "x", 0, 0), MAYFLY_EINVAL, "file is NULL");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(names_are_made_of_prefix_eight_characters_and_suffix),
      test_in_scratch(a_hundred_files_are_there_at_once),
      test_in_scratch(a_file_is_the_callers_and_outlives_cleanup),
      test_in_scratch(without_options_they_are_under_the_temporary_directory),
      test_in_scratch(a_named_file_is_there_until_it_is_closed),
      test_in_scratch(a_file_without_a_name_has_none_to_be_found),
      test_in_scratch(a_kept_file_stays),
      test_in_scratch(a_file_that_somebody_has_removed_is_closed_all_the_same),
      test_in_scratch(a_stranger_of_that_name_is_left_alone),
      test_in_scratch(cleanup_removes_what_is_open_and_closing_it_later_succeeds),
      test_in_scratch(a_crash_safe_file_lies_in_the_processs_own_directory),
      test_in_scratch(a_part_of_a_name_has_no_separator_and_is_not_dot_dot),
      test_in_scratch(the_librarys_own_prefix_is_reserved),
      test_in_scratch(a_missing_directory_is_named),
      test_in_scratch(a_file_is_no_directory),
      test_in_scratch(flags_without_use_are_refused),
      test_in_scratch(what_is_kept_is_not_crash_safe),
      test_in_scratch(options_that_were_not_begun_are_refused),
      test_in_scratch(outputs_are_needed),
      test(no_file_is_closed_without_complaint_and_else_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
