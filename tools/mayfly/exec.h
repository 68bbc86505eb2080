/* SPDX-License-Identifier: MIT */
/* exec.h - a command for each message: what it reads, what it writes, and when it is done. */
#ifndef EXEC_H
#define EXEC_H

#include <stddef.h>
#include <uv.h>

/* Called from the loop once the command has ended and its standard output too, with all that this was. `status`
 * TOOL_FAILED: not all of it could be read, which has been said. */
typedef void exec_finished(void *context, int status, const void *output, size_t size);

/* Starts `command` with a copy of `data` as its standard input. TOOL_OK; or it can't be run, which has been said. */
int exec_start(uv_loop_t *loop, char **command, const void *data, size_t size, exec_finished *finished, void *context);

#endif
