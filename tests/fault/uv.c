/* SPDX-License-Identifier: MIT */
/* uv.c - a listener and a client on one loop, with every call of ours failing in turn: each life ends, whatever failed,
 * with every connection closed once, nothing on the loop and no descriptor open, and the next one succeeds. */
#include "calls.h"
#include "loop.h"
#include "result.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLS_MAX = 400, DESCRIPTORS_MAX = 256, LARGE = 150000 };

static const struct {
  const char *call;
  int number, error; /* error 0: it must succeed */
} rows[] = {
    {"malloc", ENOMEM, MAYFLY_ENOMEM},
    {"calloc", ENOMEM, MAYFLY_ENOMEM},
    {"realloc", ENOMEM, MAYFLY_ENOMEM},
    {"strdup", ENOMEM, MAYFLY_ENOMEM},
    {"socket", EMFILE, MAYFLY_EMFILE},
    {"connect", EACCES, MAYFLY_EACCES},
    {"connect", EAGAIN, 0},
    {"connect", EINTR, 0},
    {"bind", EACCES, MAYFLY_EACCES},
    {"listen", EADDRINUSE, MAYFLY_EADDRINUSE},
    {"accept4", EMFILE, 0},
    {"accept4", ENOMEM, 0},
    {"accept4", ECONNABORTED, 0},
    {"accept4", EINTR, 0},
    {"accept4", EACCES, 0},
    {"recv", ENOMEM, MAYFLY_ENOMEM},
    {"recv", ECONNRESET, MAYFLY_ECONNRESET},
    {"recv", EINTR, 0},
    {"recv", EAGAIN, 0},
    {"send", ENOBUFS, MAYFLY_ENOMEM},
    {"send", EPIPE, MAYFLY_EPIPE},
    {"send", EAGAIN, 0},
    {"send", EINTR, 0},
    {"sendmsg", ENOBUFS, MAYFLY_ENOMEM},
    {"sendmsg", EPIPE, MAYFLY_EPIPE},
    {"sendmsg", EAGAIN, 0},
    {"sendmsg", EINTR, 0},
    {"getsockopt", ENOBUFS, MAYFLY_ENOMEM},
    {"getentropy", EIO, MAYFLY_EIO},
    {"pipe2", EMFILE, MAYFLY_EMFILE},
    {"lstat", EIO, MAYFLY_EIO},
    {"fchmod", EPERM, 0},
    {"fcntl", EINVAL, MAYFLY_EINVAL},
    {"close", EIO, MAYFLY_EIO},
    {"getsockname", ENOBUFS, MAYFLY_ENOMEM},
    {"getaddrinfo", EAI_MEMORY, MAYFLY_ENOMEM},
    {"getaddrinfo", EAI_NONAME, MAYFLY_EADDRNOTAVAIL},
};

static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
    count += fcntl(fd, F_GETFD, 0) >= 0;
  return count;
}

/* ---- one life ---- */

struct life {
  uv_loop_t uv;
  mayfly_uv_listener *listener;
  int announced, closed; /* connections */
  int answers;
  int error; /* the first */
};

static void note(struct life *life, int result) {
  if (life->error == 0 && result < 0)
    life->error = result;
}

static struct life *life_of(const mayfly_uv_connection *connection) {
  return mayfly_uv_connection_data(connection);
}

static void release(void *data) {
  free(data);
}

static void server_opened(mayfly_uv_connection *connection) {
  life_of(connection)->announced++;
}

static void answer(mayfly_uv_connection *connection, const void *data, size_t size) {
  int result = mayfly_uv_send(connection, data, size);
  note(life_of(connection), result);
  if (result < 0)
    mayfly_uv_connection_close(connection, 0);
}

static void closed(mayfly_uv_connection *connection, int status) {
  struct life *life = life_of(connection);
  life->closed++;
  if (life->error == 0 && status < 0 && status != MAYFLY_EOF)
    life->error = status;
  mayfly_uv_listener_close(life->listener, NULL);
  life->listener = NULL;
}

/* Small ones, a large one, and one that is given for good. */
static void client_opened(mayfly_uv_connection *connection) {
  static const unsigned char large[LARGE];
  void *owned = malloc(LARGE);
  int result = owned != NULL ? mayfly_uv_send_owned(connection, owned, LARGE, release) : MAYFLY_ENOMEM;
  if (result < 0)
    free(owned);
  note(life_of(connection), result);
  for (int i = 0; i < 3; i++)
    note(life_of(connection), mayfly_uv_send(connection, "small", 5));
  note(life_of(connection), mayfly_uv_send(connection, large, LARGE));
  if (life_of(connection)->error < 0)
    mayfly_uv_connection_close(connection, 0);
}

