/* connection.h - listeners, connections, wait, handles: multiprocessing.connection. */
#ifndef MAYFLY_CONNECTION_H
#define MAYFLY_CONNECTION_H

#include <mayfly/address.h>
#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mayfly_connection mayfly_connection;
typedef struct mayfly_listener mayfly_listener;

/* Only read, through a pointer that the library gave: it may grow at its end. -1: the system does not say. */
typedef struct mayfly_peer {
  int64_t pid, uid, gid;
  int same_user; /* 1: this process's user; 0: another; -1: unknown */
} mayfly_peer;

/* For listeners and clients, blocking and on libuv. A member left 0 or NULL has its default. */
typedef struct mayfly_endpoint_options {
  size_t size;
  const void *authkey; /* NULL: no authentication. Copied, wiped when the endpoint closes */
  size_t authkey_size;
  unsigned flags;      /* MAYFLY_ENDPOINT_* */
  int open_timeout_ms; /* 20000: connecting and proving the key, together; of one peer */
  int backlog;         /* the system's maximum */
  int opening_max;     /* 64: peers that may be proving themselves at once; one more displaces the longest at it */
  uint64_t message_size_max; /* 1 GiB: a larger one is refused before a byte of it is stored */
  size_t readahead;          /* bytes; 0: none, the descriptor is read exactly as far as the message asked for */
  size_t queue_high;         /* libuv: 1 MiB */
  size_t queue_low;          /* libuv: 256 KiB */
  int (*admit)(void *context, const mayfly_peer *peer); /* 0: let in. NULL: see api.md */
  void *context;
} mayfly_endpoint_options;
#define MAYFLY_ENDPOINT_OPTIONS_INIT                                                                                   \
  { sizeof(mayfly_endpoint_options), NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL }

#define MAYFLY_ENDPOINT_ALLOW_MD5     (1u << 0) /* Python before 3.12 */
#define MAYFLY_ENDPOINT_ANY_USER      (1u << 1)
#define MAYFLY_ENDPOINT_PIPE_BYTES    (1u << 2) /* Windows: the pipes of libuv and Node */
#define MAYFLY_ENDPOINT_PIPE_MESSAGES (1u << 3) /* Windows: the pipes of Python */

MAYFLY_API int mayfly_listen(const mayfly_address *address, const mayfly_endpoint_options *options,
                             mayfly_listener **listener); /* Listener(); address NULL: arbitrary */
MAYFLY_API int mayfly_accept(mayfly_listener *listener, int timeout_ms,
                             mayfly_connection **connection); /* accept(): the first that is through */
MAYFLY_API const mayfly_address *mayfly_listener_address(const mayfly_listener *listener); /* .address: the bound one */
MAYFLY_API const mayfly_address *mayfly_listener_last_accepted(const mayfly_listener *listener); /* .last_accepted */
MAYFLY_API int mayfly_listener_shutdown(
    mayfly_listener *listener); /* from any thread or a signal handler: accept ends with MAYFLY_ECANCELED */
MAYFLY_API int mayfly_listener_close(mayfly_listener *listener); /* close() */

MAYFLY_API int mayfly_connect(const mayfly_address *address, const mayfly_endpoint_options *options,
                              mayfly_connection **connection);                                 /* Client() */
MAYFLY_API int mayfly_pipe(int duplex, mayfly_connection *ends[2]);                            /* Pipe(duplex) */
MAYFLY_API int mayfly_connection_os_fd(const mayfly_connection *connection, mayfly_os_fd *fd); /* fileno(): borrowed */
MAYFLY_API const mayfly_peer *mayfly_connection_peer(const mayfly_connection *connection);
MAYFLY_API int mayfly_connection_set_timeouts(mayfly_connection *connection, int receive_ms,
                                              int send_ms); /* both MAYFLY_FOREVER at first */
MAYFLY_API int mayfly_connection_set_readahead(mayfly_connection *connection,
                                               size_t bytes); /* as the option; only with an empty buffer */
MAYFLY_API int mayfly_connection_set_message_size_max(mayfly_connection *connection, uint64_t bytes);
MAYFLY_API int mayfly_connection_shutdown(
    mayfly_connection *connection); /* from any thread or a signal handler: blocked calls end with MAYFLY_ECANCELED */
MAYFLY_API int mayfly_connection_close(mayfly_connection *connection); /* close() */

MAYFLY_API int mayfly_send_bytes(mayfly_connection *connection, const void *data, size_t size); /* send_bytes() */
MAYFLY_API int mayfly_send_gather(mayfly_connection *connection, const mayfly_slice *slices,
                                  size_t count); /* one message from many pieces */
MAYFLY_API int mayfly_recv_bytes(mayfly_connection *connection, size_t max_length, const void **data,
                                 size_t *size); /* recv_bytes(): borrowed until the next receive */
MAYFLY_API int mayfly_recv_bytes_into(mayfly_connection *connection, void *buffer, size_t capacity,
                                      size_t *size);                       /* recv_bytes_into() */
MAYFLY_API int mayfly_poll(mayfly_connection *connection, int timeout_ms); /* poll(): 1, 0 or an error */

/* wait(): exactly one of the three is set; fd counts where both pointers are NULL. On Windows fd is a waitable HANDLE
 * or a SOCKET. */
typedef struct mayfly_wait_item {
  mayfly_connection *connection;
  mayfly_listener *listener;
  mayfly_os_fd fd;
  int ready;
} mayfly_wait_item;
MAYFLY_API int mayfly_wait(mayfly_wait_item *items, size_t count,
                           int timeout_ms); /* how many are ready; 0: none in time */

MAYFLY_API int mayfly_deliver_challenge(mayfly_connection *connection, const void *authkey, size_t size,
                                        unsigned flags);
MAYFLY_API int mayfly_answer_challenge(mayfly_connection *connection, const void *authkey, size_t size, unsigned flags);

#ifdef __cplusplus
}
#endif
#endif
