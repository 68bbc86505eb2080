/* SPDX-License-Identifier: MIT */
/* tree_system.c - what a tree is made of, on POSIX. */
#include "tree.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int tree_system_directory(const char *path) {
  return mkdir(path, 0700);
}

int tree_system_file(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return fd < 0 ? -1 : close(fd);
}

int tree_exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}
