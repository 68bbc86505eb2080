/* SPDX-License-Identifier: MIT */
/* scratch.c - a directory under the system's temporary one. */
#include "test.h"
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void scratch_path(char path[SCRATCH_PATH_SIZE], const char *directory, const char *name) {
  assert_in_range(snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", directory, name), 1, SCRATCH_PATH_SIZE - 1);
}

int scratch_setup(void **state) {
  const char *parent = getenv("TMPDIR");
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, parent == NULL ? "/tmp" : parent, "mayfly-test-XXXXXX");
  if (mkdtemp(path) == NULL) {
    perror(path);
    return -1;
  }
  *state = strdup(path);
  return *state == NULL ? -1 : 0;
}

int scratch_is_empty(const char *directory) {
  DIR *listing = opendir(directory);
  if (listing == NULL) {
    perror(directory);
    return 0;
  }
  int left = 0;
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      fprintf(stderr, "scratch: left behind: %s/%s\n", directory, entry->d_name);
      left++;
    }
  }
  closedir(listing);
  return left == 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
  (void)status, (void)type, (void)walk;
  return remove(path);
}

int scratch_teardown(void **state) {
  char *directory = *state;
  int empty = scratch_is_empty(directory);
  int removed = nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  free(directory);
  return empty && removed == 0 ? 0 : -1;
}
