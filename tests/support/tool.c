/* SPDX-License-Identifier: MIT */
/* tool.c - the program mayfly(1) and the other ends of its standard streams. */
#include "tool.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 16 };

const char *tool_path(void) {
  const char *path = getenv("MAYFLY_TEST_TOOL");
  return path == NULL ? "" : path;
}

static void set_or_unset(const char *name, const char *value) {
  if (value != NULL)
    setenv(name, value, 1);
  else
    unsetenv(name);
}

static void take_output(const char *file, int pipe_end) {
  if (file == NULL)
    dup2(pipe_end, STDOUT_FILENO);
  else if (*file == '\0')
    close(STDOUT_FILENO);
  else
    dup2(open(file, O_WRONLY), STDOUT_FILENO);
}

/* Whoever runs the tests may ignore signals, and what is ignored stays so. */
static _Noreturn void execute(const struct tool *tool, const char *const *arguments, int in, int out, int err) {
  const char *command[ARGUMENTS_MAX + 2] = {tool_path()};
  for (int i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++)
    command[i + 1] = arguments[i];
  const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
    signal(ending[i], SIG_DFL);
  set_or_unset("MAYFLY_AUTHKEY", tool->key);
  if (tool->directory != NULL)
    setenv("TMPDIR", tool->directory, 1);
  dup2(in, STDIN_FILENO);
  dup2(err, STDERR_FILENO);
  take_output(tool->output, out);
  execv(command[0], (char *const *)command);
  perror(command[0]);
  _exit(127);
}

static void make_pipe(int ends[2]) {
  assert_return_code(pipe2(ends, O_CLOEXEC), errno);
}

static FILE *open_end(int fd, const char *mode) {
  FILE *stream = fdopen(fd, mode);
  assert_non_null(stream);
  return stream;
}

void tool_start(struct tool *tool, const char *const *arguments) {
  int in[2], out[2], err[2], parent;
  make_pipe(in);
  make_pipe(out);
  make_pipe(err);
  if (child_fork(&tool->child, &parent) == 0)
    execute(tool, arguments, in[0], out[1], err[1]);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  tool->in = open_end(in[1], "w");
  tool->out = open_end(out[0], "r");
  tool->err = open_end(err[0], "r");
}

const char *tool_hear(FILE *stream, char text[TEXT_SIZE]) {
  if (fgets(text, TEXT_SIZE, stream) == NULL)
    fail_msg("mayfly said nothing more");
  text[strcspn(text, "\n")] = '\0';
  return text;
}

const char *tool_hear_out(struct tool *tool) {
  return tool_hear(tool->out, tool->said);
}

void tool_expect_complaint(struct tool *tool, const char *part) {
  const char *line = tool_hear(tool->err, tool->complained);
  if (strstr(line, part) == NULL)
    fail_msg("mayfly complained \"%s\", not of \"%s\"", line, part);
}

static void hear_rest(FILE *stream, char text[TEXT_SIZE]) {
  text[fread(text, 1, TEXT_SIZE - 1, stream)] = '\0';
  assert_true(feof(stream));
}

static void hang_up(struct tool *tool) {
  if (tool->in != NULL)
    fclose(tool->in);
  if (tool->out != NULL)
    fclose(tool->out);
  fclose(tool->err);
}

void tool_end_input(struct tool *tool) {
  assert_int_equal(fclose(tool->in), 0);
  tool->in = NULL;
}

int tool_finish(struct tool *tool) {
  if (tool->in != NULL)
    tool_end_input(tool);
  if (tool->out != NULL)
    hear_rest(tool->out, tool->said);
  hear_rest(tool->err, tool->complained);
  hang_up(tool);
  int status = child_wait(&tool->child);
  if (!WIFEXITED(status))
    fail_msg("mayfly was ended by signal %d", WTERMSIG(status));
  return WEXITSTATUS(status);
}

void tool_end_by(struct tool *tool, int number) {
  child_kill(&tool->child, number);
  hang_up(tool);
}
