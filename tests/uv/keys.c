/* SPDX-License-Identifier: MIT */
/* keys.c - what is left of a key in this process's memory once a loop needs it no more: nothing. */
#include "loop.h"
#include "memory.h"
#include "result.h"
#include <unistd.h>

static unsigned char key[MEMORY_SECRET];

static mayfly_endpoint_options lay_bare(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  memory_secret(key);
  options.authkey = key;
  options.authkey_size = sizeof key;
  return options;
}

static void close_listener(struct loop *loop) {
  mayfly_uv_listener_close(loop->listener, NULL);
  loop->listener = NULL;
}

static void nothing_is_left_once_all_are_open_and_the_listener_is_closed(void **state) {
  struct loop *loop = *state;
  const mayfly_endpoint_options options = lay_bare();
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  struct end *client = loop_connect(loop, &options);
  memory_wipe(key, sizeof key);
  loop_run_until(loop, client->opened && loop->accepted != NULL);
  assert_int_equal(memory_count_secrets(getpid()), 1); /* the listener's, for the next client */
  close_listener(loop);
  assert_int_equal(memory_count_secrets(getpid()), 0);
}

static void nothing_is_left_of_what_failed(void **state) {
  struct loop *loop = *state;
  mayfly_endpoint_options options = lay_bare();
  loop_listen(loop, MAYFLY_AF_UNIX, &options);
  const mayfly_address address = *loop_address(loop);
  options.authkey = key + 1; /* another key, but the secret's end is in it */
  options.authkey_size--;
  struct end *refused = loop_connect_to(loop, &address, &options);
  loop_run_until(loop, refused->closed);
  assert_closed(refused, MAYFLY_EAUTH, "refused our key");
  struct end *closing = loop_connect_to(loop, &address, &options);
  loop_turn(loop);
  loop_close(closing, 0);
  close_listener(loop);
  struct end *late = loop_connect_to(loop, &address, &options);
  memory_wipe(key, sizeof key);
  loop_run_until(loop, closing->closed && late->closed);
  assert_int_equal(memory_count_secrets(getpid()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test_on_loop(nothing_is_left_once_all_are_open_and_the_listener_is_closed),
      test_on_loop(nothing_is_left_of_what_failed),
  };
  return loop_run_tests(tests);
}
