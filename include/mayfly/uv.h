/* SPDX-License-Identifier: MIT */
/* uv.h - the connections of <mayfly/connection.h> on a libuv loop: four handlers serve any number of clients.
 *
 * Calling sequence
 * ----------------
 * A daemon
 *
 *  - fills in a mayfly_uv_handlers, of which only `message` is needed, and calls mayfly_uv_listen(), with an address or
 *    NULL for a fresh one that mayfly_uv_listener_address() tells;
 *  - runs its loop. For each client that has shown who it is come `opened`, then `message` for each message, at last
 *    `closed`;
 *  - answers with mayfly_uv_send(), in a handler or at any other time on the loop's thread;
 *  - closes what it will with mayfly_uv_connection_close(), and ends with mayfly_uv_listener_close(). When everything
 *    is closed nothing of mayfly is left on the loop, and uv_run() returns if nothing else is.
 *
 *      static void message(mayfly_uv_connection *client, const void *data, size_t size) {
 *        if (mayfly_uv_send(client, data, size) == 1)
 *          mayfly_uv_pause(client);
 *      }
 *
 *      mayfly_uv_handlers handlers = MAYFLY_UV_HANDLERS_INIT;
 *      handlers.message = message;
 *      handlers.drained = mayfly_uv_resume;
 *      if (mayfly_uv_listen(uv_default_loop(), NULL, NULL, &handlers, NULL, &listener) < 0)
 *        return report(mayfly_last_error());
 *      uv_run(uv_default_loop(), UV_RUN_DEFAULT);
 *
 * A client calls mayfly_uv_connect(), which returns at once; what is sent before `opened` is queued. A connection that
 * was made otherwise, by mayfly_pipe() or mayfly_accept(), comes onto the loop by mayfly_uv_adopt().
 *
 * Peers are those of <mayfly/connection.h>, Pythons among them; options, keys, and who is let in are as there, too. A
 * message is whole or does not come. Of the options `readahead` does not count here: a loop always reads ahead.
 *
 * Handlers
 * --------
 * They run on the loop's thread, from uv_run(), never inside a call to a mayfly_uv_ function. For one connection:
 * `opened` once, if it comes so far; then `message` and `drained`; `closed` once and last. `closed` comes for every
 * connection that mayfly_uv_connect() or mayfly_uv_adopt() returned or that `opened` announced, and for no other. Each
 * may call any function here on any connection, its own close included. `data` of `message` is valid inside the call,
 * and not aligned for anything but bytes.
 *
 * A peer that comes and does not prove the key in time, or is not let in, is turned away without a word to the program:
 * mayfly_uv_listener_stats() counts it.
 *
 * Back-pressure
 * -------------
 * What the peer does not take is queued. The message that brings the queue above `queue_high` (an option) is taken, and
 * mayfly_uv_send() returns 1; the next ones are MAYFLY_EAGAIN until `drained` says that the queue is down to
 * `queue_low`. So memory for one connection is bounded by `queue_high` and its largest message. Nothing pauses by
 * itself: who answers what it receives pauses that connection at 1 and resumes it in `drained`, as above; then the peer
 * feels it. Two sides that both do so with each other may stand still for ever.
 *
 * A peer that takes nothing and does not leave is the program's to give up: nothing comes of it by itself, not even
 * after such a peer has ended its own side, since what is queued is still to be sent. Close what mayfly_uv_queued()
 * says does not get less, by a timer of the program's own.
 *
 * When a message leaves: answers to the connection whose messages are being handed out leave together, after all that
 * came in one read has been handed out. To another connection the first message in a turn of the loop leaves at once,
 * the rest together before the loop waits. One of 64 KiB or more does not wait for others. On a pipe of Windows all
 * leave from the loop.
 *
 * Ownership
 * ---------
 * A listener is yours until mayfly_uv_listener_close(), and valid until its `closed`; a connection is valid until its
 * `closed` has returned. Neither may be used afterwards, and nothing else frees them. Options, addresses, keys and
 * handlers are copied. What uv_walk() shows of mayfly's handles is not the program's to close: a loop that is to end
 * closes its listeners and connections.
 *
 * Threads and fork
 * ----------------
 * Everything about a loop belongs to the thread that runs it; different loops may be used from different threads. A
 * listener may be made by another thread before the loop runs. A forked child does not go on with its parent's loop: it
 * neither runs it nor closes what is on it.
 *
 * Signals
 * -------
 * On POSIX a peer that is gone never raises SIGPIPE. mayfly can be built to use libuv's own streams instead of polling
 * (the CMake option MAYFLY_UV_STREAM, for its tests): those do raise it, so such a program must ignore SIGPIPE,
 * and a reset may come as MAYFLY_EOF.
 *
 * Errors
 * ------
 * As <mayfly/base.h> says. In `closed` the words of mayfly_last_error() are those of its status. NULL for a loop, an
 * object, or an output is MAYFLY_EINVAL, and for what returns nothing it is nothing. Not repeated at each function:
 * MAYFLY_ENOMEM, and MAYFLY_EIO for an error of the system or of libuv that has no name here. After a failure, too, the
 * loop may have to run once more before uv_loop_close().
 *
 * It needs libuv 1.44 or newer, and is a library of its own, mayfly_uv (mayfly::uv). On POSIX <uv.h> itself wants more
 * than -std=c11 shows of the system: -std=gnu11, or _GNU_SOURCE.
 */
