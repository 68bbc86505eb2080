/* SPDX-License-Identifier: MIT */
/* connection.h - messages between processes: Python's multiprocessing.connection, down to the bytes on the wire.
 *
 * Calling sequence
 * ----------------
 * A server
 *
 *  - calls mayfly_listen() with an address, or NULL for a fresh one that mayfly_listener_address() tells;
 *  - calls mayfly_accept() again and again: each time it gets one connection whose peer has shown who it is;
 *  - receives and sends on it (mayfly_recv_bytes(), mayfly_send_bytes()) until MAYFLY_EOF, then closes it with
 *    mayfly_connection_close();
 *  - ends with mayfly_listener_close(), which removes the socket's name.
 *
 * A client calls mayfly_connect(), sends, receives, and closes. A parent that will fork calls mayfly_pipe(); the parent
 * closes one end, the child the other. A parent that executes another program lets it inherit the descriptor of one end
 * (mayfly_os_fd_set_inheritable()) and tells it the number; the child, if it is in C, makes a connection of it with
 * mayfly_connection_adopt(), if it is in Python, with Connection(number). A program with many of them puts listeners,
 * connections and its own descriptors into an array and calls mayfly_wait(): it says which of them can be accepted from
 * or received from without waiting.
 *
 *      mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
 *      options.authkey = "secret";
 *      options.authkey_size = 6;
 *      mayfly_connection *connection;
 *      const void *data;
 *      size_t size;
 *      if (mayfly_connect(&address, &options, &connection) < 0)
 *        return report(mayfly_last_error());
 *      if (mayfly_send_bytes(connection, "ping", 4) < 0 || mayfly_recv_bytes(connection, SIZE_MAX, &data, &size) < 0)
 *        report(mayfly_last_error());
 *      mayfly_connection_close(connection);
 *
 * A peer may be an unmodified Python, 3.8 or newer: Listener, Client, send_bytes() and recv_bytes() there, and the same
 * key on both sides. Before 3.12 Python proves a key with HMAC-MD5 only: MAYFLY_ENDPOINT_ALLOW_MD5.
 *
 * Messages
 * --------
 * A message is a number of bytes, 0 included, that arrives whole or not at all. Sending waits until the system has
 * taken all of it. The memory for a message grows with what has arrived, not with what was announced, and one that is
 * announced to be larger than `message_size_max` is refused.
 *
 * Once an error has left the stream between two messages, that direction is over and stays so:
 *  - a receive that gave MAYFLY_EPROTO (a length that is none, a message cut off), or MAYFLY_EMSGSIZE for a message
 *    over `message_size_max`, makes every later receive give the same. Sending still works;
 *  - a send that stopped inside a message gives MAYFLY_EPIPE, and so does every later send. Receiving still works.
 *
 * A receive that ran out of time has lost nothing: the next one goes on where it stopped.
 *
 * Authentication, and who is let in
 * ---------------------------------
 * With an `authkey` both sides prove that they have the same one, before a byte of either program is sent or read; the
 * key itself never travels. It keeps strangers away, but does not hide or protect what is sent, and whoever owns the
 * address that a client connects to can relay the proof to a server that has the key. Where that matters the client
 * too asks who is on the other side, by `admit`.
 *
 * Besides, a listener asks the system for the peer's user wherever the system knows it (AF_UNIX; on Windows: AF_PIPE),
 * and lets in its own user and root / SYSTEM, or as `admit` decides, or whoever comes (MAYFLY_ENDPOINT_ANY_USER). A
 * peer over AF_INET has no user, so listening there takes a key or MAYFLY_ENDPOINT_ANY_USER.
 *
 * Ownership
 * ---------
 * Listeners and connections are yours until their close, which takes NULL. Accepted connections are independent of
 * their listener. A received message is borrowed from its connection until the next receive on it, or its close;
 * sending, polling and waiting leave it valid. Options, addresses and keys are copied; the copy of a key is wiped when
 * it is needed no more. `context` must live as long as the listener, or until connect has returned.
 *
 * Errors
 * ------
 * As <mayfly/base.h> says. NULL for a connection, a listener or an output is MAYFLY_EINVAL, as is sending on an end
 * that only reads, and receiving or polling on one that only writes. Not repeated at each function: MAYFLY_ENOMEM, and
 * MAYFLY_EIO for an error of the system that has no name here.
 *
 * Exit and fork
 * -------------
 * An AF_UNIX listener that is still open at exit() loses its name then, if it is still its own; mayfly_cleanup() and
 * mayfly_cleanup_on_signals() (<mayfly/tempfile.h>) do the same earlier. After fork() both processes have the
 * listener and the connections, and the child closes what it does not use: that closes its copy and removes no name.
 * A shutdown, other than a close, reaches every process that shares the object.
 *
 * Threads
 * -------
 * Different objects may be used from different threads at any time. One connection may have one thread that sends and
 * one that receives, polls or waits; one listener has one thread that accepts or waits. mayfly_connection_shutdown()
 * and mayfly_listener_shutdown() may be called from any thread and from a signal handler, as long as the object is not
 * being closed. After a shutdown every call on the object gives MAYFLY_ECANCELED, but for those that only tell or set
 * something of it, and its close.
 */
