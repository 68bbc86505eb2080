/* SPDX-License-Identifier: MIT */
/* names.c - names and places: what Windows keeps for itself, long paths, and where Python would put temporary files. */
#include "os.h"
#include "program.h"
#include "result.h"
#include "test.h"
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* ---- parts of a name ---- */

static void expect_refused(const char *prefix, const char *suffix, const char *words) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char *path = (char *)"untouched";
  options.prefix = prefix;
  options.suffix = suffix;
  assert_error(mayfly_mkdtemp(&options, &path), MAYFLY_EINVAL, words);
  assert_error(mayfly_mktemp(&options, &path), MAYFLY_EINVAL, words);
  assert_string_equal(path, "untouched");
}

static void what_would_lead_elsewhere_is_no_part_of_a_name(void **state) {
  static const char *const refused[] = {"a\\b", "a/b", "\\", "..\\x", "c:", "x:stream", ":"};
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    expect_refused(refused[i], NULL, "separator");
    expect_refused(NULL, refused[i], "separator");
  }
  expect_refused("..", NULL, "..");
  expect_refused(NULL, "..", "..");
}

static void characters_that_windows_reserves_are_refused(void **state) {
  static const char *const refused[] = {"a*", "?", "\"", "<", ">", "|", "a\x01", "\t", "\x1f"};
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    expect_refused(refused[i], NULL, "reserves");
    expect_refused(NULL, refused[i], "reserves");
  }
}

static void names_of_devices_are_refused(void **state) {
  static const char *const refused[] = {"nul.",   "NUL.x", "con.",         "Prn.",         "aux.txt",
                                        "COM1.x", "lpt9.", "com\xC2\xB9.", "LPT\xC2\xB3.", "nul  .x"};
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    expect_refused(refused[i], NULL, "device");
}

static void an_end_that_windows_takes_away_is_refused(void **state) {
  static const char *const refused[] = {".", " ", ".txt.", "a ", ". "};
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    expect_refused(NULL, refused[i], "takes its last character away");
}

static void all_else_is_a_name(void **state) {
  static const char *const prefixes[] = {"",  "a", "nul",  "nullify.",    "com0.", "com10.",
                                         ".", " ", ".x. ", "t\xC3\xA4st", "COM.",  "\xED\x95\x9C\xEA\xB8\x80"};
  static const char *const suffixes[] = {"", ".nul", "com1", ".txt", " x", "..x", "\xED\x95\x9C\xEA\xB8\x80"};
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = *state;
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
    for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++) {
      char *path;
      wchar_t wide[MAX_PATH];
      options.prefix = prefixes[i];
      options.suffix = suffixes[j];
      assert_ok(mayfly_mkdtemp(&options, &path));
      assert_null(strchr(path, '/'));
      MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, MAX_PATH);
      assert_true(RemoveDirectoryW(wide)); /* so others find it by that name */
      mayfly_free(path);
    }
}

/* ---- paths ---- */

static void expect_absolute(const char *path, const char *expected) {
  char *absolute;
  assert_ok(mf_os_path_absolute(path, &absolute));
  assert_string_equal(absolute, expected);
  mayfly_free(absolute);
}

static void paths_are_made_absolute_as_by_python(void **state) {
  (void)state;
  assert_true(SetCurrentDirectoryA("c:\\windows"));
  expect_absolute("", "c:\\windows");
  expect_absolute(".", "c:\\windows");
  expect_absolute("x/y\\", "c:\\windows\\x\\y");
  expect_absolute("c:x", "c:\\windows\\x");
  expect_absolute("\\x\\..\\y/.", "c:\\y");
  expect_absolute("/", "c:\\");
  expect_absolute("c:\\", "c:\\");
  expect_absolute("c:\\x\\\\", "c:\\x");
  expect_absolute("\\\\server\\share\\", "\\\\server\\share\\");
  expect_absolute("\\\\server\\share\\x\\", "\\\\server\\share\\x");
}

