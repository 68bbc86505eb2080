/* SPDX-License-Identifier: MIT */
/* stream.c - bytes over a connected socket.
 *
 * The descriptor stays blocking, since others may share it: without a deadline recv and sendmsg wait themselves, with
 * one MSG_DONTWAIT keeps them from it and poll(2) waits. A shutdown sets the flag, then shuts the socket: whoever
 * waits is woken by the system, and the flag tells it why. */
#include "posix.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

int mf_posix_stream_new(int fd, int family, mf_os_stream **stream) {
  mf_os_stream *made = calloc(1, sizeof *made);
  if (made == NULL) {
    close(fd);
    return mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
  }
  made->fd = fd;
  made->family = family;
  atomic_init(&made->shut, 0);
  *stream = made;
  return 0;
}

static int canceled(const mf_os_stream *stream, const char *what) {
  return mf_fail(MAYFLY_ECANCELED, "%s descriptor %d: the connection was shut down", what, stream->fd);
}

int mf_os_stream_keeps_messages(const mf_os_stream *stream) {
  (void)stream;
  return 0;
}

/* 1: go on. */
static int await(const mf_os_stream *stream, short events, int64_t deadline, const char *what) {
  int ready = deadline <= 0 ? 0 : mf_posix_wait(stream->fd, events, deadline);
  if (ready == 0)
    return mf_fail(MAYFLY_ETIMEDOUT, "%s descriptor %d: the time ran out", what, stream->fd);
  return ready;
}

