/* SPDX-License-Identifier: MIT */
/* directory.c - mayfly dir, mayfly rm, mayfly sweep: temporary directories for scripts, and their removal. */

#include "tool.h"
#include <getopt.h>
#include <inttypes.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <time.h>

/* ---- dir ---- */

static int print_directory(const mayfly_temp_options *options) {
  char *path;
  int result = mayfly_mkdtemp(options, &path);
  if (result < 0)
    return tool_temp_failure(result);
  puts(path);
  int status = tool_flush();
  if (status != TOOL_OK) /* nobody learns its name */
    mayfly_rmtree(path, NULL);
  mayfly_free(path);
  return status;
}

static int run_with_directory(const mayfly_temp_options *options, char **command) {
  mayfly_directory *directory = NULL;
  int result = mayfly_cleanup_on_signals();
  if (result == 0)
    result = mayfly_temporary_directory(options, &directory);
  if (result < 0)
    return tool_temp_failure(result);
  int status = tool_run(command, mayfly_directory_path(directory));
  result = mayfly_directory_close(directory);
  return result == 0 ? status : tool_temp_failure(result);
}

int tool_directory(int argc, char **argv) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  char **command;
  int status = tool_temp_options(argc, argv, &options, &command);
  if (status != TOOL_OK)
    return status;
  return command != NULL ? run_with_directory(&options, command) : print_directory(&options);
}

/* ---- rm ---- */

enum { LOOK_AT_CLOCK = 64 };

struct shown {
  const char *path;
  time_t last; /* the second in which the count was shown */
  int is_shown;
};

/* How many there are in all nobody knows without a walk of its own. */
static int show(void *context, uint64_t removed) {
  struct shown *shown = context;
  time_t now = removed % LOOK_AT_CLOCK == 0 ? time(NULL) : shown->last;
  if (now == shown->last)
    return 0;
  shown->last = now;
  shown->is_shown = 1;
  fprintf(stderr, "\r%s: %" PRIu64 " removed", shown->path, removed);
  fflush(stderr);
  return 0;
}

static int remove_one(const char *path) {
  mayfly_rmtree_options options = MAYFLY_RMTREE_OPTIONS_INIT;
  struct shown shown = {path, time(NULL), 0};
  if (tool_is_watched()) {
    options.progress = show;
    options.context = &shown;
  }
  int result = mayfly_rmtree(path, &options);
  if (shown.is_shown)
    fputc('\n', stderr);
  return result == 0 ? TOOL_OK : tool_temp_failure(result);
}

static int takes_no_options(int argc, char **argv) {
  static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  int option = getopt_long(argc, argv, "", options, NULL);
  if (option == -1)
    return TOOL_OK;
  return option == 'h' ? TOOL_HELP : TOOL_USAGE;
}

int tool_remove(int argc, char **argv) {
  int status = takes_no_options(argc, argv);
  if (status != TOOL_OK)
    return status;
  if (optind == argc)
    return tool_misuse("rm: a PATH is missing");
  for (int i = optind; i < argc; i++) {
    int removed = remove_one(argv[i]);
    if (status == TOOL_OK)
      status = removed;
  }
  return status;
}

/* ---- sweep ---- */

int tool_sweep(int argc, char **argv) {
  uint64_t removed;
  int status = takes_no_options(argc, argv);
  if (status != TOOL_OK)
    return status;
  if (argc - optind > 1)
    return tool_misuse("sweep takes one DIR at most");
  int result = mayfly_sweep(argv[optind], &removed);
  if (result < 0)
    return tool_temp_failure(result);
  printf("%" PRIu64 "\n", removed);
  return tool_flush();
}
