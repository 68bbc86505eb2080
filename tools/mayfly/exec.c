/* SPDX-License-Identifier: MIT */
/* exec.c - a command for each message, by uv_spawn. It is done when three handles are closed: the process, the pipe to
 * its standard input and the one from its standard output. */

#include "exec.h"
#include "tool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct execution {
  uv_process_t process;
  uv_pipe_t input, output;
  uv_write_t writing;
  int open; /* of the three */
  int started;
  int status; /* of its output */
  char *answer;
  size_t size, capacity;
  exec_finished *finished;
  void *context;
  char data[]; /* the message */
};

static void on_closed(uv_handle_t *handle) {
  struct execution *execution = handle->data;
  if (--execution->open > 0)
    return;
  if (execution->started)
    execution->finished(execution->context, execution->status, execution->answer, execution->size);
  free(execution->answer);
  free(execution);
}

/* ---- its input ---- */

static void on_written(uv_write_t *request, int status) {
  struct execution *execution = request->data;
  (void)status; /* a command need not read what it is given */
  uv_close((uv_handle_t *)&execution->input, on_closed);
}

/* ---- its output ---- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  struct execution *execution = handle->data;
  if (execution->capacity - execution->size < suggested) {
    size_t capacity = execution->capacity * 2 + suggested;
    char *larger = realloc(execution->answer, capacity);
    if (larger == NULL) {
      *buffer = uv_buf_init(NULL, 0); /* on_read is told UV_ENOBUFS */
      return;
    }
    execution->answer = larger;
    execution->capacity = capacity;
  }
  *buffer = uv_buf_init(execution->answer + execution->size, (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
  struct execution *execution = stream->data;
  (void)buffer;
  if (count >= 0) {
    execution->size += (size_t)count;
    return;
  }
  if (count != UV_EOF) {
    fprintf(stderr, "mayfly: the output of a command: %s\n", uv_strerror((int)count));
    execution->status = TOOL_FAILED;
  }
  uv_close((uv_handle_t *)stream, on_closed);
}

/* ---- its end ---- */

static void on_exit_of(uv_process_t *process, int64_t status, int number) {
  if (number != 0)
    fprintf(stderr, "mayfly: process %d was ended by signal %d\n", (int)process->pid, number);
  else if (status != 0)
    fprintf(stderr, "mayfly: process %d exited with %lld\n", (int)process->pid, (long long)status);
  uv_close((uv_handle_t *)process, on_closed);
}

/* ---- its beginning ---- */

static int spawn(uv_loop_t *loop, struct execution *execution, char **command) {
  uv_stdio_container_t stdio[3] = {
      {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&execution->input},
      {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&execution->output},
      {.flags = UV_INHERIT_FD, .data.fd = 2},
  };
  const uv_process_options_t options = {
      .exit_cb = on_exit_of, .file = command[0], .args = command, .stdio_count = 3, .stdio = stdio};
  uv_pipe_init(loop, &execution->input, 0);
  uv_pipe_init(loop, &execution->output, 0);
  execution->input.data = execution->output.data = execution->process.data = execution->writing.data = execution;
  execution->open = 3;
  return uv_spawn(loop, &execution->process, &options);
}

static void give_up(struct execution *execution) {
  uv_close((uv_handle_t *)&execution->input, on_closed);
  uv_close((uv_handle_t *)&execution->output, on_closed);
  uv_close((uv_handle_t *)&execution->process, on_closed);
}

int exec_start(uv_loop_t *loop, char **command, const void *data, size_t size, exec_finished *finished, void *context) {
  struct execution *execution = calloc(1, sizeof *execution + size);
  if (execution == NULL) {
    tool_system_failure(command[0]);
    return TOOL_FAILED;
  }
  if (size > 0)
    memcpy(execution->data, data, size);
  execution->finished = finished;
  execution->context = context;
  int number = spawn(loop, execution, command);
  if (number < 0) {
    fprintf(stderr, "mayfly: %s: %s\n", command[0], uv_strerror(number));
    give_up(execution);
    return TOOL_FAILED;
  }
  execution->started = 1;
  uv_buf_t message = uv_buf_init(execution->data, (unsigned)size);
  uv_read_start((uv_stream_t *)&execution->output, on_room, on_read);
  if (uv_write(&execution->writing, (uv_stream_t *)&execution->input, &message, 1, on_written) < 0)
    uv_close((uv_handle_t *)&execution->input, on_closed);
  return TOOL_OK;
}
