/* SPDX-License-Identifier: MIT */
/* stream.c - bytes over a connected socket, or over a real pipe that was adopted.
 *
 * The descriptor stays blocking, since others may share it: without a deadline recv and sendmsg wait themselves, with
 * one MSG_DONTWAIT keeps them from it and poll(2) waits. A pipe has no such flag: with a deadline poll(2) comes before
 * each read and write. A shutdown sets the flag, then shuts the socket: whoever waits is woken by the system, and the
 * flag tells it why. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0 /* macOS: set at once after */
#endif

static mf_os_stream *stream_new(int fd, int family) {
  mf_os_stream *made = calloc(1, sizeof *made);
  if (made == NULL) {
    mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
    return NULL;
  }
  made->fd = fd;
  made->family = family;
  atomic_init(&made->shut, 0);
  return made;
}

int mf_posix_stream_new(int fd, int family, mf_os_stream **stream) {
  mf_os_stream *made = stream_new(fd, family);
  if (made == NULL) {
    close(fd);
    return MAYFLY_ENOMEM;
  }
  *stream = made;
  return 0;
}

static int is_pipe(const mf_os_stream *stream) {
  return stream->family == AF_UNSPEC;
}

static int canceled(const mf_os_stream *stream, const char *what) {
  return mf_fail(MAYFLY_ECANCELED, "%s descriptor %d: the connection was shut down", what, stream->fd);
}

int mf_os_stream_keeps_messages(const mf_os_stream *stream) {
  (void)stream;
  return 0;
}

/* ---- adopting ---- */

/* AF_UNSPEC: a real pipe. */
static int learn_family(int fd, int *family) {
  struct sockaddr_storage own = {0};
  struct stat status;
  int type;
  socklen_t own_size = sizeof own, type_size = sizeof type;
  if (fstat(fd, &status) != 0)
    return mf_posix_fail("adopt descriptor %d", fd);
  *family = AF_UNSPEC;
  if (S_ISFIFO(status.st_mode))
    return 0;
  if (!S_ISSOCK(status.st_mode))
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: it is neither a socket nor a pipe", fd);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0 ||
      getsockname(fd, (struct sockaddr *)&own, &own_size) != 0)
    return mf_posix_fail("adopt descriptor %d: ask what socket it is", fd);
  if (type != SOCK_STREAM)
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: a socket, but not of a stream of bytes", fd);
  *family = own.ss_family;
  return 0;
}

static int check_access(int fd, int readable, int writable) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0)
    return mf_posix_fail("adopt descriptor %d", fd);
  int access = flags & O_ACCMODE;
  if ((readable && access == O_WRONLY) || (writable && access == O_RDONLY))
    return mf_fail(MAYFLY_EINVAL, "adopt descriptor %d: it can only be %s", fd,
                   access == O_WRONLY ? "written" : "read");
  return 0;
}

int mf_os_stream_adopt(mayfly_os_fd fd, int readable, int writable, mf_os_stream **stream) {
  int family;
  if (fd < 0 || fd > INT_MAX)
    return mf_fail(MAYFLY_EBADF, "adopt descriptor %lld: it is not open", (long long)fd);
  int result = learn_family((int)fd, &family);
  if (result == 0)
    result = check_access((int)fd, readable, writable);
  if (result < 0)
    return result;
  mf_os_stream *made = stream_new((int)fd, family);
  if (made == NULL)
    return MAYFLY_ENOMEM;
  result = mf_os_fd_set_inheritable(fd, 0);
  if (result < 0) {
    free(made);
    return result;
  }
  if (family != AF_UNSPEC)
    mf_posix_no_sigpipe((int)fd);
  *stream = made;
  return 0;
}

/* ---- reading ---- */

static int await(const mf_os_stream *stream, short events, int64_t deadline, const char *what) {
  int ready = deadline <= 0 && !is_pipe(stream) ? 0 : mf_posix_wait(stream->fd, events, deadline);
  if (ready == 0)
    return mf_fail(MAYFLY_ETIMEDOUT, "%s descriptor %d: the time ran out", what, stream->fd);
  return ready < 0 ? ready : 0;
}

