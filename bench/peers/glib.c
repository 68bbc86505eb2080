/* SPDX-License-Identifier: MIT */
/* glib.c - temporary files and directories by GLib, which neither looks whose a name is nor removes a directory. */
#include "answer.h"
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

static int make(const void *directory, char path[ANSWER_PATH]) {
  snprintf(path, ANSWER_PATH, "%s/tmpXXXXXX", (const char *)directory);
  int fd = g_mkstemp(path);
  bench_need(fd >= 0, path);
  return fd;
}

static struct bench_cost unnamed(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    int fd = make(directory, path);
    g_unlink(path);
    answer_write_content(fd);
    close(fd);
  }
  return bench_stop(&start, count);
}

static struct bench_cost named(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    int fd = make(directory, path);
    answer_write_content(fd);
    close(fd);
    g_unlink(path);
  }
  return bench_stop(&start, count);
}

static void remove_flat(const char *directory) {
  char path[ANSWER_PATH + 256];
  const char *name;
  GDir *stream = g_dir_open(directory, 0, NULL);
  bench_need(stream != NULL, directory);
  while ((name = g_dir_read_name(stream)) != NULL) {
    snprintf(path, sizeof path, "%s/%s", directory, name);
    g_unlink(path);
  }
  g_dir_close(stream);
  bench_need(g_rmdir(directory) == 0, directory);
}

static struct bench_cost directory_of_few(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/tmpXXXXXX", (const char *)directory);
    bench_need(g_mkdtemp(path) != NULL, path);
    answer_make_files(path);
    remove_flat(path);
  }
  return bench_stop(&start, count);
}

const struct answer answers[] = {{"unnamed", unnamed}, {"named", named}, {"directory", directory_of_few}, {NULL, NULL}};
