/* SPDX-License-Identifier: MIT */
/* worker_windows.c - a parent hands one end of a pipe to a worker process, which may be in C or in Python.
 *
 *   worker start COMMAND...   runs COMMAND with one more argument, the number of the worker's HANDLE, and has it put
 *                             three lines into capitals
 *   worker serve HANDLE       is such a worker; worker.py HANDLE is the same in Python
 *
 * For Windows; worker.c is the same for POSIX. */
#include <mayfly/mayfly.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static int fail(const char *who) {
  fprintf(stderr, "%s: %s\n", who, mayfly_last_error());
  return 1;
}

/* ---- the worker ---- */

static int serve(mayfly_os_fd handle) {
  mayfly_connection *parent;
  char line[256];
  size_t size;
  int result;

  if (mayfly_connection_adopt(handle, 1, 1, &parent) < 0)
    return fail("worker");
  while ((result = mayfly_recv_bytes_into(parent, line, sizeof line, &size)) == 0) {
    for (size_t i = 0; i < size; i++)
      line[i] = (char)toupper((unsigned char)line[i]);
    if (mayfly_send_bytes(parent, line, size) < 0)
      break;
  }
  mayfly_connection_close(parent);
  return result == MAYFLY_EOF ? 0 : fail("worker");
}

/* ---- the parent ---- */

/* The child inherits every HANDLE that is inheritable at this moment, so ours is for no longer than that. */
static HANDLE run(char **command, int count, const mayfly_connection *end) {
  char line[4096] = "", number[24];
  STARTUPINFOA startup = {.cb = sizeof startup};
  PROCESS_INFORMATION made;
  mayfly_os_fd handle;

  if (mayfly_connection_os_fd(end, &handle) < 0 || mayfly_os_fd_set_inheritable(handle, 1) < 0)
    return NULL;
  for (int i = 0; i < count; i++)
    snprintf(line + strlen(line), sizeof line - strlen(line), "\"%s\" ", command[i]);
  snprintf(number, sizeof number, "%lld", (long long)handle);
  strncat(line, number, sizeof line - strlen(line) - 1);
  int done = CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &made);
  mayfly_os_fd_set_inheritable(handle, 0);
  if (!done)
    return NULL;
  CloseHandle(made.hThread);
  return made.hProcess;
}

static int use(mayfly_connection *worker) {
  static const char *const lines[] = {"a pipe has two ends", "", "one of them is here"};
  static const char *const capitals[] = {"A PIPE HAS TWO ENDS", "", "ONE OF THEM IS HERE"};
  const void *data;
  size_t size;

  for (int i = 0; i < 3; i++) {
    if (mayfly_send_bytes(worker, lines[i], strlen(lines[i])) < 0 ||
        mayfly_recv_bytes(worker, SIZE_MAX, &data, &size) < 0)
      return fail("parent");
    printf("%s -> %.*s\n", lines[i], (int)size, (const char *)data);
    if (size != strlen(capitals[i]) || memcmp(data, capitals[i], size) != 0)
      return 1;
  }
  return 0;
}

static int start(char **command, int count) {
  mayfly_connection *ends[2];
  DWORD status = 1;

  if (mayfly_pipe(1, ends) < 0)
    return fail("parent");
  HANDLE child = run(command, count, ends[1]);
  mayfly_connection_close(ends[1]); /* ours of the worker's: else we would not see its end */
  int failed = child == NULL || use(ends[0]) != 0;
  mayfly_connection_close(ends[0]); /* which ends the worker */
  return failed || WaitForSingleObject(child, INFINITE) != 0 || !GetExitCodeProcess(child, &status) || status != 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0)
    return serve((mayfly_os_fd)atoll(argv[2]));
  return argc > 2 && strcmp(argv[1], "start") == 0 ? start(argv + 2, argc - 2) : 2;
}
