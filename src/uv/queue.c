/* SPDX-License-Identifier: MIT */
/* queue.c - what is waiting to leave.
 *
 * A send to a connection that has sent nothing in this turn of the loop, and whose own messages are not being handed
 * out, is tried at once, and so is a large one. Everything else is queued, and leaves together: at the end of the read
 * batch that it answers, or before the loop waits. Small messages are copied one behind the other into chunks, which
 * the loop keeps for the next; what the program gave for good is sent from where it lies, behind its header in a chunk.
 *
 * A queue exists while there is something in it. While the transport has it (BLOCKED), its items stay where they are.
 */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

enum {
  CHUNK = 1 << 13,
  SPARES_MAX = 32,              /* chunks that a loop keeps */
  KEEP = (1 << 20) + (1 << 12), /* it keeps one larger piece, up to here */
  LARGE = 1 << 16,              /* a message from here on is not copied to wait for others */
  SLICES_MAX = 64               /* of one write */
};

static struct mf_uv_loop *loop_of(const mayfly_uv_connection *connection) {
  return connection->origin->loop;
}

static size_t bytes_of(const mayfly_uv_connection *connection) {
  return connection->queue != NULL ? connection->queue->bytes : 0;
}

/* ---- items ---- */

static struct mf_uv_item *take_spare(struct mf_uv_loop *loop, size_t size) {
  struct mf_uv_item *item = size <= CHUNK ? loop->spare : loop->spare_large;
  if (item == NULL || item->capacity < size)
    return NULL;
  if (size > CHUNK)
    loop->spare_large = NULL;
  else {
    loop->spare = item->next;
    loop->spares--;
  }
  return item;
}

static struct mf_uv_item *new_chunk(struct mf_uv_loop *loop, size_t size) {
  struct mf_uv_item *item = take_spare(loop, size);
  size_t capacity = item != NULL ? item->capacity : size > CHUNK ? size : CHUNK;
  if (item == NULL && (item = malloc(sizeof *item + capacity)) == NULL) {
    mf_fail(MAYFLY_ENOMEM, "send: no memory for %zu bytes", size);
    return NULL;
  }
  *item = (struct mf_uv_item){.data = item->bytes, .room = capacity, .capacity = capacity};
  return item;
}

void mf_uv_item_free(struct mf_uv_item *item) {
  if (item->owned != NULL && item->release != NULL)
    item->release(item->owned);
  free(item);
}

/* For the next message: chunks, and the largest of those that one large message needed. */
static void give_back(struct mf_uv_loop *loop, struct mf_uv_item *item) {
  struct mf_uv_item *large = loop->spare_large;
  if (item->capacity == CHUNK && loop->spares < SPARES_MAX) {
    item->next = loop->spare;
    loop->spare = item;
    loop->spares++;
  } else if (item->capacity > CHUNK && item->capacity <= KEEP && (large == NULL || large->capacity < item->capacity)) {
    loop->spare_large = item;
    free(large);
  } else
    mf_uv_item_free(item);
}

/* ---- the queue ---- */

static void out_of_time(struct mf_uv_alarm *alarm) {
  const struct mf_uv_queue *queue = MF_UV_OF(alarm, struct mf_uv_queue, deadline);
  mf_fail(MAYFLY_ETIMEDOUT, "close: %zu bytes were not taken in time", queue->bytes);
  mf_uv_connection_close(queue->connection, MAYFLY_ETIMEDOUT);
}

void mf_uv_queue_set_deadline(mayfly_uv_connection *connection, int timeout_ms) {
  struct mf_uv_alarm *deadline = &connection->queue->deadline;
  mf_uv_alarm_cancel(loop_of(connection), deadline);
  mf_uv_deadline_set(loop_of(connection), deadline, mf_endpoint_deadline(timeout_ms));
}

static int make_queue(mayfly_uv_connection *connection) {
  struct mf_uv_loop *loop = loop_of(connection);
  struct mf_uv_queue *queue = loop->spare_queue;
  loop->spare_queue = NULL;
  if (queue == NULL && (queue = malloc(sizeof *queue)) == NULL)
    return mf_fail(MAYFLY_ENOMEM, "send: no memory");
  *queue = (struct mf_uv_queue){.connection = connection, .deadline = {.ring = out_of_time}};
  mf_uv_link_init(&queue->deadline.link);
  connection->queue = queue;
  return 0;
}

static void drop_queue(mayfly_uv_connection *connection) {
  struct mf_uv_loop *loop = loop_of(connection);
  struct mf_uv_queue *queue = connection->queue;
  mf_uv_alarm_cancel(loop, &queue->deadline);
  connection->queue = NULL;
  if (loop->spare_queue == NULL)
    loop->spare_queue = queue;
  else
    free(queue);
}

