/* SPDX-License-Identifier: MIT */
/* base.h - how every function of mayfly reports, and the few things that all its headers share.
 *
 * Calling sequence
 * ----------------
 * The caller
 *
 *  - calls a function and looks at what it returns: 0, or a count where the function's comment says so, is success;
 *    a negative number is one of the MAYFLY_E* below;
 *  - on failure asks mayfly_last_error(), on the same thread and before its next call of mayfly, for the words: they
 *    say what was tried, on which path or address, and why it failed;
 *  - logs or sends mayfly_err_name(), never the number: numbers differ between systems.
 *
 *      int result = mayfly_connect(&address, NULL, &connection);
 *      if (result < 0) {
 *        fprintf(stderr, "%s: %s\n", mayfly_err_name(result), mayfly_last_error());
 *        return 1;
 *      }
 *
 * Two functions return a pointer where another might return a number, since their result is borrowed for good
 * (mayfly_gettempdir() and its twin): NULL is their failure, and the words are set.
 *
 * Arguments
 * ---------
 * The object or address comes first, options next, outputs last. Outputs are untouched on failure; the one exception,
 * the size of a message that did not fit, is named where it applies. NULL for an object, or where an output is needed,
 * is MAYFLY_EINVAL. Paths and names are UTF-8; on POSIX they are bytes and are passed on as they are.
 *
 * Options are structs whose first member is `size`. Begin one with its ..._INIT macro, set the members you care for,
 * and hand in its address; NULL means the same as an untouched one. A member left 0 or NULL has its default. A `size`
 * of 0, a flag that is unknown, or one that the function has no use for is MAYFLY_EINVAL, in words that name it. A
 * program that was built with an older and shorter struct goes on working with a newer library; one with a longer
 * struct works with an older library as long as it sets nothing which that does not know, else it gets MAYFLY_EINVAL.
 *
 * Times are in milliseconds and their names end in `_ms`. As an argument 0 is "do not wait" and MAYFLY_FOREVER "as
 * long as it takes", other negative numbers are MAYFLY_EINVAL; as an option 0 is the default.
 *
 * Ownership
 * ---------
 *  - What is made through a `T **` is yours. The matching ..._close(T *) ends it, takes NULL, and the object is gone
 *    whatever it returns.
 *  - A `const` pointer that you get is borrowed: from its object until that object is closed (a received message:
 *    until the next receive), from the library for the life of the process.
 *  - A `char **` that you get is yours: give it back to mayfly_free().
 *  - What you hand in is copied before the call returns, but for the `context` of a callback and for a descriptor that
 *    is taken over (mayfly_connection_adopt()).
 *
 * Threads, fork, exit
 * -------------------
 * Any function may be called from several threads at once, on different objects; a connection may have one sender and
 * one receiver at a time. After fork() the child owns nothing of its parent's: it removes no file of the parent's and
 * unlinks no socket of it. Every descriptor is closed on exec from its creation. No call raises SIGPIPE, and EINTR is
 * handled inside. mayfly prints nothing, ends no process, and neither installs a signal handler nor starts a thread
 * unless asked to (mayfly_cleanup_on_signals()).
 */
#ifndef MAYFLY_BASE_H
#define MAYFLY_BASE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stands before everything that the library exports. On Windows MAYFLY_SHARED says that mayfly is a DLL. */
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

/* The number of an error: negative errno on POSIX; on Windows: the number that libuv has for it. */
#ifdef _WIN32
#define MAYFLY_NUMBER_(posix, windows) (windows)
#else
#define MAYFLY_NUMBER_(posix, windows) (-(posix))
#endif

/* What a failing function returns. The numbers are libuv's, so one switch serves code that uses both; those that libuv
 * lacks begin at -5000. An error of the system that has no name here comes as MAYFLY_EIO, and the system's own text
 * for it stands in the words. */
