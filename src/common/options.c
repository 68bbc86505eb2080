/* SPDX-License-Identifier: MIT */
/* options.c - structs of options that may grow without breaking a program that is already built. */
#include "options.h"
#include "error.h"
#include <string.h>

int mf_options_take(const void *given, const char *name, void *taken, size_t size) {
  size_t given_size;
  if (given == NULL)
    return 0;
  memcpy(&given_size, given, sizeof given_size);
  if (given_size < 2 * sizeof given_size)
    return mf_fail(MAYFLY_EINVAL, "%s: a size of %zu; begin it with its ..._INIT", name, given_size);
  for (size_t i = size; i < given_size; i++)
    if (((const unsigned char *)given)[i] != 0)
      return mf_fail(MAYFLY_EINVAL, "%s: a member is set that this version (%s) does not know", name, mayfly_version());
  memcpy(taken, given, given_size < size ? given_size : size);
  memcpy(taken, &size, sizeof size);
  return 0;
}
