/* SPDX-License-Identifier: MIT */
/* scratch.c - a directory under the system's temporary one. */
#include "../test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

void scratch_path(char path[SCRATCH_PATH_SIZE], const char *directory, const char *name) {
  assert_in_range(snprintf(path, SCRATCH_PATH_SIZE, "%s\\%s", directory, name), 1, SCRATCH_PATH_SIZE - 1);
}

int scratch_setup(void **state) {
  static unsigned count;
  char parent[MAX_PATH], path[SCRATCH_PATH_SIZE], name[64];
  DWORD length = GetTempPathA(sizeof parent, parent);
  parent[length - 1] = '\0'; /* it ends in a separator */
  snprintf(name, sizeof name, "mayfly-test-%lu-%lu-%u", GetCurrentProcessId(), GetTickCount(), count++);
  scratch_path(path, parent, name);
  if (!CreateDirectoryA(path, NULL)) {
    fprintf(stderr, "%s: error %lu\n", path, GetLastError());
    return -1;
  }
  *state = strdup(path);
  return *state == NULL ? -1 : 0;
}

/* Calls `visit` for everything in the directory; how much that is. */
static int each(const char *directory, void (*visit)(const char *path, int is_directory)) {
  char pattern[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE];
  WIN32_FIND_DATAA entry;
  int count = 0;
  scratch_path(pattern, directory, "*");
  HANDLE list = FindFirstFileA(pattern, &entry);
  if (list == INVALID_HANDLE_VALUE)
    return 0;
  do {
    if (strcmp(entry.cFileName, ".") == 0 || strcmp(entry.cFileName, "..") == 0)
      continue;
    scratch_path(path, directory, entry.cFileName);
    visit(path, (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0);
    count++;
  } while (FindNextFileA(list, &entry));
  FindClose(list);
  return count;
}

static void print(const char *path, int is_directory) {
  (void)is_directory;
  fprintf(stderr, "scratch: left behind: %s\n", path);
}

static void remove_one(const char *path, int is_directory) {
  if (is_directory) {
    each(path, remove_one);
    RemoveDirectoryA(path);
  } else
    DeleteFileA(path);
}

int scratch_is_empty(const char *directory) {
  return each(directory, print) == 0;
}

int scratch_teardown(void **state) {
  char *directory = *state;
  int empty = scratch_is_empty(directory);
  each(directory, remove_one);
  int removed = RemoveDirectoryA(directory);
  free(directory);
  return empty && removed ? 0 : -1;
}
