/* SPDX-License-Identifier: MIT */
/* tool.c - the program mayfly(1), run as a user runs it. */
#include "tool.h"
#include "child.h"
#include "meeting.h"
#include "memory.h"
#include "pattern.h"
#include "result.h"
#include "sanitizer.h"
#include "stage.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <mayfly/mayfly.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Starts `mayfly listen`; its address is in tool->said until more is heard. */
#define start_listening(tool, ...) (start(tool, "listen", __VA_ARGS__), strdup(tool_hear_out(tool)))

static char *write_file(const char *directory, const char *name, const char *content) {
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, directory, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(content, file);
  assert_int_equal(fclose(file), 0);
  return strdup(path);
}

static void remove_file(char *path) {
  assert_return_code(unlink(path), errno);
  free(path);
}

static void assert_contains(const char *text, const char *part) {
  if (strstr(text, part) == NULL)
    fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void connect_to(const char *text, const char *key, mayfly_connection **connection) {
  mayfly_address address;
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  options.authkey = key;
  options.authkey_size = key == NULL ? 0 : strlen(key);
  assert_ok(mayfly_address_parse(text, &address));
  assert_ok(mayfly_connect(&address, &options, connection));
}

static void say_to(mayfly_connection *connection, const char *message) {
  assert_ok(mayfly_send_bytes(connection, message, strlen(message)));
}

static void write_raw(const mayfly_connection *connection, const void *bytes, size_t size) {
  mayfly_os_fd fd;
  assert_ok(mayfly_connection_os_fd(connection, &fd));
  assert_int_equal(send((int)fd, bytes, size, MSG_NOSIGNAL), size);
}

/* ---- arguments ------------------------------------------------------------------- */

static void arguments_that_cannot_be_are_status_2_and_the_way_to_help(void **state) {
  static const char *const wrong[][6] = {
      {NULL},
      {"fly"},
      {"--version", "please"},
      {"--help", "me"},
      {"address", "ipx"},
      {"address", "unix", "inet"},
      {"address", "--family"},
      {"listen", "--loudly"},
      {"listen", "-x"},
      {"listen", "one", "two"},
      {"listen", "localhost:65536"},
      {"listen", "--reply"},
      {"listen", "--authkey-file"},
      {"listen", "--echo=twice"},
      {"listen", "--exec"},
      {"listen", "--echo", "--exec", "cat"},
      {"send"},
      {"send", ""},
      {"send", "address", "message", "more"},
      {"send", "--echo", "address"},
      {"send", "--any-user", "address"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct tool tool = {0};
    tool_start(&tool, wrong[i]);
    assert_int_equal(tool_finish(&tool), USAGE);
    assert_string_equal(tool.said, "");
    assert_contains(tool.complained, "Try 'mayfly --help' or 'mayfly COMMAND --help'.\n");
  }
}

static void a_command_that_is_none_is_named(void **state) {
  struct tool tool = {0};
  (void)state;
  assert_int_equal(run(&tool, "fly"), USAGE);
  assert_contains(tool.complained, "mayfly: fly: there is no such command\n");
}

static void help_goes_to_standard_output_and_lists_the_exit_statuses(void **state) {
  struct tool tool = {0};
  (void)state;
  assert_int_equal(run(&tool, "--help"), OK);
  assert_contains(tool.said, "Usage: mayfly COMMAND");
  for (int status = OK; status <= AUTHENTICATION; status++) {
    char line[8];
    snprintf(line, sizeof line, "\n  %d  ", status);
    assert_contains(tool.said, line);
  }
  assert_string_equal(tool.complained, "");
}

static void each_command_has_its_own_help(void **state) {
  static const char *const commands[] = {"address", "listen", "send"};
  (void)state;
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    struct tool tool = {0};
    char usage[64];
    snprintf(usage, sizeof usage, "Usage: mayfly %s ", commands[i]);
    assert_int_equal(run(&tool, commands[i], "--help"), OK);
    assert_contains(tool.said, usage);
    assert_contains(tool.said, "--help");
  }
}

static void version_is_the_librarys(void **state) {
  struct tool tool = {0};
  char expected[64];
  (void)state;
  snprintf(expected, sizeof expected, "mayfly %s\n", mayfly_version());
  assert_int_equal(run(&tool, "--version"), OK);
  assert_string_equal(tool.said, expected);
}

/* ---- address --------------------------------------------------------------------- */

static void addresses_of_inet_and_pipe_are_printed(void **state) {
  struct tool tool = {0};
  (void)state;
  assert_int_equal(run(&tool, "address", "inet"), OK);
  assert_string_equal(tool.said, "localhost:0\n");
  assert_int_equal(run(&tool, "address", "pipe"), OK);
  assert_memory_equal(tool.said, "\\\\.\\pipe\\", 9);
}

/* Removes what `mayfly address` has made for it. */
static void remove_directory_of(const char *path) {
  char directory[TEXT_SIZE];
  snprintf(directory, sizeof directory, "%s", path);
  *strrchr(directory, '/') = '\0';
  assert_return_code(rmdir(directory), errno);
}

static void a_unix_address_can_be_listened_on_after_the_program_that_printed_it_has_ended(void **state) {
  struct tool printer = {.directory = *state}, listener = {0};
  assert_int_equal(run(&printer, "address", "unix"), OK);
  printer.said[strcspn(printer.said, "\n")] = '\0';
  char *address = start_listening(&listener, printer.said);
  assert_string_equal(address, printer.said);
  tool_end_by(&listener, SIGTERM);
  remove_directory_of(address);
  free(address);
}

static void the_usual_family_is_unix_and_its_directory_is_private(void **state) {
  struct tool tool = {.directory = *state};
  struct stat status;
  assert_int_equal(run(&tool, "address"), OK);
  tool.said[strcspn(tool.said, "\n")] = '\0';
  *strrchr(tool.said, '/') = '\0';
  assert_return_code(stat(tool.said, &status), errno);
  assert_int_equal(status.st_mode & 07777, 0700);
  assert_return_code(rmdir(tool.said), errno);
}

/* ---- listen and send ------------------------------------------------------------- */

static void a_message_is_printed_as_a_line(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(run(&sender, "send", address, "hello, world"), OK);
  assert_string_equal(sender.said, "");
  assert_string_equal(sender.complained, "");
  assert_string_equal(tool_hear_out(&listener), "hello, world");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void standard_input_is_one_message_whatever_is_in_it(void **state) {
  static const char message[] = "two\nlines, a \0 and no end";
  static const char *const from_input[] = {NULL, "-"};
  struct tool listener = {.directory = *state};
  char *address = start_listening(&listener, NULL);
  for (size_t i = 0; i < 2; i++) {
    struct tool sender = {0};
    char heard[sizeof message];
    start(&sender, "send", address, from_input[i]);
    assert_int_equal(fwrite(message, 1, sizeof message - 1, sender.in), sizeof message - 1);
    assert_int_equal(tool_finish(&sender), OK);
    assert_int_equal(fread(heard, 1, sizeof message, listener.out), sizeof message);
    assert_memory_equal(heard, "two\nlines, a \0 and no end\n", sizeof message);
  }
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void an_empty_message_is_an_empty_line(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(run(&sender, "send", address), OK);
  assert_string_equal(tool_hear_out(&listener), "");
  assert_int_equal(run(&sender, "send", address, ""), OK);
  assert_string_equal(tool_hear_out(&listener), "");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void options_may_follow_the_address_and_a_message_may_look_like_one(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--echo");
  assert_int_equal(run(&sender, "send", address, "--reply", "--", "--help"), OK);
  assert_string_equal(sender.said, "--help\n");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void an_echo_is_the_reply(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--echo");
  assert_int_equal(run(&sender, "send", "--reply", address, "anybody there?"), OK);
  assert_string_equal(sender.said, "anybody there?\n");
  assert_string_equal(tool_hear_out(&listener), "anybody there?");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

/* All are printed; that none can be answered stands there once. */
static void a_client_that_asked_often_and_left_is_told_of_once(void **state) {
  enum { COUNT = 12000, SIZE = 10 }; /* more than one read, after the first of which the peer is known to be gone */
  static const char message[] = "\0\0\0\6heard?";
  static char messages[COUNT * SIZE];
  struct tool listener = {.directory = *state}, sender = {0};
  mayfly_connection *connection;
  char complaint[TEXT_SIZE];
  char *address = start_listening(&listener, "--echo");
  assert_return_code(kill(listener.child.pid, SIGSTOP), errno);
  connect_to(address, NULL, &connection);
  for (size_t i = 0; i < COUNT; i++)
    memcpy(messages + i * SIZE, message, SIZE);
  write_raw(connection, messages, sizeof messages);
  assert_ok(mayfly_connection_close(connection));
  assert_return_code(kill(listener.child.pid, SIGCONT), errno);
  for (int i = 0; i < COUNT; i++)
    assert_string_equal(tool_hear_out(&listener), "heard?");
  assert_int_equal(run(&sender, "send", "--reply", address, "next"), OK);
  ssize_t size = read(fileno(listener.err), complaint, sizeof complaint - 1);
  assert_in_range(size, 1, sizeof complaint - 1);
  complaint[size] = '\0';
  assert_contains(complaint, "the peer is gone");
  assert_ptr_equal(strchr(complaint, '\n'), complaint + size - 1);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void hear_pattern(FILE *stream, size_t size) {
  char *heard = malloc(size + 1);
  assert_non_null(heard);
  assert_int_equal(fread(heard, 1, size + 1, stream), size + 1);
  assert_true(pattern_is(heard, size));
  assert_int_equal(heard[size], '\n');
  free(heard);
}

static void a_large_message_goes_there_and_back_whole(void **state) {
  enum { SIZE = 4 * PATTERN_BLOCK };
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--echo");
  char *message = malloc(SIZE);
  assert_non_null(message);
  pattern_fill(message, SIZE);
  start(&sender, "send", "--reply", address);
  assert_int_equal(fwrite(message, 1, SIZE, sender.in), SIZE);
  tool_end_input(&sender);
  hear_pattern(listener.out, SIZE);
  hear_pattern(sender.out, SIZE);
  assert_int_equal(tool_finish(&sender), OK);
  tool_end_by(&listener, SIGTERM);
  free(message);
  free(address);
}

static char *write_secret(const char *directory) {
  unsigned char secret[MEMORY_SECRET];
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, directory, "key");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  memory_secret(secret);
  assert_int_equal(fwrite(secret, 1, sizeof secret, file), sizeof secret);
  assert_int_equal(fclose(file), 0);
  return strdup(path);
}

static void a_key_is_forgotten_once_it_has_been_proved(void **state) {
  unsigned char secret[MEMORY_SECRET];
  mayfly_endpoint_options options = MAYFLY_ENDPOINT_OPTIONS_INIT;
  mayfly_listener *listener;
  mayfly_connection *connection;
  char text[MAYFLY_ADDRESS_TEXT_SIZE], *file = write_secret(*state);
  struct tool sender = {.directory = *state};
  memory_secret(secret);
  options.authkey = secret;
  options.authkey_size = sizeof secret;
  assert_ok(mayfly_listen(NULL, &options, &listener));
  assert_ok(mayfly_address_format(mayfly_listener_address(listener), text, sizeof text));
  start(&sender, "send", "--authkey-file", file, "--reply", text, "anybody there?");
  assert_ok(mayfly_accept(listener, MAYFLY_FOREVER, &connection));
  expect_text(connection, "anybody there?");
  assert_int_equal(memory_count_secrets(sender.child.pid), 0); /* while it waits for the reply */
  say_to(connection, "yes");
  assert_int_equal(tool_finish(&sender), OK);
  assert_ok(mayfly_connection_close(connection));
  assert_ok(mayfly_listener_close(listener));
  remove_file(file);
}

static void localhost_gets_a_port_that_clients_can_use(void **state) {
  struct tool listener = {.key = "secret", .directory = *state}, sender = {.key = "secret"};
  char *address = start_listening(&listener, "localhost:0");
  assert_memory_equal(address, "127.0.0.1:", 10);
  assert_string_not_equal(address, "127.0.0.1:0");
  assert_int_equal(run(&sender, "send", address, "over TCP"), OK);
  assert_string_equal(tool_hear_out(&listener), "over TCP");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

/* ---- a command for each message ------------------------------------------------- */

#ifdef TOOL_ON_LOOP
static void a_command_answers_each_message(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--exec", "tr", "a-z", "A-Z");
  for (int i = 0; i < 3; i++) {
    assert_int_equal(run(&sender, "send", "--reply", address, "hello"), OK);
    assert_string_equal(sender.said, "HELLO\n");
  }
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_large_message_goes_through_a_command(void **state) {
  enum { SIZE = PATTERN_BLOCK };
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--exec", "cat");
  char *message = malloc(SIZE);
  assert_non_null(message);
  pattern_fill(message, SIZE);
  start(&sender, "send", "--reply", address);
  assert_int_equal(fwrite(message, 1, SIZE, sender.in), SIZE);
  tool_end_input(&sender);
  hear_pattern(sender.out, SIZE);
  assert_int_equal(tool_finish(&sender), OK);
  tool_end_by(&listener, SIGTERM);
  free(message);
  free(address);
}

static void a_command_need_not_read_nor_answer_and_its_failure_is_told(void **state) {
  enum { SIZE = PATTERN_BLOCK };
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--exec", "false");
  static char message[SIZE];
  start(&sender, "send", "--reply", address);
  assert_int_equal(fwrite(message, 1, SIZE, sender.in), SIZE);
  assert_int_equal(tool_finish(&sender), OK);
  assert_string_equal(sender.said, "\n");
  tool_expect_complaint(&listener, "exited with 1");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_command_that_cannot_be_run_ends_its_client_only(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--exec", "/nonexistent/command");
  for (int i = 0; i < 2; i++) {
    assert_int_equal(run(&sender, "send", "--reply", address, "hello"), CONNECTION);
    tool_expect_complaint(&listener, "/nonexistent/command: no such file");
  }
  tool_end_by(&listener, SIGTERM);
  free(address);
}

/* The listener starts with little memory, and the command answers with as many bytes as it is told. */
static void an_output_beyond_memory_costs_its_client_only(void **state) {
  enum { LITTLE = 200 << 20 };
  struct tool listener = {.directory = *state}, sender = {0};
  struct rlimit before, little;
  if (SANITIZED) {
    print_message("skipped: a sanitizer needs more memory than is given here\n");
    skip();
  }
  assert_return_code(getrlimit(RLIMIT_AS, &before), errno);
  little = (struct rlimit){LITTLE, before.rlim_max};
  assert_return_code(setrlimit(RLIMIT_AS, &little), errno);
  char *address = start_listening(&listener, "--exec", "sh", "-c", "head -c $(cat) /dev/zero");
  assert_return_code(setrlimit(RLIMIT_AS, &before), errno);
  assert_int_equal(run(&sender, "send", "--reply", address, "400000000"), CONNECTION);
  assert_string_equal(sender.said, "");
  tool_expect_complaint(&listener, "the output of a command: no buffer space available");
  assert_int_equal(run(&sender, "send", "--reply", address, "3"), OK);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_client_may_leave_while_its_command_runs(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, "--exec", "sh", "-c", "cat; echo ran >&2");
  assert_int_equal(run(&sender, "send", address, "no reply, please"), OK);
  tool_expect_complaint(&listener, "ran");
  assert_int_equal(run(&sender, "send", "--reply", address, "next"), OK);
  assert_string_equal(sender.said, "next\n");
  tool_end_by(&listener, SIGTERM);
  free(address);
}
#endif

/* ---- many clients, and broken ones ------------------------------------------------- */

static void many_clients_are_served_at_once(void **state) {
  enum { CLIENTS = 50 };
  struct tool listener = {.directory = *state};
  mayfly_connection *clients[CLIENTS];
  char *address = start_listening(&listener, "--echo");
  char message[32];
  for (int i = 0; i < CLIENTS; i++)
    connect_to(address, NULL, &clients[i]);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < CLIENTS; i++) {
      snprintf(message, sizeof message, "message %d", i);
      say_to(clients[i], message);
    }
    for (int i = CLIENTS; i-- > 0;) {
      snprintf(message, sizeof message, "message %d", i);
      expect_text(clients[i], message);
    }
  }
  for (int i = 0; i < CLIENTS; i++)
    mayfly_connection_close(clients[i]);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void the_others_are_served_on_when_a_client_leaves(void **state) {
  enum { CLIENTS = 3 };
  struct tool listener = {.directory = *state};
  mayfly_connection *clients[CLIENTS];
  char *address = start_listening(&listener, "--echo");
  for (int i = 0; i < CLIENTS; i++)
    connect_to(address, NULL, &clients[i]);
  for (int leaving = 0; leaving < CLIENTS; leaving++) {
    for (int i = leaving; i < CLIENTS; i++)
      say_to(clients[i], "still there?");
    for (int i = leaving; i < CLIENTS; i++)
      expect_text(clients[i], "still there?");
    mayfly_connection_close(clients[leaving]);
  }
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_client_that_stops_inside_a_message_holds_up_nobody(void **state) {
  struct tool listener = {.directory = *state};
  mayfly_connection *slow, *quick;
  char *address = start_listening(&listener, "--echo");
  connect_to(address, NULL, &slow);
  write_raw(slow, "\0\0\0\5he", 6);
  connect_to(address, NULL, &quick);
  say_to(quick, "quick");
  expect_text(quick, "quick");
  write_raw(slow, "llo", 3);
  expect_text(slow, "hello");
  mayfly_connection_close(slow);
  mayfly_connection_close(quick);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_peer_that_proves_nothing_holds_up_nobody(void **state) {
  struct tool listener = {.key = "secret", .directory = *state}, sender = {.key = "secret"};
  mayfly_connection *silent;
  char *address = start_listening(&listener, NULL);
  connect_to(address, NULL, &silent);
  assert_int_equal(run(&sender, "send", address, "through"), OK);
  assert_string_equal(tool_hear_out(&listener), "through");
  mayfly_connection_close(silent);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_broken_client_is_reported_and_dropped_and_the_listener_goes_on(void **state) {
  struct tool listener = {.directory = *state};
  mayfly_connection *broken, *cut, *good;
  const void *data;
  size_t size;
  char *address = start_listening(&listener, "--echo");
  connect_to(address, NULL, &broken);
  write_raw(broken, "\x80\0\0\0", 4);
  tool_expect_complaint(&listener, "(MAYFLY_EPROTO)");
  assert_error(mayfly_recv_bytes(broken, SIZE_MAX, &data, &size), MAYFLY_EOF, "");
  connect_to(address, NULL, &cut);
  write_raw(cut, "\0\0\0\5he", 6);
  mayfly_connection_close(cut);
  tool_expect_complaint(&listener, "(MAYFLY_EPROTO)");
  connect_to(address, NULL, &good);
  say_to(good, "good");
  expect_text(good, "good");
  mayfly_connection_close(good);
  mayfly_connection_close(broken);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_client_that_does_not_take_its_echo_is_dropped_in_the_end(void **state) {
  enum { SIZE = 4 * PATTERN_BLOCK };
  struct tool listener = {.directory = *state}, sender = {0};
  mayfly_connection *deaf;
  char *address = start_listening(&listener, "--echo");
  char *message = malloc(SIZE);
  assert_non_null(message);
  pattern_fill(message, SIZE);
  connect_to(address, NULL, &deaf);
  assert_ok(mayfly_send_bytes(deaf, message, SIZE));
  hear_pattern(listener.out, SIZE);
  tool_expect_complaint(&listener, "(MAYFLY_EPIPE)");
  assert_int_equal(run(&sender, "send", "--reply", address, "next, please"), OK);
  mayfly_connection_close(deaf);
  tool_end_by(&listener, SIGTERM);
  free(message);
  free(address);
}

/* ---- keys ------------------------------------------------------------------------ */

static void a_key_is_a_files_bytes_but_for_one_newline(void **state) {
  char *bare = write_file(*state, "bare", "secret"), *line = write_file(*state, "line", "secret\n");
  char *lines = write_file(*state, "lines", "secret\n\n");
  struct tool listener = {.directory = *state}, sender = {0}, with_newline = {.key = "secret\n"};
  char *address = start_listening(&listener, "--authkey-file", line);
  assert_int_equal(run(&sender, "send", "--authkey-file", bare, address, "a"), OK);
  assert_int_equal(run(&sender, "send", "--authkey-file", line, address, "b"), OK);
  assert_int_equal(run(&sender, "send", "--authkey-file", lines, address, "c"), AUTHENTICATION);
  tool_end_by(&listener, SIGTERM);
  free(address);
  address = start_listening(&listener, "--authkey-file", lines);
  assert_int_equal(run(&with_newline, "send", address, "d"), OK);
  tool_end_by(&listener, SIGTERM);
  free(address);
  remove_file(bare);
  remove_file(line);
  remove_file(lines);
}

static void the_environments_key_counts_where_no_file_is_named(void **state) {
  char *file = write_file(*state, "key", "secret\n");
  struct tool listener = {.key = "secret", .directory = *state}, same = {.key = "secret"}, other = {.key = "other"};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(run(&same, "send", address, "a"), OK);
  assert_int_equal(run(&other, "send", address, "b"), AUTHENTICATION);
  assert_int_equal(run(&other, "send", "--authkey-file", file, address, "c"), OK);
  tool_end_by(&listener, SIGTERM);
  free(address);
  remove_file(file);
}

static void the_wrong_key_is_status_4_and_the_listener_goes_on(void **state) {
  struct tool listener = {.key = "secret", .directory = *state}, right = {.key = "secret"}, wrong = {.key = "guess"};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(run(&wrong, "send", address, "let me in"), AUTHENTICATION);
  assert_contains(wrong.complained, "(MAYFLY_EAUTH)");
  tool_expect_complaint(&listener, "(MAYFLY_EAUTH)");
  assert_int_equal(run(&right, "send", address, "hello"), OK);
  assert_string_equal(tool_hear_out(&listener), "hello");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_key_that_cannot_be_read_is_status_1_and_an_empty_one_is_status_2(void **state) {
  char *empty = write_file(*state, "empty", ""), *newline = write_file(*state, "newline", "\n");
  struct tool tool = {.directory = *state}, no_key = {.key = "", .directory = *state};
  assert_int_equal(run(&tool, "listen", "--authkey-file", "/nonexistent/key"), FAILED);
  assert_contains(tool.complained, "/nonexistent/key: No such file or directory");
  assert_int_equal(run(&tool, "send", "--authkey-file", *state, "address", "message"), FAILED);
  assert_contains(tool.complained, "Is a directory");
  assert_int_equal(run(&tool, "listen", "--authkey-file", empty), USAGE);
  assert_int_equal(run(&tool, "listen", "--authkey-file", newline), USAGE);
  assert_int_equal(run(&no_key, "listen"), USAGE);
  remove_file(empty);
  remove_file(newline);
}

/* ---- who is let in ----------------------------------------------------------------- */

static void tcp_without_a_key_takes_any_user(void **state) {
  struct tool refused = {.directory = *state}, listener = {.directory = *state}, sender = {0};
  assert_int_equal(run(&refused, "listen", "localhost:0"), USAGE);
  char *address = start_listening(&listener, "localhost:0", "--any-user");
  assert_int_equal(run(&sender, "send", address, "anyone"), OK);
  assert_string_equal(tool_hear_out(&listener), "anyone");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static mode_t mode_of(const char *path) {
  struct stat status;
  assert_return_code(stat(path, &status), errno);
  return status.st_mode & 07777;
}

static void a_socket_is_its_owners_unless_any_user_may_come(void **state) {
  struct tool listener = {.directory = *state};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(mode_of(address), 0600);
  tool_end_by(&listener, SIGTERM);
  free(address);
  address = start_listening(&listener, "--any-user");
  assert_int_equal(mode_of(address), 0666);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

/* ---- connections that fail --------------------------------------------------------- */

static void nobody_there_is_status_3(void **state) {
  struct tool sender = {0};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, *state, "nobody");
  assert_int_equal(run(&sender, "send", path, "hello"), CONNECTION);
  assert_contains(sender.complained, path);
  assert_contains(sender.complained, "(MAYFLY_ENOENT)");
}

static void an_address_in_use_is_status_3_and_its_owner_goes_on(void **state) {
  struct tool listener = {.directory = *state}, second = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, NULL);
  assert_int_equal(run(&second, "listen", address), CONNECTION);
  assert_contains(second.complained, "(MAYFLY_EADDRINUSE)");
  assert_int_equal(run(&sender, "send", address, "still there?"), OK);
  assert_string_equal(tool_hear_out(&listener), "still there?");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void no_reply_before_the_end_is_status_3(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, NULL);
  start(&sender, "send", "--reply", address, "hello");
  assert_string_equal(tool_hear_out(&listener), "hello");
  tool_end_by(&listener, SIGTERM);
  assert_int_equal(tool_finish(&sender), CONNECTION);
  assert_string_equal(sender.said, "");
  free(address);
}

/* ---- the standard streams ---------------------------------------------------------- */

static void a_full_standard_output_is_status_1(void **state) {
  struct tool tool = {.directory = *state, .output = "/dev/full"}, listener = {.directory = *state};
  assert_int_equal(run(&tool, "--version"), FAILED);
  assert_int_equal(run(&tool, "--help"), FAILED);
  assert_int_equal(run(&tool, "address", "inet"), FAILED);
  assert_int_equal(run(&tool, "listen"), FAILED);
  char *address = start_listening(&listener, "--echo");
  assert_int_equal(run(&tool, "send", "--reply", address, "hello"), FAILED);
  assert_contains(tool.complained, "standard output: No space left on device");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_closed_standard_output_is_status_1_and_nothing_is_printed_into_a_socket(void **state) {
  struct tool tool = {.directory = *state, .output = ""}, listener = {.directory = *state};
  assert_int_equal(run(&tool, "--version"), FAILED);
  assert_int_equal(run(&tool, "listen"), FAILED);
  char *address = start_listening(&listener, "--echo");
  assert_int_equal(run(&tool, "send", "--reply", address, "hello"), FAILED);
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void a_listener_whose_reader_has_left_ends_with_status_1_and_removes_its_socket(void **state) {
  struct tool listener = {.directory = *state}, sender = {0};
  char *address = start_listening(&listener, NULL);
  fclose(listener.out);
  listener.out = NULL;
  assert_int_equal(run(&sender, "send", address, "hello"), OK);
  assert_int_equal(tool_finish(&listener), FAILED);
  assert_contains(listener.complained, "standard output: Broken pipe");
  free(address);
}

/* ---- signals ----------------------------------------------------------------------- */

static void a_signal_ends_the_listener_and_leaves_nothing(void **state) {
  static const int ending[] = {SIGTERM, SIGINT, SIGHUP};
  char path[SCRATCH_PATH_SIZE];
  scratch_path(path, *state, "given");
  for (size_t i = 0; i < 2 * sizeof ending / sizeof ending[0]; i++) {
    struct tool listener = {.directory = *state};
    mayfly_connection *client;
    char *address = start_listening(&listener, i % 2 == 0 ? NULL : path);
    connect_to(address, NULL, &client);
    say_to(client, "hello");
    assert_string_equal(tool_hear_out(&listener), "hello");
    tool_end_by(&listener, ending[i / 2]);
    assert_true(scratch_is_empty(*state));
    mayfly_connection_close(client);
    free(address);
  }
}

/* ---- Python ------------------------------------------------------------------------ */

static const char key[] = "mayfly", key_digits[] = "6d6179666c79";

static void a_python_client_gets_its_echo(struct stage *stage) {
  static const char *const addresses[] = {NULL, "localhost:0"};
  const char *allow_md5 = peer_is_legacy(stage->interpreter) ? "--allow-md5" : "--echo";
  for (size_t i = 0; i < 2; i++) {
    struct tool listener = {.key = key, .directory = stage->directory};
    char *address = start_listening(&listener, "--echo", allow_md5, addresses[i]);
    peer_tell(&stage->python, "connect %s %s", address, key_digits);
    peer_expect(&stage->python, "connected");
    peer_ask(&stage->python, "send_text hello from Python", "sent");
    peer_ask(&stage->python, "receive_text", "text hello from Python");
    assert_string_equal(tool_hear_out(&listener), "hello from Python");
    peer_ask(&stage->python, "close", "closed");
    tool_end_by(&listener, SIGTERM);
    free(address);
  }
}

static char *await_accept(struct stage *stage, mayfly_family family) {
  mayfly_address address;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  python_listens(stage, family, key_digits, &address);
  peer_tell(&stage->python, "accept");
  assert_ok(mayfly_address_format(&address, text, sizeof text));
  return strdup(text);
}

static void a_python_listener_gets_a_message_and_replies(struct stage *stage) {
  static const mayfly_family families[] = {MAYFLY_AF_UNIX, MAYFLY_AF_INET};
  const char *allow_md5 = peer_is_legacy(stage->interpreter) ? "--allow-md5" : "--reply";
  for (size_t i = 0; i < 2; i++) {
    struct tool sender = {.key = key};
    char *address = await_accept(stage, families[i]);
    start(&sender, "send", "--reply", allow_md5, address, "hello from C");
    peer_expect(&stage->python, "accepted");
    peer_ask(&stage->python, "receive_text", "text hello from C");
    peer_ask(&stage->python, "send_text hello, C", "sent");
    assert_int_equal(tool_finish(&sender), OK);
    assert_string_equal(sender.said, "hello, C\n");
    peer_ask(&stage->python, "stop_listening", "stopped");
    free(address);
  }
}

static void a_python_with_the_wrong_key_is_turned_away(struct stage *stage) {
  struct tool listener = {.key = key, .directory = stage->directory};
  char *address = start_listening(&listener, "--allow-md5");
  peer_tell(&stage->python, "connect %s 00", address);
  assert_contains(peer_hear(&stage->python), "raised AuthenticationError");
  tool_expect_complaint(&listener, "(MAYFLY_EAUTH)");
  tool_end_by(&listener, SIGTERM);
  free(address);
}

static void md5_takes_its_option(struct stage *stage) {
  struct tool sender = {.key = key};
  char *address = await_accept(stage, MAYFLY_AF_UNIX);
  assert_int_equal(run(&sender, "send", address, "hello"), AUTHENTICATION);
  assert_contains(sender.complained, "MD5");
  assert_contains(peer_hear(&stage->python), "raised ");
  free(address);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      test(arguments_that_cannot_be_are_status_2_and_the_way_to_help),
      test(a_command_that_is_none_is_named),
      test(help_goes_to_standard_output_and_lists_the_exit_statuses),
      test(each_command_has_its_own_help),
      test(version_is_the_librarys),
      test(addresses_of_inet_and_pipe_are_printed),
      test_in_scratch(a_unix_address_can_be_listened_on_after_the_program_that_printed_it_has_ended),
      test_in_scratch(the_usual_family_is_unix_and_its_directory_is_private),
      test_in_scratch(a_message_is_printed_as_a_line),
      test_in_scratch(standard_input_is_one_message_whatever_is_in_it),
      test_in_scratch(an_empty_message_is_an_empty_line),
      test_in_scratch(options_may_follow_the_address_and_a_message_may_look_like_one),
      test_in_scratch(an_echo_is_the_reply),
      test_in_scratch(a_client_that_asked_often_and_left_is_told_of_once),
      test_in_scratch(a_large_message_goes_there_and_back_whole),
      test_in_scratch(a_key_is_forgotten_once_it_has_been_proved),
      test_in_scratch(localhost_gets_a_port_that_clients_can_use),
#ifdef TOOL_ON_LOOP
      test_in_scratch(a_command_answers_each_message),
      test_in_scratch(a_large_message_goes_through_a_command),
      test_in_scratch(a_command_need_not_read_nor_answer_and_its_failure_is_told),
      test_in_scratch(a_command_that_cannot_be_run_ends_its_client_only),
      test_in_scratch(an_output_beyond_memory_costs_its_client_only),
      test_in_scratch(a_client_may_leave_while_its_command_runs),
#endif
      test_in_scratch(many_clients_are_served_at_once),
      test_in_scratch(the_others_are_served_on_when_a_client_leaves),
      test_in_scratch(a_client_that_stops_inside_a_message_holds_up_nobody),
      test_in_scratch(a_peer_that_proves_nothing_holds_up_nobody),
      test_in_scratch(a_broken_client_is_reported_and_dropped_and_the_listener_goes_on),
      test_in_scratch(a_client_that_does_not_take_its_echo_is_dropped_in_the_end),
      test_in_scratch(a_key_is_a_files_bytes_but_for_one_newline),
      test_in_scratch(the_environments_key_counts_where_no_file_is_named),
      test_in_scratch(the_wrong_key_is_status_4_and_the_listener_goes_on),
      test_in_scratch(a_key_that_cannot_be_read_is_status_1_and_an_empty_one_is_status_2),
      test_in_scratch(tcp_without_a_key_takes_any_user),
      test_in_scratch(a_socket_is_its_owners_unless_any_user_may_come),
      test_in_scratch(nobody_there_is_status_3),
      test_in_scratch(an_address_in_use_is_status_3_and_its_owner_goes_on),
      test_in_scratch(no_reply_before_the_end_is_status_3),
      test_in_scratch(a_full_standard_output_is_status_1),
      test_in_scratch(a_closed_standard_output_is_status_1_and_nothing_is_printed_into_a_socket),
      test_in_scratch(a_listener_whose_reader_has_left_ends_with_status_1_and_removes_its_socket),
      test_in_scratch(a_signal_ends_the_listener_and_leaves_nothing),
  };
  const struct stage_test with_python[] = {
      stage_test(a_python_client_gets_its_echo, ONE_OF_EACH_ERA),
      stage_test(a_python_listener_gets_a_message_and_replies, ONE_OF_EACH_ERA),
      stage_test(a_python_with_the_wrong_key_is_turned_away, ONE_OF_EACH_ERA),
      stage_test(md5_takes_its_option, EVERY_LEGACY),
  };
  if (*tool_path() == '\0') {
    printf("skipped: MAYFLY_TEST_TOOL does not name the program, which a build without MAYFLY_BUILD_TOOL lacks\n");
    return 0;
  }
  int failed = cmocka_run_group_tests_name("mayfly(1)", tests, NULL, NULL);
  return failed + stage_run_tests("mayfly(1) and Python", with_python, sizeof with_python / sizeof with_python[0]);
}
