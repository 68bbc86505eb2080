/* SPDX-License-Identifier: MIT */
/* uv_echo.c - a daemon on a libuv loop that sends every message back, to any number of clients.
 *
 *   uv_echo [ADDRESS]     prints the address; the key is in MAYFLY_AUTHKEY; SIGTERM or SIGINT ends it in good order */
#include <mayfly/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mayfly_uv_listener *listener;
static uv_signal_t ending[2];

/* A client that does not read its echoes is not read either, until it does. */
static void on_message(mayfly_uv_connection *client, const void *data, size_t size) {
  if (mayfly_uv_send(client, data, size) == 1)
    mayfly_uv_pause(client);
}

static void on_drained(mayfly_uv_connection *client) {
  mayfly_uv_resume(client);
}

static void on_closed(mayfly_uv_connection *client, int status) {
  (void)client;
  if (status < 0 && status != MAYFLY_EOF)
    fprintf(stderr, "a client: %s\n", mayfly_last_error());
}

/* What is queued may still leave, for a second. */
static void close_client(mayfly_uv_connection *client, void *context) {
  (void)context;
  mayfly_uv_connection_close(client, 1000);
}

static void on_signal(uv_signal_t *handle, int number) {
  mayfly_uv_stats stats = {.size = sizeof stats};
  (void)handle, (void)number;
  mayfly_uv_listener_stats(listener, &stats);
  printf("%llu clients sent %llu messages\n", (unsigned long long)stats.accepted,
         (unsigned long long)stats.messages_in);
  mayfly_uv_listener_each(listener, close_client, NULL);
  mayfly_uv_listener_close(listener, NULL);
  for (int i = 0; i < 2; i++)
    uv_close((uv_handle_t *)&ending[i], NULL);
}

static void end_on(uv_loop_t *loop, uv_signal_t *handle, int number) {
  uv_signal_init(loop, handle);
  uv_signal_start(handle, on_signal, number);
}

int main(int argc, char **argv) {
  const mayfly_uv_handlers handlers = {sizeof handlers, NULL, on_message, on_drained, on_closed};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  uv_loop_t *loop = uv_default_loop();
  mayfly_address address;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];

  options.authkey = getenv("MAYFLY_AUTHKEY");
  options.authkey_size = options.authkey ? strlen(options.authkey) : 0;
  options.flags = getenv("MAYFLY_ALLOW_MD5") ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
  if ((argc > 1 && mayfly_address_parse(argv[1], &address) < 0) ||
      mayfly_uv_listen(loop, argc > 1 ? &address : NULL, &options, &handlers, NULL, &listener) < 0) {
    fprintf(stderr, "%s\n", mayfly_last_error());
    return 1;
  }
  mayfly_address_format(mayfly_uv_listener_address(listener), text, sizeof text);
  printf("%s\n", text);
  fflush(stdout);
  end_on(loop, &ending[0], SIGTERM);
  end_on(loop, &ending[1], SIGINT);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0 ? 0 : 1;
}
