/* SPDX-License-Identifier: MIT */
/* memory.c - copies, and secrets that must not stay behind. */
#include "memory.h"
#include "error.h"
#include <stdlib.h>
#include <string.h>

void *mf_duplicate(const void *memory, size_t size, size_t extra) {
  char *copy = malloc(size + extra);
  if (copy == NULL) {
    mf_fail(MAYFLY_ENOMEM, "copy %zu bytes: no memory", size);
    return NULL;
  }
  if (size > 0)
    memcpy(copy, memory, size);
  memset(copy + size, 0, extra);
  return copy;
}

void mf_wipe(void *memory, size_t size) {
  volatile unsigned char *bytes = memory;
  while (size > 0)
    bytes[--size] = 0;
}

void mayfly_free(void *memory) {
  free(memory);
}
