/* SPDX-License-Identifier: MIT */
/* file.c [DIRECTORY...] - temporary files: made, written to, gone; in each directory, or the temporary one. */
#include "files.h"
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTENT = 100, SPOOLED = 4096, CROWD = 100000, PATH_SIZE = 512 };

/* The same for all: how two places lie to each other decides what a copy costs. */
static const char content[SPOOLED];
static char back[SPOOLED];

static void write_content(int fd) {
  bench_need(write(fd, content, CONTENT) == CONTENT, "write");
}

/* ---- limits ---- */

static struct bench_cost unnamed_limit(const void *argument, long count) {
  const struct files *work = argument;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    int fd = openat(AT_FDCWD, work->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    bench_need(fd >= 0, "openat");
    write_content(fd);
    close(fd);
  }
  return bench_stop(&start, count);
}

static struct bench_cost memory_limit(const void *argument, long count) {
  (void)argument;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    int fd = memfd_create("limit", MFD_CLOEXEC);
    bench_need(fd >= 0, "memfd_create");
    write_content(fd);
    close(fd);
  }
  return bench_stop(&start, count);
}

/* Eight characters that differ each time and cost next to nothing. */
static void next_name(char *name) {
  static uint64_t number = 1;
  number ^= number << 13;
  number ^= number >> 7;
  number ^= number << 17;
  uint64_t rest = number;
  for (int i = 0; i < 8; i++, rest >>= 5)
    name[i] = (char)('a' + (rest & 15));
}

static void named_once(const char *path) {
  struct stat status;
  int fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bench_need(fd >= 0 && fstat(fd, &status) == 0, path);
  write_content(fd);
  bench_need(fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) == 0, "fstatat");
  close(fd);
  bench_need(unlinkat(AT_FDCWD, path, 0) == 0, "unlinkat");
}

static struct bench_cost named_limit(const void *argument, long count) {
  const struct files *work = argument;
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s/tmp????????", work->directory);
  char *name = path + strlen(path) - 8;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    next_name(name);
    named_once(path);
  }
  return bench_stop(&start, count);
}

static struct bench_cost spooled_limit(const void *argument, long count) {
  (void)argument;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    char *volatile memory = malloc(SPOOLED);
    bench_need(memory != NULL, "malloc");
    memcpy(memory, content, SPOOLED);
    memcpy(back, memory, SPOOLED);
    free(memory);
  }
  return bench_stop(&start, count);
}

/* ---- mayfly ---- */

typedef int maker(const mayfly_temp_options *options, mayfly_file **file);

static struct bench_cost make(const struct files *work, unsigned flags, maker *make_one, long count) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = work->directory;
  options.flags = flags;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    mayfly_file *file;
    bench_check(make_one(&options, &file), "make a file");
    bench_check(mayfly_file_write(file, content, CONTENT), "mayfly_file_write");
    bench_check(mayfly_file_close(file), "mayfly_file_close");
  }
  return bench_stop(&start, count);
}

static struct bench_cost unnamed(const void *work, long count) {
  return make(work, 0, mayfly_temporary_file, count);
}

static struct bench_cost memory(const void *work, long count) {
  return make(work, MAYFLY_TEMP_MEMORY, mayfly_temporary_file, count);
}

static struct bench_cost named(const void *work, long count) {
  return make(work, 0, mayfly_named_temporary_file, count);
}

static struct bench_cost spooled(const void *argument, long count) {
  (void)argument;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    mayfly_file *file;
    bench_check(mayfly_spooled_temporary_file(NULL, SPOOLED, &file), "mayfly_spooled_temporary_file");
    bench_check(mayfly_file_write(file, content, SPOOLED), "mayfly_file_write");
    bench_check(mayfly_file_seek(file, 0, SEEK_SET) == 0 ? 0 : -1, "mayfly_file_seek");
    bench_check(mayfly_file_read(file, back, SPOOLED) == SPOOLED ? 0 : -1, "mayfly_file_read");
    mayfly_file_close(file);
  }
  return bench_stop(&start, count);
}

/* ---- rows ---- */

static void crowd_path(char path[PATH_SIZE], const char *directory, int number) {
  snprintf(path, PATH_SIZE, "%.400s/crowd-%d", directory, number);
}

static void with_a_crowd(const char *parent) {
  char directory[PATH_SIZE], path[PATH_SIZE];
  snprintf(directory, sizeof directory, "%.400s/mayfly-bench-XXXXXX", parent);
  bench_need(mkdtemp(directory) != NULL, directory);
  for (int i = 0; i < CROWD; i++) {
    crowd_path(path, directory, i);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bench_need(fd >= 0, path);
    close(fd);
  }
  files_row("named, among 100,000", 1.05, named_limit, named, &(struct files){directory});
  for (int i = 0; i < CROWD; i++) {
    crowd_path(path, directory, i);
    unlink(path);
  }
  rmdir(directory);
}

static void rows_in(const struct files *work) {
  files_row("file without a name", 1.03, unnamed_limit, unnamed, work);
  files_peers("file without a name", unnamed_limit, work, "unnamed", NULL);
  files_row("named file", 1.03, named_limit, named, work);
  files_peers("named file", named_limit, work, "named", NULL);
  with_a_crowd(work->directory);
}

int main(int argc, char **argv) {
  const struct files nowhere = {NULL};
  bench_head();
  bench_row("file in memory", 1.05, memory_limit, memory, &nowhere);
  peers_rows("file in memory", memory_limit, &nowhere, "memory -", NULL);
  bench_row("spooled, 4 KiB in and out", 1.5, spooled_limit, spooled, &nowhere);
  peers_rows("spooled, 4 KiB in and out", spooled_limit, &nowhere, "spooled -", NULL);
  files_in_each(argc, argv, rows_in);
  return 0;
}
