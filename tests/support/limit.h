/* SPDX-License-Identifier: MIT */
/* limit.h - how many descriptors this process may have. */
#ifndef LIMIT_H
#define LIMIT_H

#include <stddef.h>

/* As many as the system lets it have, from now on: how many that is. Windows counts none; more than a few thousand take
 * long there. */
size_t limit_raise(void);

#endif
