/* SPDX-License-Identifier: MIT */
/* internal.h - the structs of mayfly_uv, who calls whom, and the seam: what a transport must do.
 *
 * Everything here runs on the loop's thread. Handlers are called from the loop's callbacks only, never inside a call
 * of a mayfly_uv_ function; so what such a call finds to do for a handler is left to the loop (mf_uv_loop_ready), and
 * after a handler has been called everything may have changed: whoever goes on looks at the state again.
 *
 *   CONNECTING --> PROVING --> OPEN --> ENDING --> CLOSING
 *
 * A connection may go from each of them to any later one, and goes through each of them at most once. In ENDING nothing
 * is read any more, and what is queued is still sent: after the peer's end, or after a close that flushes. In CLOSING
 * its handle is being closed; when that is done, mf_uv_connection_gone() calls `closed` and frees it. */
#ifndef MF_UV_INTERNAL_H
#define MF_UV_INTERNAL_H

#include "../common/connection.h"
#include "../common/endpoint.h"
#include "../common/error.h"
#include "../common/frame.h"
#include "../common/handshake.h"
#include "../common/listening.h"
#include "../common/memory.h"
#include "../common/options.h"
#include "../common/os.h"
#include <mayfly/uv.h>
#include <stddef.h>

#ifdef MF_UV_STREAM
#include "transport_stream.h"
#else
#include "transport_poll.h"
#endif

#define MF_UV_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- loop.c: lists and alarms ------------------------------------------------- */

struct mf_uv_link { /* in a ring; one that is in no list is alone in its own */
  struct mf_uv_link *prev, *next;
};

void mf_uv_link_init(struct mf_uv_link *link);
static inline int mf_uv_link_is_alone(const struct mf_uv_link *link) {
  return link->next == link;
}
void mf_uv_link_put(struct mf_uv_link *before, struct mf_uv_link *link); /* before a list's head: at its end */
void mf_uv_link_out(struct mf_uv_link *link);

struct mf_uv_alarm { /* the loop's one timer rings the first that is due */
  struct mf_uv_link link;
  int64_t at;
  void (*ring)(struct mf_uv_alarm *alarm);
};

/* ---- loop.c: what the connections of one loop share ---------------------------- */

enum { MF_UV_BUFFER = 1 << 16 };

struct mf_uv_loop {
  struct mf_uv_loop *next; /* under MF_OS_LOCK_LOOPS */
  uv_loop_t *uv;
  size_t users;   /* connections and listeners; it ends with the last */
  size_t handles; /* of the three below, those that are not closed yet */
  uv_prepare_t prepare;
  uv_idle_t idle;
  uv_timer_t timer;
  struct mf_uv_link ready;       /* connections with something to do before the loop waits */
  struct mf_uv_link deadlines;   /* alarms, the first to ring first; nearly all were set with the same delay */
  struct mf_uv_link soon;        /* the same, of those who wait to try again what failed */
  mayfly_uv_connection *current; /* whose messages are being handed out */
  size_t batches, pending;       /* since the last flush: reads, and bytes that were queued */
  struct mf_uv_item *spare;      /* chunks of a queue, kept for the next */
  size_t spares;
  struct mf_uv_item *spare_large; /* the same, for a large message */
  struct mf_uv_queue *spare_queue;
  struct mf_uv_input *spare_input; /* that of a large message */
  void (*left)(void *context);     /* whom to tell when it is gone */
  void *context;
  unsigned char buffer[MF_UV_BUFFER]; /* that all read into */
};

int mf_uv_loop_join(uv_loop_t *uv, struct mf_uv_loop **loop);
/* Tells `left` at once, or, if this was the last, when nothing of the shared object is left. From the loop only. */
void mf_uv_loop_leave(struct mf_uv_loop *loop, void (*left)(void *context), void *context);
void mf_uv_loop_abandon(struct mf_uv_loop *loop); /* takes a join back, after a failure */

void mf_uv_loop_ready(mayfly_uv_connection *connection); /* mf_uv_connection_turn() before the loop waits */
void mf_uv_loop_flush(struct mf_uv_loop *loop);          /* all that is queued on those, now */
void mf_uv_loop_batch(struct mf_uv_loop *loop);          /* a read was handed out; many flush */

void mf_uv_deadline_set(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm, int64_t at);
void mf_uv_soon_set(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm, int64_t delay_us);
void mf_uv_alarm_cancel(struct mf_uv_loop *loop, struct mf_uv_alarm *alarm);
void mf_uv_loop_hurry(struct mf_uv_loop *loop); /* a descriptor is free again: who waits to try again does it now */

/* ---- origin: what the connections of one listener share; one that was made by connect or adopt has its own ------- */

struct mf_uv_origin {
  size_t references;
  struct mf_uv_loop *loop;
  mayfly_uv_handlers handlers;
  mayfly_uv_stats stats;
  uint64_t message_size_max;
  size_t queue_high, queue_low;
  struct mf_uv_link connections; /* that are open */
};

