/* SPDX-License-Identifier: MIT */
/* tool_directory.c - mayfly dir, mayfly rm and mayfly sweep: what they print, what they run, what they leave. */
#include "child.h"
#include "files.h"
#include "test.h"
#include "tool.h"
#include "tree.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void cut_line(char *text) {
  text[strcspn(text, "\n")] = '\0';
}

/* ---- dir ---- */

static void a_directory_is_printed_private_and_stays(void **state) {
  struct tool tool = {.directory = *state};
  struct stat status;
  assert_int_equal(run(&tool, "dir"), OK);
  cut_line(tool.said);
  files_expect_form(tool.said, *state, "tmp", "");
  assert_return_code(stat(tool.said, &status), errno);
  assert_true(S_ISDIR(status.st_mode));
  assert_int_equal(status.st_mode & 07777, 0700);
  assert_return_code(rmdir(tool.said), errno);
}

static void a_directory_is_where_and_called_as_was_asked_for(void **state) {
  struct tool tool = {.directory = "/"};
  assert_int_equal(run(&tool, "dir", "--dir", *state, "--prefix=with space ", "--suffix", ".d"), OK);
  cut_line(tool.said);
  files_expect_form(tool.said, *state, "with space ", ".d");
  assert_return_code(rmdir(tool.said), errno);
}

static void arguments_that_can_not_be_are_told(void **state) {
  struct tool tool = {.directory = *state};
  assert_int_equal(run(&tool, "dir", "--prefix", "a/b"), USAGE);
  assert_non_null(strstr(tool.complained, "a/b"));
  assert_int_equal(run(&tool, "dir", "sh"), USAGE);
  assert_int_equal(run(&tool, "dir", "--dir", "/no such directory", "--", "true"), FAILED);
  assert_non_null(strstr(tool.complained, "/no such directory"));
  assert_int_equal(run(&tool, "rm"), USAGE);
  assert_non_null(strstr(tool.complained, "PATH"));
  assert_int_equal(run(&tool, "rm", "--force", "x"), USAGE);
  assert_int_equal(run(&tool, "sweep", "one", "other"), USAGE);
  assert_int_equal(run(&tool, "dir", "--help"), OK);
  assert_non_null(strstr(tool.said, "MAYFLY_PATH"));
  assert_int_equal(run(&tool, "rm", "--help"), OK);
  assert_int_equal(run(&tool, "sweep", "--help"), OK);
}

static void a_command_has_the_directory_which_is_gone_when_it_is(void **state) {
  struct tool tool = {.directory = *state};
  static const char script[] = "mkdir -p \"$MAYFLY_PATH/a/b\" && touch \"$1/a/b/c\" && chmod 0 \"$1/a\" && exit 9";
  assert_int_equal(run(&tool, "dir", "--", "sh", "-c", script, "sh", "{}"), 9);
  assert_true(scratch_is_empty(*state));
}

static void a_command_that_a_signal_ends_leaves_no_directory(void **state) {
  struct tool tool = {.directory = *state};
  start(&tool, "dir", "--", "sh", "-c", "touch {}/file; echo ready; exec sleep 1000");
  assert_string_equal(tool_hear_out(&tool), "ready");
  assert_return_code(kill(tool.child.pid, SIGTERM), errno);
  assert_int_equal(tool_finish(&tool), 128 + SIGTERM);
}

/* ---- rm ---- */

static void rm_removes_every_tree_that_it_can(void **state) {
  struct tool tool = {.directory = *state};
  char one[TREE_PATH_SIZE], missing[TREE_PATH_SIZE], other[TREE_PATH_SIZE];
  tree_make(*state, "one", 2, 2);
  tree_make(*state, "-other", 2, 2);
  tree_join(one, *state, "one/");
  tree_join(missing, *state, "missing");
  tree_join(other, *state, "-other");
  assert_int_equal(run(&tool, "rm", "--", one, missing, other), FAILED);
  assert_non_null(strstr(tool.complained, missing));
  assert_null(strstr(tool.complained, other));
  assert_string_equal(tool.said, "");
}

static void rm_leaves_a_link_and_what_it_leads_to(void **state) {
  struct tool tool = {.directory = *state};
  char link[TREE_PATH_SIZE], slash[TREE_PATH_SIZE], real[TREE_PATH_SIZE], file[TREE_PATH_SIZE];
  tree_make(*state, "real", 1, 0);
  tree_join(real, *state, "real");
  tree_join(file, real, "file-0");
  tree_join(link, *state, "link");
  tree_join(slash, *state, "link/");
  assert_return_code(symlink("real", link), errno);
  assert_int_equal(run(&tool, "rm", link, slash), FAILED);
  assert_non_null(strstr(tool.complained, "is a link"));
  assert_true(tree_exists(file));
  assert_return_code(unlink(link), errno);
  assert_int_equal(run(&tool, "rm", real), OK);
}

/* ---- sweep ---- */

static void sweep_prints_how_many_it_removed(void **state) {
  struct tool tool = {.directory = *state};
  tree_make(*state, ".mayfly-0123456789abcdef", 2, 2);
  tree_make(*state, ".mayfly-fedcba9876543210", 2, 2);
  assert_int_equal(run(&tool, "sweep"), OK);
  assert_string_equal(tool.said, "2\n");
  assert_int_equal(run(&tool, "sweep", *state), OK);
  assert_string_equal(tool.said, "0\n");
  assert_int_equal(run(&tool, "sweep", "/no such directory"), FAILED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(a_directory_is_printed_private_and_stays),
      test_in_scratch(a_directory_is_where_and_called_as_was_asked_for),
      test_in_scratch(arguments_that_can_not_be_are_told),
      test_in_scratch(a_command_has_the_directory_which_is_gone_when_it_is),
      test_in_scratch(a_command_that_a_signal_ends_leaves_no_directory),
      test_in_scratch(rm_removes_every_tree_that_it_can),
      test_in_scratch(rm_leaves_a_link_and_what_it_leads_to),
      test_in_scratch(sweep_prints_how_many_it_removed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
