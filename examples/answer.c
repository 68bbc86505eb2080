/* SPDX-License-Identifier: MIT */
/* answer.c - a C process and a Python process talk, each proving to the other that it has the key.
 *
 *   answer listen COUNT        answers COUNT callers on an address of its own choice, which it prints first
 *   answer call ADDRESS TEXT   calls a listener, says TEXT, prints the answer
 *
 * The key is in MAYFLY_AUTHKEY. With MAYFLY_ALLOW_MD5 set to anything, Python before 3.12 may take part: its handshake
 * knows HMAC-MD5 only. answer_listen.py and answer_call.py are the other side. */
#include <mayfly/mayfly.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *who) {
  fprintf(stderr, "%s: %s\n", who, mayfly_last_error());
  return 1;
}

static mayfly_endpoint_options options_from_environment(void) {
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  const char *key = getenv("MAYFLY_AUTHKEY");

  options.authkey = key;
  options.authkey_size = key ? strlen(key) : 0;
  options.flags = getenv("MAYFLY_ALLOW_MD5") ? MAYFLY_ENDPOINT_ALLOW_MD5 : 0;
  return options;
}

static int answer_caller(mayfly_connection *connection) {
  char answer[64];
  const void *data;
  size_t size;

  if (mayfly_recv_bytes(connection, SIZE_MAX, &data, &size) < 0)
    return fail("C listener");
  printf("C listener: heard \"%.*s\"\n", (int)size, (const char *)data);
  snprintf(answer, sizeof answer, "C heard your %zu bytes", size);
  return mayfly_send_bytes(connection, answer, strlen(answer)) < 0 ? fail("C listener") : 0;
}

static int answer_callers(mayfly_listener *listener, int count) {
  mayfly_connection *connection;
  int failed = 0;

  for (int i = 0; i < count && !failed; i++) {
    if (mayfly_accept(listener, MAYFLY_FOREVER, &connection) < 0)
      return fail("C listener");
    failed = answer_caller(connection);
    mayfly_connection_close(connection);
  }
  return failed;
}

static int run_listener(int count) {
  mayfly_endpoint_options options = options_from_environment();
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  mayfly_listener *listener;
  int failed;

  if (mayfly_listen(NULL, &options, &listener) < 0)
    return fail("C listener");
  mayfly_address_format(mayfly_listener_address(listener), text, sizeof text);
  printf("%s\n", text);
  fflush(stdout);
  failed = answer_callers(listener, count);
  mayfly_listener_close(listener);
  return failed;
}

static int run_caller(const char *address_text, const char *message) {
  mayfly_endpoint_options options = options_from_environment();
  mayfly_address address;
  mayfly_connection *connection;
  const void *data;
  size_t size;
  int failed = 0;

  if (mayfly_address_parse(address_text, &address) < 0 || mayfly_connect(&address, &options, &connection) < 0)
    return fail("C client");
  if (mayfly_send_bytes(connection, message, strlen(message)) < 0 ||
      mayfly_recv_bytes(connection, SIZE_MAX, &data, &size) < 0)
    failed = fail("C client");
  else
    printf("C client: was answered \"%.*s\"\n", (int)size, (const char *)data);
  mayfly_connection_close(connection);
  return failed;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "listen") == 0)
    return run_listener(atoi(argv[2]));
  if (argc == 4 && strcmp(argv[1], "call") == 0)
    return run_caller(argv[2], argv[3]);
  fprintf(stderr, "usage: answer listen COUNT | answer call ADDRESS TEXT\n");
  return 2;
}