/* Named in Korean, and made to last. */
static void use_files_in(const char *directory) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = directory;
  options.prefix = "\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4-";
  for (unsigned kind = 0; kind < 2; kind++) {
    char target[1200];
    mayfly_file *file;
    options.flags = kind == 0 ? 0 : MAYFLY_TEMP_REOPENABLE;
    snprintf(target, sizeof target, "%s\\\xEC\x98\xA4\xEB\x9E\x98-%u", directory, kind);
    assert_ok(mayfly_named_temporary_file(&options, &file));
    assert_ok(mayfly_file_write(file, "content", 7));
    assert_ok(mayfly_file_persist(file, target, MAYFLY_MODE_NEW, 0));
    assert_ok(mayfly_file_close(file));
    assert_int_equal(mf_os_path_exists(target), 1);
  }
}

static void paths_longer_than_260_characters_work(void **state) {
  enum { LEVELS = 5 };
  char paths[LEVELS][1024];
  mayfly_os_fd fd;
  for (int i = 0; i < LEVELS; i++) {
    const char *above = i == 0 ? *state : paths[i - 1];
    snprintf(paths[i], sizeof paths[i], "%s\\%0100d", above, i);
    assert_ok(mf_os_directory_create(paths[i], 0, &fd));
    assert_ok(mf_os_fd_close(fd));
    mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
    char *path;
    options.dir = paths[i];
    assert_ok(mayfly_mkdtemp(&options, &path));
    assert_int_equal(mf_os_path_exists(path), 1);
    mayfly_free(path);
  }
  use_files_in(paths[LEVELS - 1]);
  assert_ok(mf_os_directory_open(paths[0], &fd));
  assert_ok(mf_os_directory_remove(paths[0], &fd, NULL, NULL));
}

/* ---- where temporary files belong ---- */

/* What gettempdir() of a CPython for Windows says, with its environment and working directory ours. */
static void ask_python(char *answer, size_t size) {
  static const char question[] =
      "import sys, tempfile; sys.stdout.buffer.write(tempfile.gettempdir().encode() + b'\\n');"
      "sys.stdout.flush()";
  char list[1024];
  const char *pythons = getenv("MAYFLY_TEST_PYTHONS");
  struct child child;
  size_t used = 0, got;
  if (pythons == NULL) {
    print_message("skipped: MAYFLY_TEST_PYTHONS names no Python for Windows\n");
    skip();
  }
  snprintf(list, sizeof list, "%s", pythons);
  program_start(&child, (const char *[]){strtok(list, " "), "-c", question, NULL});
  while (used < size - 1 && (got = program_hear(&child, answer + used, size - 1 - used)) > 0)
    used += got;
  child_expect_exit(&child, 0);
  answer[used] = '\0';
  answer[strcspn(answer, "\r\n")] = '\0';
}

static void expect_as_python(const char *expected) {
  char theirs[1024];
  ask_python(theirs, sizeof theirs);
  assert_ok(mayfly_settempdir(NULL));
  const char *ours = mayfly_gettempdir();
  assert_non_null(ours);
  assert_string_equal(ours, theirs);
  if (expected != NULL)
    assert_string_equal(ours, expected);
}

/* Half a character is no text. */
static void a_variable_that_is_no_text_is_passed_over(void **state) {
  wchar_t tmpdir[1024] = L"", temp[1024] = L"", scratch[SCRATCH_PATH_SIZE];
  GetEnvironmentVariableW(L"TMPDIR", tmpdir, 1024);
  GetEnvironmentVariableW(L"TEMP", temp, 1024);
  MultiByteToWideChar(CP_UTF8, 0, *state, -1, scratch, SCRATCH_PATH_SIZE);
  assert_true(SetEnvironmentVariableW(L"TMPDIR", (wchar_t[]){L'd', L':', L'\\', 0xD800, L'x', L'\0'}));
  assert_true(SetEnvironmentVariableW(L"TEMP", scratch));
  assert_ok(mayfly_settempdir(NULL));
  const char *found = mayfly_gettempdir();
  SetEnvironmentVariableW(L"TMPDIR", *tmpdir != L'\0' ? tmpdir : NULL);
  SetEnvironmentVariableW(L"TEMP", *temp != L'\0' ? temp : NULL);
  assert_non_null(found);
  assert_string_equal(found, *state);
  assert_ok(mayfly_settempdir(NULL));
}

