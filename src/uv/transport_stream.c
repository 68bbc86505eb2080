/* SPDX-License-Identifier: MIT */
/* transport_stream.c - a connection over libuv's own streams, uv_pipe_t and uv_tcp_t.
 *
 * What does not leave at once is one uv_write_t, in memory of its own: it ends with mf_uv_sent(), or, after a close,
 * with nothing but its memory. */
#include "internal.h"
#include <stdlib.h>

enum {
  SLICES_MAX = 64,
  ONCE_MAX = 1 << 30,    /* bytes of one write: on Windows their number has 32 bits */
  TOGETHER_MAX = 1 << 20 /* of one that gathers: on a pipe of Windows libuv copies it */
};

struct writing {
  uv_write_t request;
  mayfly_uv_connection *connection;
  size_t size;
};

/* Nothing comes or leaves any more, whatever the system calls it: closed by the peer (on Windows a send too is told of
 * an end), reset (on Windows it may be no connection any more before libuv has it), or given up, since the peer's
 * machine is silent. */
static int is_over(int number) {
  static const int known[] = {UV_EOF,       UV_EPIPE,        UV_ECONNRESET,  UV_ECONNABORTED, UV_ENOTCONN,
                              UV_ETIMEDOUT, UV_EHOSTUNREACH, UV_ENETUNREACH, UV_ENETDOWN};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i] == number)
      return 1;
  return 0;
}

/* `over` where the stream is. The words say what was tried. */
static int uv_failed(int number, const char *what, int over) {
  int code = number == UV_ENOBUFS || number == UV_ENOMEM ? MAYFLY_ENOMEM : is_over(number) ? over : MAYFLY_EIO;
  return mf_fail(code, "%s: %s", what, uv_strerror(number));
}

static int receive_failed(int number) {
  if (number == UV_EOF || number == UV_EPIPE) /* of a pipe of Windows that its server has disconnected */
    return mf_fail(MAYFLY_EOF, "receive: the peer closed the connection");
  return uv_failed(number, "receive", MAYFLY_ECONNRESET);
}

static int send_failed(int number) {
  return uv_failed(number, "send", MAYFLY_EPIPE);
}

static uv_stream_t *stream_of(mayfly_uv_connection *connection) {
  return &connection->transport.handle.stream;
}

/* ---- reading ---- */

static void on_place(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  void *place = NULL;
  size_t size = 0;
  (void)suggested;
  mf_uv_place((mayfly_uv_connection *)handle, &place, &size); /* without one on_read is told UV_ENOBUFS */
  *buffer = uv_buf_init(place, (unsigned)(size < ONCE_MAX ? size : ONCE_MAX));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  mayfly_uv_connection *connection = (mayfly_uv_connection *)stream;
  (void)buffer;
  if (count == 0) /* nothing after all */
    return;
  if (count < 0)
    count = receive_failed((int)count);
  mf_uv_arrived(connection, count);
}

int mf_uv_transport_read(mayfly_uv_connection *connection, int on) {
  int result = on ? uv_read_start(stream_of(connection), on_place, on_read) : uv_read_stop(stream_of(connection));
  return result < 0 && result != UV_EALREADY ? receive_failed(result) : 0;
}

/* ---- writing ---- */

/* From the first that is not empty on. */
static unsigned fill(const mayfly_slice *slices, size_t count, uv_buf_t buffers[SLICES_MAX], size_t *total) {
  unsigned filled = 0;
  *total = 0;
  for (size_t i = 0; i < count && filled < SLICES_MAX; i++) {
    size_t room = filled == 0 ? ONCE_MAX : *total < TOGETHER_MAX ? TOGETHER_MAX - *total : 0;
    size_t size = slices[i].size < room ? slices[i].size : room;
    if (size > 0)
      buffers[filled++] = uv_buf_init((char *)slices[i].data, (unsigned)size);
    *total += size;
    if (size < slices[i].size)
      break;
  }
  return filled;
}

