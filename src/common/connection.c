/* SPDX-License-Identifier: MIT */
/* connection.c - whole messages over a stream.
 *
 * The receiving side owns a buffer: buffer[begin, end) is what was read and not handed out. A message that was handed
 * out lies before `begin` and stays there until the next receive, the only one who moves or frees memory. Reading is
 * exact (as far as the message asks for) unless `readahead` is set; memory grows with what has arrived, never with
 * what was announced. `receive_error` and `send_error` end a direction for good.
 *
 * The sending side touches none of that, so that one thread may send while another receives. */
#include "connection.h"
#include "error.h"
#include "frame.h"
#include <stdlib.h>
#include <string.h>

enum {
  GROWTH = 1 << 16,             /* the least that a buffer for a large message begins with */
  KEEP = (1 << 20) + (1 << 12), /* a larger buffer is not kept for the next message */
  COPY_MAX = 4096,              /* up to here one copy is cheaper than gathering */
  KEPT_READ = 8192              /* Windows: a first read of a message whose size is not known yet */
};

/* First what a wait over thousands of connections looks at: less memory is to be fetched for each. */
struct mayfly_connection {
  mf_os_stream *stream;
  size_t begin, end;
  unsigned directions;
  int receive_error, send_error;
  int kept_whole;     /* where messages are kept: all of the one in the buffer is there */
  uint64_t kept_left; /* the same: how much of it is still to be read */
  unsigned char *buffer;
  size_t capacity;
  size_t readahead;
  uint64_t message_size_max;
  int receive_ms, send_ms;
  mayfly_peer peer;
};

static mayfly_connection *allocate(void) {
  mayfly_connection *made = calloc(1, sizeof *made);
  if (made == NULL)
    mf_fail(MAYFLY_ENOMEM, "open a connection: no memory");
  return made;
}

static void begin(mayfly_connection *connection, mf_os_stream *stream, unsigned directions) {
  connection->stream = stream;
  connection->directions = directions;
  connection->message_size_max = UINT64_C(1) << 30;
  connection->receive_ms = connection->send_ms = MAYFLY_FOREVER;
  mf_os_stream_peer(stream, &connection->peer);
}

int mf_connection_new(mf_os_stream *stream, unsigned directions, mayfly_connection **connection) {
  mayfly_connection *made = allocate();
  if (made == NULL) {
    mf_os_stream_close(stream);
    return MAYFLY_ENOMEM;
  }
  begin(made, stream, directions);
  *connection = made;
  return 0;
}

static void drop_buffer(mayfly_connection *connection) {
  free(connection->buffer);
  connection->buffer = NULL;
  connection->begin = connection->end = connection->capacity = 0;
}

/* More than this no memory can hold, whatever limit was wished for. */
static uint64_t limit(uint64_t bytes) {
  return bytes < PTRDIFF_MAX / 2 ? bytes : PTRDIFF_MAX / 2;
}

/* An idle connection has no memory for the handshake's messages. */
void mf_connection_configure(mayfly_connection *connection, const mayfly_endpoint_options *options) {
  connection->message_size_max = limit(options->message_size_max);
  connection->readahead = options->readahead;
  if (connection->begin == connection->end)
    drop_buffer(connection);
}

size_t mf_connection_swap_readahead(mayfly_connection *connection, size_t bytes) {
  size_t former = connection->readahead;
  connection->readahead = bytes;
  return former;
}

int64_t mf_connection_receive_deadline(const mayfly_connection *connection) {
  return mf_endpoint_deadline(connection->receive_ms);
}

int64_t mf_connection_send_deadline(const mayfly_connection *connection) {
  return mf_endpoint_deadline(connection->send_ms);
}

mf_os_stream *mf_connection_stream(const mayfly_connection *connection) {
  return connection->stream;
}

/* ---- checks that every public function begins with ---- */

static int check(const mayfly_connection *connection, const char *function) {
  return connection != NULL ? 0 : mf_fail(MAYFLY_EINVAL, "%s: connection is NULL", function);
}

int mf_connection_check(const mayfly_connection *connection, const char *function, unsigned directions) {
  int result = check(connection, function);
  if (result == 0 && (connection->directions & directions) != directions)
    return mf_fail(MAYFLY_EINVAL, "%s: this end is for %s only", function,
                   connection->directions == MF_WRITABLE ? "sending" : "receiving");
  return result;
}

/* ---- the buffer ---- */

static size_t buffered(const mayfly_connection *connection) {
  return connection->end - connection->begin;
}

