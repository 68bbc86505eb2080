/* SPDX-License-Identifier: MIT */
/* main.c - mayfly(1): the table of its commands, and how each of them ends. */

#include "tool.h"
#include <errno.h>
#include <mayfly/mayfly.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int print_help(int argc, char **argv);
static int print_version(int argc, char **argv);

static const char general_help[] =
    "Usage: mayfly COMMAND [ARGUMENT]...\n"
    "Messages between processes, as Python's multiprocessing.connection has them, and\n"
    "temporary files and directories, as its tempfile has them.\n"
    "\n"
    "  mayfly address [unix|inet|pipe]  print an address that nobody has yet\n"
    "  mayfly listen [ADDRESS]          print the messages that clients send\n"
    "  mayfly send ADDRESS [MESSAGE]    send a message\n"
    "  mayfly tempdir                   print the directory for temporary files\n"
    "  mayfly file [-- COMMAND...]      make a temporary file, or run COMMAND with one\n"
    "  mayfly dir [-- COMMAND...]       make a temporary directory, or run COMMAND with one\n"
    "  mayfly rm PATH...                remove directories with all that is in them\n"
    "  mayfly sweep [DIR]               remove what killed processes have left\n"
    "  mayfly COMMAND --help            say more about a command\n"
    "  mayfly --version                 print the version\n"
    "\n"
    "ADDRESS is HOST:PORT, [IPv6]:PORT, :PORT (every interface), a path (or unix:PATH),\n"
    "@NAME (Linux's abstract namespace) or \\\\.\\pipe\\NAME (Windows).\n"
    "\n"
    "Exit status:\n"
    "  0  all is well\n"
    "  1  a file, a standard stream or memory failed\n"
    "  2  the arguments, or the key, can't be right\n"
    "  3  the connection failed, or the listening\n"
    "  4  authentication failed: another key, or a peer that is not let in\n"
    "When a signal ends the program the status is the signal's: 128 + its number in a\n"
    "shell.\n";

static const char address_help[] =
    "Usage: mayfly address [unix|inet|pipe]\n"
    "Print an address to listen on, of this family or else of this system's usual one.\n"
    "\n"
    "  unix  a path in a fresh directory that only you may enter; it is yours to remove\n"
    "  inet  localhost, with a port that the system chooses for the listener\n"
    "  pipe  a named pipe of Windows\n"
    "\n"
    "      --help  print this\n";

#define KEY_HELP                                                                                                       \
  "      --authkey-file FILE  the key is what FILE holds, but for a newline at its end\n"                              \
  "      --allow-md5          prove it by HMAC-MD5 too: for Python before 3.12\n"                                      \
  "      --help               print this\n"                                                                            \
  "\n"                                                                                                                 \
  "Without --authkey-file the key is the environment's MAYFLY_AUTHKEY; without that\n"                                 \
  "there is none.\n"

static const char tempdir_help[] =
    "Usage: mayfly tempdir\n"
    "Print the directory for temporary files: $TMPDIR, $TEMP, $TMP or the system's, the\n"
    "first in which a file can be made.\n"
    "\n"
    "      --help  print this\n";

static const char file_help[] = "Usage: mayfly file [OPTION]... [-- COMMAND [ARGUMENT]...]\n"
                                "Make a temporary file that only you may read and write, and print its path; it is\n"
                                "yours to remove. With a COMMAND: run it, with the path as MAYFLY_PATH in its\n"
                                "environment and in the place of each {} in its arguments, and remove the file when\n"
                                "it ends. Signals are passed on to it. The exit status is the command's, 126 if it\n"
                                "can't be run, 127 if there is no such command, 128 + the signal that ended it.\n"
                                "\n"
                                "      --dir DIR        where, instead of what mayfly tempdir prints\n"
                                "      --prefix PREFIX  what the name begins with, instead of tmp\n"
                                "      --suffix SUFFIX  what the name ends with\n"
                                "      --help           print this\n";

static const char directory_help[] =
    "Usage: mayfly dir [OPTION]... [-- COMMAND [ARGUMENT]...]\n"
    "Make a temporary directory that only you may enter, and print its path; it is yours\n"
    "to remove. With a COMMAND: run it, with the path as MAYFLY_PATH in its environment\n"
    "and in the place of each {} in its arguments, and remove the directory with all that\n"
    "is in it when it ends. Signals are passed on to it. The exit status is the command's,\n"
    "126 if it can't be run, 127 if there is no such command, 128 + the signal that ended\n"
    "it.\n"
    "\n"
    "      --dir DIR        where, instead of what mayfly tempdir prints\n"
    "      --prefix PREFIX  what the name begins with, instead of tmp\n"
    "      --suffix SUFFIX  what the name ends with\n"
    "      --help           print this\n";

static const char remove_help[] =
    "Usage: mayfly rm PATH...\n"
    "Remove directories with all that is in them, however deep. No link is followed,\n"
    "whatever others do meanwhile; a PATH that is a link, or a file, is left. Permissions\n"
    "that keep their owner out are put right. What can't be removed is left, the rest is\n"
    "removed all the same. On a terminal, long work shows how far it is.\n"
    "\n"
    "      --help  print this\n";

