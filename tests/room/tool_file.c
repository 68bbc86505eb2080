/* SPDX-License-Identifier: MIT */
/* tool_file.c - mayfly tempdir and mayfly file: what they print, what they run, what they leave. */
#include "child.h"
#include "files.h"
#include "test.h"
#include "tool.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void cut_line(char *text) {
  text[strcspn(text, "\n")] = '\0';
}

static void tempdir_prints_the_temporary_directory(void **state) {
  struct tool tool = {.directory = *state};
  assert_int_equal(run(&tool, "tempdir"), OK);
  cut_line(tool.said);
  assert_string_equal(tool.said, *state);
  assert_int_equal(run(&tool, "tempdir", "x"), USAGE);
}

static void a_file_is_printed_private_and_stays(void **state) {
  struct tool tool = {.directory = *state};
  struct stat status;
  assert_int_equal(run(&tool, "file"), OK);
  cut_line(tool.said);
  files_expect_form(tool.said, *state, "tmp", "");
  assert_return_code(stat(tool.said, &status), errno);
  assert_int_equal(status.st_mode & 07777, 0600);
  files_remove(tool.said);
}

static void a_file_whose_name_can_not_be_printed_is_not_left(void **state) {
  struct tool tool = {.directory = *state, .output = "/dev/full"};
  assert_int_equal(run(&tool, "file"), FAILED);
  assert_int_equal(run(&tool, "dir"), FAILED);
  assert_true(scratch_is_empty(*state));
}

static void allow_files_of(rlim_t size) {
  struct rlimit limit;
  assert_return_code(getrlimit(RLIMIT_FSIZE, &limit), errno);
  limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
  assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);
}

/* And is not ended by the signal for it, which would leave the file that the directory was tried with. */
static void where_no_file_may_grow_the_program_says_so(void **state) {
  struct tool tool = {.directory = *state};
  allow_files_of(0);
  start(&tool, "tempdir");
  allow_files_of(RLIM_INFINITY);
  assert_int_equal(tool_finish(&tool), FAILED);
  assert_non_null(strstr(tool.complained, *state));
  allow_files_of(0);
  start(&tool, "file", "--dir", *state, "--", "sh", "-c", "echo too much >{}");
  allow_files_of(RLIM_INFINITY);
  assert_int_equal(tool_finish(&tool), 128 + SIGXFSZ); /* it is as usual for the command */
  assert_true(scratch_is_empty(*state));
}

static void a_file_is_where_and_called_as_was_asked_for(void **state) {
  struct tool tool = {.directory = "/"};
  assert_int_equal(run(&tool, "file", "--dir", *state, "--prefix=with space ", "--suffix", ".txt"), OK);
  cut_line(tool.said);
  files_expect_form(tool.said, *state, "with space ", ".txt");
  files_remove(tool.said);
}

static void arguments_that_can_not_be_are_told(void **state) {
  struct tool tool = {.directory = *state};
  assert_int_equal(run(&tool, "file", "--prefix", "a/b"), USAGE);
  assert_non_null(strstr(tool.complained, "a/b"));
  assert_int_equal(run(&tool, "file", "sh"), USAGE);
  assert_non_null(strstr(tool.complained, "behind --"));
  assert_int_equal(run(&tool, "file", "echo", "--", "hello"), USAGE); /* and not "echo hello" */
  assert_non_null(strstr(tool.complained, "behind --"));
  assert_int_equal(run(&tool, "file", "--prefix", "--", "true"), USAGE); /* that is the prefix */
  assert_non_null(strstr(tool.complained, "behind --"));
  assert_int_equal(run(&tool, "file", "--"), USAGE);
  assert_non_null(strstr(tool.complained, "missing"));
  assert_int_equal(run(&tool, "file", "--no-such-option"), USAGE);
  assert_int_equal(run(&tool, "file", "--dir", "/no such directory"), FAILED);
  assert_non_null(strstr(tool.complained, "/no such directory"));
  assert_int_equal(run(&tool, "file", "--dir", "/no such directory", "--", "true"), FAILED);
  assert_int_equal(run(&tool, "file", "--help"), OK);
  assert_non_null(strstr(tool.said, "MAYFLY_PATH"));
}

