/* SPDX-License-Identifier: MIT */
/* name.h - random bytes into the characters that Python's temporary names are made of.
 * Pure: the caller brings the randomness. */
#ifndef MF_NAME_H
#define MF_NAME_H

#include <stddef.h>
#include <stdint.h>

enum { MF_NAME_SIZE = 8, MF_NAME_SECRET_SIZE = 16 }; /* a name as Python's; one that is the only secret, over 80 bits */

/* `size` characters of a-z0-9_ out of as many random bytes, and a NUL after them; `size` is a multiple of 8. */
void mf_name_encode(const uint8_t *random, size_t size, char *name);

#endif
