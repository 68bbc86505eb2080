/* SPDX-License-Identifier: MIT */
/* directory.c - mayfly_mkdtemp and mayfly_mktemp: names, modes, refusals. */
#include "child.h"
#include "expect.h"
#include "result.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static mayfly_temp_options in(const char *directory) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  return options;
}

/* DIRECTORY/PREFIX, eight characters of Python's, SUFFIX. */
static int has_form(const char *path, const char *directory, const char *prefix, const char *suffix) {
  static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
  char start[SCRATCH_PATH_SIZE];
  int length = snprintf(start, sizeof start, "%s/%s", directory, prefix);
  if (length < 0 || (size_t)length >= sizeof start || strncmp(path, start, (size_t)length) != 0)
    return 0;
  path += length;
  return strspn(path, alphabet) >= 8 && strcmp(path + 8, suffix) == 0;
}

static void assert_form(const char *path, const char *directory, const char *prefix, const char *suffix) {
  if (!has_form(path, directory, prefix, suffix))
    fail_msg("%s is not %s/%s????????%s", path, directory, prefix, suffix);
}

static int mode_of(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 ? (int)(status.st_mode & 07777) : -1;
}

static void remove_and_free(char *path) {
  assert_return_code(rmdir(path), errno);
  mayfly_free(path);
}

/* ---- names ---- */

static void names_are_made_of_prefix_eight_characters_and_suffix(void **state) {
  static const char *const parts[] = {NULL, "", "a", "_aa", ".txt", "with space", "\xc3\xa4\xff", "...", "-"};
  const size_t count = sizeof parts / sizeof parts[0];
  mayfly_temp_options options = in(*state);
  for (size_t i = 0; i < count * count; i++) {
    char *path;
    options.prefix = parts[i / count];
    options.suffix = parts[i % count];
    const char *prefix = options.prefix == NULL ? "tmp" : options.prefix;
    const char *suffix = options.suffix == NULL ? "" : options.suffix;
    assert_ok(mayfly_mkdtemp(&options, &path));
    assert_form(path, *state, prefix, suffix);
    remove_and_free(path);
    assert_ok(mayfly_mktemp(&options, &path));
    assert_form(path, *state, prefix, suffix);
    mayfly_free(path);
  }
}

enum { MANY = 100 };

static int compare(const void *left, const void *right) {
  return strcmp(*(char *const *)left, *(char *const *)right);
}

static void assert_all_differ(char **paths, size_t count) {
  qsort(paths, count, sizeof *paths, compare);
  for (size_t i = 1; i < count; i++)
    assert_string_not_equal(paths[i - 1], paths[i]);
}

static void a_hundred_directories_have_a_hundred_names(void **state) {
  const mayfly_temp_options options = in(*state);
  char *paths[MANY];
  for (int i = 0; i < MANY; i++) {
    assert_ok(mayfly_mkdtemp(&options, &paths[i]));
    assert_form(paths[i], *state, "tmp", "");
  }
  assert_all_differ(paths, MANY);
  for (int i = 0; i < MANY; i++)
    remove_and_free(paths[i]);
}

static void a_hundred_free_names_differ_and_nothing_has_them(void **state) {
  const mayfly_temp_options options = in(*state);
  char *paths[MANY];
  for (int i = 0; i < MANY; i++) {
    assert_ok(mayfly_mktemp(&options, &paths[i]));
    assert_form(paths[i], *state, "tmp", "");
    assert_int_equal(mode_of(paths[i]), -1);
  }
  assert_all_differ(paths, MANY);
  for (int i = 0; i < MANY; i++)
    mayfly_free(paths[i]);
}

enum { FORKS = 1000, NAME_SIZE = 8 };

static _Noreturn void tell_a_name(int fd, const mayfly_temp_options *options) {
  char *path;
  expect_ok(mayfly_mktemp(options, &path));
  expect(write(fd, path + strlen(path) - NAME_SIZE, NAME_SIZE) == NAME_SIZE);
  _exit(0);
}

static void a_thousand_forked_children_draw_a_thousand_names(void **state) {
  const mayfly_temp_options options = in(*state);
  static char text[FORKS + 1][NAME_SIZE + 1];
  char *names[FORKS + 1], *path;
  int ends[2], status;
  assert_return_code(pipe(ends), errno);
  assert_ok(mayfly_mktemp(&options, &path));
  for (int i = 0; i < FORKS; i++) {
    pid_t child = fork();
    assert_return_code(child, errno);
    if (child == 0)
      tell_a_name(ends[1], &options);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], text[i], NAME_SIZE), NAME_SIZE);
    names[i] = text[i];
  }
  names[FORKS] = path + strlen(path) - NAME_SIZE;
  assert_all_differ(names, FORKS + 1);
  mayfly_free(path);
  close(ends[0]);
  close(ends[1]);
}

