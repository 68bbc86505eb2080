/* SPDX-License-Identifier: MIT */
/* node.c - starts a Node, and reads what it said. */
#include "node.h"
#include "program.h"
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

/* Its output goes into a file: under Wine it does not take a pipe. */
static void name_output(char path[SCRATCH_PATH_SIZE]) {
  char parent[MAX_PATH], name[64];
  DWORD length = GetTempPathA(sizeof parent, parent);
  parent[length - 1] = '\0'; /* it ends in a separator */
  snprintf(name, sizeof name, "mayfly-test-node-%lu-%lu.txt", GetCurrentProcessId(), GetTickCount());
  scratch_path(path, parent, name);
}

void node_start(struct node *started, const char *what, const mayfly_address *address) {
  char script[1024], count[8];
  const char *node = getenv("MAYFLY_TEST_NODE"), *source = getenv("MAYFLY_TEST_SOURCE");
  if (node == NULL) {
    print_message("skipped: MAYFLY_TEST_NODE names no Node for Windows\n");
    skip();
  }
  snprintf(script, sizeof script, "%s\\interop\\node.js", source == NULL ? "." : source);
  snprintf(count, sizeof count, "%d", NODE_MESSAGES);
  name_output(started->output);
  program_start_into(&started->child, (const char *[]){node, script, what, address->name, count, NULL},
                     started->output);
}

void node_expect_content(struct node *node) {
  char text[1024] = "";
  int code = child_wait(&node->child);
  FILE *file = fopen(node->output, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  assert_int_equal(remove(node->output), 0);
  if (code != 0)
    fail_msg("Node ended with %d and said: %s", code, text);
}
