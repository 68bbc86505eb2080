/* SPDX-License-Identifier: MIT */
/* raw.c - sockets and byte pipes, as descriptors of the C library's, so that close() closes them. */
#include "../raw.h"
#include "../result.h"
#include "../test.h"
#include <fcntl.h>
#include <io.h>
#include <string.h>

#include <winsock2.h>
/* After winsock2.h. */
#include <ws2tcpip.h>

enum { PATIENCE_MS = 60000 };

static HANDLE handle_of(int fd) {
  return (HANDLE)_get_osfhandle(fd);
}

static int is_socket(HANDLE handle) {
  int type, size = sizeof type;
  return getsockopt((SOCKET)handle, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;
}

static int descriptor(HANDLE handle) {
  int fd = _open_osfhandle((intptr_t)handle, _O_BINARY | _O_RDWR);
  assert_true(fd >= 0);
  return fd;
}

/* ---- connecting ---- */

/* Where all instances are taken, it comes when there is one again: another thread or process must see to that. */
static HANDLE connect_pipe(const mayfly_address *address) {
  HANDLE made;
  do
    made = CreateFileA(address->name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
  while (made == INVALID_HANDLE_VALUE && GetLastError() == ERROR_PIPE_BUSY &&
         WaitNamedPipeA(address->name, PATIENCE_MS));
  return made;
}

/* Also where the library has not done so yet. */
static SOCKET make_socket(void) {
  WSADATA data;
  assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
  return WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0);
}

/* Numbers only; "" is 127.0.0.1. */
static HANDLE connect_socket(const mayfly_address *address) {
  SOCKET made = make_socket();
  SOCKADDR_IN where = {.sin_family = AF_INET, .sin_port = htons(address->port)};
  assert_int_equal(inet_pton(AF_INET, address->name[0] == '\0' ? "127.0.0.1" : address->name, &where.sin_addr), 1);
  assert_int_equal(connect(made, (const SOCKADDR *)&where, sizeof where), 0);
  return (HANDLE)made;
}

int raw_connect(const mayfly_address *address) {
  HANDLE made = address->family == MAYFLY_AF_PIPE ? connect_pipe(address) : connect_socket(address);
  assert_ptr_not_equal(made, INVALID_HANDLE_VALUE);
  return descriptor(made);
}

int raw_listen(const mayfly_address *address, int backlog) {
  (void)address, (void)backlog;
  print_message("skipped: a pipe has no listener apart from its instances\n");
  skip();
  return -1;
}

typedef int(WSAAPI name_function)(SOCKET socket, SOCKADDR *name, int *size);

static uint16_t port(name_function *ask, HANDLE handle) {
  SOCKADDR_IN name;
  int size = sizeof name;
  assert_int_equal(ask((SOCKET)handle, (SOCKADDR *)&name, &size), 0);
  return ntohs(name.sin_port);
}

static HANDLE handle_of_end(mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (HANDLE)fd;
}

uint16_t raw_port(int fd) {
  return port(getsockname, handle_of(fd));
}

uint16_t raw_port_of(mayfly_connection *connection) {
  return port(getsockname, handle_of_end(connection));
}

uint16_t raw_port_at_the_other(mayfly_connection *connection) {
  return port(getpeername, handle_of_end(connection));
}

int raw_listen_anywhere(mayfly_address *address, int backlog) {
  const SOCKADDR_IN where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  SOCKET made = make_socket();
  assert_int_equal(bind(made, (const SOCKADDR *)&where, sizeof where), 0);
  assert_int_equal(listen(made, backlog), 0);
  int fd = descriptor((HANDLE)made);
  *address = (mayfly_address){MAYFLY_AF_INET, raw_port(fd), "127.0.0.1"};
  return fd;
}

int raw_accept(int listening) {
  SOCKET made = accept((SOCKET)handle_of(listening), NULL, NULL);
  assert_true(made != INVALID_SOCKET);
  return descriptor((HANDLE)made);
}

void raw_stop_listening(int listening, const mayfly_address *address) {
  (void)address;
  close(listening);
}

/* ---- bytes ---- */

int raw_try_to_say(int fd, const void *bytes, size_t size) {
  DWORD written = 0;
  HANDLE handle = handle_of(fd);
  if (is_socket(handle))
    return send((SOCKET)handle, bytes, (int)size, 0) == (int)size ? 0 : -1;
  return WriteFile(handle, bytes, (DWORD)size, &written, NULL) && written == size ? 0 : -1;
}

void raw_say(int fd, const void *bytes, size_t size) {
  assert_int_equal(raw_try_to_say(fd, bytes, size), 0);
}

void raw_say_length(int fd, uint32_t length) {
  const uint32_t header = htonl(length);
  raw_say(fd, &header, sizeof header);
}

void raw_say_long_length(int fd, uint64_t length) {
  const uint32_t header[3] = {htonl(UINT32_MAX), htonl((uint32_t)(length >> 32)), htonl((uint32_t)length)};
  raw_say(fd, header, sizeof header);
}

void raw_say_message(int fd, const void *bytes, size_t size) {
  raw_say_length(fd, (uint32_t)size);
  if (size > 0)
    raw_say(fd, bytes, size);
}

/* 0: the end, or a reset. */
static size_t hear_some(int fd, void *bytes, size_t size) {
  DWORD got = 0;
  if (is_socket(handle_of(fd))) {
    int count = recv((SOCKET)handle_of(fd), bytes, (int)size, 0);
    return count > 0 ? (size_t)count : 0;
  }
  return ReadFile(handle_of(fd), bytes, (DWORD)size, &got, NULL) ? got : 0;
}

size_t raw_hear(int fd, void *bytes, size_t size) {
  size_t total = 0, got;
  while (total < size && (got = hear_some(fd, (char *)bytes + total, size - total)) > 0)
    total += got;
  return total;
}

size_t raw_hear_message(int fd, void *bytes, size_t capacity) {
  uint32_t header;
  assert_int_equal(raw_hear(fd, &header, sizeof header), sizeof header);
  size_t size = ntohl(header);
  assert_true(size <= capacity);
  assert_int_equal(raw_hear(fd, bytes, size), size);
  return size;
}

static int unread(HANDLE handle) {
  u_long count = 0;
  DWORD available = 0;
  if (is_socket(handle)) {
    assert_int_equal(ioctlsocket((SOCKET)handle, FIONREAD, &count), 0);
    return (int)count;
  }
  return PeekNamedPipe(handle, NULL, 0, NULL, &available, NULL) ? (int)available : -1;
}

int raw_unread(int fd) {
  return unread(handle_of(fd));
}

int raw_unread_of(mayfly_connection *connection) {
  return unread(handle_of_end(connection));
}

/* Not by select(), which under Wine calls one readable that has only ended its sending. */
static int would_wait(SOCKET socket) {
  u_long on = 1, off = 0;
  char byte;
  assert_int_equal(ioctlsocket(socket, (long)FIONBIO, &on), 0);
  int result = recv(socket, &byte, 1, MSG_PEEK) < 0 && WSAGetLastError() == WSAEWOULDBLOCK;
  assert_int_equal(ioctlsocket(socket, (long)FIONBIO, &off), 0);
  return result;
}

int raw_is_quiet(int fd) {
  return is_socket(handle_of(fd)) ? would_wait((SOCKET)handle_of(fd)) : raw_unread(fd) == 0;
}

void raw_await(int fd) {
  char byte;
  if (is_socket(handle_of(fd)))
    assert_true(recv((SOCKET)handle_of(fd), &byte, 1, MSG_PEEK) >= 0);
  else
    while (raw_unread(fd) == 0) /* the handle is a synchronous one, without events */
      Sleep(1);
}

void raw_shut_down_sending(int fd) {
  assert_int_equal(shutdown((SOCKET)handle_of(fd), SD_SEND), 0);
}

static void reset_at_close(HANDLE handle) {
  const struct linger at_once = {.l_onoff = 1};
  assert_int_equal(setsockopt((SOCKET)handle, SOL_SOCKET, SO_LINGER, (const char *)&at_once, sizeof at_once), 0);
}

void raw_reset(int fd) {
  reset_at_close(handle_of(fd));
  close(fd);
}

void raw_reset_of(mayfly_connection *connection) {
  reset_at_close(handle_of_end(connection));
  assert_ok(mayfly_connection_close(connection));
}

/* The handle of a pipe is an overlapped one. */
static int write_to_pipe(HANDLE pipe, const void *bytes, DWORD size) {
  OVERLAPPED operation = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  DWORD written = 0;
  BOOL issued = WriteFile(pipe, bytes, size, NULL, &operation);
  if (!issued && GetLastError() == ERROR_IO_PENDING) /* it does not fit */
    issued = CancelIoEx(pipe, &operation);
  int is_written = issued && GetOverlappedResult(pipe, &operation, &written, TRUE) && written == size;
  CloseHandle(operation.hEvent);
  return is_written ? 0 : -1;
}

int raw_try_to_say_of(mayfly_connection *connection, const void *bytes, size_t size) {
  HANDLE handle = handle_of_end(connection);
  if (is_socket(handle))
    return send((SOCKET)handle, bytes, (int)size, 0) == (int)size ? 0 : -1;
  return write_to_pipe(handle, bytes, (DWORD)size);
}
