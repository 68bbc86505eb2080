/* SPDX-License-Identifier: MIT */
/* stream.c - bytes or messages over a connected pipe or socket, by one pattern.
 *
 * Whatever waits is an overlapped operation on an event of its own. It is issued; if it is pending, its event is waited
 * for until the deadline; then it is cancelled, and its result decides: what came before the cancelling is delivered
 * as if it had come in time. A shutdown sets the flag, then cancels what is under way; as that may be nothing yet,
 * whoever has issued an operation looks at the flag once more. No operation outlives the call that issued it. */
#include "win32.h"
#include <stdlib.h>
#include <string.h>

enum {
  ONCE_MAX = 1 << 30, /* bytes that the system is given in one operation */
  PIECES_MAX = 64,    /* slices of a gathered write to a socket */
  JOINED_MAX = 16384, /* a message to a byte pipe is put together, up to this size */
};

int mf_win32_event(HANDLE *event) {
  HANDLE made = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (made == NULL)
    return mf_win32_fail(GetLastError(), "make an event");
  *event = made;
  return 0;
}

void mf_win32_close(HANDLE handle, enum mf_win32_kind kind) {
  if (kind == MF_WIN32_SOCKET)
    closesocket((SOCKET)handle);
  else
    CloseHandle(handle);
}

static void stream_free(mf_os_stream *stream) {
  CloseHandle(stream->read_done);
  CloseHandle(stream->write_done);
  free(stream);
}

static int stream_new(HANDLE handle, enum mf_win32_kind kind, mf_os_stream **stream) {
  mf_os_stream *made = calloc(1, sizeof *made);
  int result = made != NULL ? mf_win32_event(&made->read_done) : mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
  if (result < 0) {
    free(made);
    return result;
  }
  made->handle = handle;
  made->kind = kind;
  result = mf_win32_event(&made->write_done);
  if (result < 0) {
    CloseHandle(made->read_done);
    free(made);
    return result;
  }
  *stream = made;
  return 0;
}

int mf_win32_stream_new(HANDLE handle, enum mf_win32_kind kind, mf_os_stream **stream) {
  int result = stream_new(handle, kind, stream);
  if (result < 0)
    mf_win32_close(handle, kind);
  return result;
}

static int learn_kind(HANDLE handle, int readable, int writable, enum mf_win32_kind *kind, int *server) {
  int type;
  DWORD flags;
  if (handle == INVALID_HANDLE_VALUE || !GetHandleInformation(handle, &flags))
    return mf_fail(MAYFLY_EBADF, "adopt descriptor %d: it is not open", (int)(intptr_t)handle);
  if (GetFileType(handle) != FILE_TYPE_PIPE)
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: it is neither a socket nor a pipe", (int)(intptr_t)handle);
  if (!mf_win32_is_socket(handle, &type))
    return mf_win32_pipe_learn(handle, readable, writable, kind, server);
  if (type != SOCK_STREAM)
    return mf_fail(MAYFLY_ENOTSUP, "adopt descriptor %d: a socket, but not of a stream of bytes",
                   (int)(intptr_t)handle);
  *kind = MF_WIN32_SOCKET;
  *server = 0;
  return 0;
}

int mf_os_stream_adopt(mayfly_os_fd fd, int readable, int writable, mf_os_stream **stream) {
  enum mf_win32_kind kind;
  mf_os_stream *made;
  int server;
  int result = learn_kind((HANDLE)fd, readable, writable, &kind, &server);
  if (result == 0)
    result = stream_new((HANDLE)fd, kind, &made);
  if (result < 0)
    return result;
  result = mf_os_fd_set_inheritable(fd, 0);
  if (result < 0) {
    stream_free(made);
    return result;
  }
  made->server = server;
  *stream = made;
  return 0;
}

int mf_os_stream_keeps_messages(const mf_os_stream *stream) {
  return stream->kind == MF_WIN32_MESSAGES;
}

/* ---- operations ---- */

