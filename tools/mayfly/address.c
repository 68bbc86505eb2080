/* SPDX-License-Identifier: MIT */
/* address.c - mayfly address: prints an address that nobody has yet. */

#include "tool.h"
#include <getopt.h>
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <string.h>

/* Nothing is connected here: what fails is a directory. */
static int fail(int result) {
  tool_failure(result);
  return TOOL_FAILED;
}

/* The directory of an arbitrary AF_UNIX address vanishes with its process, and ours ends before anybody could listen
 * there: so this one is the user's. */
static int print_unix(void) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.prefix = "mayfly-";
  char *directory;
  int result = mayfly_mkdtemp(&options, &directory);
  if (result < 0)
    return fail(result);
  printf("%s/socket\n", directory);
  mayfly_free(directory);
  return tool_flush();
}

static int print_arbitrary(mayfly_family family) {
  mayfly_address address;
  char text[MAYFLY_ADDRESS_TEXT_SIZE];
  int result = mayfly_arbitrary_address(family, &address);
  if (result == 0)
    result = mayfly_address_format(&address, text, sizeof text);
  if (result < 0)
    return fail(result);
  puts(text);
  return tool_flush();
}

static int find_family(const char *name, mayfly_family *family) {
  static const struct {
    const char *name;
    mayfly_family family;
  } families[] = {{"unix", MAYFLY_AF_UNIX}, {"inet", MAYFLY_AF_INET}, {"pipe", MAYFLY_AF_PIPE}};
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    if (strcmp(families[i].name, name) == 0) {
      *family = families[i].family;
      return TOOL_OK;
    }
  return tool_misuse("a family is unix, inet or pipe");
}

int tool_address(int argc, char **argv) {
  static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  mayfly_family family = mayfly_default_family();
  int option = getopt_long(argc, argv, "", options, NULL);
  if (option != -1)
    return option == 'h' ? TOOL_HELP : TOOL_USAGE;
  if (argc - optind > 1)
    return tool_misuse("one family at a time");
  if (optind < argc && find_family(argv[optind], &family) != TOOL_OK)
    return TOOL_USAGE;
  return family == MAYFLY_AF_UNIX ? print_unix() : print_arbitrary(family);
}
