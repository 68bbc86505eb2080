/* SPDX-License-Identifier: MIT */
/* removal.c [DIRECTORY...] - 100,000 files in 1,000 directories removed; in each directory, or the temporary one. */
#include "files.h"
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORIES = 1000, FILES = 100, PATH_SIZE = 512 };

/* ---- trees, which do not count ---- */

static void make_files(int directory) {
  char name[16];
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    bench_need(mknodat(directory, name, S_IFREG | 0600, 0) == 0, name); /* sooner done than by opening it */
  }
}

static void make_tree(const char *path) {
  char name[16];
  bench_need(mkdir(path, 0700) == 0, path);
  int tree = files_open_directory(AT_FDCWD, path);
  for (int i = 0; i < DIRECTORIES; i++) {
    snprintf(name, sizeof name, "d-%d", i);
    bench_need(mkdirat(tree, name, 0700) == 0, name);
    int fd = files_open_directory(tree, name);
    make_files(fd);
    close(fd);
  }
  close(tree);
}

static void tree_path(char path[PATH_SIZE], const struct files *work, long number) {
  snprintf(path, PATH_SIZE, "%.400s/tree-%ld", work->directory, number);
}

static void make_trees(const void *work, long count) {
  char path[PATH_SIZE];
  for (long i = 0; i < count; i++) {
    tree_path(path, work, i);
    make_tree(path);
  }
}

/* ---- one name after the other ---- */

/* It holds no directories. */
static void remove_flat(int parent, const char *name) {
  files_unlink_all(files_open_directory(parent, name), NULL);
  bench_need(unlinkat(parent, name, AT_REMOVEDIR) == 0, name);
}

static void remove_two_levels(const char *path) {
  files_unlink_all(files_open_directory(AT_FDCWD, path), remove_flat);
  bench_need(rmdir(path) == 0, path);
}

static struct bench_cost limit(const void *work, long count) {
  char path[PATH_SIZE];
  make_trees(work, count);
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    tree_path(path, work, i);
    remove_two_levels(path);
  }
  return bench_stop(&start, count);
}

/* ---- mayfly ---- */

static struct bench_cost mayfly(const void *work, long count) {
  char path[PATH_SIZE];
  make_trees(work, count);
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    tree_path(path, work, i);
    bench_check(mayfly_rmtree(path, NULL), "mayfly_rmtree");
  }
  return bench_stop(&start, count);
}

/* ---- rows ---- */

static void rows_in(const struct files *parent) {
  char directory[PATH_SIZE];
  snprintf(directory, sizeof directory, "%.400s/mayfly-bench-XXXXXX", parent->directory);
  bench_need(mkdtemp(directory) != NULL, directory);
  const struct files work = {directory};
  files_row("100,000 files removed", 1.03, limit, mayfly, &work);
  files_peers("100,000 files removed", limit, &work, "remove", make_trees);
  rmdir(directory);
}

int main(int argc, char **argv) {
  bench_head();
  files_in_each(argc, argv, rows_in);
  return 0;
}