static const char sweep_help[] =
    "Usage: mayfly sweep [DIR]\n"
    "Remove what your killed processes have left in DIR, or else in what mayfly tempdir\n"
    "prints: the directories .mayfly-* of the library, and not those whose process lives.\n"
    "Print how many there were.\n"
    "\n"
    "      --help  print this\n";

static const char listen_help[] = "Usage: mayfly listen [OPTION]... [ADDRESS] [--exec COMMAND [ARGUMENT]...]\n"
                                  "Listen on ADDRESS, or on one that nobody has. The first line printed is the\n"
                                  "address to connect to; then comes each message, its bytes as they are and a\n"
                                  "newline. Many clients are served at once, until SIGINT, SIGTERM or SIGHUP ends the\n"
                                  "program and removes its socket. A client that fails is reported on standard error\n"
                                  "and does not end it.\n"
                                  "\n"
                                  "      --echo               send each message back; a client that does not take it\n"
                                  "                           within 5 seconds is dropped\n"
                                  "      --exec COMMAND...    the last option: instead of printing messages, run\n"
                                  "                           COMMAND once for each, which is its standard input;\n"
                                  "                           its standard output is the reply, whatever the exit\n"
                                  "                           status; one that is not 0 is reported on standard\n"
                                  "                           error. A client whose COMMAND can't be run is dropped.\n"
                                  "                           Not on \\\\.\\pipe\\NAME: pipes, which Python too can\n"
                                  "                           use, are served without a loop\n"
                                  "      --any-user           let in clients of other users, and clients over\n"
                                  "                           HOST:PORT without a key\n" KEY_HELP;

static const char send_help[] = "Usage: mayfly send [OPTION]... ADDRESS [MESSAGE | -]\n"
                                "Connect to ADDRESS and send MESSAGE, or with - or none all of standard input, as\n"
                                "one message.\n"
                                "\n"
                                "      --reply              wait for a message; print its bytes as they are and a\n"
                                "                           newline\n" KEY_HELP;

static const struct command {
  const char *name;
  const char *help;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"address", address_help, tool_address}, {"listen", listen_help, tool_listen},
    {"send", send_help, tool_send},          {"tempdir", tempdir_help, tool_tempdir},
    {"file", file_help, tool_file},          {"dir", directory_help, tool_directory},
    {"rm", remove_help, tool_remove},        {"sweep", sweep_help, tool_sweep},
    {"--help", general_help, print_help},    {"--version", general_help, print_version},
};

static int print_help(int argc, char **argv) {
  (void)argv;
  return argc == 1 ? TOOL_HELP : tool_misuse("--help stands alone, or behind a command");
}

static int print_version(int argc, char **argv) {
  (void)argv;
  if (argc != 1)
    return tool_misuse("--version stands alone");
  printf("mayfly %s\n", mayfly_version());
  return tool_flush();
}

/* ---- words ---------------------------------------------------------------------- */

int tool_flush(void) {
  if (fflush(stdout) == 0 && !ferror(stdout))
    return TOOL_OK;
  tool_system_failure("standard output");
  return TOOL_FAILED;
}

void tool_system_failure(const char *what) {
  fprintf(stderr, "mayfly: %s: %s\n", what, strerror(errno));
}

int tool_misuse(const char *why) {
  fprintf(stderr, "mayfly: %s\n", why);
  return TOOL_USAGE;
}

static int status_of(int result) {
  switch (result) {
  case MAYFLY_EINVAL:
    return TOOL_USAGE;
  case MAYFLY_EAUTH:
  case MAYFLY_EPEER:
    return TOOL_AUTHENTICATION;
  case MAYFLY_ENOMEM:
    return TOOL_FAILED;
  default:
    return TOOL_CONNECTION;
  }
}

int tool_failure(int result) {
  fprintf(stderr, "mayfly: %s (%s)\n", mayfly_last_error(), mayfly_err_name(result));
  return status_of(result);
}

/* ---- from the arguments to the exit status --------------------------------------- */

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

/* getopt's messages begin with argv[0], so it stays the program's. */
static int run_command(int argc, char **argv) {
  const struct command *command = find_command(argv[1]);
  if (command == NULL) {
    fprintf(stderr, "mayfly: %s: there is no such command\n", argv[1]);
    return TOOL_USAGE;
  }
  argv[1] = argv[0];
  int status = command->run(argc - 1, argv + 1);
  if (status != TOOL_HELP)
    return status;
  fputs(command->help, stdout);
  return tool_flush();
}

/* A closed stream's number would go to the first socket, and what we print then to the peer. */
static int is_closed(FILE *stream) {
  return ftell(stream) < 0 && errno == EBADF;
}

/* What `mayfly listen | head` does to us, or a file that may not grow, is an error like a full disk, not an end that
 * leaves the socket's name, or the file. */
#ifdef SIGPIPE
static void ignore_broken_streams(void) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}
#else
static void ignore_broken_streams(void) {}
#endif

int main(int argc, char **argv) {
  if (is_closed(stdout) || is_closed(stderr)) {
    tool_system_failure("standard output or error");
    return TOOL_FAILED;
  }
  ignore_broken_streams();
  int status = argc < 2 ? tool_misuse("a command is missing") : run_command(argc, argv);
  if (status == TOOL_USAGE)
    fputs("Try 'mayfly --help' or 'mayfly COMMAND --help'.\n", stderr);
  return status >= TOOL_RAN ? status - TOOL_RAN : status;
}