int64_t mf_uv_transport_try(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count) {
  uv_buf_t buffers[SLICES_MAX];
  size_t total;
  unsigned filled = fill(slices, count, buffers, &total);
  int left = uv_try_write(stream_of(connection), buffers, filled);
  if (left == UV_EAGAIN || left == UV_ENOSYS)
    return MAYFLY_EAGAIN;
  return left < 0 ? send_failed(left) : left;
}

static void on_written(uv_write_t *request, int status) {
  struct writing *writing = (struct writing *)request;
  mayfly_uv_connection *connection = writing->connection;
  int64_t count = (int64_t)writing->size;
  free(writing);
  if (connection->state == MF_UV_CLOSING)
    return;
  mf_uv_sent(connection, status < 0 ? send_failed(status) : count);
}

int mf_uv_transport_write(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count) {
  struct writing *writing = malloc(sizeof *writing);
  uv_buf_t buffers[SLICES_MAX];
  if (writing == NULL)
    return mf_fail(MAYFLY_ENOMEM, "send: no memory");
  unsigned filled = fill(slices, count, buffers, &writing->size);
  writing->connection = connection;
  int result = uv_write(&writing->request, stream_of(connection), buffers, filled, on_written);
  if (result < 0) {
    free(writing);
    return send_failed(result);
  }
  mf_uv_set(connection, MF_UV_BLOCKED);
  return 0;
}

/* ---- its beginning and its end ---- */

/* A handle that was lent goes back where it is not wanted, and the stream stays as it was. */
static int open_pipe(uv_loop_t *uv, uv_pipe_t *pipe, mf_os_stream *stream) {
  uv_fs_t close;
  mayfly_os_fd fd;
  uv_pipe_init(uv, pipe, 0);
  int result = mf_os_stream_lend(stream, &fd);
  if (result < 0)
    return result;
  int is_its_own = fd == mf_os_stream_fd(stream);
  uv_file file = uv_open_osfhandle((uv_os_fd_t)fd);
  if (file < 0) {
    mf_os_fd_close(is_its_own ? MAYFLY_NO_FD : fd);
    return mf_fail(MAYFLY_EMFILE, "open a pipe on the loop: no descriptor of the C library's is left");
  }
  result = uv_pipe_open(pipe, file);
  if (result < 0 && !is_its_own)
    uv_fs_close(NULL, &close, file, NULL);
  if (result < 0)
    return uv_failed(result, "open a pipe on the loop", MAYFLY_EIO);
  if (is_its_own)
    mf_os_stream_release(stream);
  else
    mf_os_stream_close(stream);
  return 0;
}

static int open_socket(uv_loop_t *uv, uv_tcp_t *tcp, mf_os_stream *stream) {
  uv_tcp_init(uv, tcp);
  int result = uv_tcp_open(tcp, (uv_os_sock_t)mf_os_stream_fd(stream));
  if (result < 0)
    return uv_failed(result, "open a socket on the loop", MAYFLY_EIO);
  mf_os_stream_release(stream);
  return 0;
}

int mf_uv_transport_open(mayfly_uv_connection *connection, mf_os_stream *stream) {
  struct mf_uv_transport *transport = &connection->transport;
  uv_loop_t *uv = connection->origin->loop->uv;
  transport->begun = 1; /* also where it fails: the handle must be closed */
  return mf_os_stream_is_inet(stream) ? open_socket(uv, &transport->handle.tcp, stream)
                                      : open_pipe(uv, &transport->handle.pipe, stream);
}

static void on_closed(uv_handle_t *handle) {
  mf_uv_connection_gone((mayfly_uv_connection *)handle);
}

void mf_uv_transport_close(mayfly_uv_connection *connection) {
  struct mf_uv_transport *transport = &connection->transport;
  if (!transport->begun)
    uv_idle_init(connection->origin->loop->uv, &transport->handle.idle);
  uv_close(&transport->handle.any, on_closed);
}
