/* SPDX-License-Identifier: MIT */
/* stage.c - makes a list of tests of CMocka's out of tests times Pythons. */
#include "stage.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES_MAX = 512 };

struct stage_case {
  struct test_case test;
  const struct stage_test *script;
  const struct python *interpreter;
};

static const struct stage_case *current;
static struct stage stage;

static int setup(void **state) {
  current = *state;
  stage.interpreter = current->interpreter;
  void *directory = NULL;
  int result = scratch_setup(&directory);
  stage.directory = directory;
  return result;
}

static int teardown(void **state) {
  (void)state;
  void *directory = (void *)stage.directory;
  return scratch_teardown(&directory);
}

static void run(void **state) {
  (void)state;
  peer_start(&stage.python, stage.interpreter, "peer.py", (const char *[]){NULL}, -1);
  current->script->run(&stage);
  peer_end(&stage.python);
}

static int is_wanted(enum stage_pythons wanted, const struct python *pythons, size_t count, size_t index) {
  int legacy = peer_is_legacy(&pythons[index]);
  int newest = index + 1 == count;
  switch (wanted) {
  case EVERY_LEGACY:
    return legacy;
  case EVERY_MODERN:
    return !legacy;
  case ONE_OF_EACH_ERA:
    return newest || (legacy && !peer_is_legacy(&pythons[index + 1]));
  case NEWEST_PYTHON:
    return newest;
  default:
    return 1;
  }
}

static struct CMUnitTest make_case(const struct stage_test *test, const struct python *python, struct stage_case *own) {
  char name[256];
  snprintf(name, sizeof name, "%s (Python %d.%d.%d)", test->name, python->major, python->minor, python->micro);
  *own = (struct stage_case){.test = {strdup(name), setup, teardown, own}, .script = test, .interpreter = python};
  return (struct CMUnitTest){own->test.name, run, test_setup, test_teardown, &own->test};
}

int stage_run_tests(const char *group, const struct stage_test *tests, size_t count) {
  static struct CMUnitTest cases[CASES_MAX];
  static struct stage_case own[CASES_MAX];
  size_t total = 0, interpreters;
  const struct python *pythons = peer_pythons(&interpreters);
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < interpreters && total < CASES_MAX; j++) {
      if (is_wanted(tests[i].pythons, pythons, interpreters, j)) {
        cases[total] = make_case(&tests[i], &pythons[j], &own[total]);
        total++;
      }
    }
  }
  return _cmocka_run_group_tests(group, cases, total, NULL, NULL); /* the public macro takes arrays only */
}