/* What was handed out is the caller's no longer; a buffer that one huge message needed goes. */
static void reclaim(mayfly_connection *connection) {
  if (buffered(connection) > 0)
    return;
  connection->begin = connection->end = 0;
  if (connection->capacity > KEEP + connection->readahead)
    drop_buffer(connection);
}

/* Room for `size` bytes behind what is buffered. */
static int reserve(mayfly_connection *connection, size_t size) {
  size_t have = buffered(connection);
  if (connection->capacity - connection->end >= size)
    return 0;
  if (connection->begin > 0)
    memmove(connection->buffer, connection->buffer + connection->begin, have);
  connection->begin = 0;
  connection->end = have;
  if (connection->capacity - have >= size)
    return 0;
  unsigned char *buffer = realloc(connection->buffer, have + size);
  if (buffer == NULL)
    return mf_fail(MAYFLY_ENOMEM, "receive: no memory for %zu bytes more", size);
  connection->buffer = buffer;
  connection->capacity = have + size;
  return 0;
}

static size_t smaller(uint64_t one, size_t other) {
  return one < other ? (size_t)one : other;
}

/* How much to make room for when `lacking` bytes are to come: no more than has come already, but for the first few. */
static size_t growth(const mayfly_connection *connection, uint64_t lacking) {
  size_t have = buffered(connection);
  size_t room = smaller(lacking, have > GROWTH ? have : GROWTH);
  return room > connection->readahead ? room : connection->readahead;
}

/* Only where little is left: a buffer that grew with every read would be copied with every read. */
static int make_room(mayfly_connection *connection, uint64_t lacking) {
  size_t room = connection->capacity - connection->end;
  if (room >= smaller(lacking, GROWTH) && room >= connection->readahead)
    return 0;
  return reserve(connection, growth(connection, lacking));
}

int mf_connection_receive_over(mayfly_connection *connection, int error) {
  connection->receive_error = error;
  return error;
}

static int64_t read_some(mayfly_connection *connection, size_t size, int64_t deadline) {
  uint64_t left = 0;
  int64_t count = mf_os_stream_read(connection->stream, connection->buffer + connection->end, size, deadline, &left);
  if (count == MAYFLY_EOF && buffered(connection) > 0) {
    mf_fail(MAYFLY_EPROTO, "receive: the peer closed the connection inside a message, %zu bytes after its beginning",
            buffered(connection));
    return mf_connection_receive_over(connection, MAYFLY_EPROTO);
  }
  if (count >= 0) {
    connection->end += (size_t)count;
    connection->kept_left = left;
  }
  return count;
}

/* ---- receiving, framed ---- */

/* Until `size` bytes lie at `begin`. */
static int await_bytes(mayfly_connection *connection, uint64_t size, int64_t deadline) {
  while (buffered(connection) < size) {
    uint64_t lacking = size - buffered(connection);
    int result = make_room(connection, lacking);
    if (result < 0)
      return result;
    size_t room = connection->capacity - connection->end;
    int64_t count = read_some(connection, connection->readahead > 0 ? room : smaller(lacking, room), deadline);
    if (count < 0)
      return (int)count;
  }
  return 0;
}

static int decode(const mayfly_connection *connection, struct mf_frame *frame) {
  return mf_frame_decode(connection->buffer + connection->begin, buffered(connection), connection->message_size_max,
                         frame);
}

static int too_long(uint64_t size, size_t max_length, size_t *found) {
  *found = (size_t)size;
  return mf_fail(MAYFLY_EMSGSIZE, "receive: the message has %llu bytes, there is room for %zu",
                 (unsigned long long)size, max_length);
}

static int bad_frame(mayfly_connection *connection, int error) {
  if (error == MAYFLY_EMSGSIZE)
    mf_fail(error, "receive: the peer announced a message over the limit of %llu bytes",
            (unsigned long long)connection->message_size_max);
  else
    mf_fail(error, "receive: the peer announced a message of a length that is none");
  return mf_connection_receive_over(connection, error);
}

/* Its first four bytes say that it is long, or are all of it. */
static int await_header(mayfly_connection *connection, int64_t deadline, struct mf_frame *frame) {
  int found = 0;
  for (size_t size = 4; found == 0; size = MF_FRAME_HEADER_MAX) {
    int result = await_bytes(connection, size, deadline);
    if (result < 0)
      return result;
    found = decode(connection, frame);
  }
  return found < 0 ? bad_frame(connection, found) : 0;
}