/* ---- where ---- */

static int uses_defaults(int parent, void *scratch) {
  char *path;
  (void)parent;
  setenv("TMPDIR", scratch, 1);
  expect_ok(mayfly_mkdtemp(NULL, &path));
  expect(has_form(path, scratch, "tmp", "") && rmdir(path) == 0);
  mayfly_free(path);
  expect_ok(mayfly_mktemp(NULL, &path));
  expect(has_form(path, scratch, "tmp", ""));
  mayfly_free(path);
  return 0;
}

static void without_options_they_are_under_the_temporary_directory(void **state) {
  struct child child;
  child_start(&child, uses_defaults, *state);
  child_expect_exit(&child, 0);
}

/* So a later chdir changes nothing. mktemp is absolute too, where Python's stays relative. */
static int counts_from_the_working_directory(int parent, void *scratch) {
  static const char *const spelled[] = {".", "", "./", "sub/..", ".//sub/../"};
  char *path;
  (void)parent;
  expect(chdir(scratch) == 0);
  for (size_t i = 0; i < sizeof spelled / sizeof spelled[0]; i++) {
    const mayfly_temp_options options = in(spelled[i]);
    expect_ok(mayfly_mkdtemp(&options, &path));
    expect(has_form(path, scratch, "tmp", ""));
    expect(chdir("/") == 0 && rmdir(path) == 0 && chdir(scratch) == 0);
    mayfly_free(path);
    expect_ok(mayfly_mktemp(&options, &path));
    expect(has_form(path, scratch, "tmp", ""));
    mayfly_free(path);
  }
  expect_ok(mayfly_settempdir("sub"));
  expect_ok(mayfly_mkdtemp(NULL, &path));
  expect(path[0] == '/' && strstr(path, "/sub/tmp") != NULL && rmdir(path) == 0);
  mayfly_free(path);
  expect_ok(mayfly_mktemp(NULL, &path));
  expect(path[0] == '/' && strstr(path, "/sub/tmp") != NULL);
  mayfly_free(path);
  return 0;
}

static void a_relative_directory_counts_from_the_working_directory_at_the_call(void **state) {
  char sub[SCRATCH_PATH_SIZE];
  scratch_path(sub, *state, "sub");
  assert_return_code(mkdir(sub, 0700), errno);
  struct child child;
  child_start(&child, counts_from_the_working_directory, *state);
  child_expect_exit(&child, 0);
  assert_return_code(rmdir(sub), errno);
}

static void a_link_to_a_directory_is_followed_and_stays_in_the_path(void **state) {
  char real[SCRATCH_PATH_SIZE], link[SCRATCH_PATH_SIZE], *path;
  scratch_path(real, *state, "real");
  scratch_path(link, *state, "link");
  assert_return_code(mkdir(real, 0700), errno);
  assert_return_code(symlink("real", link), errno);
  const mayfly_temp_options options = in(link);
  assert_ok(mayfly_mkdtemp(&options, &path));
  assert_form(path, link, "tmp", "");
  remove_and_free(path);
  assert_return_code(unlink(link), errno);
  assert_return_code(rmdir(real), errno);
}

static int makes_one_and_exits(int parent, void *scratch) {
  const mayfly_temp_options options = in(scratch);
  char *path;
  expect_ok(mayfly_mkdtemp(&options, &path));
  expect(write(parent, path, strlen(path) + 1) > 0);
  expect_ok(mayfly_cleanup());
  mayfly_free(path);
  return 0;
}

static void a_directory_is_the_callers_and_outlives_cleanup_and_exit(void **state) {
  char path[SCRATCH_PATH_SIZE];
  struct child child;
  child_start(&child, makes_one_and_exits, *state);
  assert_true(read(child.fd, path, sizeof path) > 0);
  child_expect_exit(&child, 0);
  assert_int_equal(mode_of(path), 0700);
  assert_return_code(rmdir(path), errno);
}

/* ---- modes ---- */

static int makes_private_ones_under_any_umask(int parent, void *scratch) {
  static const mode_t masks[] = {0, 022, 077, 0200, 0400, 0100, 0777};
  const mayfly_temp_options options = in(scratch);
  char *path;
  (void)parent;
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    umask(masks[i]);
    expect_ok(mayfly_mkdtemp(&options, &path));
    expect(mode_of(path) == 0700);
    expect(rmdir(path) == 0);
    mayfly_free(path);
    expect(umask(masks[i]) == masks[i]);
  }
  return 0;
}

