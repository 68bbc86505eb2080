/* SPDX-License-Identifier: MIT */
/* worker.c - a parent hands one end of a pipe to a worker process, which may be in C or in Python.
 *
 *   worker start COMMAND...   runs COMMAND with one more argument, the number of the worker's descriptor, and has it
 *                             put three lines into capitals
 *   worker serve FD           is such a worker; worker.py FD is the same in Python
 *
 * For POSIX; worker_windows.c is the same for Windows. */
#include <mayfly/mayfly.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *who) {
  fprintf(stderr, "%s: %s\n", who, mayfly_last_error());
  return 1;
}

/* ---- the worker ---- */

static int serve(int fd) {
  mayfly_connection *parent;
  char line[256];
  size_t size;
  int result;

  if (mayfly_connection_adopt(fd, 1, 1, &parent) < 0)
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

/* The descriptor is made inheritable in the child only, so that no other child of ours can get it. */
static void run(char **command, size_t count, const mayfly_connection *end) {
  char **arguments = calloc(count + 2, sizeof *arguments);
  char number[24];
  mayfly_os_fd fd;

  if (arguments == NULL || mayfly_connection_os_fd(end, &fd) < 0 || mayfly_os_fd_set_inheritable(fd, 1) < 0)
    _exit(126);
  snprintf(number, sizeof number, "%d", (int)fd);
  memcpy(arguments, command, count * sizeof *arguments);
  arguments[count] = number;
  execvp(arguments[0], arguments);
  perror(arguments[0]);
  _exit(127);
}

static int use(mayfly_connection *worker) {
  static const char *const lines[] = {"a pipe has two ends", "", "one of them is here"};
  const void *data;
  size_t size;

  for (int i = 0; i < 3; i++) {
    if (mayfly_send_bytes(worker, lines[i], strlen(lines[i])) < 0 ||
        mayfly_recv_bytes(worker, SIZE_MAX, &data, &size) < 0)
      return fail("parent");
    printf("%s -> %.*s\n", lines[i], (int)size, (const char *)data);
  }
  return 0;
}

static int start(char **command, size_t count) {
  mayfly_connection *ends[2];
  int status = 0;

  if (mayfly_pipe(1, ends) < 0)
    return fail("parent");
  pid_t child = fork();
  if (child == 0)
    run(command, count, ends[1]);
  mayfly_connection_close(ends[1]); /* ours of the worker's: else we would not see its end */
  int failed = child < 0 || use(ends[0]) != 0;
  mayfly_connection_close(ends[0]); /* which ends the worker */
  return failed || waitpid(child, &status, 0) != child || status != 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "serve") == 0)
    return serve(atoi(argv[2]));
  if (argc > 2 && strcmp(argv[1], "start") == 0)
    return start(argv + 2, (size_t)argc - 2);
  fprintf(stderr, "usage: worker start COMMAND... | worker serve FD\n");
  return 2;
}
