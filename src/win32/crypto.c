/* SPDX-License-Identifier: MIT */
/* crypto.c - random bytes and HMACs from the system's bcrypt. */
#include "win32.h"
/* After windows.h, which it does not include. */
#include <bcrypt.h>

int mf_os_random(void *buffer, size_t size) {
  unsigned char *next = buffer;
  while (size > 0) {
    ULONG some = size < 65536 ? (ULONG)size : 65536;
    NTSTATUS status = BCryptGenRandom(NULL, next, some, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    if (status < 0)
      return mf_fail(MAYFLY_EIO, "get %lu random bytes: status 0x%08lx", some, (unsigned long)status);
    next += some;
    size -= some;
  }
  return 0;
}

static NTSTATUS digest_with(BCRYPT_ALG_HANDLE algorithm, const void *key, ULONG key_size, const void *data, ULONG size,
                            uint8_t *out, ULONG out_size) {
  BCRYPT_HASH_HANDLE hash;
  NTSTATUS status = BCryptCreateHash(algorithm, &hash, NULL, 0, (PUCHAR)key, key_size, 0);
  if (status < 0)
    return status;
  status = BCryptHashData(hash, (PUCHAR)data, size, 0);
  if (status >= 0)
    status = BCryptFinishHash(hash, out, out_size, 0);
  BCryptDestroyHash(hash);
  return status;
}

int mf_os_hmac(enum mf_digest digest, const void *key, size_t key_size, const void *data, size_t size,
               uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  static const struct {
    const wchar_t *id;
    const char *name;
    ULONG size;
  } digests[MF_DIGEST_COUNT] = {[MF_MD5] = {BCRYPT_MD5_ALGORITHM, "MD5", 16},
                                [MF_SHA256] = {BCRYPT_SHA256_ALGORITHM, "SHA256", 32},
                                [MF_SHA384] = {BCRYPT_SHA384_ALGORITHM, "SHA384", 48}};
  BCRYPT_ALG_HANDLE algorithm;
  if (key_size > ULONG_MAX || size > ULONG_MAX)
    return mf_fail(MAYFLY_EINVAL, "HMAC-%s: over 4 GiB", digests[digest].name);
  NTSTATUS status = BCryptOpenAlgorithmProvider(&algorithm, digests[digest].id, NULL, BCRYPT_ALG_HANDLE_HMAC_FLAG);
  if (status >= 0) {
    status = digest_with(algorithm, key, (ULONG)key_size, data, (ULONG)size, out, digests[digest].size);
    BCryptCloseAlgorithmProvider(algorithm, 0);
  }
  if (status < 0)
    return mf_fail(MAYFLY_ENOTSUP, "HMAC-%s: bcrypt does not offer it (FIPS mode?): status 0x%08lx",
                   digests[digest].name, (unsigned long)status);
  *out_size = digests[digest].size;
  return 0;
}