/* As for what has left, a release comes last. */
void mf_uv_queue_free(mayfly_uv_connection *connection) {
  if (connection->queue == NULL)
    return;
  struct mf_uv_item *left = connection->queue->first;
  drop_queue(connection);
  while (left != NULL) {
    struct mf_uv_item *item = left;
    left = item->next;
    mf_uv_item_free(item);
  }
}

static void append(struct mf_uv_queue *queue, struct mf_uv_item *item) {
  if (queue->last != NULL)
    queue->last->next = item;
  else
    queue->first = item;
  queue->last = item;
  queue->bytes += item->size;
}

/* Room for `size` bytes in one piece, at the end; NULL: no memory. */
static unsigned char *reserve(mayfly_uv_connection *connection, size_t size) {
  struct mf_uv_queue *queue = connection->queue;
  struct mf_uv_item *item = queue->last;
  if (item == NULL || item->owned != NULL || item->room < size) {
    item = new_chunk(loop_of(connection), size);
    if (item == NULL)
      return NULL;
    append(queue, item);
  }
  unsigned char *room = (unsigned char *)item->data + item->size;
  item->size += size;
  item->room -= size;
  queue->bytes += size;
  return room;
}

/* ---- leaving ---- */

static size_t fill(const struct mf_uv_queue *queue, mayfly_slice slices[SLICES_MAX]) {
  size_t count = 0;
  for (const struct mf_uv_item *item = queue->first; item != NULL && count < SLICES_MAX; item = item->next)
    if (item->size > 0)
      slices[count++] = (mayfly_slice){item->data, item->size};
  return count;
}

/* What has left whole: out of the queue. */
static struct mf_uv_item *take_left(struct mf_uv_queue *queue, size_t size) {
  struct mf_uv_item *left = NULL, **end = &left;
  queue->bytes -= size;
  while (queue->first != NULL && queue->first->size <= size) {
    size -= queue->first->size;
    *end = queue->first;
    end = &queue->first->next;
    queue->first = *end;
  }
  *end = NULL;
  if (queue->first != NULL) {
    queue->first->data += size;
    queue->first->size -= size;
  }
  return left;
}

/* A release comes last: it may send again, or close. */
static void advance(mayfly_uv_connection *connection, size_t size) {
  struct mf_uv_item *left = take_left(connection->queue, size);
  if (connection->queue->first == NULL)
    drop_queue(connection);
  while (left != NULL) {
    struct mf_uv_item *item = left;
    left = item->next;
    give_back(loop_of(connection), item);
  }
}

/* The words stand. Where the peer is gone, what it sent before is still received: the connection's turns see to it. A
 * `drained` that is owed comes all the same, since who waits for it before reading on would never see the end. */
static void failed(mayfly_uv_connection *connection, int error) {
  int is_read = connection->state == MF_UV_OPEN && (connection->flags & MF_UV_NO_RECEIVE) == 0;
  if (!is_read || (error != MAYFLY_EPIPE && error != MAYFLY_ECONNRESET)) {
    mf_uv_connection_close(connection, error);
    return;
  }
  mf_uv_set(connection, MF_UV_SEND_OVER | MF_UV_HEARD);
  mf_uv_loop_ready(connection);
  mf_uv_queue_free(connection);
}

static void write_queue(mayfly_uv_connection *connection) {
  mayfly_slice slices[SLICES_MAX];
  size_t count = fill(connection->queue, slices);
  int64_t left = mf_uv_transport_try(connection, slices, count);
  if (left == MAYFLY_EAGAIN)
    left = mf_uv_transport_write(connection, slices, count);
  if (left < 0)
    failed(connection, (int)left);
  else if (left > 0)
    advance(connection, (size_t)left);
}

static int may_write(const mayfly_uv_connection *connection) {
  return (connection->state == MF_UV_OPEN || connection->state == MF_UV_ENDING) &&
         (connection->flags & MF_UV_BLOCKED) == 0;
}

void mf_uv_queue_flush(mayfly_uv_connection *connection) {
  while (connection->queue != NULL && may_write(connection))
    write_queue(connection);
}

void mf_uv_queue_settle(mayfly_uv_connection *connection) {
  const struct mf_uv_origin *origin = connection->origin;
  if (connection->state == MF_UV_ENDING && connection->queue == NULL)
    mf_uv_connection_close(connection, connection->status);
  if (connection->state != MF_UV_OPEN || (connection->flags & MF_UV_ABOVE) == 0 ||
      bytes_of(connection) > origin->queue_low)
    return;
  mf_uv_clear(connection, MF_UV_ABOVE);
  if (origin->handlers.drained != NULL)
    origin->handlers.drained(connection);
}