static void hear_answer(mayfly_uv_connection *connection, const void *data, size_t size) {
  struct life *life = life_of(connection);
  (void)data, (void)size;
  mayfly_uv_pause(connection); /* what is held takes memory too */
  mayfly_uv_resume(connection);
  if (++life->answers == 5)
    mayfly_uv_connection_close(connection, MAYFLY_FOREVER);
}

static const mayfly_uv_handlers server_handlers = {sizeof server_handlers, server_opened, answer, NULL, closed};
static const mayfly_uv_handlers client_handlers = {sizeof client_handlers, client_opened, hear_answer, NULL, closed};

static void count_handle(uv_handle_t *handle, void *count) {
  (void)handle;
  ++*(int *)count;
}

static int begin_life(struct life *life, const mayfly_address *address, int patience_ms) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_uv_connection *client;
  options.authkey = "a key";
  options.authkey_size = 5;
  options.open_timeout_ms = patience_ms;
  int result = mayfly_uv_listen(&life->uv, address, &options, &server_handlers, life, &life->listener);
  if (result < 0)
    return result;
  result = mayfly_uv_connect(&life->uv, mayfly_uv_listener_address(life->listener), &options, &client_handlers, life,
                             &client);
  if (result < 0) {
    mayfly_uv_listener_close(life->listener, NULL);
    life->listener = NULL;
    return result;
  }
  life->announced++;
  return 0;
}

/* The first failure of the library. */
static int live(const mayfly_address *address, int patience_ms) {
  struct life life = {.announced = 0};
  int left = 0;
  assert_int_equal(uv_loop_init(&life.uv), 0);
  note(&life, begin_life(&life, address, patience_ms));
  uv_run(&life.uv, UV_RUN_DEFAULT);
  calls_stop();
  uv_walk(&life.uv, count_handle, &left);
  assert_int_equal(left, 0);
  assert_int_equal(uv_loop_close(&life.uv), 0);
  assert_int_equal(life.closed, life.announced);
  assert_true(life.error < 0 || life.answers == 5);
  return life.error;
}

/* ---- all of them ---- */

/* The side that does not fail sees the other's end: in the handshake, or later. */
static int is_allowed(int result, int error) {
  static const int others[] = {MAYFLY_EAUTH, MAYFLY_ECONNRESET, MAYFLY_EPIPE, MAYFLY_EPROTO, MAYFLY_ETIMEDOUT};
  if (result == 0 || result == error)
    return 1;
  for (size_t i = 0; error != 0 && i < sizeof others / sizeof others[0]; i++)
    if (result == others[i])
      return 1;
  return 0;
}

static int one_fails(const mayfly_address *address, size_t row, int nth) {
  int descriptors = count_descriptors();
  calls_fail(rows[row].call, nth, 1, rows[row].number);
  int result = live(address, rows[row].error == 0 ? MAYFLY_FOREVER : 300); /* a failure may silence a peer */
  int struck = calls_stop();
  if (!is_allowed(result, rows[row].error))
    fail_msg("call %d of %s fails with \"%s\": %s", nth, rows[row].call, strerror(rows[row].number),
             mayfly_err_name(result));
  if (count_descriptors() != descriptors)
    fail_msg("call %d of %s fails with \"%s\": %d descriptors more", nth, rows[row].call, strerror(rows[row].number),
             count_descriptors() - descriptors);
  return struck;
}

static void each_call_fails_at(const mayfly_address *address) {
  assert_int_equal(live(address, MAYFLY_FOREVER), 0);
  for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
    int nth = 1;
    while (one_fails(address, row, nth))
      assert_in_range(++nth, 1, CALLS_MAX);
    print_message("  %s, %s: %d times\n", rows[row].call, strerror(rows[row].number), nth - 1);
    assert_int_equal(live(address, MAYFLY_FOREVER), 0);
  }
}

static void every_call_may_fail(void **state) {
  mayfly_address address = {.family = MAYFLY_AF_UNIX};
  scratch_path(address.name, *state, "socket");
  each_call_fails_at(&address);
}

static void every_call_may_fail_over_inet(void **state) {
  const mayfly_address address = {MAYFLY_AF_INET, 0, "127.0.0.1"};
  (void)state;
  each_call_fails_at(&address);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_in_scratch(every_call_may_fail),
      test_in_scratch(every_call_may_fail_over_inet),
  };
  return loop_run_tests(tests);
}
