/* SPDX-License-Identifier: MIT */
/* terminal.c - whether somebody looks at standard error, on Windows. */
#include "../tool.h"
#include <windows.h>

int tool_is_watched(void) {
  DWORD mode;
  return GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode) != 0;
}
