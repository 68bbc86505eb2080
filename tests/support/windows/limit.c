/* SPDX-License-Identifier: MIT */
/* limit.c - handles are not counted here. */
#include "../limit.h"

void limit_raise(void) {}
