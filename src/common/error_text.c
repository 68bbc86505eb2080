/* SPDX-License-Identifier: MIT */
/* error_text.c - the errors of base.h by name and in a sentence, and the version. */
#include <mayfly/base.h>

#define ERRORS(X)                                                                                                      \
  X(MAYFLY_EOF, "the peer has closed the connection")                                                                  \
  X(MAYFLY_EACCES, "permission denied")                                                                                \
  X(MAYFLY_EADDRINUSE, "the address is in use")                                                                        \
  X(MAYFLY_EADDRNOTAVAIL, "the address is not available")                                                              \
  X(MAYFLY_EAFNOSUPPORT, "this system lacks that family of addresses")                                                 \
  X(MAYFLY_EAGAIN, "not now, try again")                                                                               \
  X(MAYFLY_EBADF, "not an open descriptor")                                                                            \
  X(MAYFLY_EBUSY, "in use by somebody else")                                                                           \
  X(MAYFLY_ECANCELED, "canceled by a shutdown")                                                                        \
  X(MAYFLY_ECONNABORTED, "the connection was aborted")                                                                 \
  X(MAYFLY_ECONNREFUSED, "nobody listens at the address")                                                              \
  X(MAYFLY_ECONNRESET, "the peer has reset the connection")                                                            \
  X(MAYFLY_EEXIST, "the name exists already")                                                                          \
  X(MAYFLY_EINVAL, "an argument is not valid")                                                                         \
  X(MAYFLY_EIO, "input or output failed")                                                                              \
  X(MAYFLY_EISDIR, "is a directory")                                                                                   \
  X(MAYFLY_ELOOP, "too many symbolic links")                                                                           \
  X(MAYFLY_EMFILE, "too many open descriptors")                                                                        \
  X(MAYFLY_EMSGSIZE, "the message is too large")                                                                       \
  X(MAYFLY_ENAMETOOLONG, "the name is too long")                                                                       \
  X(MAYFLY_ENOENT, "no such file or directory")                                                                        \
  X(MAYFLY_ENOMEM, "out of memory")                                                                                    \
  X(MAYFLY_ENOSPC, "no space is left")                                                                                 \
  X(MAYFLY_ENOTCONN, "not connected")                                                                                  \
  X(MAYFLY_ENOTDIR, "not a directory")                                                                                 \
  X(MAYFLY_ENOTEMPTY, "the directory is not empty")                                                                    \
  X(MAYFLY_ENOTSUP, "not supported here")                                                                              \
  X(MAYFLY_EPERM, "operation not permitted")                                                                           \
  X(MAYFLY_EPIPE, "the connection can no longer be written to")                                                        \
  X(MAYFLY_EPROTO, "the peer does not keep to the protocol")                                                           \
  X(MAYFLY_EROFS, "the file system is read-only")                                                                      \
  X(MAYFLY_ETIMEDOUT, "out of time")                                                                                   \
  X(MAYFLY_EXDEV, "on different file systems")                                                                         \
  X(MAYFLY_ERANGE, "out of range")                                                                                     \
  X(MAYFLY_EILSEQ, "not valid text")                                                                                   \
  X(MAYFLY_EAUTH, "the peers could not prove to each other that they hold the same key")                               \
  X(MAYFLY_EPEER, "the peer is not one that is let in")                                                                \
  X(MAYFLY_ESTOLEN, "the name now belongs to something else, which was left alone")                                    \
  X(MAYFLY_EUNSAFE, "the pickle would import or call something")                                                       \
  X(MAYFLY_ETYPE, "the object is of another type than asked for")

/* A table and not a switch: two names may share a number, as EEXIST and ENOTEMPTY do on AIX. */
#define ROW(name, sentence) {name, #name, sentence},
static const struct error_text {
  int number;
  const char *name;
  const char *sentence;
} texts[] = {{0, "MAYFLY_OK", "success"}, ERRORS(ROW)};

static const struct error_text unknown = {0, "MAYFLY_UNKNOWN", "unknown error"};

static const struct error_text *find_text(int number) {
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (texts[i].number == number)
      return &texts[i];
  return &unknown;
}

const char *mayfly_strerror(int error) {
  return find_text(error)->sentence;
}

const char *mayfly_err_name(int error) {
  return find_text(error)->name;
}

#define QUOTE(text) TEXT(text)
#define TEXT(text)  #text
const char *mayfly_version(void) {
  return QUOTE(MAYFLY_VERSION_MAJOR) "." QUOTE(MAYFLY_VERSION_MINOR) "." QUOTE(MAYFLY_VERSION_PATCH);
}
