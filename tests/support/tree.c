/* SPDX-License-Identifier: MIT */
/* tree.c - trees of directories and files, on either system. */
#include "tree.h"
#include "test.h"
#include <stdio.h>

void tree_join(char joined[TREE_PATH_SIZE], const char *directory, const char *name) {
  assert_in_range(snprintf(joined, TREE_PATH_SIZE, "%s/%s", directory, name), 1, TREE_PATH_SIZE - 1);
}

static void make(const char *directory, const char *name, int (*system)(const char *path)) {
  char path[TREE_PATH_SIZE];
  tree_join(path, directory, name);
  if (system(path) != 0)
    fail_msg("%s can't be made", path);
}

void tree_directory(const char *directory, const char *name) {
  make(directory, name, tree_system_directory);
}

void tree_file(const char *directory, const char *name) {
  make(directory, name, tree_system_file);
}

/* misc-no-recursion is right where trees may be deep: these are not.
 * NOLINTNEXTLINE(misc-no-recursion) */
int tree_make(const char *directory, const char *name, int width, int depth) {
  char path[TREE_PATH_SIZE], inner[32];
  int made = 1;
  tree_directory(directory, name);
  tree_join(path, directory, name);
  for (int i = 0; i < width; i++) {
    snprintf(inner, sizeof inner, "file-%d", i);
    tree_file(path, inner);
    made++;
  }
  for (int i = 0; depth > 0 && i < width; i++) {
    snprintf(inner, sizeof inner, "directory-%d", i);
    made += tree_make(path, inner, width, depth - 1);
  }
  return made;
}
