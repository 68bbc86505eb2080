/* SPDX-License-Identifier: MIT */
/* bench.h - how a figure is taken: beside the limit, in turns with it, as a ratio to it.
 *
 * The limit is the leanest C program that makes the system calls which the work cannot do without. It takes part twice:
 * the ratio of the two, the control, says what a run can resolve, and a target is missed only by more than that. What
 * is compared is processor time, of both processes where there are two; elapsed time stands beside it. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <sys/types.h>

struct bench_cost { /* nanoseconds an operation */
  double processor, wall;
};

/* Sets up, does `work` `count` times between bench_start() and bench_stop(), tears down. */
typedef struct bench_cost bench_run(const void *work, long count);

/* The table's head, once a program; not where BENCH_ROWS_ONLY is set in the environment. */
void bench_head(void);
/* Runs the limit, the limit again and mayfly in turns and prints the row. `target` 0: none. */
void bench_row(const char *name, double target, bench_run *limit, bench_run *mayfly, const void *work);

/* Who does the work in mayfly's place. */
struct bench_other {
  const char *name; /* of the row */
  bench_run *run;
  const void *work;
};
enum { BENCH_OTHERS = 16 };
/* Runs the limit, the limit again and up to BENCH_OTHERS others in turns and prints a row for each of them. */
void bench_others(bench_run *limit, const void *work, const struct bench_other *others, int number);

struct bench_clock {
  int64_t processor, wall;
  clockid_t peer; /* of the other process, if there is one */
  int has_peer;
};
struct bench_clock bench_start(pid_t peer); /* 0: there is no other process */
struct bench_cost bench_stop(const struct bench_clock *start, long count);

/* The other process; 0 in it, as fork(2). It ends with bench_end_peer(), and is awaited with bench_await_peer(). */
pid_t bench_fork(void);
void bench_end_peer(void);
void bench_await_peer(pid_t peer);

/* End the program, in words, where `succeeded` is 0; where `result` is an error of mayfly's. */
void bench_need(int succeeded, const char *what);
void bench_check(int result, const char *what);

#endif