DWORD mf_win32_start_read(mf_os_stream *stream, void *buffer, DWORD size, OVERLAPPED *operation) {
  DWORD error;
  if (stream->kind == MF_WIN32_SOCKET) {
    WSABUF piece = {size, buffer};
    DWORD flags = 0;
    error =
        WSARecv((SOCKET)stream->handle, &piece, 1, NULL, &flags, operation, NULL) == 0 ? 0 : (DWORD)WSAGetLastError();
  } else
    error = ReadFile(stream->handle, buffer, size, NULL, operation) ? 0 : GetLastError();
  if (stream->shut)
    CancelIoEx(stream->handle, operation);
  return error;
}

DWORD mf_win32_result(const mf_os_stream *stream, OVERLAPPED *operation, DWORD *count) {
  DWORD flags;
  if (stream->kind != MF_WIN32_SOCKET)
    return GetOverlappedResult(stream->handle, operation, count, FALSE) ? 0 : GetLastError();
  return WSAGetOverlappedResult((SOCKET)stream->handle, operation, count, FALSE, &flags) ? 0 : (DWORD)WSAGetLastError();
}

/* Zero: the deadline passed. */
static int wait_until(HANDLE event, int64_t deadline) {
  for (;;) {
    DWORD timeout = mf_win32_timeout(deadline);
    DWORD result = WaitForSingleObject(event, timeout);
    if (result == WAIT_OBJECT_0 || timeout == 0)
      return result == WAIT_OBJECT_0;
  }
}

DWORD mf_win32_finish(const mf_os_stream *stream, OVERLAPPED *operation, DWORD error, int64_t deadline, DWORD *count) {
  if (error == ERROR_IO_PENDING && !wait_until(operation->hEvent, deadline)) {
    CancelIoEx(stream->handle, operation);
    wait_until(operation->hEvent, MF_OS_NEVER);
  }
  if (error == 0 || error == ERROR_IO_PENDING || error == ERROR_MORE_DATA)
    error = mf_win32_result(stream, operation, count);
  return error;
}

void mf_win32_await(const OVERLAPPED *operation) {
  for (;;) {
    ResetEvent(operation->hEvent);
    if (HasOverlappedIoCompleted(operation))
      return;
    WaitForSingleObject(operation->hEvent, INFINITE);
  }
}

/* For the words: handles have 32 bits that count. */
static int number(const mf_os_stream *stream) {
  return (int)(intptr_t)stream->handle;
}

static int canceled(const mf_os_stream *stream, const char *what) {
  return mf_fail(MAYFLY_ECANCELED, "%s descriptor %d: the connection was shut down", what, number(stream));
}

static int ran_out(const mf_os_stream *stream, const char *what) {
  return mf_fail(MAYFLY_ETIMEDOUT, "%s descriptor %d: the time ran out", what, number(stream));
}

/* ---- reading ---- */

/* Zero-byte reads do not disturb a message; what is left of it, the system tells. Where it does not, there is more all
 * the same, and the next read says what became of it: a server that disconnects takes the rest away. */
static uint64_t left_of_message(const mf_os_stream *stream) {
  DWORD left;
  return PeekNamedPipe(stream->handle, NULL, 0, NULL, NULL, &left) ? left : 1;
}

/* The system has given the connection up, since the peer's machine or the way to it is silent. None of our deadlines
 * has passed, and no other read or write will go better. */
static int is_given_up(DWORD error) {
  return error == WSAETIMEDOUT || error == ERROR_SEM_TIMEOUT || error == WSAENETRESET || error == WSAENETDOWN ||
         error == WSAENETUNREACH || error == WSAEHOSTDOWN || error == WSAEHOSTUNREACH;
}

static int read_reset(mf_os_stream *stream, DWORD error) {
  if (stream->reset) /* the system says it again and again, POSIX once */
    return mf_fail(MAYFLY_EOF, "receive on descriptor %d: the peer reset the connection", number(stream));
  stream->reset = 1;
  mf_win32_fail(error, "receive on descriptor %d", number(stream));
  return MAYFLY_ECONNRESET;
}

/* Whatever the system says of a stream that was shut meanwhile: a socket's read that comes after gives WSAESHUTDOWN,
 * which is an end like any other where another process has done it. */
