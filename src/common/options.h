/* SPDX-License-Identifier: MIT */
/* options.h - structs of options that may grow without breaking a program that is already built. */
#ifndef MF_OPTIONS_H
#define MF_OPTIONS_H

#include "private.h"
#include <stddef.h>

/* Copies the caller's options over `taken`, a struct of `size` bytes that holds the defaults; both begin with their
 * size. NULL leaves the defaults. MAYFLY_EINVAL: a size that is none, or members set that this version does not know.
 */
MF_PRIVATE int mf_options_take(const void *given, const char *name, void *taken, size_t size);

#endif
