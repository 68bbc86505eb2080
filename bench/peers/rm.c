/* SPDX-License-Identifier: MIT */
/* rm.c - directories removed by the program rm, whose processor time, start included, is counted with our own. */
#include "answer.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void remove_by_program(const char *path) {
  pid_t program = bench_fork();
  if (program == 0) {
    execlp("rm", "rm", "-rf", path, (char *)NULL);
    _exit(127);
  }
  bench_await_peer(program);
}

static double of_children(void) {
  struct rusage usage;
  bench_need(getrusage(RUSAGE_CHILDREN, &usage) == 0, "getrusage");
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

/* No child has ended before: this process was made for the one answer. */
static struct bench_cost stop(const struct bench_clock *start, long count) {
  struct bench_cost cost = bench_stop(start, count);
  cost.processor += of_children() / (double)count;
  return cost;
}

static struct bench_cost directory_of_few(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/tmpXXXXXX", (const char *)directory);
    bench_need(mkdtemp(path) != NULL, path);
    answer_make_files(path);
    remove_by_program(path);
  }
  return stop(&start, count);
}

static struct bench_cost remove_trees(const void *directory, long count) {
  char path[ANSWER_PATH];
  struct bench_clock start = bench_start(0);
  for (long i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/tree-%ld", (const char *)directory, i);
    remove_by_program(path);
  }
  return stop(&start, count);
}

const struct answer answers[] = {{"directory", directory_of_few}, {"remove", remove_trees}, {NULL, NULL}};
