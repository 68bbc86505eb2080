/* SPDX-License-Identifier: MIT */
/* memory.c - a process's memory, as the system shows it: /proc/PID/maps and mem. */
#include "memory.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MASK = 0x5a, SOUGHT = MEMORY_SECRET / 2, CHUNK = 1 << 16 };

/* A sanitizer's own tables, which are sparse, are larger. */
static const uint64_t region_max = UINT64_C(1) << 30;

static unsigned char masked(size_t i) {
  return (unsigned char)(37 * i + 11);
}

void memory_secret(unsigned char bare[MEMORY_SECRET]) {
  for (size_t i = 0; i < MEMORY_SECRET; i++)
    bare[i] = masked(i) ^ MASK;
}

void memory_wipe(void *bytes, size_t size) {
  explicit_bzero(bytes, size);
}

static int is_end_of_secret(const unsigned char *bytes) {
  size_t i = 0;
  while (i < SOUGHT && (bytes[i] ^ MASK) == masked(MEMORY_SECRET - SOUGHT + i))
    i++;
  return i == SOUGHT;
}

static int count_in(const unsigned char *bytes, size_t size) {
  int count = 0;
  for (size_t i = 0; i + SOUGHT <= size; i++)
    count += is_end_of_secret(bytes + i);
  return count;
}

/* In pieces that overlap. */
static int count_in_region(int mem, uint64_t begin, uint64_t end) {
  static unsigned char chunk[CHUNK];
  int count = 0;
  for (uint64_t at = begin; at + SOUGHT <= end; at += CHUNK - SOUGHT + 1) {
    ssize_t size = pread(mem, chunk, end - at < CHUNK ? (size_t)(end - at) : CHUNK, (off_t)at);
    count += size > 0 ? count_in(chunk, (size_t)size) : 0;
    memory_wipe(chunk, sizeof chunk);
  }
  return count;
}

static int open_of(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_return_code(fd, errno);
  return fd;
}

int memory_count_secrets(pid_t pid) {
  char line[512];
  uint64_t begin, end;
  int count = 0, mem = open_of(pid, "mem");
  FILE *maps = fdopen(open_of(pid, "maps"), "r");
  assert_non_null(maps);
  while (fgets(line, sizeof line, maps) != NULL)
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw", &begin, &end) == 2 && strstr(line, " rw") != NULL &&
        end - begin <= region_max)
      count += count_in_region(mem, begin, end);
  fclose(maps);
  close(mem);
  return count;
}
