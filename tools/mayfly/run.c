/* SPDX-License-Identifier: MIT */
/* run.c - a COMMAND that is given a path, and what it exits with. */

#include "tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "{}";

/* How often the mark is in `argument`. */
static size_t count_marks(const char *argument) {
  size_t count = 0;
  while ((argument = strstr(argument, mark)) != NULL) {
    argument += sizeof mark - 1;
    count++;
  }
  return count;
}

/* A copy, with the path in the place of every mark; NULL: no memory. */
static char *fill_in(const char *argument, const char *path) {
  char *copy = malloc(strlen(argument) + count_marks(argument) * strlen(path) + 1);
  char *end = copy;
  if (copy == NULL)
    return NULL;
  for (const char *next; (next = strstr(argument, mark)) != NULL; argument = next + sizeof mark - 1) {
    memcpy(end, argument, (size_t)(next - argument));
    end += next - argument;
    end += strlen(strcpy(end, path));
  }
  strcpy(end, argument);
  return copy;
}

static void free_all(char **arguments) {
  for (char **argument = arguments; argument != NULL && *argument != NULL; argument++)
    free(*argument);
  free(arguments);
}

static char **fill_in_all(char **command, const char *path) {
  size_t count = 0;
  while (command[count] != NULL)
    count++;
  char **filled = calloc(count + 1, sizeof *filled);
  for (size_t i = 0; filled != NULL && i < count; i++)
    if ((filled[i] = fill_in(command[i], path)) == NULL) {
      free_all(filled);
      return NULL;
    }
  return filled;
}

int tool_run(char **command, const char *path) {
  char **filled = fill_in_all(command, path);
  if (filled == NULL) {
    tool_system_failure(command[0]);
    return TOOL_FAILED;
  }
  int status = tool_spawn(filled, path);
  free_all(filled);
  return TOOL_RAN + status;
}