#ifndef MAYFLY_UV_H
#define MAYFLY_UV_H

#include <mayfly/connection.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One end of a stream of messages, on a loop. */
typedef struct mayfly_uv_connection mayfly_uv_connection;

/* An address that peers can connect to, on a loop. */
typedef struct mayfly_uv_listener mayfly_uv_listener;

/* What the loop calls. All but `message` may be NULL. */
typedef struct mayfly_uv_handlers {
  /* Of this struct, in bytes; set by MAYFLY_UV_HANDLERS_INIT. */
  size_t size;
  /* It is connected, both sides have proved the key, and the peer is let in. */
  void (*opened)(mayfly_uv_connection *connection);
  /* One message, valid inside the call. */
  void (*message)(mayfly_uv_connection *connection, const void *data, size_t size);
  /* The queue was above its high mark, and is now down to its low one: or nothing is left of it, since the peer takes
   * nothing more. */
  void (*drained)(mayfly_uv_connection *connection);
  /* It is closed, and gone when this returns. `status` 0: we closed it. MAYFLY_EOF: the peer did, between two messages;
   * what was queued has been sent first, as long as that took, if the peer is still there. Else what has ended it, as
   * mayfly_connect(), mayfly_recv_bytes() and mayfly_send_bytes() name it; MAYFLY_ETIMEDOUT is also for a close whose
   * time to flush ran out. */
  void (*closed)(mayfly_uv_connection *connection, int status);
} mayfly_uv_handlers;

/* Begins a mayfly_uv_handlers: none. */
#define MAYFLY_UV_HANDLERS_INIT                                                                                        \
  { sizeof(mayfly_uv_handlers), NULL, NULL, NULL, NULL }

/* What a listener and its connections, the closed ones too, have done. Set `size` before the call. */
typedef struct mayfly_uv_stats {
  /* Of this struct, in bytes. */
  size_t size;
  /* Connections that are open now. */
  uint64_t open;
  /* Peers that are proving the key now. */
  uint64_t opening;
  /* Peers that got through, since the start, as all that follows. */
  uint64_t accepted;
  /* Peers that did not prove the key. */
  uint64_t refused_auth;
  /* Peers that `admit`, or their user, kept out. */
  uint64_t refused_peer;
  /* Peers that were dropped, the longest at it first, because more than `opening_max` were proving the key. */
  uint64_t refused_full;
  /* Peers that took longer than `open_timeout_ms`. */
  uint64_t timed_out;
  /* Messages handed out. */
  uint64_t messages_in;
  /* Messages taken to be sent. */
  uint64_t messages_out;
  /* Bytes in them, without their headers. */
  uint64_t bytes_in;
  /* Bytes in those taken to be sent. */
  uint64_t bytes_out;
  /* The most bytes that were ever queued on one connection. */
  uint64_t queue_peak;
} mayfly_uv_stats;