static int receive_framed(mayfly_connection *connection, size_t max_length, int64_t deadline, const void **data,
                          size_t *size) {
  struct mf_frame frame = {0, 0};
  int result = await_header(connection, deadline, &frame);
  if (result == 0 && frame.payload_size > max_length)
    return too_long(frame.payload_size, max_length, size);
  if (result == 0)
    result = await_bytes(connection, frame.header_size + frame.payload_size, deadline);
  if (result < 0)
    return result;
  *data = connection->buffer + connection->begin + frame.header_size;
  *size = (size_t)frame.payload_size;
  connection->begin += frame.header_size + *size;
  return 0;
}

/* ---- receiving where messages are kept ---- */

static int receive_kept(mayfly_connection *connection, size_t max_length, int64_t deadline, const void **data,
                        size_t *size) {
  while (!connection->kept_whole) {
    uint64_t whole = buffered(connection) + connection->kept_left;
    if (whole > connection->message_size_max)
      return bad_frame(connection, MAYFLY_EMSGSIZE);
    if (whole > max_length && connection->kept_left > 0)
      return too_long(whole, max_length, size);
    size_t room = connection->kept_left > 0 ? (size_t)connection->kept_left : KEPT_READ;
    int result = reserve(connection, room);
    if (result < 0)
      return result;
    int64_t count = read_some(connection, room, deadline);
    if (count < 0)
      return (int)count;
    connection->kept_whole = connection->kept_left == 0;
  }
  if (buffered(connection) > connection->message_size_max)
    return bad_frame(connection, MAYFLY_EMSGSIZE);
  if (buffered(connection) > max_length)
    return too_long(buffered(connection), max_length, size);
  *data = connection->buffer + connection->begin;
  *size = buffered(connection);
  connection->begin = connection->end;
  connection->kept_whole = 0;
  return 0;
}

static int receive_again(const mayfly_connection *connection) {
  if (connection->receive_error == MAYFLY_EMSGSIZE)
    return mf_fail(MAYFLY_EMSGSIZE, "receive: an earlier message was over the limit");
  return mf_fail(connection->receive_error, "receive: an earlier message was cut off, or had a length that can't be");
}

int mf_connection_may_receive(const mayfly_connection *connection) {
  if (mf_os_stream_is_shut(connection->stream)) /* which what is known already does not ask */
    return mf_fail(MAYFLY_ECANCELED, "receive: the connection was shut down");
  return connection->receive_error < 0 ? receive_again(connection) : 0;
}

int mf_connection_receive(mayfly_connection *connection, size_t max_length, int64_t deadline, const void **data,
                          size_t *size) {
  int result = mf_connection_may_receive(connection);
  if (result < 0)
    return result;
  reclaim(connection);
  if (mf_os_stream_keeps_messages(connection->stream))
    return receive_kept(connection, max_length, deadline, data, size);
  return receive_framed(connection, max_length, deadline, data, size);
}

int mf_connection_reads_exactly(const mayfly_connection *connection, const char *function) {
  if (connection->readahead > 0)
    return mf_fail(MAYFLY_EINVAL, "%s: the connection reads ahead", function);
  if (buffered(connection) > 0 || connection->kept_whole)
    return mf_fail(MAYFLY_EINVAL, "%s: part of a message is in the buffer, or one that did not fit: receive it first",
                   function);
  return 0;
}

static int has_message(const mayfly_connection *connection) {
  struct mf_frame frame = {0, 0};
  if (connection->receive_error < 0 || connection->kept_whole)
    return 1;
  if (buffered(connection) == 0 || mf_os_stream_keeps_messages(connection->stream))
    return 0;
  int found = decode(connection, &frame);
  return found < 0 || (found == 1 && buffered(connection) >= frame.header_size + frame.payload_size);
}

mf_os_stream *mf_connection_awaits(const mayfly_connection *connection) {
  return has_message(connection) ? NULL : connection->stream;
}

int mayfly_recv_bytes(mayfly_connection *connection, size_t max_length, const void **data, size_t *size) {
  int result = mf_connection_check(connection, "mayfly_recv_bytes", MF_READABLE);
  if (result < 0)
    return result;
  if (data == NULL || size == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_recv_bytes: %s is NULL", data == NULL ? "data" : "size");
  return mf_connection_receive(connection, max_length, mf_connection_receive_deadline(connection), data, size);
}

int mayfly_recv_bytes_into(mayfly_connection *connection, void *buffer, size_t capacity, size_t *size) {
  const void *data;
  int result = mf_connection_check(connection, "mayfly_recv_bytes_into", MF_READABLE);
  if (result < 0)
    return result;
  if (size == NULL || (buffer == NULL && capacity > 0))
    return mf_fail(MAYFLY_EINVAL, "mayfly_recv_bytes_into: %s is NULL", size == NULL ? "size" : "buffer");
  result = mf_connection_receive(connection, capacity, mf_connection_receive_deadline(connection), &data, size);
  if (result == 0 && *size > 0)
    memcpy(buffer, data, *size); /* NOLINT(clang-analyzer-core.NonNullParamChecker): without a buffer *size is 0 */
  return result;
}

/* ---- sending ---- */

static int total_size(const mayfly_slice *slices, size_t count, size_t *total) {
  size_t sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (slices[i].data == NULL && slices[i].size > 0)
      return mf_fail(MAYFLY_EINVAL, "send: slice %zu is NULL, but has %zu bytes", i, slices[i].size);
    if (slices[i].size > PTRDIFF_MAX - MF_FRAME_HEADER_MAX - sum)
      return mf_fail(MAYFLY_EINVAL, "send: the slices together are larger than memory");
    sum += slices[i].size;
  }
  *total = sum;
  return 0;
}