/* What comes before an attempt. 0: make it. */
static int prepare(const mf_os_stream *stream, short events, int64_t deadline, const char *what) {
  if (atomic_load(&stream->shut))
    return canceled(stream, what);
  if (!is_pipe(stream) || deadline == MF_OS_NEVER)
    return 0;
  return await(stream, events, deadline, what);
}

/* The system has given the connection up, since the peer's machine or the way to it is silent. None of our deadlines
 * has passed, and no other read or write will go better. */
static int is_given_up(void) {
  return errno == ETIMEDOUT || errno == ENETDOWN || errno == ENETUNREACH || errno == EHOSTUNREACH;
}

static int read_failed(const mf_os_stream *stream) {
  int given_up = is_given_up();
  int error = mf_posix_fail("receive on descriptor %d", stream->fd);
  return given_up ? MAYFLY_ECONNRESET : error;
}

/* What a read that gave no bytes, but `count`, has told. 0: try again. */
static int no_bytes(const mf_os_stream *stream, ssize_t count, int64_t deadline) {
  if (count < 0 && errno == EINTR)
    return 0;
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return await(stream, POLLIN, deadline, "receive on");
  if (atomic_load(&stream->shut)) /* whatever the system says of a socket that was shut meanwhile */
    return canceled(stream, "receive on");
  if (count < 0)
    return read_failed(stream);
  return mf_fail(MAYFLY_EOF, "receive on descriptor %d: the peer closed the connection", stream->fd);
}

