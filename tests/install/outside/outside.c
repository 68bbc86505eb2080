/* SPDX-License-Identifier: MIT */
/* A C program of somebody else's: makes a temporary directory and sends itself a message. */
#include <mayfly/mayfly.h>

#include <stdio.h>
#include <string.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, mayfly_last_error());
  return 1;
}

static int send_and_receive(void) {
  mayfly_connection *ends[2];
  const void *data;
  size_t size;
  int result = mayfly_pipe(1, ends);

  if (result < 0)
    return fail("mayfly_pipe");
  if (mayfly_send_bytes(ends[0], "hello", 5) < 0 || mayfly_recv_bytes(ends[1], SIZE_MAX, &data, &size) < 0)
    result = fail("a message");
  else if (size != 5 || memcmp(data, "hello", size) != 0)
    result = fail("another message than was sent");
  mayfly_connection_close(ends[0]);
  mayfly_connection_close(ends[1]);
  return result;
}

int main(void) {
  char *path;

  if (mayfly_mkdtemp(NULL, &path) < 0)
    return fail("mayfly_mkdtemp");
  if (remove(path) != 0)
    return fail("no directory was made");
  mayfly_free(path);
  return send_and_receive();
}
