/* SPDX-License-Identifier: MIT */
/* socket.c - endpoints: of AF_INET here, of AF_PIPE in pipe.c.
 *
 * A listener keeps accepts pending, on its own event, from its making to its close: a socket one, since the system
 * queues what comes meanwhile; a pipe several, since each is an instance that a client can come to. An accept takes the
 * oldest that is done, and issues the next before it hands it out, so the listener never stands without. When a thread
 * ends, the system cancels what it has issued: the next accept, in another thread, issues that again. */
#include "win32.h"
/* After windows.h, which they do not include. */
#include <mswsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ws2tcpip.h>

size_t mf_os_socket_path_max(void) {
  return 0;
}

static int no_such_family(const mayfly_address *address, const char *what) {
  return mf_fail(MAYFLY_EAFNOSUPPORT, "%s %s: this system has no AF_UNIX here", what, address->name);
}

/* ---- sockets ---- */

static BOOL CALLBACK start_once(PINIT_ONCE once, PVOID error, PVOID *context) {
  WSADATA data;
  (void)once, (void)context;
  *(int *)error = WSAStartup(MAKEWORD(2, 2), &data);
  return *(int *)error == 0;
}

/* Zero, or what the system says. */
static int start_winsock(void) {
  static INIT_ONCE started = INIT_ONCE_STATIC_INIT;
  int error = 0;
  return InitOnceExecuteOnce(&started, start_once, &error, NULL) ? 0 : error;
}

int mf_win32_is_socket(HANDLE handle, int *type) {
  int size = sizeof *type;
  return GetFileType(handle) == FILE_TYPE_PIPE && start_winsock() == 0 &&
         getsockopt((SOCKET)handle, SOL_SOCKET, SO_TYPE, (char *)type, &size) == 0;
}

