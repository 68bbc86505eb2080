/* SPDX-License-Identifier: MIT */
/* memory.h - a secret, and whether it lies anywhere in the memory of a process.
 *
 * The one who looks must not have it lying about itself: so it is kept masked, and laid bare only in a buffer that is
 * wiped at once. What lies in memory that was given back counts too; since the allocator writes over its beginning, it
 * is the end of the secret that is looked for.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <sys/types.h>

enum { MEMORY_SECRET = 64 }; /* bytes */

void memory_secret(unsigned char bare[MEMORY_SECRET]); /* the same each time; memory_wipe() it */
void memory_wipe(void *bytes, size_t size);
int memory_count_secrets(pid_t pid); /* in all that the process may write to */

#endif
