/* SPDX-License-Identifier: MIT */
/* posix.h - what the files of this backend share. Includes come after it: it asks for the system's extensions. */
#ifndef MF_POSIX_H
#define MF_POSIX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef __LP64__ /* where it is so, off_t has 64 bits anyway */
#define _FILE_OFFSET_BITS 64
#endif

#include "../common/error.h"
#include "../common/os.h"
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE, set when the socket is made */
#endif

/* result = call, until it is no signal that interrupts it. */
#define MF_POSIX_RETRY(result, call)                                                                                   \
  do                                                                                                                   \
    (result) = (call);                                                                                                 \
  while ((result) < 0 && errno == EINTR)

/* ---- error.c ---- */

/* errno as one of ours; MAYFLY_EIO where it has no name of ours. */
int mf_posix_code(int number);
/* To be called on the line after the call that failed: the words, ": " and what errno says; returns its code. */
int mf_posix_fail(const char *format, ...) MF_PRINTF(1, 2);

/* ---- file.c ---- */

/* The errno of a path that leads nowhere: nothing has the name, or a file is where its directory was. */
int mf_posix_is_gone(int number);
/* 1: `path`, links not followed, is what `status` tells of. 0: it is something else, or not there. -1: errno. */
int mf_posix_same(const char *path, const struct stat *status);
/* rename(2) to a name that nothing has; -1: errno, and mf_posix_lacks_it() where the system, or the file system, can't
 * do that in one call. */
int mf_posix_rename_to_free(const char *from, const char *to);
int mf_posix_lacks_it(int number);
mode_t mf_posix_umask(void);

/* ---- directory.c ---- */

enum { MF_POSIX_GONE, MF_POSIX_SAME, MF_POSIX_STRANGER };
/* What `name` in `parent` (AT_FDCWD: a path) is to the directory that is held. -1: errno. */
int mf_posix_compare(int parent, const char *name, const struct stat *held);
/* A directory itself, not through a link, to be read; -1: errno. In any case: its owner is let in first. */
int mf_posix_open_at(int parent, const char *name);
int mf_posix_open_in_any_case(int parent, const char *name);
/* Each entry of the open directory but "." and "..", from its beginning, until `visit` returns something else than 0;
 * `type` as in a struct dirent. -1: errno. */
int mf_posix_each_entry(int fd, int (*visit)(void *context, const char *name, int type), void *context);

/* ---- tree.c ---- */

struct mf_posix_tree {
  const char *path; /* for words */
  int parent;       /* the directory in which it is `name` */
  const char *name;
  int held;
  struct stat status; /* who it is */
};
/* As mf_os_directory_remove(); neither descriptor is closed. */
int mf_posix_tree_remove(const struct mf_posix_tree *tree, int (*progress)(void *context, uint64_t removed),
                         void *context);

/* ---- stream.c ---- */

struct mf_os_stream {
  int fd;
  int family; /* AF_UNIX: the system knows its peer, and carries descriptors; AF_UNSPEC: no socket but a real pipe */
  int raises; /* of a real pipe: a write of it can't be asked to raise no signal */
  atomic_int shut;
};

/* Takes `fd` over: on failure it is closed. */
int mf_posix_stream_new(int fd, int family, mf_os_stream **stream);

/* ---- socket.c ---- */

struct mf_os_listener {
  int fd;
  int wake[2]; /* a byte in it, never read, wakes all who wait: shutdown(2) does not do so everywhere */
  atomic_int shut;
  struct stat status; /* who `path` is */
  char *path;         /* absolute, so that a later chdir does not matter; NULL: there is no name to remove */
  atomic_int removed;
};

/* ---- pipe.c: real pipes, and descriptors as they should be born ---- */

/* writev(2) without SIGPIPE, of `most` bytes at the most, for which the last piece is shortened; -1: errno. */
ssize_t mf_posix_pipe_write(mf_os_stream *pipe, struct iovec *pieces, int count, size_t most);
void mf_posix_no_sigpipe(int socket); /* where sends can't ask for that themselves (MSG_NOSIGNAL) */

int mf_posix_pipe(int fds[2]);             /* close-on-exec, the writing end never blocks; -1: errno */
int mf_posix_socket(int family, int type); /* close-on-exec, without SIGPIPE, O_NONBLOCK; -1: errno */
int mf_posix_accept(int listening, struct sockaddr *address, socklen_t *size); /* close-on-exec, blocking; -1: errno */
int mf_posix_blocking(int fd); /* takes O_NONBLOCK away from a socket that nobody shares yet */

/* ---- wait.c ---- */

/* 1: one of `events`, an error or an end is there. 0: the deadline passed. */
int mf_posix_wait(int fd, short events, int64_t deadline);

#endif