void mf_uv_sent(mayfly_uv_connection *connection, int64_t count) {
  mf_uv_clear(connection, MF_UV_BLOCKED);
  if (connection->state == MF_UV_PROVING && count >= 0) {
    mf_uv_opening_sent(connection, (size_t)count);
    return;
  }
  if (connection->state == MF_UV_PROVING)
    mf_uv_opening_failed(connection, (int)count);
  else if (count < 0)
    failed(connection, (int)count);
  else if (count > 0)
    advance(connection, (size_t)count);
  mf_uv_queue_flush(connection);
  mf_uv_queue_settle(connection);
}

/* ---- what is to be sent ---- */

struct message {
  unsigned char header[MF_FRAME_HEADER_MAX];
  size_t header_size;
  const unsigned char *data;
  size_t size;
  int is_owned;
  void (*release)(void *data);
};

/* Nearly every message is copied whole, and its header by one move of the processor's. */
static int copy_whole(mayfly_uv_connection *connection, const struct message *message) {
  size_t header_size = message->header_size;
  unsigned char *room = reserve(connection, header_size + message->size);
  if (room == NULL)
    return MAYFLY_ENOMEM;
  if (header_size == MF_FRAME_SHORT_HEADER)
    memcpy(room, message->header, MF_FRAME_SHORT_HEADER);
  else
    memcpy(room, message->header, MF_FRAME_HEADER_MAX);
  if (message->size > 0)
    memcpy(room + header_size, message->data, message->size);
  return 0;
}

/* Behind the first `skip` bytes of it, which have left. */
static int copy(mayfly_uv_connection *connection, const struct message *message, size_t skip) {
  if (skip == 0)
    return copy_whole(connection, message);
  size_t in_header = skip < message->header_size ? skip : message->header_size;
  size_t in_data = skip - in_header;
  size_t header_size = message->header_size - in_header;
  unsigned char *room = reserve(connection, header_size + message->size - in_data);
  if (room == NULL)
    return MAYFLY_ENOMEM;
  memcpy(room, message->header + in_header, header_size);
  if (message->size > in_data)
    memcpy(room + header_size, message->data + in_data, message->size - in_data);
  return 0;
}

/* The same without a copy. An item first, then the header, so that a failure leaves nothing. */
static int refer(mayfly_uv_connection *connection, const struct message *message, size_t skip) {
  struct message header = *message;
  size_t in_data = skip > message->header_size ? skip - message->header_size : 0;
  struct mf_uv_item *item = malloc(sizeof *item);
  if (item == NULL)
    return mf_fail(MAYFLY_ENOMEM, "send: no memory");
  header.size = 0;
  if (skip < message->header_size && copy(connection, &header, skip) < 0) {
    free(item);
    return MAYFLY_ENOMEM;
  }
  *item = (struct mf_uv_item){.data = message->data + in_data,
                              .size = message->size - in_data,
                              .owned = (void *)message->data,
                              .release = message->release};
  append(connection->queue, item);
  return 0;
}

static void release(const struct message *message) {
  if (message->is_owned && message->release != NULL)
    message->release((void *)message->data);
}

static int enqueue(mayfly_uv_connection *connection, const struct message *message, size_t skip) {
  int result = connection->queue == NULL ? make_queue(connection) : 0;
  if (result < 0)
    return result;
  result = message->is_owned ? refer(connection, message, skip) : copy(connection, message, skip);
  if (result < 0 && connection->queue->bytes == 0) /* made for this one */
    mf_uv_queue_free(connection);
  return result;
}

static int leaves_at_once(mayfly_uv_connection *connection, size_t size) {
  if (size < LARGE && connection->queue != NULL)
    return 0;
  if (size >= LARGE)
    mf_uv_queue_flush(connection);
  if (connection->state != MF_UV_OPEN || connection->queue != NULL || (connection->flags & MF_UV_BLOCKED) != 0)
    return 0;
  return size >= LARGE || (connection != loop_of(connection)->current && (connection->flags & MF_UV_SENT) == 0);
}

/* How much of it has left. */
static int64_t try_to_send(mayfly_uv_connection *connection, const struct message *message) {
  const mayfly_slice slices[] = {{message->header, message->header_size}, {message->data, message->size}};
  unsigned char joined[4096];
  mf_uv_set(connection, MF_UV_SENT);
  mf_uv_loop_ready(connection); /* whose turn takes that back */
  if (message->header_size + message->size > sizeof joined)
    return mf_uv_transport_try(connection, slices, 2);
  memcpy(joined, message->header, message->header_size); /* one copy is cheaper than gathering */
  if (message->size > 0)
    memcpy(joined + message->header_size, message->data, message->size);
  return mf_uv_transport_try(connection, &(mayfly_slice){joined, message->header_size + message->size}, 1);
}