/* Makes `address` ready for peers; they are served while `loop` runs. `address` NULL: an arbitrary one. `options` NULL:
 * all defaults. `data` is handed to `closed` of mayfly_uv_listener_close(), and is what each connection's
 * mayfly_uv_connection_data() begins with. *listener is yours (mayfly_uv_listener_close()). Taking over an AF_UNIX path
 * and all else is as for mayfly_listen(). Out of descriptors it neither spins nor ends, and drops nobody: it goes on
 * when there are some again. On Windows a pipe is of the byte type, so Pythons reach it by AF_INET only. Stands for
 * Listener(), and uv_listen.
 *
 * Errors are those of mayfly_listen(). MAYFLY_EINVAL: also for handlers without `message`, and for
 * MAYFLY_ENDPOINT_PIPE_MESSAGES, which no loop can keep. */
MAYFLY_API int mayfly_uv_listen(uv_loop_t *loop, const mayfly_address *address, const mayfly_endpoint_options *options,
                                const mayfly_uv_handlers *handlers, void *data, mayfly_uv_listener **listener);

/* The address that peers connect to, with the port that the system chose where 0 was asked for. Borrowed until the
 * listener's close; NULL for NULL. Stands for Listener.address. */
MAYFLY_API const mayfly_address *mayfly_uv_listener_address(const mayfly_uv_listener *listener);

/* Calls `visit` for each open connection that this listener has accepted, with `context`. It may send to any connection
 * and close any; those that the program has closed are passed over, those whose peer has ended and does not take what
 * is queued are not. To send one message to all: send it here. To end them all: close them here. */
MAYFLY_API void mayfly_uv_listener_each(mayfly_uv_listener *listener,
                                        void (*visit)(mayfly_uv_connection *connection, void *context), void *context);

/* Fills in as much of *stats as its `size` has room for.
 *
 * MAYFLY_EINVAL: NULL, a size that is none. */
MAYFLY_API int mayfly_uv_listener_stats(const mayfly_uv_listener *listener, mayfly_uv_stats *stats);

/* Ends the listening: the AF_UNIX path is removed if it is still this listener's, and peers that were still proving the
 * key are dropped, at once. Its connections live on. `closed`, which may be NULL, is called from the loop with the
 * listener's data, once; then the listener is gone. Again, before that, is nothing. Stands for Listener.close(). */
MAYFLY_API void mayfly_uv_listener_close(mayfly_uv_listener *listener, void (*closed)(void *data));

/* Begins to connect, and returns: `opened` follows, or `closed` with what went wrong. *connection may be used at once;
 * what is sent before `opened` is queued. The host of an AF_INET address is resolved by the loop's thread pool, within
 * `open_timeout_ms`, but for `closed`, which waits for a resolver that is under way; its addresses are tried in turn,
 * IPv4 first. A listener that is full is tried again until that
 * time is over. `data`: mayfly_uv_connection_data(). Stands for Client(), and uv_pipe_connect, uv_tcp_connect.
 *
 * MAYFLY_EINVAL: an address that is none, an option or flag that can't be, handlers without `message`. All other errors
 * of mayfly_connect() come as the status of `closed`; MAYFLY_ENOTSUP there: on Windows, a pipe of Python's, which keeps
 * messages. */
MAYFLY_API int mayfly_uv_connect(uv_loop_t *loop, const mayfly_address *address, const mayfly_endpoint_options *options,
                                 const mayfly_uv_handlers *handlers, void *data, mayfly_uv_connection **connection);

