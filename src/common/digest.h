/* SPDX-License-Identifier: MIT */
/* digest.h - the digests that Python's handshake may ask for, and the shape of an HMAC over them. */
#ifndef MF_DIGEST_H
#define MF_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { MF_DIGEST_SIZE_MAX = 64 };
enum mf_digest { MF_MD5, MF_SHA256, MF_SHA384, MF_DIGEST_COUNT };

/* 0 and *out_size bytes in `out`, or a negative MAYFLY_E* (an absent digest is MAYFLY_ENOTSUP). */
typedef int mf_hmac_fn(enum mf_digest digest, const void *key, size_t key_size, const void *data, size_t size,
                       uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size);

#endif
