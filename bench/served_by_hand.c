/* SPDX-License-Identifier: MIT */
/* served_by_hand.c - the server as one writes it on libuv: uv_pipe_t, frames by hand, uv_try_write and then uv_write.
 * For SERVED_ECHO of messages that fit into one read. */
#include "limit.h"
#include "served.h"
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct server {
  struct served_run *run;
  uv_loop_t loop;
  uv_pipe_t listening;
  int came;
  unsigned char buffer[SERVED_READ];
};

struct client {
  uv_pipe_t pipe;
  struct server *server;
  unsigned char *in;
  size_t have, room;
};

struct reply {
  uv_write_t request;
  unsigned char bytes[];
};

static void on_written(uv_write_t *request, int status) {
  (void)status;
  free(request);
}

static void send_back(struct client *client, const unsigned char *bytes, size_t size) {
  uv_buf_t whole = uv_buf_init((char *)bytes, (unsigned)size);
  int sent = uv_try_write((uv_stream_t *)&client->pipe, &whole, 1);
  size_t gone = sent > 0 ? (size_t)sent : 0;
  if (gone == size)
    return;
  struct reply *reply = limit_memory(sizeof *reply + size - gone);
  memcpy(reply->bytes, bytes + gone, size - gone);
  whole = uv_buf_init((char *)reply->bytes, (unsigned)(size - gone));
  uv_write(&reply->request, (uv_stream_t *)&client->pipe, &whole, 1, on_written);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  const struct client *client = handle->data;
  (void)suggested;
  if (client->have > 0)
    memcpy(client->server->buffer, client->in, client->have);
  *buffer = uv_buf_init((char *)client->server->buffer + client->have, (unsigned)(SERVED_READ - client->have));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room) {
  struct client *client = stream->data;
  const unsigned char *buffer = client->server->buffer;
  size_t used = 0, have = client->have + (count > 0 ? (size_t)count : 0);
  (void)room;
  if (count <= 0)
    return;
  while (have - used >= SERVED_HEADER && have - used >= SERVED_HEADER + served_get_header(buffer + used)) {
    used += SERVED_HEADER + served_get_header(buffer + used);
    if (served_handled(client->server->run, 1))
      uv_stop(&client->server->loop);
  }
  send_back(client, buffer, used);
  client->have = have - used;
  if (client->have > client->room) {
    client->in = realloc(client->in, SERVED_READ);
    bench_need(client->in != NULL, "realloc");
    client->room = SERVED_READ;
  }
  if (client->have > 0)
    memcpy(client->in, buffer + used, client->have);
}

static void on_connection(uv_stream_t *listening, int status) {
  struct server *server = listening->data;
  struct client *client = limit_memory(sizeof *client);
  bench_need(status == 0, "uv_listen");
  uv_pipe_init(&server->loop, &client->pipe, 0);
  client->pipe.data = client;
  client->server = server;
  uv_accept(listening, (uv_stream_t *)&client->pipe);
  uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read);
  if (++server->came == server->run->work->clients)
    served_all_have_come(server->run);
}

static void on_closed(uv_handle_t *handle) {
  struct client *client = handle->data;
  free(client->in);
  free(client);
}

static void close_one(uv_handle_t *handle, void *context) {
  const struct server *server = context;
  uv_close(handle, handle == (const uv_handle_t *)&server->listening ? NULL : on_closed);
}

void served_by_hand(struct served_run *run) {
  struct server *server = limit_memory(sizeof *server);
  server->run = run;
  bench_need(uv_loop_init(&server->loop) == 0, "uv_loop_init");
  uv_pipe_init(&server->loop, &server->listening, 0);
  server->listening.data = server;
  bench_need(uv_pipe_bind(&server->listening, run->path) == 0 &&
                 uv_listen((uv_stream_t *)&server->listening, 4096, on_connection) == 0,
             "uv_listen");
  served_listening(run);
  uv_run(&server->loop, UV_RUN_DEFAULT);
  uv_walk(&server->loop, close_one, server);
  uv_run(&server->loop, UV_RUN_DEFAULT);
  bench_need(uv_loop_close(&server->loop) == 0, "uv_loop_close");
  free(server);
}