static int send_copied(mf_os_stream *stream, const mayfly_slice *slices, size_t count, size_t total, int64_t deadline) {
  unsigned char bytes[MF_FRAME_HEADER_MAX + COPY_MAX];
  size_t size = mf_frame_encode(total, bytes);
  for (size_t i = 0; i < count; i++) {
    if (slices[i].size > 0)
      memcpy(bytes + size, slices[i].data, slices[i].size);
    size += slices[i].size;
  }
  const mayfly_slice whole = {bytes, size};
  return mf_os_stream_write(stream, &whole, 1, deadline);
}

static int send_gathered(mf_os_stream *stream, const mayfly_slice *slices, size_t count, size_t total,
                         int64_t deadline) {
  enum { FEW = 16 };
  mayfly_slice few[FEW + 1];
  mayfly_slice *all = few;
  unsigned char header[MF_FRAME_HEADER_MAX];
  if (count > FEW && (all = malloc((count + 1) * sizeof *all)) == NULL)
    return mf_fail(MAYFLY_ENOMEM, "send: no memory for %zu slices", count);
  all[0] = (mayfly_slice){header, mf_frame_encode(total, header)};
  memcpy(all + 1, slices, count * sizeof *all);
  int result = mf_os_stream_write(stream, all, count + 1, deadline);
  if (all != few)
    free(all);
  return result;
}

int mf_connection_may_send(const mayfly_connection *connection) {
  if (mf_os_stream_is_shut(connection->stream))
    return mf_fail(MAYFLY_ECANCELED, "send: the connection was shut down");
  if (connection->send_error < 0)
    return mf_fail(connection->send_error, "send: an earlier message was cut off, or the peer is gone");
  return 0;
}

int mf_connection_send(mayfly_connection *connection, const mayfly_slice *slices, size_t count, int64_t deadline) {
  size_t total = 0;
  int result = total_size(slices, count, &total);
  if (result == 0)
    result = mf_connection_may_send(connection);
  if (result < 0)
    return result;
  if (mf_os_stream_keeps_messages(connection->stream))
    result = mf_os_stream_write(connection->stream, slices, count, deadline);
  else if (total <= COPY_MAX)
    result = send_copied(connection->stream, slices, count, total, deadline);
  else
    result = send_gathered(connection->stream, slices, count, total, deadline);
  if (result == MAYFLY_EPIPE)
    connection->send_error = result;
  return result;
}