int64_t mf_os_stream_read(mf_os_stream *stream, void *buffer, size_t size, int64_t deadline, uint64_t *left) {
  int flags = deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT;
  while (!atomic_load(&stream->shut)) {
    ssize_t count = recv(stream->fd, buffer, size, flags);
    if (count > 0) {
      *left = 0;
      return count;
    }
    if (count == 0 && !atomic_load(&stream->shut))
      return mf_fail(MAYFLY_EOF, "receive on descriptor %d: the peer closed the connection", stream->fd);
    if (count < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
      return mf_posix_fail("receive on descriptor %d", stream->fd);
    if (count < 0 && errno != EINTR) {
      int result = await(stream, POLLIN, deadline, "receive on");
      if (result < 0)
        return result;
    }
  }
  return canceled(stream, "receive on");
}

int mf_os_stream_poll(mf_os_stream *stream, int64_t deadline) {
  int ready = atomic_load(&stream->shut) ? 1 : mf_posix_wait(stream->fd, POLLIN, deadline);
  return ready == 1 && atomic_load(&stream->shut) ? canceled(stream, "poll") : ready;
}

/* ---- gathered writes ---- */

struct cursor { /* what of the slices has not left yet */
  const mayfly_slice *slices;
  size_t count, offset; /* offset: into the first */
};

/* msg_iovlen is a size_t in glibc and an int elsewhere: what this returns goes into both. */
static unsigned short fill(const struct cursor *cursor, struct iovec *pieces) {
  unsigned short count = cursor->count < IOV_MAX ? (unsigned short)cursor->count : IOV_MAX;
  for (unsigned short i = 0; i < count; i++)
    pieces[i] = (struct iovec){(void *)cursor->slices[i].data, cursor->slices[i].size};
  pieces[0].iov_base = (char *)pieces[0].iov_base + cursor->offset; /* the first is not empty, and so not NULL */
  pieces[0].iov_len -= cursor->offset;
  return count;
}

static void advance(struct cursor *cursor, size_t size) {
  cursor->offset += size;
  while (cursor->count > 0 && cursor->offset >= cursor->slices->size) {
    cursor->offset -= cursor->slices->size;
    cursor->slices++;
    cursor->count--;
  }
}

static ssize_t send_pieces(int fd, const struct cursor *cursor, int flags) {
  if (cursor->count == 1)
    return send(fd, (const char *)cursor->slices->data + cursor->offset, cursor->slices->size - cursor->offset, flags);
  struct iovec pieces[IOV_MAX];
  struct msghdr message = {.msg_iov = pieces};
  message.msg_iovlen = fill(cursor, pieces);
  return sendmsg(fd, &message, flags);
}

static int send_failed(const mf_os_stream *stream) {
  if (atomic_load(&stream->shut))
    return canceled(stream, "send on");
  if (errno == EPIPE || errno == ECONNRESET)
    return mf_fail(MAYFLY_EPIPE, "send on descriptor %d: the peer is gone", stream->fd);
  return mf_posix_fail("send on descriptor %d", stream->fd);
}

/* Whatever stopped a message after some of it had left: none after it can be right. */
static int cut_off(const mf_os_stream *stream, int result) {
  if (result == MAYFLY_ETIMEDOUT)
    return mf_fail(MAYFLY_EPIPE, "send on descriptor %d: the time ran out in the middle of a message", stream->fd);
  if (result == MAYFLY_EPIPE || result == MAYFLY_ECANCELED)
    return result;
  return mf_fail(MAYFLY_EPIPE, "%s, in the middle of a message", mayfly_last_error());
}

int mf_os_stream_write(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline) {
  int flags = MSG_NOSIGNAL | (deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT);
  struct cursor cursor = {slices, count, 0};
  int begun = 0;
  int result = 0;
  advance(&cursor, 0); /* over slices that are empty */
  while (cursor.count > 0 && result >= 0) {
    if (atomic_load(&stream->shut))
      return canceled(stream, "send on");
    ssize_t sent = send_pieces(stream->fd, &cursor, flags);
    if (sent > 0) {
      advance(&cursor, (size_t)sent);
      begun = 1;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK)
      result = await(stream, POLLOUT, deadline, "send on");
    else if (errno != EINTR)
      result = send_failed(stream);
  }
  if (result >= 0)
    return 0;
  return begun ? cut_off(stream, result) : result;
}

int64_t mf_os_stream_write_some(mf_os_stream *stream, const mayfly_slice *slices, size_t count) {
  struct cursor cursor = {slices, count, 0};
  ssize_t sent;
  advance(&cursor, 0);
  if (cursor.count == 0)
    return 0;
  MF_POSIX_RETRY(sent, send_pieces(stream->fd, &cursor, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return MAYFLY_EAGAIN;
  return sent < 0 ? send_failed(stream) : sent;
}

/* ---- the other end ---- */

#ifdef SO_PEERCRED

static void ask_peer(int fd, mayfly_peer *peer) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return;
  if (credentials.pid != 0) /* of a process that our namespace does not see */
    peer->pid = credentials.pid;
  peer->uid = credentials.uid;
  peer->gid = credentials.gid;
  peer->same_user = credentials.uid == geteuid();
}

#else

static void ask_peer(int fd, mayfly_peer *peer) {
  uid_t uid;
  gid_t gid;
  if (getpeereid(fd, &uid, &gid) != 0)
    return;
  peer->uid = uid;
  peer->gid = gid;
  peer->same_user = uid == geteuid();
}

#endif

void mf_os_stream_peer(const mf_os_stream *stream, mayfly_peer *peer) {
  *peer = (mayfly_peer){-1, -1, -1, -1};
  if (stream->family == AF_UNIX)
    ask_peer(stream->fd, peer);
}

int mf_os_stream_is_shut(const mf_os_stream *stream) {
  return atomic_load(&stream->shut);
}

int mf_os_stream_shutdown(mf_os_stream *stream) {
  int saved = errno; /* it may be called from a signal handler */
  atomic_store(&stream->shut, 1);
  shutdown(stream->fd, SHUT_RDWR); /* ENOTCONN: the peer is gone, and nobody waits */
  errno = saved;
  return 0;
}

mayfly_os_fd mf_os_stream_fd(const mf_os_stream *stream) {
  return stream->fd;
}

mayfly_os_fd mf_os_stream_release(mf_os_stream *stream) {
  int fd = stream->fd;
  free(stream);
  return fd;
}

int mf_os_stream_close(mf_os_stream *stream) {
  return mf_os_fd_close(mf_os_stream_release(stream));
}
