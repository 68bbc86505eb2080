/* SPDX-License-Identifier: MIT */
/* error.c - errno into MAYFLY_E* and words. */

/* Before posix.h: without the system's extensions strerror_r is the standard's, which returns an int. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>

#include "posix.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const int known[] = {
    EACCES,       EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN,   EBADF,   EBUSY,     ECANCELED, ECONNABORTED,
    ECONNREFUSED, ECONNRESET, EEXIST,        EINVAL,       EIO,      EISDIR,  ELOOP,     EMFILE,    EMSGSIZE,
    ENAMETOOLONG, ENOENT,     ENOMEM,        ENOSPC,       ENOTCONN, ENOTDIR, ENOTEMPTY, ENOTSUP,   EPERM,
    EPIPE,        EPROTO,     EROFS,         ETIMEDOUT,    EXDEV,    ERANGE,  EILSEQ,
};

int mf_posix_code(int number) {
  if (number == ENFILE) /* out of descriptors, whoever has them */
    return MAYFLY_EMFILE;
  if (number == ENOBUFS)
    return MAYFLY_ENOMEM;
  if (number == EDQUOT)
    return MAYFLY_ENOSPC;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i] == number)
      return -number;
  return MAYFLY_EIO;
}

int mf_posix_fail(const char *format, ...) {
  int number = errno;
  char what[MF_OS_WORDS_SIZE];
  char why[128];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (strerror_r(number, why, sizeof why) != 0)
    snprintf(why, sizeof why, "error %d", number);
  return mf_fail(mf_posix_code(number), "%s: %s", what, why);
}
