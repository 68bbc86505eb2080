/* SPDX-License-Identifier: MIT */
/* asleep.c - what /proc/PID/stat(5) says of a thread. */
#include "asleep.h"
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int asleep_self(void) {
  return (int)syscall(SYS_gettid);
}

int asleep_is(int thread) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  FILE *file = fopen(path, "r");
  if (file == NULL)
    return 1;
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  const char *end = strrchr(text, ')');
  return end == NULL || end[2] != 'R';
}
