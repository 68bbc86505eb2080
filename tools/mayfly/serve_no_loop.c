/* SPDX-License-Identifier: MIT */
/* serve_no_loop.c - mayfly listen where it was built without libuv. */

#include "serve.h"
#include "tool.h"

int tool_serve_on_loop(const struct serving *serving) {
  if (serving->command != NULL)
    return tool_misuse("--exec: this program was built without libuv");
  return tool_serve_waiting(serving);
}