#ifndef MAYFLY_CONNECTION_H
#define MAYFLY_CONNECTION_H

#include <mayfly/address.h>
#include <mayfly/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One end of a stream of messages. Stands for Connection. */
typedef struct mayfly_connection mayfly_connection;

/* An address that peers can connect to. Stands for Listener. */
typedef struct mayfly_listener mayfly_listener;

/* Who is on the other side, as the system says: the process that connected or, for a client, that listens, at the time
 * when it did. -1: the system does not say, as for all members over AF_INET, and on Linux for a user who has no number
 * in our user namespace, nor for one who has the number that all of those are shown with there (65534). Only read it,
 * through a pointer that the library gave: it may grow at its end. */
typedef struct mayfly_peer {
  /* Process. */
  int64_t pid;
  /* Effective user. On Windows: -1. */
  int64_t uid;
  /* Effective group. On Windows: -1. */
  int64_t gid;
  /* 1: this process's effective user; 0: another; -1: unknown. */
  int same_user;
} mayfly_peer;

/* How mayfly_listen() and mayfly_connect() set up connections. A member left 0 or NULL has its default; one that only
 * listeners have a use for is not looked at for a client. */
typedef struct mayfly_endpoint_options {
  /* Of this struct, in bytes; set by MAYFLY_ENDPOINT_OPTIONS_INIT. */
  size_t size;
  /* The key that both sides must have, any bytes. NULL: no authentication. Python's `authkey`. */
  const void *authkey;
  /* Of the key, in bytes: not 0 with a key, 0 without. */
  size_t authkey_size;
  /* MAYFLY_ENDPOINT_*, or-ed. */
  unsigned flags;
  /* For a listener: how long one peer may take to prove the key. For a client: how long connecting and proving may take
   * together. MAYFLY_FOREVER: no limit. Default: 20000. */
  int open_timeout_ms;
  /* Listeners: how many peers the system keeps that have not been accepted yet, listen(2). Default: the system's
   * maximum. On Windows: a pipe keeps 8 at most; who comes then waits in its connect, until its own deadline. */
  int backlog;
  /* Listeners: how many peers may be proving the key at once; one more takes the place of the one that has been at it
   * longest. Default: 64. */
  int opening_max;
  /* The largest message to receive, in bytes. Default: 1 GiB. */
  uint64_t message_size_max;
  /* How many bytes may be read ahead of the message that was asked for: many small messages then cost one system call.
   * But what was read ahead is known to mayfly_poll() and mayfly_wait() only, so neither poll(2) on the descriptor nor
   * another process that shares it works any more. Default: none. */
  size_t readahead;
  /* For endpoints on a loop (<mayfly/uv.h>); no function of this header looks at it: a queue of more bytes takes
   * nothing more. Default: 1 MiB. */
  size_t queue_high;
  /* For endpoints on a loop; no function of this header looks at it: a queue that was above `queue_high` has drained
   * when no more bytes than these are left. Default: a quarter of that. */
  size_t queue_low;
  /* Decides on the peer before the key is asked for, and before anything is sent: 0 lets it in, anything else is
   * MAYFLY_EPEER. It is called inside mayfly_accept(), mayfly_wait() or mayfly_connect(), and must not use the
   * listener; `peer` is valid for the call. Over AF_INET it is asked with a `uid` of -1. Default: listeners let in this
   * user and root / SYSTEM where the system knows the peer's user, anyone where it does not; clients take every server.
   */
  int (*admit)(void *context, const mayfly_peer *peer);
  /* Handed to `admit` as it is. */
  void *context;
} mayfly_endpoint_options;