static void the_mode_is_0700_whatever_the_umask(void **state) {
  struct child child;
  child_start(&child, makes_private_ones_under_any_umask, *state);
  child_expect_exit(&child, 0);
}

static void the_mode_is_0700_whatever_the_umask_for_who_is_not_root(void **state) {
  if (!child_can_be_nobody())
    skip();
  assert_return_code(chmod(*state, 0777), errno);
  struct child child;
  child_start_as_nobody(&child, makes_private_ones_under_any_umask, *state);
  child_expect_exit(&child, 0);
}

/* ---- what can't be ---- */

static void assert_mkdtemp_fails(const mayfly_temp_options *options, int error, const char *words) {
  char *path = (char *)"untouched";
  assert_error(mayfly_mkdtemp(options, &path), error, words);
  assert_string_equal(path, "untouched");
}

static void assert_mktemp_fails(const mayfly_temp_options *options, int error, const char *words) {
  char *path = (char *)"untouched";
  assert_error(mayfly_mktemp(options, &path), error, words);
  assert_string_equal(path, "untouched");
}

static void assert_both_fail(const mayfly_temp_options *options, int error, const char *words) {
  assert_mkdtemp_fails(options, error, words);
  assert_mktemp_fails(options, error, words);
}

static void a_missing_directory_is_named(void **state) {
  char missing[SCRATCH_PATH_SIZE], *path;
  scratch_path(missing, *state, "missing");
  const mayfly_temp_options options = in(missing);
  assert_mkdtemp_fails(&options, MAYFLY_ENOENT, missing);
  assert_ok(mayfly_mktemp(&options, &path));
  assert_form(path, missing, "tmp", "");
  mayfly_free(path);
}

static void a_file_is_no_directory(void **state) {
  char file[SCRATCH_PATH_SIZE];
  scratch_path(file, *state, "file");
  close(open(file, O_WRONLY | O_CREAT, 0600));
  const mayfly_temp_options options = in(file);
  assert_both_fail(&options, MAYFLY_ENOTDIR, file);
  assert_return_code(unlink(file), errno);
}

static void a_loop_of_links_is_no_directory(void **state) {
  char loop[SCRATCH_PATH_SIZE];
  scratch_path(loop, *state, "loop");
  assert_return_code(symlink(loop, loop), errno);
  const mayfly_temp_options options = in(loop);
  assert_both_fail(&options, MAYFLY_ELOOP, loop);
  assert_return_code(unlink(loop), errno);
}

static int is_refused(int parent, void *directory) {
  const mayfly_temp_options options = in(directory);
  char *path = (char *)"untouched";
  (void)parent;
  expect_error(mayfly_mkdtemp(&options, &path), MAYFLY_EACCES, directory);
  expect(strcmp(path, "untouched") == 0);
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

static void a_name_that_is_too_long_is_refused_by_the_system(void **state) {
  char part[257];
  mayfly_temp_options options = in(*state);
  memset(part, 'x', 256);
  part[256] = '\0';
  options.prefix = part;
  assert_both_fail(&options, MAYFLY_ENAMETOOLONG, *state);
  options.prefix = NULL;
  options.suffix = part;
  assert_both_fail(&options, MAYFLY_ENAMETOOLONG, *state);
}

/* Python takes them, and may make the directory somewhere else. */
static void a_part_of_a_name_has_no_separator_and_is_not_dot_dot(void **state) {
  static const char *const parts[] = {"/", "a/b", "../x", "/absolute", "x/", "./x", ".."};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    mayfly_temp_options options = in(*state);
    options.prefix = parts[i];
    assert_both_fail(&options, MAYFLY_EINVAL, parts[i]);
    options.prefix = NULL;
    options.suffix = parts[i];
    assert_both_fail(&options, MAYFLY_EINVAL, parts[i]);
  }
}

static void the_librarys_own_prefix_is_reserved(void **state) {
  mayfly_temp_options options = in(*state);
  char *path;
  options.prefix = ".mayfly-";
  assert_both_fail(&options, MAYFLY_EINVAL, "reserved");
  options.prefix = ".mayfly-x";
  assert_both_fail(&options, MAYFLY_EINVAL, "reserved");
  options.prefix = ".mayfly";
  assert_ok(mayfly_mkdtemp(&options, &path));
  assert_form(path, *state, ".mayfly", "");
  remove_and_free(path);
}