static void a_command_has_the_path_and_the_file_is_gone_when_it_is(void **state) {
  struct tool tool = {.directory = *state};
  static const char script[] = "test -f \"$MAYFLY_PATH\" && test \"$MAYFLY_PATH\" = \"$1\" && echo content >\"$1\" && "
                               "cat <\"$MAYFLY_PATH\" && echo \"$2\"";
  assert_int_equal(run(&tool, "file", "--", "sh", "-c", script, "sh", "{}", "<{}{}>"), OK);
  assert_memory_equal(tool.said, "content\n<", 9);
  char *once = tool.said + 9, *twice = strstr(once + 1, *state);
  assert_non_null(twice); /* both times the same */
  assert_memory_equal(once, twice, (size_t)(twice - once));
}

static void its_exit_status_is_the_commands(void **state) {
  struct tool tool = {.directory = *state};
  assert_int_equal(run(&tool, "file", "--", "sh", "-c", "exit 5"), 5);
  assert_int_equal(run(&tool, "file", "--", "sh", "-c", "exit 2"), 2);
  assert_string_equal(tool.complained, ""); /* which is no misuse of ours */
  assert_int_equal(run(&tool, "file", "--", "sh", "-c", "exit 255"), 255);
  assert_int_equal(run(&tool, "file", "--", "sh", "-c", "kill -KILL $$"), 128 + SIGKILL);
  assert_int_equal(run(&tool, "file", "--", "no-such-command-anywhere"), 127);
  assert_non_null(strstr(tool.complained, "no-such-command-anywhere"));
  assert_int_equal(run(&tool, "file", "--", "/"), 126);
}

static void a_command_gets_standard_input_and_breaks_pipes_as_usual(void **state) {
  struct tool tool = {.directory = *state};
  start(&tool, "file", "--", "sh", "-c", "cat; sh -c 'kill -PIPE $$'; echo $?");
  fputs("through", tool.in);
  assert_int_equal(tool_finish(&tool), OK);
  assert_string_equal(tool.said, "through141\n");
}

/* It says when it is ready, and what it got. */
static const char trap[] =
    "trap 'echo got; exit 7' TERM INT HUP QUIT USR1 USR2; echo ready; while :; do sleep 0.01; done";

static void signals_are_passed_on_to_the_command(void **state) {
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    struct tool tool = {.directory = *state};
    start(&tool, "file", "--", "sh", "-c", trap);
    assert_string_equal(tool_hear_out(&tool), "ready");
    assert_return_code(kill(tool.child.pid, signals[i]), errno);
    assert_int_equal(tool_finish(&tool), 7);
    assert_string_equal(tool.said, "got\n");
    assert_true(scratch_is_empty(*state));
  }
}

static void a_command_that_a_signal_ends_leaves_no_file(void **state) {
  struct tool tool = {.directory = *state};
  start(&tool, "file", "--", "sh", "-c", "echo ready; exec sleep 1000");
  assert_string_equal(tool_hear_out(&tool), "ready");
  assert_return_code(kill(tool.child.pid, SIGTERM), errno);
  assert_int_equal(tool_finish(&tool), 128 + SIGTERM);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(tempdir_prints_the_temporary_directory),
      test_in_scratch(a_file_is_printed_private_and_stays),
      test_in_scratch(a_file_whose_name_can_not_be_printed_is_not_left),
      test_in_scratch(where_no_file_may_grow_the_program_says_so),
      test_in_scratch(a_file_is_where_and_called_as_was_asked_for),
      test_in_scratch(arguments_that_can_not_be_are_told),
      test_in_scratch(a_command_has_the_path_and_the_file_is_gone_when_it_is),
      test_in_scratch(its_exit_status_is_the_commands),
      test_in_scratch(a_command_gets_standard_input_and_breaks_pipes_as_usual),
      test_in_scratch(signals_are_passed_on_to_the_command),
      test_in_scratch(a_command_that_a_signal_ends_leaves_no_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
