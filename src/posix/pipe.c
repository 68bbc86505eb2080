/* SPDX-License-Identifier: MIT */
/* pipe.c - pairs of connected ends, real pipes, and descriptors as they should be born: close-on-exec and without
 * SIGPIPE. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#ifdef __APPLE__ /* which has no way to ask for it at birth: a fork at the wrong moment inherits the descriptor */

void mf_posix_no_sigpipe(int socket) {
  int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

static int born(int fd, int flags) {
  if (fd < 0)
    return -1;
  mf_posix_no_sigpipe(fd);
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, flags) == 0)
    return fd;
  close(fd);
  return -1;
}

int mf_posix_pipe(int fds[2]) {
  if (pipe(fds) != 0)
    return -1;
  if (fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 &&
      fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0)
    return 0;
  close(fds[0]);
  close(fds[1]);
  return -1;
}

int mf_posix_socket(int family, int type) {
  return born(socket(family, type, 0), O_NONBLOCK);
}

int mf_posix_accept(int listening, struct sockaddr *address, socklen_t *size) {
  return born(accept(listening, address, size), 0);
}

static int socket_pair(int fds[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
    return -1;
  if (born(fds[0], 0) >= 0 && born(fds[1], 0) >= 0)
    return 0;
  close(fds[0]);
  close(fds[1]);
  return -1;
}

#else

void mf_posix_no_sigpipe(int socket) {
  (void)socket;
}

int mf_posix_pipe(int fds[2]) {
  if (pipe2(fds, O_CLOEXEC) != 0)
    return -1;
  if (fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0)
    return 0;
  int saved = errno;
  close(fds[0]);
  close(fds[1]);
  errno = saved;
  return -1;
}

int mf_posix_socket(int family, int type) {
  return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int mf_posix_accept(int listening, struct sockaddr *address, socklen_t *size) {
  return accept4(listening, address, size, SOCK_CLOEXEC);
}

static int socket_pair(int fds[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
}

#endif

int mf_posix_blocking(int fd) {
  return fcntl(fd, F_SETFL, 0);
}

/* ---- real pipes ---- */

/* To `most` bytes at the most; how many there are then. */
static size_t shorten(struct iovec *pieces, int *count, size_t most) {
  size_t size = 0;
  for (int i = 0; i < *count; i++) {
    if (pieces[i].iov_len >= most - size) {
      pieces[i].iov_len = most - size;
      *count = i + 1;
    }
    size += pieces[i].iov_len;
  }
  return size;
}

static int sigpipe_is_pending(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

#ifdef RWF_HIPRI /* there is pwritev2 */

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100 /* since Linux 6.18 */
#endif

static ssize_t write_quietly(mf_os_stream *pipe, const struct iovec *pieces, int count) {
  ssize_t written = pwritev2(pipe->fd, pieces, count, -1, RWF_NOSIGNAL);
  pipe->raises = written < 0 && mf_posix_lacks_it(errno);
  return written;
}

#else

static ssize_t write_quietly(mf_os_stream *pipe, const struct iovec *pieces, int count) {
  (void)pieces, (void)count;
  pipe->raises = 1;
  return -1;
}

#endif

/* A pipe's writer is sent SIGPIPE even where some of it was written. This thread blocks the signal meanwhile and takes
 * it back, unless the program itself had blocked one that was there before. */
static ssize_t write_with_signal_blocked(int fd, const struct iovec *pieces, int count, size_t size) {
  sigset_t sigpipe, before;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
  int was_pending = sigismember(&before, SIGPIPE) == 1 && sigpipe_is_pending();
  ssize_t written = writev(fd, pieces, count);
  int number = errno, taken;
  if (written != (ssize_t)size && !was_pending && sigpipe_is_pending())
    sigwait(&sigpipe, &taken);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = number;
  return written;
}

ssize_t mf_posix_pipe_write(mf_os_stream *pipe, struct iovec *pieces, int count, size_t most) {
  size_t size = shorten(pieces, &count, most);
  ssize_t written = pipe->raises ? -1 : write_quietly(pipe, pieces, count);
  return pipe->raises ? write_with_signal_blocked(pipe->fd, pieces, count, size) : written;
}

/* ---- pairs ---- */

int mf_os_stream_pair(int duplex, mf_os_stream *ends[2]) {
  mf_os_stream *made[2];
  int fds[2];
  if (socket_pair(fds) != 0)
    return mf_posix_fail("make a pipe");
  if (!duplex && shutdown(fds[0], SHUT_WR) != 0) { /* which shuts the other end for reading too */
    int result = mf_posix_fail("make a pipe: shut one direction");
    close(fds[0]);
    close(fds[1]);
    return result;
  }
  int result = mf_posix_stream_new(fds[0], AF_UNIX, &made[0]);
  if (result < 0) {
    close(fds[1]);
    return result;
  }
  result = mf_posix_stream_new(fds[1], AF_UNIX, &made[1]);
  if (result < 0) {
    mf_os_stream_close(made[0]);
    return result;
  }
  ends[0] = made[0];
  ends[1] = made[1];
  return 0;
}
