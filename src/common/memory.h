/* SPDX-License-Identifier: MIT */
/* memory.h - copies, and secrets that must not stay behind. */
#ifndef MF_MEMORY_H
#define MF_MEMORY_H

#include "private.h"
#include <stddef.h>

/* A copy that is yours to free; NULL: no memory, and the words say so. `extra` bytes behind it are zeros. */
MF_PRIVATE void *mf_duplicate(const void *memory, size_t size, size_t extra);
/* Zeros that the compiler may not leave out because nobody reads them. */
MF_PRIVATE void mf_wipe(void *memory, size_t size);

#endif
