/* SPDX-License-Identifier: MIT */
/* toy_hmac.h - a keyed function in place of an HMAC, for tests of the handshake's steps: pure, and good for nothing
 * else. It depends on the digest, the key and the data, and each digest has its true size. */
#ifndef TOY_HMAC_H
#define TOY_HMAC_H

#include "digest.h"

static uint64_t toy_absorb(uint64_t state, const void *data, size_t size) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i++)
    state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
  return (state ^ size) * UINT64_C(0x9e3779b97f4a7c15);
}

static int toy_hmac(enum mf_digest digest, const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  static const size_t sizes[MF_DIGEST_COUNT] = {[MF_MD5] = 16, [MF_SHA256] = 32, [MF_SHA384] = 48};
  uint64_t state = toy_absorb(toy_absorb(digest, key, key_size), data, size);
  for (size_t i = 0; i < sizes[digest]; i++) {
    state = (state ^ state >> 29) * UINT64_C(0xbf58476d1ce4e5b9) + 1;
    out[i] = (uint8_t)(state >> 56);
  }
  *out_size = sizes[digest];
  return 0;
}

#endif