int64_t mf_os_stream_read(mf_os_stream *stream, void *buffer, size_t size, int64_t deadline, uint64_t *left) {
  int flags = deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT;
  for (;;) {
    int result = prepare(stream, POLLIN, deadline, "receive on");
    if (result < 0)
      return result;
    ssize_t count = is_pipe(stream) ? read(stream->fd, buffer, size) : recv(stream->fd, buffer, size, flags);
    if (count > 0) {
      *left = 0;
      return count;
    }
    result = no_bytes(stream, count, deadline);
    if (result < 0)
      return result;
  }
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

/* A pipe that poll(2) calls writable has room for PIPE_BUF bytes, and a larger write would wait for more. */
static ssize_t write_pieces(mf_os_stream *pipe, const struct cursor *cursor, int64_t deadline) {
  struct iovec pieces[IOV_MAX];
  return mf_posix_pipe_write(pipe, pieces, fill(cursor, pieces), deadline == MF_OS_NEVER ? SSIZE_MAX : PIPE_BUF);
}

static int send_failed(const mf_os_stream *stream) {
  if (atomic_load(&stream->shut))
    return canceled(stream, "send on");
  if (errno == EPIPE || errno == ECONNRESET)
    return mf_fail(MAYFLY_EPIPE, "send on descriptor %d: the peer is gone", stream->fd);
  if (!is_given_up())
    return mf_posix_fail("send on descriptor %d", stream->fd);
  mf_posix_fail("send on descriptor %d: the peer is gone", stream->fd);
  return MAYFLY_EPIPE;
}

/* What a send that failed has told. 0: try again. */
static int nothing_sent(const mf_os_stream *stream, int64_t deadline) {
  if (errno == EINTR)
    return 0;
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    return await(stream, POLLOUT, deadline, "send on");
  return send_failed(stream);
}

/* Whatever stopped a message after some of it had left: none after it can be right. */
static int cut_off(const mf_os_stream *stream, int result) {
  if (result == MAYFLY_ETIMEDOUT)
    return mf_fail(MAYFLY_EPIPE, "send on descriptor %d: the time ran out in the middle of a message", stream->fd);
  if (result == MAYFLY_EPIPE || result == MAYFLY_ECANCELED)
    return result;
  return mf_fail(MAYFLY_EPIPE, "%s, in the middle of a message", mayfly_last_error());
}

/* Some of it, or nothing, and the next attempt may be made. */
static int write_some(mf_os_stream *stream, struct cursor *cursor, int64_t deadline, int *begun) {
  int flags = MSG_NOSIGNAL | (deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT);
  int result = prepare(stream, POLLOUT, deadline, "send on");
  if (result < 0)
    return result;
  ssize_t sent = is_pipe(stream) ? write_pieces(stream, cursor, deadline) : send_pieces(stream->fd, cursor, flags);
  if (sent <= 0)
    return nothing_sent(stream, deadline);
  advance(cursor, (size_t)sent);
  *begun = 1;
  return 0;
}

int mf_os_stream_write(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline) {
  struct cursor cursor = {slices, count, 0};
  int begun = 0, result = 0;
  advance(&cursor, 0); /* over slices that are empty */
  while (cursor.count > 0 && result == 0)
    result = write_some(stream, &cursor, deadline, &begun);
  return result < 0 && begun ? cut_off(stream, result) : result;
}

/* A loop asks often, in vain too: so a socket is not asked through what sets words. */
int64_t mf_os_stream_write_some(mf_os_stream *stream, const mayfly_slice *slices, size_t count) {
  struct cursor cursor = {slices, count, 0};
  ssize_t sent;
  advance(&cursor, 0); /* over slices that are empty */
  if (cursor.count == 0)
    return 0;
  if (is_pipe(stream) && mf_posix_wait(stream->fd, POLLOUT, 0) == 0)
    return MAYFLY_EAGAIN;
  do
    sent = is_pipe(stream) ? write_pieces(stream, &cursor, 0)
                           : send_pieces(stream->fd, &cursor, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return MAYFLY_EAGAIN;
  return sent < 0 ? nothing_sent(stream, 0) : sent;
}

/* ---- descriptors, as multiprocessing.reduction sends them: with one byte, which is their number ---- */

enum { DESCRIPTORS_MAX = 253 /* that Linux lets come with one byte */ };

union control {
  struct cmsghdr header; /* aligns the rest */
  char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

static int check_carries(const mf_os_stream *stream, const char *what) {
  if (stream->family != AF_UNIX)
    return mf_fail(MAYFLY_ENOTSUP, "%s descriptor %d: only an AF_UNIX socket carries descriptors", what, stream->fd);
  return 0;
}

#ifdef __APPLE__ /* whose kernel may lose a descriptor that its sender closes at once: so Python acknowledges it */

static int acknowledge(const mf_os_stream *stream) {
  return send(stream->fd, "A", 1, 0) == 1 ? 0 : mf_posix_fail("receive a descriptor on descriptor %d", stream->fd);
}

static int await_acknowledgement(mf_os_stream *stream, int64_t deadline) {
  char byte = 0;
  uint64_t left;
  int64_t count = mf_os_stream_read(stream, &byte, 1, deadline, &left);
  if (count < 0)
    return cut_off(stream, (int)count);
  if (byte != 'A')
    return mf_fail(MAYFLY_EPROTO, "send a descriptor on descriptor %d: the peer did not say that it has it",
                   stream->fd);
  return 0;
}

#else

static int acknowledge(const mf_os_stream *stream) {
  (void)stream;
  return 0;
}

static int await_acknowledgement(mf_os_stream *stream, int64_t deadline) {
  (void)stream, (void)deadline;
  return 0;
}

#endif

int mf_os_stream_send_fd(mf_os_stream *stream, mayfly_os_fd fd, int64_t deadline) {
  union control control = {0};
  char byte = 1;
  int number = fd <= INT_MAX ? (int)fd : -1;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room};
  message.msg_controllen = CMSG_SPACE(sizeof number);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof number);
  memcpy(CMSG_DATA(header), &number, sizeof number);
  int flags = MSG_NOSIGNAL | (deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT);
  int result = check_carries(stream, "send on");
  while (result == 0 && (result = prepare(stream, POLLOUT, deadline, "send on")) == 0) {
    if (sendmsg(stream->fd, &message, flags) == 1)
      return await_acknowledgement(stream, deadline);
    result = errno == EBADF ? mf_fail(MAYFLY_EBADF, "send descriptor %lld: it is not open", (long long)fd)
                            : nothing_sent(stream, deadline);
  }
  return result;
}

/* How many there are. All but the first are closed: nobody asked for them. */
static int take_first(struct msghdr *message, int *first) {
  int found = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      if (found++ == 0)
        *first = fd;
      else
        close(fd);
    }
  }
  return found;
}

