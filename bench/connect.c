/* SPDX-License-Identifier: MIT */
/* connect.c - a connection is made and closed: without a key, and with the proof of both sides. */
#include "limit.h"
#include "peers.h"
#include <mayfly/connection.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHALLENGE "#CHALLENGE#"
#define DIGEST    "{sha256}"
#define WELCOME   "#WELCOME#"

enum { NONCE = 40, MAC = 32, LARGEST = 256 };
enum {
  CHALLENGE_SIZE = sizeof CHALLENGE - 1 + sizeof DIGEST - 1 + NONCE,
  ANSWER_SIZE = sizeof DIGEST - 1 + MAC,
  WELCOME_SIZE = sizeof WELCOME - 1
};

static const char key[] = "a key for the benchmark";

struct work {
  int keyed;
};

/* ---- the limit: the same six messages as mayfly's, each one send(2) and one recv(2) ---- */

static EVP_MAC_CTX *hmac; /* fetched once */

static void fetch_hmac(void) {
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                                   OSSL_PARAM_construct_end()};
  hmac = EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  bench_need(hmac != NULL && EVP_MAC_CTX_set_params(hmac, parameters), "libcrypto's HMAC");
}

static void compute_mac(const unsigned char *data, size_t size, unsigned char out[MAC]) {
  size_t length;
  bench_need(EVP_MAC_init(hmac, (const unsigned char *)key, sizeof key - 1, NULL) && EVP_MAC_update(hmac, data, size) &&
                 EVP_MAC_final(hmac, out, &length, MAC),
             "libcrypto's HMAC");
}

static void receive(int fd, unsigned char message[LIMIT_HEADER + LARGEST], size_t size) {
  bench_need(limit_receive(fd, message, LIMIT_HEADER + LARGEST) == size, "a message of the handshake");
}

static void deliver_challenge(int fd) {
  unsigned char challenge[CHALLENGE_SIZE] = CHALLENGE DIGEST;
  unsigned char answer[LIMIT_HEADER + LARGEST], expected[MAC];
  bench_need(getrandom(challenge + CHALLENGE_SIZE - NONCE, NONCE, 0) == NONCE, "getrandom");
  limit_send(fd, challenge, sizeof challenge);
  receive(fd, answer, ANSWER_SIZE);
  compute_mac(challenge + sizeof CHALLENGE - 1, sizeof challenge - (sizeof CHALLENGE - 1), expected);
  bench_need(memcmp(answer + LIMIT_HEADER + sizeof DIGEST - 1, expected, MAC) == 0, "the peer's answer");
  limit_send(fd, WELCOME, WELCOME_SIZE);
}

static void answer_challenge(int fd) {
  unsigned char message[LIMIT_HEADER + LARGEST];
  unsigned char answer[ANSWER_SIZE + 1] = DIGEST;
  receive(fd, message, CHALLENGE_SIZE);
  compute_mac(message + LIMIT_HEADER + sizeof CHALLENGE - 1, CHALLENGE_SIZE - (sizeof CHALLENGE - 1),
              answer + sizeof DIGEST - 1);
  limit_send(fd, answer, ANSWER_SIZE);
  receive(fd, message, WELCOME_SIZE);
}

static void limit_serve(int listening, int keyed, long count) {
  for (long i = 0; i < count; i++) {
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    bench_need(fd >= 0, "accept4");
    if (keyed) {
      deliver_challenge(fd);
      answer_challenge(fd);
    }
    close(fd);
  }
  bench_end_peer();
}

static void limit_call(const struct sockaddr_un *address, int keyed) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bench_need(connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
  if (keyed) {
    answer_challenge(fd);
    deliver_challenge(fd);
  }
  close(fd);
}

static struct bench_cost limit(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_address free_path;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  bench_check(mayfly_arbitrary_address(MAYFLY_AF_UNIX, &free_path), "mayfly_arbitrary_address");
  memcpy(address.sun_path, free_path.name, strlen(free_path.name));
  int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bench_need(bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && listen(listening, SOMAXCONN) == 0,
             "listen");
  pid_t peer = bench_fork();
  if (peer == 0)
    limit_serve(listening, work->keyed, count + 1);
  limit_call(&address, work->keyed);
  struct bench_clock start = bench_start(peer);
  for (long i = 0; i < count; i++)
    limit_call(&address, work->keyed);
  struct bench_cost cost = bench_stop(&start, count);
  bench_await_peer(peer);
  close(listening);
  unlink(address.sun_path);
  return cost;
}

/* ---- mayfly ---- */

static mayfly_endpoint_options options_of(const struct work *work) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = work->keyed ? key : NULL;
  options.authkey_size = work->keyed ? sizeof key - 1 : 0;
  return options;
}

static void mayfly_serve(mayfly_listener *listener, long count) {
  mayfly_connection *connection;
  for (long i = 0; i < count; i++) {
    bench_check(mayfly_accept(listener, MAYFLY_FOREVER, &connection), "mayfly_accept");
    mayfly_connection_close(connection);
  }
  bench_end_peer();
}

static void mayfly_call(const mayfly_address *address, const mayfly_endpoint_options *options) {
  mayfly_connection *connection;
  bench_check(mayfly_connect(address, options, &connection), "mayfly_connect");
  mayfly_connection_close(connection);
}

static struct bench_cost mayfly(const void *argument, long count) {
  const struct work *work = argument;
  mayfly_endpoint_options options = options_of(work);
  mayfly_listener *listener;
  bench_check(mayfly_listen(NULL, &options, &listener), "mayfly_listen");
  const mayfly_address *address = mayfly_listener_address(listener);
  pid_t peer = bench_fork();
  if (peer == 0)
    mayfly_serve(listener, count + 1);
  mayfly_call(address, &options);
  struct bench_clock start = bench_start(peer);
  for (long i = 0; i < count; i++)
    mayfly_call(address, &options);
  struct bench_cost cost = bench_stop(&start, count);
  bench_await_peer(peer);
  mayfly_listener_close(listener);
  return cost;
}

int main(void) {
  const struct work open = {0}, keyed = {1};
  fetch_hmac();
  bench_head();
  bench_row("connect, close", 0, limit, mayfly, &open);
  peers_rows("connect, close", limit, &open, "connect -", NULL);
  bench_row("connect, mutual authentication, close", 1.25, limit, mayfly, &keyed);
  peers_rows("connect, mutual authentication, close", limit, &keyed, "connect_keyed -", NULL);
  return 0;
}
