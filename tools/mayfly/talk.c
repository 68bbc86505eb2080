/* SPDX-License-Identifier: MIT */
/* talk.c - mayfly listen and mayfly send: messages from and to the terminal.
 *
 * The listener serves all its clients from one loop over mayfly_wait(). A connection there never waits for the rest of
 * a message (its receive time is 0, and what has arrived is kept), so a client that stops in the middle holds up
 * nobody. One that does not take its echo does, for ECHO_PATIENCE_MS, and is dropped then. The names in the file system
 * are mayfly_cleanup_on_signals()' affair.
 */

#include "tool.h"
#include <errno.h>
#include <getopt.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ECHO_PATIENCE_MS = 5000 };

struct bytes {
  char *data; /* yours to free */
  size_t size;
};

struct arguments {
  mayfly_address *address; /* NULL: none was given */
  mayfly_address parsed;
  const char *message;  /* NULL: standard input */
  const char *key_file; /* NULL: the environment's key, or none */
  unsigned flags;
  int echo;
  int reply;
};

/* ---- arguments ------------------------------------------------------------------ */

enum { OPTION_HELP = 1, OPTION_KEY_FILE, OPTION_MD5, OPTION_ANY_USER, OPTION_ECHO, OPTION_REPLY };

static const struct option listen_options[] = {
    {"authkey-file", required_argument, NULL, OPTION_KEY_FILE},
    {"allow-md5", no_argument, NULL, OPTION_MD5},
    {"any-user", no_argument, NULL, OPTION_ANY_USER},
    {"echo", no_argument, NULL, OPTION_ECHO},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const struct option send_options[] = {
    {"authkey-file", required_argument, NULL, OPTION_KEY_FILE},
    {"allow-md5", no_argument, NULL, OPTION_MD5},
    {"reply", no_argument, NULL, OPTION_REPLY},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static int take_option(int option, struct arguments *arguments) {
  switch (option) {
  case OPTION_KEY_FILE:
    arguments->key_file = optarg;
    return TOOL_OK;
  case OPTION_MD5:
    arguments->flags |= MAYFLY_ENDPOINT_ALLOW_MD5;
    return TOOL_OK;
  case OPTION_ANY_USER:
    arguments->flags |= MAYFLY_ENDPOINT_ANY_USER;
    return TOOL_OK;
  case OPTION_ECHO:
    arguments->echo = 1;
    return TOOL_OK;
  case OPTION_REPLY:
    arguments->reply = 1;
    return TOOL_OK;
  case OPTION_HELP:
    return TOOL_HELP;
  default:
    return TOOL_USAGE;
  }
}

static int take_address(const char *text, struct arguments *arguments) {
  int result = mayfly_address_parse(text, &arguments->parsed);
  if (result < 0) {
    tool_failure(result);
    return TOOL_USAGE;
  }
  arguments->address = &arguments->parsed;
  return TOOL_OK;
}

/* Options into *arguments; optind is then where the others begin, at most `most` of them. */
static int take_options(int argc, char **argv, const struct option *options, int most, struct arguments *arguments) {
  int option;
  *arguments = (struct arguments){0};
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    int status = take_option(option, arguments);
    if (status != TOOL_OK)
      return status;
  }
  return argc - optind > most ? tool_misuse("too many arguments") : TOOL_OK;
}

static int take_listen_arguments(int argc, char **argv, struct arguments *arguments) {
  int status = take_options(argc, argv, listen_options, 1, arguments);
  if (status != TOOL_OK || optind == argc)
    return status;
  return take_address(argv[optind], arguments);
}

static int take_send_arguments(int argc, char **argv, struct arguments *arguments) {
  int status = take_options(argc, argv, send_options, 2, arguments);
  if (status != TOOL_OK)
    return status;
  if (optind == argc)
    return tool_misuse("there is no address to send to");
  if (optind + 1 < argc && strcmp(argv[optind + 1], "-") != 0)
    arguments->message = argv[optind + 1];
  return take_address(argv[optind], arguments);
}

/* ---- what is read whole: standard input, a key ------------------------------------ */

static int grow(struct bytes *bytes, size_t *capacity) {
  size_t doubled = *capacity < 4096 ? 4096 : *capacity * 2;
  char *larger = doubled > *capacity ? realloc(bytes->data, doubled) : NULL;
  if (larger == NULL) {
    errno = ENOMEM;
    return TOOL_FAILED;
  }
  bytes->data = larger;
  *capacity = doubled;
  return TOOL_OK;
}

static int read_all(FILE *stream, const char *name, struct bytes *bytes) {
  size_t capacity = 0;
  *bytes = (struct bytes){NULL, 0};
  while (!feof(stream)) {
    if (ferror(stream) || (bytes->size == capacity && grow(bytes, &capacity) != TOOL_OK)) {
      tool_system_failure(name);
      free(bytes->data);
      return TOOL_FAILED;
    }
    bytes->size += fread(bytes->data + bytes->size, 1, capacity - bytes->size, stream);
  }
  return TOOL_OK;
}

static int read_key(const char *path, struct bytes *key) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    tool_system_failure(path);
    return TOOL_FAILED;
  }
  int status = read_all(file, path, key);
  fclose(file);
  if (status == TOOL_OK && key->size > 0 && key->data[key->size - 1] == '\n')
    key->size--;
  return status;
}