int mayfly_send_gather(mayfly_connection *connection, const mayfly_slice *slices, size_t count) {
  int result = mf_connection_check(connection, "mayfly_send_gather", MF_WRITABLE);
  if (result < 0)
    return result;
  if (slices == NULL && count > 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_send_gather: slices is NULL");
  return mf_connection_send(connection, slices, count, mf_connection_send_deadline(connection));
}

int mayfly_send_bytes(mayfly_connection *connection, const void *data, size_t size) {
  const mayfly_slice slice = {data, size};
  int result = mf_connection_check(connection, "mayfly_send_bytes", MF_WRITABLE);
  if (result < 0)
    return result;
  return mf_connection_send(connection, &slice, 1, mf_connection_send_deadline(connection));
}

/* ---- waiting, settings, the end ---- */

int mayfly_poll(mayfly_connection *connection, int timeout_ms) {
  int64_t deadline;
  int result = mf_connection_check(connection, "mayfly_poll", MF_READABLE);
  if (result == 0)
    result = mf_deadline_take(timeout_ms, "mayfly_poll", &deadline);
  if (result < 0)
    return result;
  if (has_message(connection) && !mf_os_stream_is_shut(connection->stream))
    return 1;
  return mf_os_stream_poll(connection->stream, deadline);
}

int mayfly_connection_os_fd(const mayfly_connection *connection, mayfly_os_fd *fd) {
  int result = check(connection, "mayfly_connection_os_fd");
  if (result < 0)
    return result;
  if (fd == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_os_fd: fd is NULL");
  *fd = mf_os_stream_fd(connection->stream);
  return 0;
}

const mayfly_peer *mayfly_connection_peer(const mayfly_connection *connection) {
  return check(connection, "mayfly_connection_peer") == 0 ? &connection->peer : NULL;
}

int mayfly_connection_set_timeouts(mayfly_connection *connection, int receive_ms, int send_ms) {
  int result = check(connection, "mayfly_connection_set_timeouts");
  if (result < 0)
    return result;
  if (receive_ms < MAYFLY_FOREVER || send_ms < MAYFLY_FOREVER)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_set_timeouts: a timeout of %d ms",
                   receive_ms < MAYFLY_FOREVER ? receive_ms : send_ms);
  connection->receive_ms = receive_ms;
  connection->send_ms = send_ms;
  return 0;
}

int mayfly_connection_set_readahead(mayfly_connection *connection, size_t bytes) {
  int result = mf_connection_check(connection, "mayfly_connection_set_readahead", MF_READABLE);
  if (result < 0)
    return result;
  if (buffered(connection) > 0)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_set_readahead: %zu bytes are in the buffer already",
                   buffered(connection));
  if (bytes > PTRDIFF_MAX / 2)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_set_readahead: %zu bytes are more than memory", bytes);
  connection->readahead = bytes;
  return 0;
}

int mayfly_connection_set_message_size_max(mayfly_connection *connection, uint64_t bytes) {
  int result = check(connection, "mayfly_connection_set_message_size_max");
  if (result == 0)
    connection->message_size_max = limit(bytes);
  return result;
}

int mayfly_connection_shutdown(mayfly_connection *connection) {
  int result = check(connection, "mayfly_connection_shutdown");
  return result < 0 ? result : mf_os_stream_shutdown(connection->stream);
}

int mf_connection_parts(const mayfly_connection *connection, struct mf_connection_parts *parts) {
  if (mf_os_stream_keeps_messages(connection->stream))
    return mf_fail(MAYFLY_ENOTSUP, "the pipe keeps messages, and only a stream of bytes can be taken over");
  int result = mf_connection_may_receive(connection);
  if (result == 0)
    result = mf_connection_may_send(connection);
  if (result < 0)
    return result;
  *parts = (struct mf_connection_parts){
      connection->stream,
      connection->directions,
      connection->message_size_max,
      connection->peer,
      buffered(connection) > 0 ? connection->buffer + connection->begin : NULL,
      buffered(connection),
  };
  return 0;
}

void mf_connection_leave(mayfly_connection *connection) {
  free(connection->buffer);
  free(connection);
}

int mayfly_connection_close(mayfly_connection *connection) {
  if (connection == NULL)
    return 0;
  int result = mf_os_stream_close(connection->stream);
  mf_connection_leave(connection);
  return result;
}

int mayfly_pipe(int duplex, mayfly_connection *ends[2]) {
  mf_os_stream *streams[2];
  mayfly_connection *made[2] = {NULL, NULL};
  if (ends == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_pipe: ends is NULL");
  int result = mf_os_stream_pair(duplex, streams);
  if (result < 0)
    return result;
  result = mf_connection_new(streams[0], duplex ? MF_READABLE | MF_WRITABLE : MF_READABLE, &made[0]);
  if (result < 0) {
    mf_os_stream_close(streams[1]);
    return result;
  }
  result = mf_connection_new(streams[1], duplex ? MF_READABLE | MF_WRITABLE : MF_WRITABLE, &made[1]);
  if (result < 0) {
    mayfly_connection_close(made[0]);
    return result;
  }
  ends[0] = made[0];
  ends[1] = made[1];
  return 0;
}

int mayfly_connection_adopt(mayfly_os_fd fd, int readable, int writable, mayfly_connection **connection) {
  mf_os_stream *stream;
  if (connection == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_adopt: connection is NULL");
  if (!readable && !writable)
    return mf_fail(MAYFLY_EINVAL, "mayfly_connection_adopt: neither readable nor writable");
  mayfly_connection *made = allocate(); /* first: nothing may fail once the stream has taken the descriptor over */
  if (made == NULL)
    return MAYFLY_ENOMEM;
  int result = mf_os_stream_adopt(fd, readable, writable, &stream);
  if (result < 0) {
    free(made);
    return result;
  }
  begin(made, stream, (readable ? MF_READABLE : 0) | (writable ? MF_WRITABLE : 0));
  *connection = made;
  return 0;
}
