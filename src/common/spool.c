/* SPDX-License-Identifier: MIT */
/* spool.c - bytes that grow by doubling, up to a limit. */
#include "spool.h"
#include <mayfly/base.h>
#include <stdlib.h>
#include <string.h>

int mf_spool_holds(const struct mf_spool *spool, int64_t offset, size_t size) {
  return size == 0 || ((uint64_t)offset <= spool->max && size <= spool->max - (size_t)offset);
}

size_t mf_spool_read_at(const struct mf_spool *spool, void *buffer, size_t size, int64_t offset) {
  if ((uint64_t)offset >= spool->size)
    return 0;
  size_t left = spool->size - (size_t)offset;
  if (size > left)
    size = left;
  if (size > 0)
    memcpy(buffer, spool->bytes + offset, size);
  return size;
}

static int reserve(struct mf_spool *spool, size_t size) {
  if (size <= spool->capacity)
    return 0;
  size_t capacity = spool->capacity <= spool->max / 2 ? 2 * spool->capacity : spool->max;
  if (capacity < size)
    capacity = size;
  unsigned char *bytes = realloc(spool->bytes, capacity);
  if (bytes == NULL)
    return MAYFLY_ENOMEM;
  spool->bytes = bytes;
  spool->capacity = capacity;
  return 0;
}

/* What was cut off by a truncate is still there. */
static void fill_gap(struct mf_spool *spool, size_t end) {
  if (end > spool->size)
    memset(spool->bytes + spool->size, 0, end - spool->size);
}

int mf_spool_write_at(struct mf_spool *spool, const void *data, size_t size, int64_t offset) {
  if (size == 0)
    return 0;
  size_t end = (size_t)offset + size;
  int result = reserve(spool, end);
  if (result < 0)
    return result;
  fill_gap(spool, (size_t)offset);
  memcpy(spool->bytes + offset, data, size);
  if (end > spool->size)
    spool->size = end;
  return 0;
}

int mf_spool_truncate(struct mf_spool *spool, size_t size) {
  int result = reserve(spool, size);
  if (result < 0)
    return result;
  fill_gap(spool, size);
  spool->size = size;
  return 0;
}

void mf_spool_clear(struct mf_spool *spool) {
  free(spool->bytes);
  *spool = (struct mf_spool){.max = spool->max};
}