static void set(const char *variable, const char *value) {
  SetEnvironmentVariableA(variable, value);
}

static void the_temporary_directory_is_pythons(void **state) {
  static const char *const variables[] = {"TMPDIR",     "TEMP",      "TMP",     "USERPROFILE",
                                          "SYSTEMROOT", "HOMEDRIVE", "HOMEPATH"};
  enum { VARIABLES = sizeof variables / sizeof variables[0] };
  char places[5][SCRATCH_PATH_SIZE], local[2 * SCRATCH_PATH_SIZE], before[VARIABLES][512],
      spelled[SCRATCH_PATH_SIZE + 8];
  for (int i = 0; i < VARIABLES; i++)
    if (GetEnvironmentVariableA(variables[i], before[i], sizeof before[i]) == 0)
      before[i][0] = '\0';
  for (int i = 0; i < 5; i++) {
    char name[2] = {(char)('a' + i), '\0'};
    scratch_path(places[i], *state, name);
    assert_true(CreateDirectoryA(places[i], NULL));
  }
  expect_as_python(NULL);
  set("TMP", places[2]);
  set("TEMP", places[1]);
  set("TMPDIR", places[0]);
  expect_as_python(places[0]);
  snprintf(spelled, sizeof spelled, "%s\\.\\\\", places[1]);
  set("TMPDIR", spelled);
  expect_as_python(places[1]);
  scratch_path(spelled, *state, "absent");
  set("TMPDIR", spelled);
  set("TEMP", NULL);
  expect_as_python(places[2]);
  set("TMP", NULL);
  set("TMPDIR", NULL);
  snprintf(local, sizeof local, "%s\\AppData", places[3]);
  assert_true(CreateDirectoryA(local, NULL));
  strcat(local, "\\Local");
  assert_true(CreateDirectoryA(local, NULL));
  strcat(local, "\\Temp");
  assert_true(CreateDirectoryA(local, NULL));
  set("USERPROFILE", places[3]);
  expect_as_python(local);
  set("USERPROFILE", NULL);
  set("HOMEDRIVE", "c:");
  set("HOMEPATH", places[3] + 2);
  expect_as_python(NULL);
  set("USERPROFILE", places[4]);
  expect_as_python(NULL); /* %SYSTEMROOT%\Temp, or what comes after it */
  assert_true(SetCurrentDirectoryA(places[4]));
  expect_as_python(NULL);
  assert_true(SetCurrentDirectoryA("\\"));
  for (int i = 0; i < VARIABLES; i++)
    set(variables[i], before[i][0] != '\0' ? before[i] : NULL);
  for (int i = 0; i < 3; i++) {
    assert_true(RemoveDirectoryA(local));
    *strrchr(local, '\\') = '\0';
  }
  for (int i = 0; i < 5; i++)
    assert_true(RemoveDirectoryA(places[i]));
  assert_ok(mayfly_settempdir(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(what_would_lead_elsewhere_is_no_part_of_a_name),
      test(characters_that_windows_reserves_are_refused),
      test(names_of_devices_are_refused),
      test(an_end_that_windows_takes_away_is_refused),
      test_in_scratch(all_else_is_a_name),
      test(paths_are_made_absolute_as_by_python),
      test_in_scratch(paths_longer_than_260_characters_work),
      test_in_scratch(the_temporary_directory_is_pythons),
      test_in_scratch(a_variable_that_is_no_text_is_passed_over),
  };
  return cmocka_run_group_tests_name("windows.names", tests, NULL, NULL);
}
