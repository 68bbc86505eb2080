/* SPDX-License-Identifier: MIT */
/* directory.c [DIRECTORY...] - temporary directories made, filled and removed, and large trees removed; in each
 * directory, or the temporary one. Rows of other programs stand beside the same limit, in the place of mayfly. */
#include "bench.h"
#include <dirent.h>
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FEW = 10, DIRECTORIES = 1000, FILES = 100, PATH_SIZE = 512 };

struct work {
  const char *directory;
};

static void make_files(int directory, int count) {
  char name[16];
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_need(fd >= 0, name);
    close(fd);
  }
}

/* ---- the limit of a removal: one name after the other ---- */

static void unlink_all(int fd, void (*remove_directory)(int parent, const char *name)) {
  const struct dirent *entry;
  DIR *stream = fdopendir(fd);
  bench_need(stream != NULL, "fdopendir");
  while ((entry = readdir(stream)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    if (entry->d_type == DT_DIR)
      remove_directory(fd, entry->d_name);
    else
      bench_need(unlinkat(fd, entry->d_name, 0) == 0, "unlinkat");
  }
  closedir(stream);
}

static int open_directory(int parent, const char *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bench_need(fd >= 0, name);
  return fd;
}

/* It holds no directories. */
static void remove_flat(int parent, const char *name) {
  unlink_all(open_directory(parent, name), NULL);
  bench_need(unlinkat(parent, name, AT_REMOVEDIR) == 0, name);
}

static void remove_two_levels(const char *path) {
  unlink_all(open_directory(AT_FDCWD, path), remove_flat);
  bench_need(rmdir(path) == 0, path);
}

/* ---- a temporary directory of ten files ---- */

static struct bench_cost few_limit(const void *argument, long count) {
  const struct work *work = argument;
  char path[PATH_SIZE];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%.400s/limit-%ld", work->directory, i);
    bench_need(mkdir(path, 0700) == 0, path);
    int fd = open_directory(AT_FDCWD, path);
    make_files(fd, FEW);
    unlink_all(fd, NULL);
    bench_need(rmdir(path) == 0, path);
  }
  return bench_stop(&start, count);
}

/* The limit's files are made in the directory that it holds, these by a directory of the caller's own. */
static struct bench_cost few(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = work->directory;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    mayfly_directory *directory;
    bench_check(mayfly_temporary_directory(&options, &directory), "mayfly_temporary_directory");
    int fd = open_directory(AT_FDCWD, mayfly_directory_path(directory));
    make_files(fd, FEW);
    close(fd);
    bench_check(mayfly_directory_close(directory), "mayfly_directory_close");
  }
  return bench_stop(&start, count);
}

/* ---- 100,000 files in 1,000 directories ---- */

static void make_tree(const char *path) {
  char name[16];
  bench_need(mkdir(path, 0700) == 0, path);
  int tree = open_directory(AT_FDCWD, path);
  for (int i = 0; i < DIRECTORIES; i++) {
    snprintf(name, sizeof name, "d-%d", i);
    bench_need(mkdirat(tree, name, 0700) == 0, name);
    int fd = open_directory(tree, name);
    make_files(fd, FILES);
    close(fd);
  }
  close(tree);
}

/* What is made before and after does not count. */
static struct bench_cost remove_trees(const struct work *work, long count, struct bench_cost (*remove)(const char *)) {
  struct bench_cost sum = {0, 0};
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%.400s/mayfly-bench-%ld", work->directory, (long)getpid());
  for (long i = 0; i < count; i++) {
    make_tree(path);
    struct bench_cost cost = remove(path);
    sum.processor += cost.processor / (double)count;
    sum.wall += cost.wall / (double)count;
  }
  return sum;
}

static struct bench_cost remove_by_limit(const char *path) {
  struct bench_clock start = bench_start(0);
  remove_two_levels(path);
  return bench_stop(&start, 1);
}

static struct bench_cost remove_by_mayfly(const char *path) {
  struct bench_clock start = bench_start(0);
  bench_check(mayfly_rmtree(path, NULL), "mayfly_rmtree");
  return bench_stop(&start, 1);
}

static double of_children(void) {
  struct rusage usage;
  bench_need(getrusage(RUSAGE_CHILDREN, &usage) == 0, "getrusage");
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static struct bench_cost remove_by_program(const char *path) {
  double before = of_children();
  struct bench_clock start = bench_start(0);
  pid_t program = bench_fork();
  if (program == 0) {
    execlp("rm", "rm", "-rf", path, (char *)NULL);
    _exit(127);
  }
  bench_await_peer(program);
  struct bench_cost cost = bench_stop(&start, 1);
  cost.processor = of_children() - before;
  return cost;
}

static struct bench_cost many_limit(const void *work, long count) {
  return remove_trees(work, count, remove_by_limit);
}

static struct bench_cost many(const void *work, long count) {
  return remove_trees(work, count, remove_by_mayfly);
}

static struct bench_cost many_by_rm(const void *work, long count) {
  return remove_trees(work, count, remove_by_program);
}

/* ---- rows ---- */

static const char *file_system(const char *directory) {
  enum { EXT4 = 0xEF53, TMPFS = 0x01021994 };
  struct statfs status;
  bench_need(statfs(directory, &status) == 0, directory);
  return status.f_type == EXT4 ? "ext4" : status.f_type == TMPFS ? "tmpfs" : directory;
}

static void row(const char *name, double target, bench_run *limit, bench_run *mayfly, const struct work *work) {
  char text[128];
  snprintf(text, sizeof text, "%s, %s", name, file_system(work->directory));
  bench_row(text, target, limit, mayfly, work);
}

static void rows_in(const char *directory) {
  const struct work work = {directory};
  row("directory of 10 files", 1.10, few_limit, few, &work);
  row("100,000 files removed", 1.03, many_limit, many, &work);
  row("the same by rm -rf", 0, many_limit, many_by_rm, &work);
}

int main(int argc, char **argv) {
  bench_head();
  if (argc == 1)
    rows_in(mayfly_gettempdir());
  for (int i = 1; i < argc; i++)
    rows_in(argv[i]);
  return 0;
}
