/* SPDX-License-Identifier: MIT */
/* talk.c - mayfly listen and mayfly send: messages from and to the terminal. How clients are served, serve_loop.c and
 * serve_waiting.c say; the names in the file system are mayfly_cleanup_on_signals()' affair.
 */

#include "serve.h"
#include "tool.h"
#include <errno.h>
#include <getopt.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  char **command; /* of --exec; NULL: none */
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

/* What stands behind --exec is the command's, options and all. */
static int take_command(int *argc, char **argv, char ***command) {
  int at = 0;
  *command = NULL;
  while (at < *argc && strcmp(argv[at], "--exec") != 0)
    at++;
  if (at == *argc)
    return TOOL_OK;
  if (at + 1 == *argc)
    return tool_misuse("--exec: there is no command");
  *command = argv + at + 1;
  argv[at] = NULL;
  *argc = at;
  return TOOL_OK;
}

static int take_listen_arguments(int argc, char **argv, struct arguments *arguments) {
  char **command;
  int status = take_command(&argc, argv, &command);
  if (status == TOOL_OK)
    status = take_options(argc, argv, listen_options, 1, arguments);
  if (status != TOOL_OK)
    return status;
  arguments->command = command;
  if (arguments->echo && command != NULL)
    return tool_misuse("--echo and --exec: which of them is the reply?");
  return optind == argc ? TOOL_OK : take_address(argv[optind], arguments);
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

/* It may be a key: nothing of it stays in the memory that is given back. */
static void discard(struct bytes *bytes) {
  volatile char *data = bytes->data;
  while (bytes->size > 0)
    data[--bytes->size] = 0;
  free(bytes->data);
}

static int grow(struct bytes *bytes, size_t *capacity) {
  size_t doubled = *capacity < 4096 ? 4096 : *capacity * 2;
  struct bytes larger = {doubled > *capacity ? malloc(doubled) : NULL, bytes->size};
  if (larger.data == NULL) {
    errno = ENOMEM;
    return TOOL_FAILED;
  }
  if (bytes->size > 0)
    memcpy(larger.data, bytes->data, bytes->size);
  discard(bytes);
  *bytes = larger;
  *capacity = doubled;
  return TOOL_OK;
}

static int read_all(FILE *stream, const char *name, struct bytes *bytes) {
  size_t capacity = 0;
  *bytes = (struct bytes){NULL, 0};
  while (!feof(stream)) {
    if (ferror(stream) || (bytes->size == capacity && grow(bytes, &capacity) != TOOL_OK)) {
      tool_system_failure(name);
      discard(bytes);
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
  setvbuf(file, NULL, _IONBF, 0); /* or the stream might keep a copy of the key */
  int status = read_all(file, path, key);
  fclose(file);
  if (status == TOOL_OK && key->size > 0 && key->data[key->size - 1] == '\n')
    key->size--;
  return status;
}

/* `key` is what options->authkey may point into: yours to discard once the endpoint is there. */
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

int tool_print_message(const void *data, size_t size) {
  fwrite(data, 1, size, stdout);
  putchar('\n');
  return tool_flush();
}

int tool_print_address(const mayfly_address *address) {
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = mayfly_address_format(address, text, sizeof text);
  if (result < 0)
    return tool_failure(result);
  puts(text);
  return tool_flush();
}

static int is_on_pipe(const struct arguments *arguments) {
  return (arguments->address != NULL ? arguments->address->family : mayfly_default_family()) == MAYFLY_AF_PIPE;
}

/* A pipe of Windows that Python can use keeps messages, which no loop can. */
static int serve(const struct arguments *arguments, const struct serving *serving) {
  if (!is_on_pipe(arguments))
    return tool_serve_on_loop(serving);
  if (serving->command != NULL)
    return tool_misuse("--exec does not work on a pipe of Windows");
  return tool_serve_waiting(serving);
}

int tool_listen(int argc, char **argv) {
  struct arguments arguments;
  struct bytes key;
  mayfly_endpoint_options options;
  int status = take_listen_arguments(argc, argv, &arguments);
  if (status == TOOL_OK)
    status = make_options(&arguments, &key, &options);
  if (status != TOOL_OK)
    return status;
  struct serving serving = {arguments.address, &options, arguments.echo, arguments.command};
  int result = mayfly_cleanup_on_signals();
  status = result < 0 ? tool_failure(result) : serve(&arguments, &serving);
  discard(&key);
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
  discard(&key);
  return result < 0 ? tool_failure(result) : TOOL_OK;
}

static int print_reply(mayfly_connection *connection) {
  const void *data;
  size_t size;
  int result = mayfly_recv_bytes(connection, SIZE_MAX, &data, &size);
  return result < 0 ? tool_failure(result) : tool_print_message(data, size);
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
  discard(&input);
  return status;
}
