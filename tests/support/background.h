/* SPDX-License-Identifier: MIT */
/* background.h - a function in another thread, with what it returned and its words.
 *
 * It must not use CMocka's assertions: it returns what the library gave it, and whoever ends it asserts.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include <mayfly/connection.h>
#include <pthread.h>
#include <stdatomic.h>

struct background {
  pthread_t thread;
  int (*run)(void *context);
  void *context;
  atomic_int id; /* the system's, of the thread; 0: it has not begun */
  int result;
  char words[512]; /* mayfly_last_error() of that thread */
};

void background_start(struct background *background, int (*run)(void *context), void *context);
/* Until it waits in a system call, or has ended. */
void background_await_asleep(struct background *background);
/* Waits for its end. The result is not an error; or it is that one, with these words in its own. */
void background_expect_ok(struct background *background);
void background_expect(struct background *background, int error, const char *words);
int background_end(struct background *background); /* whatever came of it */

/* mayfly_connect and mayfly_send_bytes there, for what would wait for the one who asks. */
struct background_connect {
  struct background background;
  mayfly_address address;
  const mayfly_endpoint_options *options; /* NULL: defaults */
  mayfly_connection *connection;          /* once it has ended with 0 */
};

void background_connect(struct background_connect *connect, const mayfly_address *address,
                        const mayfly_endpoint_options *options);

struct background_send {
  struct background background;
  mayfly_connection *connection;
  const void *data;
  size_t size;
};

void background_send(struct background_send *send, mayfly_connection *connection, const void *data, size_t size);

#endif
