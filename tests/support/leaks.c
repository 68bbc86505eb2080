/* SPDX-License-Identifier: MIT */
/* leaks.c - open descriptors, as the system lists them. */
#include "leaks.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int before;

/* Where descriptor `name` leads. 0: it is none of those that count. */
static int leads_to(DIR *directory, const char *name, char target[PATH_MAX]) {
  int fd = (int)strtol(name, NULL, 10);
  ssize_t length = readlinkat(dirfd(directory), name, target, PATH_MAX - 1);
  if (name[0] == '.' || fd == dirfd(directory) || length < 0)
    return 0;
  target[length] = '\0';
  return strstr(target, "/.mayfly-") == NULL;
}

static int walk(int print) {
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) {
    perror("/proc/self/fd");
    abort();
  }
  int count = 0;
  char target[PATH_MAX];
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (leads_to(directory, entry->d_name, target)) {
      count++;
      if (print)
        fprintf(stderr, "  descriptor %s: %s\n", entry->d_name, target);
    }
  }
  closedir(directory);
  return count;
}

int leaks_count(void) {
  return walk(0);
}

void leaks_start(void) {
  before = leaks_count();
}

int leaks_found(void) {
  int now = leaks_count();
  if (now != before) {
    fprintf(stderr, "leaks: %d descriptors were open before the test, %d are after it:\n", before, now);
    walk(1);
  }
  return now - before;
}
