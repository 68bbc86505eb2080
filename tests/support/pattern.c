/* SPDX-License-Identifier: MIT */
/* pattern.c - made and compared by the block, so that gigabytes take no time in a debug build. */
#include "pattern.h"
#include <string.h>

static const unsigned char *block(void) {
  static unsigned char bytes[PATTERN_BLOCK];
  static int made;
  if (!made) {
    for (size_t i = 0; i < PATTERN_BLOCK; i++)
      bytes[i] = (unsigned char)(i % 251);
    made = 1;
  }
  return bytes;
}

static size_t step(size_t left) {
  return left < PATTERN_BLOCK ? left : PATTERN_BLOCK;
}

void pattern_fill(void *buffer, size_t size) {
  for (size_t at = 0; at < size; at += PATTERN_BLOCK)
    memcpy((unsigned char *)buffer + at, block(), step(size - at));
}

int pattern_is(const void *buffer, size_t size) {
  for (size_t at = 0; at < size; at += PATTERN_BLOCK)
    if (memcmp((const unsigned char *)buffer + at, block(), step(size - at)) != 0)
      return 0;
  return 1;
}