static int read_failed(mf_os_stream *stream, DWORD error) {
  if (stream->shut)
    return canceled(stream, "receive on");
  switch (error) {
  case ERROR_OPERATION_ABORTED:
    return ran_out(stream, "receive on");
  case ERROR_BROKEN_PIPE:
  case ERROR_PIPE_NOT_CONNECTED:
  case ERROR_NO_DATA:
  case WSAESHUTDOWN:
    return mf_fail(MAYFLY_EOF, "receive on descriptor %d: the peer closed the connection", number(stream));
  case WSAECONNRESET:
  case WSAECONNABORTED:
  case ERROR_NETNAME_DELETED:
    return read_reset(stream, WSAECONNRESET);
  default:
    return is_given_up(error) ? read_reset(stream, error)
                              : mf_win32_fail(error, "receive on descriptor %d", number(stream));
  }
}

static DWORD read_once(mf_os_stream *stream, void *buffer, size_t size, int64_t deadline, DWORD *count) {
  OVERLAPPED operation = {.hEvent = stream->read_done};
  DWORD error = mf_win32_start_read(stream, buffer, size < ONCE_MAX ? (DWORD)size : ONCE_MAX, &operation);
  return mf_win32_finish(stream, &operation, error, deadline, count);
}

int64_t mf_os_stream_read(mf_os_stream *stream, void *buffer, size_t size, int64_t deadline, uint64_t *left) {
  DWORD count = 0, error = 0;
  if (stream->shut)
    return canceled(stream, "receive on");
  if (stream->empty_message)
    stream->empty_message = 0;
  else
    do /* an empty write to a byte pipe ends a read, and is nothing */
      error = read_once(stream, buffer, size, deadline, &count);
    while (error == 0 && count == 0 && stream->kind == MF_WIN32_BYTES);
  if (error != 0 && error != ERROR_MORE_DATA)
    return read_failed(stream, error);
  if (count == 0 && stream->kind == MF_WIN32_SOCKET)
    return read_failed(stream, ERROR_BROKEN_PIPE);
  *left = error == ERROR_MORE_DATA ? left_of_message(stream) : 0;
  return count;
}

int mf_os_stream_poll(mf_os_stream *stream, int64_t deadline) {
  struct mf_os_wait_item item = {.stream = stream};
  int ready = mf_os_wait(&item, 1, deadline);
  return ready == 1 && stream->shut ? canceled(stream, "poll") : ready;
}

/* ---- writing ---- */

struct cursor { /* what of the slices has not left yet */
  const mayfly_slice *slices;
  size_t count, offset; /* offset: into the first */
};

static void advance(struct cursor *cursor, size_t size) {
  cursor->offset += size;
  while (cursor->count > 0 && cursor->offset >= cursor->slices->size) {
    cursor->offset -= cursor->slices->size;
    cursor->slices++;
    cursor->count--;
  }
}

static DWORD fill(const struct cursor *cursor, WSABUF pieces[PIECES_MAX]) {
  DWORD count = 0;
  size_t room = ONCE_MAX;
  for (size_t i = 0; i < cursor->count && count < PIECES_MAX && room > 0; i++) {
    size_t size = cursor->slices[i].size - (i == 0 ? cursor->offset : 0);
    size = size < room ? size : room;
    pieces[count].buf = (char *)cursor->slices[i].data;
    pieces[count++].len = (ULONG)size;
    room -= size;
  }
  pieces[0].buf += cursor->offset; /* the first is not empty, and so not NULL */
  return count;
}

static DWORD start_write(mf_os_stream *stream, WSABUF *pieces, DWORD count, OVERLAPPED *operation) {
  DWORD error;
  if (stream->kind == MF_WIN32_SOCKET)
    error =
        WSASend((SOCKET)stream->handle, pieces, count, NULL, 0, operation, NULL) == 0 ? 0 : (DWORD)WSAGetLastError();
  else
    error = WriteFile(stream->handle, pieces->buf, pieces->len, NULL, operation) ? 0 : GetLastError();
  if (stream->shut)
    CancelIoEx(stream->handle, operation);
  return error;
}