/* What is begun must be gone on with, or the connection is broken. */
static int send_at_once(mayfly_uv_connection *connection, const struct message *message) {
  int64_t left = try_to_send(connection, message);
  if (left < 0 && left != MAYFLY_EAGAIN) {
    failed(connection, (int)left);
    return (int)left;
  }
  size_t skip = left > 0 ? (size_t)left : 0;
  if (skip == message->header_size + message->size) {
    release(message);
    return 0;
  }
  int result = enqueue(connection, message, skip);
  if (result < 0 && skip > 0)
    mf_uv_connection_close(connection, result);
  return result;
}

static int may_send(const mayfly_uv_connection *connection, const void *data, size_t size) {
  return connection != NULL && (data != NULL || size == 0) && size <= PTRDIFF_MAX / 2 &&
         connection->state < MF_UV_ENDING &&
         (connection->flags & (MF_UV_NO_SEND | MF_UV_SEND_OVER | MF_UV_CLOSE_ASKED)) == 0;
}

static int refuse(const mayfly_uv_connection *connection, const char *function, const void *data, size_t size) {
  if (connection == NULL || (data == NULL && size > 0))
    return mf_fail(MAYFLY_EINVAL, "%s: %s is NULL", function, connection == NULL ? "connection" : "data");
  if ((connection->flags & MF_UV_NO_SEND) != 0)
    return mf_fail(MAYFLY_EINVAL, "%s: this end of the pipe is for receiving only", function);
  if (size > PTRDIFF_MAX / 2)
    return mf_fail(MAYFLY_EINVAL, "%s: %zu bytes are larger than memory", function, size);
  if ((connection->flags & (MF_UV_SEND_OVER | MF_UV_CLOSE_ASKED)) == MF_UV_SEND_OVER ||
      (connection->state >= MF_UV_ENDING && connection->status != 0))
    return mf_fail(MAYFLY_EPIPE, "%s: the peer is gone", function);
  return mf_fail(MAYFLY_ECANCELED, "%s: the connection was closed", function);
}

static int is_above(const mayfly_uv_connection *connection) {
  return bytes_of(connection) > connection->origin->queue_high;
}

static int full(mayfly_uv_connection *connection) {
  mf_uv_set(connection, MF_UV_ABOVE);
  return mf_fail(MAYFLY_EAGAIN, "send: %zu bytes are queued already", bytes_of(connection));
}

static void note_sent(mayfly_uv_connection *connection, size_t size) {
  mayfly_uv_stats *stats = &connection->origin->stats;
  stats->messages_out++;
  stats->bytes_out += size;
  if (bytes_of(connection) > stats->queue_peak)
    stats->queue_peak = bytes_of(connection);
}

/* The turn of who is handed messages comes at the end of the batch. */
static void arrange_turn(mayfly_uv_connection *connection, size_t size) {
  struct mf_uv_loop *loop = loop_of(connection);
  if (connection->queue == NULL || connection == loop->current || connection->state != MF_UV_OPEN)
    return;
  loop->pending += size;
  mf_uv_loop_ready(connection);
}

/* Above a mark only what can't leave counts. */
static int send_message(mayfly_uv_connection *connection, struct message *message) {
  if (is_above(connection)) {
    mf_uv_queue_flush(connection);
    if (is_above(connection))
      return full(connection);
  }
  message->header_size = mf_frame_encode(message->size, message->header);
  int result =
      leaves_at_once(connection, message->size) ? send_at_once(connection, message) : enqueue(connection, message, 0);
  if (result < 0)
    return result;
  note_sent(connection, message->size);
  arrange_turn(connection, message->size);
  if (!is_above(connection))
    return 0;
  mf_uv_queue_flush(connection);
  if (!is_above(connection))
    return 0;
  mf_uv_set(connection, MF_UV_ABOVE);
  return 1;
}

int mayfly_uv_send(mayfly_uv_connection *connection, const void *data, size_t size) {
  struct message message = {.data = data, .size = size};
  if (!may_send(connection, data, size))
    return refuse(connection, "mayfly_uv_send", data, size);
  return send_message(connection, &message);
}

int mayfly_uv_send_owned(mayfly_uv_connection *connection, void *data, size_t size, void (*release_data)(void *data)) {
  struct message message = {.data = data, .size = size, .is_owned = size > 0, .release = release_data};
  if (!may_send(connection, data, size))
    return refuse(connection, "mayfly_uv_send_owned", data, size);
  int result = send_message(connection, &message);
  if (result >= 0 && size == 0 && release_data != NULL)
    release_data(data);
  return result;
}

size_t mayfly_uv_queued(const mayfly_uv_connection *connection) {
  return connection != NULL ? bytes_of(connection) : 0;
}
