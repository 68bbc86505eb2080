/* SPDX-License-Identifier: MIT */
/* served_epoll.c - the limit: an epoll server that reads 64 KiB at a time, and gathers what it sends: to whom it
 * answers after each read, to another once a turn. */
#include "limit.h"
#include "served.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { EVENTS = 256, OUT = 1 << 18 };

struct client {
  int fd, waits; /* for room to write */
  unsigned char *in, *out;
  size_t have, room, begin, end;
};

struct server {
  struct served_run *run;
  int listening, polling, came;
  struct client **clients;
  unsigned char buffer[SERVED_READ];
};

static void watch(const struct server *server, struct client *client, int waits) {
  struct epoll_event event = {.events = EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};
  epoll_ctl(server->polling, EPOLL_CTL_MOD, client->fd, &event);
  client->waits = waits;
}

static void flush(const struct server *server, struct client *client) {
  while (client->begin < client->end) {
    ssize_t sent =
        send(client->fd, client->out + client->begin, client->end - client->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (!client->waits)
        watch(server, client, 1);
      return;
    }
    client->begin += (size_t)sent;
  }
  client->begin = client->end = 0;
  if (client->waits)
    watch(server, client, 0);
}

static void append(const struct server *server, struct client *client, const unsigned char *bytes, size_t size) {
  size_t whole = SERVED_HEADER + server->run->work->size, room = 2 * (whole > OUT ? whole : OUT);
  if (client->out == NULL)
    client->out = limit_memory(room);
  if (client->end + size > room)
    flush(server, client);
  if (client->begin > 0) {
    memmove(client->out, client->out + client->begin, client->end - client->begin);
    client->end -= client->begin;
    client->begin = 0;
  }
  bench_need(client->end + size <= room, "room to send");
  memcpy(client->out + client->end, bytes, size);
  client->end += size;
}

/* 1: enough. An echo leaves from where it was read, after all of the read. */
static int handle(struct server *server, const unsigned char *frame, size_t size) {
  if (server->run->work->mode == SERVED_FAN_IN)
    append(server, server->clients[0], frame, size);
  return served_handled(server->run, 1);
}

/* What does not fit is kept. */
static void answer(const struct server *server, struct client *client, const unsigned char *frames, size_t size) {
  if (server->run->work->mode != SERVED_ECHO || size == 0)
    return;
  ssize_t sent = client->begin < client->end ? 0 : send(client->fd, frames, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  size_t gone = sent > 0 ? (size_t)sent : 0;
  if (gone == size)
    return;
  append(server, client, frames + gone, size - gone);
  flush(server, client);
}

static void keep(struct client *client, const unsigned char *bytes, size_t size, size_t room) {
  if (client->room < room) {
    client->in = realloc(client->in, room);
    bench_need(client->in != NULL, "realloc");
    client->room = room;
  }
  if (size > 0)
    memcpy(client->in, bytes, size);
  client->have = size;
}

/* A large message is read into its own memory, to its end. */
static int read_large(struct server *server, struct client *client, size_t whole) {
  ssize_t got = recv(client->fd, client->in + client->have, whole - client->have, MSG_DONTWAIT);
  if (got <= 0)
    return 0;
  client->have += (size_t)got;
  if (client->have < whole)
    return 0;
  client->have = 0;
  int enough = handle(server, client->in, whole);
  answer(server, client, client->in, whole);
  return enough;
}

static int read_some(struct server *server, struct client *client) {
  size_t used = 0, have = client->have;
  if (have >= SERVED_HEADER && SERVED_HEADER + served_get_header(client->in) > SERVED_READ / 2)
    return read_large(server, client, SERVED_HEADER + served_get_header(client->in));
  if (have > 0)
    memcpy(server->buffer, client->in, have);
  ssize_t got = recv(client->fd, server->buffer + have, sizeof server->buffer - have, MSG_DONTWAIT);
  if (got <= 0)
    return 0;
  have += (size_t)got;
  int enough = 0;
  while (!enough && have - used >= SERVED_HEADER) {
    size_t whole = SERVED_HEADER + served_get_header(server->buffer + used);
    if (have - used < whole)
      break;
    enough = handle(server, server->buffer + used, whole);
    used += whole;
  }
  answer(server, client, server->buffer, used);
  if (enough)
    return 1; /* whatever else came */
  size_t room = have - used >= SERVED_HEADER ? SERVED_HEADER + served_get_header(server->buffer + used) : SERVED_HEADER;
  client->have = 0;
  if (have > used)
    keep(client, server->buffer + used, have - used, room);
  return 0;
}

static void take_in(struct server *server) {
  int fd;
  while ((fd = accept4(server->listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
    struct client *client = limit_memory(sizeof *client);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    client->fd = fd;
    server->clients[server->came++] = client;
    epoll_ctl(server->polling, EPOLL_CTL_ADD, fd, &event);
    if (server->came == server->run->work->clients)
      served_all_have_come(server->run);
  }
}

/* As much as fits now. */
static int pour(struct server *server) {
  const struct served *work = server->run->work;
  struct client *client = server->clients[0];
  size_t whole = SERVED_HEADER + work->size;
  int enough = 0;
  while (!enough && client->end + whole <= OUT) {
    append(server, client, served_message, whole);
    served_put_header(client->out + client->end - whole, work->size);
    enough = served_handled(server->run, 1);
  }
  flush(server, client);
  return enough;
}

static int turn(struct server *server) {
  struct epoll_event events[EVENTS];
  int enough = 0;
  int count = epoll_wait(server->polling, events, EVENTS, -1);
  for (int i = 0; i < count && !enough; i++) {
    struct client *client = events[i].data.ptr;
    if (client == NULL)
      take_in(server);
    else if ((events[i].events & EPOLLOUT) != 0)
      flush(server, client);
    else
      enough = read_some(server, client);
  }
  if (server->run->work->mode == SERVED_FAN_IN && server->came > 0 && server->clients[0]->end > 0)
    flush(server, server->clients[0]);
  while (!enough && server->run->work->mode == SERVED_SOURCE && server->came > 0 && !server->clients[0]->waits)
    enough = pour(server);
  return enough;
}

void served_epoll(struct served_run *run) {
  struct server *server = limit_memory(sizeof *server);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct epoll_event event = {.events = EPOLLIN};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", run->path);
  server->run = run;
  server->clients = limit_memory((size_t)run->work->clients * sizeof *server->clients);
  server->polling = epoll_create1(EPOLL_CLOEXEC);
  server->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  bench_need(bind(server->listening, (struct sockaddr *)&address, sizeof address) == 0 &&
                 listen(server->listening, 4096) == 0,
             "listen");
  epoll_ctl(server->polling, EPOLL_CTL_ADD, server->listening, &event);
  served_listening(run);
  while (!turn(server))
    continue;
  for (int i = 0; i < server->came; i++) {
    close(server->clients[i]->fd);
    free(server->clients[i]->in);
    free(server->clients[i]->out);
    free(server->clients[i]);
  }
  close(server->listening);
  close(server->polling);
  free(server->clients);
  free(server);
}