/* Begins a mayfly_endpoint_options: all defaults. */
#define MAYFLY_ENDPOINT_OPTIONS_INIT                                                                                   \
  { sizeof(mayfly_endpoint_options), NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL }

/* Prove and take proofs by HMAC-MD5 too, which is all that Python before 3.12 knows. Without it such a peer is
 * MAYFLY_EAUTH, and the words say that this flag is missing. */
#define MAYFLY_ENDPOINT_ALLOW_MD5     (1u << 0)

/* Listeners: let in any user who reaches the address, and make a path reachable: mode 0666 instead of 0600, whatever
 * the umask. `admit`, if given, is still asked. On Windows: a client takes a pipe of any owner. */
#define MAYFLY_ENDPOINT_ANY_USER      (1u << 1)

/* Listeners, on Windows: make byte pipes, as libuv and Node do. Taken, and without effect, elsewhere; MAYFLY_EINVAL
 * together with the next, and for a client, which speaks what it finds. */
#define MAYFLY_ENDPOINT_PIPE_BYTES    (1u << 2)

/* Listeners, on Windows: make message pipes, as Python does, which is the default. Otherwise as the one before. */
#define MAYFLY_ENDPOINT_PIPE_MESSAGES (1u << 3)

/* Listens on `address`; NULL: on mayfly_arbitrary_address() of the default family. `options` NULL: all defaults. From
 * the return on peers can connect. *listener is yours (mayfly_listener_close()). Stands for Listener().
 *
 *  - AF_UNIX: the socket has mode 0600 from its first moment. A path that a dead process left behind is taken over;
 *    one on which somebody listens, or which is no socket, never is. For the moment of taking over there is a file
 *    PATH.lock.
 *  - AF_INET: a host is resolved first, and no timeout covers that; of its addresses IPv4 comes first, as in Python.
 *    "" is every interface, IPv6 and IPv4 where the system has both.
 *
 * MAYFLY_EINVAL: an address that is none; an option or flag that can't be; AF_INET with neither a key nor
 * MAYFLY_ENDPOINT_ANY_USER. MAYFLY_EAFNOSUPPORT: not a family of this system. MAYFLY_EADDRINUSE: taken.
 * MAYFLY_EADDRNOTAVAIL: the host can't be resolved (the resolver's words) or is not this machine.
 * MAYFLY_ENAMETOOLONG: the path is longer than a socket's may be (107 bytes on Linux). MAYFLY_ENOENT, MAYFLY_ENOTDIR:
 * the path's directory is not there. MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS, MAYFLY_ELOOP, MAYFLY_ENOSPC: bind(2)
 * could not. MAYFLY_EMFILE: no descriptor left. MAYFLY_ECANCELED: the process is ending. */
MAYFLY_API int mayfly_listen(const mayfly_address *address, const mayfly_endpoint_options *options,
                             mayfly_listener **listener);

/* Waits up to `timeout_ms` for the first peer that is let in and has proved the key, and gives its connection, which is
 * yours (mayfly_connection_close()). Peers that are still at it are carried on side by side and kept from call to call,
 * so none holds up another, and a timeout of 0 works with a key too. Stands for accept().
 *
 * One peer failed, and the listener goes on: call again after
 *   MAYFLY_EAUTH: the wrong key, a handshake that is none, a peer that left or said nothing for `open_timeout_ms`, or
 *     had to make room for another (`opening_max`);
 *   MAYFLY_EPEER: not let in; the peer was told nothing;
 *   MAYFLY_EMFILE, MAYFLY_ENOMEM: no descriptor or memory left. It is said once; the listener then tries again after
 *     100 ms.
 * MAYFLY_ETIMEDOUT: nobody was through in time. MAYFLY_ECANCELED: shut down. MAYFLY_EINVAL: a negative time that is not
 * MAYFLY_FOREVER. */
