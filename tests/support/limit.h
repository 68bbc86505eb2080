/* SPDX-License-Identifier: MIT */
/* limit.h - how many descriptors this process may have. */
#ifndef LIMIT_H
#define LIMIT_H

/* As many as the system lets it have, from now on. Windows counts none. */
void limit_raise(void);

#endif
