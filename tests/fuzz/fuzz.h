/* SPDX-License-Identifier: MIT */
/* fuzz.h - what each fuzz target is made of. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* In every build, unlike assert(). */
#define CHECK(claim) ((claim) ? (void)0 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim), abort()))

/* One input of a corpus, or one that libFuzzer made. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
