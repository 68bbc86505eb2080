/* SPDX-License-Identifier: MIT */
/* raw.c - sockets and bytes. */
#include "raw.h"
#include "result.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union where {
  struct sockaddr any;
  struct sockaddr_un un;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

static socklen_t where_unix(const mayfly_address *address, union where *where) {
  size_t length = strlen(address->name);
  int is_abstract = address->name[0] == '@';
  assert_true(length < sizeof where->un.sun_path);
  where->un.sun_family = AF_UNIX;
  memcpy(where->un.sun_path, address->name, length);
  if (is_abstract)
    where->un.sun_path[0] = '\0';
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
}

/* Numbers only; "" is 127.0.0.1. */
static socklen_t where_inet(const mayfly_address *address, union where *where) {
  const char *host = address->name[0] == '\0' ? "127.0.0.1" : address->name;
  if (inet_pton(AF_INET, host, &where->ipv4.sin_addr) == 1) {
    where->ipv4.sin_family = AF_INET;
    where->ipv4.sin_port = htons(address->port);
    return sizeof where->ipv4;
  }
  assert_int_equal(inet_pton(AF_INET6, host, &where->ipv6.sin6_addr), 1);
  where->ipv6.sin6_family = AF_INET6;
  where->ipv6.sin6_port = htons(address->port);
  return sizeof where->ipv6;
}

static socklen_t find(const mayfly_address *address, union where *where) {
  memset(where, 0, sizeof *where);
  return address->family == MAYFLY_AF_UNIX ? where_unix(address, where) : where_inet(address, where);
}

static int make_socket(const union where *where) {
  int fd = socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_return_code(fd, errno);
  return fd;
}

int raw_connect(const mayfly_address *address) {
  union where where;
  socklen_t size = find(address, &where);
  int fd = make_socket(&where);
  assert_return_code(connect(fd, &where.any, size), errno);
  return fd;
}

int raw_listen(const mayfly_address *address, int backlog) {
  union where where;
  socklen_t size = find(address, &where);
  int fd = make_socket(&where);
  assert_return_code(bind(fd, &where.any, size), errno);
  assert_return_code(listen(fd, backlog), errno);
  return fd;
}

int raw_listen_anywhere(mayfly_address *address, int backlog) {
  assert_ok(mayfly_arbitrary_address(MAYFLY_AF_UNIX, address));
  return raw_listen(address, backlog);
}

int raw_accept(int listening) {
  int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
  assert_return_code(fd, errno);
  return fd;
}

void raw_stop_listening(int listening, const mayfly_address *address) {
  close(listening);
  assert_return_code(unlink(address->name), errno);
}

typedef int name_function(int fd, struct sockaddr *name, socklen_t *size);

static uint16_t port(name_function *ask, int fd) {
  struct sockaddr_in name;
  socklen_t size = sizeof name;
  assert_return_code(ask(fd, (struct sockaddr *)&name, &size), errno);
  return ntohs(name.sin_port);
}

static int descriptor_of(mayfly_connection *connection) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  return (int)fd;
}

uint16_t raw_port(int fd) {
  return port(getsockname, fd);
}

uint16_t raw_port_of(mayfly_connection *connection) {
  return port(getsockname, descriptor_of(connection));
}

uint16_t raw_port_at_the_other(mayfly_connection *connection) {
  return port(getpeername, descriptor_of(connection));
}

int raw_try_to_say(int fd, const void *bytes, size_t size) {
  return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
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

size_t raw_hear(int fd, void *bytes, size_t size) {
  size_t total = 0;
  while (total < size) {
    ssize_t got = recv(fd, (char *)bytes + total, size - total, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0 && errno != ECONNRESET)
      fail_msg("raw_hear: %s", strerror(errno));
    if (got <= 0)
      break;
    total += (size_t)got;
  }
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

void raw_await(int fd) {
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  int ready;
  do
    ready = poll(&readable, 1, -1);
  while (ready < 0 && errno == EINTR);
  assert_int_equal(ready, 1);
}

int raw_unread(int fd) {
  int count = -1;
  assert_return_code(ioctl(fd, FIONREAD, &count), errno);
  return count;
}

int raw_unread_of(mayfly_connection *connection) {
  return raw_unread(descriptor_of(connection));
}

int raw_is_quiet(int fd) {
  char byte;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

void raw_shut_down_sending(int fd) {
  assert_return_code(shutdown(fd, SHUT_WR), errno);
}

static void reset_at_close(int fd) {
  const struct linger at_once = {.l_onoff = 1};
  assert_return_code(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), errno);
}

void raw_reset(int fd) {
  reset_at_close(fd);
  close(fd);
}

void raw_reset_of(mayfly_connection *connection) {
  reset_at_close(descriptor_of(connection));
  assert_ok(mayfly_connection_close(connection));
}

int raw_try_to_say_of(mayfly_connection *connection, const void *bytes, size_t size) {
  ssize_t sent = send(descriptor_of(connection), bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent == (ssize_t)size ? 0 : -1;
}
