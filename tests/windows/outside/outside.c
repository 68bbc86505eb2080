/* SPDX-License-Identifier: MIT */
/* A program of somebody else's: listens, connects to itself and sends a message. */
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  mayfly_listener *listener;
  mayfly_connection *client, *served;
  const void *data;
  size_t size;
  if (mayfly_listen(NULL, NULL, &listener) < 0 ||
      mayfly_connect(mayfly_listener_address(listener), NULL, &client) < 0 ||
      mayfly_accept(listener, 10000, &served) < 0 || mayfly_send_bytes(client, "hello", 5) < 0 ||
      mayfly_recv_bytes(served, SIZE_MAX, &data, &size) < 0 || size != 5 || memcmp(data, "hello", 5) != 0) {
    fprintf(stderr, "%s\n", mayfly_last_error());
    return 1;
  }
  mayfly_connection_close(client);
  mayfly_connection_close(served);
  mayfly_listener_close(listener);
  return 0;
}