MAYFLY_API int mayfly_accept(mayfly_listener *listener, int timeout_ms, mayfly_connection **connection);

/* The address to connect to: the one that was asked for, with the port and host that came of it. "localhost:0" becomes
 * 127.0.0.1 and the port that the system chose; the name "" stays. Borrowed until the listener's close; NULL for NULL.
 * Stands for Listener.address. */
MAYFLY_API const mayfly_address *mayfly_listener_address(const mayfly_listener *listener);

/* Where the peer of the last accepted connection came from. AF_INET: its numeric address and its port. AF_UNIX: mostly
 * a name of "", since clients rarely have one: that is no address to write or to connect to, and who came is told by
 * mayfly_connection_peer(). NULL before the first accept, and for NULL. Borrowed until the listener's close; the next
 * accept changes it. Stands for Listener.last_accepted. */
MAYFLY_API const mayfly_address *mayfly_listener_last_accepted(const mayfly_listener *listener);

/* Ends the listening: a blocked mayfly_accept() and every later one gives MAYFLY_ECANCELED, and in mayfly_wait() the
 * listener is ready. From any thread and from a signal handler; again is nothing. Every process that shares the
 * listener after a fork is reached. The socket's name stays until the close. Sets no words. On Windows one that is out
 * of memory hears of it when it tries again. Stands for shutdown(2).
 *
 * MAYFLY_EINVAL: NULL. */
MAYFLY_API int mayfly_listener_shutdown(mayfly_listener *listener);

/* Removes the AF_UNIX path if it still leads to this listener's socket (a stranger is left alone, silently), drops the
 * peers that have not been accepted yet, and ends the listener: it is gone, whatever is returned. NULL is nothing. In a
 * forked child the path stays. Stands for Listener.close().
 *
 * MAYFLY_EACCES, MAYFLY_EPERM, MAYFLY_EROFS: the path could not be removed. */
MAYFLY_API int mayfly_listener_close(mayfly_listener *listener);

/* Connects to a listener and proves the key to it, and it to us. `options` NULL: all defaults. *connection is yours
 * (mayfly_connection_close()). Stands for Client().
 *
 * AF_INET: the host is resolved first, and `open_timeout_ms` does not cover that; its addresses are tried in turn, IPv4
 * first. "" is this machine.
 *
 * MAYFLY_EINVAL: an address that is none, an option or flag that can't be. MAYFLY_EAFNOSUPPORT:
 * not a family of this system. MAYFLY_EADDRNOTAVAIL: the host can't be resolved (the resolver's words).
 * MAYFLY_ECONNREFUSED: nobody listens there. MAYFLY_ENOENT, MAYFLY_ENOTDIR: no such path. MAYFLY_EACCES: the path's
 * permissions. MAYFLY_ENAMETOOLONG: a path that no socket can have. MAYFLY_ETIMEDOUT: not in time; the words say
 * whether connecting or the handshake was. MAYFLY_EPEER: `admit` said no; on Windows: the pipe is another user's.
 * MAYFLY_EAUTH: the server has another key, does not do the handshake, or ended inside it. MAYFLY_EMFILE: no descriptor
 * left. */
MAYFLY_API int mayfly_connect(const mayfly_address *address, const mayfly_endpoint_options *options,
                              mayfly_connection **connection);

/* Makes two ends that are connected to each other. `duplex` not 0: both send and receive. 0: ends[0] only receives,
 * ends[1] only sends, in this order. Both are yours (mayfly_connection_close()). Like every descriptor of mayfly they
 * stay open across fork() and are closed by exec. Stands for Pipe(duplex), and on POSIX for socketpair(2).
 *
 * MAYFLY_EINVAL: NULL. MAYFLY_EMFILE: no descriptors left. */
MAYFLY_API int mayfly_pipe(int duplex, mayfly_connection *ends[2]);