static void flags_are_refused(void **state) {
  mayfly_temp_options options = in(*state);
  for (unsigned flag = 1; flag != 0; flag <<= 1) {
    char words[32];
    snprintf(words, sizeof words, "0x%x", flag);
    options.flags = flag;
    assert_both_fail(&options, MAYFLY_EINVAL, words);
  }
}

static void an_output_is_needed(void **state) {
  const mayfly_temp_options options = in(*state);
  assert_error(mayfly_mkdtemp(&options, NULL), MAYFLY_EINVAL, "path is NULL");
  assert_error(mayfly_mktemp(&options, NULL), MAYFLY_EINVAL, "path is NULL");
}

static int makes_nothing_without_a_working_directory(int parent, void *scratch) {
  const mayfly_temp_options options = in(".");
  char *path = (char *)"untouched";
  (void)parent;
  expect(chdir(scratch) == 0 && mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
  expect_error(mayfly_mkdtemp(&options, &path), MAYFLY_ENOENT, "current directory");
  expect(strcmp(path, "untouched") == 0);
  return 0;
}

static void a_relative_directory_needs_a_working_directory(void **state) {
  struct child child;
  child_start(&child, makes_nothing_without_a_working_directory, *state);
  child_expect_exit(&child, 0);
}

/* ---- options of another version ---- */

static void options_that_were_not_begun_are_refused(void **state) {
  mayfly_temp_options options = in(*state);
  options.size = 0;
  assert_both_fail(&options, MAYFLY_EINVAL, "mayfly_temp_options: a size of 0");
  options.size = sizeof options.size;
  assert_both_fail(&options, MAYFLY_EINVAL, "mayfly_temp_options: a size of 8");
}

static void what_lies_behind_an_older_struct_is_not_looked_at(void **state) {
  mayfly_temp_options options = in(*state);
  char *path;
  options.size = offsetof(mayfly_temp_options, suffix);
  options.prefix = "old-";
  options.suffix = "is not read";
  options.flags = ~0u;
  assert_ok(mayfly_mkdtemp(&options, &path));
  assert_form(path, *state, "old-", "");
  remove_and_free(path);
}

struct newer {
  mayfly_temp_options known;
  char unknown[24];
};

static void a_newer_struct_is_taken_as_long_as_its_new_members_are_unset(void **state) {
  struct newer newer = {.known = in(*state)};
  char *path;
  newer.known.size = sizeof newer;
  assert_ok(mayfly_mkdtemp(&newer.known, &path));
  assert_form(path, *state, "tmp", "");
  remove_and_free(path);
  for (size_t i = 0; i < sizeof newer.unknown; i++) {
    newer.unknown[i] = 1;
    assert_both_fail(&newer.known, MAYFLY_EINVAL, mayfly_version());
    newer.unknown[i] = 0;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(names_are_made_of_prefix_eight_characters_and_suffix),
      test_in_scratch(a_hundred_directories_have_a_hundred_names),
      test_in_scratch(a_hundred_free_names_differ_and_nothing_has_them),
      test_in_scratch(a_thousand_forked_children_draw_a_thousand_names),
      test_in_scratch(without_options_they_are_under_the_temporary_directory),
      test_in_scratch(a_relative_directory_counts_from_the_working_directory_at_the_call),
      test_in_scratch(a_link_to_a_directory_is_followed_and_stays_in_the_path),
      test_in_scratch(a_directory_is_the_callers_and_outlives_cleanup_and_exit),
      test_in_scratch(the_mode_is_0700_whatever_the_umask),
      test_in_scratch(the_mode_is_0700_whatever_the_umask_for_who_is_not_root),
      test_in_scratch(a_missing_directory_is_named),
      test_in_scratch(a_file_is_no_directory),
      test_in_scratch(a_loop_of_links_is_no_directory),
      test_in_scratch(a_directory_that_may_not_be_written_to_is_named_and_nothing_is_left),
      test_in_scratch(a_name_that_is_too_long_is_refused_by_the_system),
      test_in_scratch(a_part_of_a_name_has_no_separator_and_is_not_dot_dot),
      test_in_scratch(the_librarys_own_prefix_is_reserved),
      test_in_scratch(flags_are_refused),
      test_in_scratch(an_output_is_needed),
      test_in_scratch(a_relative_directory_needs_a_working_directory),
      test_in_scratch(options_that_were_not_begun_are_refused),
      test_in_scratch(what_lies_behind_an_older_struct_is_not_looked_at),
      test_in_scratch(a_newer_struct_is_taken_as_long_as_its_new_members_are_unset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