static SOCKET new_socket(int family) {
  int error = start_winsock();
  if (error != 0) {
    WSASetLastError(error);
    return INVALID_SOCKET;
  }
  return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static void set_option(SOCKET socket, int level, int name, int value) {
  setsockopt(socket, level, name, (const char *)&value, sizeof value);
}

static void address_of(const SOCKADDR *from, socklen_t size, mayfly_address *address) {
  char port[8] = "0";
  memset(address, 0, sizeof *address);
  address->family = MAYFLY_AF_INET;
  getnameinfo(from, size, address->name, sizeof address->name, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
  address->port = (uint16_t)strtoul(port, NULL, 10);
}

/* IPv4 first, whatever the resolver prefers: Python's peers know nothing else. */
static ADDRINFOW *ipv4_first(ADDRINFOW *list) {
  ADDRINFOW *first = NULL, *rest = NULL, **first_end = &first, **rest_end = &rest;
  for (ADDRINFOW *entry = list; entry != NULL; entry = entry->ai_next) {
    ADDRINFOW ***end = entry->ai_family == AF_INET ? &first_end : &rest_end;
    **end = entry;
    *end = &entry->ai_next;
  }
  *rest_end = NULL;
  *first_end = rest;
  return first;
}

static int resolve(const mayfly_address *address, int flags, const char *what, ADDRINFOW **list) {
  ADDRINFOW hints = {.ai_flags = flags, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  wchar_t *host, port[8];
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  SOCKET starter = new_socket(AF_INET); /* the resolver too needs Winsock to be started */
  if (starter == INVALID_SOCKET)
    return mf_win32_fail((DWORD)WSAGetLastError(), "%s %s", what, mf_address_words(address, text));
  closesocket(starter);
  int result = mf_win32_wide(address->name[0] == '\0' ? "localhost" : address->name, &host);
  if (result < 0)
    return result;
  swprintf(port, sizeof port / sizeof port[0], L"%u", (unsigned)address->port);
  int error = GetAddrInfoW(host, port, &hints, list);
  free(host);
  if (error != 0)
    return mf_win32_fail((DWORD)error, "%s %s", what, mf_address_words(address, text));
  *list = ipv4_first(*list);
  return 0;
}

/* ---- AF_INET: listening ---- */

static SOCKET listen_at(const SOCKADDR *where, int size, int backlog) {
  SOCKET made = new_socket(where->sa_family);
  if (made == INVALID_SOCKET)
    return INVALID_SOCKET;
  set_option(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
  if (where->sa_family == AF_INET6)
    set_option(made, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (bind(made, where, size) == 0 && listen(made, backlog) == 0)
    return made;
  int error = WSAGetLastError();
  closesocket(made);
  WSASetLastError(error);
  return INVALID_SOCKET;
}

/* One socket for IPv6 and IPv4 where the system has both. */
static SOCKET listen_everywhere(uint16_t port, int backlog) {
  SOCKADDR_IN6 both = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  SOCKADDR_IN ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  SOCKET made = listen_at((const SOCKADDR *)&both, sizeof both, backlog);
  if (made != INVALID_SOCKET || (WSAGetLastError() != WSAEAFNOSUPPORT && WSAGetLastError() != WSAEADDRNOTAVAIL))
    return made;
  return listen_at((const SOCKADDR *)&ipv4, sizeof ipv4, backlog);
}

static SOCKET listen_at_first(const ADDRINFOW *list, int backlog) {
  SOCKET made = INVALID_SOCKET;
  for (; list != NULL && made == INVALID_SOCKET; list = list->ai_next)
    made = listen_at(list->ai_addr, (int)list->ai_addrlen, backlog);
  return made;
}

static int listen_inet(const mayfly_address *address, int backlog, SOCKET *made) {
  ADDRINFOW *list = NULL;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  if (address->name[0] == '\0')
    *made = listen_everywhere(address->port, backlog);
  else {
    int result = resolve(address, 0, "listen on", &list);
    if (result < 0)
      return result;
    *made = listen_at_first(list, backlog);
  }
  int result = 0;
  if (*made == INVALID_SOCKET)
    result = mf_win32_fail((DWORD)WSAGetLastError(), "listen on %s", mf_address_words(address, text));
  if (list != NULL)
    FreeAddrInfoW(list);
  return result;
}

static int bound_address(SOCKET socket, const mayfly_address *address, mayfly_address *bound) {
  SOCKADDR_STORAGE storage;
  int size = sizeof storage;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  if (getsockname(socket, (SOCKADDR *)&storage, &size) != 0)
    return mf_win32_fail((DWORD)WSAGetLastError(), "listen on %s: ask for the bound address",
                         mf_address_words(address, text));
  address_of((const SOCKADDR *)&storage, size, bound);
  if (address->name[0] == '\0')
    bound->name[0] = '\0';
  return 0;
}

static int family_of(SOCKET socket) {
  WSAPROTOCOL_INFOW information = {0};
  int size = sizeof information;
  getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&information, &size);
  return information.iAddressFamily;
}

/* 0 or ERROR_IO_PENDING, or what the system says. A peer that is gone before its accept is the next one's affair. */
static DWORD start_accept(SOCKET listener, SOCKET next, struct mf_win32_pending *pending) {
  DWORD count, error;
  do
    error = AcceptEx(listener, next, pending->addresses, 0, MF_WIN32_ADDRESS_ROOM, MF_WIN32_ADDRESS_ROOM, &count,
                     &pending->operation)
                ? 0
                : (DWORD)WSAGetLastError();
  while (error == WSAECONNRESET);
  return error;
}

/* Issues the next accept, into a socket of our own making, so that it is not inherited. */
static int socket_pending(mf_os_listener *listener, struct mf_win32_pending **pending) {
  struct mf_win32_pending *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "accept: no memory");
  SOCKET next = new_socket(family_of(listener->socket));
  if (next == INVALID_SOCKET) {
    free(made);
    return mf_win32_fail((DWORD)WSAGetLastError(), "accept: make the socket for the next peer");
  }
  made->handle = (HANDLE)next;
  made->operation.hEvent = listener->event;
  DWORD error = start_accept(listener->socket, next, made);
  if (error != 0 && error != ERROR_IO_PENDING) {
    closesocket(next);
    free(made);
    return mf_win32_fail(error, "accept");
  }
  *pending = made;
  return 0;
}

static int accepted_socket(const mf_os_listener *listener, struct mf_win32_pending *pending, mf_os_stream **stream,
                           mayfly_address *from) {
  DWORD count, flags;
  SOCKADDR_STORAGE storage;
  int size = sizeof storage;
  SOCKET made = (SOCKET)pending->handle;
  if (!WSAGetOverlappedResult(listener->socket, &pending->operation, &count, FALSE, &flags) ||
      setsockopt(made, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener->socket,
                 sizeof listener->socket) != 0 ||
      getpeername(made, (SOCKADDR *)&storage, &size) != 0) {
    closesocket(made);
    return MAYFLY_EAGAIN; /* the peer is gone again */
  }
  set_option(made, IPPROTO_TCP, TCP_NODELAY, 1);
  int result = mf_win32_stream_new(pending->handle, MF_WIN32_SOCKET, stream);
  if (result == 0)
    address_of((const SOCKADDR *)&storage, size, from);
  return result;
}

static int accepted_pipe(const mf_os_listener *listener, struct mf_win32_pending *pending, mf_os_stream **stream,
                         mayfly_address *from) {
  int result = mf_win32_stream_new(pending->handle, listener->kind, stream);
  if (result < 0)
    return result;
  (*stream)->server = 1;
  *from = (mayfly_address){.family = MAYFLY_AF_PIPE};
  return 0;
}

/* ---- the door: listeners ---- */

static void pending_free(struct mf_win32_pending *pending, HANDLE issued_on, enum mf_win32_kind kind) {
  CancelIoEx(issued_on, &pending->operation);
  mf_win32_await(&pending->operation);
  mf_win32_close(pending->handle, kind);
  free(pending);
}

static HANDLE issuer(const mf_os_listener *listener, const struct mf_win32_pending *pending) {
  return listener->pipe != NULL ? pending->handle : (HANDLE)listener->socket;
}

/* The event says "look again" and not more: set wherever something may be done. */
static void look_again(mf_os_listener *listener) {
  ResetEvent(listener->event);
  int done = listener->shut;
  for (size_t i = 0; i < listener->count; i++)
    done |= HasOverlappedIoCompleted(&listener->pending[i]->operation);
  if (done)
    SetEvent(listener->event);
}

static int issue_next(mf_os_listener *listener, int first, struct mf_win32_pending **pending) {
  return listener->pipe != NULL ? mf_win32_pipe_pending(listener, first, pending) : socket_pending(listener, pending);
}

static int issue_all(mf_os_listener *listener, int backlog) {
  size_t count = listener->pipe == NULL || backlog < 1 ? 1 : (size_t)backlog;
  if (count > MF_WIN32_PENDING_MAX)
    count = MF_WIN32_PENDING_MAX;
  while (listener->count < count) {
    int result = issue_next(listener, listener->count == 0, &listener->pending[listener->count]);
    if (result < 0)
      return result;
    listener->count++;
  }
  look_again(listener);
  return 0;
}

static int open_listener(mf_os_listener *listener, const mayfly_address *address, int backlog, mayfly_address *bound) {
  int result = mf_win32_event(&listener->event);
  if (result == 0 && address->family == MAYFLY_AF_PIPE)
    result = mf_win32_wide(address->name, &listener->pipe);
  else if (result == 0)
    result = listen_inet(address, backlog, &listener->socket);
  if (result == 0)
    result = issue_all(listener, backlog);
  if (result == 0 && listener->pipe == NULL)
    return bound_address(listener->socket, address, bound);
  if (result == 0)
    *bound = *address;
  return result;
}

int mf_os_listen(const mayfly_address *address, unsigned flags, int backlog, mf_os_listener **listener,
                 mayfly_address *bound) {
  if (address->family == MAYFLY_AF_UNIX)
    return no_such_family(address, "listen on");
  mf_os_listener *made = calloc(1, sizeof *made);
  if (made == NULL)
    return mf_fail(MAYFLY_ENOMEM, "listen: no memory");
  made->socket = INVALID_SOCKET;
  made->any_user = (flags & MAYFLY_ENDPOINT_ANY_USER) != 0;
  made->kind = address->family == MAYFLY_AF_INET           ? MF_WIN32_SOCKET
               : (flags & MAYFLY_ENDPOINT_PIPE_BYTES) != 0 ? MF_WIN32_BYTES
                                                           : MF_WIN32_MESSAGES;
  int result = open_listener(made, address, backlog, bound);
  if (result == 0)
    *listener = made;
  else
    mf_os_listener_close(made);
  return result;
}

/* Takes it out, and puts `next` behind the others. */
static struct mf_win32_pending *replace(mf_os_listener *listener, size_t index, struct mf_win32_pending *next) {
  struct mf_win32_pending *taken = listener->pending[index];
  for (; index + 1 < listener->count; index++)
    listener->pending[index] = listener->pending[index + 1];
  listener->pending[index] = next;
  return taken;
}

/* 1: somebody has. A pipe's client may have come all the same where the system has cancelled the accept: issued again,
 * it tells. (A socket's is left in the queue.) */
static int has_come(struct mf_win32_pending *pending, int is_pipe) {
  DWORD count, error = 0;
  if (is_pipe && HasOverlappedIoCompleted(&pending->operation) &&
      !GetOverlappedResult(pending->handle, &pending->operation, &count, FALSE))
    error = mf_win32_pipe_listen(pending);
  return error == 0 ? HasOverlappedIoCompleted(&pending->operation)
                    : mf_win32_fail(error, "accept: wait for a client again");
}

/* Who has come first, with another accept in its place; MAYFLY_EAGAIN: nobody. */
static int take_first(mf_os_listener *listener, struct mf_win32_pending **taken) {
  struct mf_win32_pending *next;
  int come = 0;
  size_t index = 0;
  while (index < listener->count && (come = has_come(listener->pending[index], listener->pipe != NULL)) == 0)
    index++;
  if (come <= 0)
    return come < 0 ? come : MAYFLY_EAGAIN;
  int result = issue_next(listener, 0, &next);
  if (result == 0)
    *taken = replace(listener, index, next);
  return result;
}

int mf_os_accept(mf_os_listener *listener, mf_os_stream **stream, mayfly_address *from) {
  struct mf_win32_pending *taken;
  if (listener->shut)
    return mf_fail(MAYFLY_ECANCELED, "accept: the listener was shut down");
  int result = take_first(listener, &taken);
  look_again(listener); /* whatever came of it: the event was reset by what was issued */
  if (result < 0)
    return result;
  result = listener->pipe != NULL ? accepted_pipe(listener, taken, stream, from)
                                  : accepted_socket(listener, taken, stream, from);
  free(taken);
  return result;
}

int mf_os_listener_is_shut(const mf_os_listener *listener) {
  return listener->shut != 0;
}

int mf_os_listener_shutdown(mf_os_listener *listener) {
  InterlockedExchange(&listener->shut, 1);
  SetEvent(listener->event);
  return 0;
}

/* A pipe's name is there as long as one of its handles. */
int mf_os_listener_remove_name(mf_os_listener *listener) {
  (void)listener;
  return 0;
}

/* With the waiting for its callback that UnregisterWaitEx does then. */
static void stop_watching(mf_os_listener *listener) {
  if (listener->watch != NULL)
    UnregisterWaitEx(listener->watch, INVALID_HANDLE_VALUE);
  listener->watch = NULL;
}

static VOID CALLBACK tell_ready(PVOID parameter, BOOLEAN timed_out) {
  const mf_os_listener *listener = parameter;
  (void)timed_out;
  listener->ready(listener->context);
}

int mf_os_listener_watch(mf_os_listener *listener, void (*ready)(void *context), void *context, mayfly_os_fd *fd) {
  stop_watching(listener);
  *fd = MAYFLY_NO_FD;
  if (ready == NULL)
    return 0;
  listener->ready = ready;
  listener->context = context;
  if (!RegisterWaitForSingleObject(&listener->watch, listener->event, tell_ready, listener, INFINITE,
                                   WT_EXECUTEONLYONCE)) {
    listener->watch = NULL;
    return mf_win32_fail(GetLastError(), "listen: watch for clients");
  }
  return 0;
}

int mf_os_listener_close(mf_os_listener *listener) {
  stop_watching(listener);
  for (size_t i = 0; i < listener->count; i++)
    pending_free(listener->pending[i], issuer(listener, listener->pending[i]), listener->kind);
  if (listener->socket != INVALID_SOCKET)
    closesocket(listener->socket);
  if (listener->event != NULL)
    CloseHandle(listener->event);
  free(listener->pipe);
  free(listener);
  return 0;
}

/* ---- connecting ---- */

/* ConnectEx is to be asked for, and wants a socket that is bound already. */
static DWORD start_connect(SOCKET socket, const ADDRINFOW *where, OVERLAPPED *operation) {
  GUID id = WSAID_CONNECTEX;
  LPFN_CONNECTEX connect_ex;
  DWORD size;
  union {
    SOCKADDR generic;
    SOCKADDR_IN6 room;
  } any = {0};
  any.generic.sa_family = where->ai_addr->sa_family;
  if (WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &connect_ex, sizeof connect_ex, &size, NULL,
               NULL) != 0 ||
      bind(socket, &any.generic, (int)where->ai_addrlen) != 0)
    return (DWORD)WSAGetLastError();
  return connect_ex(socket, where->ai_addr, (int)where->ai_addrlen, NULL, 0, NULL, operation)
             ? 0
             : (DWORD)WSAGetLastError();
}

static int connect_one(const mayfly_address *address, const ADDRINFOW *where, int64_t deadline, mf_os_stream **stream) {
  DWORD count;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mf_os_stream *made;
  SOCKET socket = new_socket(where->ai_family);
  if (socket == INVALID_SOCKET)
    return mf_win32_fail((DWORD)WSAGetLastError(), "connect to %s", mf_address_words(address, text));
  int result = mf_win32_stream_new((HANDLE)socket, MF_WIN32_SOCKET, &made);
  if (result < 0)
    return result;
  OVERLAPPED operation = {.hEvent = made->write_done};
  DWORD error = start_connect(socket, where, &operation);
  error = mf_win32_finish(made, &operation, error, deadline, &count);
  if (error == 0) {
    setsockopt(socket, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    *stream = made;
    return 0;
  }
  mf_os_stream_close(made);
  if (error == ERROR_OPERATION_ABORTED)
    return mf_fail(MAYFLY_ETIMEDOUT, "connect to %s: no connection in time", mf_address_words(address, text));
  return mf_win32_fail(error, "connect to %s", mf_address_words(address, text));
}

static int connect_inet(const mayfly_address *address, int64_t deadline, mf_os_stream **stream) {
  ADDRINFOW *list;
  int result = resolve(address, 0, "connect to", &list);
  if (result < 0)
    return result;
  result = MAYFLY_EADDRNOTAVAIL;
  for (const ADDRINFOW *entry = list; entry != NULL && result != 0 && result != MAYFLY_ETIMEDOUT;
       entry = entry->ai_next)
    result = connect_one(address, entry, deadline, stream);
  FreeAddrInfoW(list);
  return result;
}

int mf_os_connect(const mayfly_address *address, unsigned flags, int64_t deadline, mf_os_stream **stream) {
  if (address->family == MAYFLY_AF_UNIX)
    return no_such_family(address, "connect to");
  if (address->family == MAYFLY_AF_PIPE)
    return mf_win32_pipe_connect(address, (flags & MAYFLY_ENDPOINT_ANY_USER) != 0, deadline, stream);
  return connect_inet(address, deadline, stream);
}

/* ---- connecting, for a loop ---- */

/* 0 or 1, as mf_os_connect_start. No overlapped operation, which would need its memory until it is done. */
static int start_inet(const mayfly_address *numeric, SOCKET *made) {
  ADDRINFOW *list;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  u_long on = 1;
  int result = resolve(numeric, AI_NUMERICHOST, "connect to", &list);
  if (result < 0)
    return result;
  SOCKET begun = new_socket(list->ai_family);
  int failed = begun == INVALID_SOCKET || ioctlsocket(begun, (long)FIONBIO, &on) != 0 ||
               connect(begun, list->ai_addr, (int)list->ai_addrlen) != 0;
  DWORD error = failed ? (DWORD)WSAGetLastError() : 0;
  FreeAddrInfoW(list);
  if (error != 0 && error != WSAEWOULDBLOCK) {
    if (begun != INVALID_SOCKET)
      closesocket(begun);
    return mf_win32_fail(error, "connect to %s", mf_address_words(numeric, text));
  }
  *made = begun;
  return error == WSAEWOULDBLOCK;
}

static int start_socket(const mayfly_address *numeric, mf_os_stream **stream) {
  SOCKET made;
  int begun = start_inet(numeric, &made);
  if (begun < 0)
    return begun;
  int result = mf_win32_stream_new((HANDLE)made, MF_WIN32_SOCKET, stream);
  if (result == 0 && begun == 0)
    set_option(made, IPPROTO_TCP, TCP_NODELAY, 1);
  return result < 0 ? result : begun;
}

int mf_os_connect_start(const mayfly_address *numeric, unsigned flags, mf_os_stream **stream) {
  if (numeric->family == MAYFLY_AF_UNIX)
    return no_such_family(numeric, "connect to");
  if (numeric->family == MAYFLY_AF_INET)
    return start_socket(numeric, stream);
  int result = mf_win32_pipe_connect(numeric, (flags & MAYFLY_ENDPOINT_ANY_USER) != 0, 0, stream);
  return result == MAYFLY_ETIMEDOUT ? MAYFLY_EAGAIN : result;
}

/* One that has been reset meanwhile is not connected, and has no error either. */
int mf_os_connect_finish(mf_os_stream *stream) {
  SOCKADDR_STORAGE peer;
  int error = 0;
  int size = sizeof error, peer_size = sizeof peer;
  if (getsockopt((SOCKET)stream->handle, SOL_SOCKET, SO_ERROR, (char *)&error, &size) != 0)
    error = WSAGetLastError();
  else if (error == 0 && getpeername((SOCKET)stream->handle, (SOCKADDR *)&peer, &peer_size) != 0)
    error = WSAECONNRESET;
  if (error != 0)
    return mf_win32_fail((DWORD)error, "connect");
  set_option((SOCKET)stream->handle, IPPROTO_TCP, TCP_NODELAY, 1);
  return 0;
}
