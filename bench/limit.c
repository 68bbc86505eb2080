/* SPDX-License-Identifier: MIT */
/* limit.c - framed messages with as few system calls and as little else as can be. */
#include "limit.h"
#include "bench.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void send_copied(int fd, uint32_t header, const void *data, size_t size) {
  unsigned char bytes[LIMIT_HEADER + LIMIT_COPY_MAX];
  memcpy(bytes, &header, LIMIT_HEADER);
  memcpy(bytes + LIMIT_HEADER, data, size);
  ssize_t sent = send(fd, bytes, LIMIT_HEADER + size, MSG_NOSIGNAL);
  bench_need(sent == (ssize_t)(LIMIT_HEADER + size), "send"); /* a blocking socket takes all of it */
}

static void send_gathered(int fd, uint32_t header, const void *data, size_t size) {
  struct iovec pieces[2] = {{&header, LIMIT_HEADER}, {(void *)data, size}};
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  bench_need(sent == (ssize_t)(LIMIT_HEADER + size), "sendmsg");
}

void limit_send(int fd, const void *data, size_t size) {
  uint32_t header = htonl((uint32_t)size);
  if (size <= LIMIT_COPY_MAX)
    send_copied(fd, header, data, size);
  else
    send_gathered(fd, header, data, size);
}

size_t limit_receive(int fd, unsigned char *buffer, size_t first) {
  size_t have = 0, whole = LIMIT_HEADER;
  while (have < whole) {
    ssize_t count = recv(fd, buffer + have, have < LIMIT_HEADER ? first - have : whole - have, 0);
    if (count <= 0)
      return 0;
    have += (size_t)count;
    if (have >= LIMIT_HEADER) {
      uint32_t header;
      memcpy(&header, buffer, LIMIT_HEADER);
      whole = LIMIT_HEADER + ntohl(header);
    }
  }
  return whole - LIMIT_HEADER;
}

/* The whole message at the front, its header included; SIZE_MAX: not even its header is there. */
static size_t whole_size(const struct limit_ahead *ahead) {
  uint32_t header;
  if (ahead->end - ahead->begin < LIMIT_HEADER)
    return SIZE_MAX;
  memcpy(&header, ahead->buffer + ahead->begin, LIMIT_HEADER);
  return LIMIT_HEADER + ntohl(header);
}

size_t limit_receive_ahead(int fd, struct limit_ahead *ahead) {
  size_t whole;
  while ((whole = whole_size(ahead)) > ahead->end - ahead->begin) {
    memmove(ahead->buffer, ahead->buffer + ahead->begin, ahead->end - ahead->begin);
    ahead->end -= ahead->begin;
    ahead->begin = 0;
    ssize_t count = recv(fd, ahead->buffer + ahead->end, ahead->capacity - ahead->end, 0);
    if (count <= 0)
      return 0;
    ahead->end += (size_t)count;
  }
  ahead->begin += whole;
  return whole - LIMIT_HEADER;
}

void *limit_memory(size_t size) {
  void *memory = calloc(1, size);
  bench_need(memory != NULL, "calloc");
  return memory;
}