/* Without its loop, which is joined when nothing else can fail any more. */
int mf_uv_origin_new(const mayfly_uv_handlers *handlers, const mayfly_endpoint_options *options,
                     struct mf_uv_origin **origin);
void mf_uv_origin_unref(struct mf_uv_origin *origin);

/* ---- connection.c -------------------------------------------------------------- */

enum mf_uv_state { MF_UV_CONNECTING, MF_UV_PROVING, MF_UV_OPEN, MF_UV_ENDING, MF_UV_CLOSING };

enum {
  MF_UV_ANNOUNCED = 1u << 0, /* the program knows it: `closed` is owed */
  MF_UV_PAUSED = 1u << 1,
  MF_UV_RESUMED = 1u << 2,     /* what is held is to be handed out in the next turn */
  MF_UV_BEGUN = 1u << 3,       /* connect, adopt: the next turn is the first */
  MF_UV_SENT = 1u << 4,        /* at once, in this turn: what follows waits for its end */
  MF_UV_BLOCKED = 1u << 5,     /* the transport has what is to be sent, and mf_uv_sent() will come */
  MF_UV_ABOVE = 1u << 6,       /* its queue was above the high mark: `drained` is owed */
  MF_UV_CLOSE_ASKED = 1u << 7, /* by the program, with time to flush, before it was open */
  MF_UV_SEND_OVER = 1u << 8,   /* the peer takes nothing more */
  MF_UV_NO_RECEIVE = 1u << 9,
  MF_UV_NO_SEND = 1u << 10,
  MF_UV_READING = 1u << 11, /* the transport's */
  MF_UV_HEARD = 1u << 13,   /* with SEND_OVER: there may be more to read */
  MF_UV_OPENING = 1u << 12, /* place.opening is there */
};

struct mayfly_uv_connection {       /* 264 bytes on Linux: there may be ten thousand that are idle */
  struct mf_uv_transport transport; /* first: its handle is this */
  struct mf_uv_origin *origin;
  union {
    struct mf_uv_opening *opening; /* CONNECTING, PROVING */
    struct mf_uv_link siblings;    /* later: in the origin's list */
  } place;
  struct mf_uv_link ready;
  mayfly_peer peer;
  union {
    struct mf_uv_input *input; /* read, and not handed out; NULL: nothing */
    char *words;               /* ENDING, CLOSING: why; NULL: there was no memory for them */
  } held;
  struct mf_uv_queue *queue; /* NULL: it is empty */
  int status;                /* ENDING, CLOSING: for `closed` */
  uint16_t state, flags;
};

static inline void mf_uv_set(mayfly_uv_connection *connection, unsigned flags) {
  connection->flags = (uint16_t)(connection->flags | flags);
}

static inline void mf_uv_clear(mayfly_uv_connection *connection, unsigned flags) {
  connection->flags = (uint16_t)(connection->flags & ~flags);
}

/* Takes over one reference of the origin's, but on failure. */
int mf_uv_connection_new(struct mf_uv_origin *origin, mayfly_uv_connection **connection);
void mf_uv_connection_discard(mayfly_uv_connection *connection); /* that has not joined the loop */
void mf_uv_connection_turn(mayfly_uv_connection *connection, int may_call);
void mf_uv_connection_open(mayfly_uv_connection *connection); /* proved and admitted: opened() */
/* Reads as long as somebody is there to take it. */
void mf_uv_connection_set_reading(mayfly_uv_connection *connection);
/* No message can come any more: what is queued is sent, then it is closed. The words stand; 0: the program wished it.
 */
void mf_uv_connection_end(mayfly_uv_connection *connection, int status);
/* The same, and what is queued is dropped. One that was ENDING with an error keeps that. */
void mf_uv_connection_close(mayfly_uv_connection *connection, int status);
void mf_uv_connection_gone(mayfly_uv_connection *connection); /* the transport's handle is closed */

/* ---- opening.c: from the stream to the proof ------------------------------------- */

struct mf_uv_connecting;

struct mf_uv_opening { /* in memory of its own, wiped and freed when the connection opens */
  mayfly_uv_connection *connection;
  const struct mf_endpoint *endpoint;
  struct mf_uv_connecting *connecting; /* NULL: it was accepted */
  struct mf_uv_link siblings;          /* of the listener's, the oldest first */
  struct mf_uv_alarm deadline;
  mayfly_address from;
  struct mf_handshake handshake;
  unsigned char message[MF_FRAME_HEADER_MAX + MF_HANDSHAKE_MESSAGE_MAX]; /* that is being sent */
  size_t sent, size;                                                     /* of it */
};