/* `key` is what options->authkey may point into: yours to free once the endpoint is there. */
static int make_options(const struct arguments *arguments, struct bytes *key, mayfly_endpoint_options *options) {
  const char *environment = getenv("MAYFLY_AUTHKEY");
  *key = (struct bytes){NULL, 0};
  *options = (mayfly_endpoint_options)MAYFLY_ENDPOINT_OPTIONS_INIT;
  options->flags = arguments->flags;
  if (arguments->key_file != NULL) {
    int status = read_key(arguments->key_file, key);
    options->authkey = key->data;
    options->authkey_size = key->size;
    return status;
  }
  options->authkey = environment;
  options->authkey_size = environment == NULL ? 0 : strlen(environment);
  return TOOL_OK;
}

/* ---- listen ---------------------------------------------------------------------- */

struct server {
  mayfly_wait_item *items; /* the listener, then its connections */
  size_t count;
  size_t capacity;
  int echo;
};

static int print_message(const void *data, size_t size) {
  fwrite(data, 1, size, stdout);
  putchar('\n');
  return tool_flush();
}

static int print_address(const mayfly_listener *listener) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = mayfly_address_format(mayfly_listener_address(listener), text, sizeof text);
  if (result < 0)
    return tool_failure(result);
  puts(text);
  return tool_flush();
}

static int make_room(struct server *server) {
  if (server->count < server->capacity)
    return TOOL_OK;
  size_t doubled = server->capacity == 0 ? 16 : server->capacity * 2;
  mayfly_wait_item *larger = realloc(server->items, doubled * sizeof *larger);
  if (larger == NULL) {
    tool_system_failure("one more client");
    return TOOL_FAILED;
  }
  server->items = larger;
  server->capacity = doubled;
  return TOOL_OK;
}

static int start_server(struct server *server, mayfly_listener *listener, int echo) {
  *server = (struct server){.echo = echo};
  if (make_room(server) != TOOL_OK)
    return TOOL_FAILED;
  server->items[server->count++] = (mayfly_wait_item){.listener = listener};
  return TOOL_OK;
}

static void stop_server(struct server *server) {
  while (server->count > 1)
    mayfly_connection_close(server->items[--server->count].connection);
  free(server->items);
}

/* The last one takes its place. */
static void drop_client(struct server *server, size_t index) {
  mayfly_connection_close(server->items[index].connection);
  server->items[index] = server->items[--server->count];
}

static void add_client(struct server *server, mayfly_connection *connection) {
  mayfly_connection_set_timeouts(connection, 0, ECHO_PATIENCE_MS);
  if (make_room(server) == TOOL_OK)
    server->items[server->count++] = (mayfly_wait_item){.connection = connection};
  else
    mayfly_connection_close(connection);
}

/* One peer that could not be accepted is no reason to end. */
static int is_about_one_peer(int result) {
  return result == MAYFLY_EAUTH || result == MAYFLY_EPEER || result == MAYFLY_EMFILE || result == MAYFLY_ENOMEM;
}

