/* SPDX-License-Identifier: MIT */
/* relay.c - passing on. */
#include "relay.h"
#include "raw.h"
#include "test.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void relay_listen(struct relay *relay, mayfly_family family) {
  relay->address = (mayfly_address){MAYFLY_AF_INET, 0, "127.0.0.1"};
  if (family == MAYFLY_AF_UNIX) {
    relay->listening = raw_listen_anywhere(&relay->address, 4);
    return;
  }
  relay->listening = raw_listen(&relay->address, 4);
  relay->address.port = raw_port(relay->listening);
}

void relay_stop_listening(const struct relay *relay) {
  if (relay->address.family == MAYFLY_AF_UNIX)
    raw_stop_listening(relay->listening, &relay->address);
  else
    close(relay->listening);
}

int relay_has_client(const struct relay *relay) {
  struct pollfd client = {.fd = relay->listening, .events = POLLIN};
  return poll(&client, 1, 0) == 1;
}

void relay_open(struct relay *relay, const mayfly_address *server) {
  relay->to_client = raw_accept(relay->listening);
  relay->to_server = raw_connect(server);
}

void relay_await(const struct relay *relay) {
  struct pollfd ends[] = {{.fd = relay->to_client, .events = POLLIN}, {.fd = relay->to_server, .events = POLLIN}};
  assert_true(poll(ends, 2, -1) > 0);
}

enum passed { ENDED = -1, NOTHING };

/* How many bytes. */
static ssize_t pass(int from, int to, size_t most, unsigned char flip) {
  unsigned char bytes[256];
  ssize_t got = recv(from, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN)
    return NOTHING;
  if (got <= 0)
    return ENDED;
  if ((size_t)got == most)
    bytes[got - 1] ^= flip;
  return send(to, bytes, (size_t)got, MSG_NOSIGNAL) == got ? got : ENDED; /* who has heard enough has hung up */
}

static size_t at_once(const struct relay *relay, size_t most) {
  return relay->piece > 0 && relay->piece < most ? relay->piece : most;
}

static int is_over(const struct relay *relay) {
  return relay->upstream == 0 && relay->flip == 0;
}

int relay_pass(struct relay *relay) {
  if (is_over(relay))
    return 0;
  size_t most = at_once(relay, relay->upstream > 0 ? relay->upstream : SIZE_MAX);
  ssize_t up = pass(relay->to_client, relay->to_server, most, most == relay->upstream ? relay->flip : 0);
  if (up > 0 && relay->upstream > 0)
    relay->upstream -= (size_t)up;
  ssize_t down = up != ENDED ? pass(relay->to_server, relay->to_client, at_once(relay, SIZE_MAX), 0) : ENDED;
  return down != ENDED && !is_over(relay);
}

void relay_hang_up(const struct relay *relay, enum relay_end how) {
  const int ends[] = {relay->to_client, relay->to_server};
  for (int i = 0; i < 2; i++) {
    if (how == RELAY_HALF_CLOSE)
      shutdown(ends[i], SHUT_WR);
    else if (how == RELAY_RESET)
      raw_reset(ends[i]);
    else
      close(ends[i]);
  }
}

void relay_close(const struct relay *relay, enum relay_end how) {
  if (how != RELAY_HALF_CLOSE)
    return;
  close(relay->to_client);
  close(relay->to_server);
}
