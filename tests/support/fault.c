/* SPDX-License-Identifier: MIT */
/* fault.c - counters by name. */
#include "fault.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MAX = 64 };

static struct fault {
  const char *name;
  int nth, times, calls, struck;
} faults[FAULTS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The one of that name, or the first unused one. */
static struct fault *find(const char *name) {
  for (int i = 0; i < FAULTS_MAX; i++)
    if (faults[i].name == NULL || strcmp(faults[i].name, name) == 0)
      return &faults[i];
  fprintf(stderr, "fault: no room for %s\n", name);
  abort();
}

void fault_arm(const char *name, int nth, int times) {
  pthread_mutex_lock(&lock);
  *find(name) = (struct fault){.name = name, .nth = nth, .times = times};
  pthread_mutex_unlock(&lock);
}

int fault_strikes(const char *name) {
  pthread_mutex_lock(&lock);
  struct fault *fault = find(name);
  int strikes = 0;
  if (fault->name != NULL) {
    fault->calls++;
    strikes = fault->calls >= fault->nth && fault->struck < fault->times;
    fault->struck += strikes;
  }
  pthread_mutex_unlock(&lock);
  return strikes;
}

static struct fault look(const char *name) {
  pthread_mutex_lock(&lock);
  struct fault fault = *find(name);
  pthread_mutex_unlock(&lock);
  return fault;
}

int fault_calls(const char *name) {
  return look(name).calls;
}

int fault_struck(const char *name) {
  return look(name).struck;
}

void fault_reset(void) {
  pthread_mutex_lock(&lock);
  memset(faults, 0, sizeof faults);
  pthread_mutex_unlock(&lock);
}