static int write_failed(const mf_os_stream *stream, DWORD error, int pending) {
  if (stream->shut)
    return canceled(stream, "send on");
  switch (error) {
  case ERROR_OPERATION_ABORTED:
    if (!pending)
      return ran_out(stream, "send on");
    return mf_fail(
        MAYFLY_EPIPE,
        "send on descriptor %d: the time ran out in the middle of a message (the system does not say how far it got)",
        number(stream));
  case ERROR_BROKEN_PIPE:
  case ERROR_NO_DATA:
  case ERROR_PIPE_NOT_CONNECTED:
  case ERROR_NETNAME_DELETED:
  case WSAECONNRESET:
  case WSAECONNABORTED:
  case WSAESHUTDOWN:
    return mf_fail(MAYFLY_EPIPE, "send on descriptor %d: the peer is gone", number(stream));
  case ERROR_NO_SYSTEM_RESOURCES:
  case WSAENOBUFS:
    return mf_win32_fail(error, "send on descriptor %d: the message is larger than the system can hold at once",
                         number(stream));
  default:
    if (!is_given_up(error))
      return mf_win32_fail(error, "send on descriptor %d", number(stream));
    mf_win32_fail(error, "send on descriptor %d: the peer is gone", number(stream));
    return MAYFLY_EPIPE;
  }
}

/* Everything in `pieces`; how much that was. */
static int64_t write_once(mf_os_stream *stream, WSABUF *pieces, DWORD pieces_count, int64_t deadline) {
  OVERLAPPED operation = {.hEvent = stream->write_done};
  DWORD count = 0;
  if (stream->shut)
    return canceled(stream, "send on");
  DWORD error = start_write(stream, pieces, pieces_count, &operation);
  int pending = error == ERROR_IO_PENDING;
  error = mf_win32_finish(stream, &operation, error, deadline, &count);
  return error == 0 ? (int64_t)count : write_failed(stream, error, pending);
}

/* Whatever has stopped the rest of a message: no later one can be right. */
static int stopped_inside(int error) {
  return error == MAYFLY_EPIPE || error == MAYFLY_ECANCELED
             ? error
             : mf_fail(MAYFLY_EPIPE, "%s, in the middle of a message", mayfly_last_error());
}

/* A socket gathers, a byte pipe takes one slice after the other. */
static int write_slices(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline) {
  struct cursor cursor = {slices, count, 0};
  WSABUF pieces[PIECES_MAX];
  int begun = 0;
  advance(&cursor, 0); /* over slices that are empty */
  while (cursor.count > 0) {
    DWORD filled = fill(&cursor, pieces);
    int64_t written = write_once(stream, pieces, stream->kind == MF_WIN32_SOCKET ? filled : 1, deadline);
    if (written < 0)
      return begun ? stopped_inside((int)written) : (int)written;
    begun = 1;
    advance(&cursor, (size_t)written);
  }
  return 0;
}

/* All slices in one operation. */
static int write_joined(mf_os_stream *stream, const mayfly_slice *slices, size_t count, size_t size, int64_t deadline) {
  char *joined = malloc(size > 0 ? size : 1);
  if (joined == NULL)
    return mf_fail(MAYFLY_ENOMEM, "send on descriptor %d: no memory to put %zu bytes together", number(stream), size);
  WSABUF piece = {(ULONG)size, joined};
  for (size_t i = 0; i < count; i++) {
    if (slices[i].size > 0)
      memcpy(joined, slices[i].data, slices[i].size);
    joined += slices[i].size;
  }
  int64_t written = write_once(stream, &piece, 1, deadline);
  free(piece.buf);
  return written < 0 ? (int)written : 0;
}

static size_t total(const mayfly_slice *slices, size_t count) {
  size_t size = 0;
  for (size_t i = 0; i < count; i++)
    size += slices[i].size;
  return size;
}

static int write_message(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline) {
  size_t size = total(slices, count);
  if (size > UINT32_MAX)
    return mf_fail(MAYFLY_EMSGSIZE, "send on descriptor %d: %zu bytes, and a message pipe takes 4 GiB at most",
                   number(stream), size);
  if (count > 1)
    return write_joined(stream, slices, count, size, deadline);
  WSABUF piece = {(ULONG)size, count == 1 ? (char *)slices->data : NULL};
  int64_t written = write_once(stream, &piece, 1, deadline);
  return written < 0 ? (int)written : 0;
}

