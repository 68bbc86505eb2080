/* SPDX-License-Identifier: MIT */
/* user.h - this process's user and group, as mayfly_peer has them. Windows has no numbers for them: -1. */
#ifndef USER_H
#define USER_H

#include <stdint.h>

int64_t user_id(void);
int64_t user_group(void);

#endif
