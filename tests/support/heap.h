/* SPDX-License-Identifier: MIT */
/* heap.h - how many bytes this process has allocated; 0 where the C library does not tell. */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>

#ifdef __GLIBC__
#include <malloc.h>

static inline size_t heap_used(void) {
  struct mallinfo2 known = mallinfo2();
  return known.uordblks + known.hblkhd;
}
#else
static inline size_t heap_used(void) {
  return 0;
}
#endif

#endif
