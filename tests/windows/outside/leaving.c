/* SPDX-License-Identifier: MIT */
/* A program that leaves a temporary file and a directory open, in FOLDER, and ends:
 *
 *   leaving exit FOLDER          by a return from main()
 *   leaving process FOLDER       by ExitProcess(), which runs no exit hooks but those of DLLs
 */
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <string.h>

#include <windows.h>

static int leave(const char *folder) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  mayfly_directory *directory;
  options.dir = folder;
  if (mayfly_temporary_directory(&options, &directory) == 0) {
    options.flags = MAYFLY_TEMP_REOPENABLE; /* else the system itself removes it */
    if (mayfly_named_temporary_file(&options, &file) == 0)
      return 0;
  }
  fprintf(stderr, "%s\n", mayfly_last_error());
  return 1;
}

int main(int count, char **arguments) {
  if (count != 3 || leave(arguments[2]) != 0)
    return 1;
  if (strcmp(arguments[1], "exit") == 0)
    return 0;
  ExitProcess(0);
}
