/* SPDX-License-Identifier: MIT */
/* file.c - mayfly tempdir, mayfly file: temporary files for scripts. */

#include "tool.h"
#include <getopt.h>
#include <mayfly/mayfly.h>
#include <stdio.h>

int tool_temp_failure(int result) {
  return tool_failure(result) == TOOL_USAGE ? TOOL_USAGE : TOOL_FAILED;
}

int tool_tempdir(int argc, char **argv) {
  static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  int option = getopt_long(argc, argv, "", options, NULL);
  if (option != -1)
    return option == 'h' ? TOOL_HELP : TOOL_USAGE;
  if (optind < argc)
    return tool_misuse("tempdir takes no arguments");
  const char *directory = mayfly_gettempdir();
  if (directory == NULL)
    return tool_temp_failure(MAYFLY_ENOENT);
  puts(directory);
  return tool_flush();
}

int tool_temp_options(int argc, char **argv, mayfly_temp_options *taken, char ***command) {
  static const struct option options[] = {{"dir", required_argument, NULL, 'd'},
                                          {"prefix", required_argument, NULL, 'p'},
                                          {"suffix", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  int option, next = optind;
  /* "+": what stands before "--" is not moved behind it, to be taken for the command */
  for (; (option = getopt_long(argc, argv, "+", options, NULL)) != -1; next = optind) {
    if (option == 'd')
      taken->dir = optarg;
    else if (option == 'p')
      taken->prefix = optarg;
    else if (option == 's')
      taken->suffix = optarg;
    else
      return option == 'h' ? TOOL_HELP : TOOL_USAGE;
  }
  int separated = optind > next; /* "--" was passed over, and is no option's argument */
  if (optind < argc && !separated)
    return tool_misuse("a command stands behind --");
  if (optind == argc && separated)
    return tool_misuse("behind -- a command is missing");
  *command = separated ? argv + optind : NULL;
  return TOOL_OK;
}

/* One whose name nobody learns is not left. */
static int print_file(mayfly_temp_options *options) {
  mayfly_file *file = NULL;
  options->flags = MAYFLY_TEMP_REOPENABLE;
  int result = mayfly_named_temporary_file(options, &file);
  if (result < 0)
    return tool_temp_failure(result);
  puts(mayfly_file_path(file));
  int status = tool_flush();
  result = status == TOOL_OK ? mayfly_file_detach(file, NULL) : mayfly_file_close(file);
  return result == 0 ? status : tool_temp_failure(result);
}

/* The command has the file to itself, which some need to open it. */
static int run_with_file(mayfly_temp_options *options, char **command) {
  mayfly_file *file = NULL;
  options->flags = MAYFLY_TEMP_REOPENABLE;
  int result = mayfly_cleanup_on_signals();
  if (result == 0)
    result = mayfly_named_temporary_file(options, &file);
  if (result < 0)
    return tool_temp_failure(result);
  result = mayfly_file_release(file);
  int status = result == 0 ? tool_run(command, mayfly_file_path(file)) : tool_temp_failure(result);
  result = mayfly_file_close(file);
  return result == 0 ? status : tool_temp_failure(result);
}

int tool_file(int argc, char **argv) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char **command;
  int status = tool_temp_options(argc, argv, &options, &command);
  if (status != TOOL_OK)
    return status;
  return command != NULL ? run_with_file(&options, command) : print_file(&options);
}
