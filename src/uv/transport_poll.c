/* SPDX-License-Identifier: MIT */
/* transport_poll.c - a connection over uv_poll_t, with the backend's own reads and writes: POSIX.
 *
 * It is polled for reading while READING, for writing while BLOCKED. libuv stops the polling and reports UV_EBADF as
 * soon as the descriptor has an error, though data may still be there: so on any status what can be read is read, until
 * the read itself tells the end. */
#include "internal.h"

enum { READS_MAX = 16 /* in a row, for one connection, where each filled what it was given */ };

static int is_closing(const mayfly_uv_connection *connection) {
  return connection->state == MF_UV_CLOSING;
}

static void on_poll(uv_poll_t *handle, int status, int events);

/* Polls for what is wished now. */
static int poll_again(mayfly_uv_connection *connection) {
  uv_poll_t *poll = &connection->transport.handle.poll;
  int events = ((connection->flags & MF_UV_READING) != 0 ? UV_READABLE : 0) |
               ((connection->flags & MF_UV_BLOCKED) != 0 ? UV_WRITABLE : 0);
  int result = events != 0 ? uv_poll_start(poll, events, on_poll) : uv_poll_stop(poll);
  return result < 0 ? mf_fail(MAYFLY_EIO, "watch a connection: %s", uv_strerror(result)) : 0;
}

/* Nonzero: there may be more. */
static int read_once(mayfly_uv_connection *connection) {
  uint64_t left;
  void *place;
  size_t size = 0;
  int64_t count = mf_uv_place(connection, &place, &size);
  if (count == 0)
    count = mf_os_stream_read(connection->transport.stream, place, size, 0, &left);
  if (count == MAYFLY_ETIMEDOUT)
    return 0;
  mf_uv_arrived(connection, count);
  return count > 0 && (size_t)count == size;
}

static int is_reading(const mayfly_uv_connection *connection) {
  return !is_closing(connection) && (connection->flags & MF_UV_READING) != 0;
}

static void read_some(mayfly_uv_connection *connection) {
  for (int reads = 0; reads < READS_MAX && is_reading(connection) && read_once(connection); reads++)
    continue;
}

static void write_again(mayfly_uv_connection *connection) {
  mf_uv_clear(connection, MF_UV_BLOCKED);
  mf_uv_sent(connection, 0);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
  mayfly_uv_connection *connection = (mayfly_uv_connection *)handle;
  if (status < 0 || (events & UV_READABLE) != 0)
    read_some(connection);
  if (!is_closing(connection) && (connection->flags & MF_UV_BLOCKED) != 0 &&
      (status < 0 || (events & UV_WRITABLE) != 0))
    write_again(connection);
  if (is_closing(connection))
    return;
  int result = status < 0 || (events & UV_WRITABLE) != 0 ? poll_again(connection) : 0;
  if (result < 0)
    mf_uv_connection_close(connection, result);
}

int mf_uv_transport_open(mayfly_uv_connection *connection, mf_os_stream *stream) {
  struct mf_uv_transport *transport = &connection->transport;
  mayfly_os_fd fd = mf_os_stream_fd(stream);
  int result = uv_poll_init(connection->origin->loop->uv, &transport->handle.poll, (int)fd);
  if (result < 0)
    return mf_fail(MAYFLY_EIO, "watch descriptor %lld: %s", (long long)fd, uv_strerror(result));
  transport->stream = stream;
  return 0;
}

int mf_uv_transport_read(mayfly_uv_connection *connection, int on) {
  if (on == ((connection->flags & MF_UV_READING) != 0))
    return 0;
  if (on)
    mf_uv_set(connection, MF_UV_READING);
  else
    mf_uv_clear(connection, MF_UV_READING);
  return poll_again(connection);
}

int64_t mf_uv_transport_try(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count) {
  return mf_os_stream_write_some(connection->transport.stream, slices, count);
}

int mf_uv_transport_write(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count) {
  (void)slices, (void)count; /* which are tried again */
  mf_uv_set(connection, MF_UV_BLOCKED);
  return poll_again(connection);
}

static void on_closed(uv_handle_t *handle) {
  mf_uv_connection_gone((mayfly_uv_connection *)handle);
}

void mf_uv_transport_close(mayfly_uv_connection *connection) {
  struct mf_uv_transport *transport = &connection->transport;
  if (transport->stream == NULL)
    uv_idle_init(connection->origin->loop->uv, &transport->handle.idle);
  uv_close(&transport->handle.any, on_closed);
  if (transport->stream != NULL)
    mf_os_stream_close(transport->stream);
  transport->stream = NULL;
}
