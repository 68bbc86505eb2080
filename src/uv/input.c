/* SPDX-License-Identifier: MIT */
/* input.c - bytes in, messages out.
 *
 * All connections of a loop read into its one buffer, and messages are handed out where they lie there. What can't be
 * handed out yet is held by the connection: the beginning of a message, or, when a handler has paused it, the rest of
 * what was read. A small beginning goes back before the next read; a large message is read straight into the memory
 * that holds it, exactly to its end, and that grows with what has arrived, never with what was announced.
 *
 * While a connection is read, what it holds is a beginning. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

enum {
  SMALL = 1 << 13,             /* a message up to here goes through the shared buffer */
  GROWTH = 1 << 16,            /* the most that a large one begins with */
  KEEP = (1 << 20) + (1 << 12) /* memory up to here is kept for the next large message of the loop */
};

static struct mf_uv_loop *loop_of(const mayfly_uv_connection *connection) {
  return connection->origin->loop;
}

static uint64_t size_max(const mayfly_uv_connection *connection) {
  return connection->state == MF_UV_PROVING ? MF_HANDSHAKE_MESSAGE_MAX : connection->origin->message_size_max;
}

/* ---- what is held ---- */

static struct mf_uv_input *take_spare(struct mf_uv_loop *loop, size_t capacity) {
  struct mf_uv_input *spare = loop->spare_input;
  if (capacity <= SMALL || spare == NULL || spare->capacity < capacity)
    return NULL;
  loop->spare_input = NULL;
  return spare;
}

static struct mf_uv_input *new_input(struct mf_uv_loop *loop, size_t capacity) {
  struct mf_uv_input *input = take_spare(loop, capacity);
  if (input == NULL) {
    input = malloc(sizeof *input + capacity);
    if (input == NULL) {
      mf_fail(MAYFLY_ENOMEM, "receive: no memory for %zu bytes", capacity);
      return NULL;
    }
    input->capacity = capacity;
  }
  input->begin = input->end = 0;
  return input;
}

/* The largest is kept: giving it back to the system and taking it anew costs more than reading into it. */
void mf_uv_input_free(struct mf_uv_loop *loop, struct mf_uv_input *input) {
  struct mf_uv_input *spare = loop->spare_input;
  if (input != NULL && input->capacity > SMALL && input->capacity <= KEEP &&
      (spare == NULL || spare->capacity < input->capacity)) {
    loop->spare_input = input;
    input = spare;
  }
  free(input);
}

int mf_uv_input_keep(mayfly_uv_connection *connection, const void *bytes, size_t size) {
  struct mf_uv_input *input = new_input(loop_of(connection), size);
  if (input == NULL)
    return MAYFLY_ENOMEM;
  memcpy(input->bytes, bytes, size);
  input->end = size;
  connection->held.input = input;
  return 0;
}

static void forget(mayfly_uv_connection *connection) {
  mf_uv_input_free(loop_of(connection), connection->held.input);
  connection->held.input = NULL;
}

/* ---- where to read to ---- */

/* Of the message whose beginning is held, with its header; 0: it is not known yet. */
static uint64_t whole_size(const mayfly_uv_connection *connection) {
  const struct mf_uv_input *input = connection->held.input;
  struct mf_frame frame;
  if (mf_frame_decode(input->bytes + input->begin, input->end - input->begin, size_max(connection), &frame) != 1)
    return 0;
  return frame.header_size + frame.payload_size;
}

/* Room for more of a message of `whole` bytes. What has come already lies at the beginning. */
static int grow(mayfly_uv_connection *connection, uint64_t whole) {
  struct mf_uv_input *input = connection->held.input;
  if (input->capacity > input->end)
    return 0;
  size_t more = input->end > GROWTH ? input->end : GROWTH;
  size_t capacity = whole - input->end < more ? (size_t)whole : input->end + more;
  struct mf_uv_input *larger = new_input(loop_of(connection), capacity);
  if (larger == NULL)
    return MAYFLY_ENOMEM;
  memcpy(larger->bytes, input->bytes, input->end);
  larger->end = input->end;
  mf_uv_input_free(loop_of(connection), input);
  connection->held.input = larger;
  return 0;
}

static int place_in_own(mayfly_uv_connection *connection, uint64_t whole, void **place, size_t *size) {
  int result = grow(connection, whole);
  if (result < 0)
    return result;
  struct mf_uv_input *input = connection->held.input;
  size_t room = input->capacity - input->end;
  *place = input->bytes + input->end;
  *size = whole - input->end < room ? (size_t)(whole - input->end) : room;
  return 0;
}

/* A small beginning is copied before the place, and stays held until something has arrived. */
int mf_uv_place(mayfly_uv_connection *connection, void **place, size_t *size) {
  const struct mf_uv_input *input = connection->held.input;
  struct mf_uv_loop *loop = loop_of(connection);
  size_t have = 0;
  if (input != NULL) {
    uint64_t whole = whole_size(connection);
    if (whole > SMALL)
      return place_in_own(connection, whole, place, size);
    have = input->end;
    memcpy(loop->buffer, input->bytes, have);
  }
  *place = loop->buffer + have;
  *size = sizeof loop->buffer - have;
  return 0;
}

