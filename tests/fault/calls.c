/* SPDX-License-Identifier: MIT */
/* calls.c - a wrapper for each call, in the order of the list in CMakeLists.txt. */
#include "calls.h"
#include "fault.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct calls_hooks calls_hooks;

static const char *_Atomic failing; /* one at a time; the lock of fault.c is not for signal handlers */
static const char *last = "";
static int failing_with;

void calls_fail(const char *name, int nth, int times, int number) {
  fault_arm(name, nth, times);
  failing_with = number;
  last = name;
  atomic_store(&failing, name);
}

int calls_stop(void) {
  atomic_store(&failing, NULL);
  return fault_struck(last) > 0;
}

static int fails(const char *name) {
  const char *now = atomic_load(&failing);
  if (now == NULL || strcmp(now, name) != 0 || !fault_strikes(name))
    return 0;
  errno = failing_with;
  return 1;
}

/* result NAME(parameters): `failure` if it is its turn. */
#define WRAP(result, name, parameters, arguments, failure)                                                             \
  result __real_##name parameters;                                                                                     \
  result __wrap_##name parameters;                                                                                     \
  result __wrap_##name parameters {                                                                                    \
    return fails(#name) ? (failure) : __real_##name arguments;                                                         \
  }

/* ---- memory ---- */

WRAP(void *, malloc, (size_t size), (size), NULL)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL)
WRAP(void *, realloc, (void *memory, size_t size), (memory, size), NULL)
WRAP(char *, strdup, (const char *text), (text), NULL)
WRAP(char *, strndup, (const char *text, size_t size), (text, size), NULL)

/* ---- files ---- */

static int has_mode(int flags) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

/* From its birth: another thread may execute a program at any moment. */
static void expect_closed_by_exec(const char *path, int flags) {
  if ((flags & O_CLOEXEC) != 0)
    return;
  fprintf(stderr, "%s is opened without O_CLOEXEC\n", path);
  abort();
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  /* clang-tidy 14 does not see the va_start. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
  mode_t mode = has_mode(flags) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  expect_closed_by_exec(path, flags);
  if (calls_hooks.open != NULL && has_mode(flags))
    calls_hooks.open(mode);
  int refused = calls_hooks.refuse_open != NULL ? calls_hooks.refuse_open(flags) : 0;
  if (refused != 0) {
    errno = refused;
    return -1;
  }
  return fails("open") ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  /* clang-tidy 14 does not see the va_start. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
  mode_t mode = has_mode(flags) ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  expect_closed_by_exec(path, flags);
  return fails("openat") ? -1 : __real_openat(directory, path, flags, mode);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode) {
  if (calls_hooks.mkdir != NULL)
    calls_hooks.mkdir(mode);
  return fails("mkdir") ? -1 : __real_mkdir(path, mode);
}

WRAP(int, fstat, (int fd, struct stat *status), (fd, status), -1)
WRAP(int, fstatat, (int directory, const char *path, struct stat *status, int flags), (directory, path, status, flags),
     -1)
WRAP(int, lstat, (const char *path, struct stat *status), (path, status), -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)
WRAP(int, fchmodat, (int directory, const char *path, mode_t mode, int flags), (directory, path, mode, flags), -1)
WRAP(int, flock, (int fd, int operation), (fd, operation), -1)
WRAP(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size), -1)
WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), -1)
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset), -1)
WRAP(ssize_t, pread, (int fd, void *buffer, size_t size, off_t offset), (fd, buffer, size, offset), -1)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence), -1)

/* Those that give a file a name. */
#define WRAP_NAMING(name, parameters, arguments)                                                                       \
  int __real_##name parameters;                                                                                        \
  int __wrap_##name parameters;                                                                                        \
  int __wrap_##name parameters {                                                                                       \
    if (calls_hooks.naming != NULL)                                                                                    \
      calls_hooks.naming(from, to);                                                                                    \
    return fails(#name) ? -1 : __real_##name arguments;                                                                \
  }

WRAP_NAMING(link, (const char *from, const char *to), (from, to))
WRAP_NAMING(linkat, (int old, const char *from, int new, const char *to, int flags), (old, from, new, to, flags))
WRAP_NAMING(rename, (const char *from, const char *to), (from, to))
WRAP_NAMING(renameat2, (int old, const char *from, int new, const char *to, unsigned flags),
            (old, from, new, to, flags))

WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *status),
     (fd, path, flags, mask, status), -1)
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NULL)
WRAP(ssize_t, writev, (int fd, const struct iovec *pieces, int count), (fd, pieces, count), -1)
WRAP(int, unlink, (const char *path), (path), -1)
WRAP(int, unlinkat, (int directory, const char *path, int flags), (directory, path, flags), -1)
WRAP(int, rmdir, (const char *path), (path), -1)
WRAP(ssize_t, getdents64, (int fd, void *buffer, size_t size), (fd, buffer, size), -1)
WRAP(char *, getcwd, (char *buffer, size_t size), (buffer, size), NULL)