/* The system cuts off what this process may not have: with the room that there is, it is out of descriptors. */
static int take_descriptor(const mf_os_stream *stream, struct msghdr *message, unsigned char byte, int *fd) {
  int first = -1;
  int count = take_first(message, &first);
  int result = acknowledge(stream);
  if (result == 0 && (message->msg_flags & MSG_CTRUNC) != 0)
    result = mf_fail(MAYFLY_EMFILE, "receive a descriptor on descriptor %d: it was cut off, since none is left for it",
                     stream->fd);
  else if (result == 0 && (count == 0 || count % 256 != byte))
    result = mf_fail(MAYFLY_EPROTO, "receive a descriptor on descriptor %d: what came is none", stream->fd);
  if (result == 0 && MSG_CMSG_CLOEXEC == 0)
    result = mf_os_fd_set_inheritable(first, 0);
  if (result == 0)
    *fd = first;
  else if (count > 0)
    close(first);
  return result;
}

int mf_os_stream_receive_fd(mf_os_stream *stream, int64_t deadline, mayfly_os_fd *fd) {
  union control control;
  unsigned char byte;
  int made = -1;
  struct iovec piece = {&byte, 1};
  int flags = MSG_CMSG_CLOEXEC | (deadline == MF_OS_NEVER ? 0 : MSG_DONTWAIT);
  int result = check_carries(stream, "receive a descriptor on");
  while (result == 0 && made < 0 && (result = prepare(stream, POLLIN, deadline, "receive on")) == 0) {
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t count = recvmsg(stream->fd, &message, flags);
    result = count == 1 ? take_descriptor(stream, &message, byte, &made) : no_bytes(stream, count, deadline);
  }
  if (result == 0)
    *fd = made;
  return result;
}

/* ---- the other end ---- */

#ifdef SO_PEERCRED

enum { OVERFLOW_ID = 65534 }; /* Linux's default */

/* In a user namespace this number is also shown for everybody who has none there: where not all have one it may be
 * anybody. */
static int64_t known_id(int64_t id, const char *map) {
  char text[64] = "";
  unsigned long long count = 0;
  if (id != OVERFLOW_ID)
    return id == UINT32_MAX ? -1 : id; /* of a socket that is not connected */
  int fd = open(map, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  mf_os_fd_close(fd);
  return size > 0 && sscanf(text, "%*u %*u %llu", &count) == 1 && count == UINT32_MAX ? id : -1;
}

static void ask_peer(int fd, mayfly_peer *peer) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return;
  if (credentials.pid != 0) /* of a process that our namespace does not see */
    peer->pid = credentials.pid;
  peer->uid = known_id(credentials.uid, "/proc/self/uid_map");
  peer->gid = known_id(credentials.gid, "/proc/self/gid_map");
  if (peer->uid >= 0)
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

int mf_os_stream_peer_may_be_deaf(void) {
  return 1;
}

int mf_os_stream_is_shut(const mf_os_stream *stream) {
  return atomic_load(&stream->shut);
}

int mf_os_stream_shutdown(mf_os_stream *stream) {
  if (is_pipe(stream))
    return mf_fail(MAYFLY_ENOTSUP, "shut descriptor %d down: a pipe can't be", stream->fd);
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

int mf_os_stream_is_inet(const mf_os_stream *stream) {
  struct sockaddr_storage name = {0};
  socklen_t size = sizeof name;
  return getsockname(stream->fd, (struct sockaddr *)&name, &size) == 0 &&
         (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

int mf_os_stream_lend(const mf_os_stream *stream, mayfly_os_fd *fd) {
  *fd = stream->fd;
  return 0;
}

int mf_os_stream_close(mf_os_stream *stream) {
  return mf_os_fd_close(mf_os_stream_release(stream));
}