enum mayfly_error {
  /* The peer closed, between two messages.                                        (EOFError) */
  MAYFLY_EOF = -4095,
  /* The system denies access to the path or address. */
  MAYFLY_EACCES = MAYFLY_NUMBER_(EACCES, -4092),
  /* Somebody listens on this address already, or what has the path is no socket. */
  MAYFLY_EADDRINUSE = MAYFLY_NUMBER_(EADDRINUSE, -4091),
  /* A host that can't be resolved, or is none of this machine's. */
  MAYFLY_EADDRNOTAVAIL = MAYFLY_NUMBER_(EADDRNOTAVAIL, -4090),
  /* A family of addresses that this system lacks. */
  MAYFLY_EAFNOSUPPORT = MAYFLY_NUMBER_(EAFNOSUPPORT, -4089),
  /* Not now: try again. */
  MAYFLY_EAGAIN = MAYFLY_NUMBER_(EAGAIN, -4088),
  /* A descriptor that is none. */
  MAYFLY_EBADF = MAYFLY_NUMBER_(EBADF, -4083),
  /* In use. */
  MAYFLY_EBUSY = MAYFLY_NUMBER_(EBUSY, -4082),
  /* The object was shut down, or the process is ending. */
  MAYFLY_ECANCELED = MAYFLY_NUMBER_(ECANCELED, -4081),
  /* The system gave the connection up. */
  MAYFLY_ECONNABORTED = MAYFLY_NUMBER_(ECONNABORTED, -4079),
  /* Nobody listens on this address. */
  MAYFLY_ECONNREFUSED = MAYFLY_NUMBER_(ECONNREFUSED, -4078),
  /* The peer closed while something of ours was still unread, or the network dropped it. */
  MAYFLY_ECONNRESET = MAYFLY_NUMBER_(ECONNRESET, -4077),
  /* The name is taken, and so were all others that were tried. */
  MAYFLY_EEXIST = MAYFLY_NUMBER_(EEXIST, -4075),
  /* An argument that can't be right; the words name it. */
  MAYFLY_EINVAL = MAYFLY_NUMBER_(EINVAL, -4071),
  /* The device failed, or an error of the system that has no name here. */
  MAYFLY_EIO = MAYFLY_NUMBER_(EIO, -4070),
  /* A directory where a file was needed. */
  MAYFLY_EISDIR = MAYFLY_NUMBER_(EISDIR, -4068),
  /* Too many symbolic links on the way, or one where none is followed. */
  MAYFLY_ELOOP = MAYFLY_NUMBER_(ELOOP, -4067),
  /* This process, or the system, has no descriptor left. */
  MAYFLY_EMFILE = MAYFLY_NUMBER_(EMFILE, -4066),
  /* A message that is larger than its limit. */
  MAYFLY_EMSGSIZE = MAYFLY_NUMBER_(EMSGSIZE, -4065),
  /* A path or name that is longer than the system allows. */
  MAYFLY_ENAMETOOLONG = MAYFLY_NUMBER_(ENAMETOOLONG, -4064),
  /* No such file, directory or address. */
  MAYFLY_ENOENT = MAYFLY_NUMBER_(ENOENT, -4058),
  /* No memory. */
  MAYFLY_ENOMEM = MAYFLY_NUMBER_(ENOMEM, -4057),
  /* No room on the device. */
  MAYFLY_ENOSPC = MAYFLY_NUMBER_(ENOSPC, -4055),
  /* A socket that is not connected. */
  MAYFLY_ENOTCONN = MAYFLY_NUMBER_(ENOTCONN, -4053),
  /* A part of the path that is no directory. */
  MAYFLY_ENOTDIR = MAYFLY_NUMBER_(ENOTDIR, -4052),
  /* A directory that holds something which is not ours to remove. */
  MAYFLY_ENOTEMPTY = MAYFLY_NUMBER_(ENOTEMPTY, -4051),
  /* Not on this system, or not on this kind of object. */
  MAYFLY_ENOTSUP = MAYFLY_NUMBER_(ENOTSUP, -4049),
  /* The system does not permit it to this user. */
  MAYFLY_EPERM = MAYFLY_NUMBER_(EPERM, -4048),
  /* The peer is gone; or an earlier send stopped inside a message, so that none after it can be right. */
  MAYFLY_EPIPE = MAYFLY_NUMBER_(EPIPE, -4047),
  /* A message length that is none, or a message that was cut off. */
  MAYFLY_EPROTO = MAYFLY_NUMBER_(EPROTO, -4046),
  /* A file system that can only be read. */
  MAYFLY_EROFS = MAYFLY_NUMBER_(EROFS, -4043),
  /* Not in time. */
  MAYFLY_ETIMEDOUT = MAYFLY_NUMBER_(ETIMEDOUT, -4039),
  /* From one file system to another. */
  MAYFLY_EXDEV = MAYFLY_NUMBER_(EXDEV, -4037),
  /* A result that does not fit where it should go, or a number out of its range. */
  MAYFLY_ERANGE = MAYFLY_NUMBER_(ERANGE, -4034),
  /* Text that is not UTF-8, where the system needs it to be. */
  MAYFLY_EILSEQ = MAYFLY_NUMBER_(EILSEQ, -4027),
  /* The wrong key, or a handshake that is none.                                   (AuthenticationError) */
  MAYFLY_EAUTH = -5000,
  /* The peer is not one that is let in. */
  MAYFLY_EPEER = -5001,
  /* The name now belongs to something else, which was left alone. */
  MAYFLY_ESTOLEN = -5002,
  /* A pickle that would import or call something. No function reads pickles yet. */
  MAYFLY_EUNSAFE = -5003,
  /* An object of another type than was asked for. As the one before. */
  MAYFLY_ETYPE = -5004
};

