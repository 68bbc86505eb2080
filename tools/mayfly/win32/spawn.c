/* SPDX-License-Identifier: MIT */
/* spawn.c - a command in a process of its own; what the console sends goes to both. */
#include "../tool.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

enum { NOT_RUNNABLE = 126, NOT_FOUND = 127 }; /* a shell's */

/* Yours to free; NULL: no memory, or not UTF-8. */
static wchar_t *widen(const char *text) {
  int size = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  wchar_t *wide = size > 0 ? malloc((size_t)size * sizeof *wide) : NULL;
  if (wide != NULL)
    MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, size);
  return wide;
}

/* As the C runtime of the command takes it apart again: a backslash counts only before a quotation mark. What needs no
 * quotation marks has none, since cmd takes them for a part of its commands. */
static char *append_quoted(char *end, const char *argument) {
  size_t backslashes = 0;
  if (*argument != '\0' && strpbrk(argument, " \t\n\v\"") == NULL)
    return end + strlen(strcpy(end, argument));
  *end++ = '"';
  for (; *argument != '\0'; argument++) {
    backslashes = *argument == '\\' ? backslashes + 1 : *argument == '"' ? backslashes : 0;
    if (*argument == '"') {
      memset(end, '\\', backslashes + 1);
      end += backslashes + 1;
      backslashes = 0;
    }
    *end++ = *argument;
  }
  memset(end, '\\', backslashes);
  end += backslashes;
  *end++ = '"';
  return end;
}

static wchar_t *command_line(char **command) {
  size_t size = 1;
  for (char **argument = command; *argument != NULL; argument++)
    size += 2 * strlen(*argument) + 3;
  char *line = malloc(size), *end = line;
  if (line == NULL)
    return NULL;
  for (char **argument = command; *argument != NULL; argument++) {
    if (argument != command)
      *end++ = ' ';
    end = append_quoted(end, *argument);
  }
  *end = '\0';
  wchar_t *wide = widen(line);
  free(line);
  return wide;
}

/* We stay to clean up after the command, which has the event too. */
static BOOL WINAPI stay(DWORD event) {
  return event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
}

static int await_end(HANDLE process) {
  DWORD status = NOT_RUNNABLE;
  WaitForSingleObject(process, INFINITE);
  GetExitCodeProcess(process, &status);
  return status <= INT_MAX - TOOL_RAN ? (int)status : UCHAR_MAX; /* more is how it crashed */
}

static int fail(const char *command, DWORD error) {
  int missing = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND;
  errno = missing ? ENOENT : ENOEXEC;
  tool_system_failure(command);
  return missing ? NOT_FOUND : NOT_RUNNABLE;
}

int tool_spawn(char **command, const char *path) {
  STARTUPINFOW start = {.cb = sizeof start};
  PROCESS_INFORMATION made;
  wchar_t *line = command_line(command), *wide = widen(path);
  BOOL started = FALSE;
  DWORD error = ERROR_NOT_ENOUGH_MEMORY;
  SetConsoleCtrlHandler(stay, TRUE);
  if (line != NULL && wide != NULL && SetEnvironmentVariableW(L"MAYFLY_PATH", wide)) {
    started = CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &made);
    error = GetLastError();
  }
  free(line);
  free(wide);
  if (!started)
    return fail(command[0], error);
  CloseHandle(made.hThread);
  int status = await_end(made.hProcess);
  CloseHandle(made.hProcess);
  return status;
}
