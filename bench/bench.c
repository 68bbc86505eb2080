/* SPDX-License-Identifier: MIT */
/* bench.c - clocks, medians and quartiles, and the turns that limit, mayfly and others take. */
#include "bench.h"
#include <mayfly/base.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TURNS = 15, ATTEMPTS = 3, TURN_NS = 10 * 1000 * 1000 /* of processor time, at least */ };
enum { LIMIT, CONTROL, OTHER /* the first of them */ };
static const double tolerance = 0.02; /* a control that is off by more: the row is run again */
static const int64_t patience_ns = (int64_t)20 * 1000 * 1000 * 1000; /* unless it has taken longer than this */

/* ---- clocks ---- */

static int64_t now(clockid_t clock) {
  struct timespec time;
  bench_need(clock_gettime(clock, &time) == 0, "clock_gettime");
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t processor_time(const struct bench_clock *clock) {
  return now(CLOCK_PROCESS_CPUTIME_ID) + (clock->has_peer ? now(clock->peer) : 0);
}

struct bench_clock bench_start(pid_t peer) {
  struct bench_clock clock = {.has_peer = peer != 0};
  if (clock.has_peer)
    bench_need(clock_getcpuclockid(peer, &clock.peer) == 0, "clock_getcpuclockid");
  clock.processor = processor_time(&clock);
  clock.wall = now(CLOCK_MONOTONIC);
  return clock;
}

struct bench_cost bench_stop(const struct bench_clock *start, long count) {
  double wall = (double)(now(CLOCK_MONOTONIC) - start->wall);
  double processor = (double)(processor_time(start) - start->processor);
  return (struct bench_cost){processor / (double)count, wall / (double)count};
}

/* ---- the other process ---- */

pid_t bench_fork(void) {
  fflush(stdout);
  pid_t peer = fork();
  bench_need(peer >= 0, "fork");
  return peer;
}

void bench_end_peer(void) {
  _exit(0);
}

void bench_await_peer(pid_t peer) {
  int status;
  bench_need(waitpid(peer, &status, 0) == peer && status == 0, "the other process");
}

void bench_need(int succeeded, const char *what) {
  if (succeeded)
    return;
  perror(what);
  _exit(1);
}

void bench_check(int result, const char *what) {
  if (result >= 0)
    return;
  fprintf(stderr, "%s: %s\n", what, mayfly_last_error());
  _exit(1);
}

/* ---- statistics ---- */

struct spread {
  double low, median, high; /* the quartiles */
};

static int compare(const void *one, const void *other) {
  double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static struct spread spread_of(double values[TURNS]) {
  qsort(values, TURNS, sizeof *values, compare);
  return (struct spread){values[TURNS / 4], values[TURNS / 2], values[TURNS - 1 - TURNS / 4]};
}

struct outcome {
  struct spread processor, control; /* who is compared, and the limit again: processor time as ratios to the limit */
  struct spread wall, wall_control; /* the same of elapsed time */
  struct spread limit_ns, other_ns;
};

static struct outcome outcome_of(const struct bench_cost *limit, const struct bench_cost *control,
                                 const struct bench_cost *other) {
  double values[6][TURNS];
  for (int i = 0; i < TURNS; i++) {
    values[0][i] = other[i].processor / limit[i].processor;
    values[1][i] = control[i].processor / limit[i].processor;
    values[2][i] = other[i].wall / limit[i].wall;
    values[3][i] = control[i].wall / limit[i].wall;
    values[4][i] = limit[i].processor;
    values[5][i] = other[i].processor;
  }
  return (struct outcome){spread_of(values[0]), spread_of(values[1]), spread_of(values[2]),
                          spread_of(values[3]), spread_of(values[4]), spread_of(values[5])};
}

/* ---- turns ---- */

static long operations_a_turn(bench_run *limit, const void *work) {
  long count = 1;
  while (limit(work, count).processor * (double)count < TURN_NS)
    count *= 2;
  return count;
}

/* Each comes first, second and last in its turn. */
static void take_turns(bench_run *limit, const void *work, long count, const struct bench_other *others, int number,
                       struct outcome *outcomes) {
  struct bench_other all[OTHER + BENCH_OTHERS] = {[LIMIT] = {NULL, limit, work}, [CONTROL] = {NULL, limit, work}};
  struct bench_cost costs[OTHER + BENCH_OTHERS][TURNS];
  memcpy(all + OTHER, others, (size_t)number * sizeof *others);
  for (int turn = 0; turn < TURNS; turn++)
    for (int i = 0; i < OTHER + number; i++) {
      int who = (turn + i) % (OTHER + number);
      costs[who][turn] = all[who].run(all[who].work, count);
    }
  for (int i = 0; i < number; i++)
    outcomes[i] = outcome_of(costs[LIMIT], costs[CONTROL], costs[OTHER + i]);
}

/* ---- rows ---- */

static double distance(double ratio) {
  return ratio > 1 ? ratio - 1 : 1 - ratio;
}

/* A miss that the control or the quartiles leave in doubt is none. */
static const char *verdict(const struct outcome *outcome, double target) {
  if (target == 0)
    return "";
  if (outcome->processor.median <= target)
    return "met";
  int resolved =
      outcome->processor.low > target && outcome->processor.median - target > distance(outcome->control.median);
  return resolved ? "missed" : "not resolved";
}

static int cores(void) {
  cpu_set_t set;
  bench_need(sched_getaffinity(0, sizeof set, &set) == 0, "sched_getaffinity");
  return CPU_COUNT(&set);
}

void bench_head(void) {
  if (getenv("BENCH_ROWS_ONLY") != NULL)
    return;
  puts("| work | cores | limit | mayfly | ratio | its quartiles | control | elapsed, control | target | |\n"
       "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

static void print_row(const char *name, double target, const struct outcome *outcome) {
  char wanted[16] = "";
  if (target > 0)
    snprintf(wanted, sizeof wanted, "%.2f", target);
  printf("| %s | %d | %.4g us | %.4g us | %.3f | %.3f to %.3f | %.3f | %.3f, %.3f | %s | %s |\n", name, cores(),
         outcome->limit_ns.median / 1000, outcome->other_ns.median / 1000, outcome->processor.median,
         outcome->processor.low, outcome->processor.high, outcome->control.median, outcome->wall.median,
         outcome->wall_control.median, wanted, verdict(outcome, target));
  fflush(stdout);
}

void bench_row(const char *name, double target, bench_run *limit, bench_run *mayfly, const void *work) {
  const struct bench_other contestant = {name, mayfly, work};
  long count = operations_a_turn(limit, work);
  int64_t begin = now(CLOCK_MONOTONIC);
  struct outcome best, next;
  take_turns(limit, work, count, &contestant, 1, &best);
  for (int i = 1; i < ATTEMPTS && distance(best.control.median) > tolerance; i++) {
    if (now(CLOCK_MONOTONIC) - begin > patience_ns)
      break;
    take_turns(limit, work, count, &contestant, 1, &next);
    if (distance(next.control.median) < distance(best.control.median))
      best = next;
  }
  print_row(name, target, &best);
}

void bench_others(bench_run *limit, const void *work, const struct bench_other *others, int number) {
  struct outcome outcomes[BENCH_OTHERS];
  bench_need(number <= BENCH_OTHERS, "room for so many others");
  take_turns(limit, work, operations_a_turn(limit, work), others, number, outcomes);
  for (int i = 0; i < number; i++)
    print_row(others[i].name, 0, &outcomes[i]);
}