/* Takes a blocking connection onto the loop, with what it has read already, its peer and its limit on messages; on
 * success `blocking` is gone, on failure it stays yours as it was. `opened` follows from the loop. The descriptor
 * becomes non-blocking (O_NONBLOCK), so no other process may go on using it. An end that only sends is never read: that
 * the peer is gone shows at a send. Stands for uv_pipe_open.
 *
 * MAYFLY_EINVAL: handlers without `message`. MAYFLY_ENOTSUP: on Windows, a pipe that keeps messages. Else what has
 * ended the connection already: MAYFLY_EPROTO, MAYFLY_EMSGSIZE, MAYFLY_EPIPE, MAYFLY_ECANCELED. MAYFLY_EIO: the
 * descriptor is nothing that libuv can wait for. */
MAYFLY_API int mayfly_uv_adopt(uv_loop_t *loop, mayfly_connection *blocking, const mayfly_uv_handlers *handlers,
                               void *data, mayfly_uv_connection **connection);

/* The program's own pointer of this connection: at first its listener's, or what connect or adopt was given. */
MAYFLY_API void *mayfly_uv_connection_data(const mayfly_uv_connection *connection);

/* Sets it. */
MAYFLY_API void mayfly_uv_connection_set_data(mayfly_uv_connection *connection, void *data);

/* Who is on the other side; all members -1 before `opened`. Borrowed until `closed` has returned; NULL for NULL. */
MAYFLY_API const mayfly_peer *mayfly_uv_connection_peer(const mayfly_uv_connection *connection);

/* Sends `size` bytes as one message; `data` may be NULL if `size` is 0. What does not leave at once is copied. 0:
 * taken. 1: taken, and the queue is above its high mark: stop what feeds it until `drained`. Before `opened` everything
 * is queued. Stands for send_bytes(), and uv_write.
 *
 * MAYFLY_EAGAIN: the queue was above its high mark already; nothing is taken, and `drained` will come. MAYFLY_EPIPE:
 * the peer is gone. MAYFLY_ECANCELED: after our own close. MAYFLY_EINVAL: `data` NULL with a size, an end that only
 * receives. */
MAYFLY_API int mayfly_uv_send(mayfly_uv_connection *connection, const void *data, size_t size);

/* The same without any copy: `data` stays where it is, unchanged, until `release` is called with it, once it has left
 * or never will. That may be inside this call, inside another send to this connection, or from the loop, before
 * `closed`; it may call any function here. `release` NULL: `data` is valid until `closed`. On failure `data` stays
 * yours, and `release` is not called.
 *
 * Results and errors are those of mayfly_uv_send(). */
MAYFLY_API int mayfly_uv_send_owned(mayfly_uv_connection *connection, void *data, size_t size,
                                    void (*release)(void *data));

/* How many bytes, headers included, the system has not taken yet. */
MAYFLY_API size_t mayfly_uv_queued(const mayfly_uv_connection *connection);

/* Stops reading, and so `message`, until mayfly_uv_resume(), at once: also inside `message`, whatever has been read
 * already. The peer's end does not show while it lasts, and a loop on which nothing else is waited for ends. Again is
 * nothing. Stands for uv_read_stop. */
MAYFLY_API void mayfly_uv_pause(mayfly_uv_connection *connection);

/* Goes on: what had been read already is handed out from the loop, even if nothing new comes. Stands for
 * uv_read_start. */
MAYFLY_API void mayfly_uv_resume(mayfly_uv_connection *connection);

/* Ends the connection: no `message` comes any more, only `closed`, from the loop. `flush_ms` 0: what is queued is
 * dropped. Else it is sent first, for at most that many milliseconds, as long as it takes with MAYFLY_FOREVER; where
 * that fails `closed` has the error. One that is not open yet and has something queued is opened first, without
 * `opened`. Again: the new time counts, and 0 ends a flush. NULL is nothing. Stands for close(), and uv_close. */
MAYFLY_API void mayfly_uv_connection_close(mayfly_uv_connection *connection, int flush_ms);

#ifdef __cplusplus
}
#endif
#endif
