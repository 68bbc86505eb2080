/* SPDX-License-Identifier: MIT */
/* connection.h - what listener.c, wait.c, handle.c and the challenges need of a connection beyond its public functions.
 */
#ifndef MF_CONNECTION_H
#define MF_CONNECTION_H

#include "endpoint.h"
#include "os.h"

enum { MF_READABLE = 1, MF_WRITABLE = 2 };

/* Takes the stream over: on failure it is closed. */
int mf_connection_new(mf_os_stream *stream, unsigned directions, mayfly_connection **connection);
/* What holds once the connection is open, and not yet during the handshake. */
void mf_connection_configure(mayfly_connection *connection, const mayfly_endpoint_options *options);
/* The former; what is buffered stays. */
size_t mf_connection_swap_readahead(mayfly_connection *connection, size_t bytes);
mf_os_stream *mf_connection_stream(const mayfly_connection *connection);
/* What every function on a connection begins with: it is there, and goes in these directions. */
int mf_connection_check(const mayfly_connection *connection, const char *function, unsigned directions);
int64_t mf_connection_receive_deadline(const mayfly_connection *connection);
int64_t mf_connection_send_deadline(const mayfly_connection *connection);
/* mayfly_recv_bytes and mayfly_send_gather, until a deadline. */
int mf_connection_receive(mayfly_connection *connection, size_t max_length, int64_t deadline, const void **data,
                          size_t *size);
int mf_connection_send(mayfly_connection *connection, const mayfly_slice *slices, size_t count, int64_t deadline);
/* 0; or why nothing can be received, or sent, in words: shut down, or an earlier message ended it. */
int mf_connection_may_receive(const mayfly_connection *connection);
int mf_connection_may_send(const mayfly_connection *connection);
/* 0: the next byte to be read is the next of the stream. MAYFLY_EINVAL, in words. */
int mf_connection_reads_exactly(const mayfly_connection *connection, const char *function);
/* Ends receiving for good; the words stand already. Returns the error. */
int mf_connection_receive_over(mayfly_connection *connection, int error);
/* The stream that the next receive would have to read; NULL: it need not, since a whole message is there, or reading is
 * over. */
mf_os_stream *mf_connection_awaits(const mayfly_connection *connection);
/* For who takes the stream over, and does without this connection: what there is, borrowed. MAYFLY_ENOTSUP: it keeps
 * messages. What has ended a direction is given back, in words. */
struct mf_connection_parts {
  mf_os_stream *stream;
  unsigned directions;
  uint64_t message_size_max;
  mayfly_peer peer;
  const unsigned char *buffered; /* read, and not handed out */
  size_t size;
};
MF_PRIVATE int mf_connection_parts(const mayfly_connection *connection, struct mf_connection_parts *parts);
MF_PRIVATE void mf_connection_leave(mayfly_connection *connection); /* all but its stream is gone */
/* One turn of the handshake, without waiting: the message that has come, if it is the peer's turn, and what is to be
 * said to that. The peer's next one is not looked for: a wait tells of it. 1: through. 0: not yet. MAYFLY_EAUTH, in
 * words: it failed.
 */
int mf_connection_handshake_turn(mayfly_connection *connection, struct mf_handshake *handshake);

#endif