/* ---- handing out ---- */

static int takes_messages(const mayfly_uv_connection *connection) {
  return connection->state == MF_UV_PROVING ||
         (connection->state == MF_UV_OPEN && (connection->flags & MF_UV_PAUSED) == 0);
}

static void deliver(mayfly_uv_connection *connection, const unsigned char *message, size_t size) {
  struct mf_uv_origin *origin = connection->origin;
  if (connection->state == MF_UV_PROVING) {
    mf_uv_opening_received(connection, message, size);
    return;
  }
  origin->stats.messages_in++;
  origin->stats.bytes_in += size;
  origin->handlers.message(connection, message, size);
}

static void bad_frame(mayfly_uv_connection *connection, int error) {
  mf_uv_queue_flush(connection); /* answers to what came before it, in the same read */
  if (error == MAYFLY_EMSGSIZE)
    mf_fail(error, "receive: the peer announced a message over the limit of %llu bytes",
            (unsigned long long)size_max(connection));
  else
    mf_fail(error, "receive: the peer announced a message of a length that is none");
  if (connection->state == MF_UV_PROVING)
    mf_uv_opening_failed(connection, error);
  else
    mf_uv_connection_close(connection, error);
}

/* Whole messages, as long as somebody takes them; how many bytes they were. */
static size_t hand_out(mayfly_uv_connection *connection, const unsigned char *bytes, size_t size) {
  size_t used = 0;
  struct mf_frame frame;
  loop_of(connection)->current = connection;
  while (takes_messages(connection)) {
    int found = mf_frame_decode(bytes + used, size - used, size_max(connection), &frame);
    if (found < 0)
      bad_frame(connection, found);
    if (found <= 0 || frame.payload_size > size - used - frame.header_size)
      break;
    used += frame.header_size;
    deliver(connection, bytes + used, (size_t)frame.payload_size);
    used += (size_t)frame.payload_size;
  }
  loop_of(connection)->current = NULL;
  return used;
}

static int wants_rest(const mayfly_uv_connection *connection) {
  return connection->state == MF_UV_PROVING || connection->state == MF_UV_OPEN;
}

static void hand_out_held(mayfly_uv_connection *connection) {
  struct mf_uv_input *input = connection->held.input;
  connection->held.input = NULL; /* a handler may close */
  input->begin += hand_out(connection, input->bytes + input->begin, input->end - input->begin);
  if (!wants_rest(connection) || input->begin == input->end) {
    mf_uv_input_free(loop_of(connection), input);
    return;
  }
  if (takes_messages(connection)) { /* a beginning, then: at the beginning */
    memmove(input->bytes, input->bytes + input->begin, input->end - input->begin);
    input->end -= input->begin;
    input->begin = 0;
  }
  connection->held.input = input;
}

static void hand_out_shared(mayfly_uv_connection *connection, size_t size) {
  const unsigned char *buffer = loop_of(connection)->buffer;
  size_t used = hand_out(connection, buffer, size);
  if (!wants_rest(connection) || used == size)
    return;
  if (mf_uv_input_keep(connection, buffer + used, size - used) < 0)
    mf_uv_connection_close(connection, MAYFLY_ENOMEM);
}

/* After messages were handed out: what was answered leaves together. */
static void finish_batch(mayfly_uv_connection *connection) {
  struct mf_uv_loop *loop = loop_of(connection);
  if (connection->state != MF_UV_CLOSING) {
    mf_uv_queue_flush(connection);
    mf_uv_queue_settle(connection);
  }
  mf_uv_loop_batch(loop);
}

void mf_uv_input_hand_out(mayfly_uv_connection *connection) {
  hand_out_held(connection);
  finish_batch(connection);
}

/* ---- what a read brought ---- */

static void arrived_bytes(mayfly_uv_connection *connection, size_t count) {
  struct mf_uv_input *input = connection->held.input;
  if (input != NULL && whole_size(connection) > SMALL) {
    input->end += count;
    if (input->end < whole_size(connection))
      return;
    hand_out_held(connection);
  } else {
    size_t have = input != NULL ? input->end : 0;
    forget(connection);
    hand_out_shared(connection, have + count);
  }
  finish_batch(connection);
}

static void ended(mayfly_uv_connection *connection, int error) {
  const struct mf_uv_input *input = connection->held.input;
  if (connection->state == MF_UV_PROVING) {
    mf_uv_opening_failed(connection, error);
    return;
  }
  if (error == MAYFLY_EOF && input != NULL)
    error = mf_fail(MAYFLY_EPROTO,
                    "receive: the peer closed the connection inside a message, %zu bytes after its beginning",
                    input->end - input->begin);
  if (error == MAYFLY_EOF)
    mf_uv_connection_end(connection, error);
  else
    mf_uv_connection_close(connection, error);
}

void mf_uv_arrived(mayfly_uv_connection *connection, int64_t count) {
  mf_uv_set(connection, MF_UV_HEARD);
  if (count < 0)
    ended(connection, (int)count);
  else
    arrived_bytes(connection, (size_t)count);
}