int mf_uv_opening_new(mayfly_uv_connection *connection, const struct mf_endpoint *endpoint);
void mf_uv_opening_begin(mayfly_uv_connection *connection); /* its time runs */
void mf_uv_opening_over(mayfly_uv_connection *connection);  /* it counts no longer, and waits for nothing */
/* Then its memory, which the transport may be sending from as long as its handle is not closed. */
void mf_uv_opening_free(mayfly_uv_connection *connection);
/* Nonzero: something of it is still under way, and mf_uv_connection_close_handle() will be called when it is not. */
int mf_uv_opening_stop(mayfly_uv_connection *connection);
/* The stream is there and the peer's identity known: PROVING, or OPEN where there is no key. */
void mf_uv_opening_prove(mayfly_uv_connection *connection, enum mf_handshake_role role);
void mf_uv_opening_received(mayfly_uv_connection *connection, const void *message, size_t size);
void mf_uv_opening_sent(mayfly_uv_connection *connection, size_t size);
void mf_uv_opening_failed(mayfly_uv_connection *connection, int error); /* the words stand */

/* ---- connecting.c ------------------------------------------------------------------ */

void mf_uv_connecting_begin(mayfly_uv_connection *connection);
int mf_uv_connecting_stop(struct mf_uv_connecting *connecting);
void mf_uv_connecting_free(struct mf_uv_connecting *connecting);
void mf_uv_connection_close_handle(mayfly_uv_connection *connection);

/* ---- input.c: bytes in, messages out -------------------------------------------------- */

struct mf_uv_input {
  size_t begin, end, capacity;
  unsigned char bytes[];
};

int mf_uv_input_keep(mayfly_uv_connection *connection, const void *bytes, size_t size); /* nothing is held yet */
void mf_uv_input_hand_out(mayfly_uv_connection *connection);                            /* what is held */
void mf_uv_input_free(struct mf_uv_loop *loop, struct mf_uv_input *input);

/* ---- queue.c: what is waiting to leave -------------------------------------------------- */

struct mf_uv_item {
  struct mf_uv_item *next;
  const unsigned char *data; /* of its bytes or of the program's, what has not left yet */
  size_t size;
  size_t room;     /* behind that, in `bytes` */
  size_t capacity; /* of `bytes` */
  void *owned;     /* the program's; NULL: it is in `bytes` */
  void (*release)(void *data);
  unsigned char bytes[];
};

struct mf_uv_queue {
  mayfly_uv_connection *connection;
  struct mf_uv_alarm deadline; /* after a close that flushes, if not for ever */
  struct mf_uv_item *first, *last;
  size_t bytes;
};

void mf_uv_queue_flush(mayfly_uv_connection *connection); /* calls no handler */
/* After a flush, from the loop: drained(), or the close that waited for it. */
void mf_uv_queue_settle(mayfly_uv_connection *connection);
void mf_uv_queue_set_deadline(mayfly_uv_connection *connection, int timeout_ms);
void mf_uv_queue_free(mayfly_uv_connection *connection); /* what the program gave is released */
void mf_uv_item_free(struct mf_uv_item *item);

/* ---- the seam ---------------------------------------------------------------------------
 *
 * transport_poll.c and transport_stream.c each implement the first part, and call the second. */

/* Takes the stream over, but on failure. */
int mf_uv_transport_open(mayfly_uv_connection *connection, mf_os_stream *stream);
int mf_uv_transport_read(mayfly_uv_connection *connection, int on);
/* As much as leaves at once: how much that was; MAYFLY_EAGAIN: nothing. Not while it is BLOCKED. */
int64_t mf_uv_transport_try(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count);
/* For what did not: the slices stay where they are until mf_uv_sent(). */
int mf_uv_transport_write(mayfly_uv_connection *connection, const mayfly_slice *slices, size_t count);
/* mf_uv_connection_gone() follows from the loop, also where nothing was opened. */
void mf_uv_transport_close(mayfly_uv_connection *connection);

/* Where the next bytes go. A failure is what arrives instead of them. */
int mf_uv_place(mayfly_uv_connection *connection, void **place, size_t *size);
/* So many bytes lie there, or why none will come, in words. */
void mf_uv_arrived(mayfly_uv_connection *connection, int64_t count);
/* Of what mf_uv_transport_write() was given so much has left; 0: try again. Or why it can't, in words. */
void mf_uv_sent(mayfly_uv_connection *connection, int64_t count);

/* ---- watch_poll.c, watch_async.c: waiting for what is no open stream -------------------------------------- */

struct mf_uv_watch { /* stays where it is until closed */
  union {
    uv_handle_t any;
    uv_poll_t poll;
    uv_async_t async; /* Windows, for a listener */
  } handle;
  void (*ready)(struct mf_uv_watch *watch);
  void (*closed)(struct mf_uv_watch *watch);
  mf_os_listener *listener;
};

/* Until there may be somebody to accept. Begins stopped. */
int mf_uv_watch_listener(struct mf_uv_watch *watch, uv_loop_t *uv, mf_os_listener *listener);
/* Until what was begun to connect is done. Begins started. */
int mf_uv_watch_stream(struct mf_uv_watch *watch, uv_loop_t *uv, const mf_os_stream *stream);
int mf_uv_watch_start(struct mf_uv_watch *watch);
void mf_uv_watch_stop(struct mf_uv_watch *watch);
void mf_uv_watch_close(struct mf_uv_watch *watch);

#endif
