/* SPDX-License-Identifier: MIT */
/* serve_loop.c - mayfly listen on a libuv loop.
 *
 * A client whose reply is under way is paused: while its command runs, or while it does not take its echo. So each gets
 * its replies in order, and holds up nobody but itself. */

#include "exec.h"
#include "serve.h"
#include "tool.h"
#include <mayfly/uv.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_MS = 1000 }; /* how often it is looked for deaf clients, and for those that were turned away */

struct server {
  uv_loop_t loop;
  uv_timer_t timer;
  mayfly_uv_listener *listener;
  const struct serving *serving;
  uint64_t without_key, not_admitted; /* that have been told of */
  int status;                         /* not TOOL_OK: the standard output is broken */
};

struct client {
  mayfly_uv_connection *connection; /* NULL: it has left */
  struct server *server;
  uint64_t deaf_since; /* uv_now(); 0: it listens */
  int running;         /* its command */
  int has_failed;      /* to be replied to, which has been told */
};

static struct client *client_of(const mayfly_uv_connection *connection) {
  return mayfly_uv_connection_data(connection);
}

static void stop(struct server *server, int status) {
  server->status = status;
  uv_stop(&server->loop);
}

/* ---- replies ---- */

/* One that has left may have asked a thousand times before: that is told once. */
static void send_reply(struct client *client, const void *data, size_t size) {
  int result = mayfly_uv_send(client->connection, data, size);
  if (result < 0 && !client->has_failed)
    tool_failure(result);
  client->has_failed |= result < 0;
  if (result == 1) {
    mayfly_uv_pause(client->connection);
    client->deaf_since = uv_now(&client->server->loop);
  }
}

/* A part of its output is no reply. */
static void finished(void *context, int status, const void *output, size_t size) {
  struct client *client = context;
  client->running = 0;
  if (client->connection == NULL) {
    free(client);
    return;
  }
  if (status != TOOL_OK) {
    mayfly_uv_connection_close(client->connection, 0);
    return;
  }
  mayfly_uv_resume(client->connection);
  send_reply(client, output, size);
}

/* One that can't be run has no reply, so its client would wait for ever. */
static void run_command(struct client *client, const void *data, size_t size) {
  struct server *server = client->server;
  if (exec_start(&server->loop, server->serving->command, data, size, finished, client) != TOOL_OK) {
    mayfly_uv_connection_close(client->connection, 0);
    return;
  }
  client->running = 1;
  mayfly_uv_pause(client->connection);
}

/* ---- clients ---- */

static void opened(mayfly_uv_connection *connection) {
  struct server *server = mayfly_uv_connection_data(connection);
  struct client *client = calloc(1, sizeof *client);
  mayfly_uv_connection_set_data(connection, client);
  if (client == NULL) {
    tool_system_failure("one more client");
    mayfly_uv_connection_close(connection, 0);
    return;
  }
  client->connection = connection;
  client->server = server;
}

static void message(mayfly_uv_connection *connection, const void *data, size_t size) {
  struct client *client = client_of(connection);
  const struct serving *serving = client->server->serving;
  if (serving->command != NULL) {
    run_command(client, data, size);
    return;
  }
  int status = tool_print_message(data, size);
  if (status != TOOL_OK)
    stop(client->server, status);
  else if (serving->echo)
    send_reply(client, data, size);
}

static void drained(mayfly_uv_connection *connection) {
  client_of(connection)->deaf_since = 0;
  mayfly_uv_resume(connection);
}

static void closed(mayfly_uv_connection *connection, int status) {
  struct client *client = client_of(connection);
  if (status < 0 && status != MAYFLY_EOF)
    tool_failure(status);
  if (client != NULL && client->running)
    client->connection = NULL; /* finished() frees it */
  else
    free(client);
}

/* ---- what is looked for now and then ---- */

static void drop_if_deaf(mayfly_uv_connection *connection, void *context) {
  const struct client *client = client_of(connection);
  uint64_t now = *(const uint64_t *)context;
  if (client->deaf_since == 0 || now - client->deaf_since < SERVE_PATIENCE_MS)
    return;
  fprintf(stderr, "mayfly: a client did not take its reply within %d ms (MAYFLY_EPIPE)\n", SERVE_PATIENCE_MS);
  mayfly_uv_connection_close(connection, 0);
}

static void tell_more(uint64_t *told, uint64_t now, const char *what) {
  if (now > *told)
    fprintf(stderr, "mayfly: %llu %s\n", (unsigned long long)(now - *told), what);
  *told = now;
}

/* The loop turns them away without a word. */
static void tell_turned_away(struct server *server) {
  mayfly_uv_stats stats = {.size = sizeof stats};
  mayfly_uv_listener_stats(server->listener, &stats);
  tell_more(&server->without_key, stats.refused_auth + stats.refused_full + stats.timed_out,
            "did not prove the key, or not in time (MAYFLY_EAUTH)");
  tell_more(&server->not_admitted, stats.refused_peer, "of another user turned away (MAYFLY_EPEER)");
}

static void look(uv_timer_t *timer) {
  struct server *server = timer->data;
  uint64_t now = uv_now(&server->loop);
  mayfly_uv_listener_each(server->listener, drop_if_deaf, &now);
  tell_turned_away(server);
}

/* ---- the server ---- */

static int run(struct server *server) {
  int status = tool_print_address(mayfly_uv_listener_address(server->listener));
  if (status != TOOL_OK)
    return status;
  uv_timer_init(&server->loop, &server->timer);
  server->timer.data = server;
  uv_timer_start(&server->timer, look, LOOK_MS, LOOK_MS);
  uv_run(&server->loop, UV_RUN_DEFAULT);
  return server->status;
}

/* Signals end the process; so a loop that serves ends only where the output is broken, and needs no tidying. */
int tool_serve_on_loop(const struct serving *serving) {
  static const mayfly_uv_handlers handlers = {sizeof handlers, opened, message, drained, closed};
  struct server server = {.serving = serving};
  int number = uv_loop_init(&server.loop);
  if (number < 0) {
    fprintf(stderr, "mayfly: a loop: %s\n", uv_strerror(number));
    return TOOL_FAILED;
  }
  int result = mayfly_uv_listen(&server.loop, serving->address, serving->options, &handlers, &server, &server.listener);
  if (result == 0)
    return run(&server);
  int status = tool_failure(result);
  uv_run(&server.loop, UV_RUN_DEFAULT); /* what was begun on it ends */
  uv_loop_close(&server.loop);
  return status;
}