ssize_t __real_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
  if (calls_hooks.lacks_pwritev2) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return fails("pwritev2") ? -1 : __real_pwritev2(fd, pieces, count, offset, flags);
}

/* It closes all the same, as Linux does. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
  int result = __real_close(fd);
  return fails("close") ? -1 : result;
}

/* ---- sockets ---- */

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  int argument = va_arg(arguments, int);
  va_end(arguments);
  return fails("fcntl") ? -1 : __real_fcntl(fd, command, argument);
}

int __real_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size) {
  if (calls_hooks.bind != NULL)
    calls_hooks.bind();
  return fails("bind") ? -1 : __real_bind(fd, address, size);
}

/* A signal does not keep TCP from connecting. */
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size) {
  if (!fails("connect"))
    return __real_connect(fd, address, size);
  if (failing_with == EINTR && address->sa_family != AF_UNIX)
    __real_connect(fd, address, size);
  errno = failing_with;
  return -1;
}

WRAP(int, pipe2, (int ends[2], int flags), (ends, flags), -1)
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), -1)
WRAP(int, socketpair, (int family, int type, int protocol, int ends[2]), (family, type, protocol, ends), -1)
WRAP(int, listen, (int fd, int backlog), (fd, backlog), -1)
WRAP(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), (fd, address, size), -1)
WRAP(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size), -1)
WRAP(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), (fd, address, size, flags), -1)
WRAP(int, shutdown, (int fd, int how), (fd, how), -1)
WRAP(int, poll, (struct pollfd * polled, nfds_t count, int timeout), (polled, count, timeout), -1)
WRAP(ssize_t, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags), -1)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)
WRAP(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags), -1)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)

/* Its number is what it returns; errno counts for EAI_SYSTEM. */
int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list) {
  if (calls_hooks.getaddrinfo != NULL)
    return calls_hooks.getaddrinfo(port, list);
  if (!fails("getaddrinfo"))
    return __real_getaddrinfo(host, port, hints, list);
  if (failing_with < 0)
    return failing_with;
  return EAI_SYSTEM;
}

/* ---- the rest ---- */

int __real_getentropy(void *buffer, size_t size);
int __wrap_getentropy(void *buffer, size_t size);
int __wrap_getentropy(void *buffer, size_t size) {
  if (fails("getentropy"))
    return -1;
  return calls_hooks.getentropy != NULL ? calls_hooks.getentropy(buffer, size) : __real_getentropy(buffer, size);
}

WRAP(int, pthread_create, (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context),
     (thread, attributes, run, context), failing_with)
WRAP(int, pthread_atfork, (void (*prepare)(void), void (*parent)(void), void (*child)(void)), (prepare, parent, child),
     failing_with)
WRAP(int, atexit, (void (*run)(void)), (run), -1)

/* Fails for MD5 only: so it is in FIPS mode. */
int __real_EVP_MAC_CTX_set_params(EVP_MAC_CTX *context, const OSSL_PARAM parameters[]);
int __wrap_EVP_MAC_CTX_set_params(EVP_MAC_CTX *context, const OSSL_PARAM parameters[]);
int __wrap_EVP_MAC_CTX_set_params(EVP_MAC_CTX *context, const OSSL_PARAM parameters[]) {
  if (strcmp(parameters[0].data, "MD5") == 0 && fails("EVP_MAC_CTX_set_params"))
    return 0;
  return __real_EVP_MAC_CTX_set_params(context, parameters);
}
