/* SPDX-License-Identifier: MIT */
/* limit.h - framed messages with as few system calls and as little else as can be. */
#ifndef LIMIT_H
#define LIMIT_H

#include <stddef.h>

enum { LIMIT_HEADER = 4, LIMIT_COPY_MAX = 4096 };

/* One message: a copy and send(2) up to LIMIT_COPY_MAX bytes, sendmsg(2) above. */
void limit_send(int fd, const void *data, size_t size);

/* One message of at least a byte, behind its header in `buffer`; its size, 0 at the end of the stream. The first
 * recv(2) asks for `first` bytes: LIMIT_HEADER makes it two calls a message, the size of a whole one makes it one. */
size_t limit_receive(int fd, unsigned char *buffer, size_t first);

/* The same, but each recv(2) takes whatever has come, up to `capacity`, and so often more than one message. */
struct limit_ahead {
  unsigned char *buffer;
  size_t capacity, begin, end;
};
size_t limit_receive_ahead(int fd, struct limit_ahead *ahead);

/* A buffer, or the end of the program. */
void *limit_memory(size_t size);

#endif
