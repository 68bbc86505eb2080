/* SPDX-License-Identifier: MIT */
/* libc.c - temporary files by the C library. */
#include "answer.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* It has no say in where. */
static struct bench_cost unnamed(const void *directory, long count) {
  static const char content[ANSWER_CONTENT];
  (void)directory;
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    FILE *file = tmpfile();
    bench_need(file != NULL && fwrite(content, 1, sizeof content, file) == sizeof content && fclose(file) == 0,
               "tmpfile");
  }
  return bench_stop(&start, count);
}

/* Without looking whose the name is. */
static struct bench_cost named(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/tmpXXXXXX", (const char *)directory);
    int fd = mkostemp(path, O_CLOEXEC);
    bench_need(fd >= 0, "mkostemp");
    answer_write_content(fd);
    close(fd);
    unlink(path);
  }
  return bench_stop(&start, count);
}

const struct answer answers[] = {{"unnamed", unnamed}, {"named", named}, {NULL, NULL}};
