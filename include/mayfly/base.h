/* base.h - results, words, handles. */
#ifndef MAYFLY_BASE_H
#define MAYFLY_BASE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(MAYFLY_SHARED)
#ifdef MAYFLY_BUILDING
#define MAYFLY_API __declspec(dllexport)
#else
#define MAYFLY_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define MAYFLY_API __attribute__((visibility("default")))
#else
#define MAYFLY_API
#endif

/* Results: 0 or a count on success, one of these on failure. The numbers are libuv's, so one switch serves
 * code that uses both: negative errno on POSIX, libuv's own on Windows. Those libuv lacks begin at -5000. */
#ifdef _WIN32
#define MAYFLY_NUMBER_(posix, windows) (windows)
#else
#define MAYFLY_NUMBER_(posix, windows) (-(posix))
#endif
enum mayfly_error {
  MAYFLY_EOF = -4095,
  MAYFLY_EACCES = MAYFLY_NUMBER_(EACCES, -4092),
  MAYFLY_EADDRINUSE = MAYFLY_NUMBER_(EADDRINUSE, -4091),
  MAYFLY_EADDRNOTAVAIL = MAYFLY_NUMBER_(EADDRNOTAVAIL, -4090),
  MAYFLY_EAFNOSUPPORT = MAYFLY_NUMBER_(EAFNOSUPPORT, -4089),
  MAYFLY_EAGAIN = MAYFLY_NUMBER_(EAGAIN, -4088),
  MAYFLY_EBADF = MAYFLY_NUMBER_(EBADF, -4083),
  MAYFLY_EBUSY = MAYFLY_NUMBER_(EBUSY, -4082),
  MAYFLY_ECANCELED = MAYFLY_NUMBER_(ECANCELED, -4081),
  MAYFLY_ECONNABORTED = MAYFLY_NUMBER_(ECONNABORTED, -4079),
  MAYFLY_ECONNREFUSED = MAYFLY_NUMBER_(ECONNREFUSED, -4078),
  MAYFLY_ECONNRESET = MAYFLY_NUMBER_(ECONNRESET, -4077),
  MAYFLY_EEXIST = MAYFLY_NUMBER_(EEXIST, -4075),
  MAYFLY_EINVAL = MAYFLY_NUMBER_(EINVAL, -4071),
  MAYFLY_EIO = MAYFLY_NUMBER_(EIO, -4070),
  MAYFLY_EISDIR = MAYFLY_NUMBER_(EISDIR, -4068),
  MAYFLY_ELOOP = MAYFLY_NUMBER_(ELOOP, -4067),
  MAYFLY_EMFILE = MAYFLY_NUMBER_(EMFILE, -4066),
  MAYFLY_EMSGSIZE = MAYFLY_NUMBER_(EMSGSIZE, -4065),
  MAYFLY_ENAMETOOLONG = MAYFLY_NUMBER_(ENAMETOOLONG, -4064),
  MAYFLY_ENOENT = MAYFLY_NUMBER_(ENOENT, -4058),
  MAYFLY_ENOMEM = MAYFLY_NUMBER_(ENOMEM, -4057),
  MAYFLY_ENOSPC = MAYFLY_NUMBER_(ENOSPC, -4055),
  MAYFLY_ENOTCONN = MAYFLY_NUMBER_(ENOTCONN, -4053),
  MAYFLY_ENOTDIR = MAYFLY_NUMBER_(ENOTDIR, -4052),
  MAYFLY_ENOTEMPTY = MAYFLY_NUMBER_(ENOTEMPTY, -4051),
  MAYFLY_ENOTSUP = MAYFLY_NUMBER_(ENOTSUP, -4049),
  MAYFLY_EPERM = MAYFLY_NUMBER_(EPERM, -4048),
  MAYFLY_EPIPE = MAYFLY_NUMBER_(EPIPE, -4047),
  MAYFLY_EPROTO = MAYFLY_NUMBER_(EPROTO, -4046),
  MAYFLY_EROFS = MAYFLY_NUMBER_(EROFS, -4043),
  MAYFLY_ETIMEDOUT = MAYFLY_NUMBER_(ETIMEDOUT, -4039),
  MAYFLY_EXDEV = MAYFLY_NUMBER_(EXDEV, -4037),
  MAYFLY_ERANGE = MAYFLY_NUMBER_(ERANGE, -4034),
  MAYFLY_EILSEQ = MAYFLY_NUMBER_(EILSEQ, -4027),
  MAYFLY_EAUTH = -5000,   /* wrong key, or a handshake that is none      (AuthenticationError) */
  MAYFLY_EPEER = -5001,   /* the peer is not one that is let in */
  MAYFLY_ESTOLEN = -5002, /* the name now belongs to something else: left alone */
  MAYFLY_EUNSAFE = -5003, /* a pickle that would import or call something */
  MAYFLY_ETYPE = -5004    /* an object of another type than asked for */
};

MAYFLY_API const char *mayfly_strerror(int error);
MAYFLY_API const char *
mayfly_err_name(int error); /* "MAYFLY_ENOENT": what programs log and send; numbers differ between systems */
MAYFLY_API const char *mayfly_last_error(
    void); /* this thread's last failure in words, with the path or address; a success does not change it */

#define MAYFLY_FOREVER (-1) /* times end in _ms; 0: do not wait */

typedef intptr_t mayfly_os_fd; /* a descriptor, a HANDLE or a SOCKET */
#define MAYFLY_NO_FD ((mayfly_os_fd)-1)

typedef struct mayfly_slice {
  const void *data;
  size_t size;
} mayfly_slice;

MAYFLY_API void mayfly_free(void *memory);

#define MAYFLY_VERSION_MAJOR 0
#define MAYFLY_VERSION_MINOR 1
#define MAYFLY_VERSION_PATCH 0
MAYFLY_API const char *mayfly_version(void);

#ifdef __cplusplus
}
#endif
#endif
