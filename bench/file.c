/* SPDX-License-Identifier: MIT */
/* file.c [DIRECTORY...] - temporary files: made, written to, gone; in each directory, or the temporary one. Rows of
 * other libraries stand beside the same limit, in the place of mayfly. */
#include "bench.h"
#include "limit.h"
#include <fcntl.h>
#include <mayfly/tempfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { CONTENT = 100, SPOOLED = 4096, CROWD = 100000, PATH_SIZE = 512 };

/* The same for all: how two places lie to each other decides what a copy costs. */
static const char content[SPOOLED];
static char back[SPOOLED];

struct work {
  const char *directory;
};

static void write_content(int fd) {
  bench_need(write(fd, content, CONTENT) == CONTENT, "write");
}

/* ---- limits ---- */

static struct bench_cost unnamed_limit(const void *argument, long count) {
  const struct work *work = argument;
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
  const struct work *work = argument;
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

static struct bench_cost make(const struct work *work, unsigned flags, maker *make_one, long count) {
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

/* ---- others ---- */

/* It has no say in where. */
static struct bench_cost libc_tmpfile(const void *argument, long count) {
  (void)argument;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    FILE *file = tmpfile();
    bench_need(file != NULL && fwrite(content, 1, CONTENT, file) == CONTENT && fclose(file) == 0, "tmpfile");
  }
  return bench_stop(&start, count);
}

/* Without looking whose the name is. */
static struct bench_cost libc_mkostemp(const void *argument, long count) {
  const struct work *work = argument;
  char path[PATH_SIZE];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/tmpXXXXXX", work->directory);
    int fd = mkostemp(path, O_CLOEXEC);
    bench_need(fd >= 0, "mkostemp");
    write_content(fd);
    close(fd);
    unlink(path);
  }
  return bench_stop(&start, count);
}

/* ---- rows ---- */

static const char *file_system(const char *directory) {
  enum { EXT4 = 0xEF53, TMPFS = 0x01021994 };
  struct statfs status;
  bench_need(statfs(directory, &status) == 0, directory);
  return status.f_type == EXT4 ? "ext4" : status.f_type == TMPFS ? "tmpfs" : directory;
}

static void row(const char *name, const char *where, double target, bench_run *limit, bench_run *mayfly,
                const struct work *work) {
  char text[128];
  snprintf(text, sizeof text, "%s, %s", name, where);
  bench_row(text, target, limit, mayfly, work);
}

static void crowd_path(char path[PATH_SIZE], const char *directory, int number) {
  snprintf(path, PATH_SIZE, "%.400s/crowd-%d", directory, number);
}

static void with_a_crowd(const char *parent, const char *where) {
  char directory[PATH_SIZE], path[PATH_SIZE];
  snprintf(directory, sizeof directory, "%.400s/mayfly-bench-XXXXXX", parent);
  bench_need(mkdtemp(directory) != NULL, directory);
  for (int i = 0; i < CROWD; i++) {
    crowd_path(path, directory, i);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bench_need(fd >= 0, path);
    close(fd);
  }
  row("named, among 100,000", where, 1.05, named_limit, named, &(struct work){directory});
  for (int i = 0; i < CROWD; i++) {
    crowd_path(path, directory, i);
    unlink(path);
  }
  rmdir(directory);
}

static void rows_in(const char *directory) {
  const struct work work = {directory};
  const char *where = file_system(directory);
  row("file without a name", where, 1.03, unnamed_limit, unnamed, &work);
  row("the same by tmpfile(), in /tmp", where, 0, unnamed_limit, libc_tmpfile, &work);
  row("named file", where, 1.03, named_limit, named, &work);
  row("the same by mkostemp() and unlink()", where, 0, named_limit, libc_mkostemp, &work);
  with_a_crowd(directory, where);
}

int main(int argc, char **argv) {
  const struct work none = {NULL};
  bench_head();
  bench_row("file in memory", 1.05, memory_limit, memory, &none);
  bench_row("spooled, 4 KiB in and out", 1.5, spooled_limit, spooled, &none);
  if (argc == 1)
    rows_in(mayfly_gettempdir());
  for (int i = 1; i < argc; i++)
    rows_in(argv[i]);
  return 0;
}
