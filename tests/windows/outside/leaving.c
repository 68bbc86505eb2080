/* SPDX-License-Identifier: MIT */
/* A program that leaves a temporary file and a directory open, in FOLDER, and ends:
 *
 *   leaving exit FOLDER          by a return from main()
 *   leaving process FOLDER       by ExitProcess(), which runs no exit hooks but those of DLLs
 *   leaving meanwhile FOLDER     by ExitProcess(), while other threads make and close files all the time
 */
#include <mayfly/mayfly.h>
#include <stdio.h>
#include <string.h>

#include <windows.h>

enum { THREADS = 4 };

static int make(const char *folder, mayfly_file **file) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  options.dir = folder;
  options.flags = MAYFLY_TEMP_REOPENABLE; /* else the system itself removes it */
  return mayfly_named_temporary_file(&options, file);
}

static int leave(const char *folder) {
  mayfly_temp_options options = MAYFLY_TEMP_OPTIONS_INIT;
  mayfly_file *file;
  mayfly_directory *directory;
  options.dir = folder;
  if (make(folder, &file) == 0 && mayfly_temporary_directory(&options, &directory) == 0)
    return 0;
  fprintf(stderr, "%s\n", mayfly_last_error());
  return 1;
}

static DWORD WINAPI make_and_close(LPVOID folder) {
  mayfly_file *file;
  while (make(folder, &file) == 0)
    mayfly_file_close(file);
  return 0;
}

int main(int count, char **arguments) {
  if (count != 3 || leave(arguments[2]) != 0)
    return 1;
  if (strcmp(arguments[1], "exit") == 0)
    return 0;
  for (int i = 0; i < THREADS && strcmp(arguments[1], "meanwhile") == 0; i++)
    CloseHandle(CreateThread(NULL, 0, make_and_close, arguments[2], 0, NULL));
  Sleep(strcmp(arguments[1], "meanwhile") == 0 ? 50 : 0);
  ExitProcess(0);
}
