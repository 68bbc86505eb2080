/* SPDX-License-Identifier: MIT */
/* console.c - console events, in a child that has a console of its own: what is cleaned up, and how the child ends. */
#include "child.h"
#include "result.h"
#include "test.h"
#include <mayfly/mayfly.h>

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
  DWORD event;
  int clean; /* whether the library is asked to */
  int deal;  /* whether a handler of the program's own, installed later, deals with the event */
};

static int get_an_event(int parent, void *context) {
  const struct plan *plan = context;
  mayfly_listener *listener;
  parent_of_child = parent;
  if (!get_console() || mayfly_listen(NULL, NULL, &listener) < 0)
    return 1;
  SetConsoleCtrlHandler(look_around, TRUE);
  if (plan->clean && (mayfly_cleanup_on_signals() < 0 || mayfly_cleanup_on_signals() < 0))
    return 2;
  if (plan->deal)
    SetConsoleCtrlHandler(deal_with, TRUE);
  return GenerateConsoleCtrlEvent(plan->event, 0) ? child_hear(parent) : 3; /* until it has ended this process */
}

static void start(struct child *child, struct plan plan) {
  child_start_apart(child, get_an_event, &plan, sizeof plan);
}

/* What the system ends a process with; Wine says nothing of it. */
static int usual_status(void) {
  return is_wine() ? 0 : (int)CONTROL_C_EXIT;
}

static void control_c_cleans_up_and_ends_the_process_as_it_would_have(void **state) {
  struct child child;
  (void)state;
  start(&child, (struct plan){CTRL_C_EVENT, 1, 0});
  assert_int_equal(child_hear(child.fd), 'c');
  child_expect_exit(&child, usual_status());
}

static void without_being_asked_the_library_does_nothing_at_control_c(void **state) {
  struct child child;
  (void)state;
  start(&child, (struct plan){CTRL_C_EVENT, 0, 0});
  assert_int_equal(child_hear(child.fd), 'n');
  child_expect_exit(&child, usual_status());
}

static void a_handler_that_deals_with_the_event_keeps_it_from_the_library(void **state) {
  struct child child;
  (void)state;
  start(&child, (struct plan){CTRL_C_EVENT, 1, 1});
  assert_int_equal(child_hear(child.fd), 'd');
  child_say(child.fd, 'e');
  child_expect_exit(&child, 'e');
}

static void control_break_cleans_up_too(void **state) {
  struct child child;
  (void)state;
  skip_under_wine("of the console's events only CTRL_C comes");
  start(&child, (struct plan){CTRL_BREAK_EVENT, 1, 0});
  assert_int_equal(child_hear(child.fd), 'c');
  child_expect_exit(&child, usual_status());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(control_c_cleans_up_and_ends_the_process_as_it_would_have),
      test(without_being_asked_the_library_does_nothing_at_control_c),
      test(a_handler_that_deals_with_the_event_keeps_it_from_the_library),
      test(control_break_cleans_up_too),
  };
  return cmocka_run_group_tests_name("windows.console", tests, NULL, NULL);
}