static int accept_client(struct server *server) {
  mayfly_connection *connection;
  int result = mayfly_accept(server->items[0].listener, 0, &connection);
  if (result == 0)
    add_client(server, connection);
  if (result == 0 || result == MAYFLY_ETIMEDOUT)
    return TOOL_OK;
  int status = tool_failure(result);
  return is_about_one_peer(result) ? TOOL_OK : status;
}

/* MAYFLY_ETIMEDOUT: the rest of the message is still to come. */
static int serve_client(struct server *server, size_t index) {
  mayfly_connection *connection = server->items[index].connection;
  const void *data;
  size_t size;
  int status = TOOL_OK;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
  if (result == MAYFLY_ETIMEDOUT)
    return TOOL_OK;
  if (result == 0)
    status = print_message(data, size);
  if (result == 0 && server->echo)
    result = mayfly_send_bytes(connection, data, size);
  if (result < 0 && result != MAYFLY_EOF)
    tool_failure(result);
  if (result < 0)
    drop_client(server, index);
  return status;
}

/* From the last to the first, since one that is dropped is replaced by the last. */
static int serve_ready(struct server *server) {
  int status = TOOL_OK;
  for (size_t i = server->count; --i > 0 && status == TOOL_OK;)
    if (server->items[i].ready)
      status = serve_client(server, i);
  if (status == TOOL_OK && server->items[0].ready)
    status = accept_client(server);
  return status;
}

static int serve(mayfly_listener *listener, int echo) {
  struct server server;
  int status = start_server(&server, listener, echo);
  while (status == TOOL_OK) {
    int result = mayfly_wait(server.items, server.count, MAYFLY_FOREVER);
    status = result < 0 ? tool_failure(result) : serve_ready(&server);
  }
  stop_server(&server);
  return status;
}

static int start_listening(const struct arguments *arguments, mayfly_listener **listener) {
  mayfly_endpoint_options options;
  struct bytes key;
  int status = make_options(arguments, &key, &options);
  if (status != TOOL_OK)
    return status;
  int result = mayfly_cleanup_on_signals();
  if (result == 0)
    result = mayfly_listen(arguments->address, &options, listener);
  free(key.data);
  return result < 0 ? tool_failure(result) : TOOL_OK;
}

int tool_listen(int argc, char **argv) {
  struct arguments arguments;
  mayfly_listener *listener = NULL;
  int status = take_listen_arguments(argc, argv, &arguments);
  if (status == TOOL_OK)
    status = start_listening(&arguments, &listener);
  if (status != TOOL_OK)
    return status;
  status = print_address(listener);
  if (status == TOOL_OK)
    status = serve(listener, arguments.echo);
  mayfly_listener_close(listener);
  return status;
}

/* ---- send ------------------------------------------------------------------------ */

static int connect_to(const struct arguments *arguments, mayfly_connection **connection) {
  mayfly_endpoint_options options;
  struct bytes key;
  int status = make_options(arguments, &key, &options);
  if (status != TOOL_OK)
    return status;
  int result = mayfly_connect(arguments->address, &options, connection);
  free(key.data);
  return result < 0 ? tool_failure(result) : TOOL_OK;
}

static int print_reply(mayfly_connection *connection) {
  const void *data;
  size_t size;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
  return result < 0 ? tool_failure(result) : print_message(data, size);
}

static int send_message(const struct arguments *arguments, const void *data, size_t size) {
  mayfly_connection *connection;
  int status = connect_to(arguments, &connection);
  if (status != TOOL_OK)
    return status;
  int result = mayfly_send_bytes(connection, data, size);
  if (result < 0)
    status = tool_failure(result);
  else if (arguments->reply)
    status = print_reply(connection);
  mayfly_connection_close(connection);
  return status;
}

int tool_send(int argc, char **argv) {
  struct arguments arguments;
  struct bytes input;
  int status = take_send_arguments(argc, argv, &arguments);
  if (status == TOOL_OK && arguments.message != NULL)
    return send_message(&arguments, arguments.message, strlen(arguments.message));
  if (status == TOOL_OK)
    status = read_all(stdin, "standard input", &input);
  if (status != TOOL_OK)
    return status;
  status = send_message(&arguments, input.data, input.size);
  free(input.data);
  return status;
}
