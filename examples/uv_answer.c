/* SPDX-License-Identifier: MIT */
/* uv_answer.c - answer.c on a libuv loop: it answers any number of callers at once, Pythons among them.
 *
 *   uv_answer listen COUNT        prints its address, answers COUNT callers (or turns them away), and ends
 *   uv_answer call ADDRESS TEXT   sends TEXT and prints the answer
 *
 * The key is in MAYFLY_AUTHKEY; MAYFLY_ALLOW_MD5 lets Python before 3.12 prove it. */
#include <mayfly/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mayfly_uv_listener *listener;
static uint64_t callers;
static int status; /* of the program */

static mayfly_endpoint_options options_from_environment(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = getenv("MAYFLY_AUTHKEY");
  options.authkey_size = options.authkey ? strlen(options.authkey) : 0;
  options.flags = getenv("MAYFLY_ALLOW_MD5") ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
  return options;
}

static int fail(const char *who) {
  fprintf(stderr, "%s: %s\n", who, mayfly_last_error());
  return status = 1;
}

static void answer(mayfly_uv_connection *caller, const void *data, size_t size) {
  char text[64];
  printf("C listener: heard \"%.*s\"\n", (int)size, (const char *)data);
  snprintf(text, sizeof text, "C heard your %zu bytes", size);
  mayfly_uv_send(caller, text, strlen(text));
  mayfly_uv_connection_close(caller, MAYFLY_FOREVER); /* once that has left */
}

/* Each turn of the loop, for nobody is told of those that are turned away. */
static void look(uv_prepare_t *prepare) {
  mayfly_uv_stats stats = {.size = sizeof stats};
  mayfly_uv_listener_stats(listener, &stats);
  if (stats.open > 0 || stats.accepted + stats.refused_auth < callers)
    return;
  if (stats.refused_auth > 0)
    printf("C listener: %d caller had another key\n", (int)stats.refused_auth);
  mayfly_uv_listener_close(listener, NULL);
  uv_close((uv_handle_t *)prepare, NULL);
}

static int run_listener(uv_loop_t *loop) {
  const mayfly_uv_handlers handlers = {sizeof handlers, NULL, answer, NULL, NULL};
  const mayfly_endpoint_options options = options_from_environment();
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  uv_prepare_t prepare;
  if (mayfly_uv_listen(loop, NULL, &options, &handlers, NULL, &listener) < 0)
    return fail("C listener");
  mayfly_address_format(mayfly_uv_listener_address(listener), text, sizeof text);
  printf("%s\n", text);
  fflush(stdout);
  uv_prepare_init(loop, &prepare);
  uv_prepare_start(&prepare, look);
  return uv_run(loop, UV_RUN_DEFAULT);
}

static void hear(mayfly_uv_connection *connection, const void *data, size_t size) {
  printf("C client: was answered \"%.*s\"\n", (int)size, (const char *)data);
  mayfly_uv_connection_close(connection, 0);
}

static void closed(mayfly_uv_connection *connection, int why) {
  (void)connection;
  if (why < 0)
    fail("C client");
}

static int run_caller(uv_loop_t *loop, const char *where, const char *text) {
  const mayfly_uv_handlers handlers = {sizeof handlers, NULL, hear, NULL, closed};
  const mayfly_endpoint_options options = options_from_environment();
  mayfly_uv_connection *connection;
  mayfly_address address;
  if (mayfly_address_parse(where, &address) < 0 ||
      mayfly_uv_connect(loop, &address, &options, &handlers, NULL, &connection) < 0 ||
      mayfly_uv_send(connection, text, strlen(text)) < 0) /* it waits until the connection is open */
    return fail("C client");
  return uv_run(loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  callers = argc == 3 ? (uint64_t)atoi(argv[2]) : 0;
  if (argc == 3 && strcmp(argv[1], "listen") == 0)
    return run_listener(loop) != 0 || status;
  if (argc == 4 && strcmp(argv[1], "call") == 0)
    return run_caller(loop, argv[2], argv[3]) != 0 || status;
  fprintf(stderr, "usage: uv_answer listen COUNT | uv_answer call ADDRESS TEXT\n");
  return 2;
}
