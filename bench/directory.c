/* SPDX-License-Identifier: MIT */
/* directory.c [DIRECTORY...] - temporary directories made, filled, removed; in each directory, or the temporary one. */
#include "files.h"
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FEW = 10, PATH_SIZE = 512 };

static void make_files(int directory) {
  char name[16];
  for (int i = 0; i < FEW; i++) {
    snprintf(name, sizeof name, "file-%d", i);
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bench_need(fd >= 0, name);
    close(fd);
  }
}

static struct bench_cost limit(const void *argument, long count) {
  const struct files *work = argument;
  char path[PATH_SIZE];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%.400s/limit-%ld", work->directory, i);
    bench_need(mkdir(path, 0700) == 0, path);
    int fd = files_open_directory(AT_FDCWD, path);
    make_files(fd);
    files_unlink_all(fd, NULL);
    bench_need(rmdir(path) == 0, path);
  }
  return bench_stop(&start, count);
}

/* The limit's files are made in the directory that it holds, these by a directory of the caller's own. */
static struct bench_cost mayfly(const void *argument, long count) {
  const struct files *work = argument;
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = work->directory;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    mayfly_directory *directory;
    bench_check(mayfly_temporary_directory(&options, &directory), "mayfly_temporary_directory");
    int fd = files_open_directory(AT_FDCWD, mayfly_directory_path(directory));
    make_files(fd);
    close(fd);
    bench_check(mayfly_directory_close(directory), "mayfly_directory_close");
  }
  return bench_stop(&start, count);
}

static void rows_in(const struct files *work) {
  files_row("directory of 10 files", 1.10, limit, mayfly, work);
  files_peers("directory of 10 files", limit, work, "directory", NULL);
}

int main(int argc, char **argv) {
  bench_head();
  files_in_each(argc, argv, rows_in);
  return 0;
}
