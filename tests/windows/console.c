/* SPDX-License-Identifier: MIT */
/* console.c - console events, in a child that has a console of its own: what is cleaned up, and how the child ends. */
#include "child.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>
#include <stdio.h>

#include "wine.h"

/* Where the child's own handler says what it finds. */
static int parent_of_child;

/* The last handler is called first: this one comes after the library's, and before the system's. */
static BOOL WINAPI look_around(DWORD event) {
  mayfly_listener *listener;
  (void)event;
  child_say(parent_of_child, mayfly_listen(NULL, NULL, &listener) == MAYFLY_ECANCELED ? 'c' : 'n');
  return FALSE;
}

static BOOL WINAPI deal_with(DWORD event) {
  (void)event;
  child_say(parent_of_child, 'd');
  return TRUE;
}

/* Its standard handles stay those that lead to the parent. */
static int get_console(void) {
  HANDLE input = GetStdHandle(STD_INPUT_HANDLE), output = GetStdHandle(STD_OUTPUT_HANDLE);
  FreeConsole();
  if (!AllocConsole())
    return 0;
  SetConsoleCtrlHandler(NULL, FALSE); /* CTRL_C may have been ignored by whoever started us */
  return SetStdHandle(STD_INPUT_HANDLE, input) && SetStdHandle(STD_OUTPUT_HANDLE, output);
}

struct plan {
  char directory[SCRATCH_PATH_SIZE]; /* where it makes a file, which nobody but the library removes */
  DWORD event;
  int clean; /* whether the library is asked to */
  enum {
    NOBODY,
    BEFORE,
    LATER
  } deals; /* a handler of the program's own that deals with the event, and was installed so */
};

static int get_an_event(int parent, void *context) {
  const struct plan *plan = context;
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  options.dir = plan->directory;
  options.flags = MAYFLY_TEMP_REOPENABLE;
  parent_of_child = parent;
  if (!get_console() || mayfly_named_temporary_file(&options, &file) < 0)
    return 1;
  SetConsoleCtrlHandler(plan->deals == BEFORE ? deal_with : look_around, TRUE);
  if (plan->clean && (mayfly_cleanup_on_signals() < 0 || mayfly_cleanup_on_signals() < 0))
    return 2;
  if (plan->deals == LATER)
    SetConsoleCtrlHandler(deal_with, TRUE);
  return GenerateConsoleCtrlEvent(plan->event, 0) ? child_hear(parent) : 3; /* until it has ended this process */
}

static void start(struct child *child, const char *directory, struct plan plan) {
  snprintf(plan.directory, sizeof plan.directory, "%s", directory);
  child_start_apart(child, get_an_event, &plan, sizeof plan);
}

static void remove_files(const char *directory) {
  WIN32_FIND_DATAA entry;
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, directory, "tmp*");
  HANDLE list = FindFirstFileA(path, &entry);
  assert_ptr_not_equal(list, INVALID_HANDLE_VALUE);
  do {
    scratch_path(path, directory, entry.cFileName);
    assert_true(DeleteFileA(path));
  } while (FindNextFileA(list, &entry));
  FindClose(list);
}

/* What the system ends a process with; Wine says nothing of it. */
static int usual_status(void) {
  return is_wine() ? 0 : (int)CONTROL_C_EXIT;
}

static void control_c_cleans_up_and_ends_the_process_as_it_would_have(void **state) {
  struct child child;
  start(&child, *state, (struct plan){.event = CTRL_C_EVENT, .clean = 1});
  assert_int_equal(child_hear(child.fd), 'c');
  child_expect_exit(&child, usual_status());
}

static void without_being_asked_the_library_does_nothing_at_control_c(void **state) {
  struct child child;
  start(&child, *state, (struct plan){.event = CTRL_C_EVENT});
  assert_int_equal(child_hear(child.fd), 'n');
  child_expect_exit(&child, usual_status());
  remove_files(*state); /* the one that is still there */
}

static void a_handler_that_deals_with_the_event_keeps_it_from_the_library(void **state) {
  struct child child;
  start(&child, *state, (struct plan){.event = CTRL_C_EVENT, .clean = 1, .deals = LATER});
  assert_int_equal(child_hear(child.fd), 'd');
  child_say(child.fd, 'e');
  child_expect_exit(&child, 'e');
}

static void a_handler_from_before_that_deals_with_the_event_does_not_keep_the_program_from_its_exit(void **state) {
  struct child child;
  start(&child, *state, (struct plan){.event = CTRL_C_EVENT, .clean = 1, .deals = BEFORE});
  assert_int_equal(child_hear(child.fd), 'd');
  child_say(child.fd, 'e');
  child_expect_exit(&child, 'e');
}

static void control_break_cleans_up_too(void **state) {
  struct child child;
  skip_under_wine("of the console's events only CTRL_C comes");
  start(&child, *state, (struct plan){.event = CTRL_BREAK_EVENT, .clean = 1});
  assert_int_equal(child_hear(child.fd), 'c');
  child_expect_exit(&child, usual_status());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(control_c_cleans_up_and_ends_the_process_as_it_would_have),
      test_in_scratch(without_being_asked_the_library_does_nothing_at_control_c),
      test_in_scratch(a_handler_that_deals_with_the_event_keeps_it_from_the_library),
      test_in_scratch(a_handler_from_before_that_deals_with_the_event_does_not_keep_the_program_from_its_exit),
      test_in_scratch(control_break_cleans_up_too),
  };
  return cmocka_run_group_tests_name("windows.console", tests, NULL, NULL);
}
