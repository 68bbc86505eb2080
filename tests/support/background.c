/* SPDX-License-Identifier: MIT */
/* background.c - threads that run one function. */
#include "background.h"
#include "asleep.h"
#include "test.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

static void *in_thread(void *context) {
  struct background *background = context;
  atomic_store(&background->id, asleep_self());
  background->result = background->run(background->context);
  snprintf(background->words, sizeof background->words, "%s", mayfly_last_error());
  return NULL;
}

void background_start(struct background *background, int (*run)(void *context), void *context) {
  background->run = run;
  background->context = context;
  atomic_init(&background->id, 0);
  assert_int_equal(pthread_create(&background->thread, NULL, in_thread, background), 0);
}

void background_await_asleep(struct background *background) {
  int id;
  while ((id = atomic_load(&background->id)) == 0 || !asleep_is(id))
    sched_yield();
}

int background_end(struct background *background) {
  assert_int_equal(pthread_join(background->thread, NULL), 0);
  return background->result;
}

void background_expect_ok(struct background *background) {
  if (background_end(background) < 0)
    fail_msg("in the background: %s: %s", mayfly_err_name(background->result), background->words);
}

void background_expect(struct background *background, int error, const char *words) {
  int result = background_end(background);
  if (result != error || strstr(background->words, words) == NULL)
    fail_msg("in the background: %s: %s\ninstead of %s with the words \"%s\"", mayfly_err_name(result),
             background->words, mayfly_err_name(error), words);
}

static int run_connect(void *context) {
  struct background_connect *connect = context;
  return mayfly_connect(&connect->address, connect->options, &connect->connection);
}

void background_connect(struct background_connect *connect, const mayfly_address *address,
                        const mayfly_endpoint_options *options) {
  connect->address = *address;
  connect->options = options;
  connect->connection = NULL;
  background_start(&connect->background, run_connect, connect);
}

static int run_send(void *context) {
  struct background_send *send = context;
  return mayfly_send_bytes(send->connection, send->data, send->size);
}

void background_send(struct background_send *send, mayfly_connection *connection, const void *data, size_t size) {
  send->connection = connection;
  send->data = data;
  send->size = size;
  background_start(&send->background, run_send, send);
}