/* Makes a connection of a descriptor that was made elsewhere, such as one that was inherited or received: `readable`
 * and `writable` say which ways it goes, one of them at least. A socket of a stream of bytes will do, AF_UNIX or
 * AF_INET or another, and a pipe or FIFO; who is on the other side is known for AF_UNIX sockets only. The descriptor is
 * taken over: the connection's close closes it, and it becomes close-on-exec; its other settings stay. On failure it
 * stays yours, as it was. *connection is yours (mayfly_connection_close()). Stands for Connection(handle, readable,
 * writable).
 *
 *  - On POSIX a pipe has no shutdown, and no handles. With a timeout at most PIPE_BUF bytes of a message leave in one
 *    system call, and a timeout holds as long as no other process reads or writes the same end without a lock.
 *  - On Windows: a SOCKET, or the HANDLE of a named pipe that was opened for overlapped operations (those of
 *    multiprocessing.Pipe() are; CreatePipe()'s are not). The pipe's type says whether it keeps messages, and one whose
 *    type this end may not ask for is taken to keep them, as Python's do.
 *
 * MAYFLY_EINVAL: neither way, or a way that the descriptor does not go. MAYFLY_EBADF: it is not open. MAYFLY_ENOTSUP:
 * something else than a socket or a pipe; a datagram socket; on Windows: a HANDLE without overlapped operations. That a
 * socket is not connected the first receive says: MAYFLY_ENOTCONN. */
MAYFLY_API int mayfly_connection_adopt(mayfly_os_fd fd, int readable, int writable, mayfly_connection **connection);

/* The descriptor under the connection, for a foreign poll(2) or for a look at the socket: readable once something can
 * be received, unless the connection reads ahead. Borrowed: neither close it nor read or write it. On Windows: a HANDLE
 * or a SOCKET. Stands for fileno().
 *
 * MAYFLY_EINVAL: NULL. */
MAYFLY_API int mayfly_connection_os_fd(const mayfly_connection *connection, mayfly_os_fd *fd);

/* Who is on the other side; for an end of mayfly_pipe() the process that made it. All is unknown (-1) for a pipe that
 * was adopted. Borrowed until the connection's close; NULL for NULL. Stands for getsockopt(SO_PEERCRED), getpeereid(3).
 */
MAYFLY_API const mayfly_peer *mayfly_connection_peer(const mayfly_connection *connection);

/* How long a receive, and how long a send, may take from now on, each counted from its call to its end. 0: what can be
 * done without waiting. Both are MAYFLY_FOREVER at first, as always in Python. Not while another thread is inside a
 * call on the connection.
 *
 * MAYFLY_EINVAL: a negative time that is not MAYFLY_FOREVER. */
MAYFLY_API int mayfly_connection_set_timeouts(mayfly_connection *connection, int receive_ms, int send_ms);

/* How many bytes may be read ahead from now on, as the option `readahead`; 0: none. Only while nothing is buffered.
 *
 * MAYFLY_EINVAL: bytes that were read ahead, or part of a message, are in the buffer; more bytes than memory can be; an
 * end that only sends. */
MAYFLY_API int mayfly_connection_set_readahead(mayfly_connection *connection, size_t bytes);

/* The largest message to receive from now on, in bytes; unlike in the option 0 is no default, it leaves empty messages
 * only.
 *
 * MAYFLY_EINVAL: NULL. */
MAYFLY_API int mayfly_connection_set_message_size_max(mayfly_connection *connection, uint64_t bytes);

/* Ends both directions: blocked calls and later ones give MAYFLY_ECANCELED, the peer sees the end, and in mayfly_wait()
 * the connection is ready. From any thread and from a signal handler; again is nothing. Every process that shares the
 * connection after a fork is reached. The object lives until its close. Success sets no words. Stands for shutdown(2).
 *
 * MAYFLY_EINVAL: NULL. MAYFLY_ENOTSUP: a pipe of POSIX that was adopted; nothing has changed. */
MAYFLY_API int mayfly_connection_shutdown(mayfly_connection *connection);

/* Closes the descriptor and ends the connection: it is gone, and its last message with it, whatever is returned. NULL
 * is nothing. The peer receives what was sent, then MAYFLY_EOF; a peer whose own messages are still unread here gets
 * MAYFLY_ECONNRESET before that. Stands for close().
 *
 * MAYFLY_EIO: the system could not. */
MAYFLY_API int mayfly_connection_close(mayfly_connection *connection);