/* A sentence about the number, such as "no such file or directory": the same for every failure with it, so prefer
 * mayfly_last_error(). Borrowed for ever, never NULL: 0 and a number that is none of the above have a sentence too.
 * Sets no words. Stands for os.strerror(), strerror(3). */
MAYFLY_API const char *mayfly_strerror(int error);

/* The number's name, such as "MAYFLY_ENOENT": what programs log and send to each other, since numbers differ between
 * systems. Borrowed for ever, never NULL: 0 and a number that is none of the above have a text too. Sets no words.
 * Stands for errno.errorcode[]. */
MAYFLY_API const char *mayfly_err_name(int error);

/* This thread's last failure in words, with what was tried and the path or address it was tried on; words that are
 * longer than some 500 bytes are cut and end in "...". Never NULL; "" before the first failure. A success does not
 * change it. Borrowed until this thread's next call of mayfly. Stands for the message of the exception. */
MAYFLY_API const char *mayfly_last_error(void);

/* As a time in milliseconds: wait as long as it takes. Stands for timeout=None. */
#define MAYFLY_FOREVER (-1)

/* A descriptor of the system's. On Windows: a HANDLE or a SOCKET. */
typedef intptr_t mayfly_os_fd;

/* No descriptor. */
#define MAYFLY_NO_FD ((mayfly_os_fd)-1)

/* Closes a descriptor that is yours, such as one from mayfly_recv_handle(); MAYFLY_NO_FD is nothing. It is gone,
 * whatever is returned. On Windows a HANDLE and a SOCKET are told apart. Stands for os.close(), close(2).
 *
 * MAYFLY_EBADF: it is not open. MAYFLY_EIO: the system could not write what was still to be written. */
MAYFLY_API int mayfly_os_fd_close(mayfly_os_fd fd);

/* Says whether programs that this process executes get the descriptor too, under the same number; those that mayfly
 * makes or adopts never do unless this says so. Other threads may execute programs at any time, so take it back soon.
 * On Windows the child must be made with inheritance. Stands for os.set_inheritable(), os.set_handle_inheritable().
 *
 * MAYFLY_EBADF: it is not open. */
MAYFLY_API int mayfly_os_fd_set_inheritable(mayfly_os_fd fd, int inheritable);

/* One piece of a message that is gathered from several. */
typedef struct mayfly_slice {
  /* Borrowed for the call; NULL only with a size of 0. */
  const void *data;
  /* In bytes. */
  size_t size;
} mayfly_slice;

/* Gives back memory that mayfly handed out through a `char **`; NULL is nothing. Only this function may: on Windows a
 * program and a DLL need not share one heap. Stands for free(3). */
MAYFLY_API void mayfly_free(void *memory);

/* The version of this header, first part: another one is another contract. */
#define MAYFLY_VERSION_MAJOR 0
/* The version of this header, second part. */
#define MAYFLY_VERSION_MINOR 1
/* The version of this header, third part: repairs only. */
#define MAYFLY_VERSION_PATCH 0

/* The version of the library that is running, as "0.1.0": a shared one may be newer than the header that the program
 * was built with. Borrowed for ever. */
MAYFLY_API const char *mayfly_version(void);

#ifdef __cplusplus
}
#endif
#endif
