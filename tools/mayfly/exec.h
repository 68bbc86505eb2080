/* SPDX-License-Identifier: MIT */
/* exec.h - a command for each message: what it reads, what it writes, and when it is done. */
#ifndef EXEC_H
#define EXEC_H

#include <stddef.h>
#include <uv.h>

/* Starts `command` with a copy of `data` as its standard input. `finished` is called from the loop once it has ended
 * and its standard output too, with all that this was. TOOL_OK; or it can't be run, which has been said. */
int exec_start(uv_loop_t *loop, char **command, const void *data, size_t size,
               void (*finished)(void *context, const void *output, size_t size), void *context);

#endif