/* Sends `size` bytes as one message; `data` may be NULL if `size` is 0, which is a message too. Returns once the system
 * has all of it, which does not mean that the peer has. Stands for send_bytes().
 *
 * MAYFLY_ETIMEDOUT: not a byte has left, so the message may be sent again. MAYFLY_EPIPE: the peer is gone; or time ran
 * out inside this message or an earlier one, and no later one can be right. MAYFLY_ECANCELED: shut down. MAYFLY_EINVAL:
 * `data` NULL with a size; an end that only receives.
 *
 * On Windows: MAYFLY_EPIPE, not MAYFLY_ETIMEDOUT, whenever time ran out in a send that had to wait, since the system
 * does not tell how much of a cancelled one has left. MAYFLY_ENOMEM: more than the system can hold at once; nothing has
 * left, a smaller one may. MAYFLY_EMSGSIZE: over 4 GiB on a message pipe. */
MAYFLY_API int mayfly_send_bytes(mayfly_connection *connection, const void *data, size_t size);

/* Sends `count` slices, one after the other, as one message, without putting them together first. `slices` may be NULL
 * if `count` is 0, which sends an empty message. Stands for writev(2).
 *
 * Errors are those of mayfly_send_bytes(), and MAYFLY_EINVAL for slices that together are larger than memory can be. */
MAYFLY_API int mayfly_send_gather(mayfly_connection *connection, const mayfly_slice *slices, size_t count);

/* Receives one message without a copy: *data are its *size bytes, in the connection's own memory, valid until the next
 * receive on it or its close, and not aligned for anything but bytes. `max_length` is the most that this call takes:
 * SIZE_MAX for no limit but `message_size_max`, 0 for an empty message only. Stands for recv_bytes(maxlength).
 *
 * MAYFLY_EOF: the peer closed, and all it sent has been received. MAYFLY_EPROTO: what comes is no message, or the end
 * came inside one; reading is over. MAYFLY_EMSGSIZE: the message is longer than `max_length`: it stays, *size (but not
 * *data) is set to its length, and a receive with enough room takes it, unlike in Python; or it is longer than
 * `message_size_max`: reading is over and *size is untouched. MAYFLY_ECONNRESET: the peer closed with messages of ours
 * unread, and all it sent has been received; or the system gave up a peer over AF_INET that answers no more; MAYFLY_EOF
 * follows. MAYFLY_ETIMEDOUT: not in time, and nothing is lost. MAYFLY_ECANCELED: shut down. MAYFLY_EINVAL: an end that
 * only sends. */
MAYFLY_API int mayfly_recv_bytes(mayfly_connection *connection, size_t max_length, const void **data, size_t *size);

/* Receives one message into `buffer` of `capacity` bytes, and sets *size to its length. The message is copied once it
 * is whole, so the buffer is untouched on every failure; without a copy: mayfly_recv_bytes(). `buffer` may be NULL if
 * `capacity` is 0. Stands for recv_bytes_into(), whose BufferTooShort is MAYFLY_EMSGSIZE.
 *
 * Errors are those of mayfly_recv_bytes(), with `capacity` for `max_length`, and MAYFLY_EINVAL for `buffer` NULL with a
 * capacity. */
MAYFLY_API int mayfly_recv_bytes_into(mayfly_connection *connection, void *buffer, size_t capacity, size_t *size);

/* 1 as soon as a receive would not wait: a whole message is buffered, or there is something to read, or the stream has
 * ended or is broken, which the receive then says. 0: nothing in `timeout_ms`. Nothing is read for it, so where only
 * part of a message has arrived the receive may wait for the rest. Stands for poll(timeout).
 *
 * MAYFLY_ECANCELED: shut down. MAYFLY_EINVAL: an end that only sends, a negative time that is not MAYFLY_FOREVER. */
MAYFLY_API int mayfly_poll(mayfly_connection *connection, int timeout_ms);

/* One thing to wait for: exactly one of the first three. */
typedef struct mayfly_wait_item {
  /* Ready as for mayfly_poll(), and when shut down; or NULL. */
  mayfly_connection *connection;
  /* Ready when mayfly_accept() would not wait, and when shut down; or NULL. */
  mayfly_listener *listener;
  /* Counts where both pointers are NULL: any descriptor that poll(2) takes, ready when it can be read or has ended. To
   * wait for a process: a pidfd, or the end of a pipe whose other end only that process holds. On Windows: a HANDLE
   * that can be waited for, or a SOCKET. */
  mayfly_os_fd fd;
  /* Written on success only. 1: ready. 0: not. */
  int ready;
} mayfly_wait_item;

