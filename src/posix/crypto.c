/* SPDX-License-Identifier: MIT */
/* crypto.c - random bytes from the kernel, HMACs from libcrypto. */
#include "posix.h"
#include <openssl/core_names.h>
#include <openssl/err.h>
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

static const char *const names[MF_DIGEST_COUNT] = {[MF_MD5] = "MD5", [MF_SHA256] = "SHA256", [MF_SHA384] = "SHA384"};

/* With its digest chosen, and without a key: libcrypto looks both up by their names, which takes longer than an HMAC of
 * a few bytes. Made by whoever is first, and never given back. */
static _Atomic(EVP_MAC_CTX *) prepared[MF_DIGEST_COUNT];

static EVP_MAC_CTX *prepare(enum mf_digest digest) {
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)names[digest], 0),
                                   OSSL_PARAM_construct_end()};
  EVP_MAC_CTX *none = NULL;
  EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
  EVP_MAC_CTX *made = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
  EVP_MAC_free(mac);
  if (made == NULL || !EVP_MAC_CTX_set_params(made, parameters)) {
    EVP_MAC_CTX_free(made);
    return NULL;
  }
  if (atomic_compare_exchange_strong(&prepared[digest], &none, made))
    return made;
  EVP_MAC_CTX_free(made);
  return none;
}

static int compute(EVP_MAC_CTX *context, const void *key, size_t key_size, const void *data, size_t size, uint8_t *out,
                   size_t *out_size) {
  int done = context != NULL && EVP_MAC_init(context, key, key_size, NULL) && EVP_MAC_update(context, data, size) &&
             EVP_MAC_final(context, out, out_size, MF_DIGEST_SIZE_MAX);
  EVP_MAC_CTX_free(context);
  return done;
}

int mf_os_hmac(enum mf_digest digest, const void *key, size_t key_size, const void *data, size_t size,
               uint8_t out[MF_DIGEST_SIZE_MAX], size_t *out_size) {
  ERR_set_mark(); /* a failure of ours is not to be found by who asks about a call of its own */
  EVP_MAC_CTX *ready = atomic_load(&prepared[digest]);
  if (ready == NULL)
    ready = prepare(digest);
  int done = ready != NULL && compute(EVP_MAC_CTX_dup(ready), key, key_size, data, size, out, out_size);
  ERR_pop_to_mark();
  if (!done)
    return mf_fail(MAYFLY_ENOTSUP, "HMAC-%s: libcrypto does not offer it (FIPS mode?)", names[digest]);
  return 0;
}
