/* SPDX-License-Identifier: MIT */
/* crypto.c - random bytes from the kernel, HMACs from libcrypto. */
#include "posix.h"
#include <openssl/evp.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

int mf_os_random(void *buffer, size_t size) {
  unsigned char *next = buffer;
  while (size > 0) {
    size_t some = size < 256 ? size : 256; /* more is refused */
    if (getentropy(next, some) != 0)
      return mf_posix_fail("get %zu random bytes", some);
    next += some;
    size -= some;
  }
  return 0;
}

int mf_os_hmac(enum mf_digest digest, const void *key, size_t key_size, const void *data, size_t size,
               uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  static const char *const names[MF_DIGEST_COUNT] = {[MF_MD5] = "MD5", [MF_SHA256] = "SHA256", [MF_SHA384] = "SHA384"};
  if (EVP_Q_mac(NULL, "HMAC", NULL, names[digest], NULL, key, key_size, data, size, out, MF_DIGEST_SIZE_MAX,
                out_size) == NULL)
    return mf_fail(MAYFLY_ENOTSUP, "HMAC-%s: libcrypto does not offer it (FIPS mode?)", names[digest]);
  return 0;
}