/* Waits up to `timeout_ms` until one of the `count` items is ready, and returns how many are; 0: none in time. `ready`
 * is then written in every item. The peers of a listener are carried on meanwhile, and a failed one makes the listener
 * ready too: call mayfly_accept() with a timeout of 0 on it. With a `count` of 0 it waits for the time alone, and
 * `items` may be NULL. Stands for wait(object_list, timeout), and poll(2).
 *
 * MAYFLY_EINVAL: an item with both pointers, or with neither and MAYFLY_NO_FD; an end that only sends; a negative
 * time that is not MAYFLY_FOREVER; `items` NULL with a count. MAYFLY_EBADF: a descriptor that is not open. */
MAYFLY_API int mayfly_wait(mayfly_wait_item *items, size_t count, int timeout_ms);

/* One half of the authentication alone: challenges the peer to prove the key of `size` bytes, and tells it the verdict.
 * mayfly_listen() and mayfly_connect() do both halves by themselves; this is for connections of another origin, such as
 * mayfly_pipe(). The peer must be in mayfly_answer_challenge() meanwhile. `flags`: MAYFLY_ENDPOINT_ALLOW_MD5 or 0. The
 * connection's own timeouts hold. Close the connection after a failure. Stands for deliver_challenge().
 *
 * MAYFLY_EAUTH: the peer does not have the key, what it says is no answer, or it is gone. MAYFLY_EINVAL: a key of no
 * bytes, another flag, an end that goes one way only. A digest that the system's cryptography lacks (FIPS) is
 * MAYFLY_EAUTH too, in words. Else what a send or a receive gives. */
MAYFLY_API int mayfly_deliver_challenge(mayfly_connection *connection, const void *authkey, size_t size,
                                        unsigned flags);

/* The other half: waits for the peer's challenge, proves the key to it, and waits for its verdict. All else is as for
 * mayfly_deliver_challenge(), and MAYFLY_EAUTH also says that the peer asks for HMAC-MD5 which is not allowed. Stands
 * for answer_challenge(). */
MAYFLY_API int mayfly_answer_challenge(mayfly_connection *connection, const void *authkey, size_t size, unsigned flags);

/* Gives the peer, which must be in mayfly_recv_handle() or in Python's recv_handle(), a descriptor of its own for what
 * `fd` leads to. `fd` stays yours: close it when you like. It travels with one byte, between two messages, over AF_UNIX
 * sockets only, those of mayfly_pipe() included; the connection's timeout for sending holds. Stands for
 * multiprocessing.reduction.send_handle(), without its third argument, the peer's process.
 *
 * MAYFLY_ENOTSUP: not an AF_UNIX socket; on Windows: always. Python for Windows sends a pickled call that duplicates
 * the handle, and a call is what no peer can make us run. MAYFLY_EBADF: `fd` is not open. Else what mayfly_send_bytes()
 * gives. */
MAYFLY_API int mayfly_send_handle(mayfly_connection *connection, mayfly_os_fd fd);

/* Receives a descriptor from mayfly_send_handle() or from Python's send_handle(). *fd is yours (mayfly_os_fd_close(),
 * mayfly_connection_adopt()) and close-on-exec. If more come with it they are closed. Stands for
 * multiprocessing.reduction.recv_handle().
 *
 * MAYFLY_EINVAL: the connection reads ahead, which could lose the descriptor; or a message that was not received to its
 * end is in the buffer. MAYFLY_EPROTO: what comes is no descriptor; reading is over. MAYFLY_EMFILE: one came and is
 * lost, since this process has none left for it. MAYFLY_ENOTSUP: not an AF_UNIX socket; on Windows: always. Else what
 * mayfly_recv_bytes() gives. */
MAYFLY_API int mayfly_recv_handle(mayfly_connection *connection, mayfly_os_fd *fd);

#ifdef __cplusplus
}
#endif
#endif
