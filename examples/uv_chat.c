/* SPDX-License-Identifier: MIT */
/* uv_chat.c - what one client says, all others hear; and nobody may talk faster than the slowest listens.
 *
 *   uv_chat               prints its address, and ends when its last client has left
 *
 * Above its mark a client's queue takes nothing more: so then everybody is paused, until each queue has drained. The
 * one message that was under way to it meanwhile is what mayfly_uv_send() still takes. */
#include <mayfly/uv.h>
#include <stdio.h>

static mayfly_uv_listener *listener;
static int behind; /* clients whose queue is above its mark */
static int over;

struct said {
  mayfly_uv_connection *by;
  const void *data;
  size_t size;
};

static void pause_one(mayfly_uv_connection *client, void *context) {
  (void)context;
  mayfly_uv_pause(client);
}

static void resume_one(mayfly_uv_connection *client, void *context) {
  (void)context;
  mayfly_uv_resume(client);
}

/* Its data says whether it is counted among those behind. */
static void fall_behind(mayfly_uv_connection *client) {
  mayfly_uv_connection_set_data(client, &behind);
  if (behind++ == 0)
    mayfly_uv_listener_each(listener, pause_one, NULL);
}

static void catch_up(mayfly_uv_connection *client) {
  if (mayfly_uv_connection_data(client) == NULL)
    return;
  mayfly_uv_connection_set_data(client, NULL);
  if (--behind == 0)
    mayfly_uv_listener_each(listener, resume_one, NULL);
}

static void tell_one(mayfly_uv_connection *client, void *context) {
  const struct said *said = context;
  if (client != said->by && mayfly_uv_send(client, said->data, said->size) == 1)
    fall_behind(client);
}

static void on_message(mayfly_uv_connection *client, const void *data, size_t size) {
  struct said said = {client, data, size};
  mayfly_uv_listener_each(listener, tell_one, &said);
}

/* Who comes while others are behind waits with them. */
static void on_opened(mayfly_uv_connection *client) {
  mayfly_uv_send(client, "welcome", 7);
  if (behind > 0)
    mayfly_uv_pause(client);
}

static void on_closed(mayfly_uv_connection *client, int status) {
  mayfly_uv_stats stats = {.size = sizeof stats};
  (void)status;
  catch_up(client);
  mayfly_uv_listener_stats(listener, &stats);
  if (stats.open > 0 || over++)
    return;
  printf("%llu messages became %llu; at most %llu bytes were waiting for one client\n",
         (unsigned long long)stats.messages_in, (unsigned long long)stats.messages_out,
         (unsigned long long)stats.queue_peak);
  mayfly_uv_listener_close(listener, NULL);
}

int main(void) {
  const mayfly_uv_handlers handlers = {sizeof handlers, on_opened, on_message, catch_up, on_closed};
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  uv_loop_t *loop = uv_default_loop();
  char text[MAYFLY_ADDRESS_TEXT_SIZE];

  options.queue_high = 100000;
  if (mayfly_uv_listen(loop, NULL, &options, &handlers, NULL, &listener) < 0) {
    fprintf(stderr, "%s\n", mayfly_last_error());
    return 1;
  }
  mayfly_address_format(mayfly_uv_listener_address(listener), text, sizeof text);
  printf("%s\n", text);
  fflush(stdout);
  uv_run(loop, UV_RUN_DEFAULT);
  return uv_loop_close(loop) == 0 ? 0 : 1;
}
