/* SPDX-License-Identifier: MIT */
/* spool.h - a file's content while it is in memory. Pure: whoever has more than `max` bytes looks for another place. */
#ifndef MF_SPOOL_H
#define MF_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct mf_spool { /* begins as {.max = ...}, ends with mf_spool_clear */
  unsigned char *bytes;
  size_t size, capacity;
  size_t max; /* of both */
};

/* Nonzero: with `size` bytes written at `offset` there would be no more than `max`. */
int mf_spool_holds(const struct mf_spool *spool, int64_t offset, size_t size);
/* How many bytes: fewer than `size` at the end, none behind it. */
size_t mf_spool_read_at(const struct mf_spool *spool, void *buffer, size_t size, int64_t offset);
/* All of them, with zeros between the end and `offset`; only what it holds. MAYFLY_ENOMEM: all is as it was. */
int mf_spool_write_at(struct mf_spool *spool, const void *data, size_t size, int64_t offset);
/* `size` at most `max`; what is added is zeros. MAYFLY_ENOMEM: all is as it was. */
int mf_spool_truncate(struct mf_spool *spool, size_t size);
void mf_spool_clear(struct mf_spool *spool); /* empty, and without memory */

#endif