int mf_os_stream_write(mf_os_stream *stream, const mayfly_slice *slices, size_t count, int64_t deadline) {
  if (stream->kind == MF_WIN32_MESSAGES)
    return write_message(stream, slices, count, deadline);
  if (stream->kind == MF_WIN32_BYTES && count > 1) {
    size_t size = total(slices, count);
    if (size > 0 && size <= JOINED_MAX)
      return write_joined(stream, slices, count, size, deadline);
  }
  return write_slices(stream, slices, count, deadline);
}

/* All or nothing: what has to wait is cancelled, and then nothing has left, or the connection is broken. */
int64_t mf_os_stream_write_some(mf_os_stream *stream, const mayfly_slice *slices, size_t count) {
  int result = mf_os_stream_write(stream, slices, count, 0);
  if (result == MAYFLY_ETIMEDOUT)
    return MAYFLY_EAGAIN;
  return result < 0 ? result : (int64_t)total(slices, count);
}

/* ---- the other end ---- */

/* Python sends a handle as a pickled call that duplicates it: what a peer says is never run here. */
static int no_handles(const char *what) {
  return mf_fail(MAYFLY_ENOTSUP,
                 "%s a handle: on Windows Python sends handles as pickled calls, which are neither run nor imitated",
                 what);
}

int mf_os_stream_send_fd(mf_os_stream *stream, mayfly_os_fd fd, int64_t deadline) {
  (void)stream, (void)fd, (void)deadline;
  return no_handles("send");
}

int mf_os_stream_receive_fd(mf_os_stream *stream, int64_t deadline, mayfly_os_fd *fd) {
  (void)stream, (void)deadline, (void)fd;
  return no_handles("receive");
}

void mf_os_stream_peer(const mf_os_stream *stream, mayfly_peer *peer) {
  ULONG process;
  *peer = (mayfly_peer){-1, -1, -1, -1};
  if (stream->kind == MF_WIN32_SOCKET)
    return;
  if (stream->server ? GetNamedPipeClientProcessId(stream->handle, &process)
                     : GetNamedPipeServerProcessId(stream->handle, &process)) {
    peer->pid = process;
    peer->same_user = mf_win32_same_user(process);
  }
}

int mf_os_stream_peer_may_be_deaf(void) {
  return 0;
}

int mf_os_stream_is_shut(const mf_os_stream *stream) {
  return stream->shut != 0;
}

int mf_os_stream_shutdown(mf_os_stream *stream) {
  InterlockedExchange(&stream->shut, 1);
  CancelIoEx(stream->handle, NULL);
  if (stream->kind == MF_WIN32_SOCKET)
    shutdown((SOCKET)stream->handle, SD_BOTH);
  return 0;
}

mayfly_os_fd mf_os_stream_fd(const mf_os_stream *stream) {
  return (mayfly_os_fd)stream->handle;
}

mayfly_os_fd mf_os_stream_release(mf_os_stream *stream) {
  mayfly_os_fd fd = (mayfly_os_fd)stream->handle;
  stream_free(stream);
  return fd;
}

int mf_os_stream_is_inet(const mf_os_stream *stream) {
  return stream->kind == MF_WIN32_SOCKET;
}

int mf_os_stream_lend(const mf_os_stream *stream, mayfly_os_fd *fd) {
  HANDLE self = GetCurrentProcess(), made;
  if (!DuplicateHandle(self, stream->handle, self, &made, 0, FALSE, DUPLICATE_SAME_ACCESS))
    return mf_win32_fail(GetLastError(), "duplicate descriptor %d", number(stream));
  *fd = (mayfly_os_fd)made;
  return 0;
}

int mf_os_stream_close(mf_os_stream *stream) {
  enum mf_win32_kind kind = stream->kind;
  mf_win32_close((HANDLE)mf_os_stream_release(stream), kind);
  return 0;
}
