/* SPDX-License-Identifier: MIT */
/* pattern.h - the content of test messages: 0, 1, ..., 250, again and again; conversation.py knows it too. */
#ifndef PATTERN_H
#define PATTERN_H

#include <stddef.h>

enum { PATTERN_BLOCK = 251 * 4096 }; /* any number of blocks in a row are the pattern again */

void pattern_fill(void *buffer, size_t size);
int pattern_is(const void *buffer, size_t size);

#endif
